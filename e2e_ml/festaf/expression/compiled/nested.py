"""Patterns' groups, lists, vectors and structs. Most of it Polars has and narwhals lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from e2e_ml.festaf.dtypes import FLOATS, kind, parse
from e2e_ml.festaf.expression.compiled.operand import Compiler, Expr, Operand, library_dtype, polars_alone
from e2e_ml.festaf.expression.patterns import to_portable


def extract(operands: Sequence[Operand]) -> Expr:
    text, pattern, group = operands
    return polars_alone(text).str.extract(to_portable(pattern.constant), int(group.constant))


def get(operands: Sequence[Operand]) -> Expr:
    held, index = operands
    parsed, library = parse(held.dtype), held.library
    whole = polars_alone(held).cast(library.List(library_dtype(library, parsed.element)), strict=False)
    return whole.list.get(int(index.constant), null_on_oob=True)


def contains(operands: Sequence[Operand]) -> Expr:
    held, element = operands
    found = polars_alone(held)
    # NaN equals nothing, and null is not known to be the element.
    equal = (held.library.element() == element.constant).fill_null(value=False)
    return found.list.eval(equal).list.any()


def over_elements(compute: Callable[[Any], Any]) -> Compiler:
    """An aggregate of a list's numbers, in 64 bits; NaN where one of them is, whatever Polars' own rule."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        (held,) = operands
        library, reals = held.library, parse(held.dtype).element in FLOATS
        wide = polars_alone(held).cast(library.List(library.Float64() if reals else library.Int64()))
        if not reals:
            return compute(wide)
        nan = wide.list.eval(library.element().is_nan()).list.any()
        return library.when(nan).then(library.lit(float("nan"))).otherwise(compute(wide))

    return compiled


def _vectors(operands: Sequence[Operand]) -> list[Any]:
    """Embeddings in float64, constant ones among them. Strictly, Polars refuses an array that is null."""
    wide = operands[0].library.List(operands[0].library.Float64())
    return [
        polars_alone(o).cast(wide, strict=False) if o.constant is None else o.library.lit(list(o.constant), wide)
        for o in operands
    ]


def _dot(a: Any, b: Any) -> Any:
    # The sum of nothing is 0, and a vector that is missing is not known.
    return (a * b).list.sum()


def dot(operands: Sequence[Operand]) -> Expr:
    return _dot(*_vectors(operands))


def l2_norm(operands: Sequence[Operand]) -> Expr:
    (vector,) = _vectors(operands)
    return _dot(vector, vector).sqrt()


def cosine_similarity(operands: Sequence[Operand]) -> Expr:
    a, b = _vectors(operands)
    lengths = _dot(a, a).sqrt() * _dot(b, b).sqrt()
    return operands[0].library.when(lengths != 0).then(_dot(a, b) / lengths)


def field(operands: Sequence[Operand]) -> Expr:
    return polars_alone(operands[0]).struct.field(str(operands[1].constant))


def by_type(of_list: Compiler, otherwise: Compiler) -> Compiler:
    """One name, two operations: on a list, and on a text."""
    return lambda operands: (of_list if kind(operands[0].dtype) == "list" else otherwise)(operands)
