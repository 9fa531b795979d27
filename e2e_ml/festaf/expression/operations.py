"""The operations of an expression: one table with what each is called, how it is written, takes and gives.

Definition, validation of a registry, printing and the published JSON Schema all read this table; `compile_narwhals`
holds one function for each row of it, and `rules` says what each gives. What an operation means, on every engine:

- **Null is "not known".** Every operation on null gives null, but for `is_null`, `is_not_null`, `fill_null`, `when`,
  and for `and`/`or`, which are three-valued: false & null is false, true | null is true. A condition of `when` that is
  null does not hold.
- **NaN is a value**, as IEEE 754 has it: it is carried through arithmetic, `!=` with it is true and every other
  comparison false. It is not null; `is_nan` finds it. (Engines that order NaN as the greatest number are corrected.)
- **Arithmetic is 64 bits wide**: integers in int64, anything with a float in float64. Int64 wraps round on overflow.
  Decimals, with integers too, are exact: 38 digits, behind the point as many as the longer of the two, for a product
  as many as both together; what has more digits is null.
- **Division by zero is null**, for `/`, `//` and `%`; so are a logarithm and a root outside of their domain.
- **`//` and `%` round towards minus infinity**, as in Python: -7 // 2 is -4, and -7 % 3 is 2. With a float, a // b is
  floor(a / b) and a % b is a - b * floor(a / b), each step rounded as IEEE 754 has it. A remainder of decimals is not
  offered; their quotient is a float64.
- **`**`, `exp`** and `log` are those of the C library in float64; a power that is no real number is NaN.
- **`round(x, digits)`** is x * 10**digits, the whole number nearest to it, of two as near the even one, / 10**digits,
  each step in float64. `sign` of NaN is null; `clip` leaves NaN as it is.
- **Casts** of numbers truncate towards zero; what the new type cannot hold (NaN as an integer, too large a number)
  becomes null. A text becomes an integer where it is an optional - and up to 18 digits, a float where it is such digits
  with an optional fraction and exponent, a date where it is a day as 2013-02-28; all other text becomes null. A Bool is
  written true or false. A date becomes the timestamp of its midnight in UTC.
- **Text** compares by code point and is searched for exactly, unless a pattern is asked for (see `patterns`); `matches`
  holds where the whole text fits, `extract` gives the first match's group, null where there is none. `replace` replaces
  every occurrence; `split` gives the parts between separators; `slice` and `length` count code points. `upper`, `lower`
  and `strip` go by Unicode's letters and white space.
- **`when(c, v, ..., otherwise)`** gives the value of the first condition that is true; `map(x, k, v, ..., default)` the
  value of the key that x equals, else the default, null where there is none; `ordinal(x, v, ...)` the place of x among
  the values, from 0, else null; `bucketize(x, edge, ...)` how many edges are at or below x, so that a bucket holds its
  lower edge and not its upper one; of NaN it is null.
- **Parts of a time** (hour, weekday, ...) are those of the zone named, UTC where none is; weekdays run from 1, Monday,
  weeks are those of ISO 8601. Differences are durations, in whole microseconds; `date + duration` is a timestamp.
  `truncate` goes back to the start of the hour or day in UTC.
- **Lists**: `get` counts from 0 and is null beyond the end; `contains` is false in an empty list, and asks for an
  element that equals; the sum of no elements is 0, their mean, min and max are null. Nulls in a list are left out of
  these; NaN makes them NaN.
- **Embeddings**: `dot` adds float64 products; `cosine_similarity` is dot / (norm * norm), null for a vector of zeros.
- **Scaling** (`standard_scale`, `min_max_scale`) is the outermost operation of a feature: see `scaling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, NUMBERS, TIMES, DataType, is_number, kind
from e2e_ml.festaf.expression import rules
from e2e_ml.festaf.expression.rules import Rule, Types, of, only_types
from e2e_ml.festaf.expression.tree import (
    Aggregate,
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Literal,
    Python,
    Window,
)

__all__ = ["FLOATS", "INTEGERS", "NUMBERS", "OPERATIONS", "TIMES", "Operation", "apply_type", "cast_type",
           "check_arity", "infer", "window_type"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `result` gives the type for the operands' types, None where they do not fit."""

    name: str
    form: OneOf["infix", "prefix", "method", "when"]
    symbol: str  # "+", "~", "contains": as it is written in Python
    result: Rule
    least: int = 2  # operands, the receiver of a method counted
    most: int | None = 2  # None: any number
    constants: bool = False  # operands after the first are constants
    outermost: bool = False  # nothing is computed from it


def _infix(name: str, symbol: str, rule: rules.Callable[[Types], DataType | None]) -> Operation:
    return Operation(name, "infix", symbol, only_types(rule))


def _method(name: str, result: Rule, least: int = 1, most: int | None = 1, *, constants: bool = False) -> Operation:
    return Operation(name, "method", name, result, least, most, constants)


def _scaling(name: str) -> Operation:
    return Operation(name, "method", name, only_types(rules.real), 1, 1, outermost=True)


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        # numbers
        _infix("add", "+", rules.addition),
        _infix("sub", "-", rules.subtraction),
        _infix("mul", "*", rules.product),
        _infix("div", "/", rules.real),
        _infix("floordiv", "//", rules.whole),
        _infix("mod", "%", rules.whole),
        _infix("pow", "**", rules.real),
        Operation("neg", "prefix", "-", only_types(rules.negation), 1, 1),
        _method("abs", only_types(rules.negation)),
        _method("sign", only_types(rules.sign)),
        _method("floor", only_types(rules.real)),
        _method("ceil", only_types(rules.real)),
        _method("round", rules.rounding, 1, 2, constants=True),
        _method("sqrt", only_types(rules.real)),
        _method("exp", only_types(rules.real)),
        _method("log", only_types(rules.real)),
        _method("clip", rules.clipping, 3, 3, constants=True),
        _method("bucketize", rules.buckets, 2, None, constants=True),
        # comparison and logic
        _infix("eq", "==", rules.equality),
        _infix("ne", "!=", rules.equality),
        _infix("lt", "<", rules.order),
        _infix("le", "<=", rules.order),
        _infix("gt", ">", rules.order),
        _infix("ge", ">=", rules.order),
        _method("is_in", only_types(rules.equality), 2, None, constants=True),
        _infix("and", "&", rules.logic),
        _infix("or", "|", rules.logic),
        Operation("not", "prefix", "~", only_types(rules.logic), 1, 1),
        # missing values and choice
        _method("is_null", only_types(rules.test)),
        _method("is_not_null", only_types(rules.test)),
        _method("is_nan", only_types(rules.nan_test)),
        _method("fill_null", only_types(rules.filling), 2, 2),
        Operation("when", "when", "when", rules.choice, 2, None),
        _method("map", rules.mapping, 3, None, constants=True),
        _method("ordinal", rules.ordinal, 2, None, constants=True),
        # text
        _method("contains", rules.searching, 2, 2, constants=True),
        _method("starts_with", of("string", "bool"), 2, 2, constants=True),
        _method("ends_with", of("string", "bool"), 2, 2, constants=True),
        _method("matches", rules.matching, 2, 2, constants=True),
        _method("extract", rules.extraction, 3, 3, constants=True),
        _method("lower", of("string", "string")),
        _method("upper", of("string", "string")),
        _method("strip", of("string", "string")),
        _method("replace", rules.replacing, 3, 3, constants=True),
        _method("split", rules.splitting, 2, 2, constants=True),
        _method("slice", rules.slicing, 3, 3, constants=True),
        _method("length", only_types(rules.length)),
        # times
        _method("year", rules.part, 1, 2, constants=True),
        _method("quarter", rules.part, 1, 2, constants=True),
        _method("month", rules.part, 1, 2, constants=True),
        _method("week", rules.part, 1, 2, constants=True),
        _method("day", rules.part, 1, 2, constants=True),
        _method("weekday", rules.part, 1, 2, constants=True),
        _method("day_of_year", rules.part, 1, 2, constants=True),
        _method("hour", rules.part_of_day, 1, 2, constants=True),
        _method("minute", rules.part_of_day, 1, 2, constants=True),
        _method("second", rules.part_of_day, 1, 2, constants=True),
        _method("date", rules.day_of, 1, 2, constants=True),
        _method("truncate", rules.truncation, 2, 2, constants=True),
        _method("seconds_since", of("timestamp", "float64"), 2, 2),
        _method("days_since", of("date", "int64"), 2, 2),
        _method("total_seconds", of("duration", "float64")),
        # lists, embeddings, structs
        _method("get", rules.getting, 2, 2, constants=True),
        _method("sum", only_types(rules.list_sum)),
        _method("mean", only_types(rules.list_mean)),
        _method("min", only_types(rules.list_extreme)),
        _method("max", only_types(rules.list_extreme)),
        _method("dot", only_types(rules.similarity), 2, 2),
        _method("cosine_similarity", only_types(rules.similarity), 2, 2),
        _method("l2_norm", only_types(rules.similarity)),
        _method("field", rules.field, 2, 2, constants=True),
        # learned
        _scaling("standard_scale"),
        _scaling("min_max_scale"),
    )
}

# From -> to. Floats are not written as text: engines disagree about the digits. To decimals: see `cast_type`.
_CASTS: Mapping[str, frozenset[DataType]] = {
    "bool": NUMBERS | {"string"},
    **{integer: NUMBERS | {"string"} for integer in INTEGERS},
    **dict.fromkeys(FLOATS, NUMBERS),
    "decimal": NUMBERS,
    "string": NUMBERS | {"category", "date"},
    "category": frozenset({"string"}),
    "date": frozenset({"timestamp"}),
}


def check_arity(op: str, count: int) -> None:
    """Raises ExpressionError when there is no such operation, or it does not take that many operands."""
    operation = OPERATIONS.get(op)
    if operation is None:
        raise ExpressionError(f"There is no operation {op!r}. There are: {', '.join(OPERATIONS)}.")
    if count < operation.least or (operation.most is not None and count > operation.most):
        takes = str(operation.least) if operation.most == operation.least else f"at least {operation.least}"
        raise ExpressionError(f"{op!r} takes {takes} operand{'s' if takes != '1' else ''}, not {count}.")


def apply_type(op: str, args: Sequence[Expression], types: Types) -> DataType:
    """The type that an operation gives for operands of these types. Raises ExpressionError where they do not fit."""
    check_arity(op, len(args))
    operation = OPERATIONS[op]
    if operation.constants and not all(isinstance(arg, Literal) for arg in args[1:]):
        raise ExpressionError(f"{operation.symbol} takes constants, not columns.")
    result = operation.result(types, args)
    if result is None:
        raise ExpressionError(_misfit(operation, types))
    return result


def _misfit(operation: Operation, types: Types) -> str:
    if operation.form == "infix":
        return f"{types[0]} {operation.symbol} {types[1]} has no meaning."
    if operation.form == "prefix":
        return f"{operation.symbol} of {types[0]} has no meaning."
    others = f" of {' and '.join(dict.fromkeys(types[1:]))}" if len(types) > 1 else ""
    return f"{operation.symbol}{others} has no meaning for {types[0]}."


def cast_type(given: DataType, wanted: DataType) -> DataType:
    """The type a cast gives. Raises ExpressionError for a cast that is not offered."""
    offered = _CASTS.get(kind(given), frozenset[DataType]())
    if wanted == given or wanted in offered or (kind(wanted) == "decimal" and _becomes_decimal(given, wanted)):
        return wanted
    names = sorted(offered - {given}) + (["decimal"] if _becomes_decimal(given, dtypes.decimal(38, 38)) else [])
    raise ExpressionError(f"{given} cannot be cast to {wanted}, but to {', '.join(names) or 'nothing'}.")


def _becomes_decimal(given: DataType, wanted: DataType) -> bool:
    """Whole numbers and decimals do, where no digit behind the point is lost."""
    return is_number(given) and given not in FLOATS and rules.scale(given) <= rules.scale(wanted)


def window_type(aggregate: Aggregate, given: DataType) -> DataType:
    """The type of an aggregate. Raises ExpressionError where values of the type cannot be aggregated so."""
    result: DataType | None
    match aggregate:
        case "count":
            result = "int64"
        case "distinct":
            result = "int64" if given in dtypes.SCALARS or is_number(given) else None
        case "first" | "last":
            result = given
        case "time_since_last":
            result = "duration"
        case "mean" | "std" | "quantile":
            result = "float64" if is_number(given) else None
        case "sum":
            result = given if given == "duration" else rules.number([given])
        case "min" | "max":
            result = given if is_number(given) or given in TIMES | {"duration"} else None
    if result is None:
        raise ExpressionError(f"The {aggregate} of {given} has no meaning. Count it, or cast it to a number.")
    return result


def infer(expression: Expression, columns: Mapping[str, DataType]) -> DataType:
    """The type of an expression over columns of these types. Raises ExpressionError, with a sentence."""
    match expression:
        case Column(name):
            if name not in columns:
                raise ExpressionError(f"There is no column {name!r} in the view.")
            return columns[name]
        case Literal(dtype=dtype):
            return dtype
        case Apply(op, args):
            return apply_type(op, args, [infer(arg, columns) for arg in args])
        case Cast(arg, dtype):
            return cast_type(infer(arg, columns), dtype)
        case Window(arg, aggregate):
            return window_type(aggregate, infer(arg, columns))
        case Python(dtype=dtype, args=args):
            for arg in args:
                infer(arg, columns)
            return dtype
