"""A registry of Feast as one thing: whether it is whole, and which project what it holds belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from e2e_ml.lineage.collectors.feast_registry import (
    DataSource,
    Entity,
    LabelView,
    OnDemandView,
    Registry,
    Service,
    StreamView,
    View,
)
from e2e_ml.lineage.collectors.feast_wire import WireError, read

_Thing = Entity | View | Service | OnDemandView | StreamView | LabelView
T = TypeVar("T", Entity, View, Service, OnDemandView, StreamView, LabelView, DataSource)


def read_registry(content: bytes) -> Registry:
    """The registry in `content`. Raises WireError for one that is damaged, or cut off behind a whole field."""
    registry = read(Registry, content)
    if why := _cut(registry):
        raise WireError(why)
    return registry


def lacks_projects(registry: Registry) -> bool:
    """Whether things in it do not say which project they belong to: Feast's registry server leaves that out."""
    return any(not thing.spec.project for thing in _things(registry)) or any(not s.project for s in registry.sources)


def with_projects(registry: Registry, parts: Mapping[str, Registry]) -> Registry:
    """The registry with the things of `parts` in the place of its own, each in the project that its part is of."""

    def of(things: Callable[[Registry], tuple[T, ...]]) -> tuple[T, ...]:
        return tuple(_in_project(thing, name) for name, part in parts.items() for thing in things(part))

    return replace(
        registry,
        entities=of(lambda part: part.entities),
        views=of(lambda part: part.views),
        services=of(lambda part: part.services),
        on_demand=of(lambda part: part.on_demand),
        stream_views=of(lambda part: part.stream_views),
        label_views=of(lambda part: part.label_views),
        sources=of(lambda part: part.sources),
    )


def _in_project(thing: T, name: str) -> T:
    if isinstance(thing, DataSource):
        return replace(thing, project=name)
    return replace(thing, spec=replace(thing.spec, project=name))


def _things(registry: Registry) -> tuple[_Thing, ...]:
    return (
        *registry.entities, *registry.views, *registry.services, *registry.on_demand, *registry.stream_views,
        *registry.label_views,
    )  # fmt: skip


def _cut(registry: Registry) -> str | None:
    """Why this is a part of a registry. Fields are written in the order of their numbers, so the last ones are lost.

    One cut is not seen: that before the history of versions, which a registry of an older Feast has none of. It takes
    the label views with it.
    """
    named = {project.spec.name for project in registry.projects}
    projects = {each.spec.project for each in _things(registry)} | {source.project for source in registry.sources}
    if lost := sorted(project for project in projects - named if project):
        return f"it does not name the project {lost[0]}, of which it holds a part"
    if not named:
        return "it names no project"
    labels = {(view.spec.project, view.spec.name) for view in registry.label_views}
    for record in registry.history.records if registry.history else ():
        if record.view_type == "label_view" and (record.project, record.view) not in labels:
            return f"it lacks the label view {record.view}"
    return None
