"""Row-level expressions as narwhals expressions, which run on every engine that narwhals knows.

One function for each row of `operations.OPERATIONS`; the meanings written there are kept here, engine by engine.
Windows are not row-level: `steps` takes them out first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import narwhals as nw

from e2e_ml.festaf.expression.operations import FLOATS, INTEGERS, NUMBERS, apply_type, cast_type
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, ExpressionError, Literal, Python, Window
from e2e_ml.festaf.model import DataType

if TYPE_CHECKING:
    from narwhals.dtypes import DType

_DTYPES: Mapping[DataType, DType] = {
    "bool": nw.Boolean(),
    "int32": nw.Int32(),
    "int64": nw.Int64(),
    "float32": nw.Float32(),
    "float64": nw.Float64(),
    "string": nw.String(),
    "date": nw.Date(),
    "timestamp": nw.Datetime("us", "UTC"),
}
_Binary = Callable[[nw.Expr, nw.Expr], nw.Expr]
_BOUNDS = {"int32": (-(2.0**31) - 1, 2.0**31), "int64": (-(2.0**63) - 1025, 2.0**63)}  # both ends out


def narwhals_dtype(dtype: DataType) -> DType:
    """The narwhals type of a column: timestamps are microseconds in UTC."""
    return _DTYPES[dtype]


@dataclass(frozen=True, slots=True)
class _Typed:
    """A compiled operand, and what the compiler must know of it."""

    expr: nw.Expr
    dtype: DataType
    constant: Any = None

    def wide(self) -> nw.Expr:
        """In the width of arithmetic."""
        return self.expr.cast(nw.Int64() if self.dtype in INTEGERS else nw.Float64())

    def real(self) -> nw.Expr:
        return self.expr.cast(nw.Float64())

    @property
    def may_be_nan(self) -> bool:
        return self.dtype in FLOATS and self.constant is None


def to_narwhals(expression: Expression, columns: Mapping[str, DataType]) -> nw.Expr:
    """Compile a row-level expression over columns of these types; the result has the type that `infer` gives.

    Raises ExpressionError for an expression without meaning, and for one with a window in it.
    """
    return _compile(expression, columns).expr


def _compile(expression: Expression, columns: Mapping[str, DataType]) -> _Typed:
    match expression:
        case Column(name):
            if name not in columns:
                raise ExpressionError(f"There is no column {name!r} in the view.")
            return _Typed(nw.col(name), columns[name])
        case Literal(value, dtype):
            return _Typed(nw.lit(value, _DTYPES[dtype]), dtype, constant=value)
        case Cast(arg, dtype):
            return _cast(_compile(arg, columns), dtype)
        case Apply(op, args):
            compiled = [_compile(arg, columns) for arg in args]
            dtype = apply_type(op, args, [each.dtype for each in compiled])
            return _Typed(_OPERATIONS[op](compiled).cast(_DTYPES[dtype]), dtype)
        case Window() | Python():
            raise ExpressionError("A window is not computed row by row: take it out with `steps` first.")


def _cast(operand: _Typed, dtype: DataType) -> _Typed:
    cast_type(operand.dtype, dtype)
    expr = operand.expr
    if dtype in INTEGERS and (operand.dtype in FLOATS or (operand.dtype == "int64" and dtype == "int32")):
        low, high = _BOUNDS[dtype]
        real = operand.real()
        fits = (real > low) & (real < high)
        if operand.dtype in FLOATS:
            fits = fits & ~real.is_nan()
            # Truncated beforehand: Arrow refuses to drop a fraction in a cast.
            expr = nw.when(real < 0).then(real.ceil()).otherwise(real.floor())
        expr = nw.when(fits).then(expr)
    return _Typed(expr.cast(_DTYPES[dtype]), dtype)


# --- comparison --------------------------------------------------------------------------------------------------


def _same_type(operands: Sequence[_Typed]) -> list[nw.Expr]:
    """The operands in one type, so that no engine's own rule for mixed types is asked."""
    if not all(o.dtype in NUMBERS for o in operands):
        return [o.expr for o in operands]
    integers = all(o.dtype in INTEGERS for o in operands)
    return [o.wide() if integers else o.real() for o in operands]


def _comparison(compare: _Binary, *, of_nan: bool) -> _Compiler:
    """`of_nan` is what the comparison with NaN gives, whatever the engine thinks."""

    def compiled(operands: Sequence[_Typed]) -> nw.Expr:
        left, right = _same_type(operands)
        result = compare(left, right)
        nans = [o.real().is_nan() for o in operands if o.may_be_nan]
        if not nans:
            return result
        nan = reduce(lambda a, b: a | b, nans)
        result = result | nan if of_nan else result & ~nan
        if any(o.constant is not None for o in operands):
            return result
        # Null on one side and NaN on the other: not known, though `null & false` would be false.
        return nw.when(~left.is_null() & ~right.is_null()).then(result)

    return compiled


def _is_in(operands: Sequence[_Typed]) -> nw.Expr:
    subject, *others = operands
    equal = _comparison(lambda a, b: a == b, of_nan=False)
    return reduce(lambda a, b: a | b, (equal([subject, other]) for other in others))


# --- arithmetic --------------------------------------------------------------------------------------------------


def _arithmetic(compute: _Binary) -> _Compiler:
    def compiled(operands: Sequence[_Typed]) -> nw.Expr:
        left, right = _same_type(operands)
        return compute(left, right)

    return compiled


def _division(
    integers: Callable[[nw.Expr, nw.Expr], nw.Expr] | None, reals: Callable[[nw.Expr, nw.Expr], nw.Expr]
) -> _Compiler:
    """`integers` divides whole numbers where it differs from dividing real ones."""

    def compiled(operands: Sequence[_Typed]) -> nw.Expr:
        whole = integers if all(o.dtype in INTEGERS for o in operands) else None
        left, right = (o.wide() if whole else o.real() for o in operands)
        # Null first, divided afterwards: no engine then sees a zero. The dividend is asked too, so that a constant
        # divisor becomes a column: Polars multiplies by the reciprocal of a constant, which is off by one bit.
        divisor = nw.when((right != 0) & ~left.is_null()).then(right)
        return (whole or reals)(left, divisor)

    return compiled


def _inside(domain: Callable[[nw.Expr], nw.Expr], compute: Callable[[nw.Expr], nw.Expr]) -> _Compiler:
    def compiled(operands: Sequence[_Typed]) -> nw.Expr:
        real = operands[0].real()
        return compute(nw.when(domain(real) | real.is_nan()).then(real))

    return compiled


# --- text and time -----------------------------------------------------------------------------------------------


def _local(operands: Sequence[_Typed]) -> nw.Expr:
    """A time in the zone that the last operand names."""
    subject = operands[0].expr
    if len(operands) == 2:
        return subject.dt.convert_time_zone(str(operands[1].constant))
    return subject


def _part(part: Callable[[nw.Expr], nw.Expr]) -> _Compiler:
    return lambda operands: part(_local(operands))


def _text(search: Callable[[nw.Expr, str], nw.Expr]) -> _Compiler:
    return lambda operands: search(operands[0].expr, str(operands[1].constant))


def _one(compute: Callable[[_Typed], nw.Expr]) -> _Compiler:
    return lambda operands: compute(operands[0])


def _fill(operands: Sequence[_Typed]) -> nw.Expr:
    subject, value = operands
    return nw.when(~subject.expr.is_null()).then(subject.expr).otherwise(_cast(value, subject.dtype).expr)


_Compiler = Callable[[Sequence[_Typed]], nw.Expr]

_OPERATIONS: Mapping[str, _Compiler] = {
    "add": _arithmetic(lambda a, b: a + b),
    "sub": _arithmetic(lambda a, b: a - b),
    "mul": _arithmetic(lambda a, b: a * b),
    "div": _division(None, lambda a, b: a / b),
    "floordiv": _division(lambda a, b: a // b, lambda a, b: (a / b).floor()),
    "mod": _division(lambda a, b: a % b, lambda a, b: a - b * (a / b).floor()),
    "neg": _one(lambda o: -o.wide()),
    "abs": _one(lambda o: o.wide().abs()),
    "floor": _one(lambda o: o.real().floor()),
    "ceil": _one(lambda o: o.real().ceil()),
    "sqrt": _inside(lambda x: x >= 0, lambda x: x.sqrt()),
    "log": _inside(lambda x: x > 0, lambda x: x.log()),
    "eq": _comparison(lambda a, b: a == b, of_nan=False),
    "ne": _comparison(lambda a, b: a != b, of_nan=True),
    "lt": _comparison(lambda a, b: a < b, of_nan=False),
    "le": _comparison(lambda a, b: a <= b, of_nan=False),
    "gt": _comparison(lambda a, b: a > b, of_nan=False),
    "ge": _comparison(lambda a, b: a >= b, of_nan=False),
    "is_in": _is_in,
    "and": lambda operands: operands[0].expr & operands[1].expr,
    "or": lambda operands: operands[0].expr | operands[1].expr,
    "not": _one(lambda o: ~o.expr),
    "is_null": _one(lambda o: o.expr.is_null()),
    "is_not_null": _one(lambda o: ~o.expr.is_null()),
    "fill_null": _fill,
    "contains": _text(lambda e, text: e.str.contains(text, literal=True)),
    "starts_with": _text(lambda e, text: e.str.starts_with(text)),
    "ends_with": _text(lambda e, text: e.str.ends_with(text)),
    "lower": _one(lambda o: o.expr.str.to_lowercase()),
    "upper": _one(lambda o: o.expr.str.to_uppercase()),
    "strip": _one(lambda o: o.expr.str.strip_chars()),
    "length": _one(lambda o: o.expr.str.len_chars()),
    "year": _part(lambda e: e.dt.year()),
    "month": _part(lambda e: e.dt.month()),
    "day": _part(lambda e: e.dt.day()),
    "weekday": _part(lambda e: e.dt.weekday()),
    "hour": _part(lambda e: e.dt.hour()),
    "minute": _part(lambda e: e.dt.minute()),
    "date": _part(lambda e: e.dt.date()),
    "seconds_since": lambda operands: (operands[0].expr - operands[1].expr).dt.total_microseconds() / 1e6,
    "days_since": lambda operands: (
        (operands[0].expr.cast(nw.Datetime("us")) - operands[1].expr.cast(nw.Datetime("us"))).dt.total_seconds()
        // 86_400
    ),
}
