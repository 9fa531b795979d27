"""What the values of each type measure as numbers, and the few figures that each written interval notes of them.

Numbers are what they are; durations count in seconds, a list by its length, an embedding by its norm, and a bool as one
or zero. Text, times and structs measure nothing: only their missing values are counted.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.model import DataType, FeatureStats, FeatureView

Measured = Literal["value", "seconds", "length", "norm"]

_MEASURED: dict[str, Measured] = {"duration": "seconds", "list": "length", "embedding": "norm"}
_FIGURES = ("mean", "std", "min", "max")


def measured(dtype: DataType) -> Measured | None:
    """What is measured of a value of the type; None where nothing is."""
    if dtypes.is_number(dtype) or dtype == "bool":
        return "value"
    return _MEASURED.get(dtypes.kind(dtype))


def measure(column: pl.Expr, dtype: DataType) -> pl.Expr:
    """The column as Float64. NaN and infinities stay, see `finite`. Raises ValueError for a type without a measure."""
    match measured(dtype):
        case "value":
            return column.cast(pl.Float64)
        case "seconds":
            return column.dt.total_microseconds() / 1e6
        case "length":
            return column.list.len().cast(pl.Float64)
        case "norm":
            squares = column.cast(pl.List(pl.Float64)).list.eval(pl.element() ** 2)
            return pl.when(column.is_not_null()).then(squares.list.sum().sqrt())
        case None:
            raise ValueError(f"Values of {dtype} measure nothing.")


def finite(numbers: pl.Expr) -> pl.Expr:
    """The numbers with NaN and infinities made missing."""
    return pl.when(numbers.is_finite()).then(numbers)


def interval_stats(view: FeatureView, rows: pl.DataFrame) -> tuple[FeatureStats, ...]:
    """A line for each stored feature that `rows` has, in order: one pass over rows that are in memory anyway."""
    features = [f for f in view.features if f.name in rows.columns and not f.hidden]
    figures: list[pl.Expr] = []
    for feature in features:
        column = pl.col(feature.name)
        figures.append(column.null_count().alias(f"missing {feature.name}"))
        if measured(feature.dtype):
            numbers = finite(measure(column, feature.dtype))
            figures += [getattr(numbers, figure)().alias(f"{figure} {feature.name}") for figure in _FIGURES]
    found = rows.select(figures).row(0, named=True) if figures else {}
    return tuple(
        FeatureStats(
            feature=feature.name,
            missing=found[f"missing {feature.name}"],
            **{figure: found.get(f"{figure} {feature.name}") for figure in _FIGURES},
        )
        for feature in features
    )
