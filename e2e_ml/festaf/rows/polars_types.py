"""The registry's types as Polars holds them, and as Delta stores them.

Text of a small set is plain text to Polars: a categorical column compares and joins only with its own kind. Delta has
no spans of time and no vectors of a fixed size: they are stored as microseconds and as lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType

TIMESTAMP = pl.Datetime("us", "UTC")
_SCALARS: Mapping[DataType, pl.DataType] = {
    "bool": pl.Boolean(),
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "category": pl.String(),
    "date": pl.Date(),
    "timestamp": TIMESTAMP,
    "duration": pl.Duration("us"),
}


@cache
def polars_type(dtype: DataType) -> pl.DataType:
    """The type of a column in memory: `decimal(12, 2)` is a Decimal, `embedding(3)` an Array of three Float32."""
    parsed = dtypes.parse(dtype)
    match parsed.kind:
        case "decimal":
            return pl.Decimal(parsed.precision, parsed.scale)
        case "list":
            return pl.List(polars_type(parsed.element))
        case "embedding":
            return pl.Array(pl.Float32(), parsed.size)
        case "struct":
            return pl.Struct({name: polars_type(inner) for name, inner in parsed.fields.items()})
        case _:
            return _SCALARS[dtype]


def delta_type(dtype: pl.DataType) -> pl.DataType:
    """What Delta stores a Polars type as; most as they are."""
    match dtype:
        case pl.Duration():
            return pl.Int64()
        case pl.Array():
            return pl.List(delta_type(_inner(dtype)))
        case pl.List():
            return pl.List(delta_type(_inner(dtype)))
        case pl.Struct():
            return pl.Struct({field.name: delta_type(_instance(field.dtype)) for field in dtype.fields})
        case _:
            return dtype


def _inner(dtype: pl.List | pl.Array) -> pl.DataType:
    return _instance(dtype.inner)


def _instance(dtype: object) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()  # type: ignore[operator, no-any-return]
