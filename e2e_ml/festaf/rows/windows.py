"""Time windows: the Polars kernel. A window of length w at a row of time t sees its entity's rows in (t - w, t].

Rows at the very same time see each other, whatever their order. A missing value is left out; a window without any value
has a count of zero and is otherwise missing, its sum too; the sample standard deviation needs two. NaN is a value:
everything but the count of a window that holds one is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from e2e_ml.festaf.expression import Aggregate


@dataclass(frozen=True, slots=True)
class Window:
    """`output` becomes the `aggregate` of the column `value` over the last `length` of time."""

    output: str
    value: str
    aggregate: Aggregate
    length: timedelta


def add_windows(rows: pl.LazyFrame, windows: Iterable[Window], keys: Sequence[str], event_time: str) -> pl.LazyFrame:
    """`rows` with one column more for each window; the rows, their order and the other columns stay as they are.

    `event_time` is a Datetime column without nulls. Rows need not be sorted. Only rows that are given can be seen: a
    caller who wants [start, end) gives the rows from start - the longest window on.
    """
    by_length: dict[timedelta, list[Window]] = {}
    for window in windows:
        if window.length <= timedelta():
            raise ValueError(f"A window is longer than nothing; {window.output} has {window.length}.")
        by_length.setdefault(window.length, []).append(window)
    if not by_length:
        return rows
    return rows.with_columns(
        _rolling(window, event_time).over(*keys).alias(window.output)
        for group in by_length.values()
        for window in group
    )


def _rolling(window: Window, event_time: str) -> pl.Expr:
    column, length = pl.col(window.value), window.length
    count = column.is_not_null().cast(pl.Int64).rolling_sum_by(event_time, length, closed="right")
    match window.aggregate:
        case "count":
            return count
        case "mean":
            return column.cast(pl.Float64).rolling_mean_by(event_time, length, closed="right")
        case "std":
            return column.cast(pl.Float64).rolling_std_by(event_time, length, closed="right", ddof=1)
        case "sum":
            # Polars gives 0 for the sum of nothing.
            return pl.when(count > 0).then(column.rolling_sum_by(event_time, length, closed="right"))
        case "min":
            return column.rolling_min_by(event_time, length, closed="right")
        case "max":
            return column.rolling_max_by(event_time, length, closed="right")
