"""The feature store over its REST API: the registry's definitions, what is known of the stored rows, and wishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from e2e_ml import refs
from e2e_ml.festaf.model import AnyView, Feature, FeatureService, FeatureView, OnDemandView, Owner, Registry
from e2e_ml.festaf.naming import dag_id, rule
from e2e_ml.festaf.registry.marks import marked
from e2e_ml.festaf.wishes import Wish
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.http import Api, Connection, known
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Kind, Ref

T = TypeVar("T")
_Tagged = tuple[T, str | None]  # an answer and its ETag

COMPLETE = frozenset({
    Kind.PROJECT, Kind.SOURCE, Kind.COLUMN, Kind.ENTITY, Kind.FEATURE_VIEW, Kind.FEATURE, Kind.FEATURE_SERVICE,
    Kind.WISH,
})  # fmt: skip
_WISHES = TypeAdapter(tuple[Wish, ...])


class FestafCollector:
    """`connection.instance` names the connection; the project is the registry's own."""

    def __init__(self, connection: Connection) -> None:
        self._instance = connection.instance
        self._api = Api("The feature store", connection)
        self._registry: tuple[Registry, str | None] | None = None  # with its ETag
        self._stats: tuple[Mapping[str, Any], str | None] | None = None
        self._wishes: tuple[Wish, ...] = ()

    @property
    def name(self) -> str:
        return f"festaf:{self._instance}"

    def close(self) -> None:
        self._api.close()

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        self._registry = registry = self._read("/api/v1/registry", self._registry, _registry)
        before = self._stats
        self._stats = stats = self._read("/api/v1/stats", self._stats, _views)
        if stats is not before:  # its ETag moves with every wish
            self._stats = before  # where the wishes cannot be read, both are asked for again
            self._wishes = _parsed(_WISHES.validate_python, self._api.get("/api/v1/wishes"))
            self._stats = stats
        nodes, edges = registry_graph(registry[0], stats[0], self._wishes)
        told: dict[Ref, list[Edge]] = {}
        for edge in edges:
            told.setdefault(edge.downstream, []).append(edge)
        yield Batch(tuple(Record(node, tuple(told.get(node.ref, ()))) for node in nodes), complete=COMPLETE)

    def _read(self, path: str, known: _Tagged[T] | None, parse: Callable[[Any], T]) -> _Tagged[T]:
        """What is at `path` with its ETag; what was known where that has not changed."""
        content, etag = self._api.get_if_new(path, known[1] if known else None)
        return (parse(content), etag) if content is not None or known is None else known


def _views(content: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], content["views"])


def _registry(content: Any) -> Registry:
    return _parsed(Registry.model_validate, content)


def _parsed(read: Callable[[Any], T], content: Any) -> T:
    try:
        return read(content)
    except ValidationError as error:
        raise CollectError(
            f"The feature store's answer is not one that this version reads ({error.error_count()} differences). "
            "Use the same e2e-ml for its server and for the workbench."
        ) from error


def registry_graph(
    registry: Registry, stats: Mapping[str, Mapping[str, Any]], wishes: Iterable[Wish] = ()
) -> tuple[list[Node], list[Edge]]:
    """The registry as nodes and edges, and what is wished for.

    `stats`: view name -> what `/api/v1/stats` tells of it, as JSON.
    """
    builder = _Builder(registry.project)
    applied = registry.history[-1] if registry.history else None
    builder.node(
        refs.project(registry.project),
        {
            "registry_version": registry.version,
            "applied_at": applied.at.isoformat() if applied else None,
            "applied_by": applied.by if applied else None,
        },
    )
    for view in registry.views:
        builder.view(view, stats.get(view.name, {}))
    for view in registry.on_demand:
        builder.on_demand(view)
    for service in registry.services:
        builder.service(service)
    for wish in wishes:
        builder.wish(wish)
    return list(builder.nodes.values()), builder.edges


class _Builder:
    def __init__(self, project: str) -> None:
        self._project = project
        self.nodes: dict[Ref, Node] = {}
        self.edges: list[Edge] = []

    def node(self, ref: Ref, facts: Mapping[str, Any]) -> None:
        self.nodes[ref] = Node(ref, known(facts))

    def view(self, view: FeatureView, stats: Mapping[str, Any]) -> None:
        ref = refs.feature_view(self._project, view.name)
        written = {k: stats.get(k) for k in ("newest_event", "last_written", "written_until")}
        shared = {**_shared(view), "source": view.source.name, "schedule": view.schedule}
        facts = {
            **_view(view),
            **shared,
            **written,
            "rows": stats.get("rows"),
            "entities": [key.name for key in view.entities],
            "event_time": view.event_time,
            "ttl": view.ttl_seconds,
            "end": view.end.isoformat() if view.end else None,
            "dag_id": dag_id(self._project, view),
            "task_id": view.produced_by.task_id if view.produced_by else None,
        }
        self.node(ref, facts)
        self._sources(view, ref, stats.get("source"))
        for feature in view.features:
            if not feature.hidden:
                self._feature(view, feature, {**shared, **written})

    def on_demand(self, view: OnDemandView) -> None:
        ref = refs.feature_view(self._project, view.name)
        request = [key.name for key in view.request]
        self.node(ref, {**_view(view), **_shared(view), "on_demand": True, "request": request})
        for feature in view.features:
            if feature.hidden:
                continue
            self._feature(view, feature, {**_shared(view), "on_demand": True})
        read = dict.fromkeys(name.partition(".")[0] for f in view.features for name in f.inputs if "." in name)
        for name in read:
            self._edge(refs.feature_view(self._project, name), ref, Relation.FEEDS, "its features are read on demand")

    def _sources(self, view: FeatureView, ref: Ref, place: str | None) -> None:
        source = refs.source(self._project, view.source.name)
        columns = {c for f in view.features for c in f.inputs if not view.has(c)}
        columns |= {f.name for f in view.features if f.expression is None} | {key.name for key in view.entities}
        earlier: list[str] = self.nodes[source].facts["columns"] if source in self.nodes else []
        facts = {
            "uri": view.source.uri,
            "place": place,
            "format": view.source.format,
            "columns": sorted({*columns, *earlier}),
        }
        self.node(source, facts)
        self._edge(source, ref, Relation.FEEDS, "the view's source")
        for key in view.entities:
            entity = refs.entity(self._project, key.name)
            if entity not in self.nodes or key.description:
                self.node(entity, {"dtype": key.dtype, "description": key.description})
            self._edge(entity, ref, Relation.KEYS, "the view's key")

    def _feature(self, view: AnyView, feature: Feature, shared: Mapping[str, Any]) -> None:
        ref = refs.feature(self._project, view.name, feature.name)
        inputs = list(visible_inputs(view, feature))
        requested = {key.name for key in view.request} if isinstance(view, OnDemandView) else set[str]()
        facts = {
            **shared,
            "request": [name for name in inputs if name in requested] or None,
            "deprecated": feature.deprecated or view.deprecated,
            "marks": [mark for mark in marked(feature) if mark != "deprecated"] or None,
            "dtype": feature.dtype,
            "description": feature.description,
            "inputs": inputs or ([feature.name] if feature.expression is None else None),
            "expression": feature.code,
            "tree": feature.expression,
            "constraints": [rule(c) for c in feature.constraints],
            "fill_null": feature.fill_null,
            "first_seen": feature.first_seen.isoformat(),
            "changed_at": feature.changed_at.isoformat(),
            "tags": list(feature.tags),
        }
        self.node(ref, facts)
        self._edge(refs.feature_view(self._project, view.name), ref, Relation.CONTAINS, "the view's definition")
        for name in inputs:
            if "." in name or view.has(name):
                view_name, _, other = name.rpartition(".")
                read = refs.feature(self._project, view_name or view.name, other)
                self._edge(read, ref, Relation.FEEDS, "an input of its expression")
            elif isinstance(view, FeatureView):
                self._column(view, name, ref, "an input of its expression")
        if feature.expression is None and isinstance(view, FeatureView):
            self._column(view, feature.name, ref, "the feature's column")

    def _column(self, view: FeatureView, name: str, feature: Ref, reason: str) -> None:
        source = refs.source(self._project, view.source.name)
        column = refs.source_column(self._project, view.source.name, name)
        if column not in self.nodes:
            self.node(column, {})
            self._edge(source, column, Relation.CONTAINS, "a column of the source")
        self._edge(column, feature, Relation.FEEDS, reason)

    def service(self, service: FeatureService) -> None:
        ref = refs.feature_service(self._project, service.name)
        facts = {
            **_owner(service.owner),
            "description": service.description,
            "purpose": service.purpose,
            "features": list(service.features),
            "target": service.target.code if service.target else None,
            "target_view": service.target.view if service.target else None,
            "first_seen": service.first_seen.isoformat(),
            "changed_at": service.changed_at.isoformat(),
            "tags": list(service.tags),
            "version": service.version,
            "deprecated": service.deprecated,
        }
        self.node(ref, facts)
        for name in service.features:
            view, _, feature = name.partition(".")
            self._edge(refs.feature(self._project, view, feature), ref, Relation.FEEDS, "the service's definition")

    def wish(self, wish: Wish) -> None:
        facts = {
            "name": wish.name,
            "status": wish.status,
            "created": wish.at.isoformat(),
            "votes": [{"by": vote.by, "why": vote.why} for vote in wish.votes],
            "answer": wish.answer,
            "answered_by": wish.answered_by,
            "answered_at": wish.answered_at.isoformat() if wish.answered_at else None,
            "feature": wish.feature,
        }
        self.node(refs.wish(self._project, wish.number), facts)

    def _edge(self, up: Ref, down: Ref, relation: Relation, reason: str) -> None:
        self.edges.append(Edge(up, down, relation, Evidence.DECLARED, reason))


def visible_inputs(view: AnyView, feature: Feature) -> Iterator[str]:
    """What a feature is made of, by names that people know: through hidden intermediates to features and columns."""
    seen, waiting = set[str](), list(feature.inputs)
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if view.has(name) and view.feature(name).hidden:
            waiting = [*view.feature(name).inputs, *waiting]
        else:
            yield name


def _view(view: AnyView) -> dict[str, Any]:
    return {
        "description": view.description,
        "tags": list(view.tags),
        "first_seen": view.first_seen.isoformat(),
        "changed_at": view.changed_at.isoformat(),
        "version": view.version,
        "features": [f.name for f in view.features if not f.hidden],
        "deprecated": view.deprecated,
    }


def _shared(view: AnyView) -> dict[str, Any]:
    """What a view's features have of it."""
    return {**_owner(view.owner), "purpose": view.purpose}


def _owner(owner: Owner | None) -> dict[str, str | None]:
    return {"owner": owner.name, "owner_email": owner.email} if owner else {}
