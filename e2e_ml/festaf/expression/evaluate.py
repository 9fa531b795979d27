"""Row-level expressions in plain Python, a row at a time: for the few rows of an online answer, where making a plan for
an engine would take longer than computing, and to hold the engines against.

Values are those of Python: a date, an aware datetime in UTC, a timedelta, a Decimal, a list for a list and for an
embedding, a dict for a struct; None is null. The meanings are those of `operations`; `evaluate_text` has texts, times
and lists.
"""

# Values are of any type here: `operations` has checked what the operands hold.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from typing import Any

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, DataType, is_number, kind
from e2e_ml.festaf.expression import evaluate_text
from e2e_ml.festaf.expression.operations import apply_type, cast_type
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, ExpressionError, Literal, Python, Window

Row = Mapping[str, Any]
Evaluate = Callable[[Row], Any]
Function = Callable[..., Any]  # of values, none of them null
Types = Sequence[DataType]

_EXACT = Context(prec=200)
_DECIMAL_DIGITS = 10**dtypes.MAX_PRECISION
_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_WHOLE_TEXT = re.compile(r"-?[0-9]{1,18}")
_REAL_TEXT = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DAY_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def evaluator(expression: Expression, columns: Mapping[str, DataType]) -> Evaluate:
    """What computes the expression of a row that has these columns, as values of their types.

    Raises ExpressionError for an expression without meaning, and for one that is not row-level or is a function of the
    project's own.
    """
    return _compile(expression, columns)[0]


def _compile(expression: Expression, columns: Mapping[str, DataType]) -> tuple[Evaluate, DataType]:
    match expression:
        case Column(name):
            if name not in columns:
                raise ExpressionError(f"There is no column {name!r} in the view.")
            return operator.itemgetter(name), columns[name]
        case Literal(value, dtype):
            return lambda _: value, dtype
        case Cast(arg, dtype):
            operand, given = _compile(arg, columns)
            convert = conversion(given, cast_type(given, dtype))
            return _strict(convert, [operand]), dtype
        case Apply(op, args):
            compiled = [_compile(arg, columns) for arg in args]
            types = [dtype for _, dtype in compiled]
            dtype = apply_type(op, args, types)
            operands = [operand for operand, _ in compiled]
            if op in _LAZY:
                return _LAZY[op](operands, types, dtype), dtype
            return _strict(_function(op, types, dtype, args), operands), dtype
        case Window() | Python():
            raise ExpressionError("A window and a function see many rows: they are not computed row by row.")


def _function(op: str, types: Types, dtype: DataType, args: Sequence[Expression]) -> Function:
    build = _FUNCTIONS.get(op) or evaluate_text.FUNCTIONS.get(op)
    if build is None:
        raise ExpressionError(f"There is no way to compute {op!r} row by row.")
    constants = [arg.value for arg in args[1:] if isinstance(arg, Literal)]
    return build(types, dtype, constants)


def _strict(function: Function, operands: Sequence[Evaluate]) -> Evaluate:
    """Of null, null."""
    if len(operands) == 1:
        (only,) = operands

        def of_one(row: Row) -> Any:
            value = only(row)
            return None if value is None else function(value)

        return of_one
    if len(operands) == 2:
        first, second = operands

        def of_two(row: Row) -> Any:
            left = first(row)
            if left is None:
                return None
            right = second(row)
            return None if right is None else function(left, right)

        return of_two

    def of_many(row: Row) -> Any:
        values = [operand(row) for operand in operands]
        return None if None in values else function(*values)

    return of_many


# --- conversions -------------------------------------------------------------------------------------------------


def conversion(given: DataType, wanted: DataType) -> Function:
    """What makes a value of the one type one of the other; None where the other cannot hold it."""
    if given == wanted or (wanted in dtypes.TEXTS and given in dtypes.TEXTS):
        return _itself
    if wanted in INTEGERS:
        return _to_integer(given, _BITS[wanted])
    if wanted in FLOATS:
        narrow = single if wanted == "float32" else float
        return (
            (lambda text: narrow(float(text)) if _REAL_TEXT.fullmatch(text) else None) if given == "string" else narrow
        )
    if kind(wanted) == "decimal":
        return _to_decimal(wanted)
    if wanted == "string":
        return (lambda value: "true" if value else "false") if given == "bool" else str
    if wanted == "date":
        return _to_date
    return lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)  # the one cast to a timestamp is of a date


def single(value: float) -> float:
    """The nearest 32-bit float."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def _itself(value: Any) -> Any:
    return value


def _to_integer(given: DataType, bits: int) -> Function:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)

    def whole(value: Any) -> int | None:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        result = int(value)
        return result if low <= result < high else None

    return (lambda text: whole(text) if _WHOLE_TEXT.fullmatch(text) else None) if given == "string" else whole


def _to_decimal(wanted: DataType) -> Function:
    parsed = dtypes.parse(wanted)
    unit, limit = Decimal(1).scaleb(-parsed.scale), 10 ** (parsed.precision - parsed.scale)

    def exact(value: Any) -> Decimal | None:
        result = Decimal(value).quantize(unit, rounding=ROUND_DOWN, context=_EXACT)
        return result if abs(result) < limit else None

    return exact


def _to_date(text: str) -> date | None:
    if not _DAY_TEXT.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


# --- numbers -----------------------------------------------------------------------------------------------------


def _wrapped(value: int) -> int:
    """In 64 bits, as two's complement has it."""
    if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        return value
    return (value + 0x8000000000000000) % 0x10000000000000000 - 0x8000000000000000


def _fitting(dtype: DataType) -> Callable[[Decimal], Decimal | None]:
    unit = Decimal(1).scaleb(-dtypes.parse(dtype).scale)
    limit = _DECIMAL_DIGITS / 10 ** dtypes.parse(dtype).scale if dtypes.parse(dtype).scale == 0 else None

    def fitted(value: Decimal) -> Decimal | None:
        try:
            result = value.quantize(unit, context=_EXACT)
        except InvalidOperation:
            return None
        digits = len(result.as_tuple().digits)
        return result if digits <= dtypes.MAX_PRECISION and (limit is None or abs(result) < limit) else None

    return fitted


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Types, DataType, Sequence[Any]], Function]:
    def build(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
        if dtype == "int64":
            return lambda a, b: _wrapped(compute(a, b))
        if dtype == "float64":
            return lambda a, b: compute(float(a), float(b))
        if kind(dtype) == "decimal":
            fitted = _fitting(dtype)
            return lambda a, b: fitted(_exactly(compute, a, b))
        if dtype == "timestamp":
            return lambda a, b: _within_time(lambda: compute(_moment(a), _moment(b)))
        return compute  # texts and durations

    return build


def _exactly(compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Decimal:
    left, right = Decimal(a), Decimal(b)
    if compute is operator.mul:
        return _EXACT.multiply(left, right)
    return _EXACT.add(left, right) if compute is operator.add else _EXACT.subtract(left, right)


def _moment(value: Any) -> Any:
    """A day is its midnight where a span is added to it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _within_time(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except OverflowError:
        return None


def _divided(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
    return lambda a, b: None if b == 0 else float(a) / float(b)


def _floor_divided(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
    if dtype == "int64":
        return lambda a, b: None if b == 0 else _wrapped(a // b)
    return lambda a, b: None if b == 0 else floor(float(a) / float(b))


def _remainder(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
    if dtype == "int64":
        return lambda a, b: None if b == 0 else a % b
    return lambda a, b: None if b == 0 else float(a) - float(b) * floor(float(a) / float(b))


def floor(value: float) -> float:
    return _kept_zero(float(math.floor(value)), value) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return _kept_zero(float(math.ceil(value)), value) if math.isfinite(value) else value


def _kept_zero(result: float, of: float) -> float:
    return math.copysign(0.0, of) if result == 0 else result


def _power(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
    def power(a: Any, b: Any) -> float:
        base, exponent = float(a), float(b)
        odd = exponent % 2 == 1 if math.isfinite(exponent) else False
        try:
            return math.pow(base, exponent)
        except OverflowError:
            return -math.inf if base < 0 and odd else math.inf
        except ValueError:  # zero to a negative power, or no real number
            return math.nan if base else math.copysign(math.inf, base) if odd else math.inf

    return power


def _real(compute: Callable[[float], float], domain: Callable[[float], bool] | None = None) -> Any:
    def build(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
        def computed(value: Any) -> float | None:
            real = float(value)
            return None if domain is not None and not (domain(real) or real != real) else compute(real)

        return computed

    return build


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _unsigned(compute: Callable[[Any], Any]) -> Any:
    def build(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
        if dtype == "int64":
            return lambda value: _wrapped(compute(value))
        return (lambda value: compute(float(value))) if dtype == "float64" else compute

    return build


def _sign(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
    return lambda value: None if value != value else (value > 0) - (value < 0)


def _rounded(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    scale = 10.0 ** (constants[0] if constants else 0)

    def rounded(value: Any, *_: Any) -> float:
        scaled = float(value) * scale
        return _kept_zero(float(round(scaled)), scaled) / scale if math.isfinite(scaled) else scaled / scale

    return rounded


def _clipped(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    convert = conversion(types[0], dtype)
    low, high = (conversion(types[i + 1], dtype)(value) for i, value in enumerate(constants))

    def clipped(value: Any, *_: Any) -> Any:
        number = convert(value)
        return number if number is None or number != number else min(max(number, low), high)

    return clipped


def _buckets(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    alike = _alike(types)
    edges = [alike(edge) for edge in constants]
    return lambda value, *_: None if value != value else sum(edge <= alike(value) for edge in edges)


# --- comparison and choice ---------------------------------------------------------------------------------------


def _alike(types: Types) -> Function:
    """What brings numbers of these types into the one in which they are compared."""
    if not all(map(is_number, types)):
        return _itself
    return float if not FLOATS.isdisjoint(types) else _itself


def _comparison(compare: Callable[[Any, Any], bool]) -> Any:
    def build(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
        alike = _alike(types)
        return compare if alike is _itself else lambda a, b: compare(float(a), float(b))

    return build


def _is_in(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    pairs = [(_alike([types[0], given]), value) for given, value in zip(types[1:], constants, strict=True)]
    return lambda value, *_: any(alike(value) == alike(other) for alike, other in pairs)


def _ordinal(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    places = {value: place for place, value in enumerate(constants)}
    return lambda value, *_: places.get(value)


def _and(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    left, right = operands

    def both(row: Row) -> bool | None:
        a = left(row)
        if a is False:
            return False
        b = right(row)
        return False if b is False else None if a is None or b is None else True

    return both


def _or(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    left, right = operands

    def either(row: Row) -> bool | None:
        a = left(row)
        if a is True:
            return True
        b = right(row)
        return True if b is True else None if a is None or b is None else False

    return either


def _is_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    (only,) = operands
    return lambda row: only(row) is None


def _is_not_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    (only,) = operands
    return lambda row: only(row) is not None


def _fill_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    value, other = operands[0], _converted(operands[1], types[1], dtype)

    def filled(row: Row) -> Any:
        given = value(row)
        return other(row) if given is None else given

    return filled


def _converted(operand: Evaluate, given: DataType, wanted: DataType) -> Evaluate:
    return operand if given == wanted else _strict(conversion(given, wanted), [operand])


def _when(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    values = [_converted(operand, given, dtype) for operand, given in zip(operands, types, strict=True)]
    pairs = list(zip(operands[:-1:2], values[1::2], strict=False))
    otherwise = values[-1] if len(values) % 2 else None

    def chosen(row: Row) -> Any:
        for condition, value in pairs:
            if condition(row):
                return value(row)
        return None if otherwise is None else otherwise(row)

    return chosen


def _map(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    values = [_converted(operand, given, dtype) for operand, given in zip(operands, types, strict=True)]
    nothing: Row = {}
    table = {key(nothing): value(nothing) for key, value in zip(operands[1::2], values[2::2], strict=False)}
    default = values[-1](nothing) if len(values) % 2 == 0 else None
    subject = operands[0]

    def mapped(row: Row) -> Any:
        key = subject(row)
        return None if key is None else table.get(key, default)

    return mapped


_LAZY: Mapping[str, Callable[[Sequence[Evaluate], Types, DataType], Evaluate]] = {
    "and": _and,
    "or": _or,
    "is_null": _is_null,
    "is_not_null": _is_not_null,
    "fill_null": _fill_null,
    "when": _when,
    "map": _map,
}

_FUNCTIONS: Mapping[str, Callable[[Types, DataType, Sequence[Any]], Function]] = {
    "add": _arithmetic(operator.add),
    "sub": _arithmetic(operator.sub),
    "mul": _arithmetic(operator.mul),
    "div": _divided,
    "floordiv": _floor_divided,
    "mod": _remainder,
    "pow": _power,
    "neg": _unsigned(operator.neg),
    "abs": _unsigned(abs),
    "sign": _sign,
    "floor": _real(floor),
    "ceil": _real(_ceil),
    "round": _rounded,
    "sqrt": _real(math.sqrt, lambda x: x >= 0),
    "exp": _real(_exp),
    "log": _real(math.log, lambda x: x > 0),
    "clip": _clipped,
    "bucketize": _buckets,
    "eq": _comparison(operator.eq),
    "ne": _comparison(operator.ne),
    "lt": _comparison(operator.lt),
    "le": _comparison(operator.le),
    "gt": _comparison(operator.gt),
    "ge": _comparison(operator.ge),
    "is_in": _is_in,
    "not": lambda types, dtype, constants: operator.not_,
    "is_nan": lambda types, dtype, constants: math.isnan,
    "ordinal": _ordinal,
}

__all__ = ["Evaluate", "conversion", "evaluator", "single"]
