"""What a page shows, gathered from the catalog and the store as plain values. No HTTP here, and no layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from e2e_ml import refs
from e2e_ml.festaf import dtypes
from e2e_ml.festaf.freshness import Freshness, brief
from e2e_ml.festaf.model import DataType, Feature, FeatureService, FeatureView, IntervalStats, OnDemandView, View
from e2e_ml.festaf.registry.search import Hit
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.profile import Correlation
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.festaf.server.catalog import Catalog, path_of, shown
from e2e_ml.festaf.server.presenting import bounds, exact, interval, number, plural, rule

STRIP = 60  # of the newest runs, in a trend


@dataclass(frozen=True, slots=True)
class ViewRow:
    view: FeatureView
    path: str
    verdict: Freshness
    features: int


@dataclass(frozen=True, slots=True)
class OnDemandRow:
    view: OnDemandView
    path: str
    features: int


@dataclass(frozen=True, slots=True)
class ServiceRow:
    service: FeatureService
    path: str


@dataclass(frozen=True, slots=True)
class Check:
    """A constraint and how it fared; `failure` says why it could not be checked, or that it is being checked."""

    feature: str
    path: str
    rule: str
    broken: int
    columns: tuple[str, ...] = ()  # of the examples: keys, event time, value
    examples: tuple[tuple[str, ...], ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """One number of each of the newest runs, oldest first: bars from nothing up, or a line between values."""

    label: str
    newest: str  # the last one, in words
    values: tuple[float | None, ...]
    titles: tuple[str, ...]
    is_line: bool = False


@dataclass(frozen=True, slots=True)
class Together:
    """How two features go together: Pearson's coefficient."""

    name: str
    path: str
    other: str
    other_path: str
    coefficient: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """The correlations of a view: each cell is a coefficient, None where there is none."""

    names: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    of: str  # the rows that it was taken of, in words


@dataclass(frozen=True, slots=True)
class ContractRow:
    name: str
    path: str
    feature: Feature | None  # None: a feature that is gone


@dataclass(frozen=True, slots=True)
class ContractGroup:
    """The features that a service takes from one view."""

    name: str
    path: str | None
    view: View | None  # None: a view that is gone
    verdict: Freshness | None  # None: gone, or computed when asked
    rows: tuple[ContractRow, ...]


@dataclass(frozen=True, slots=True)
class HitRow:
    """Something found, as the page and the API give it."""

    title: str
    kind: str
    path: str
    uri: str
    description: str
    detail: str
    matched: str
    deprecated: bool


@dataclass(frozen=True, slots=True)
class PythonPart:
    """A function of the project that a feature is computed with: nobody but Python can run it."""

    name: str  # "features.wind_chill"
    sha256: str


def view_row(catalog: Catalog, view: FeatureView, verdict: Freshness) -> ViewRow:
    return ViewRow(view, path_of(refs.feature_view(catalog.project, view.name)), verdict, len(shown(view)))


def on_demand_row(catalog: Catalog, view: OnDemandView) -> OnDemandRow:
    return OnDemandRow(view, path_of(refs.feature_view(catalog.project, view.name)), len(shown(view)))


def service_row(catalog: Catalog, service: FeatureService) -> ServiceRow:
    return ServiceRow(service, path_of(refs.feature_service(catalog.project, service.name)))


# --- expressions -------------------------------------------------------------------------------------------------


def nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node of an expression as it stands in the registry, and everything below it."""
    yield tree
    for operand in cast("list[dict[str, Any]]", tree.get("args", [])):
        yield from nodes(operand)


def python_parts(feature: Feature) -> tuple[PythonPart, ...]:
    """The Python functions that a feature is computed with, in order; most have none."""
    return tuple(
        PythonPart(f"{node['module']}.{node['function']}", str(node["sha256"]))
        for node in nodes(feature.expression or {})
        if node.get("op") == "python"
    )


def windows(feature: Feature) -> tuple[str, ...]:
    """The windows of a feature in words: "the mean over 6 h, for each carrier"."""
    return tuple(window_words(node) for node in nodes(feature.expression or {}) if node.get("op") == "window")


def window_words(node: Mapping[str, Any]) -> str:
    """A window node: "mean over 6 h", "last of 10 rows by carrier", "count of all so far"."""
    aggregate = str(node["aggregate"]).replace("_", " ")
    if node.get("quantile") is not None:
        aggregate = f"{node['quantile']:.0%} quantile"
    if "seconds" in node:
        reach = f"over {span_words(float(node['seconds']))}"
    elif "rows" in node:
        reach = f"of {plural(int(node['rows']), 'row')}"
    else:
        reach = "of all so far"
    by = cast("list[str]", node.get("by") or [])
    return f"{aggregate} {reach}" + (f" by {', '.join(by)}" if by else "")


def span_words(seconds: float) -> str:
    """A width in words, of whole days in days however many they are."""
    days, rest = divmod(timedelta(seconds=seconds), timedelta(days=1))
    return plural(days, "day") if days and not rest else brief(timedelta(seconds=seconds))


def is_scaled(feature: Feature) -> bool:
    """Whether its outermost operation scales with parameters that are learned on a training set."""
    return str((feature.expression or {}).get("op", "")) in ("standard_scale", "min_max_scale")


# --- rules and runs ----------------------------------------------------------------------------------------------


def checks(project: str, view: FeatureView, broken: Sequence[Violation] | str) -> list[Check]:
    """The constraints of the view with their results, two bounds that hold as one; `broken` is what was found, or the
    sentence why nothing could be."""
    return [row for feature in shown(view) for row in _checks(project, view, feature, broken)]


def _checks(project: str, view: FeatureView, feature: Feature, broken: Sequence[Violation] | str) -> list[Check]:
    path = path_of(refs.feature(project, view.name, feature.name))
    if isinstance(broken, str):
        return [Check(feature.name, path, rule(c), 0, failure=broken) for c in feature.constraints]
    found = {v.rule: v for v in broken if v.feature == feature.name}
    ends = {c.rule: c.value for c in feature.constraints if c.rule in ("lower_bound", "upper_bound")}
    merged = len(ends) == 2 and found.keys().isdisjoint(ends)
    rows: list[Check] = []
    for constraint in feature.constraints:
        if merged and constraint.rule in ends:
            if constraint.rule == "lower_bound":
                rows.append(Check(feature.name, path, bounds(ends["lower_bound"], ends["upper_bound"]), 0))
            continue
        violation = found.get(constraint.rule)
        count, examples = (violation.count, violation.examples) if violation else (0, ())
        rows.append(Check(feature.name, path, rule(constraint), count, *_examples(view, examples)))
    return rows


def _examples(
    view: FeatureView, rows: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Example rows as a table: the columns, then the cells of each row."""
    if not rows:
        return (), ()
    columns = tuple(rows[0])
    cells = tuple(
        tuple(_moment(row[name]) if name == view.event_time else number(row[name]) for name in columns) for row in rows
    )
    return columns, cells


def _moment(value: object) -> str:
    """A time that comes as ISO 8601 text, to the minute."""
    try:
        return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return str(value)


def timed(intervals: Sequence[WrittenInterval]) -> list[WrittenInterval]:
    return [each for each in intervals if each.start is not None and each.end is not None]


def view_trends(points: Sequence[IntervalStats]) -> list[Trend]:
    """How a view fared over its newest runs: rows, rows that break a rule, missing values. Nothing for fewer than two
    runs; a number that is always nothing is left out, but for the rows."""
    newest = points[-STRIP:]
    if len(newest) < 2:
        return []
    broken = [sum(check.broken for check in point.checks) for point in newest]
    missing = [sum(feature.missing for feature in point.features) for point in newest]
    trends = [_trend("Rows", newest, [point.rows for point in newest], "row")]
    if any(broken):
        trends.append(_trend("Rows that break a rule", newest, broken, "row"))
    if any(missing):
        trends.append(_trend("Missing values", newest, missing, "value"))
    return trends


def feature_trends(points: Sequence[IntervalStats], feature: str, dtype: DataType) -> list[Trend]:
    """How one feature fared over the newest runs: its mean (of what `rows.measures` says of its type), missing values,
    rows that break one of its rules."""
    newest = points[-STRIP:]
    if len(newest) < 2:
        return []
    found = [next((f for f in point.features if f.feature == feature), None) for point in newest]
    means = [each.mean if each else None for each in found]
    missing = [each.missing if each else None for each in found]
    broken = [sum(c.broken for c in point.checks if c.feature == feature) for point in newest]
    trends: list[Trend] = []
    if sum(mean is not None for mean in means) > 1:
        mean = _MEANS.get(dtypes.kind(dtype), "Mean")
        trends.append(_trend(mean, newest, means, ""))
    if any(missing):
        trends.append(_trend("Missing", newest, missing, "row"))
    if any(broken):
        trends.append(_trend("Breaks a rule", newest, broken, "row"))
    return trends


_MEANS = {
    "bool": "Share that is true",
    "duration": "Mean, in seconds",
    "list": "Mean length of the list",
    "embedding": "Mean length of the vector",
}


def _trend(label: str, points: Sequence[IntervalStats], values: Sequence[float | None], unit: str) -> Trend:
    def words(value: float | None) -> str:
        return number(value) if value is None or not unit else plural(int(value), unit)

    titles = [
        f"{interval(point.start, point.end).striptags()}: {words(value)}, written {exact(point.written_at)}"
        for point, value in zip(points, values, strict=True)
    ]
    return Trend(label, number(values[-1]), tuple(values), tuple(titles), is_line=not unit)


MATRIX = 10  # features of a view whose correlations are a table; of more, the strongest are a list
PAIRS = 12
WEAK = 0.1  # below it a coefficient says nothing to a person


def matrix(found: Correlation) -> Matrix | None:
    """The correlations as a table; None where there are too few features for one, or too many to read it."""
    if not 2 <= len(found.features) <= MATRIX:
        return None
    return Matrix(found.features, found.matrix, _rows_of(found))


def strongest(project: str, view: View, found: Correlation, feature: str | None = None) -> list[Together]:
    """The pairs that go together most, strongest first; those of one feature, where given."""
    pairs = [
        (names, found.matrix[i][j])
        for i, a in enumerate(found.features)
        for j, b in enumerate(found.features[:i])
        if feature in (None, a, b)
        for names in [(b, a) if feature != a else (a, b)]
    ]
    known = [(names, value) for names, value in pairs if value is not None and abs(value) >= WEAK]
    known.sort(key=lambda pair: -abs(pair[1]))

    def path(name: str) -> str:
        return path_of(refs.feature(project, view.name, name))

    return [Together(a, path(a), b, path(b), value) for (a, b), value in known[:PAIRS]]


def _rows_of(found: Correlation) -> str:
    return f"a sample of {plural(found.rows, 'row')}" if found.sampled else plural(found.rows, "row")


def hit_row(hit: Hit) -> HitRow:
    return HitRow(
        hit.title,
        hit.kind,
        path_of(hit.ref),
        str(hit.ref),
        hit.description,
        hit.detail,
        hit.matched,
        hit.deprecated,
    )
