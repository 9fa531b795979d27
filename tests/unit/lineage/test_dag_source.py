"""The constants that a DAG's source names things with: a table of sources, and sources that name nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.lineage.collectors.dag_source import KINDS, MOST, MOST_CHARACTERS, constants


def found(source: str) -> dict[str, list[str]]:
    return {kind: names for kind, names in constants(source).items() if names}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('read("s3://lake/weather.parquet")', {"uris": ["s3://lake/weather.parquet"]}),
        ('BASE = "s3://lake"\nread(BASE + "/x.csv")', {"uris": ["s3://lake", "s3://lake/x.csv"]}),
        ('DAY = "day"\nread(f"gs://lake/{DAY}/x.csv")', {"uris": ["gs://lake/day/x.csv"]}),
        ('import os\nread(os.path.join("/data", "x.csv"))', {"uris": ["/data/x.csv"]}),
        ('from pathlib import Path\nread(Path("/data") / "raw" / "x.parquet")', {"uris": ["/data/raw/x.parquet"]}),
        ('from pathlib import Path\nread(str(Path("/data", "x.parquet")))', {"uris": ["/data/x.parquet"]}),
        ('Asset("festaf://flights/hourly_weather")', {"uris": ["festaf://flights/hourly_weather"]}),
        ('read("https://example.com/data.csv.gz", "https://example.com/docs")',
         {"uris": ["https://example.com/data.csv.gz"]}),
        ('read("postgresql://ada:secret@db/weather?password=x")', {"uris": ["postgresql://db/weather"]}),
        ('read(table_name="lake.weather")', {"uris": ["lake.weather"]}),
        ('name("models:/delay", "models:/m-0123")', {"models": ["delay"]}),
        ('mlflow.set_experiment("delays")', {"experiments": ["delays"]}),
        ('mlflow.set_experiment(experiment_name="delays")', {"experiments": ["delays"]}),
        ('get(features=["weather:temp", "weather.wind", "plain"])',
         {"features": ["weather:temp", "weather:wind"], "columns": ["plain"]}),
        ('FEATURES = ["weather__temp", "wind"]\nget(features=FEATURES)',
         {"features": ["weather:temp"], "columns": ["wind"]}),
        ('store.get_feature_service("delay")\nask(service="arrival")', {"features": ["arrival", "delay"]}),
        ('get("weather@v2:temp")', {"features": ["weather@v2:temp"]}),
        ('X = frame[["temp", "wind"]]\ny = frame["late"] + frame["early"]',
         {"columns": ["early", "late", "temp", "wind"]}),
        ('fit(frame, target="late", columns=("a", "b"))', {"columns": ["a", "b", "late"]}),
    ],
)  # fmt: skip
def test_what_a_source_names(source: str, expected: dict[str, list[str]]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        'm.log_model(model, registered_model_name="delay")',
        'NAME = "delay"\nmlflow.register_model(f"runs:/{run}/model", NAME)',
        'mlflow.register_model(model_uri=uri, name="delay")',
        'MlflowClient().create_registered_model("delay")',
        'client.create_model_version(name="delay", source=uri)',
        'client.copy_model_version(source, dst_name="delay")',
        '@task(outlets=[Asset("models:/delay")])\ndef fit(): ...',
        'MODEL = Asset(name="models:/delay", uri="models:/delay")\n@task(outlets=[MODEL])\ndef fit(): ...',
        'NAME = "delay"\nBashOperator(task_id="fit", outlets=Asset(f"models:/{NAME}"))',
    ],
)
def test_a_model_that_is_registered(source: str) -> None:
    assert found(source) == {"models": ["delay"], "registers": ["delay"]}


@pytest.mark.parametrize(
    "source",
    [
        'mlflow.pyfunc.load_model("models:/delay@champion")',
        'mlflow.sklearn.load_model(model_uri="models:/delay/3")',
        'mlflow.sklearn.load_model("models:/delay/Production")',
        'mlflow.pyfunc.load_model("models:/delay")',
        'URI = "models:/delay/latest"\nload(URI)',
        'NAME = "delay"\nuri = f"models:/{NAME}@champion"\nscore(uri)',
        'mlflow.pyfunc.load_model(f"models:/delay/{version}")',  # which one is known when it runs
        'NAME = "delay"\nload(f"models:/{NAME}@{alias}")',
        'load("models:/" + "delay" + "/" + str(version))',
        'load("models:/delay@{{ params.alias }}")',
        'mlflow.pyfunc.spark_udf(spark, "models:/delay/1")',
        'client.get_model_version_by_alias("delay", "champion")',
        'dag(schedule=[Asset("models:/delay")])',
        'MODEL = Asset("models:/delay")\ndag(schedule=MODEL | OTHER)',
        '@task(inlets=[Asset("models:/delay")])\ndef score(): ...',
    ],
)
def test_a_model_that_is_loaded(source: str) -> None:
    assert found(source) == {"models": ["delay"], "loads": ["delay"]}


@pytest.mark.parametrize(
    "source",
    [
        'load(f"models:/{name}/3")',
        'load("models:/" + name)',
        'load(f"models:/delay{suffix}/3")',
        'load("models:/{}/{}".format(name, version))',
        'load("models:/{{ params.model }}/3")',
        'model.predict(frame)\nkeras.models.load_model("model.keras")\nschedule(schedule="@daily")',
        "mlflow.register_model(uri, name)\nm.log_model(model, registered_model_name=NAME)",
    ],
)
def test_a_model_that_has_no_name_before_it_runs(source: str) -> None:
    assert found(source) == {}


def test_a_model_may_be_both_registered_and_loaded() -> None:
    source = (
        'champion = load_model("models:/delay@champion")\nmlflow.register_model(uri, "delay")\nshow("models:/price")'
    )
    assert found(source) == {"models": ["delay", "price"], "registers": ["delay"], "loads": ["delay"]}


@pytest.mark.parametrize(
    "source",
    [
        '"""Reads s3://lake/weather.parquet."""',
        "def f():\n    'models:/delay'\n",
        'read(f"s3://lake/{ds}/x.csv")',  # known when it runs
        'read("s3://lake/" + ds + "/x.csv")',
        'read("s3://lake/{{ ds }}/x.csv")',
        'for BASE in bases:\n    read(BASE + "/x.csv")',
        'BASE = 1\nBASE = 2\nread(BASE + "/x.csv")',
        'def f(base):\n    read(base + "/x.csv")',
        'dag(tags=["ml:train"])',
        'os.environ["HOME"]\ncontext["ti"]\ndag_run.conf["day"]',
        'when("00:30", "12:45", "a note: with words", "__main__", "a" * 3)',
        "A = B\nB = A\nread(A)",
        "not python at all",
        "x = '\0'",
        "",
        "f(" * 5_000 + ")" * 5_000,
    ],
)
def test_what_names_nothing(source: str) -> None:
    assert found(source) == {}


def test_every_kind_is_there_sorted_and_bounded() -> None:
    names = "".join(f'load("models:/m{n:04}")\n' for n in reversed(range(MOST + 50)))
    told = constants(names + f'load("models:/{"x" * MOST_CHARACTERS}y")')
    assert tuple(told) == KINDS
    assert told["models"] == [f"m{n:04}" for n in range(MOST)]


@given(st.text())
def test_no_source_fails(source: str) -> None:
    assert tuple(constants(source)) == KINDS
