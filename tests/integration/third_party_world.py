"""A team's own platform, which knows nothing of us: Airflow with its bundled example DAGs and DAGs that start plain
MLflow scripts, a Feast project as `feast init` makes it, and MLflow. The workbench is pointed at it.

    with third_party_world(folder) as world:
        world.graph.upstream(world.run("nightly trips"))

The DAGs and scripts lie in `third_party/`. One of the scripts runs in Feast's environment, where e2e-ml is not
installed, so that nobody tags its run.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import airflow.example_dags
import airflow.providers.standard.example_dags
import httpx

from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Kind, Ref
from e2e_ml.stack.reading import Reading, reading_of
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace
from tests.feast_environment import feast_python
from tests.integration.conftest import assert_up, settle, until
from tests.integration.feast_world import FeastWorld, mlflow_server, trained_project
from tests.unit.festaf.worlds import hour, project, weather

_HERE = Path(__file__).parent / "third_party"
# Airflow's own, as they are installed; those that need no network and tell something of assets, or of many tasks.
_EXAMPLES = {
    airflow.example_dags: (
        "example_assets", "example_asset_alias", "example_asset_decorator", "example_outlet_event_extra",
        "example_inlet_event_extra", "example_dynamic_task_mapping", "tutorial_taskflow_api",
    ),
    airflow.providers.standard.example_dags: ("example_bash_operator", "example_python_operator"),
}  # fmt: skip
# DAGs that are run, all at once, so that much else goes on around the run that nobody tags; and whether they are asked
# to: others are set off by what they wait for.
_RUN = {
    "train_trips": False,
    "ingest_driver_stats": True,
    "train_delays": True,
    "asset_consumes_1": False,
    "asset_produces_1": False,
    "asset_alias_example_alias_producer": True,
    "tutorial_taskflow_api": True,
}


@dataclass(frozen=True)
class World:
    stack: Stack
    reading: Reading
    feast: FeastWorld

    @property
    def graph(self) -> Graph:
        return self.reading.graph()

    @property
    def root(self) -> Path:
        return self.stack.workspace.root

    def run(self, title: str) -> Ref:
        """The run of MLflow with that name."""
        (found,) = (node.ref for node in self.graph.nodes(Kind.RUN) if node.title == title)
        return found


@contextlib.contextmanager
def third_party_world(root: Path) -> Iterator[World]:
    """All of it up, its DAGs run, and read to the end."""
    _lay_out(root)
    with mlflow_server(root / "mlflow") as url:
        (root / "workbench.yaml").write_text(_WORKSPACE.format(url=url))
        with Stack(Workspace.load(root)) as stack:
            stack.start()
            feast = trained_project(root, url)
            settle(stack)
            assert_up(stack)
            _run_dags(stack)
            reading = reading_of(stack.workspace, stack.services)
            read_all(reading)
            yield World(stack, reading, feast)
            reading.stop()


_WORKSPACE = """
version: 1
name: third-party
services:
  airflow: {{managed: true, dags: dags}}
  festaf: {{managed: true, project: flights}}
  mlflow: {{url: "{url}"}}
  feast: {{repo: drivers/feature_repo}}
"""


def _lay_out(root: Path) -> None:
    for folder in ("dags", "training"):
        shutil.copytree(_HERE / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for package, names in _EXAMPLES.items():
        for name in names:
            shutil.copy(Path(package.__path__[0]) / f"{name}.py", root / "dags")
    (root / "venv").symlink_to(feast_python().parent.parent)
    project(root / "flights", weather(end=hour(24)))


def read_all(reading: Reading) -> None:
    """Visit every service until nothing is new."""

    def nothing_new() -> bool:
        before = reading.graph()
        report = reading.visit_once()
        assert all(visit.ok for visit in report.values()), report
        return reading.graph() is before

    until(nothing_new, what="there was always more to read")


def _run_dags(stack: Stack) -> None:
    service = stack.services["airflow"]
    login = service.login()
    assert login is not None
    with httpx.Client(
        base_url=f"{service.url}/api/v2", headers=dict(login.headers), trust_env=False, timeout=30
    ) as airflow:
        for dag, asked in _RUN.items():
            _set_off(airflow, dag, asked=asked)
        for dag in _RUN:
            until(lambda dag=dag: _ended(airflow, dag), what=f"{dag} never ended")


def _set_off(airflow: httpx.Client, dag: str, *, asked: bool) -> None:
    until(lambda: airflow.get(f"/dags/{dag}").is_success, what=f"{dag} was never parsed")
    airflow.patch(f"/dags/{dag}", json={"is_paused": False}).raise_for_status()
    if asked:
        airflow.post(f"/dags/{dag}/dagRuns", json={"logical_date": None}).raise_for_status()


def _ended(airflow: httpx.Client, dag: str) -> bool:
    runs: list[dict[str, Any]] = airflow.get(f"/dags/{dag}/dagRuns").json()["dag_runs"]
    failed = [run for run in runs if run["state"] == "failed"]
    assert not failed, failed
    return bool(runs) and all(run["state"] == "success" for run in runs)
