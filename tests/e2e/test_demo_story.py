"""What a demo that has run leaves behind, as the public APIs of its services tell it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from e2e_ml.demo import story, trainingset
from e2e_ml.demo.trainingset import AT, gaps
from e2e_ml.festaf import FeatureStore
from e2e_ml.stack import Stack
from e2e_ml.workspace import Workspace
from tests.e2e.conftest import Program

pytestmark = pytest.mark.timeout(1500)  # seconds, on a machine with much else to do; nothing is said about speed

MONTHS = ["2013-01-01T00:00:00Z", "2013-02-01T00:00:00Z", "2013-03-01T00:00:00Z"]
TIMED = ["flights", "hourly_weather", "carrier_delay", "route_delay"]


class Told:
    """A story that was told: how it ended, what it said on the way, and clients for what it left."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.said: list[story.Progress] = []
        self.champion = self.again()

    def again(self) -> story.Champion:
        airflow = self.stack.services["airflow"]
        assert airflow.url
        return story.run(airflow.url, self._headers, self.stack.workspace.festaf_project, self.said.append)

    def _headers(self) -> dict[str, str]:
        login = self.stack.services["airflow"].login()
        assert login is not None
        return dict(login.headers)

    def airflow(self, path: str, **params: Any) -> dict[str, Any]:
        url = f"{self.stack.services['airflow'].url}/api/v2{path}"
        return httpx.get(url, headers=self._headers(), params=params, trust_env=False).raise_for_status().json()

    def mlflow(self, path: str, **params: Any) -> dict[str, Any]:
        service = self.stack.services["mlflow"]
        login = service.login()
        assert login is not None
        url = f"{service.url}/api/2.0/mlflow{path}"
        answer = httpx.get(url, headers=dict(login.headers), params=params, trust_env=False)
        return answer.raise_for_status().json()

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.airflow(f"/dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"]

    def events(self, uri: str) -> list[dict[str, Any]]:
        assets = self.airflow("/assets", uri_pattern=uri)["assets"]
        (found,) = [asset for asset in assets if asset["uri"] == uri]
        return self.airflow("/assets/events", asset_id=found["id"], order_by="timestamp")["asset_events"]


@pytest.fixture(scope="module")
def told(demo: Path, demo_program: Program) -> Told:
    stack = Stack(Workspace.load(demo))
    stack.look()
    return Told(stack)


def test_it_tells_every_step_and_never_goes_back(demo_program: Program) -> None:
    lines = [re.match(r"demo +(\d+)% +(.+)", line) for line in demo_program.lines]
    shares = [int(line[1]) for line in lines if line]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    said = " ".join(line[2] for line in lines if line)
    steps = [
        "definitions are applied",
        "Airflow has read 8 DAGs",
        "336,776 flights",
        "January to March",
        "flights.train",
    ]
    places = [said.find(step) for step in [*steps, "Champion"]]
    assert -1 not in places
    assert places == sorted(places)


def test_three_intervals_of_each_view_were_backfilled_and_the_store_is_complete(told: Told) -> None:
    for view in TIMED:
        done = [run for run in told.runs(f"festaf.flights.{view}") if run["run_type"] == "backfill"]
        assert [(run["logical_date"], run["state"]) for run in done] == [(month, "success") for month in MONTHS]
        extras = [event["extra"] for event in told.events(f"festaf://flights/{view}")]
        assert [extra["interval_start"][:10] for extra in extras] == [month[:10] for month in MONTHS]
    store = FeatureStore.open(told.stack.workspace.festaf_project)
    assert gaps(store) == []
    assert store.stats("plane").rows == 3_322


def test_one_training_run_that_the_views_assets_made(told: Told) -> None:
    (run,) = told.runs("flights.train")
    assert (run["run_type"], run["state"]) == ("asset_triggered", "success")
    path = f"/dags/flights.train/dagRuns/{run['dag_run_id']}/taskInstances"
    states = {task["task_id"]: task["state"] for task in told.airflow(path)["task_instances"]}
    assert states == dict.fromkeys(
        ["coverage", "training_set", "logistic_regression", "gradient_boosting", "promote", "foretell"], "success"
    )
    dag = told.airflow("/dags/flights.train/details")
    assert {"ml:train", "flights"} == {tag["name"] for tag in dag["tags"]}
    assert (dag["owners"], "passenger care" in dag["owner_links"]) == (["passenger care"], True)
    assert "Which flights" in dag["doc_md"]


@pytest.fixture
def mlflow_at_hand(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own environment: where it is, and who asks."""
    service = told.stack.services["mlflow"]
    login = service.login()
    assert login is not None
    assert login.basic is not None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", service.url or "")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", login.basic[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", login.basic[1])


@pytest.mark.usefixtures("mlflow_at_hand")
def test_the_champion_asked_by_keys_alone_is_as_good_as_it_was_measured(told: Told) -> None:
    from sklearn.metrics import roc_auc_score

    root = told.stack.workspace.festaf_project
    store = FeatureStore.open(root)
    tested = trainingset.entities(root / "data" / "flights.parquet").filter(pl.col(AT) >= trainingset.TEST_FROM)
    found = store.predict("models:/flight-delay@champion", tested, at=AT)
    assert found.model == f"models:/flight-delay/{told.champion.version}"
    late = pl.read_parquet(root / "data" / "flights.parquet").select("flight", late=pl.col("arr_delay") > 15)
    rows = found.to_polars().join(late, on="flight", maintain_order="left")
    assert roc_auc_score(rows["late"], rows["prediction_1"]) == pytest.approx(told.champion.auc)
    # What the DAG's last task has written is the same.
    (file,) = (root / "data" / "predictions").glob("*.parquet")
    written = pl.read_parquet(file).select("flight", "chance_of_late", "model")
    again = rows.select("flight", "prediction_1").join(written, on="flight")
    assert again.height == written.height > 500
    assert again["chance_of_late"].to_list() == pytest.approx(again["prediction_1"].to_list())
    assert set(written["model"]) == {found.model}


def test_two_versions_with_the_better_one_as_champion(told: Told) -> None:
    model = told.mlflow("/registered-models/get", name="flight-delay")["registered_model"]
    aliases = {alias["alias"]: alias["version"] for alias in model["aliases"]}
    assert set(aliases.values()) == {"1", "2"}
    auc = {alias: _metrics(told, version)["test_auc"] for alias, version in aliases.items()}
    assert 0.70 < auc["challenger"] <= auc["champion"] < 0.80
    assert told.champion.version == aliases["champion"]
    assert told.champion.auc == pytest.approx(auc["champion"])
    for version in aliases.values():
        metrics = _metrics(told, version)
        assert {"test_average_precision", "test_log_loss", "test_brier", "train_auc"} <= set(metrics)
        assert (metrics["train_rows"], metrics["test_rows"]) == (58_628, 19_181)


def test_a_run_names_its_task_its_features_and_its_data(told: Told) -> None:
    (dag_run,) = told.runs("flights.train")
    run = told.mlflow("/runs/get", run_id=told.champion.run_id)["run"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["airflow.dag_id"] == "flights.train"
    assert tags["airflow.task_id"] == told.champion.kind
    assert tags["airflow.dag_run_id"] == dag_run["dag_run_id"]
    assert (tags["feast.project"], tags["feast.feature_service"]) == ("flights", "flight_delay")
    service = FeatureStore.open(told.stack.workspace.festaf_project).registry.services[0]
    assert tags["feast.feature_refs"].split(",") == [name.replace(".", ":") for name in service.features]
    (data,) = run["inputs"]["dataset_inputs"]
    assert json.loads(data["dataset"]["source"])["uri"] == "festaf://flights/services/flight_delay"
    assert {"key": "mlflow.data.context", "value": "training"} in data["tags"]
    files = told.mlflow("/artifacts/list", run_id=told.champion.run_id)["files"]
    assert {"features.json", "importance.json", "test.png"} <= {file["path"] for file in files}


def test_asset_events_name_the_versions_and_the_champion(told: Told) -> None:
    extras = [event["extra"] for event in told.events("models:/flight-delay")]
    assert {extra["mlflow.model_version"] for extra in extras} == {"1", "2"}
    assert all(extra["mlflow.model_name"] == "flight-delay" for extra in extras)
    (champion,) = [extra for extra in extras if extra.get("mlflow.alias") == "champion"]
    assert champion["mlflow.run_id"] == told.champion.run_id


@pytest.mark.usefixtures("mlflow_at_hand")
def test_the_champion_is_loaded_from_the_registry_and_foretells() -> None:
    """By a client that knows nothing but MLflow; the stored example is what it is asked."""
    import mlflow
    from mlflow.models import ModelSignature

    model: Any = mlflow.pyfunc.load_model("models:/flight-delay@champion")
    flavor = model.metadata.flavors["sklearn"]
    assert flavor["serialization_format"] == "skops"
    assert isinstance(model.metadata.signature, ModelSignature)
    assert {"carrier_delay__delay_mean_6h", "at_the_gate__cold_start"} <= set(
        model.metadata.signature.inputs.input_names()
    )
    chances = model.predict(model.input_example)
    assert chances.shape == (5, 2)
    assert ((chances >= 0) & (chances <= 1)).all()


def test_a_second_story_sees_everything_done(told: Told) -> None:
    before = {dag: len(told.runs(dag)) for dag in ("flights.ingest", "flights.train", "festaf.flights.flights")}
    assert told.again() == told.champion
    assert {dag: len(told.runs(dag)) for dag in before} == before
    model = told.mlflow("/registered-models/get", name="flight-delay")["registered_model"]
    assert {version["version"] for version in model["latest_versions"]} <= {"1", "2"}


def test_a_repeated_training_task_registers_nothing_twice(told: Told) -> None:
    (run,) = told.runs("flights.train")
    url = f"{told.stack.services['airflow'].url}/api/v2/dags/flights.train/clearTaskInstances"
    body = {"dag_run_id": run["dag_run_id"], "task_ids": ["gradient_boosting"], "only_failed": False, "dry_run": False}
    httpx.post(url, json=body, headers=told._headers(), trust_env=False).raise_for_status()
    _until_over(told)
    versions = told.mlflow("/model-versions/search", filter="name='flight-delay'")["model_versions"]
    assert len(versions) == 2


def _until_over(told: Told) -> None:
    from tests.integration.conftest import until

    until(lambda: all(run["state"] == "success" for run in told.runs("flights.train")), 300, "it did not end")


def _metrics(told: Told, version: str) -> dict[str, float]:
    found = told.mlflow("/model-versions/get", name="flight-delay", version=version)["model_version"]
    run = told.mlflow("/runs/get", run_id=found["run_id"])["run"]
    return {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}


def test_it_is_cancelled_without_harm(told: Told) -> None:
    airflow = told.stack.services["airflow"]
    with pytest.raises(story.StoryCancelledError, match="Start the demo again"):
        story.run(airflow.url or "", told._headers, Path(told.stack.workspace.root), told.said.append, lambda: True)
