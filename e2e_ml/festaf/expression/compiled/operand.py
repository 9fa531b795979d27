"""A compiled operand, the types as narwhals has them, and the way to what Polars has and narwhals lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import narwhals as nw

from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, MAX_PRECISION, DataType, kind, parse
from e2e_ml.festaf.expression.rules import number

if TYPE_CHECKING:
    import polars as pl
    from narwhals.dtypes import DType

_SCALARS: dict[DataType, DType] = {
    "bool": nw.Boolean(),
    "int8": nw.Int8(),
    "int16": nw.Int16(),
    "int32": nw.Int32(),
    "int64": nw.Int64(),
    "float32": nw.Float32(),
    "float64": nw.Float64(),
    "string": nw.String(),
    "category": nw.String(),
    "date": nw.Date(),
    "timestamp": nw.Datetime("us", "UTC"),
    "duration": nw.Duration("us"),
}


@cache
def narwhals_dtype(dtype: DataType) -> DType:
    """The narwhals type of a column: timestamps are microseconds in UTC, a category is text, an embedding a list."""
    parsed = parse(dtype)
    match parsed.kind:
        case "decimal":
            return nw.Decimal(parsed.precision, parsed.scale)
        case "list" | "embedding":
            return nw.List(narwhals_dtype(parsed.element))
        case "struct":
            return nw.Struct({name: narwhals_dtype(of) for name, of in parsed.fields.items()})
        case _:
            return _SCALARS[dtype]


@dataclass(frozen=True, slots=True)
class Operand:
    """A compiled operand, and what the compiler must know of it."""

    expr: nw.Expr
    dtype: DataType
    constant: Any = None

    def wide(self) -> nw.Expr:
        return self.expr.cast(nw.Int64())

    def real(self) -> nw.Expr:
        return self.expr.cast(nw.Float64())

    def exact(self, scale: int) -> nw.Expr:
        """As a decimal of the widest kind."""
        if isinstance(self.constant, int):
            return nw.lit(Decimal(self.constant), nw.Decimal(MAX_PRECISION, scale))
        return self.expr.cast(nw.Decimal(MAX_PRECISION, scale))

    @property
    def may_be_nan(self) -> bool:
        return self.dtype in FLOATS and self.constant is None


Compiler = Callable[[Sequence[Operand]], nw.Expr]


def one(compute: Callable[[Operand], nw.Expr]) -> Compiler:
    return lambda operands: compute(operands[0])


def same_number(operands: Sequence[Operand]) -> list[nw.Expr]:
    """Numbers in the type of their arithmetic, so that no engine's own rule for mixed types is asked."""
    dtype = number([o.dtype for o in operands]) or ""
    if dtype in INTEGERS:
        return [o.wide() for o in operands]
    if kind(dtype) == "decimal":
        return [o.exact(parse(dtype).scale) for o in operands]
    return [o.real() for o in operands]


def same_type(operands: Sequence[Operand]) -> list[nw.Expr]:
    """The operands in one type: that of their arithmetic for numbers, their own for others."""
    if number([o.dtype for o in operands]) is None:
        return [o.expr for o in operands]
    return same_number(operands)


def is_nan(operands: Sequence[Operand]) -> nw.Expr | None:
    """Whether any of them is NaN; None where none can be."""
    nans = [o.real().is_nan() for o in operands if o.may_be_nan]
    return reduce(lambda a, b: a | b, nans) if nans else None


def on_polars(compute: Callable[[Sequence[pl.Expr]], pl.Expr], operands: Sequence[Operand], dtype: DataType) -> nw.Expr:
    """What Polars can and narwhals cannot say, of operands that are no constants. Runs on Polars alone."""

    def computed(packed: Any) -> Any:
        import polars as pl

        frame: pl.DataFrame = packed.to_native().struct.unnest()
        return nw.from_native(
            frame.select(compute([pl.col(name) for name in frame.columns])).to_series(), series_only=True
        )

    packed = nw.struct(*(o.expr.alias(f"_{i}") for i, o in enumerate(operands)))
    return packed.map_batches(computed, return_dtype=narwhals_dtype(dtype))
