"""A Feast repository becomes definitions: `feast init`'s own, to equal historical values, and one with all there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.feast.commands import import_feast
from e2e_ml.festaf.feast.reading import FeastError, read
from e2e_ml.festaf.model import Owner
from e2e_ml.festaf.store import FeatureStore
from tests.feast_environment import feast_python

ANSWERS = Path(__file__).with_name("feast_answers.py")
SERVICE = "driver_activity_v2"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def python() -> Path:
    return feast_python()


def imported(repository: Path, python: Path, output: Path) -> str:
    done = CliRunner().invoke(import_feast, [str(repository), "--python", str(python), "--output", str(output)])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def drivers(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `feast init` makes, with the store that gives ties and missing rows as they are."""
    folder = tmp_path_factory.mktemp("feast")
    subprocess.run([python.with_name("feast"), "init", "drivers"], cwd=folder, check=True, capture_output=True)
    repository = folder / "drivers" / "feature_repo"
    with (repository / "feature_store.yaml").open("a") as settings:
        settings.write("\noffline_store:\n  type: duckdb\n")
    return repository


@pytest.fixture(scope="module")
def asked(drivers: Path) -> pl.DataFrame:
    """400 rows around what is stored: before it, within, past its time to live, and of a driver that nobody knows."""
    stored = pl.read_parquet(drivers / "data" / "driver_stats.parquet", columns=["driver_id", "event_timestamp"])
    some = stored.sample(400, seed=1, shuffle=True)
    moved = pl.col("event_timestamp").cast(pl.Datetime("us", "UTC")) + pl.duration(
        minutes=pl.int_range(400) * 11 - 1100
    )
    return some.with_columns(
        pl.when(pl.int_range(400) % 50 == 7).then(4242).otherwise("driver_id").alias("driver_id"),
        moved,
        pl.int_range(400, dtype=pl.Int64).alias("val_to_add"),
        pl.lit(10, pl.Int64).alias("val_to_add_2"),
    )


def test_what_feast_init_makes_gives_the_values_that_feast_gives(
    drivers: Path, asked: pl.DataFrame, python: Path, tmp_path: Path
) -> None:
    output = tmp_path / "festaf"
    told = imported(drivers, python, output)
    assert "Left behind" not in told
    store = FeatureStore.open(output, name="drivers")
    registry = store.apply(store.plan(load_definitions(output)))
    stats = store.view("driver_hourly_stats")
    assert stats.ttl_seconds == timedelta(days=1).total_seconds()
    assert (stats.event_time, stats.created_time, stats.tags) == (
        "event_timestamp", "created", ("team:driver_performance",),
    )  # fmt: skip
    assert stats.feature("avg_daily_trips").description == "Average daily trips"
    assert [service.name for service in registry.services] == [f"driver_activity_v{i}" for i in (1, 2, 3)]

    rows = pl.read_parquet(drivers / "data" / "driver_stats.parquet", columns=["event_timestamp"])["event_timestamp"]
    first, last = rows.cast(pl.Datetime("us", "UTC")).min(), rows.cast(pl.Datetime("us", "UTC")).max()
    store.load(stats, first, last + timedelta(hours=1))  # type: ignore[operator]
    ours = store.historical(SERVICE, asked).to_polars()

    asked.write_parquet(tmp_path / "asked.parquet")
    command = [python, ANSWERS, drivers, tmp_path / "asked.parquet", tmp_path / "answer.parquet", SERVICE]
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore", "FEAST_USAGE": "False"}
    subprocess.run(command, check=True, capture_output=True, env=quiet)
    theirs = pl.read_parquet(tmp_path / "answer.parquet").select(
        ours.columns
    )  # pandas makes floats of missing integers

    assert theirs.height == asked.height
    theirs = ours.select("val_to_add").join(theirs, on="val_to_add", maintain_order="left").select(ours.columns)
    missing = ours["driver_hourly_stats__conv_rate"].null_count()
    assert 20 < missing < 380
    for name in ours.columns:
        given, wanted = ours[name], theirs[name]
        if given.dtype == pl.Struct:
            given, wanted = given.struct.unnest(), wanted.struct.unnest()
            assert given.equals(wanted), name
        else:
            assert given.cast(wanted.dtype).equals(wanted, check_names=False, null_equal=True), name


REPOSITORY = """
from datetime import timedelta

import numpy as np
import pandas as pd
from feast import (
    BatchFeatureView, Entity, FeatureService, FeatureView, Field, FileSource, KafkaSource, RequestSource,
    SnowflakeSource,
    ValueType,
)
from feast.aggregation import Aggregation
from feast.data_format import JsonFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bytes, Float32, Float64, Int64, String, UnixTimestamp

place = Entity(name="place", join_keys=["place_id"], value_type=ValueType.INT64, description="Where.")
rows = FileSource(
    name="places", path="data/places.parquet", timestamp_field="seen_at", field_mapping={"Air Temp (F)": "temp"}
)
weather = FeatureView(
    name="weather",
    entities=[place],
    ttl=timedelta(0),
    schema=[
        Field(name="temp", dtype=Float64, description="Air temperature.", tags={"unit": "F"}),
        Field(name="wind", dtype=Array(Float32)),
        Field(name="shape", dtype=Array(Float32), vector_index=True, vector_length=3),
        Field(name="since", dtype=UnixTimestamp),
        Field(name="photo", dtype=Bytes),
        Field(name="tags", dtype=String),
    ],
    source=rows,
    owner="weather@example.com",
    description="Weather, hour by hour.",
    tags={"team": "sky"},
    online=False,
)
sales = FeatureView(
    name="sales", entities=[place], schema=[Field(name="sum", dtype=Int64)], ttl=timedelta(hours=36),
    source=SnowflakeSource(name="sales", database="shop", schema="public", table="SALES", timestamp_field="at"),
)
clicks = FeatureView(
    name="clicks", entities=[place], schema=[Field(name="count", dtype=Int64)],
    source=KafkaSource(
        name="clicks", timestamp_field="seen_at", batch_source=rows, kafka_bootstrap_servers="kafka:9092",
        message_format=JsonFormat(schema_json="seen_at timestamp"), topic="clicks",
    ),
)
everywhere = FeatureView(name="everywhere", entities=[], schema=[Field(name="load", dtype=Float64)], source=rows)


def doubled(frame):
    return frame


batch = BatchFeatureView(
    name="batch", entities=[place], schema=[Field(name="twice", dtype=Float64)], source=rows, mode="python",
    udf=doubled, udf_string="def doubled(frame):\\n    return frame\\n",
)
hourly = BatchFeatureView(
    name="hourly", entities=[place], source=FileSource(path="data/seen.parquet", timestamp_field="seen_at"),
    mode="python", schema=[Field(name="mean_temp_3600s", dtype=Float64, description="Of an hour.")],
    aggregations=[
        Aggregation(column="temp", function="mean", time_window=timedelta(hours=1)),
        Aggregation(column="rain", function="count", time_window=timedelta(days=1), name="rain_1d"),
    ],
)
request = RequestSource(name="asked", schema=[Field(name="limit", dtype=Float64)])


@on_demand_feature_view(sources=[weather, request], schema=[Field(name="hot", dtype=Float64)], mode="python")
def heat(inputs):
    return {"hot": [temp - limit for temp, limit in zip(inputs["temp"], inputs["limit"])]}


@on_demand_feature_view(sources=[weather], schema=[Field(name="log_temp", dtype=Float64)])
def logs(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["log_temp"] = np.log(inputs["temp"])
    return df


trip = FeatureService(
    name="trip",
    features=[
        weather.with_name("from_weather").with_join_key_map({"place_id": "from_id"})[["temp"]],
        weather.with_name("to_weather").with_join_key_map({"place_id": "to_id"})[["temp"]],
        sales,
        heat,
        logs,
    ],
    description="From here to there.",
    owner="Ana",
    tags={"stage": "draft"},
)
"""
SETTINGS = """
project: trips
provider: local
registry: data/registry.db
entity_key_serialization_version: 3
"""


def test_all_that_a_repository_can_hold(python: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repo"
    repository.mkdir()
    (repository / "features_of_trips.py").write_text(REPOSITORY)
    (repository / "feature_store.yaml").write_text(SETTINGS)
    (repository / "data").mkdir()
    times = [START + timedelta(minutes=20 * i) for i in range(6)]
    seen = pl.DataFrame({"place_id": 1, "seen_at": times, "temp": [1.5, 2.5, None, 4.5, 5.5, 6.5], "rain": [True] * 6})
    seen.write_parquet(repository / "data" / "seen.parquet")
    before = sorted(repository.rglob("*"))
    told = imported(repository, python, tmp_path / "new")
    assert sorted(repository.rglob("*")) == before  # nothing was applied there
    carried, _, left = told.partition("Left behind:")
    assert [line.strip() for line in carried.splitlines()[1:9]] == [
        "feature view clicks", "feature view hourly", "feature view sales", "feature view weather",
        "on-demand view heat", "feature view from_weather", "feature view to_weather", "feature service trip",
    ]  # fmt: skip
    assert "feature view weather: its feature tags is called tags_ here." in carried
    assert [line.strip().partition(". ")[0] for line in left.splitlines() if line.startswith("  ")] == [
        "feature view batch: its features are computed by a function over the whole source, and line 2 says "
        "`return frame`",
        "feature view clicks, clicks: festaf does not listen to Kafka: push its rows, or load them.",
        "feature view everywhere: it has no entity; a view here has at least one",
        "feature view sales, its source: festaf does not read SnowflakeSource SALES",
        "feature view weather, photo: festaf has no type for Bytes",
        "on-demand view logs: its function is no expression: it says `np.log(inputs['temp'])`",
        "feature service trip, logs: the view was left out.",
    ]

    output = tmp_path / "new"
    text = (output / "features.py").read_text()
    ruff = [shutil.which("ruff", path=Path(sys.executable).parent), "format", "--check", "--line-length", "120"]
    subprocess.run([*map(str, ruff), output / "features.py"], check=True, capture_output=True)
    assert "    hot = Weather.temp - limit\n" in text
    assert "    features = (FromWeather.temp, ToWeather.temp, Sales.sum, Heat.hot)\n" in text
    store = FeatureStore.open(output, name="trips")
    registry = store.apply(store.plan(load_definitions(output)))
    weather = store.view("weather")
    assert weather.source_columns == {"temp": "Air Temp (F)", "tags_": "tags"}
    assert [(f.name, f.dtype) for f in weather.features] == [
        ("temp", "float64"), ("wind", "list(float32)"), ("shape", "embedding(3)"), ("since", "timestamp"),
        ("tags_", "string"),
    ]  # fmt: skip
    assert weather.ttl_seconds is None
    assert (weather.description, weather.tags) == ("Weather, hour by hour.", ("team:sky",))
    assert weather.owner is not None
    assert weather.owner.email == "weather@example.com"
    assert store.view("sales").ttl_seconds == 36 * 3600
    hourly = store.view("hourly")
    assert [(f.name, f.dtype) for f in hourly.features] == [
        ("temp", "float64"), ("rain", "bool"), ("mean_temp_3600s", "float64"), ("rain_1d", "int64"),
    ]  # fmt: skip
    store.load(hourly, START, START + timedelta(days=1))
    computed = store.offline(hourly).collect()
    assert computed["mean_temp_3600s"].to_list() == [1.5, 2.0, 2.0, 3.5, 5.0, 5.5]
    assert computed["rain_1d"].to_list() == [1, 2, 3, 4, 5, 6]
    from_weather = store.view("from_weather")
    assert [key.name for key in from_weather.entities] == ["from_id"]
    assert from_weather.source_columns["from_id"] == "place_id"
    (service,) = registry.services
    assert (service.owner, service.tags) == (Owner(name="Ana"), ("stage:draft",))

    again = CliRunner().invoke(import_feast, [str(repository), "--python", str(python), "--output", str(output)])
    assert "has features.py already. Choose another folder" in str(again.exception)
    inside = ["--python", str(python), "--output", str(repository / "new")]
    refused = CliRunner().invoke(import_feast, [str(repository), *inside])
    assert "lies in the Feast repository" in str(refused.exception)


def test_a_repository_that_feast_cannot_read_says_why(python: Path, tmp_path: Path) -> None:
    (tmp_path / "feature_store.yaml").write_text(SETTINGS)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(
        FeastError, match=r"ModuleNotFoundError: No module named 'nothing_of_that_name'\. Make `feast app"
    ):
        read(tmp_path, python)
