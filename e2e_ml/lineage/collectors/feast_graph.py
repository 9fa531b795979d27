"""Feast's registry as records: a pure function from its messages to nodes and edges, under feast://."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from e2e_ml import refs
from e2e_ml.lineage.collectors import Record
from e2e_ml.lineage.collectors.feast_functions import Made, made_of
from e2e_ml.lineage.collectors.feast_registry import (
    VALUE_TYPES,
    Aggregation,
    DataSource,
    Entity,
    Field,
    Meta,
    OnDemandMeta,
    OnDemandView,
    Project,
    Projection,
    Registry,
    Service,
)
from e2e_ml.lineage.collectors.feast_sources import columns_of, format_of, place_of, source_name, uri_of
from e2e_ml.lineage.collectors.feast_views import PlainView, aggregated, code_of, of_batch, of_label, of_stream
from e2e_ml.lineage.collectors.http import known
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import FEAST, Ref

DAG_TAGS = ("airflow.dag_id", "airflow_dag_id", "dag_id", "airflow.dag", "airflow_dag", "dag")
TASK_TAGS = ("airflow.task_id", "airflow_task_id", "task_id", "airflow.task", "airflow_task")
_HOUSEKEEPING = ("feast:", "feast.io/")  # tags that Feast keeps for itself
_DUMMY = "__dummy"  # the entity of views without one
_TYPES = {"STRING": "string", "INT32": "int32", "INT64": "int64", "FLOAT": "float32", "DOUBLE": "float64"}
_STRUCT = "feast:struct_schema"


def registry_records(registry: Registry, folder: Path | None = None, project: str | None = None) -> list[Record]:
    """Everything in the registry, or in one project of it.

    folder: what the paths of sources are relative to, where it is known. Raises ValueError for a thing without a name.
    """
    return list(_Builder(registry, folder, project).records())


class _Builder:
    def __init__(self, registry: Registry, folder: Path | None, project: str | None) -> None:
        self._registry, self._folder, self._only = registry, folder, project
        views = (
            *map(of_batch, registry.views),
            *map(of_stream, registry.stream_views),
            *map(of_label, registry.label_views),
        )
        self._views = [view for view in views if self._wanted(view.project)]
        self._on_demands = [each for each in registry.on_demand if self._wanted(each.spec.project)]
        self._entities = {(e.spec.project, e.spec.name): e for e in registry.entities if self._wanted(e.spec.project)}
        self._key_types = {(view.project, c.name): _dtype(c) for view in reversed(self._views) for c in view.columns}
        self._features: dict[tuple[str, str], list[str]] = {}  # (project, view) -> its features
        for view in self._views:
            self._features[view.project, view.name] = [f.name for f in view.features]
        for each in self._on_demands:
            self._features[each.spec.project, each.spec.name] = [f.name for f in each.spec.features]

    def _wanted(self, project: str) -> bool:
        return self._only is None or project == self._only

    def records(self) -> Iterator[Record]:
        for project in self._registry.projects:
            if self._wanted(project.spec.name):
                yield self._project(project)
        yield from self._sources()
        for (project, name), entity in self._entities.items():
            if not name.startswith(_DUMMY):
                yield self._entity(project, entity)
        for view in self._views:
            yield from self._view(view)
        for each in self._on_demands:
            yield from self._on_demand(each)
        for service in self._registry.services:
            if self._wanted(service.spec.project):
                yield self._service(service)

    # --- projects, entities, sources --------------------------------------------------------------------------------

    def _project(self, project: Project) -> Record:
        spec = project.spec
        facts = {
            **_about(spec.description, spec.owner, spec.tags),
            "applied_at": _iso(self._registry.last_updated),
            "registry": self._registry.version_id,
        }
        return _record(refs.project(spec.name, FEAST), facts)

    def _entity(self, project: str, entity: Entity) -> Record:
        spec = entity.spec
        dtype = VALUE_TYPES.get(spec.value_type) or self._key_types.get((project, spec.join_key))
        facts = {
            **_about(spec.description, spec.owner, spec.tags),
            "dtype": dtype,
            "join_key": spec.join_key,
            **_times(entity.meta),
        }
        return _record(refs.entity(project, spec.name, FEAST), facts)

    def _sources(self) -> Iterator[Record]:
        found = {(s.project, s.name): s for s in self._registry.sources if s.name and self._wanted(s.project)}
        columns: dict[tuple[str, str], set[str]] = {}
        for view in self._views:
            for source, _ in view.sources:
                key = (view.project, source_name(source, view.name))
                found.setdefault(key, source)
                columns.setdefault(key, set()).update(self._read_of(view, source))
        for each in self._on_demands:
            for name, source in each.spec.sources.items():
                if source.request:
                    found.setdefault((each.spec.project, source.request.name or name), source.request)
        for (project, name), source in found.items():
            facts = {
                **_about(source.description, source.owner, source.tags),
                **_dag_of(source.tags),
                "uri": uri_of(source),
                "format": format_of(source),
                "place": place_of(source, self._folder),
                "columns": columns_of(source) or sorted(columns.get((project, name), ())) or None,
            }
            yield _record(refs.source(project, name, FEAST), facts)

    def _read_of(self, view: PlainView, source: DataSource) -> Iterator[str]:
        """The columns of a source that a view reads, as the source calls them."""
        theirs = {feature: column for column, feature in source.field_mapping.items()}
        names = [*self._keys(view.project, view.entities), view.event_time]
        if not view.aggregations and not view.code:
            names += [f.name for f in view.features]
        names += [a.column for a in view.aggregations]
        yield from (theirs.get(name, name) for name in names if name)

    def _keys(self, project: str, entities: Iterable[str]) -> list[str]:
        """The join keys of entities."""
        found = ((name, self._entities.get((project, name))) for name in entities if not name.startswith(_DUMMY))
        return [entity.spec.join_key or name if entity else name for name, entity in found]

    # --- views ------------------------------------------------------------------------------------------------------

    def _view(self, view: PlainView) -> Iterator[Record]:
        ref = refs.feature_view(view.project, view.name, FEAST)
        about = _about(view.description, view.owner, view.tags)
        ends = [interval.end for interval in view.intervals if interval.end]
        shared = {
            **_owner(view.owner),
            "source": source_name(view.sources[0][0], view.name) if view.sources else None,
            "written_until": _iso(max(ends, default=None)),
            # Feast keeps no time of a write; writing is what changed the view's record last.
            "last_written": _iso(view.updated) if ends else None,
        }
        facts = {
            **about,
            **shared,
            **_dag_of(view.tags),
            "entities": self._keys(view.project, view.entities),
            "event_time": view.event_time,
            "ttl": view.ttl or None,
            "features": [f.name for f in view.features],
            "first_seen": _iso(view.created),
            "changed_at": _iso(view.updated),
            "version": view.version,
        }
        edges = [
            _edge(refs.source(view.project, source_name(source, view.name), FEAST), ref, Relation.FEEDS, reason)
            for source, reason in view.sources
        ]
        for parent in view.parents:
            up = refs.feature_view(parent.project or view.project, parent.name, FEAST)
            edges.append(_edge(up, ref, Relation.FEEDS, "a source of the view's definition"))
        edges += self._entity_edges(view.project, view.entities, ref)
        yield _record(ref, facts, edges)
        made = {aggregated(a): a for a in view.aggregations}
        theirs = {f: column for source, _ in view.sources for column, f in source.field_mapping.items()}
        for field in view.features:
            yield self._stored(view, field, shared, made.get(field.name), theirs.get(field.name, field.name))

    def _stored(
        self, view: PlainView, field: Field, shared: Mapping[str, Any], aggregation: Aggregation | None, column: str
    ) -> Record:
        facts = {**shared, "first_seen": _iso(view.created), "changed_at": _iso(view.updated)}
        if aggregation is not None:
            window = f" over {aggregation.window:g} s" if aggregation.window else ""
            facts["expression"] = f"{aggregation.function}({aggregation.column}){window}"
            facts["inputs"] = [aggregation.column]
        elif view.code:
            facts["expression"] = view.code
        else:
            facts["inputs"] = [column]
        return _feature(view.project, view.name, field, facts)

    def _entity_edges(self, project: str, entities: Iterable[str], view: Ref) -> Iterator[Edge]:
        for name in entities:
            if not name.startswith(_DUMMY):
                yield _edge(refs.entity(project, name, FEAST), view, Relation.KEYS, "the view's key")

    def _on_demand(self, view: OnDemandView) -> Iterator[Record]:
        spec = view.spec
        ref = refs.feature_view(spec.project, spec.name, FEAST)
        reads = [p for source in spec.sources.values() if (p := source.projection)]
        reads += [
            Projection(source.view.spec.name, source.view.spec.features, alias="", version=None)
            for source in spec.sources.values()
            if source.view and not source.projection
        ]
        requests = {s.request.name or name: s.request for name, s in spec.sources.items() if s.request}
        request = [name for source in requests.values() for name in columns_of(source)]
        facts = {
            **_about(spec.description, spec.owner, spec.tags),
            **_dag_of(spec.tags),
            **_times(view.meta),
            "entities": self._keys(spec.project, spec.entities) or None,
            "features": [f.name for f in spec.features],
            "version": view.meta.version,
            "on_demand": True,
            "request": request,
        }
        edges = [
            _edge(refs.source(spec.project, name, FEAST), ref, Relation.FEEDS, "comes with the request")
            for name in requests
        ]
        for name in dict.fromkeys(read.view for read in reads):
            up = refs.feature_view(spec.project, name, FEAST)
            edges.append(_edge(up, ref, Relation.FEEDS, "its features are read on demand"))
        edges += self._entity_edges(spec.project, spec.entities, ref)
        yield _record(ref, facts, edges)
        columns = {name: name for name in request}
        for read in reads:
            for name in self._held(spec.project, read):
                full = f"{read.view}.{name}"
                columns |= {name: full, f"{read.alias or read.view}__{name}": full}
        exact, whole = made_of(code_of(spec.transformation, spec.function), list(columns))
        for field in spec.features:
            yield self._computed(view, field, exact.get(field.name, whole), columns)

    def _computed(self, view: OnDemandView, field: Field, made: Made, columns: Mapping[str, str]) -> Record:
        """columns: what the view's function reads -> `view.feature`, or the name of a value that is asked for."""
        spec = view.spec
        inputs = list(dict.fromkeys(columns[name] for name in made.columns))
        facts = {
            **_owner(spec.owner),
            **_times(view.meta),
            "on_demand": True,
            "inputs": inputs or None,
            "request": [name for name in inputs if "." not in name] or None,
            "expression": made.code,
        }
        ref = refs.feature(spec.project, spec.name, field.name, FEAST)
        reason = "an input of its expression" if made.exact else "an input of its view's function"
        edges = [
            _edge(refs.feature(spec.project, *_split(name), FEAST), ref, Relation.FEEDS, reason)
            for name in inputs
            if "." in name
        ]
        return _feature(spec.project, spec.name, field, facts, edges)

    def _held(self, project: str, read: Projection) -> list[str]:
        """The features that a projection takes: all of the view's where it names none."""
        return [f.name for f in read.features] or self._features.get((project, read.view), [])

    # --- feature services -------------------------------------------------------------------------------------------

    def _service(self, service: Service) -> Record:
        spec = service.spec
        ref = refs.feature_service(spec.project, spec.name, FEAST)
        names = dict.fromkeys((read.view, name) for read in spec.features for name in self._held(spec.project, read))
        facts = {
            **_about(spec.description, spec.owner, spec.tags),
            "features": [f"{view}.{name}" for view, name in names],
            **_times(service.meta),
            # How runs call its views: {"from_weather": "weather"}; and the versions that it holds to.
            "aliases": {read.alias: read.view for read in spec.features if read.alias} or None,
            "pinned": {read.view: read.version for read in spec.features if read.version is not None} or None,
        }
        edges = [
            _edge(refs.feature(spec.project, view, name, FEAST), ref, Relation.FEEDS, "the service's definition")
            for view, name in names
        ]
        return _record(ref, facts, edges)


# --- facts -----------------------------------------------------------------------------------------------------------


def _feature(project: str, view: str, field: Field, facts: Mapping[str, Any], edges: Iterable[Edge] = ()) -> Record:
    ref = refs.feature(project, view, field.name, FEAST)
    own = {"dtype": _dtype(field), "description": field.description, "tags": _words(field.tags)}
    contained = _edge(refs.feature_view(project, view, FEAST), ref, Relation.CONTAINS, "the view's definition")
    return _record(ref, {**facts, **own}, (contained, *edges))


def _dtype(field: Field) -> str | None:
    if field.vector_index and field.vector_length > 0:
        return f"embedding({field.vector_length})"
    dtype = VALUE_TYPES.get(field.value_type)
    if dtype == "struct" and (fields := _struct(field.tags.get(_STRUCT, ""))):
        return f"struct({', '.join(f'{name}: {inner}' for name, inner in fields.items())})"
    return dtype


def _struct(schema: str) -> dict[str, str]:
    """The fields of a struct, which Feast keeps as JSON in a tag of the feature."""
    try:
        told: Any = json.loads(schema) if schema else {}
    except ValueError:
        return {}
    fields = cast(dict[str, Any], told) if isinstance(told, dict) else {}
    return {name: _TYPES.get(str(inner), str(inner).lower()) for name, inner in fields.items()}


def _about(description: str, owner: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"description": description, **_owner(owner), "tags": _words(tags)}


def _owner(owner: str) -> dict[str, str | None]:
    return {"owner": owner or None, "owner_email": owner if "@" in owner else None}


def _words(tags: Mapping[str, str]) -> list[str]:
    """Pairs as the words that festaf has for tags: "team:drivers"; in one order, for a map has none."""
    kept = ((key, value) for key, value in sorted(tags.items()) if not key.startswith(_HOUSEKEEPING))
    return [f"{key}:{value}" if value else key for key, value in kept]


def _dag_of(tags: Mapping[str, str]) -> dict[str, str]:
    """The DAG, and perhaps the task, that tags name, and which tag it was."""
    tag = next((tag for tag in DAG_TAGS if tags.get(tag)), None)
    if tag is None:
        return {}
    task = next((tags[each] for each in TASK_TAGS if tags.get(each)), None)
    return {"dag_id": tags[tag], "dag_tag": tag, **({"task_id": task} if task else {})}


def _times(meta: Meta | OnDemandMeta) -> dict[str, str | None]:
    return {"first_seen": _iso(meta.created), "changed_at": _iso(meta.updated)}


def _split(full_name: str) -> tuple[str, str]:
    view, _, feature = full_name.partition(".")
    return view, feature


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _record(ref: Ref, facts: Mapping[str, Any], edges: Iterable[Edge] = ()) -> Record:
    return Record(Node(ref, known({**facts, "store": "feast"})), tuple(edges))


def _edge(up: Ref, down: Ref, relation: Relation, reason: str) -> Edge:
    return Edge(up, down, relation, Evidence.DECLARED, reason)
