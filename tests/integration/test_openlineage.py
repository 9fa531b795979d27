"""Events over real HTTP: the standard's own client sends, our servers take, and the feature store's DAGs send too."""

from __future__ import annotations

import contextlib
import gzip
import json
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

from e2e_ml.openlineage import sending
from e2e_ml.openlineage.server import MOST_BATCH, MOST_BYTES, create_app
from tests.festaf_server import TOKEN, run_server
from tests.servers import free_port
from tests.unit.festaf.worlds import project
from tests.unit.openlineage.samples import RUN, recorded, run_event

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
