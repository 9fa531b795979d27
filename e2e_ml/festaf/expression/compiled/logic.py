"""Comparison, membership, missing values and choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression.compiled.casts import converted
from e2e_ml.festaf.expression.compiled.operand import Compiler, Expr, Operand, is_nan, same_type
from e2e_ml.festaf.expression.rules import choice

_Binary = Callable[[Expr, Expr], Expr]


def comparison(compare: _Binary, *, of_nan: bool) -> Compiler:
    """`of_nan` is what the comparison with NaN gives, whatever the engine thinks."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        left, right = same_type(operands)
        result = compare(left, right)
        nan = is_nan(operands)
        if nan is None:
            return result
        result = result | nan if of_nan else result & ~nan
        if any(o.constant is not None for o in operands):
            return result
        # Null on one side and NaN on the other: not known, though `null & false` would be false.
        library = operands[0].library
        return library.when(~left.is_null() & ~right.is_null()).then(result)

    return compiled


equal = comparison(lambda a, b: a == b, of_nan=False)


def junction(join: _Binary, *, decisive: bool) -> Compiler:
    """`decisive` is the value that decides whatever the other is. Constants are taken out: Polars makes a column of one
    row of them."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        left, right = operands
        for constant, other in ((left, right), (right, left)):
            if constant.constant is not None:
                return constant.expr if constant.constant is decisive else other.expr
        return join(left.expr, right.expr)

    return compiled


def is_in(operands: Sequence[Operand]) -> Expr:
    subject, *others = operands
    return reduce(lambda a, b: a | b, (equal([subject, other]) for other in others))


def fill(operands: Sequence[Operand]) -> Expr:
    subject, value = operands
    return subject.library.when(~subject.expr.is_null()).then(subject.expr).otherwise(converted(value, subject.dtype))


def choose(operands: Sequence[Operand]) -> Expr:
    dtype = choice([o.dtype for o in operands], ()) or ""
    last = len(operands) - len(operands) % 2
    cases = [(c.expr, v) for c, v in zip(operands[0:last:2], operands[1:last:2], strict=True)]
    return _first(cases, operands[last] if last < len(operands) else None, dtype)


def look_up(operands: Sequence[Operand]) -> Expr:
    subject, *rest = operands
    last = len(rest) - len(rest) % 2
    values = [*rest[1:last:2], *rest[last:]]
    dtype = values[0].dtype if len({v.dtype for v in values}) == 1 else "float64"
    cases = [(equal([subject, key]), value) for key, value in zip(rest[0:last:2], rest[1:last:2], strict=True)]
    return _first(cases, rest[last] if last < len(rest) else None, dtype, of=subject)


def place(operands: Sequence[Operand]) -> Expr:
    subject, *values = operands
    library = subject.library
    cases = [
        (equal([subject, value]), Operand(library, library.lit(i, library.Int64()), "int64", i))
        for i, value in enumerate(values)
    ]
    return _first(cases, None, "int64")


def _first(
    cases: Sequence[tuple[Expr, Operand]], otherwise: Operand | None, dtype: DataType, of: Operand | None = None
) -> Expr:
    """The value of the first case that holds. With `of`, null where that is null."""
    library = cases[0][1].library
    result = None if otherwise is None else converted(otherwise, dtype)
    if of is not None and result is not None:
        result = library.when(~of.expr.is_null()).then(result)
    for condition, value in reversed(cases):
        holds = condition & ~condition.is_null()
        chosen = library.when(holds).then(converted(value, dtype))
        result = chosen if result is None else chosen.otherwise(result)
    if result is None:
        raise ValueError("A choice has at least one case.")
    return result
