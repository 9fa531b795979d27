"""Feast's registry as Feast 0.67 writes it (feast/core/*.proto): the messages and fields that lineage is made of.

Functions that Feast keeps as pickles are among the fields that are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from e2e_ml.lineage.collectors.feast_wire import at, message

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


@message
class Field:
    """FeatureSpecV2"""

    name: str = at(1)
    value_type: int = at(2)
    tags: Mapping[str, str] = at(3)
    description: str = at(4)
    vector_index: bool = at(5)
    vector_length: int = at(7)


@message
class Meta:
    """EntityMeta, FeatureServiceMeta, ProjectMeta, LabelViewMeta"""

    created: datetime | None = at(1)
    updated: datetime | None = at(2)


@message
class ProjectSpec:
    name: str = at(1)
    description: str = at(2)
    tags: Mapping[str, str] = at(3)
    owner: str = at(4)


@message
class Project:
    spec: ProjectSpec = at(1)
    meta: Meta = at(2)


@message
class EntitySpec:
    name: str = at(1)
    value_type: int = at(2)
    description: str = at(3)
    join_key: str = at(4)
    tags: Mapping[str, str] = at(8)
    project: str = at(9)
    owner: str = at(10)


@message
class Entity:
    spec: EntitySpec = at(1)
    meta: Meta = at(2)


# --- data sources ----------------------------------------------------------------------------------------------------


@message
class Chosen:
    """A message that stands there or does not; what it holds is not read"""


@message
class FileFormat:
    parquet: Chosen | None = at(1)
    delta: Chosen | None = at(2)


@message
class FileOptions:
    format: FileFormat | None = at(1)
    uri: str = at(2)


@message
class TableOptions:
    """BigQueryOptions, TrinoOptions, and what RedshiftOptions, SnowflakeOptions and AthenaOptions have beside them"""

    table: str = at(1)
    query: str = at(2)
    schema: str = at(3)  # of Athena: the database
    database: str = at(4)  # of Athena: the catalog


@message
class KafkaOptions:
    servers: str = at(1)
    topic: str = at(2)


@message
class KinesisOptions:
    region: str = at(1)
    stream: str = at(2)


@message
class RequestOptions:
    schema: tuple[Field, ...] = at(3)


@message
class CustomOptions:
    configuration: bytes = at(1)


@message
class SparkOptions:
    table: str = at(1)
    query: str = at(2)
    path: str = at(3)
    file_format: str = at(4)


@message
class DataSource:
    type: int = at(1)
    field_mapping: Mapping[str, str] = at(2)  # column -> feature
    timestamp_field: str = at(3)
    file: FileOptions | None = at(11)
    bigquery: TableOptions | None = at(12)
    kafka: KafkaOptions | None = at(13)
    kinesis: KinesisOptions | None = at(14)
    redshift: TableOptions | None = at(15)
    custom: CustomOptions | None = at(16)
    class_type: str = at(17)
    request: RequestOptions | None = at(18)
    snowflake: TableOptions | None = at(19)
    name: str = at(20)
    project: str = at(21)
    description: str = at(23)
    tags: Mapping[str, str] = at(24)
    owner: str = at(25)
    batch_source: DataSource | None = at(26)
    spark: SparkOptions | None = at(27)
    trino: TableOptions | None = at(30)
    athena: TableOptions | None = at(35)


# --- views -----------------------------------------------------------------------------------------------------------


@message
class Function:
    """UserDefinedFunction, UserDefinedFunctionV2"""

    name: str = at(1)
    body_text: str = at(3)


@message
class Transformation:
    """FeatureTransformationV2"""

    function: Function | None = at(1)


@message
class Interval:
    start: datetime | None = at(1)
    end: datetime | None = at(2)


@message
class ViewMeta:
    """FeatureViewMeta"""

    created: datetime | None = at(1)
    updated: datetime | None = at(2)
    intervals: tuple[Interval, ...] = at(3)
    version: int = at(4)


@message
class OnDemandMeta:
    created: datetime | None = at(1)
    updated: datetime | None = at(2)
    version: int = at(3)


@message
class Projection:
    """FeatureViewProjection: some features of a view, perhaps under another name or of a pinned version"""

    view: str = at(1)
    features: tuple[Field, ...] = at(2)
    alias: str = at(3)
    version: int | None = at(10)


@message
class Aggregation:
    column: str = at(1)
    function: str = at(2)
    window: float | None = at(3)
    name: str = at(5)


@message
class ViewSpec:
    """FeatureViewSpec"""

    name: str = at(1)
    project: str = at(2)
    entities: tuple[str, ...] = at(3)
    features: tuple[Field, ...] = at(4)
    tags: Mapping[str, str] = at(5)
    ttl: float | None = at(6)
    batch_source: DataSource | None = at(7)
    stream_source: DataSource | None = at(9)
    description: str = at(10)
    owner: str = at(11)
    entity_columns: tuple[Field, ...] = at(12)
    source_views: tuple[ViewSpec, ...] = at(14)
    transformation: Transformation | None = at(15)


@message
class View:
    """FeatureView; a batch feature view is one with a transformation"""

    spec: ViewSpec = at(1)
    meta: ViewMeta = at(2)


@message
class StreamViewSpec:
    name: str = at(1)
    project: str = at(2)
    entities: tuple[str, ...] = at(3)
    features: tuple[Field, ...] = at(4)
    entity_columns: tuple[Field, ...] = at(5)
    description: str = at(6)
    tags: Mapping[str, str] = at(7)
    owner: str = at(8)
    ttl: float | None = at(9)
    batch_source: DataSource | None = at(10)
    stream_source: DataSource | None = at(11)
    function: Function | None = at(13)
    aggregations: tuple[Aggregation, ...] = at(15)
    timestamp_field: str = at(16)
    transformation: Transformation | None = at(17)


@message
class StreamView:
    spec: StreamViewSpec = at(1)
    meta: ViewMeta = at(2)


@message
class LabelViewSpec:
    name: str = at(1)
    project: str = at(2)
    entities: tuple[str, ...] = at(3)
    features: tuple[Field, ...] = at(4)
    tags: Mapping[str, str] = at(5)
    ttl: float | None = at(6)
    source: DataSource | None = at(7)
    description: str = at(9)
    owner: str = at(10)
    entity_columns: tuple[Field, ...] = at(11)


@message
class LabelView:
    spec: LabelViewSpec = at(1)
    meta: Meta = at(2)


@message
class OnDemandSource:
    view: View | None = at(1)
    request: DataSource | None = at(2)
    projection: Projection | None = at(3)


@message
class OnDemandSpec:
    name: str = at(1)
    project: str = at(2)
    features: tuple[Field, ...] = at(3)
    sources: Mapping[str, OnDemandSource] = at(4)
    function: Function | None = at(5)
    description: str = at(6)
    tags: Mapping[str, str] = at(7)
    owner: str = at(8)
    transformation: Transformation | None = at(10)
    entities: tuple[str, ...] = at(13)
    entity_columns: tuple[Field, ...] = at(14)


@message
class OnDemandView:
    spec: OnDemandSpec = at(1)
    meta: OnDemandMeta = at(2)


# --- feature services, and the whole ---------------------------------------------------------------------------------


@message
class ServiceSpec:
    name: str = at(1)
    project: str = at(2)
    features: tuple[Projection, ...] = at(3)
    tags: Mapping[str, str] = at(4)
    description: str = at(5)
    owner: str = at(6)


@message
class Service:
    spec: ServiceSpec = at(1)
    meta: Meta = at(2)


@message
class VersionRecord:
    view: str = at(1)
    project: str = at(2)
    view_type: str = at(4)


@message
class VersionHistory:
    records: tuple[VersionRecord, ...] = at(1)


@message
class Registry:
    entities: tuple[Entity, ...] = at(1)
    version_id: str = at(4)
    last_updated: datetime | None = at(5)
    views: tuple[View, ...] = at(6)
    services: tuple[Service, ...] = at(7)
    on_demand: tuple[OnDemandView, ...] = at(8)
    sources: tuple[DataSource, ...] = at(12)
    stream_views: tuple[StreamView, ...] = at(14)
    projects: tuple[Project, ...] = at(17)
    history: VersionHistory | None = at(18)
    label_views: tuple[LabelView, ...] = at(19)
