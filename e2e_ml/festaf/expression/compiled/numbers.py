"""Arithmetic, rounding and what sorts numbers into ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce

from e2e_ml.festaf.dtypes import INTEGERS, kind, parse
from e2e_ml.festaf.expression import rules
from e2e_ml.festaf.expression.compiled.operand import Compiler, Expr, Operand, divided, is_nan, same_number

_Unary = Callable[[Expr], Expr]
_Binary = Callable[[Expr, Expr], Expr]


def arithmetic(compute: _Binary) -> Compiler:
    return lambda operands: compute(*same_number(operands))


def product(operands: Sequence[Operand]) -> Expr:
    dtype = rules.product([o.dtype for o in operands]) or ""
    if kind(dtype) == "decimal":
        # Polars keeps the scale of its operands, so that they are given that of the product.
        left, right = (o.exact(parse(dtype).scale) for o in operands)
    else:
        left, right = same_number(operands)
    return left * right


def division(integers: _Binary | None, reals: _Binary) -> Compiler:
    """`integers` divides whole numbers where it differs from dividing real ones."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        whole = integers if all(o.dtype in INTEGERS for o in operands) else None
        left, right = (o.wide() if whole else o.real() for o in operands)
        # Null first, divided afterwards: no engine then sees a zero. The dividend is asked too, so that a constant
        # divisor becomes a column: Polars multiplies by the reciprocal of a constant, which is off by one bit.
        divisor = operands[0].library.when((right != 0) & ~left.is_null()).then(right)
        return (whole or reals)(left, divisor)

    return compiled


def power(operands: Sequence[Operand]) -> Expr:
    left, right = (o.real() for o in operands)
    return left**right


def inside(domain: _Unary, compute: _Unary) -> Compiler:
    """Null outside of the domain; NaN is NaN."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        real = operands[0].real()
        return compute(operands[0].library.when(domain(real) | real.is_nan()).then(real))

    return compiled


def negative(operand: Operand) -> Expr:
    return -(operand.expr if operand.dtype == "duration" else same_number([operand])[0])


def absolute(operand: Operand) -> Expr:
    if operand.dtype == "duration":
        library = operand.library
        zero = library.lit(timedelta(), library.Duration("us"))
        return library.when(operand.expr < zero).then(-operand.expr).otherwise(operand.expr)
    return same_number([operand])[0].abs()


def sign(operand: Operand) -> Expr:
    when, lit = operand.library.when, operand.whole
    (number,) = same_number([operand])
    known = number if not operand.may_be_nan else when(~number.is_nan()).then(number)
    other = when(known > 0).then(lit(1)).otherwise(when(known < 0).then(lit(-1)))
    return when(known == 0).then(lit(0)).otherwise(other)


def rounded(operands: Sequence[Operand]) -> Expr:
    library, real = operands[0].library, operands[0].real()
    factor = 10.0 ** (int(operands[1].constant) if len(operands) == 2 else 0)
    scaled = real * factor
    low = scaled.floor()
    rest = scaled - low
    even = (low / 2).floor() * 2 == low
    up = (rest > 0.5) | ((rest == 0.5) & ~even)
    nearest = library.when(up).then(low + 1).otherwise(low)
    # Infinite, or too large to have a fraction: as it is.
    return library.when(scaled.abs() < 2.0**52).then(divided(library, nearest, factor)).otherwise(real)


def clipped(operands: Sequence[Operand]) -> Expr:
    when = operands[0].library.when
    number, low, high = same_number(operands)
    nan = is_nan(operands[:1])
    below, above = number < low, number > high
    if nan is not None:
        below, above = below & ~nan, above & ~nan
    return when(below).then(low).otherwise(when(above).then(high).otherwise(number))


def bucket(operands: Sequence[Operand]) -> Expr:
    when, lit = operands[0].library.when, operands[0].whole
    number, *edges = same_number(operands)
    passed = (when(number >= edge).then(lit(1)).otherwise(lit(0)) for edge in edges)
    nan = is_nan(operands[:1])
    known = ~number.is_null() if nan is None else ~number.is_null() & ~nan
    return when(known).then(reduce(lambda a, b: a + b, passed))
