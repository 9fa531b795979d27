"""Definitions made of what a Feast repository holds: names, types, sources, and a note for all that was left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from e2e_ml.festaf.feast import spelling
from e2e_ml.festaf.feast.reading import FeastError, Field, Key, Repository, Source, Type, View, read
from e2e_ml.festaf.feast.writing import Written, write
from e2e_ml.festaf.naming import snake_case


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("driver_hourly_stats", "DriverHourlyStats"),
        ("driver_activity_v1", "DriverActivityV1"),
        ("stats_2", "Stats_2"),
        ("DriverStats", "DriverStats"),
        ("driver-stats", "Driver_Stats"),
        ("2nd", "V2nd"),
    ],
)
def test_a_view_keeps_its_name_where_a_class_can_say_it(name: str, class_name: str) -> None:
    assert spelling.class_name(name) == class_name
    assert class_name.isidentifier()
    kept = name in ("driver_hourly_stats", "driver_activity_v1", "stats_2")
    assert (snake_case(class_name) == name) is kept


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("rate", "rate"),
        ("tags", "tags_"),
        ("class", "class_"),
        ("a__b", "a_b"),
        ("Air Temp", "Air_Temp"),
        ("1st", "column_1st"),
    ],
)
def test_a_column_keeps_its_name_where_a_class_body_can_hold_it(name: str, column: str) -> None:
    assert spelling.column_name(name) == column


def of(type_: str, **more: Any) -> Type:
    return Type(type=type_, **more)


@pytest.mark.parametrize(
    ("dtype", "vector", "written"),
    [
        (of("Float32"), 0, "Float32"),
        (of("UnixTimestamp"), 0, "Timestamp"),
        (of("Array", of=of("Int64")), 0, "List(fs.Int64)"),
        (of("Array", of=of("Float32")), 384, "Embedding(384)"),
        (of("Struct", fields={"a": of("String"), "b": of("Bool")}), 0, "Struct(a=fs.String, b=fs.Bool)"),
        (of("Bytes"), 0, None),
        (of("Map"), 0, None),
        (of("Array", of=of("Bytes")), 0, None),
        (of("Struct", fields={"a": of("Bytes")}), 0, None),
    ],
)
def test_types(dtype: Type, vector: int, written: str | None) -> None:
    assert spelling.type_of(dtype, (), vector) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(86_400, "days=1"), (7_200, "hours=2"), (90, "seconds=90"), (0.5, "seconds=0.5")]
)
def test_durations(seconds: float, written: str) -> None:
    assert spelling.duration(seconds) == f"timedelta({written})"


def view(**changes: Any) -> View:
    given: dict[str, Any] = {
        "kind": "FeatureView",
        "name": "driver",
        "keys": (Key(name="driver_id", entity="driver", type=of("Int64")),),
        "features": (Field(name="rate", type=of("Float32")),),
        "ttl_seconds": None,
        "source": Source(type="FileSource", name="rows", path="data/rows.parquet", timestamp_field="event_timestamp"),
        "stream": None,
    }
    return View.model_validate({**given, **changes})


def written(*views: View, **changes: Any) -> Written:
    given: dict[str, Any] = {"feast": "0.67.0", "project": "demo", "views": views, "on_demand": (), "services": ()}
    return write(Repository.model_validate({**given, **changes}), Path("/feast/repo"), Path("/feast/new"))


def source(type_: str, **more: Any) -> Source:
    return Source(type=type_, name="rows", timestamp_field="event_timestamp", **more)


SOURCES = {
    "a Parquet file": (
        source("FileSource", path="data/a.parquet"),
        'fs.parquet("../repo/data/a.parquet", timezone="UTC")',
    ),
    "elsewhere": (source("FileSource", path="s3://b/a.parquet"), 'fs.parquet("s3://b/a.parquet", timezone="UTC")'),
    "Delta": (source("FileSource", path="data/a", format="delta"), 'fs.delta("../repo/data/a", timezone="UTC")'),
    "a table": (source("PostgreSQLSource", table="drivers"), 'fs.sql("feast", "drivers", timezone="UTC")'),
    "a query": (source("PostgreSQLSource", query="SELECT 1"), 'fs.sql("feast", "SELECT 1", timezone="UTC")'),
    "none of ours": (source("SnowflakeSource", table="T"), 'fs.parquet("data/rows.parquet", timezone="UTC")'),
}


@pytest.mark.parametrize(("given", "line"), SOURCES.values(), ids=SOURCES)
def test_sources(given: Source, line: str) -> None:
    made = written(view(source=given), offline_store={"host": "db", "database": "feast", "user": "reader"})
    assert f"    source = {line}\n" in made.files["features.py"]
    if given.type == "PostgreSQLSource":
        assert made.files["festaf.yaml"] == (
            "version: 1\nconnections:\n"
            '  feast: {url: "postgresql://reader@db:5432/feast", credential: env:FEAST_PASSWORD}\n'
        )
    if given.type == "SnowflakeSource":
        (note,) = made.left
        assert str(note) == (
            "feature view driver, its source: festaf does not read SnowflakeSource T. Have its rows written to "
            "data/rows.parquet."
        )


def aggregation(column: str, function: str, seconds: float | None = 3600.0, name: str = "") -> dict[str, Any]:
    return {"column": column, "function": function, "seconds": seconds, "name": name}


LEFT = {
    "aggregations without a window": (
        {"aggregations": (aggregation("trips", "avg", None),)},
        "its aggregations have the avg of trips without a time window. Define a view of the raw rows, with "
        "trips.mean().over().",
    ),
    "an aggregation of Feast's alone": (
        {"aggregations": (aggregation("trips", "skewness"), aggregation("trips", "avg"))},
        "its aggregations have the skewness of trips. Define a view of the raw rows, with "
        "trips.skewness().over(timedelta(hours=1)), trips.mean().over(timedelta(hours=1)).",
    ),
    "a sum of texts": (
        {"aggregations": (aggregation("name", "sum"),), "columns": {"name": of("String")}},
        "festaf has no sum of a String, which its aggregations have of name.",
    ),
    "aggregations without times": (
        {"aggregations": (aggregation("trips", "sum"),), "source": Source(type="FileSource", name="rows", path="a")},
        "its features are aggregations over time, and its source names no event time.",
    ),
    "aggregations of a function": (
        {"aggregations": (aggregation("trips", "sum"),), "code": "def f(df):\n    return df"},
        "its aggregations are of what a function makes of the rows. Define a view of these, with "
        "trips.sum().over(timedelta(hours=1)).",
    ),
    "a function": (
        {"code": "def f(df):\n    return df.groupby('a').last()"},
        "its features are computed by a function over the whole source, and line 2 says "
        "`return df.groupby('a').last()`. Write them as expressions of its columns.",
    ),
    "a function that gives something else": (
        {"code": "def f(df):\n    df['b'] = df['a'] * 2\n    return df", "columns": {"a": of("Int64")}},
        "its features are computed by a function over the whole source, which does not give rate.",
    ),
    "a column that becomes another": (
        {"code": "def f(df):\n    df['rate'] = df['rate'] * 2\n    return df", "columns": {"rate": of("Float32")}},
        "its function gives rate anew. Give the new one a name of its own.",
    ),
    "a derived view": ({"derived_from": ("other",)}, "it is made of other inside Feast."),
    "no entity": ({"keys": ()}, "it has no entity; a view here has at least one."),
}


@pytest.mark.parametrize(("changes", "sentence"), LEFT.values(), ids=LEFT)
def test_what_cannot_come_along_is_left_with_a_reason(changes: dict[str, Any], sentence: str) -> None:
    service = {"name": "rates", "reads": ({"view": "driver"},)}
    made = written(view(**changes), services=(service,))
    first, *more = made.left
    assert str(first).startswith(f"feature view driver: {sentence}")
    assert [str(note) for note in more] == [
        "feature service rates, driver: the view was left out.",
        "feature service rates: none of its features came along.",
    ]
    assert made.carried == ()


def test_aggregations_are_windows_over_columns_of_the_source() -> None:
    features = (
        Field(name="sum_trips_3600s", type=of("Int64"), description="Trips in an hour.", tags={"unit": "trips"}),
        Field(name="busy", type=of("Float64")),
        Field(name="trips", type=of("Int32")),
        Field(name="other", type=of("Int64")),
    )
    made = written(
        view(
            features=features,
            aggregations=(
                aggregation("trips", "sum"),
                aggregation("trips", "avg", 86_400.0, "busy"),
                aggregation("Fare (USD)", "max"),
                aggregation("place", "count_distinct", name="place"),
                aggregation("secret", "mean"),
            ),
            columns={"Fare (USD)": of("Float32"), "place": of("String")},
        ),
        services=({"name": "all", "reads": ({"view": "driver"},)},),
    )
    text = made.files["features.py"]
    for line in (
        "trips = fs.Int32()",
        'Fare_USD = fs.Float32().named("Fare (USD)")',
        'place_of_row = fs.String().named("place")',
        "secret = fs.Float64()",
        'sum_trips_3600s = trips.sum().over(timedelta(hours=1)).describe("Trips in an hour.").tags("unit:trips")',
        "busy = trips.mean().over(timedelta(days=1))",
        "max_Fare_USD_3600s = Fare_USD.max().over(timedelta(hours=1))",
        "place = place_of_row.distinct().over(timedelta(hours=1))",
        "mean_secret_3600s = secret.mean().over(timedelta(hours=1))",
    ):
        assert f"    {line}\n" in text
    assert "Driver.trips" in text
    assert "Driver.place_of_row" not in text
    assert not made.left
    assert [str(note).removeprefix("feature view driver: ") for note in made.notes] == [
        "its column Fare (USD) is called Fare_USD here.",
        "its column place is called place_of_row here.",
        "its aggregations are windows: a row has that of the time up to its own, Feast had one a window or hop.",
        "the type of secret is not known; it is written as Float64. Correct it.",
        "its aggregations do not give other.",
    ]


def test_a_plain_function_of_a_batch_view_is_expressions() -> None:
    code = """
    def doubled(df):
        out = df.copy()
        out["twice"] = out["rate"] * 2
        out["known"] = np.where(out["twice"] > 1, out["trips"], 0)
        return out
    """
    features = (Field(name="twice", type=of("Float32"), description="Two."), Field(name="known", type=of("Int64")))
    made = written(view(features=features, code=code, columns={"rate": of("Float32"), "trips": of("Int64")}))
    assert not made.notes
    text = made.files["features.py"]
    assert text.endswith(
        """
    rate = fs.Float32()
    trips = fs.Int64()
    twice = (rate * 2).describe("Two.")
    known = fs.when(rate * 2 > 1).then(trips).otherwise(0)
"""
    )


def test_a_feature_without_a_type_is_left_and_the_rest_comes() -> None:
    fields = (Field(name="photo", type=of("ImageBytes")), Field(name="tags", type=of("String"), tags={"team": "x"}))
    made = written(view(features=fields))
    text = made.files["features.py"]
    assert "photo" not in text
    assert '    tags_ = fs.String().named("tags").tags("team:x")\n' in text
    assert [str(note) for note in made.notes] == [
        "feature view driver, photo: festaf has no type for ImageBytes. Make it columns of its own.",
        "feature view driver: its feature tags is called tags_ here.",
    ]


def test_other_keys_and_another_name_make_a_view_of_their_own() -> None:
    reads = (
        {"view": "driver", "features": ("rate",)},
        {"view": "driver", "alias": "friend", "join_key_map": {"driver_id": "friend_id"}, "features": ("rate",)},
    )
    text = written(view(), services=({"name": "pairs", "reads": reads},)).files["features.py"]
    assert "class Friend(fs.FeatureView):\n" in text
    assert '    friend_id = fs.Entity(fs.Int64().named("driver_id"))\n' in text
    assert "    features = (Driver.rate, Friend.rate)\n" in text


def test_an_online_store_of_redis_is_in_the_settings() -> None:
    made = written(view(), online_store={"type": "redis", "address": "cache:6379"})
    assert made.files["festaf.yaml"] == "version: 1\nonline: redis://cache:6379/0\n"
    assert "Redis is in festaf.yaml" in str(made.notes[-1])


def test_a_view_without_a_source_is_pushed_to() -> None:
    made = written(view(source=None))
    assert '    source = fs.push(timezone="UTC")\n' in made.files["features.py"]
    assert [str(note) for note in made.notes] == [
        "feature view driver: it has no source in Feast: its rows come by store.push.",
        "feature view driver: its source names no event time: it holds the current values alone.",
    ]


def test_texts_with_quotes_and_lines_stay_texts() -> None:
    odd = 'It\'s "odd"\nand \\n long' + " very" * 40
    made = written(view(description=odd, features=(Field(name="rate", type=of("Float32"), description=odd),)))
    text = made.files["features.py"]
    compile(text, "features.py", "exec")
    assert "very very" in text


def test_a_folder_without_a_repository_and_a_python_without_feast(tmp_path: Path) -> None:
    with pytest.raises(
        FeastError, match=r"There is no feature_store.yaml in .*\. Give the folder of a Feast repository"
    ):
        read(tmp_path)
    (tmp_path / "feature_store.yaml").write_text("project: x\n")
    with pytest.raises(FeastError, match=r"has no Feast. Name the Python of the environment"):
        read(tmp_path, Path(sys.executable))
    with pytest.raises(FeastError, match=r"could not be run: .* Name Feast's Python with --python"):
        read(tmp_path, tmp_path / "python")
