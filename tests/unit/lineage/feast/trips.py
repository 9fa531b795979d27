"""A Feast project with what `feast init` has none of: `record.py` applies it. It runs in Feast's own environment."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from datetime import timedelta

from feast import (
    BatchFeatureView,
    BigQuerySource,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    FileSource,
    KafkaSource,
    Project,
    PushSource,
    RequestSource,
    SnowflakeSource,
    StreamFeatureView,
    ValueType,
)
from feast.aggregation import Aggregation
from feast.data_format import DeltaFormat, JsonFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float32, Float64, Int64, String

project = Project(name="trips", description="From here to there.", owner="ana@example.com", tags={"stage": "draft"})
place = Entity(name="place", join_keys=["place_id"], value_type=ValueType.INT64, description="Where.")
rows = FileSource(
    name="places",
    path="s3://lake/places",
    file_format=DeltaFormat(),
    timestamp_field="seen_at",
    field_mapping={"Air Temp (F)": "temp"},
    owner="sky@example.com",
    tags={"airflow.dag_id": "land_places"},
)
weather = FeatureView(
    name="weather",
    entities=[place],
    ttl=timedelta(hours=36),
    schema=[
        Field(name="temp", dtype=Float64, description="Air temperature.", tags={"unit": "F"}),
        Field(name="wind", dtype=Array(Float32)),
        Field(name="shape", dtype=Array(Float32), vector_index=True, vector_length=3),
    ],
    source=rows,
    owner="sky@example.com",
    description="Weather, hour by hour.",
    tags={"team": "sky", "airflow.dag_id": "make_weather", "airflow.task_id": "write"},
)
sales = FeatureView(
    name="sales",
    entities=[place],
    schema=[Field(name="sum", dtype=Int64)],
    source=SnowflakeSource(name="sales", database="shop", schema="public", table="SALES", timestamp_field="at"),
    tags={"dag": "make_sales"},
)
visits = FeatureView(
    name="visits",
    entities=[place],
    schema=[Field(name="visitors", dtype=Int64)],
    source=BigQuerySource(name="visits", table="acme.web.visits", timestamp_field="at"),
)
asked_for = FeatureView(
    name="asked_for",
    entities=[],
    schema=[Field(name="load", dtype=Float64)],
    source=BigQuerySource(name="load", query="SELECT load,\n  at FROM web.load", timestamp_field="at"),
)
clicks = KafkaSource(
    name="clicks",
    timestamp_field="seen_at",
    batch_source=rows,
    kafka_bootstrap_servers="kafka:9092,other:9092",
    message_format=JsonFormat(schema_json="seen_at timestamp"),
    topic="clicks",
)
clicked = StreamFeatureView(
    name="clicked",
    entities=[place],
    schema=[Field(name="sum_clicks_3600s", dtype=Int64), Field(name="place_id", dtype=Int64)],
    source=clicks,
    mode="spark",
    timestamp_field="seen_at",
    aggregations=[Aggregation(column="clicks", function="sum", time_window=timedelta(hours=1))],
)
pushed = FeatureView(
    name="pushed", entities=[place], schema=[Field(name="now", dtype=Float64)],
    source=PushSource(name="pushed", batch_source=rows),
)  # fmt: skip


def doubled(frame):
    return frame


twice = BatchFeatureView(
    name="twice",
    entities=[place],
    schema=[Field(name="temp_twice", dtype=Float64)],
    source=rows,
    mode="python",
    udf=doubled,
    udf_string="def doubled(frame):\n    return frame\n",
)
request = RequestSource(name="asked", schema=[Field(name="limit", dtype=Float64)])


@on_demand_feature_view(sources=[weather, request], schema=[Field(name="hot", dtype=Float64)], mode="python")
def heat(inputs):
    return {"hot": [temp - limit for temp, limit in zip(inputs["temp"], inputs["limit"], strict=True)]}


@on_demand_feature_view(sources=[weather], schema=[Field(name="word", dtype=String)], mode="python")
def words(inputs):
    return {"word": [str(wind) for wind in inputs["wind"]]}


trip = FeatureService(
    name="trip",
    features=[
        weather.with_name("from_weather").with_join_key_map({"place_id": "from_id"})[["temp"]],
        weather.with_name("to_weather").with_join_key_map({"place_id": "to_id"})[["temp", "wind"]],
        sales,
        heat,
        words,
    ],
    description="From here to there.",
    owner="Ana",
    tags={"stage": "draft"},
)
