"""Conversions from one type to another. What the new type cannot hold becomes null, and stops no engine."""

from __future__ import annotations

from decimal import Decimal

import narwhals as nw

from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, DataType, kind, parse
from e2e_ml.festaf.expression.compiled.operand import Operand, narwhals_dtype

_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_WHOLE = "^-?[0-9]{1,18}$"
_REAL = "^-?[0-9]{1,18}([.][0-9]+)?([eE][+-]?[0-9]{1,4})?$"
_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def converted(operand: Operand, dtype: DataType) -> nw.Expr:
    """The operand as `dtype`, as `Cast` has it. That the conversion is offered was checked before."""
    given, expr = operand.dtype, operand.expr
    if given == dtype:
        return expr
    if given in ("string", "category"):
        return _of_text(expr, dtype)
    if given == "bool" and dtype == "string":
        return nw.when(expr).then(nw.lit("true")).otherwise(nw.when(~expr).then(nw.lit("false")))
    if given == "date":
        return midnight(expr)
    if kind(given) == "decimal" or kind(dtype) == "decimal":
        return _of_decimal(operand, dtype)
    if dtype in INTEGERS and given in FLOATS:
        return _truncated(operand, dtype)
    if dtype in INTEGERS and given in INTEGERS:
        return _narrowed(expr, given, dtype)
    return expr.cast(narwhals_dtype(dtype))


def midnight(date: nw.Expr) -> nw.Expr:
    """The start of a day in UTC."""
    return date.cast(nw.Datetime("us")).dt.replace_time_zone("UTC")


def _truncated(operand: Operand, dtype: DataType) -> nw.Expr:
    real, bits = operand.real(), _BITS[dtype]
    # Both bounds out; the lower one is the float next below the least integer.
    low = -(2.0**63) - 1025 if bits == 64 else -(2.0 ** (bits - 1)) - 1
    fits = (real > low) & (real < 2.0 ** (bits - 1)) & ~real.is_nan()
    # Truncated beforehand: Arrow refuses to drop a fraction in a cast.
    whole = nw.when(real < 0).then(real.ceil()).otherwise(real.floor())
    return nw.when(fits).then(whole).cast(narwhals_dtype(dtype))


def _narrowed(expr: nw.Expr, given: DataType, dtype: DataType) -> nw.Expr:
    bits = _BITS[dtype]
    if bits >= _BITS[given]:
        return expr.cast(narwhals_dtype(dtype))
    wide = expr.cast(nw.Int64())
    fits = (wide >= -(2 ** (bits - 1))) & (wide < 2 ** (bits - 1))
    return nw.when(fits).then(wide).cast(narwhals_dtype(dtype))


def _of_decimal(operand: Operand, dtype: DataType) -> nw.Expr:
    """From a decimal to a number, and from a whole number or a decimal to a decimal."""
    given = parse(operand.dtype)
    if dtype in FLOATS:
        return operand.expr.cast(narwhals_dtype(dtype))
    held = given.precision - given.scale if given.kind == "decimal" else 19  # digits before the point
    if dtype in INTEGERS:
        bits = _BITS[dtype]
        if held < len(str(2 ** (bits - 1))):
            return operand.expr.cast(narwhals_dtype(dtype))
        exact = operand.exact(given.scale)
        # Truncated towards zero, so that a fraction beyond the bound is still in.
        low = exact > _exact(-(2 ** (bits - 1)) - 1, given.scale)
        return nw.when(low & (exact < _exact(2 ** (bits - 1), given.scale))).then(exact).cast(narwhals_dtype(dtype))
    wanted = parse(dtype)
    room = wanted.precision - wanted.scale
    expr = operand.expr
    if room < held:
        limit = 10**room
        if given.kind == "decimal":
            exact = operand.exact(given.scale)
            fits = (exact < _exact(limit, given.scale)) & (exact > _exact(-limit, given.scale))
        else:
            fits = (operand.wide() < limit) & (operand.wide() > -limit)
        expr = nw.when(fits).then(expr)
    return expr.cast(narwhals_dtype(dtype))


def _exact(value: int, scale: int) -> nw.Expr:
    return nw.lit(Decimal(value), nw.Decimal(38, scale))


def _of_text(expr: nw.Expr, dtype: DataType) -> nw.Expr:
    if dtype in ("string", "category"):
        return expr
    if dtype in INTEGERS:
        whole = _where(expr.str.contains(_WHOLE), expr).cast(nw.Int64())
        return _narrowed(whole, "int64", dtype)
    if dtype in FLOATS:
        return _where(expr.str.contains(_REAL), expr).cast(nw.Float64()).cast(narwhals_dtype(dtype))
    return _day(expr)


def _where(condition: nw.Expr, expr: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(expr)


def _day(text: nw.Expr) -> nw.Expr:
    """A day of the Gregorian calendar as 2013-02-28. Checked by its numbers: engines differ in how they refuse."""
    shaped = _where(text.str.contains(_DAY), text)
    year, month, day = (shaped.str.slice(at, size).cast(nw.Int64()) for at, size in ((0, 4), (5, 2), (8, 2)))
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    short = (month == 4) | (month == 6) | (month == 9) | (month == 11)
    days = (
        nw.when(month == 2)
        .then(nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28)))
        .otherwise(nw.when(short).then(nw.lit(30)).otherwise(nw.lit(31)))
    )
    exists = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= days)
    return _where(exists, shaped).str.to_datetime("%Y-%m-%d").dt.date()
