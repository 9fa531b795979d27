"""Events over real HTTP: the standard's own client sends, our servers take, and the feature store's DAGs send too."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, JobEvent, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset, parent_run, schema_dataset
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

from e2e_ml import refs
from e2e_ml.festaf.model import Constraint
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.openlineage import OpenLineageCollector
from e2e_ml.lineage.graph import Graph, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.openlineage import sending
from e2e_ml.openlineage.naming import dag_run_id, task_run_id
from e2e_ml.openlineage.server import MOST_BATCH, MOST_BYTES, create_app
from e2e_ml.refs import Kind
from e2e_ml.stack import Stack, State
from e2e_ml.workspace import Workspace
from tests.festaf_server import TOKEN, run_server
from tests.integration.conftest import until
from tests.servers import free_port
from tests.unit.festaf.worlds import feature, plane, project, weather
from tests.unit.openlineage.samples import RUN, recorded, run_event

pytestmark = pytest.mark.timeout(420)
KEY = "a key of the tests"
BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of nothing but an inbox."""
    app = create_app(tmp_path_factory.mktemp("inbox") / "events.db", key=KEY)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def newest(url: str) -> int:
    return events(url)["newest"]


def events(url: str, **params: Any) -> Any:
    return httpx.get(f"{url}/api/v1/lineage/events", params=params, headers=BEARER).raise_for_status().json()


@contextlib.contextmanager
def client(url: str, key: str = KEY) -> Iterator[OpenLineageClient]:
    config = HttpConfig(url=url, auth=ApiKeyTokenProvider({"apiKey": key}))
    found = OpenLineageClient(transport=HttpTransport(config))
    yield found
    found.close()


def started() -> RunEvent:
    return RunEvent(
        eventType=RunState.START,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(RUN),
        job=Job("n", "j"),
        producer="https://example.com/tests",
    )


def test_the_standards_client_is_understood(url: str) -> None:
    before = newest(url)
    lineage = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={
            "cold": column_lineage_dataset.Fields(
                inputFields=[column_lineage_dataset.InputField("file", "/data/raw.csv", "temp")]
            )
        }
    )
    schema = schema_dataset.SchemaDatasetFacet(fields=[schema_dataset.SchemaDatasetFacetFields("cold", "boolean")])
    parent = parent_run.ParentRunFacet(parent_run.Run(RUN), parent_run.Job("airflow", "weather"))
    job = Job("airflow", "weather.clean")
    with client(url) as sender:
        for state in (RunState.START, RunState.COMPLETE):
            sender.emit(
                RunEvent(
                    eventType=state,
                    eventTime=datetime.now(UTC).isoformat(),
                    run=Run(RUN, {"parent": parent}),
                    job=job,
                    inputs=[InputDataset("file", "/data/raw.csv")],
                    outputs=[
                        OutputDataset("s3://lake", "weather", facets={"schema": schema, "columnLineage": lineage})
                    ],
                    producer="https://example.com/tests",
                )
            )
        sender.emit(JobEvent(eventTime=datetime.now(UTC).isoformat(), job=job, producer="https://example.com/tests"))
    found = events(url, after=before)
    assert [e["event"].get("eventType") for e in found["events"]] == ["START", "COMPLETE", None]
    whole = found["events"][1]["event"]
    assert whole["outputs"][0]["facets"]["columnLineage"]["fields"]["cold"]["inputFields"][0]["field"] == "temp"


def test_the_standards_client_is_refused_with_the_wrong_key(url: str) -> None:
    before = newest(url)
    with pytest.raises(Exception, match="401"), client(url, "another") as sender:
        sender.emit(started())
    assert newest(url) == before


def test_ours_sends_as_it_does(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", KEY)
    before = newest(url)
    event = sending.run_event("START", {"runId": RUN}, {"namespace": "n", "name": "ours"}, [], [])
    assert sending.emit(event)
    assert [e["event"] for e in events(url, after=before)["events"]] == [event]


def post(url: str, body: Any, path: str = "", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}/api/v1/lineage{path}", content=content, headers={**BEARER, **headers})


def test_what_airflows_provider_sends_is_taken_and_taken_once(url: str) -> None:
    before = newest(url)
    assert [post(url, event).json() for event in recorded()] == [{"new": 1}] * 5
    assert post(url, recorded(), "/batch").json() == {"new": 0}
    assert [e["event"] for e in events(url, after=before)["events"]] == recorded()


def test_pages(url: str) -> None:
    before = newest(url)
    post(url, [run_event(producer=f"page {n}") for n in range(5)], "/batch")
    first = events(url, after=before, limit=3)
    second = events(url, after=first["next"], limit=3)
    assert [len(first["events"]), len(second["events"])] == [3, 2]
    assert events(url, after=second["next"])["events"] == []
    assert first["inbox"] == second["inbox"]
    assert second["newest"] == second["next"]


def test_a_packed_body_is_unpacked(url: str) -> None:
    event = run_event(producer="packed")
    packed = gzip.compress(json.dumps(event).encode())
    assert post(url, packed, **{"content-encoding": "gzip"}).json() == {"new": 1}
    bomb = gzip.compress(b" " * (MOST_BYTES + 1))
    assert post(url, bomb, **{"content-encoding": "gzip"}).status_code == 413
    assert post(url, packed[:-9], **{"content-encoding": "gzip"}).status_code == 400
    assert post(url, b"{}", **{"content-encoding": "gzip"}).status_code == 400
    assert post(url, b"{}", **{"content-encoding": "br"}).status_code == 415


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("", b"{", 400, "no JSON"),
        ("", b"\xff\xfe", 400, "no JSON"),
        ("", run_event(run={"runId": "1"}), 422, "run.runId: "),
        ("", [run_event()], 422, "/api/v1/lineage/batch"),
        ("", b" " * (MOST_BYTES + 1), 413, "8 MiB"),
        ("/batch", run_event(), 422, "a list of events"),
        ("/batch", [run_event(producer="not kept"), run_event(job={})], 422, "Event 2 of the batch: "),
        ("/batch", [run_event()] * (MOST_BATCH + 1), 413, "1,000 events"),
    ],
)
def test_what_is_not_taken(url: str, path: str, body: Any, status: int, said: str) -> None:
    before = newest(url)
    answer = post(url, body, path)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert newest(url) == before


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}])
def test_without_the_key_nothing_is_written_or_read(url: str, headers: dict[str, str]) -> None:
    for answer in (
        httpx.post(f"{url}/api/v1/lineage", json=run_event(producer="nobody"), headers=headers),
        httpx.post(f"{url}/api/v1/lineage/batch", json=[run_event(producer="nobody")], headers=headers),
        httpx.get(f"{url}/api/v1/lineage/events", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert KEY not in answer.text


def test_another_hosts_name_is_refused(url: str) -> None:
    answer = httpx.get(f"{url}/api/v1/lineage/events", headers={**BEARER, "host": "evil.example.com"})
    assert answer.status_code == 400
    assert httpx.get(f"{url}/health").json()["status"] == "ok"


def test_a_server_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="OPENLINEAGE_API_KEY"):
        create_app(tmp_path / "events.db", key="")


def test_the_feature_stores_server_takes_events_behind_its_token(tmp_path: Path) -> None:
    store = project(tmp_path / "flights")
    server = run_server(store.path, tmp_path / "log")
    bearer = {"authorization": f"Bearer {TOKEN}"}
    try:
        with client(server.url, TOKEN) as sender:
            sender.emit(started())
        found = httpx.get(f"{server.url}/api/v1/lineage/events", headers=bearer).raise_for_status().json()
        assert [e["event"]["job"]["name"] for e in found["events"]] == ["j"]
        assert server.get("/api/v1/lineage/events").status_code == 401
        refused = httpx.post(f"{server.url}/api/v1/lineage", json={}, headers=bearer)
        assert refused.status_code == 422
        assert "no run, no job and no dataset" in refused.json()["detail"]
        assert "/api/v1/lineage" in server.json("/openapi.json")["paths"]
    finally:
        server.stop()
    reading = run_server(store.path, tmp_path / "log of the second", token=None)
    try:
        answer = httpx.post(f"{reading.url}/api/v1/lineage", json=run_event())
        assert answer.status_code == 403
        assert "takes no writes" in answer.json()["detail"]
    finally:
        reading.stop()


DAGS = """
from datetime import UTC, datetime

from airflow.sdk import DAG, task
from e2e_ml.festaf.airflow import load, produces

PROJECT = {path!r}
globals().update(load(PROJECT))

with DAG("own.dag", schedule="@daily", start_date=datetime(2013, 1, 1, tzinfo=UTC)) as own:

    @produces("pier", project=PROJECT)
    @task
    def read(data_interval_start=None, data_interval_end=None):
        print("the view's source is read")

    read()

if __name__ == "__main__":
    day = datetime(2013, 1, 2, tzinfo=UTC)
    for name in ("festaf.flights.weather", "festaf.flights.strict", "own.dag"):
        print("ended:", name, globals().get(name, own).test(logical_date=day).state)
"""


def run_dags(folder: Path, store: FeatureStore, **more: str) -> dict[str, str]:
    """Run the DAGs with Airflow's own `dag.test()`; the state of each."""
    (folder / "dags").mkdir()
    file = folder / "dags" / "to_try.py"
    file.write_text(DAGS.format(path=str(store.path)))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **more,
    }
    for command in (["-m", "airflow", "db", "migrate"], [str(file)]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False, cwd=folder
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert KEY not in done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("ended:")]
    return {name: state for _, name, state in lines}


def test_the_feature_stores_dags_tell_what_they_do(url: str, tmp_path: Path) -> None:
    refused = [each.model_copy(update={"constraints": ()}) for each in weather().features]
    refused[0] = feature("temp", constraints=(Constraint(rule="upper_bound", value=30),))
    strict = weather(name="strict", features=tuple(refused), on_broken="fail")
    store = project(tmp_path / "flights", weather(), weather(name="pier", schedule=None), strict)
    before = newest(url)
    ended = run_dags(tmp_path, store, OPENLINEAGE_URL=url, OPENLINEAGE_API_KEY=KEY, OPENLINEAGE_NAMESPACE="tests")
    assert ended == {"festaf.flights.weather": "success", "festaf.flights.strict": "failed", "own.dag": "success"}
    told = [each["event"] for each in events(url, after=before, limit=100)["events"]]
    steps = ["extract", "transform", "validate", "write_offline", "materialize_online"]
    assert [(e["job"]["name"], e["eventType"]) for e in told] == [
        *((f"festaf.flights.weather.{step}", kind) for step in steps for kind in ("START", "COMPLETE")),
        *((f"festaf.flights.strict.{step}", kind) for step in steps[:2] for kind in ("START", "COMPLETE")),
        ("festaf.flights.strict.validate", "START"),
        ("festaf.flights.strict.validate", "FAIL"),
        ("own.dag.read", "START"),
        ("own.dag.read", "COMPLETE"),
    ]
    for event in told:
        airflow, parent = event["run"]["facets"]["airflow"], event["run"]["facets"]["parent"]
        dag_id, task_id = airflow["dag"]["dag_id"], airflow["task"]["task_id"]
        day = datetime.fromisoformat(airflow["dagRun"]["logical_date"])
        assert (event["job"]["namespace"], event["job"]["name"]) == ("tests", f"{dag_id}.{task_id}")
        assert parent["job"] == {"namespace": "tests", "name": dag_id}
        assert event["run"]["runId"] == str(task_run_id("tests", dag_id, task_id, 1, -1, day))
        assert parent["run"]["runId"] == str(dag_run_id("tests", dag_id, 0, day))
    written = next(e for e in told if e["outputs"])
    assert written["job"]["name"] == "festaf.flights.weather.write_offline"
    assert written["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 36
    failed = next(e for e in told if e["eventType"] == "FAIL")
    assert "rules are broken" in failed["run"]["facets"]["errorMessage"]["message"]
    assert not failed["outputs"][0]["facets"]["dataQualityAssertions"]["assertions"][0]["success"]

    graph = collected(url, before)
    source = refs.dataset("file", str(store.path / "weather.parquet"))
    view = refs.dataset("festaf://flights", "weather")
    found = {(e.upstream, e.relation, e.downstream) for ref in graph.refs() for e in graph.downstream(ref)}
    temp = refs.column("file", str(store.path / "weather.parquet"), "temp")
    assert found >= {
        (source, Relation.FEEDS, view),
        (view, Relation.STANDS_FOR, refs.feature_view("flights", "weather")),
        (refs.dag("local", "festaf.flights.weather"), Relation.PRODUCES, view),
        (refs.dag("local", "own.dag"), Relation.PRODUCES, refs.dataset("festaf://flights", "pier")),
        (source, Relation.READ_BY, refs.dag("local", "festaf.flights.weather")),
        (temp, Relation.FEEDS, refs.feature("flights", "weather", "freezing")),
        (temp, Relation.FEEDS, refs.feature("flights", "weather", "temp")),
    }
    quality = next(node for node in graph.nodes(Kind.DATASET) if node.ref.name == "strict").facts["quality"]
    assert quality["failed"] == 1
    node = graph.get(view)
    assert node is not None
    assert node.facts["quality"]["rows"] == 36
    assert node.facts["owner"] == "weather-team"


def test_dags_do_not_notice_that_nobody_answers(tmp_path: Path) -> None:
    store = project(tmp_path / "flights", weather(), weather(name="pier", schedule=None), weather(name="strict"))
    ended = run_dags(tmp_path, store, OPENLINEAGE_URL="http://127.0.0.1:9", OPENLINEAGE_API_KEY=KEY)
    assert set(ended.values()) == {"success"}


LOADER = '"""The DAGs of a project."""\nfrom e2e_ml.festaf.airflow import load\n\nglobals().update(load({path!r}))\n'


def test_what_a_managed_airflow_runs_arrives_at_the_managed_feature_store(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    store = project(root / "flights", weather(schedule=None), plane().model_copy(update={"schedule": "@once"}))
    (root / "dags").mkdir()
    (root / "dags" / "festaf_flights.py").write_text(LOADER.format(path=str(store.path)))
    (root / "workbench.yaml").write_text(
        "version: 1\nname: flights\nservices:\n  festaf: {managed: true, project: flights}\n"
    )
    with Stack(Workspace.load(root)) as stack:
        airflow, festaf = stack.services["airflow"], stack.services["festaf"]
        for service in (airflow, festaf):
            service.start()
        until(lambda: {s.status().state for s in (airflow, festaf)} == {State.UP}, what="the services are not up")
        login, ours = airflow.login(), festaf.login()
        assert login
        assert ours
        with (
            httpx.Client(base_url=f"{airflow.url}/api/v2", headers=login.headers, timeout=30) as api,
            httpx.Client(base_url=f"{festaf.url}/api/v1/lineage", headers=ours.headers, timeout=30) as inbox,
        ):
            dag = "/dags/festaf.flights.plane"
            until(lambda: api.get(dag).status_code == 200, what="the DAG is not read")
            api.patch(dag, json={"is_paused": False}).raise_for_status()
            # The last of its tasks has ended.
            until(lambda: inbox.get("/events").json()["newest"] >= 10, what="its events have not arrived")
            told = [each["event"] for each in inbox.get("/events").raise_for_status().json()["events"]]
            assert inbox.get("/events", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert [e["eventType"] for e in told] == ["START", "COMPLETE"] * 5
    assert {e["job"]["namespace"] for e in told} == {"flights"}  # the workspace's name
    (output,) = (o for e in told for o in e["outputs"])
    assert (output["namespace"], output["name"]) == ("festaf://flights", "plane")
    key = ours.headers["Authorization"].partition(" ")[2]
    logs = [path.read_bytes() for path in (root / ".e2e-ml").rglob("*.log")]
    assert logs
    assert not any(key.encode() in log for log in logs)


def collected(url: str, after: int) -> Graph:
    """What the workbench makes of the events."""
    collector = OpenLineageCollector(Connection("local", lambda: url, lambda: BEARER))
    index = Index(None)
    for batch in collector.collect({"inbox": events(url)["inbox"], "after": after}):
        index.upsert(collector.name, batch)
    collector.close()
    return index.graph()
