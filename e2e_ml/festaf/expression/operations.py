"""The operations of an expression: one table with what each is called, how it is written, takes and gives.

Definition, validation of a registry, printing and the published JSON Schema all read this table; `compile_narwhals`
holds one function for each row of it. What an operation means, on every engine:

- **Null is "not known".** Every operation on null gives null, but for `is_null`, `is_not_null`, `fill_null`, and for
  `and`/`or`, which are three-valued: false & null is false, true | null is true.
- **NaN is a value**, as IEEE 754 has it: it is carried through arithmetic, `!=` with it is true and every other
  comparison false. It is not null. (Engines that order NaN as the greatest number are corrected.)
- **Arithmetic is 64 bits wide**: integers in int64, anything with a float in float64. Int64 wraps round on overflow.
- **Division by zero is null**, for `/`, `//` and `%`; so are a logarithm and a root outside of their domain.
- **`//` and `%` round towards minus infinity**, as in Python: -7 // 2 is -4, and -7 % 3 is 2. With a float, a // b is
  floor(a / b) and a % b is a - b * floor(a / b), each step rounded as IEEE 754 has it.
- **Casts** truncate towards zero; what the new type cannot hold (NaN as an integer, too large a number) becomes null.
- **Text** compares by code point, and is searched for exactly, never as a pattern; `length` counts code points. Only
  `upper` and `lower` of letters such as ß are left to the engine's own tables.
- **Parts of a time** (hour, weekday, ...) are those of the zone named, UTC where none is; weekdays run from 1, Monday.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from zoneinfo import available_timezones

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
from e2e_ml.festaf.model import DataType

Types = Sequence[DataType]
INTEGERS: frozenset[DataType] = frozenset({"int32", "int64"})
FLOATS: frozenset[DataType] = frozenset({"float32", "float64"})
NUMBERS = INTEGERS | FLOATS
TIMES: frozenset[DataType] = frozenset({"date", "timestamp"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `result` gives the type for the operands' types, None where they do not fit."""

    name: str
    form: OneOf["infix", "prefix", "method"]
    symbol: str  # "+", "~", "contains": as it is written in Python
    result: Callable[[Types], DataType | None]
    least: int = 2  # operands, the receiver of a method counted
    most: int | None = 2  # None: any number
    constants: bool = False  # operands after the first are constants
    zone: bool = False  # the last operand, where given, names a time zone
    outermost: bool = False  # nothing is computed from it: see "Scaling"


# --- rules for types ---------------------------------------------------------------------------------------------


def _arithmetic(types: Types) -> DataType | None:
    if not NUMBERS.issuperset(types):
        return None
    return "int64" if INTEGERS.issuperset(types) else "float64"


def _real(types: Types) -> DataType | None:
    return "float64" if NUMBERS.issuperset(types) else None


def comparable(types: Types) -> bool:
    """Whether values of these types can be compared: all of them numbers, or all of one type."""
    return NUMBERS.issuperset(types) or len(set(types)) == 1


def _equality(types: Types) -> DataType | None:
    return "bool" if comparable(types) else None


def _order(types: Types) -> DataType | None:
    return "bool" if comparable(types) and "bool" not in types else None


def _logic(types: Types) -> DataType | None:
    return "bool" if set(types) == {"bool"} else None


def _test(types: Types) -> DataType | None:
    return "bool"


def _fill(types: Types) -> DataType | None:
    filled, value = types
    fits = filled == value or (filled in FLOATS and value in NUMBERS) or (filled in INTEGERS and value in INTEGERS)
    return filled if fits else None


def _of(given: DataType, gives: DataType) -> Callable[[Types], DataType | None]:
    return lambda types: gives if all(t == given for t in types) else None


def _part(takes: frozenset[DataType]) -> Callable[[Types], DataType | None]:
    def result(types: Types) -> DataType | None:
        if types[0] not in takes or (len(types) == 2 and (types[0] == "date" or types[1] != "string")):
            return None
        return "int64"

    return result


def _day_of(types: Types) -> DataType | None:
    return "date" if types[0] == "timestamp" and all(t == "string" for t in types[1:]) else None


# --- the table ---------------------------------------------------------------------------------------------------

_TIMESTAMP: frozenset[DataType] = frozenset({"timestamp"})

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("add", "infix", "+", _arithmetic),
        Operation("sub", "infix", "-", _arithmetic),
        Operation("mul", "infix", "*", _arithmetic),
        Operation("div", "infix", "/", _real),
        Operation("floordiv", "infix", "//", _arithmetic),
        Operation("mod", "infix", "%", _arithmetic),
        Operation("neg", "prefix", "-", _arithmetic, 1, 1),
        Operation("abs", "method", "abs", _arithmetic, 1, 1),
        Operation("floor", "method", "floor", _real, 1, 1),
        Operation("ceil", "method", "ceil", _real, 1, 1),
        Operation("sqrt", "method", "sqrt", _real, 1, 1),
        Operation("log", "method", "log", _real, 1, 1),
        Operation("eq", "infix", "==", _equality),
        Operation("ne", "infix", "!=", _equality),
        Operation("lt", "infix", "<", _order),
        Operation("le", "infix", "<=", _order),
        Operation("gt", "infix", ">", _order),
        Operation("ge", "infix", ">=", _order),
        Operation("is_in", "method", "is_in", _equality, 2, None, constants=True),
        Operation("and", "infix", "&", _logic),
        Operation("or", "infix", "|", _logic),
        Operation("not", "prefix", "~", _logic, 1, 1),
        Operation("is_null", "method", "is_null", _test, 1, 1),
        Operation("is_not_null", "method", "is_not_null", _test, 1, 1),
        Operation("fill_null", "method", "fill_null", _fill),
        Operation("contains", "method", "contains", _of("string", "bool"), constants=True),
        Operation("starts_with", "method", "starts_with", _of("string", "bool"), constants=True),
        Operation("ends_with", "method", "ends_with", _of("string", "bool"), constants=True),
        Operation("lower", "method", "lower", _of("string", "string"), 1, 1),
        Operation("upper", "method", "upper", _of("string", "string"), 1, 1),
        Operation("strip", "method", "strip", _of("string", "string"), 1, 1),
        Operation("length", "method", "length", _of("string", "int64"), 1, 1),
        Operation("year", "method", "year", _part(TIMES), 1, 2, constants=True, zone=True),
        Operation("month", "method", "month", _part(TIMES), 1, 2, constants=True, zone=True),
        Operation("day", "method", "day", _part(TIMES), 1, 2, constants=True, zone=True),
        Operation("weekday", "method", "weekday", _part(TIMES), 1, 2, constants=True, zone=True),
        Operation("hour", "method", "hour", _part(_TIMESTAMP), 1, 2, constants=True, zone=True),
        Operation("minute", "method", "minute", _part(_TIMESTAMP), 1, 2, constants=True, zone=True),
        Operation("date", "method", "date", _day_of, 1, 2, constants=True, zone=True),
        Operation("seconds_since", "method", "seconds_since", _of("timestamp", "float64")),
        Operation("days_since", "method", "days_since", _of("date", "int64")),
        Operation("standard_scale", "method", "standard_scale", _real, 1, 1, outermost=True),
        Operation("min_max_scale", "method", "min_max_scale", _real, 1, 1, outermost=True),
    )
}

# From -> to. Text is no source and floats are not written as text: engines disagree about the digits.
_TEXT: frozenset[DataType] = frozenset({"string"})
_CASTS: Mapping[DataType, frozenset[DataType]] = {
    "bool": NUMBERS,
    "int32": NUMBERS | _TEXT,
    "int64": NUMBERS | _TEXT,
    "float32": NUMBERS,
    "float64": NUMBERS,
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
    result = operation.result(types)
    if result is None:
        raise ExpressionError(_misfit(operation, types))
    if operation.zone:
        _check_zone(args[1:])
    return result


def _check_zone(constants: Sequence[Expression]) -> None:
    for constant in constants:
        if isinstance(constant, Literal) and constant.value not in available_timezones():
            raise ExpressionError(f"There is no time zone {constant.value!r}. A zone is called like America/New_York.")


def _misfit(operation: Operation, types: Types) -> str:
    if operation.form == "infix":
        return f"{types[0]} {operation.symbol} {types[1]} has no meaning."
    if operation.form == "prefix":
        return f"{operation.symbol} of {types[0]} has no meaning."
    others = f" of {' and '.join(dict.fromkeys(types[1:]))}" if len(types) > 1 else ""
    return f"{operation.symbol}{others} has no meaning for {types[0]}."


def cast_type(given: DataType, wanted: DataType) -> DataType:
    """The type a cast gives. Raises ExpressionError for a cast that is not offered."""
    if wanted != given and wanted not in _CASTS.get(given, frozenset()):
        offered = ", ".join(sorted(_CASTS.get(given, frozenset()))) or "nothing"
        raise ExpressionError(f"{given} cannot be cast to {wanted}, but to {offered}.")
    return wanted


def window_type(aggregate: Aggregate, given: DataType) -> DataType:
    """The type of an aggregate. Raises ExpressionError where values of the type cannot be aggregated so."""
    match aggregate:
        case "count" | "distinct":
            return "int64"
        case "first" | "last":
            return given
        case "time_since_last":
            return "duration"
        case _:
            pass
    if given not in NUMBERS:
        raise ExpressionError(f"The {aggregate} of {given} has no meaning. Count it, or cast it to a number.")
    match aggregate:
        case "mean" | "std":
            return "float64"
        case "sum":
            return "int64" if given in INTEGERS else "float64"
        case "quantile":
            return "float64"
        case "min" | "max":
            return given


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
