"""Whole numbers that wrap round at 64 bits, for engines that refuse them: computed in 64 bits where they surely fit,
and else in a wider type, of which the lowest 64 bits are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from e2e_ml.festaf.expression.compiled.operand import Expr, Operand

if TYPE_CHECKING:
    from narwhals.dtypes import DType

_LEAST = -(2**63)
_FAR = 2**62  # of two numbers that are nearer to zero than this, sum and difference fit

_BINARY: Mapping[str, Callable[[Expr, Expr], Expr]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a - b * (a // b),
}


def rounded(op: str, operands: Sequence[Operand], wider: DType) -> Expr:
    """The operation on whole numbers, in the meaning that `operations` gives it."""
    library = operands[0].library
    if op in ("neg", "abs"):
        number = operands[0].wide()
        fits = number > _LEAST if op == "neg" else (number > _LEAST) & (number < 0)
        return library.when(fits).then(-number).otherwise(number)
    dividing = op in ("floordiv", "mod")
    left, right = operands[0].wide(), (_nonzero(operands[1]) if dividing else operands[1]).wide()
    compute = _BINARY[op]
    exact = compute(left.cast(wider), right.cast(wider))
    # Made of constants of 64 bits, for Spark takes no longer ones.
    half, whole = (library.lit(part, library.Int64()).cast(wider) * 2**32 for part in (2**31, 2**32))
    wrapped = ((exact + half) % whole - half).cast(library.Int64())
    return library.when(_fits(op, operands)).then(compute(left, right)).otherwise(wrapped)


def _fits(op: str, operands: Sequence[Operand]) -> Expr:
    """Whether it surely fits into 64 bits; as it may where this does not hold."""
    left, right = operands
    if op == "mul":
        return (left.real() * right.real()).abs() < float(_FAR)
    near = [(o.wide() > -_FAR) & (o.wide() < _FAR) for o in operands if not _is_near(o)]
    return reduce(lambda a, b: a & b, near)


def _is_near(operand: Operand) -> bool:
    return isinstance(operand.constant, int) and abs(operand.constant) < _FAR


def _nonzero(operand: Operand) -> Operand:
    """Null where it is zero."""
    if operand.constant:
        return operand
    known = operand.library.when(operand.wide() != 0).then(operand.expr)
    return Operand(operand.library, known, operand.dtype)
