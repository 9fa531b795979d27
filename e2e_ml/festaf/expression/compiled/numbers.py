"""Arithmetic, rounding and what sorts numbers into ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import narwhals as nw

from e2e_ml.festaf.dtypes import INTEGERS, kind, parse
from e2e_ml.festaf.expression import rules
from e2e_ml.festaf.expression.compiled.operand import Compiler, Operand, is_nan, same_number

_Unary = Callable[[nw.Expr], nw.Expr]
_Binary = Callable[[nw.Expr, nw.Expr], nw.Expr]


def arithmetic(compute: _Binary) -> Compiler:
    return lambda operands: compute(*same_number(operands))


def product(operands: Sequence[Operand]) -> nw.Expr:
    dtype = rules.product([o.dtype for o in operands]) or ""
    if kind(dtype) == "decimal":
        # Polars keeps the scale of its operands, so that they are given that of the product.
        left, right = (o.exact(parse(dtype).scale) for o in operands)
    else:
        left, right = same_number(operands)
    return left * right


def division(integers: _Binary | None, reals: _Binary) -> Compiler:
    """`integers` divides whole numbers where it differs from dividing real ones."""

    def compiled(operands: Sequence[Operand]) -> nw.Expr:
        whole = integers if all(o.dtype in INTEGERS for o in operands) else None
        left, right = (o.wide() if whole else o.real() for o in operands)
        # Null first, divided afterwards: no engine then sees a zero. The dividend is asked too, so that a constant
        # divisor becomes a column: Polars multiplies by the reciprocal of a constant, which is off by one bit.
        divisor = nw.when((right != 0) & ~left.is_null()).then(right)
        return (whole or reals)(left, divisor)

    return compiled


def power(operands: Sequence[Operand]) -> nw.Expr:
    left, right = (o.real() for o in operands)
    return left**right


def inside(domain: _Unary, compute: _Unary) -> Compiler:
    """Null outside of the domain; NaN is NaN."""

    def compiled(operands: Sequence[Operand]) -> nw.Expr:
        real = operands[0].real()
        return compute(nw.when(domain(real) | real.is_nan()).then(real))

    return compiled


def negative(operand: Operand) -> nw.Expr:
    return -(operand.expr if operand.dtype == "duration" else same_number([operand])[0])


def absolute(operand: Operand) -> nw.Expr:
    if operand.dtype == "duration":
        zero = nw.lit(0, nw.Int64()).cast(nw.Duration("us"))
        return nw.when(operand.expr < zero).then(-operand.expr).otherwise(operand.expr)
    return same_number([operand])[0].abs()


def sign(operand: Operand) -> nw.Expr:
    (number,) = same_number([operand])
    known = number if not operand.may_be_nan else nw.when(~number.is_nan()).then(number)
    positive = nw.when(known > 0).then(nw.lit(1)).otherwise(nw.when(known < 0).then(nw.lit(-1)))
    return nw.when(known == 0).then(nw.lit(0)).otherwise(positive)


def rounded(operands: Sequence[Operand]) -> nw.Expr:
    real = operands[0].real()
    factor = 10.0 ** (int(operands[1].constant) if len(operands) == 2 else 0)
    scaled = real * factor
    low = scaled.floor()
    rest = scaled - low
    even = (low / 2).floor() * 2 == low
    up = (rest > 0.5) | ((rest == 0.5) & ~even)
    nearest = nw.when(up).then(low + 1).otherwise(low)
    # Infinite, or too large to have a fraction: as it is.
    return nw.when(scaled.abs() < 2.0**52).then(nearest / factor).otherwise(real)


def clipped(operands: Sequence[Operand]) -> nw.Expr:
    number, low, high = same_number(operands)
    nan = is_nan(operands[:1])
    below, above = number < low, number > high
    if nan is not None:
        below, above = below & ~nan, above & ~nan
    return nw.when(below).then(low).otherwise(nw.when(above).then(high).otherwise(number))


def bucket(operands: Sequence[Operand]) -> nw.Expr:
    number, *edges = same_number(operands)
    passed = (nw.when(number >= edge).then(nw.lit(1)).otherwise(nw.lit(0)) for edge in edges)
    nan = is_nan(operands[:1])
    known = ~number.is_null() if nan is None else ~number.is_null() & ~nan
    return nw.when(known).then(reduce(lambda a, b: a + b, passed))
