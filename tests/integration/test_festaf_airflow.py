"""Views as DAGs on a real Airflow: backfilled by its scheduler, rerun, skipped, refused, reopened for late rows; views
that tasks of other DAGs make; and views that make no DAG."""

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
from e2e_ml.festaf.model import TaskRef
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.stack.service import State
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace
from tests.unit.festaf.worlds import hour, plane, project, weather, weather_rows

pytestmark = pytest.mark.timeout(420)
DAG, GAUGE, PLANE, TIDE = (f"festaf.flights.{view}" for view in ("weather", "gauge", "plane", "tide"))
OWN, LEGACY = "own_pier", "legacy_buoy"
LOADER = '"""The DAGs of a project."""\nfrom e2e_ml.festaf.airflow import load\n\nglobals().update(load({path!r}))\n'

# Airflow 3 gives a plain cron schedule no data interval.
OTHERS = '''"""DAGs of other people."""
from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

from e2e_ml.festaf.airflow import produces

PROJECT = {path!r}
START, END = (datetime(2013, 1, day, tzinfo=UTC) for day in (1, 9))
COMMON = {{"schedule": "@daily", "start_date": START, "end_date": END, "catchup": False}}

with DAG("own_pier", **COMMON):

    @produces("pier", project=PROJECT)
    @task
    def load(data_interval_start=None, data_interval_end=None):
        import polars as pl

        rows = pl.read_parquet(PROJECT + "/weather.parquet")
        return rows.filter(pl.col("observed_at").is_between(data_interval_start, data_interval_end, closed="left"))

    load() >> produces("quay", project=PROJECT)(BashOperator(task_id="copy", bash_command="true"))

with DAG("legacy_buoy", **COMMON):

    @task
    def load_source():
        """It knows nothing of festaf."""

    load_source()
'''


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

    def trigger(self, dag: str, when: str) -> dict[str, str]:
        """Run the DAG for a moment, and wait; gives the states of its tasks."""
        answer = self._client.post(f"/dags/{dag}/dagRuns", json={"logical_date": when}).raise_for_status()
        run = answer.json()["dag_run_id"]
        self.until(f"/dags/{dag}/dagRuns/{run}", lambda found: found["state"] in ("success", "failed"))
        return self.states(dag, run)

    def clear(self, dag: str, run: str, task: str) -> None:
        body = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False}
        self._client.post(f"/dags/{dag}/clearTaskInstances", json=body).raise_for_status()

    def events(self, dag: str) -> list[dict[str, Any]]:
        """The extras of the asset events that the DAG's runs have sent, oldest first."""
        page = self.get("/assets/events", source_dag_id=dag, order_by="timestamp")
        return [event["extra"] for event in page["asset_events"]]

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
    others = {"schedule": None, "source": weather().source.model_copy(update={"name": "any"})}
    store = project(
        folder,
        weather(end=hour(96)),
        gauge,
        weather(name="tide", source=others["source"], lateness_seconds=24 * 3600, end=hour(96)),
        weather(name="pier", produced_by=TaskRef(dag_id=OWN, task_id="load"), **others),
        weather(name="quay", produced_by=TaskRef(dag_id=OWN, task_id="copy"), **others),
        weather(name="buoy", produced_by=TaskRef(dag_id=LEGACY, task_id="load_source"), **others),
        plane().model_copy(update={"schedule": "@daily", "start": hour(0)}),
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
    (root / "dags" / "others.py").write_text(OTHERS.format(path=str(store.path)))
    project(root / "half", weather(schedule="@once"), weather(name="gauge"))
    registry = root / "half" / "registry.json"
    registry.write_text(registry.read_text().replace('"project":"flights"', '"project":"half"'))
    (root / "dags" / "festaf_half.py").write_text(LOADER.format(path=str(root / "half")))
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
        for dag in (DAG, GAUGE, PLANE, TIDE, OWN, LEGACY):
            client.until(f"/dags/{dag}", bool)
        yield client
        client.close()


def test_a_broken_project_breaks_its_own_file(airflow: Airflow) -> None:
    errors = airflow.until("/importErrors", lambda page: page["total_entries"] > 0)["import_errors"]
    assert len(errors) == 1
    assert "has no registry.json. Run `e2e-ml festaf apply` in it first." in errors[0]["stack_trace"]


def test_a_view_that_makes_no_dag_leaves_the_others_of_its_file_alone(airflow: Airflow) -> None:
    wrong = airflow.until("/dags/festaf.half.weather/details", bool)
    assert {tag["name"] for tag in wrong["tags"]} == {"ml:feature", "ml:broken"}
    assert wrong["description"].startswith("weather makes no DAG: weather has event times, so it is made interval by")
    tasks = airflow.until("/dags/festaf.half.gauge/tasks", bool)["tasks"]
    assert {task["task_id"] for task in tasks} >= {"extract", "write_offline"}
    # A run of it fails, with the sentence as its reason.
    airflow.unpause("festaf.half.weather")
    (run,) = airflow.runs("festaf.half.weather", 1).values()
    assert run["state"] == "failed"
    assert "@once has none" in airflow.log("festaf.half.weather", run["dag_run_id"], "definition")


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
    told = airflow.get(
        f"/dags/{GAUGE}/dagRuns/{marked['dag_run_id']}/taskInstances/validate/xcomEntries/broken_constraints",
        deserialize=True,
    )
    assert told["value"] == [
        {
            "interval": "2013-01-01 00:00 UTC to 2013-01-02 00:00 UTC",
            "constraint": "temp: upper_bound 130",
            "rows": 1,
        }
    ]
    assert "temp: upper_bound 130" in log
    assert "temp=999.0" in log
    noted = airflow.get(f"/dags/{GAUGE}/dagRuns/{marked['dag_run_id']}/taskInstances/validate")["note"]
    assert noted == "temp: upper_bound 130 (1 row), 2013-01-01 00:00 UTC to 2013-01-02 00:00 UTC"
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
        told = [record.node for batch in collector.collect({}) for record in batch.records]
    finally:
        collector.close()
    run = refs.dag_run("local", GAUGE, refused["dag_run_id"])
    reason = next(node.facts["reason"] for node in told if node.ref == run and "reason" in node.facts)
    assert reason.startswith("validate failed: ")
    assert "a required value is missing (wind is missing in 2 rows)" in reason


def test_a_view_without_times_loads_its_snapshot(airflow: Airflow, store: FeatureStore) -> None:
    airflow.unpause(PLANE)  # the scheduler runs the newest interval by itself, and no older one
    (run,) = airflow.runs(PLANE, 1).values()
    assert run["state"] == "success"
    assert store.intervals("plane")[-1].dag_run_id == run["dag_run_id"]
    assert store.online("plane.seats", [{"tailnum": "N1"}]).rows[0]["plane__seats"] == 120


def test_rows_that_came_late_reopen_their_interval(airflow: Airflow, store: FeatureStore) -> None:
    late = pl.col("observed_at") == hour(23)
    weather_rows().filter(~late).write_parquet(store.path / "weather.parquet")
    airflow.unpause(TIDE)
    airflow.backfill(TIDE, "2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z")
    assert airflow.runs(TIDE, 1)["2013-01-01"]["state"] == "success"
    weather_rows().write_parquet(store.path / "weather.parquet")
    airflow.backfill(TIDE, "2013-01-02T00:00:00Z", "2013-01-02T00:00:00Z")
    second = airflow.runs(TIDE, 2)["2013-01-02"]
    assert second["state"] == "success"
    run = second["dag_run_id"]
    assert "2013-01-01 00:00 UTC to 2013-01-02 00:00 UTC is loaded again: 1 row is late." in airflow.log(
        TIDE, run, "extract"
    )
    ledger = store.intervals("tide")
    assert [(e.rows, e.writes, e.dag_run_id == run) for e in ledger] == [(36, 2, True), (36, 1, True)]
    told = airflow.events(TIDE)[-1]
    assert told["rows"] == 36
    assert told["rewritten"] == [
        {"interval_start": "2013-01-01T00:00:00+00:00", "interval_end": "2013-01-02T00:00:00+00:00", "rows": 36}
    ]
    # The last step again, when the files between the steps are gone.
    airflow.clear(TIDE, run, "materialize_online")
    airflow.until(
        f"/dags/{TIDE}/dagRuns/{run}/taskInstances/materialize_online",
        lambda task: task["state"] == "success" and task["try_number"] == 2,
    )
    assert store.online("tide.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["tide__temp"] == 67.0
    assert [(e.rows, e.writes) for e in store.intervals("tide")] == [(36, 2), (36, 1)]


def test_a_task_of_ones_own_makes_a_view_by_a_decorator(airflow: Airflow, store: FeatureStore) -> None:
    weather_rows().write_parquet(store.path / "weather.parquet")
    tasks = airflow.get(f"/dags/{OWN}/tasks")["tasks"]
    assert {task["task_id"] for task in tasks} == {"load", "copy"}
    (found,) = airflow.get("/assets", uri_pattern="festaf://flights/pier")["assets"]
    assert [(task["dag_id"], task["task_id"]) for task in found["producing_tasks"]] == [(OWN, "load")]
    airflow.unpause(OWN)
    assert airflow.trigger(OWN, "2013-01-02T00:00:00Z") == {"load": "success", "copy": "success"}
    assert airflow.trigger(OWN, "2013-01-03T00:00:00Z") == {"load": "success", "copy": "success"}
    # Runs without a length take what has come since the last one.
    days = [(hour(0), hour(24), 36), (hour(24), hour(48), 36)]
    assert [(e.start, e.end, e.rows) for e in store.intervals("pier")] == days
    # The operator has written the source of its view; what it gives is read from there.
    assert [(e.start, e.end, e.rows) for e in store.intervals("quay")] == days
    assert [event["rows"] for event in airflow.events(OWN)] == [36, 36, 36, 36]
    assert store.online("pier.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["pier__temp"] == 67.0


def test_a_dag_that_knows_nothing_of_festaf_makes_a_view(airflow: Airflow, store: FeatureStore) -> None:
    weather_rows().with_columns(temp=999.0).write_parquet(store.path / "weather.parquet")
    tasks = {task["task_id"]: task["downstream_task_ids"] for task in airflow.get(f"/dags/{LEGACY}/tasks")["tasks"]}
    assert tasks == {"load_source": ["festaf__buoy"], "festaf__buoy": []}
    airflow.unpause(LEGACY)
    assert airflow.trigger(LEGACY, "2013-01-02T00:00:00Z") == {"load_source": "success", "festaf__buoy": "success"}
    (written,) = store.intervals("buoy")
    assert [(v.words, v.count) for v in written.broken] == [("temp: upper_bound 130", 36)]
    (event,) = airflow.events(LEGACY)
    assert event["broken"] == ["temp: upper_bound 130 (36 rows)"]
    assert "Broken constraints of buoy" in airflow.log(LEGACY, str(written.dag_run_id), "festaf__buoy")
