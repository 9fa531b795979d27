"""Names of datasets as URIs, and ids of runs that are those of Airflow's provider."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openlineage.client.uuid import generate_static_uuid

from e2e_ml import refs
from e2e_ml.openlineage.naming import dag_run_id, of_uri, task_run_id, uri_of
from tests.unit.openlineage.samples import recorded

NAMES = [
    ("file", "/data/weather.csv", "file:///data/weather.csv"),
    ("file", "/my data/100%/a#b?.csv", "file:///my%20data/100%25/a%23b%3F.csv"),
    ("file://host", "/data/weather.csv", "file://host/data/weather.csv"),
    ("s3://lake", "weather/hourly", "s3://lake/weather/hourly"),
    ("gs://lake", "weather/hourly", "gs://lake/weather/hourly"),
    ("abfss://box@account.dfs.core.windows.net", "a/b", "abfss://box@account.dfs.core.windows.net/a/b"),
    ("postgres://db:5432", "flights.public.rain", "postgres://db:5432/flights.public.rain"),
    ("festaf://flights", "weather", "festaf://flights/weather"),
    ("bigquery", "project.set.table", "bigquery:project.set.table"),
]


@pytest.mark.parametrize(("namespace", "name", "uri"), NAMES)
def test_a_name_is_a_uri_and_back(namespace: str, name: str, uri: str) -> None:
    assert uri_of(namespace, name) == uri
    assert of_uri(uri) == (namespace, name)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/weather.csv", ("file", "/data/weather.csv")),
        ("file:/data/weather.csv", ("file", "/data/weather.csv")),
        ("file://localhost/data/weather.csv", ("file", "/data/weather.csv")),
        ("S3://lake//weather", ("s3://lake", "weather")),
        ("sql://warehouse/public.rain", ("sql://warehouse", "public.rain")),
    ],
)
def test_a_uri_that_somebody_else_wrote(uri: str, name: tuple[str, str]) -> None:
    assert of_uri(uri) == name


@pytest.mark.parametrize("uri", ["", "s3://lake", "s3://lake/", "weather.csv", ":x", "x:"])
def test_what_names_no_dataset(uri: str) -> None:
    with pytest.raises(ValueError, match="dataset"):
        of_uri(uri)


def test_names_with_a_slash_before_them_are_the_same() -> None:
    # The naming of S3 has changed: older senders put a slash before the path.
    assert uri_of("s3://lake", "/weather") == uri_of("s3://lake", "weather")


def test_a_feature_view_is_named_as_everywhere_else() -> None:
    assert uri_of("festaf://flights", "weather") == str(refs.feature_view("flights", "weather"))


@given(st.text(min_size=1).map(lambda name: f"/{name.lstrip('/')}x"))
def test_any_path_comes_back(path: str) -> None:
    assert of_uri(uri_of("file", path)) == ("file", path)
    assert uri_of("file", "/data/a.csv") == Path("/data/a.csv").as_uri()


def test_run_ids_are_those_of_the_provider() -> None:
    for event in recorded():
        facets = event["run"]["facets"]
        run = facets.get("airflow") or facets["airflowDagRun"]
        day = datetime.fromisoformat(run["dagRun"]["logical_date"])
        dag_id, expected = run["dag"]["dag_id"], UUID(event["run"]["runId"])
        if "task" in run:
            instance = run["taskInstance"]
            made = task_run_id(
                *("airflow-test", dag_id, run["task"]["task_id"], instance["try_number"]),
                *(instance.get("map_index", -1), day),
            )
            assert made == expected
            assert str(dag_run_id("airflow-test", dag_id, 0, day)) == facets["parent"]["run"]["runId"]
        else:
            assert dag_run_id("airflow-test", dag_id, 0, day) == expected


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)), st.text(max_size=20))  # noqa: DTZ001
def test_run_ids_are_made_as_the_client_makes_them(day: datetime, name: str) -> None:
    assert dag_run_id("n", name, 3, day) == generate_static_uuid(day, f"n.{name}.3".encode())
