"""One version of the registry, indexed: what a page asks for by name is there without looking through everything.

A `Catalog` is made when the registry's file changes and serves until it changes again. It holds no rows and no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Generic, TypeVar

from e2e_ml import refs
from e2e_ml.festaf.model import (
    Applied,
    Change,
    Feature,
    FeatureService,
    FeatureView,
    Key,
    OnDemandView,
    Registry,
    Source,
    View,
)
from e2e_ml.festaf.registry.search import SearchIndex
from e2e_ml.refs import Ref
from e2e_ml.routes import festaf_path

T = TypeVar("T")


def path_of(ref: Ref) -> str:
    """The page of a festaf `Ref`."""
    return festaf_path(ref) or "/"


def shown(view: View) -> tuple[Feature, ...]:
    """The features that have a name of their own."""
    return tuple(feature for feature in view.features if not feature.hidden)


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
class Page(Generic[T]):
    """A part of a long list: `rows` are number `first` and the following of `count`; `number` counts from 1."""

    rows: Sequence[T]
    count: int
    first: int
    number: int
    pages: int

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def page(rows: Sequence[T], number: int, size: int) -> Page[T]:
    """The page `number` of a list cut into pages of `size`; a number that no page has is brought to the nearest."""
    pages = max(1, -(-len(rows) // size))
    number = min(max(number, 1), pages)
    start = (number - 1) * size
    return Page(rows[start : start + size], len(rows), start + 1, number, pages)


@dataclass
class _Group:
    """What shares a key or a source: its first record, and the views."""

    first: Key | Source
    views: list[str] = field(default_factory=list[str])
    types: dict[str, None] = field(default_factory=dict[str, None])
    description: str = ""


class Catalog:
    """Lookups over one registry. Everything is built once; what few pages need, when it is first asked for."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.project = registry.project
        self.views: dict[str, FeatureView] = {view.name: view for view in registry.views}
        self.on_demand: dict[str, OnDemandView] = {view.name: view for view in registry.on_demand}
        self.services: dict[str, FeatureService] = {service.name: service for service in registry.services}

    # --- by name ---------------------------------------------------------------------------------------------------

    def any_view(self, name: str) -> View | None:
        return self.views.get(name) or self.on_demand.get(name)

    def feature(self, full_name: str) -> tuple[View, Feature] | None:
        """The view and the feature called `view.feature`; None where there is none with a name of its own."""
        view_name, _, name = full_name.partition(".")
        view = self.any_view(view_name)
        if view is None:
            return None
        found = next((f for f in view.features if f.name == name and not f.hidden), None)
        return None if found is None else (view, found)

    def path(self, full_name: str) -> str | None:
        """The page of a view, a feature or a service, by its full name; None for a name that nothing has."""
        view_name, _, name = full_name.partition(".")
        if name:
            return path_of(refs.feature(self.project, view_name, name)) if self.feature(full_name) else None
        if self.any_view(view_name):
            return path_of(refs.feature_view(self.project, view_name))
        return path_of(refs.feature_service(self.project, view_name)) if view_name in self.services else None

    @cached_property
    def renamed(self) -> dict[str, str]:
        """What things were called before, to what they are called now: full names."""
        found: dict[str, str] = {}
        for view in (*self.registry.views, *self.registry.on_demand):
            for former in (view.name, view.renamed_from):
                if former is None:
                    continue
                for feature in view.features:
                    name = feature.renamed_from or feature.name
                    if (former, name) != (view.name, feature.name):
                        found[f"{former}.{name}"] = f"{view.name}.{feature.name}"
            if view.renamed_from:
                found[view.renamed_from] = view.name
        found |= {s.renamed_from: s.name for s in self.registry.services if s.renamed_from}
        return found

    @cached_property
    def search(self) -> SearchIndex:
        return SearchIndex(self.registry)

    @cached_property
    def youngest(self) -> datetime | None:
        """When the newest feature was applied first; None where there is no feature."""
        views = (*self.registry.views, *self.registry.on_demand)
        return max((feature.first_seen for view in views for feature in view.features), default=None)

    @cached_property
    def feature_count(self) -> int:
        views = (*self.registry.views, *self.registry.on_demand)
        return sum(not feature.hidden for view in views for feature in view.features)

    # --- entities and sources --------------------------------------------------------------------------------------

    @cached_property
    def _entities(self) -> dict[str, _Group]:
        found: dict[str, _Group] = {}
        for view in self.registry.views:
            for key in view.entities:
                group = found.setdefault(key.name, _Group(key))
                group.views.append(view.name)
                group.types[key.dtype] = None
                group.description = group.description or key.description
        return found

    @cached_property
    def _sources(self) -> dict[str, _Group]:
        found: dict[str, _Group] = {}
        for view in self.registry.views:
            found.setdefault(view.source.name, _Group(view.source)).views.append(view.name)
        return found

    @property
    def entities(self) -> Sequence[str]:
        return list(self._entities)

    @property
    def sources(self) -> Sequence[str]:
        return list(self._sources)

    def entity(self, name: str) -> EntityRow | None:
        group = self._entities.get(name)
        if group is None:
            return None
        path = path_of(refs.entity(self.project, name))
        return EntityRow(name, path, tuple(group.types), group.description, tuple(group.views))

    def source(self, name: str) -> SourceRow | None:
        group = self._sources.get(name)
        if group is None or not isinstance(group.first, Source):
            return None
        return SourceRow(name, path_of(refs.source(self.project, name)), group.first, tuple(group.views))

    # --- who stands on what ----------------------------------------------------------------------------------------

    @cached_property
    def _readers(self) -> dict[str, list[tuple[str, str]]]:
        """Who reads what directly: full name of a feature, or name of a view -> (kind, full name) of the readers."""
        found: dict[str, dict[tuple[str, str], None]] = {}
        for view in (*self.registry.views, *self.registry.on_demand):
            for feature in view.features:
                if feature.hidden:
                    continue
                reader = ("feature", f"{view.name}.{feature.name}")
                for read in self._reads(view, feature):
                    found.setdefault(read, {})[reader] = None
                    if read.partition(".")[0] != view.name:
                        found.setdefault(read.partition(".")[0], {})[reader] = None
        for service in self.registry.services:
            target = service.target and f"{service.target.view}.{service.target.feature}"
            for full_name in (*service.features, *([target] if target else [])):
                reader = ("feature service", service.name)
                found.setdefault(full_name, {})[reader] = None
                found.setdefault(full_name.partition(".")[0], {})[reader] = None
        return {name: list(readers) for name, readers in found.items()}

    def _reads(self, view: View, feature: Feature) -> Iterable[str]:
        """The full names that a feature reads, through hidden features of its view."""
        hidden = {f.name: f for f in view.features if f.hidden}
        waiting, seen = list(feature.inputs), set[str]()
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            if name in hidden:
                waiting += hidden[name].inputs
            elif name != feature.name:
                yield name if "." in name else f"{view.name}.{name}"

    def uses(self, full_name: str) -> list[Use]:
        """What stands on a feature, or on anything of a view: features first, then services."""
        return [self._use(kind, name) for kind, name in self._readers.get(full_name, [])]

    def _use(self, kind: str, name: str) -> Use:
        path = self.path(name) or "/"
        if kind == "feature service":
            return Use(name, path, kind, self.services[name].description)
        found = self.feature(name)
        return Use(name, path, kind, (found[1].code or "") if found else "")

    # --- history ---------------------------------------------------------------------------------------------------

    @cached_property
    def history(self) -> Sequence[Applied]:
        """Every apply, newest last; read once."""
        return self.registry.history

    @cached_property
    def _changed(self) -> dict[str, list[tuple[Applied, Change]]]:
        found: dict[str, list[tuple[Applied, Change]]] = {}
        for applied in self.history:
            for change in applied.changes:
                found.setdefault(change.name, []).append((applied, change))
        return found

    def changes_of(self, names: Iterable[str]) -> list[tuple[Applied, list[Change]]]:
        """The applies that touched any of these full names, newest first, with what they changed of them."""
        found: dict[int, tuple[Applied, list[Change]]] = {}
        for name in names:
            for applied, change in self._changed.get(name, []):
                found.setdefault(applied.version, (applied, []))[1].append(change)
        return [found[version] for version in sorted(found, reverse=True)]
