"""A project with an Airflow, a feature store and an MLflow of its own, and a refresher that reads them all the time.

    with lineage_world(folder) as world:
        world.graph.upstream(MODEL)

Of its DAGs, the view's and the training have run; the others wait for a test that sets them off.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from e2e_ml import refs
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.festaf import FestafCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.refresh import Refresher
from e2e_ml.refs import Ref
from e2e_ml.stack.service import Service
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace
from tests.integration.conftest import assert_up, settle
from tests.unit.festaf.worlds import hour, project, weather

PATIENCE = 240.0  # seconds
WEATHER = refs.dag("local", "festaf.flights.weather")
TRAIN = refs.dag("local", "train")
SERVICE = refs.feature_service("flights", "delay")
TEMP = refs.feature("flights", "weather", "temp")
MODEL = refs.registered_model("local", "delay")

# Airflow looks into files alone that name both DAG and airflow.
LOADER = '"""The DAGs of a project."""\nfrom e2e_ml.festaf.airflow import load\n\nglobals().update(load({path!r}))\n'
TRAINING = """
from airflow.sdk import Asset, dag, task

MODEL = Asset(name="models:/delay", uri="models:/delay", group="model")


@dag(dag_id="train", schedule=None, tags=["ml:train"], default_args={"owner": "ml-team"})
def train():
    @task
    def fit(kind):
        import mlflow
        import pandas as pd
        from e2e_ml.festaf.mlflow import log_training_set

        mlflow.set_experiment("delay")
        with mlflow.start_run(run_name=kind) as run:
            rows = pd.DataFrame({"weather__temp": [20.0, 30.0], "late": [0.0, 1.0]})
            assert log_training_set(rows, project="flights", service="delay", features=["weather.temp"],
                                    registry_version=1, name="train", target="late")
            mlflow.log_metric("auc", {"logistic": 0.6, "trees": 0.7}[kind])
        return run.info.run_id

    @task(outlets=[MODEL])
    def register(runs, outlet_events=None):
        from mlflow import MlflowClient

        client = MlflowClient()
        client.create_registered_model("delay")
        versions = [client.create_model_version("delay", f"runs:/{run}/model", run_id=run) for run in runs]
        client.set_registered_model_alias("delay", "champion", versions[-1].version)
        outlet_events[MODEL].extra = {"mlflow.run_id": runs[-1], "mlflow.model_name": "delay",
                                      "mlflow.model_version": versions[-1].version}

    register(fit.expand(kind=["logistic", "trees"]))


train()
"""

# Each makes an MLflow run without a word of Airflow; only the first of them runs in the task's own process.
PROGRAMS = """
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task


@dag(dag_id="programs", schedule=None)
def programs():
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def twice(ti=None):
        import mlflow

        mlflow.set_experiment("programs")
        with mlflow.start_run(run_name=f"try {{ti.try_number}}"):
            if ti.try_number == 1:
                raise RuntimeError("not yet")

    @task.external_python(python={python!r})
    def elsewhere():
        import mlflow

        mlflow.set_experiment("programs")
        mlflow.start_run(run_name="elsewhere")
        mlflow.end_run()

    commands = ["{python} {program} 'bash " + str(index) + "'" for index in range(2)]
    twice() >> elsewhere() >> BashOperator.partial(task_id="bash").expand(bash_command=commands)


programs()
"""
PROGRAM = """
import sys

import mlflow

mlflow.set_experiment("programs")
with mlflow.start_run(run_name=sys.argv[1]):
    pass
"""

# Its run has no tag of Airflow: the task's XCom alone tells whose it is.
HANDED_ON = """
from airflow.sdk import dag, task


@dag(dag_id="handed_on", schedule=None)
def handed_on():
    @task
    def fit():
        from mlflow import MlflowClient

        client = MlflowClient()
        run = client.create_run(client.create_experiment("handed on"), run_name="handed on")
        client.set_terminated(run.info.run_id)
        return run.info.run_id

    @task
    def register(run):
        from mlflow import MlflowClient

        client = MlflowClient()
        client.create_registered_model("handed-on")
        version = client.create_model_version("handed-on", f"runs:/{run}/model", run_id=run)
        digest = "d41d8cd98f00b204e9800998ecf8427e"  # looks as a run's id does
        return {"model_uri": f"models:/handed-on/{version.version}", "run": run, "md5": digest}

    register(fit())


handed_on()
"""


def connection(service: Service) -> Connection:
    def headers() -> dict[str, str]:
        login = service.login()
        return dict(login.headers) if login else {}

    return Connection("local", lambda: service.url, headers)


def until(ready: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := ready()):
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
    return found


@dataclass
class World:
    stack: Stack
    airflow: httpx.Client
    mlflow: httpx.Client
    refresher: Refresher
    index: Index

    @property
    def graph(self) -> Graph:
        return self.refresher.graph

    def node(self, ref: Ref) -> Node:
        node = self.graph.get(ref)
        assert node is not None, f"{ref} is not in the graph: {self.refresher.report}"
        return node

    def dag_run(self, dag: str) -> dict[str, Any] | None:
        """The newest run of a DAG, once it has ended."""
        runs = self.airflow.get(f"/api/v2/dags/{dag}/dagRuns", params={"order_by": "-run_after"}).json()
        return next((r for r in runs.get("dag_runs", ()) if r["state"] in ("success", "failed")), None)


def client(service: Service) -> httpx.Client:
    made = connection(service)
    return httpx.Client(base_url=made.url() or "", headers=made.headers(), timeout=30)


@contextlib.contextmanager
def lineage_world(root: Path) -> Iterator[World]:
    """All of it up, its first two DAGs run, and what came of them read."""
    store = project(root / "flights", weather(end=hour(24)))
    (root / "dags").mkdir()
    (root / "dags" / "views.py").write_text(LOADER.format(path=str(store.path)))
    (root / "dags" / "train.py").write_text(TRAINING)
    (root / "program.py").write_text(PROGRAM)
    programs = PROGRAMS.format(python=sys.executable, program=root / "program.py")
    (root / "dags" / "programs.py").write_text(programs)
    (root / "dags" / "handed_on.py").write_text(HANDED_ON)
    (root / "workbench.yaml").write_text(
        "version: 1\nname: flights\nservices:\n  festaf: {managed: true, project: flights}\n"
    )
    with Stack(Workspace.load(root)) as stack:
        stack.start()
        settle(stack)
        assert_up(stack)
        services = stack.services
        index = Index(root / "lineage.sqlite")
        collectors = [
            AirflowCollector(connection(services["airflow"])),
            MlflowCollector(connection(services["mlflow"])),
            FestafCollector(connection(services["festaf"])),
        ]
        refresher = Refresher(index, collectors, interval=1.0)
        with client(services["airflow"]) as airflow, client(services["mlflow"]) as mlflow:
            made = World(stack, airflow, mlflow, refresher, index)
            refresher.start()
            _run_dags(made)
            yield made
            refresher.stop()
            index.close()


def _run_dags(world: World) -> None:
    for dag in (WEATHER.name, TRAIN.name):
        until(lambda dag=dag: world.airflow.get(f"/api/v2/dags/{dag}").is_success, f"{dag} was never parsed")
        world.airflow.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}).raise_for_status()
    # The view's rows are of one past day, which no schedule of today asks for.
    day = {"dag_id": WEATHER.name, "from_date": "2013-01-01T00:00:00Z", "to_date": "2013-01-01T23:00:00Z"}
    world.airflow.post("/api/v2/backfills", json={**day, "reprocess_behavior": "none"}).raise_for_status()
    world.airflow.post("/api/v2/dags/train/dagRuns", json={"logical_date": None}).raise_for_status()
    for dag in (WEATHER.name, TRAIN.name):
        run = until(lambda dag=dag: world.dag_run(dag), f"{dag} never ended")
        assert run["state"] == "success", run
    ended = "the refresher never saw the champion"
    until(lambda: (node := world.graph.get(MODEL)) and node.facts.get("aliases"), ended)
    until(lambda: world.node(WEATHER).facts.get("last_state") == "success", "nor the view's DAG run")
    until(lambda: world.node(TRAIN).facts.get("last_state") == "success", "nor the training run")
