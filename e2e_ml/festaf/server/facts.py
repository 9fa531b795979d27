"""What a page shows, gathered from the registry and the store as plain values. No HTTP here, and no layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e_ml import refs
from e2e_ml.festaf.freshness import Freshness
from e2e_ml.festaf.model import Applied, Change, Feature, FeatureService, FeatureView, Registry, Source
from e2e_ml.festaf.registry.search import Hit
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.festaf.server.presenting import bounds, exact, interval, number, plural, rule
from e2e_ml.refs import Ref
from e2e_ml.routes import festaf_path


def path_of(ref: Ref) -> str:
    """The page of a festaf `Ref`."""
    return festaf_path(ref) or "/"


@dataclass(frozen=True, slots=True)
class ViewRow:
    view: FeatureView
    path: str
    verdict: Freshness
    features: int


@dataclass(frozen=True, slots=True)
class ServiceRow:
    service: FeatureService
    path: str


@dataclass(frozen=True, slots=True)
class EntityRow:
    name: str
    path: str
    types: tuple[str, ...]  # more than one where views disagree
    description: str
    views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceRow:
    name: str
    path: str
    source: Source
    views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    name: str
    path: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Check:
    """A constraint and how it fared; `failure` says why it could not be checked."""

    feature: str
    path: str
    rule: str
    broken: int
    examples: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change, or the things of one apply that were added or removed together."""

    at: datetime
    version: int
    by: str
    commit: str | None
    verb: str
    name: str
    others: str  # "and 9 features"
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """The written intervals as bars: the rows of each."""

    counts: tuple[int, ...]
    titles: tuple[str, ...]


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
    verdict: Freshness | None  # None: a view that is gone
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


def shown(view: FeatureView) -> tuple[Feature, ...]:
    """The features that have a name of their own."""
    return tuple(feature for feature in view.features if not feature.hidden)


def view_row(registry: Registry, view: FeatureView, verdict: Freshness) -> ViewRow:
    return ViewRow(view, path_of(refs.feature_view(registry.project, view.name)), verdict, len(shown(view)))


def service_rows(registry: Registry) -> list[ServiceRow]:
    return [ServiceRow(s, path_of(refs.feature_service(registry.project, s.name))) for s in registry.services]


def entity_rows(registry: Registry) -> list[EntityRow]:
    names = dict.fromkeys(key.name for view in registry.views for key in view.entities)
    return [_entity(registry, name) for name in names]


def _entity(registry: Registry, name: str) -> EntityRow:
    uses = [(view.name, key) for view in registry.views for key in view.entities if key.name == name]
    return EntityRow(
        name,
        path_of(refs.entity(registry.project, name)),
        tuple(dict.fromkeys(key.dtype for _, key in uses)),
        next((key.description for _, key in uses if key.description), ""),
        tuple(view for view, _ in uses),
    )


def source_rows(registry: Registry) -> list[SourceRow]:
    found: dict[str, Source] = {}
    for view in registry.views:
        found.setdefault(view.source.name, view.source)
    return [
        SourceRow(
            name,
            path_of(refs.source(registry.project, name)),
            source,
            tuple(view.name for view in registry.views if view.source.name == name),
        )
        for name, source in found.items()
    ]


def uses(registry: Registry, view: str, feature: str | None = None) -> list[Use]:
    """What stands on a feature, or on any of a view's: the view's own features first, then services."""
    found: list[Use] = []
    owner = registry.view(view)
    if feature is not None and owner is not None:
        found += [
            Use(f.name, path_of(refs.feature(registry.project, view, f.name)), "feature", f.code or "")
            for f in shown(owner)
            if feature in f.inputs and f.name != feature
        ]
    for service in registry.services:
        names = [service.target and f"{service.target.view}.{service.target.feature}", *service.features]
        wanted = [n for n in names if n and (n == f"{view}.{feature}" if feature else n.partition(".")[0] == view)]
        if wanted:
            path = path_of(refs.feature_service(registry.project, service.name))
            found.append(Use(service.name, path, "feature service", service.description))
    return found


def checks(registry: Registry, view: FeatureView, broken: Sequence[Violation] | str) -> list[Check]:
    """The constraints of the view with their results, two bounds that hold as one; `broken` is what was found, or the
    sentence why nothing could be."""
    return [row for feature in shown(view) for row in _checks(registry, view, feature, broken)]


def _checks(registry: Registry, view: FeatureView, feature: Feature, broken: Sequence[Violation] | str) -> list[Check]:
    path = path_of(refs.feature(registry.project, view.name, feature.name))
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
        examples = tuple(number(row.get(feature.name)) for row in violation.examples[:3]) if violation else ()
        rows.append(Check(feature.name, path, rule(constraint), violation.count if violation else 0, examples))
    return rows


def strip(intervals: Sequence[WrittenInterval], most: int = 60) -> Strip | None:
    """The newest `most` intervals, oldest first; None for fewer than two."""
    timed = [i for i in intervals if i.start is not None and i.end is not None][-most:]
    if len(timed) < 2:
        return None
    titles = [
        f"{interval(i.start, i.end).striptags()}: {number(i.rows)} rows, written {exact(i.written_at)}"
        for i in timed
        if i.start is not None and i.end is not None
    ]
    return Strip(tuple(i.rows for i in timed), tuple(titles))


_VERBS = {"add": "added", "change": "changed", "remove": "removed"}


def changes(registry: Registry, names: Iterable[str] | None = None, most: int = 12) -> list[ChangeRow]:
    """The newest changes of the history, newest first; of these full names alone, where given.

    What one apply added or removed shares a row, with its details only where it is one thing.
    """
    wanted = None if names is None else set(names)
    rows: list[ChangeRow] = []
    for applied in reversed(registry.history):
        mine = [c for c in applied.changes if wanted is None or c.name in wanted]
        rows += [_change(applied, [c]) for c in mine if c.action == "change"]
        for action in ("remove", "add"):
            together = [c for c in mine if c.action == action]
            if together:
                rows.append(_change(applied, together))
    return rows[:most]


def feature_changes(registry: Registry, view: FeatureView, feature: Feature) -> list[ChangeRow]:
    """The history of one feature. Where it came with its view, the view's apply is its beginning."""
    full_name = f"{view.name}.{feature.name}"
    rows = changes(registry, [full_name])
    if any(row.verb == "added" for row in rows):
        return rows
    birth = next((a for a in registry.history if a.at == feature.first_seen), None)
    return rows if birth is None else [*rows, _change(birth, [Change(action="add", kind="feature", name=full_name)])]


def _change(applied: Applied, together: Sequence[Change]) -> ChangeRow:
    first, rest = together[0], together[1:]
    kinds = dict.fromkeys(c.kind for c in rest)
    said = [plural(sum(c.kind == kind for c in rest), kind) for kind in kinds]
    others = f" and {said[0]}" if len(said) == 1 else f", {', '.join(said[:-1])} and {said[-1]}" if said else ""
    return ChangeRow(
        applied.at,
        applied.version,
        applied.by,
        applied.commit,
        _VERBS[first.action],
        first.name,
        others,
        first.details if not rest else (),
    )


def hit_row(hit: Hit) -> HitRow:
    return HitRow(
        hit.title, hit.ref.kind.value, path_of(hit.ref), str(hit.ref), hit.description, hit.detail, hit.matched
    )
