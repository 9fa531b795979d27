"""Feast's registry as Feast 0.67 writes it (feast/core/*.proto): the messages and fields that lineage is made of.

Functions that Feast keeps as pickles are among the fields that are left out.
"""

# ruff: noqa: RUF009 - what is called for a default gives a dataclass field

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from e2e_ml.lineage.collectors.feast_wire import (
    WireError,
    by_key,
    data,
    flag,
    held,
    many,
    maybe,
    moment,
    one,
    pairs,
    present,
    read,
    seconds,
    text,
    texts,
    whole,
)  # fmt: skip

# feast.types.ValueType.Enum, as festaf spells its types.
VALUE_TYPES: Mapping[int, str] = {
    1: "bytes", 2: "string", 3: "int32", 4: "int64", 5: "float64", 6: "float32", 7: "bool", 8: "timestamp",
    11: "list(bytes)", 12: "list(string)", 13: "list(int32)", 14: "list(int64)", 15: "list(float64)",
    16: "list(float32)", 17: "list(bool)", 18: "list(timestamp)", 20: "map", 21: "list(map)",
    22: "set(bytes)", 23: "set(string)", 24: "set(int32)", 25: "set(int64)", 26: "set(float64)", 27: "set(float32)",
    28: "set(bool)", 29: "set(timestamp)", 32: "json", 33: "list(json)", 34: "struct", 35: "list(struct)",
    36: "uuid", 37: "uuid", 38: "list(uuid)", 39: "list(uuid)", 40: "set(uuid)", 41: "set(uuid)", 42: "list",
    43: "set", 44: "decimal", 45: "list(decimal)", 46: "set(decimal)", 47: "map", 48: "timestamp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """FeatureSpecV2"""

    name: str = text(1)
    value_type: int = whole(2)
    tags: Mapping[str, str] = pairs(3)
    description: str = text(4)
    vector_index: bool = flag(5)
    vector_length: int = whole(7)


@dataclass(frozen=True, slots=True)
class Meta:
    """EntityMeta, FeatureServiceMeta, ProjectMeta, LabelViewMeta"""

    created: datetime | None = moment(1)
    updated: datetime | None = moment(2)


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    name: str = text(1)
    description: str = text(2)
    tags: Mapping[str, str] = pairs(3)
    owner: str = text(4)


@dataclass(frozen=True, slots=True)
class Project:
    spec: ProjectSpec = held(1, lambda: ProjectSpec)
    meta: Meta = held(2, lambda: Meta)


@dataclass(frozen=True, slots=True)
class EntitySpec:
    name: str = text(1)
    value_type: int = whole(2)
    description: str = text(3)
    join_key: str = text(4)
    tags: Mapping[str, str] = pairs(8)
    project: str = text(9)
    owner: str = text(10)


@dataclass(frozen=True, slots=True)
class Entity:
    spec: EntitySpec = held(1, lambda: EntitySpec)
    meta: Meta = held(2, lambda: Meta)


# --- data sources ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileFormat:
    parquet: bool = present(1)
    delta: bool = present(2)


@dataclass(frozen=True, slots=True)
class FileOptions:
    format: FileFormat | None = one(1, lambda: FileFormat)
    uri: str = text(2)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """BigQueryOptions, TrinoOptions, and what RedshiftOptions, SnowflakeOptions and AthenaOptions have beside them"""

    table: str = text(1)
    query: str = text(2)
    schema: str = text(3)  # of Athena: the database
    database: str = text(4)  # of Athena: the catalog


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    servers: str = text(1)
    topic: str = text(2)


@dataclass(frozen=True, slots=True)
class KinesisOptions:
    region: str = text(1)
    stream: str = text(2)


@dataclass(frozen=True, slots=True)
class RequestOptions:
    schema: tuple[Field, ...] = many(3, lambda: Field)


@dataclass(frozen=True, slots=True)
class CustomOptions:
    configuration: bytes = data(1)


@dataclass(frozen=True, slots=True)
class SparkOptions:
    table: str = text(1)
    query: str = text(2)
    path: str = text(3)
    file_format: str = text(4)


@dataclass(frozen=True, slots=True)
class DataSource:
    type: int = whole(1)
    field_mapping: Mapping[str, str] = pairs(2)  # column -> feature
    timestamp_field: str = text(3)
    file: FileOptions | None = one(11, lambda: FileOptions)
    bigquery: TableOptions | None = one(12, lambda: TableOptions)
    kafka: KafkaOptions | None = one(13, lambda: KafkaOptions)
    kinesis: KinesisOptions | None = one(14, lambda: KinesisOptions)
    redshift: TableOptions | None = one(15, lambda: TableOptions)
    custom: CustomOptions | None = one(16, lambda: CustomOptions)
    class_type: str = text(17)
    request: RequestOptions | None = one(18, lambda: RequestOptions)
    snowflake: TableOptions | None = one(19, lambda: TableOptions)
    name: str = text(20)
    project: str = text(21)
    description: str = text(23)
    tags: Mapping[str, str] = pairs(24)
    owner: str = text(25)
    batch_source: DataSource | None = one(26, lambda: DataSource)
    spark: SparkOptions | None = one(27, lambda: SparkOptions)
    trino: TableOptions | None = one(30, lambda: TableOptions)
    athena: TableOptions | None = one(35, lambda: TableOptions)


# --- views -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """UserDefinedFunction, UserDefinedFunctionV2"""

    name: str = text(1)
    body_text: str = text(3)


@dataclass(frozen=True, slots=True)
class Transformation:
    """FeatureTransformationV2"""

    function: Function | None = one(1, lambda: Function)


@dataclass(frozen=True, slots=True)
class Interval:
    start: datetime | None = moment(1)
    end: datetime | None = moment(2)


@dataclass(frozen=True, slots=True)
class ViewMeta:
    """FeatureViewMeta"""

    created: datetime | None = moment(1)
    updated: datetime | None = moment(2)
    intervals: tuple[Interval, ...] = many(3, lambda: Interval)
    version: int = whole(4)


@dataclass(frozen=True, slots=True)
class OnDemandMeta:
    created: datetime | None = moment(1)
    updated: datetime | None = moment(2)
    version: int = whole(3)


@dataclass(frozen=True, slots=True)
class Projection:
    """FeatureViewProjection: some features of a view, perhaps under another name or of a pinned version"""

    view: str = text(1)
    features: tuple[Field, ...] = many(2, lambda: Field)
    alias: str = text(3)
    version: int | None = maybe(10)


@dataclass(frozen=True, slots=True)
class Aggregation:
    column: str = text(1)
    function: str = text(2)
    window: float | None = seconds(3)
    name: str = text(5)


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """FeatureViewSpec"""

    name: str = text(1)
    project: str = text(2)
    entities: tuple[str, ...] = texts(3)
    features: tuple[Field, ...] = many(4, lambda: Field)
    tags: Mapping[str, str] = pairs(5)
    ttl: float | None = seconds(6)
    batch_source: DataSource | None = one(7, lambda: DataSource)
    stream_source: DataSource | None = one(9, lambda: DataSource)
    description: str = text(10)
    owner: str = text(11)
    entity_columns: tuple[Field, ...] = many(12, lambda: Field)
    source_views: tuple[ViewSpec, ...] = many(14, lambda: ViewSpec)
    transformation: Transformation | None = one(15, lambda: Transformation)


@dataclass(frozen=True, slots=True)
class View:
    """FeatureView; a batch feature view is one with a transformation"""

    spec: ViewSpec = held(1, lambda: ViewSpec)
    meta: ViewMeta = held(2, lambda: ViewMeta)


@dataclass(frozen=True, slots=True)
class StreamViewSpec:
    name: str = text(1)
    project: str = text(2)
    entities: tuple[str, ...] = texts(3)
    features: tuple[Field, ...] = many(4, lambda: Field)
    entity_columns: tuple[Field, ...] = many(5, lambda: Field)
    description: str = text(6)
    tags: Mapping[str, str] = pairs(7)
    owner: str = text(8)
    ttl: float | None = seconds(9)
    batch_source: DataSource | None = one(10, lambda: DataSource)
    stream_source: DataSource | None = one(11, lambda: DataSource)
    function: Function | None = one(13, lambda: Function)
    aggregations: tuple[Aggregation, ...] = many(15, lambda: Aggregation)
    timestamp_field: str = text(16)
    transformation: Transformation | None = one(17, lambda: Transformation)


@dataclass(frozen=True, slots=True)
class StreamView:
    spec: StreamViewSpec = held(1, lambda: StreamViewSpec)
    meta: ViewMeta = held(2, lambda: ViewMeta)


@dataclass(frozen=True, slots=True)
class LabelViewSpec:
    name: str = text(1)
    project: str = text(2)
    entities: tuple[str, ...] = texts(3)
    features: tuple[Field, ...] = many(4, lambda: Field)
    tags: Mapping[str, str] = pairs(5)
    ttl: float | None = seconds(6)
    source: DataSource | None = one(7, lambda: DataSource)
    description: str = text(9)
    owner: str = text(10)
    entity_columns: tuple[Field, ...] = many(11, lambda: Field)


@dataclass(frozen=True, slots=True)
class LabelView:
    spec: LabelViewSpec = held(1, lambda: LabelViewSpec)
    meta: Meta = held(2, lambda: Meta)


@dataclass(frozen=True, slots=True)
class OnDemandSource:
    view: View | None = one(1, lambda: View)
    request: DataSource | None = one(2, lambda: DataSource)
    projection: Projection | None = one(3, lambda: Projection)


@dataclass(frozen=True, slots=True)
class OnDemandSpec:
    name: str = text(1)
    project: str = text(2)
    features: tuple[Field, ...] = many(3, lambda: Field)
    sources: Mapping[str, OnDemandSource] = by_key(4, lambda: OnDemandSource)
    function: Function | None = one(5, lambda: Function)
    description: str = text(6)
    tags: Mapping[str, str] = pairs(7)
    owner: str = text(8)
    transformation: Transformation | None = one(10, lambda: Transformation)
    entities: tuple[str, ...] = texts(13)
    entity_columns: tuple[Field, ...] = many(14, lambda: Field)


@dataclass(frozen=True, slots=True)
class OnDemandView:
    spec: OnDemandSpec = held(1, lambda: OnDemandSpec)
    meta: OnDemandMeta = held(2, lambda: OnDemandMeta)


# --- feature services, and the whole ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    name: str = text(1)
    project: str = text(2)
    features: tuple[Projection, ...] = many(3, lambda: Projection)
    tags: Mapping[str, str] = pairs(4)
    description: str = text(5)
    owner: str = text(6)


@dataclass(frozen=True, slots=True)
class Service:
    spec: ServiceSpec = held(1, lambda: ServiceSpec)
    meta: Meta = held(2, lambda: Meta)


@dataclass(frozen=True, slots=True)
class VersionRecord:
    view: str = text(1)
    project: str = text(2)
    view_type: str = text(4)


@dataclass(frozen=True, slots=True)
class VersionHistory:
    records: tuple[VersionRecord, ...] = many(1, lambda: VersionRecord)


@dataclass(frozen=True, slots=True)
class Registry:
    entities: tuple[Entity, ...] = many(1, lambda: Entity)
    version_id: str = text(4)
    last_updated: datetime | None = moment(5)
    views: tuple[View, ...] = many(6, lambda: View)
    services: tuple[Service, ...] = many(7, lambda: Service)
    on_demand: tuple[OnDemandView, ...] = many(8, lambda: OnDemandView)
    sources: tuple[DataSource, ...] = many(12, lambda: DataSource)
    stream_views: tuple[StreamView, ...] = many(14, lambda: StreamView)
    projects: tuple[Project, ...] = many(17, lambda: Project)
    history: VersionHistory | None = one(18, lambda: VersionHistory)
    label_views: tuple[LabelView, ...] = many(19, lambda: LabelView)


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
    entities, views, services = list[Entity](), list[View](), list[Service]()
    on_demand, streams, labels = list[OnDemandView](), list[StreamView](), list[LabelView]()
    sources = list[DataSource]()
    for name, part in parts.items():
        entities += [replace(each, spec=replace(each.spec, project=name)) for each in part.entities]
        views += [replace(each, spec=replace(each.spec, project=name)) for each in part.views]
        services += [replace(each, spec=replace(each.spec, project=name)) for each in part.services]
        on_demand += [replace(each, spec=replace(each.spec, project=name)) for each in part.on_demand]
        streams += [replace(each, spec=replace(each.spec, project=name)) for each in part.stream_views]
        labels += [replace(each, spec=replace(each.spec, project=name)) for each in part.label_views]
        sources += [replace(each, project=name) for each in part.sources]
    return replace(
        registry,
        entities=tuple(entities),
        views=tuple(views),
        services=tuple(services),
        on_demand=tuple(on_demand),
        stream_views=tuple(streams),
        label_views=tuple(labels),
        sources=tuple(sources),
    )


def _things(
    registry: Registry,
) -> tuple[Entity | View | Service | OnDemandView | StreamView | LabelView, ...]:
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
