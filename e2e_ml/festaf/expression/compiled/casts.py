"""Conversions from one type to another. What the new type cannot hold becomes null, and stops no engine."""

from __future__ import annotations

from e2e_ml.festaf.dtypes import BITS, FLOATS, INTEGERS, DataType, kind, parse
from e2e_ml.festaf.expression.compiled.operand import Expr, Library, Operand, library_dtype

_WHOLE = "^-?[0-9]{1,18}$"
_REAL = "^-?[0-9]{1,18}([.][0-9]+)?([eE][+-]?[0-9]{1,4})?$"
_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def converted(operand: Operand, dtype: DataType) -> Expr:
    """The operand as `dtype`, as `Cast` has it. That the conversion is offered was checked before."""
    given, expr, library = operand.dtype, operand.expr, operand.library
    if given == dtype:
        return expr
    if given in ("string", "category"):
        return _of_text(library, expr, dtype)
    if given == "bool" and dtype == "string":
        false = library.when(~expr).then(library.lit("false"))
        return library.when(expr).then(library.lit("true")).otherwise(false)
    if given == "date":
        return midnight(operand)
    if kind(given) == "decimal" or kind(dtype) == "decimal":
        return _of_decimal(operand, dtype)
    if dtype in INTEGERS and given in FLOATS:
        return _truncated(operand, dtype)
    if dtype in INTEGERS and given in INTEGERS:
        return _narrowed(library, expr, given, dtype)
    if dtype in FLOATS and given in INTEGERS:
        expr = operand.real()
    return expr.cast(library_dtype(library, dtype))


def midnight(date: Operand) -> Expr:
    """The start of a day in UTC."""
    return date.expr.cast(date.library.Datetime("us")).dt.replace_time_zone("UTC")


def _truncated(operand: Operand, dtype: DataType) -> Expr:
    real, bits, library = operand.real(), BITS[dtype], operand.library
    # Both bounds out; the lower one is the float next below the least integer.
    low = -(2.0**63) - 1025 if bits == 64 else -(2.0 ** (bits - 1)) - 1
    fits = (real > low) & (real < 2.0 ** (bits - 1)) & ~real.is_nan()
    # Truncated beforehand: Arrow refuses to drop a fraction in a cast.
    whole = library.when(real < 0).then(real.ceil()).otherwise(real.floor())
    return library.when(fits).then(whole).cast(library_dtype(library, dtype))


def _narrowed(library: Library, expr: Expr, given: DataType, dtype: DataType) -> Expr:
    bits = BITS[dtype]
    if bits >= BITS[given]:
        return expr.cast(library_dtype(library, dtype))
    wide = expr.cast(library.Int64())
    fits = (wide >= -(2 ** (bits - 1))) & (wide < 2 ** (bits - 1))
    return library.when(fits).then(wide).cast(library_dtype(library, dtype))


def _of_decimal(operand: Operand, dtype: DataType) -> Expr:
    """From a decimal to a number, and from a whole number or a decimal to a decimal."""
    library, target = operand.library, library_dtype(operand.library, dtype)
    given, wanted = parse(operand.dtype), parse(dtype)
    if dtype in FLOATS:
        return operand.expr.cast(target)
    held = given.precision - given.scale if given.kind == "decimal" else 19  # digits before the point
    if dtype in INTEGERS:
        limit = 2 ** (BITS[dtype] - 1)
        if held < len(str(limit)):
            return operand.expr.cast(target)
        exact = operand.exact(given.scale)
        # Truncated towards zero, so that a fraction below the least integer is still in.
        fits = (exact > operand.decimal(-limit - 1, given.scale)) & (exact < operand.decimal(limit, given.scale))
        return library.when(fits).then(exact).cast(target)
    room = wanted.precision - wanted.scale
    if room >= held:
        return operand.expr.cast(target)
    if given.kind == "decimal":
        exact, low, high = (
            operand.exact(given.scale),
            *(operand.decimal(n, given.scale) for n in (-(10**room), 10**room)),
        )
    else:
        exact, low, high = operand.wide(), -(10**room), 10**room
    return library.when((exact > low) & (exact < high)).then(operand.expr).cast(target)


def _of_text(library: Library, text: Expr, dtype: DataType) -> Expr:
    if dtype in ("string", "category"):
        return text
    if dtype in INTEGERS:
        whole = library.when(text.str.contains(_WHOLE)).then(text).cast(library.Int64())
        return _narrowed(library, whole, "int64", dtype)
    if dtype in FLOATS:
        real = library.when(text.str.contains(_REAL)).then(text).cast(library.Float64())
        return real.cast(library_dtype(library, dtype))
    return _day(library, text)


def _day(library: Library, text: Expr) -> Expr:
    """A day of the Gregorian calendar as 2013-02-28. Checked by its numbers: engines differ in how they refuse."""
    when = library.when

    def lit(value: int) -> Expr:
        return library.lit(value, library.Int64())

    def divides(number: int) -> Expr:
        return year // number * number == year

    shaped = when(text.str.contains(_DAY)).then(text)
    year, month, day = (shaped.str.slice(at, size).cast(library.Int64()) for at, size in ((0, 4), (5, 2), (8, 2)))
    leap = (divides(4) & ~divides(100)) | divides(400)
    short = (month == 4) | (month == 6) | (month == 9) | (month == 11)
    february = when(leap).then(lit(29)).otherwise(lit(28))
    other = when(short).then(lit(30)).otherwise(lit(31))
    days = when(month == 2).then(february).otherwise(other)
    exists = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= days)
    return when(exists).then(shaped).str.to_datetime("%Y-%m-%d").dt.date()
