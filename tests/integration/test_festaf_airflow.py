"""Views as DAGs on a real Airflow: backfilled by its scheduler, rerun, skipped, refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from e2e_ml import refs
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.stack.service import State
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace
from tests.unit.festaf.worlds import hour, plane, project, weather, weather_rows

pytestmark = pytest.mark.timeout(420)
DAG, GAUGE, PLANE = "festaf.flights.weather", "festaf.flights.gauge", "festaf.flights.plane"
LOADER = '"""The DAGs of a project."""\nfrom e2e_ml.festaf.airflow import load\n\nglobals().update(load({path!r}))\n'


class Airflow:
    """Airflow's REST API, with patience."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.connection = Connection("local", lambda: url, lambda: headers)
        self._client = httpx.Client(base_url=f"{url}/api/v2", headers=headers, timeout=30)

    def get(self, path: str, **params: Any) -> Any:
        return self._client.get(path, params=params).raise_for_status().json()

    def until(self, path: str, ready: Callable[[Any], bool], patience: float = 180, **params: Any) -> Any:
        deadline = time.monotonic() + patience
        while True:
            answer = self._client.get(path, params=params)
            found = answer.json() if answer.status_code == 200 else {}
            if found and ready(found):
                return found
            assert time.monotonic() < deadline, f"{path} was never as expected: {answer.text[:4000]}"
            time.sleep(0.5)

    def unpause(self, dag: str) -> None:
        self._client.patch(f"/dags/{dag}", json={"is_paused": False}).raise_for_status()

    def backfill(self, dag: str, first: str, last: str, again: str = "none") -> None:
        body = {"dag_id": dag, "from_date": first, "to_date": last, "reprocess_behavior": again}
        deadline = time.monotonic() + 120
        # Airflow closes a backfill some time after its last run has ended, and allows one at a time.
        while (answer := self._client.post("/backfills", json=body)).status_code == 409:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.5)
        assert answer.status_code == 200, answer.text

    def runs(self, dag: str, count: int) -> dict[str, dict[str, Any]]:
        """The DAG's runs, by the day of their interval, when all are finished."""
        found = self.until(
            f"/dags/{dag}/dagRuns",
            lambda page: (
                page["total_entries"] >= count
                and all(run["state"] in ("success", "failed") for run in page["dag_runs"])
            ),
        )
        return {run["data_interval_start"][:10]: run for run in found["dag_runs"]}

    def states(self, dag: str, run: str) -> dict[str, str]:
        page = self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances")
        return {task["task_id"]: task["state"] for task in page["task_instances"]}

    def log(self, dag: str, run: str, task: str) -> str:
        return json.dumps(self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1"), ensure_ascii=False)

    def close(self) -> None:
        self._client.close()


def make_project(folder: Path) -> FeatureStore:
    gauge = weather(name="gauge", source=weather().source.model_copy(update={"name": "gauge", "uri": "gauge.parquet"}))
    store = project(
        folder, weather(end=hour(96)), gauge, plane().model_copy(update={"schedule": "@daily", "start": hour(0)})
    )
    # The gauge's second day lacks a required value; its first day breaks a bound.
    second = pl.col("observed_at") == hour(30)
    weather_rows().with_columns(
        wind=pl.when(second).then(None).otherwise("wind"),
        temp=pl.when(pl.col("observed_at") == hour(3)).then(999.0).otherwise("temp"),
    ).write_parquet(folder / "gauge.parquet")
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return make_project(tmp_path_factory.mktemp("airflow") / "flights")


@pytest.fixture(scope="module")
def airflow(store: FeatureStore) -> Iterator[Airflow]:
    root = store.path.parent
    (root / "dags").mkdir()
    (root / "dags" / "festaf_flights.py").write_text(LOADER.format(path=str(store.path)))
    (root / "dags" / "festaf_broken.py").write_text(LOADER.format(path=str(root / "nowhere")))
    (root / "workbench.yaml").write_text(
        "version: 1\nname: flights\nservices:\n  festaf: {managed: true, project: flights}\n"
    )
    with Stack(Workspace.load(root)) as stack:
        service = stack.services["airflow"]
        service.start()
        deadline = time.monotonic() + 150
        while service.status().state is not State.UP:
            assert time.monotonic() < deadline, service.status()
            time.sleep(0.5)
        login, url = service.login(), service.url
        assert login is not None
        assert url is not None
        client = Airflow(url, dict(login.headers))
        for dag in (DAG, GAUGE, PLANE):
            client.until(f"/dags/{dag}", bool)
        yield client
        client.close()


def test_a_broken_project_breaks_its_own_file(airflow: Airflow) -> None:
    errors = airflow.until("/importErrors", lambda page: page["total_entries"] > 0)["import_errors"]
    assert len(errors) == 1
    assert "has no registry.json. Run `e2e-ml festaf apply` in it first." in errors[0]["stack_trace"]


def test_a_dag_says_who_what_when_how_and_why(airflow: Airflow) -> None:
    dag = airflow.get(f"/dags/{DAG}/details")
    assert {tag["name"] for tag in dag["tags"]} == {"ml:feature"}
    assert dag["owners"] == ["weather-team"]
    assert "Wind explains delays." in dag["doc_md"]
    (found,) = airflow.get("/assets", uri_pattern="festaf://flights/weather")["assets"]
    assert (found["uri"], found["group"]) == ("festaf://flights/weather", "feature_view")
    assert found["extra"] == {"project": "flights", "view": "weather", "registry_version": 1}
    assert [t["task_id"] for t in found["producing_tasks"]] == ["write_offline"]


def test_a_backfill_writes_each_interval_once(airflow: Airflow, store: FeatureStore) -> None:
    airflow.unpause(DAG)
    airflow.backfill(DAG, "2013-01-01T00:00:00Z", "2013-01-03T00:00:00Z")
    runs = airflow.runs(DAG, 3)
    assert {day: run["state"] for day, run in runs.items()} == dict.fromkeys(
        ["2013-01-01", "2013-01-02", "2013-01-03"], "success"
    )
    first, second, empty = (runs[day]["dag_run_id"] for day in sorted(runs))
    assert runs["2013-01-01"]["data_interval_end"] == "2013-01-02T00:00:00Z"
    assert set(airflow.states(DAG, first).values()) == {"success"}
    # Nothing in the source for the third day: skipped, with a sentence, and no asset event.
    assert set(airflow.states(DAG, empty).values()) == {"skipped"}
    assert "has no rows for 2013-01-03 00:00 UTC" in airflow.log(DAG, empty, "extract")

    ledger = store.intervals("weather")
    assert [(e.start, e.end, e.rows, e.dag_run_id) for e in ledger] == [
        (hour(0), hour(24), 36, first),
        (hour(24), hour(48), 36, second),
        (hour(48), hour(72), 0, empty),
    ]
    assert store.stats("weather").rows == 72
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["weather__temp"] == 67.0
    assert not any((store.path / "store" / "staging" / "weather").iterdir())

    events = airflow.get("/assets/events", source_dag_id=DAG)["asset_events"]
    extras = {event["source_run_id"]: event["extra"] for event in events}
    assert set(extras) == {first, second}
    assert extras[first]["rows"] == 36
    assert extras[first]["interval_start"] == "2013-01-01T00:00:00+00:00"
    assert extras[first]["interval_end"] == "2013-01-02T00:00:00+00:00"


def test_a_second_backfill_replaces_the_first(airflow: Airflow, store: FeatureStore) -> None:
    weather_rows().filter(pl.col("observed_at") != hour(47)).write_parquet(store.path / "weather.parquet")
    before = {e.start: e.written_at for e in store.intervals("weather")}
    airflow.backfill(DAG, "2013-01-02T00:00:00Z", "2013-01-02T00:00:00Z", again="completed")
    deadline = time.monotonic() + 120
    while {e.start: e.written_at for e in store.intervals("weather")}[hour(24)] == before[hour(24)]:
        assert time.monotonic() < deadline, "the interval was never written again"
        time.sleep(0.5)
    assert airflow.runs(DAG, 3)["2013-01-02"]["state"] == "success"
    assert [(e.start, e.rows) for e in store.intervals("weather")] == [(hour(0), 36), (hour(24), 35), (hour(48), 0)]
    assert store.stats("weather").rows == 71
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["weather__temp"] == 66.0


def test_broken_constraints_are_told_and_a_missing_required_value_fails(airflow: Airflow, store: FeatureStore) -> None:
    airflow.unpause(GAUGE)
    airflow.backfill(GAUGE, "2013-01-01T00:00:00Z", "2013-01-02T00:00:00Z")
    runs = airflow.runs(GAUGE, 2)
    marked, refused = (runs[day] for day in sorted(runs)[:2])
    assert (marked["state"], refused["state"]) == ("success", "failed")
    log = airflow.log(GAUGE, marked["dag_run_id"], "validate")
    assert "temp: upper_bound 130" in log
    assert "temp=999.0" in log
    (written,) = [entry for entry in store.intervals("gauge") if entry.rows]
    assert [(v.feature, v.rule, v.count) for v in written.broken] == [("temp", "upper_bound", 1)]
    states = airflow.states(GAUGE, refused["dag_run_id"])
    assert (states["validate"], states["write_offline"]) == ("failed", "upstream_failed")
    assert "a required value is missing (wind is missing in 2 rows)" in airflow.log(
        GAUGE, refused["dag_run_id"], "validate"
    )


def test_why_a_run_failed_is_read_for_the_window(airflow: Airflow) -> None:
    refused = next(run for run in airflow.runs(GAUGE, 2).values() if run["state"] == "failed")
    collector = AirflowCollector(airflow.connection)
    try:
        nodes = {node.ref: node for node in collector.collect({}).nodes}
    finally:
        collector.close()
    reason = nodes[refs.dag_run("local", GAUGE, refused["dag_run_id"])].facts["reason"]
    assert reason.startswith("validate failed: ")
    assert "a required value is missing (wind is missing in 2 rows)" in reason


def test_a_view_without_times_loads_its_snapshot(airflow: Airflow, store: FeatureStore) -> None:
    airflow.unpause(PLANE)  # the scheduler runs the newest interval by itself, and no older one
    (run,) = airflow.runs(PLANE, 1).values()
    assert run["state"] == "success"
    assert store.intervals("plane")[-1].dag_run_id == run["dag_run_id"]
    assert store.online("plane.seats", [{"tailnum": "N1"}]).rows[0]["plane__seats"] == 120
