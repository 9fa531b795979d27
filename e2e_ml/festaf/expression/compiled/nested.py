"""Patterns' groups, lists, vectors and structs: what narwhals lacks, as Polars has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import narwhals as nw

from e2e_ml.festaf.dtypes import FLOATS, DataType, parse
from e2e_ml.festaf.expression.compiled.operand import Compiler, Operand, on_polars
from e2e_ml.festaf.expression.patterns import to_portable
from e2e_ml.festaf.expression.rules import number

if TYPE_CHECKING:
    import polars as pl


def extract(operands: Sequence[Operand]) -> nw.Expr:
    text, pattern, group = operands
    portable, index = to_portable(pattern.constant), int(group.constant)
    return on_polars(lambda e: e[0].str.extract(portable, index), [text], "string")


def get(operands: Sequence[Operand]) -> nw.Expr:
    held, index = operands
    place = int(index.constant)
    return on_polars(lambda e: e[0].list.get(place, null_on_oob=True), [held], parse(held.dtype).element)


def contains(operands: Sequence[Operand]) -> nw.Expr:
    held, element = operands

    def found(e: Sequence[pl.Expr]) -> pl.Expr:
        import polars as pl

        # NaN equals nothing, and null is not known to be the element.
        equal = e[0].list.eval((pl.element() == element.constant).fill_null(value=False))
        return equal.list.any()

    return on_polars(found, [held], "bool")


def total(operand: Operand) -> nw.Expr:
    dtype = number([parse(operand.dtype).element]) or ""
    return _over_elements(operand, dtype, lambda e: e.list.sum())


def mean(operand: Operand) -> nw.Expr:
    return _over_elements(operand, "float64", lambda e: e.list.mean())


def least(operand: Operand) -> nw.Expr:
    return _over_elements(operand, parse(operand.dtype).element, lambda e: e.list.min())


def greatest(operand: Operand) -> nw.Expr:
    return _over_elements(operand, parse(operand.dtype).element, lambda e: e.list.max())


def _over_elements(operand: Operand, dtype: DataType, compute: Callable[[pl.Expr], pl.Expr]) -> nw.Expr:
    reals = parse(operand.dtype).element in FLOATS

    def computed(e: Sequence[pl.Expr]) -> pl.Expr:
        import polars as pl

        wide = e[0].cast(pl.List(pl.Float64 if reals or dtype == "float64" else pl.Int64))
        result = compute(wide)
        if not reals:
            return result
        # Polars leaves NaN out of the extremes.
        nan = wide.list.eval(pl.element().is_nan()).list.any()
        return pl.when(nan).then(pl.lit(float("nan"))).otherwise(result)

    return on_polars(computed, [operand], dtype)


def _vectors(operands: Sequence[Operand], compute: Callable[[Sequence[pl.Expr]], pl.Expr]) -> nw.Expr:
    """Of vectors in float64, constant ones among them."""

    def computed(e: Sequence[pl.Expr]) -> pl.Expr:
        import polars as pl

        wide, columns = pl.List(pl.Float64), iter(e)
        return compute(
            [next(columns).cast(wide) if o.constant is None else pl.lit(list(o.constant), wide) for o in operands]
        )

    return on_polars(computed, [o for o in operands if o.constant is None], "float64")


def _dot(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return (a * b).list.sum()


def dot(operands: Sequence[Operand]) -> nw.Expr:
    return _vectors(operands, lambda e: _dot(e[0], e[1]))


def l2_norm(operands: Sequence[Operand]) -> nw.Expr:
    return _vectors(operands, lambda e: _dot(e[0], e[0]).sqrt())


def cosine_similarity(operands: Sequence[Operand]) -> nw.Expr:
    def computed(e: Sequence[pl.Expr]) -> pl.Expr:
        import polars as pl

        lengths = _dot(e[0], e[0]).sqrt() * _dot(e[1], e[1]).sqrt()
        return pl.when(lengths != 0).then(_dot(e[0], e[1]) / lengths)

    return _vectors(operands, computed)


def field(operands: Sequence[Operand]) -> nw.Expr:
    return operands[0].expr.struct.field(str(operands[1].constant))


def by_type(of_list: Compiler, otherwise: Compiler) -> Compiler:
    """One name, two operations: on a list, and on a text."""
    return partial(_by_type, of_list, otherwise)


def _by_type(of_list: Compiler, otherwise: Compiler, operands: Sequence[Operand]) -> nw.Expr:
    return (of_list if operands[0].dtype.startswith("list(") else otherwise)(operands)
