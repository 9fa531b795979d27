"""What training code tells MLflow, on a real tracking store: tags, the list of features, the dataset, and no harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pytest
from mlflow import artifacts

from e2e_ml.festaf.mlflow import log_training_set
from e2e_ml.festaf.run_tags import TAG_LIMIT, TRUNCATED, read_feature_refs
from e2e_ml.lineage.run_context import AirflowTaskContext

ROWS = {"weather__temp": [20.0, 30.0], "late": [0.0, 1.0]}
FRAME = pl.DataFrame(ROWS)


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("test", artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment("test")
    yield
    mlflow.set_tracking_uri(before)


def features_file(run_id: str) -> list[dict[str, Any]]:
    content: Any = artifacts.load_dict(f"runs:/{run_id}/features.json")
    return content["retrievals"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_run_names_its_features_and_its_data(library: str) -> None:
    frame = {
        "pandas": lambda: pd.DataFrame(ROWS),
        "polars": lambda: pl.DataFrame(ROWS),
        "pyarrow": lambda: pl.DataFrame(ROWS).to_arrow(),
    }[library]()
    with mlflow.start_run() as run:
        assert log_training_set(
            frame, project="flights", service="delay", features=["weather.temp"], registry_version=7, name="train",
            target="late",
        )  # fmt: skip
    told = mlflow.get_run(run.info.run_id)
    assert {k: v for k, v in told.data.tags.items() if k.startswith(("feast.", "festaf."))} == {
        "feast.project": "flights",
        "feast.feature_service": "delay",
        "feast.feature_refs": "weather:temp",
        "feast.feature_count": "1",
        "festaf.registry_version": "7",
    }
    assert told.inputs is not None
    (data,) = told.inputs.dataset_inputs
    assert data.dataset.source == '{"uri": "festaf://flights/services/delay"}'
    assert data.dataset.name == "train"
    assert [(t.key, t.value) for t in data.tags] == [("mlflow.data.context", "training")]


def test_two_retrievals_in_one_run_add_up() -> None:
    with mlflow.start_run() as run:
        log_training_set(FRAME, project="flights", service="delay", features=["weather.temp"])
        log_training_set(FRAME, project="flights", features=["plane:seats", "weather.temp"])
    tags = mlflow.get_run(run.info.run_id).data.tags
    assert tags["feast.feature_refs"] == "weather:temp,plane:seats"
    assert tags["feast.feature_service"] == "delay"
    assert [r["features"] for r in features_file(run.info.run_id)] == [
        ["weather.temp"],
        ["plane.seats", "weather.temp"],
    ]


def test_a_long_list_says_in_the_tag_that_it_is_cut_and_is_whole_in_the_file() -> None:
    names = [f"telemetry.sensor_{i:05d}" for i in range(1000)]
    with mlflow.start_run() as run:
        assert log_training_set(FRAME, project="flights", features=names)
    tag = mlflow.get_run(run.info.run_id).data.tags["feast.feature_refs"]
    assert len(tag) <= TAG_LIMIT
    assert tag.endswith(TRUNCATED)
    read, cut = read_feature_refs(tag)
    assert cut
    assert list(read) == names[: len(read)]
    assert features_file(run.info.run_id)[0]["features"] == names


def test_what_fails_is_logged_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), mlflow.start_run() as run:
        assert not log_training_set("no frame at all", project="flights", features=["weather.temp"])
        mlflow.log_metric("auc", 0.7)
    assert "The MLflow run does not say the training set" in caplog.text
    told = mlflow.get_run(run.info.run_id)
    assert told.data.metrics == {"auc": 0.7}
    assert told.data.tags["feast.feature_refs"] == "weather:temp"


def test_without_a_run_nothing_is_started(caplog: pytest.LogCaptureFixture) -> None:
    assert not log_training_set(FRAME, project="flights", features=["weather.temp"])
    assert "no run is active" in caplog.text
    assert mlflow.active_run() is None


def test_mlflow_finds_the_run_context_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "train")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "fit")
    assert AirflowTaskContext().in_context()
    with mlflow.start_run() as run:
        pass
    assert mlflow.get_run(run.info.run_id).data.tags["airflow.dag_id"] == "train"
