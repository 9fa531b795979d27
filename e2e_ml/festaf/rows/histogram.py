"""How numbers are spread: bins that outliers cannot squash, and that hold as many integers each."""

from __future__ import annotations

import math

import polars as pl

from e2e_ml.festaf.model import Record

BINS = 20
TAIL = 0.005  # of the values at each end, which do not say how far the histogram reaches


class Bin(Record):
    """Values in [low, high), of floats the last bin's high end in. Bins of integers are as wide as a whole number."""

    low: float
    high: float
    count: int


class Histogram(Record):
    """`below` and `above` count the outliers that lie outside of the bins."""

    bins: tuple[Bin, ...] = ()
    below: int = 0
    above: int = 0


def histogram(values: pl.Series, *, whole: bool) -> Histogram:
    """Of finite numbers, as Float64 without nulls; `whole` where they are integers."""
    if values.is_empty():
        return Histogram()
    edges = _edges(*_reach(values), whole=whole)
    low, high = edges[0], edges[-1] - 1 if whole else edges[-1]  # the least and the greatest value that is drawn
    return Histogram(
        bins=_bins(values.filter(values.is_between(low, high)), edges),
        below=int((values < low).sum()),
        above=int((values > high).sum()),
    )


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
    width = (high - low) / BINS
    if low + width == low or not math.isfinite(high - low):  # all alike, or too close together to tell bins apart
        return [low, high]
    return [low + width * i for i in range(BINS)] + [high]


def _bins(values: pl.Series, edges: list[float]) -> tuple[Bin, ...]:
    """`values` lie within the edges."""
    last = len(edges) - 2
    if not last:
        return (Bin(low=edges[0], high=edges[1], count=len(values)),)
    width = edges[1] - edges[0]
    numbers = ((values - edges[0]) / width).floor().cast(pl.Int64).clip(0, last).alias("bin")
    counts = dict(numbers.to_frame().group_by("bin").len().iter_rows())
    return tuple(Bin(low=edges[i], high=edges[i + 1], count=counts.get(i, 0)) for i in range(last + 1))
