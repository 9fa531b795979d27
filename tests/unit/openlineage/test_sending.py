"""Sending: to a server that answers, refuses, hangs or is not there, and the pipeline never notices."""

from __future__ import annotations

import http.server
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from e2e_ml.openlineage import sending
from e2e_ml.openlineage.events import RunEvent, parse
from e2e_ml.openlineage.sending import emit, facet, receiver, run_event

KEY = "key-that-nobody-reads"


class Answering(http.server.BaseHTTPRequestHandler):
    server: Receiving  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, self.headers["authorization"], json.loads(body)))
        self.server.answer(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


class Receiving(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: list[tuple[str, str | None, Any]] = []
        self.answer = lambda request: status(request, 200)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


def status(request: Answering, code: int, **headers: str) -> None:
    request.send_response(code)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    found = Receiving()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in ("ENDPOINT", "DISABLED", "NAMESPACE"):
        monkeypatch.delenv(f"OPENLINEAGE_{name}", raising=False)
    monkeypatch.setenv("OPENLINEAGE_URL", found.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", KEY)
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture(autouse=True)
def never_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_failing", sending._Failing())  # pyright: ignore[reportPrivateUsage]


EVENT = run_event("START", {"runId": "0190a1b2-0000-7000-8000-000000000001"}, {"namespace": "n", "name": "j"}, [], [])


def test_an_event_arrives(server: Receiving) -> None:
    assert emit(EVENT)
    assert server.got == [("/api/v1/lineage", f"Bearer {KEY}", EVENT)]
    event = parse(server.got[0][2])
    assert isinstance(event, RunEvent)
    assert event.job.name == "j"


def test_endpoint_and_key_are_the_environments(server: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", f"{server.url}/base/")
    monkeypatch.setenv("OPENLINEAGE_ENDPOINT", "/events/lineage")
    monkeypatch.delenv("OPENLINEAGE_API_KEY")
    assert emit(EVENT)
    assert server.got == [("/base/events/lineage", None, EVENT)]


@pytest.mark.parametrize("environment", [{}, {"OPENLINEAGE_URL": "http://h", "OPENLINEAGE_DISABLED": "True"}])
def test_nobody_is_told_where_nobody_asks(environment: dict[str, str]) -> None:
    assert receiver(environment) is None
    assert not sending.is_asked(environment)


def test_namespaces() -> None:
    assert sending.namespace({}) == "default"
    assert sending.namespace({"OPENLINEAGE_NAMESPACE": "prod"}) == "prod"
    both = {"OPENLINEAGE_NAMESPACE": "prod", "AIRFLOW__OPENLINEAGE__NAMESPACE": "airflow-prod"}
    assert sending.namespace(both) == "airflow-prod"


def test_a_refusal_is_logged_once_and_without_the_key(server: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    server.answer = lambda request: status(request, 401)
    assert not emit(EVENT)
    assert not emit(EVENT)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "answered 401 Unauthorized: is OPENLINEAGE_API_KEY the receiver's key?" in record.message
    assert KEY not in caplog.text
    assert len(server.got) == 1  # for a while it is left alone


def test_the_key_follows_no_redirect(server: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    other = Receiving()
    thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.answer = lambda request: status(request, 302, location=other.url)
    assert not emit(EVENT)
    other.shutdown()
    thread.join()
    other.server_close()
    assert other.got == []
    assert "answered 302" in caplog.text


def test_a_server_that_drips_costs_three_seconds_once(server: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def drip(request: Answering) -> None:
        status(request, 200)
        while not done.wait(0.2):
            try:
                request.wfile.write(b".")
            except OSError:
                return

    server.answer = drip
    began = time.monotonic()
    assert not emit(EVENT)
    assert not emit(EVENT)
    took = time.monotonic() - began
    done.set()
    assert took < sending._LONGEST + 1  # pyright: ignore[reportPrivateUsage]
    assert "does not answer in time" in caplog.text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 is not reached"),
        ("ftp://user:hidden@example.com", "OPENLINEAGE_URL is no http(s) address"),
        ("http://[", "OPENLINEAGE_URL is no http(s) address"),
        ("http://user:hidden/@example.com", "OPENLINEAGE_URL is no http(s) address"),
        ("http://user:hidden@127.0.0.1:9/?token=hidden", "http://127.0.0.1:9 is not reached"),
    ],
)
def test_whatever_is_wrong_is_a_sentence(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    assert not emit(EVENT)
    assert said in caplog.text
    assert "hidden" not in caplog.text
    assert "The pipeline goes on" in caplog.text


def test_a_key_that_is_no_header_is_not_told(
    server: Receiving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret\nInjected: header")
    assert not emit(EVENT)
    assert "secret" not in caplog.text
    assert server.got == []


def test_an_event_that_is_no_json_is_no_trouble(server: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    assert not emit(circle)
    assert "they cannot be made" in caplog.text


def test_a_facet_names_its_schema() -> None:
    made = facet("SqlJobFacet", query="SELECT 1", dialect=None)
    assert made["query"] == "SELECT 1"
    assert "dialect" not in made
    assert made["_schemaURL"].endswith("SqlJobFacet.json#/$defs/SqlJobFacet")
    assert made["_producer"].startswith("urn:e2e-ml:")
