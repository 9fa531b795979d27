"""A feature's profile as a page shows it: bars or levels, the ends of the axis, and the figures. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from e2e_ml.festaf.dtypes import INTEGERS
from e2e_ml.festaf.freshness import brief
from e2e_ml.festaf.rows.profile import Bin, FeatureProfile
from e2e_ml.festaf.server.presenting import number, percent, plural


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a feature that has few: its share of all rows."""

    label: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Distribution:
    missing_share: float
    counts: tuple[int, ...]  # the bars; of levels too, for the sparkline
    titles: tuple[str, ...]
    low: str  # the ends of the axis
    high: str
    levels: tuple[Level, ...]  # instead of bars, where not empty
    figures: tuple[tuple[str, str], ...]
    summary: str  # in one line, for a pointer
    outliers: str = ""  # the values that the bars leave out, in words
    measure: str = ""  # what the bars count by, where that is not the value itself: "length"
    sampled: str = ""  # of how many rows it is, where not of all
    fields: tuple[tuple[str, str, Distribution], ...] = ()  # of a struct: name, type and distribution


def distributions(profiles: Sequence[FeatureProfile]) -> dict[str, Distribution]:
    """The distribution of each profiled feature, by name; one without rows is left out."""
    return {p.feature: distribution(p) for p in profiles if p.count}


_MEASURES = {"seconds": "seconds", "length": "length of the list", "norm": "length of the vector"}


def distribution(profile: FeatureProfile) -> Distribution:
    missing_share = profile.missing / profile.count if profile.count else 0.0
    figures = _figures(profile, missing_share)
    summary = ", ".join(f"{label.lower()} {value}" for label, value in figures)
    total = profile.sampled or profile.count
    levels = tuple(
        Level("other values" if v.value is None else number(v.value), v.count, v.count / total) for v in profile.top
    )
    if profile.histogram:
        counts, titles, low, high = _bars(profile, total)
        outliers = _outliers(profile, low, high)
        summary = f"{summary}; not drawn: {outliers}" if outliers else summary
    else:
        counts = tuple(level.count for level in levels)
        titles = tuple(f"{level.label}: {plural(level.count, 'row')} ({percent(level.share)})" for level in levels)
        low = high = outliers = ""
    return Distribution(
        missing_share,
        counts,
        titles,
        low,
        high,
        levels,
        figures,
        summary,
        outliers,
        _MEASURES.get(profile.measured or "", ""),
        f"{number(profile.sampled)} of {number(profile.count)} rows" if profile.sampled else "",
        tuple((field.feature.rpartition(".")[2], field.dtype, distribution(field)) for field in profile.fields),
    )


def _bars(profile: FeatureProfile, total: int) -> tuple[tuple[int, ...], tuple[str, ...], str, str]:
    """The counts of the histogram, the words for each bar, and the ends of the axis."""
    whole = profile.dtype in INTEGERS
    titles = tuple(
        f"{_span(b, whole=whole)}: {plural(b.count, 'row')} ({percent(b.count / total)})" for b in profile.histogram
    )
    low, high = _end(profile.min), _end(profile.max)
    if profile.below:
        low = number(profile.histogram[0].low)
    if profile.above:
        high = number(_greatest(profile.histogram[-1], whole=whole))
    return tuple(b.count for b in profile.histogram), titles, low, high


def _span(values: Bin, *, whole: bool) -> str:
    """`5 to 9`; `5` where a bin holds nothing else."""
    low, high = values.low, _greatest(values, whole=whole)
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _greatest(values: Bin, *, whole: bool) -> float:
    return values.high - 1 if whole else values.high


def _outliers(profile: FeatureProfile, low: str, high: str) -> str:
    """`3 values above 46 (up to 1,048)`, where an end of the bars is not the end of the values."""
    said: list[str] = []
    if profile.below:
        least = number(profile.min) if profile.below == 1 else f"down to {number(profile.min)}"
        said.append(f"{plural(profile.below, 'value')} below {low} ({least})")
    if profile.above:
        most = number(profile.max) if profile.above == 1 else f"up to {number(profile.max)}"
        said.append(f"{plural(profile.above, 'value')} above {high} ({most})")
    return ", ".join(said)


def _figures(profile: FeatureProfile, missing_share: float) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = [("Rows", number(profile.count)), ("Missing", percent(missing_share))]
    if profile.not_finite:
        found.append(("Not finite", number(profile.not_finite)))
    found.append(("Distinct", number(profile.distinct)))
    if profile.dtype == "bool":
        return (*found, ("True", percent(profile.mean)))
    if profile.mean is not None:
        seconds = profile.measured == "seconds"
        said = [
            ("Least", profile.min),
            ("Median", profile.median),
            ("Mean", profile.mean),
            ("Most", profile.max),
            ("Std. deviation", profile.std),
            ("5 % under", profile.quantiles.get("0.05")),
            ("95 % under", profile.quantiles.get("0.95")),
        ]
        found += [(label, _figure(value, seconds=seconds)) for label, value in said if value is not None]
    elif profile.min is not None:
        found += [("First", _end(profile.min)), ("Last", _end(profile.max))]
    return tuple(found)


def _figure(value: float | int | str, *, seconds: bool) -> str:
    """A number; a duration, that is counted in seconds, in words."""
    return brief(timedelta(seconds=value)) if seconds and isinstance(value, int | float) else number(value)


def _end(value: float | int | str | None) -> str:
    """An end of the axis; times come as ISO 8601 text and are shown to the minute."""
    if isinstance(value, str):
        try:
            return f"{datetime.fromisoformat(value):%d %b %Y %H:%M}".removesuffix(" 00:00")
        except ValueError:
            return value
    return number(value)
