"""Numbers and conversions in plain Python: a part of `evaluate`."""

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
from e2e_ml.festaf.dtypes import BITS, FLOATS, INTEGERS, DataType, is_number, kind

Function = Callable[..., Any]
Types = Sequence[DataType]

_EXACT = Context(prec=200)
_DECIMAL_DIGITS = 10**dtypes.MAX_PRECISION
_WHOLE_TEXT = re.compile(r"-?[0-9]{1,18}")
_REAL_TEXT = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DAY_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


# --- conversions -------------------------------------------------------------------------------------------------


def conversion(given: DataType, wanted: DataType) -> Function:
    """What makes a value of the one type one of the other; None where the other cannot hold it."""
    if given == wanted or (wanted in dtypes.TEXTS and given in dtypes.TEXTS):
        return itself
    if wanted in INTEGERS:
        return _to_integer(given, BITS[wanted])
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


def itself(value: Any) -> Any:
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


def alike_of(types: Types) -> Function:
    """What brings numbers of these types into the one in which they are compared."""
    if not all(map(is_number, types)):
        return itself
    return float if not FLOATS.isdisjoint(types) else itself


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
    alike = alike_of(types)
    edges = [alike(edge) for edge in constants]
    return lambda value, *_: None if value != value else sum(edge <= alike(value) for edge in edges)


FUNCTIONS: Mapping[str, Callable[[Types, DataType, Sequence[Any]], Function]] = {
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
}
