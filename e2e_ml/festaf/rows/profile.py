"""A view's stored features in numbers: counts, missing values, the middle, the ends, the distribution, correlations.

A table of any size is read in a stream, a few columns at a time. What needs all values at once (the median, quantiles,
distributions, correlations) is taken of a sample where the table is large, and the answer says of how many rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import combinations
from typing import Any

import polars as pl
from pydantic import Field

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import INTEGERS, TEXTS, TIMES
from e2e_ml.festaf.model import DataType, FeatureView, Record
from e2e_ml.festaf.rows.histogram import Bin, histogram
from e2e_ml.festaf.rows.measures import Measured, finite, measure, measured

TOP = 10
SAMPLE = 1_000_000  # rows of which medians, quantiles and distributions are taken; all, where there are no more
SAMPLE_TOGETHER = 100_000  # rows of which correlations are taken
QUANTILES = (0.05, 0.25, 0.75, 0.95)
_TOGETHER = 8  # columns that are read in one pass


class ValueCount(Record):
    """A value and its number of rows. `value` is None for all the values that are not shown one by one."""

    value: bool | int | float | str | None
    count: int


class FeatureProfile(Record):
    """One feature, or one field of a struct.

    Numbers have `mean`, `median`, `std`, `quantiles` and a `histogram`; so have, by what `measured` says, durations (in
    seconds), lists (their length) and embeddings (their norm). Times have `min` and `max`, as ISO 8601 text. Text,
    categories and booleans have `top`, the most frequent values, a list of them its most frequent elements; of a
    boolean `mean` is the share that is true. A struct has `fields`.

    NaN and infinities are counted in `not_finite` and left out of everything else. Outliers that would squash the
    histogram lie outside of its bins: `below` and `above` count them, and every other figure has them in.

    `sampled` is None where every row was looked at; else `median`, `quantiles`, the histogram with its outliers and
    `top` are those of that many rows, taken evenly, and `distinct` is an estimate, mostly within 10 %.
    """

    feature: str
    dtype: DataType
    count: int  # rows
    missing: int
    distinct: int
    not_finite: int = 0
    measured: Measured | None = None
    min: float | int | str | None = None
    max: float | int | str | None = None
    mean: float | None = None
    median: float | None = None
    std: float | None = None
    quantiles: dict[str, float] = Field(default_factory=dict)  # "0.05" -> the value that 5 % lie under
    histogram: tuple[Bin, ...] = ()
    below: int = 0  # values under the first bin
    above: int = 0  # values over the last bin
    top: tuple[ValueCount, ...] = ()
    fields: tuple[FeatureProfile, ...] = ()
    sampled: int | None = None


class Correlation(Record):
    """Pearson's coefficients of numbers and booleans, pair by pair, over the rows that have both values.

    `matrix[i][j]` is that of `features[i]` and `features[j]`; None where one of them does not vary, or never with the
    other there. `rows` is how many were looked at, all of them unless `sampled`.
    """

    features: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]
    rows: int
    sampled: bool = False


def profile(view: FeatureView, rows: pl.LazyFrame) -> tuple[FeatureProfile, ...]:
    """The features of `rows`, in order."""
    present = set(rows.collect_schema().names())
    parts = [_part(f.name, f.dtype, pl.col(f.name)) for f in view.features if f.name in present and not f.hidden]
    total = _count(rows)
    figures: dict[str, FeatureProfile] = {}
    every = [each for part in parts for each in part.all()]
    for group in (every[i : i + _TOGETHER] for i in range(0, len(every), _TOGETHER)):
        exact = rows.select(e for part in group for e in _exact(part, total)).collect(engine="streaming")
        sample = _sample(rows, total, SAMPLE, [part.column.alias(part.path) for part in group])
        for part in group:
            figures[part.path] = _figures(part, total, exact.row(0, named=True), sample[part.path])
    return tuple(_assembled(part, figures) for part in parts)


def correlation(view: FeatureView, rows: pl.LazyFrame) -> Correlation:
    """How the numeric features of `rows` go together."""
    present = set(rows.collect_schema().names())
    features = [
        f
        for f in view.features
        if f.name in present and not f.hidden and (dtypes.is_number(f.dtype) or f.dtype == "bool")
    ]
    total = _count(rows)
    numbers = [finite(measure(pl.col(f.name), f.dtype)).alias(f.name) for f in features]
    frame = _sample(rows, total, SAMPLE_TOGETHER, numbers) if features else pl.DataFrame()
    names = [f.name for f in features]
    pairs = list(combinations(names, 2))
    found = frame.select(pl.corr(a, b).alias(str(i)) for i, (a, b) in enumerate(pairs)).row(0) if pairs else ()
    known = dict(zip(pairs, found, strict=True))
    varies = {name: frame[name].n_unique() - frame[name].has_nulls() > 1 for name in names}

    def coefficient(a: str, b: str) -> float | None:
        if a == b:
            return 1.0 if varies[a] else None
        value = known[a, b] if (a, b) in known else known[b, a]
        if value is None or not math.isfinite(value) or not (varies[a] and varies[b]):
            return None
        return min(max(value, -1.0), 1.0)  # rounding goes a little beyond

    matrix = tuple(tuple(coefficient(a, b) for b in names) for a in names)
    return Correlation(features=tuple(names), matrix=matrix, rows=len(frame), sampled=len(frame) < total)


# --- what is looked at --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """A feature, or a field within one. `path` tells it from all others, `name` is what people call it."""

    name: str
    path: str
    dtype: DataType
    column: pl.Expr
    fields: tuple[_Part, ...] = field(default=())

    def all(self) -> Iterator[_Part]:
        yield self
        for each in self.fields:
            yield from each.all()


def _part(name: str, dtype: DataType, column: pl.Expr, above: str = "") -> _Part:
    path = f"{above}.{name}" if above else name
    fields = dtypes.parse(dtype).fields
    inner = (_part(each, inner, column.struct.field(each), path) for each, inner in fields.items())
    return _Part(name, path, dtype, column, tuple(inner))


def _assembled(part: _Part, figures: dict[str, FeatureProfile]) -> FeatureProfile:
    found = figures[part.path]
    if not part.fields:
        return found
    return found.model_copy(update={"fields": tuple(_assembled(each, figures) for each in part.fields)})


def _count(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect(engine="streaming").item())


def _sample(rows: pl.LazyFrame, total: int, most: int, columns: Sequence[pl.Expr]) -> pl.DataFrame:
    """About `most` rows, or all. By a hash of the row's number: every so-manyth row would meet the same entities."""
    if total > most:
        kept = pl.col("__row").hash(seed=0) % math.ceil(total * 1000 / most) < 1000
        rows = rows.with_row_index("__row").filter(kept)
    return rows.select(columns).collect(engine="streaming")


# --- its figures --------------------------------------------------------------------------------------------------


def _exact(part: _Part, total: int) -> Iterator[pl.Expr]:
    """What a stream can tell of every row."""
    yield part.column.null_count().alias(f"missing {part.path}")
    if total > SAMPLE:
        # An estimate that needs a fixed amount of memory; a null is counted as a value.
        values = part.column.hash(seed=0).approx_n_unique() - part.column.is_null().any().cast(pl.UInt32)
        yield values.alias(f"distinct {part.path}")
    if measured(part.dtype):
        numbers = measure(part.column, part.dtype)
        yield (~numbers.is_finite()).sum().alias(f"not_finite {part.path}")
        for figure in ("mean", "std"):
            yield getattr(finite(numbers), figure)().alias(f"{figure} {part.path}")
        ends = part.column if part.dtype in INTEGERS else finite(numbers)
    elif part.dtype in TIMES:
        ends = part.column
    else:
        return
    yield ends.min().alias(f"min {part.path}")
    yield ends.max().alias(f"max {part.path}")


def _figures(part: _Part, total: int, exact: dict[str, Any], sample: pl.Series) -> FeatureProfile:
    said = {name.partition(" ")[0]: value for name, value in exact.items() if name.partition(" ")[2] == part.path}
    known = sample.drop_nulls()
    found: dict[str, Any] = {
        "feature": part.name,
        "dtype": part.dtype,
        "count": total,
        "distinct": known.n_unique(),
        "measured": measured(part.dtype),
        "sampled": len(sample) if len(sample) < total else None,
        **said,
    }
    found["distinct"] = min(found["distinct"], total - said["missing"])
    if part.dtype == "bool":
        unsaid = {"min": None, "max": None, "std": None}
        return FeatureProfile.model_validate({**found, **unsaid, "top": _top(known)})
    if part.dtype in TIMES:
        ends = {"min": _text(said["min"]), "max": _text(said["max"])}
        return FeatureProfile.model_validate({**found, **ends})
    if measured(part.dtype):
        found |= _distribution(part, known)
    if part.dtype in TEXTS:
        found["top"] = _top(known)
    if dtypes.parse(part.dtype).element in (*TEXTS, "bool"):
        found["top"] = _top(known.explode().drop_nulls())
    return FeatureProfile.model_validate(found)


def _distribution(part: _Part, known: pl.Series) -> dict[str, Any]:
    numbers = known.to_frame("v").select(measure(pl.col("v"), part.dtype)).to_series()
    numbers = numbers.filter(numbers.is_finite())
    if numbers.is_empty():
        return {}
    drawn = histogram(numbers, whole=part.dtype in INTEGERS or measured(part.dtype) == "length")
    return {
        "median": numbers.median(),
        "quantiles": {str(q): numbers.quantile(q, "linear") for q in QUANTILES},
        "histogram": drawn.bins,
        "below": drawn.below,
        "above": drawn.above,
    }


def _top(values: pl.Series) -> tuple[ValueCount, ...]:
    counted = values.to_frame("v").group_by("v").len("rows").sort(["rows", "v"], descending=[True, False])
    shown = tuple(ValueCount(value=value, count=count) for value, count in counted.head(TOP).iter_rows())
    rest = len(values) - sum(each.count for each in shown)
    return (*shown, ValueCount(value=None, count=rest)) if rest else shown


def _text(moment: object) -> str | None:
    return moment.isoformat() if isinstance(moment, date | datetime) else None
