"""A view's stored features in numbers: counts, missing values, the middle, the ends, and the distribution."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import polars as pl

from e2e_ml.festaf.expression.operations import FLOATS, INTEGERS, NUMBERS, TIMES
from e2e_ml.festaf.model import DataType, Feature, FeatureView, Record

BINS = 20
TOP = 10
TAIL = 0.005  # of the values at each end, which do not say how far the histogram reaches


class Bin(Record):
    """Values in [low, high), of floats the last bin's high end in. Bins of integers are as wide as a whole number."""

    low: float
    high: float
    count: int


class ValueCount(Record):
    """A value and its number of rows. `value` is None for all the values that are not shown one by one."""

    value: bool | int | float | str | None
    count: int


class FeatureProfile(Record):
    """One feature. Numbers have `mean`, `median` and `histogram`; times have `min` and `max`, as ISO 8601 text; text
    and booleans have `top`, the most frequent values. NaN and infinities are counted in `not_finite` and left out
    of everything else. Outliers that would squash the histogram lie outside of its bins: `below` and `above` count
    them, and every other figure has them in."""

    feature: str
    dtype: DataType
    count: int  # rows
    missing: int
    distinct: int
    not_finite: int = 0
    min: float | int | str | None = None
    max: float | int | str | None = None
    mean: float | None = None
    median: float | None = None
    std: float | None = None
    histogram: tuple[Bin, ...] = ()
    below: int = 0  # values under the first bin
    above: int = 0  # values over the last bin
    top: tuple[ValueCount, ...] = ()


def profile(view: FeatureView, rows: pl.LazyFrame) -> tuple[FeatureProfile, ...]:
    """The features of `rows`, in order, one column in memory at a time."""
    present = set(rows.collect_schema().names())
    return tuple(
        _feature(f, rows.select(f.name).collect().to_series())
        for f in view.features
        if f.name in present and not f.hidden
    )


def _feature(feature: Feature, column: pl.Series) -> FeatureProfile:
    known = column.drop_nulls()
    finite = known.filter(known.is_finite()) if feature.dtype in FLOATS else known
    common: dict[str, Any] = {
        "feature": feature.name,
        "dtype": feature.dtype,
        "count": len(column),
        "missing": column.null_count(),
        "distinct": known.n_unique(),
        "not_finite": len(known) - len(finite),
    }
    if feature.dtype in NUMBERS:
        return FeatureProfile(**common, **_numbers(finite, whole=feature.dtype in INTEGERS))
    if feature.dtype in TIMES:
        return FeatureProfile(**common, min=_text(known.min()), max=_text(known.max()))
    return FeatureProfile(**common, top=_top(known))


def _numbers(finite: pl.Series, *, whole: bool) -> dict[str, Any]:
    if finite.is_empty():
        return {}
    values = finite.cast(pl.Float64)
    edges = _edges(*_reach(values), whole=whole)
    low, high = edges[0], edges[-1] - 1 if whole else edges[-1]  # the least and the greatest value that is drawn
    return {
        "min": finite.min(),
        "max": finite.max(),
        "mean": finite.mean(),
        "median": finite.median(),
        "std": finite.std() if len(finite) > 1 else None,
        "histogram": _histogram(values.filter(values.is_between(low, high)), edges),
        "below": (values < low).sum(),
        "above": (values > high).sum(),
    }


def _reach(values: pl.Series) -> tuple[float, float]:
    """The least and the greatest value to draw: those of all values, or of all but the outliers.

    An outlier lies further from the middle 99 % of the values than these reach. The rule is that of a box plot's
    whiskers, with the tails' percentiles in place of quartiles: a long tail, as of delays, is no outlier. Outliers
    that take less than half of the width are drawn like all others.
    """
    ordered = values.sort()
    last = len(ordered) - 1
    least, most = float(ordered[0]), float(ordered[last])
    # Rounded inwards, so that one outlier among few values does not stretch the measure that judges it.
    low, high = float(ordered[math.ceil(TAIL * last)]), float(ordered[math.floor((1 - TAIL) * last)])
    if len(ordered) < BINS or low >= high:  # too few to tell, or nearly all of one value
        return least, most
    near = ordered.filter(ordered.is_between(low - (high - low), high + (high - low)))
    first, final = float(near[0]), float(near[-1])
    return (first, final) if most - least > 2 * (final - first) else (least, most)


def _edges(low: float, high: float, *, whole: bool) -> list[float]:
    """The ends of the bins, from the least to the greatest value that is drawn.

    Integers get bins of whole width, so that each holds as many of them as any other: no gaps that are not there.
    """
    if whole:
        width = math.ceil((high - low + 1) / BINS)
        return [low + width * i for i in range(math.ceil((high - low + 1) / width) + 1)]
    if low == high or not math.isfinite(high - low):
        return [low, high]
    width = (high - low) / BINS
    return [low + width * i for i in range(BINS)] + [high]


def _histogram(values: pl.Series, edges: list[float]) -> tuple[Bin, ...]:
    """`values` lie within the edges."""
    last = len(edges) - 2
    if not last:
        return (Bin(low=edges[0], high=edges[1], count=len(values)),)
    width = edges[1] - edges[0]
    numbers = ((values - edges[0]) / width).floor().cast(pl.Int64).clip(0, last).alias("bin")
    counts = dict(numbers.to_frame().group_by("bin").len().iter_rows())
    return tuple(Bin(low=edges[i], high=edges[i + 1], count=counts.get(i, 0)) for i in range(last + 1))


def _top(values: pl.Series) -> tuple[ValueCount, ...]:
    name = values.name
    counted = values.to_frame().group_by(name).len("__rows").sort(["__rows", name], descending=[True, False])
    shown = tuple(ValueCount(value=value, count=count) for value, count in counted.head(TOP).iter_rows())
    rest = len(values) - sum(each.count for each in shown)
    return (*shown, ValueCount(value=None, count=rest)) if rest else shown


def _text(moment: object) -> str | None:
    return moment.isoformat() if isinstance(moment, date | datetime) else None
