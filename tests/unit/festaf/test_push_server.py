"""The server's way to the rows: the online question, answered as the store answers it, and pushes by whoever may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from e2e_ml.festaf.server import rows as server_rows
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.server.security import HEADERS
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import hour, project

BEARER = {"authorization": "Bearer token"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(24))
    store.load("plane")
    return TestClient(create_app(tmp_path, token="token"), base_url="http://127.0.0.1")


def ask(client: TestClient, features: Any, *rows: dict[str, Any], **more: Any) -> Any:
    answer = client.post("/api/v1/online", json={"features": features, "rows": list(rows), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_question_is_answered_in_the_order_asked(client: TestClient) -> None:
    asked = [{"origin": "LGA", "tailnum": "N1", "id": 7}, {"origin": "EWR", "tailnum": "N2"}]
    found = ask(client, "delay", *asked, at=hour(23).isoformat())
    assert found["rows"] == [
        {**asked[0], "weather__temp": 42.0, "weather__wind_mean_2h": 122.0, "plane__seats": 120},
        {**asked[1], "weather__temp": None, "weather__wind_mean_2h": None, "plane__seats": None},
    ]
    assert found["missing"] == [{}, {"weather__temp": "absent", "weather__wind_mean_2h": "absent"}]
    late = ask(client, ["weather.temp"], {"origin": "JFK"}, at="2014-01-01T00:00:00Z", names="short")
    assert late == {"rows": [{"origin": "JFK", "temp": None}], "missing": [{"temp": "expired"}]}


def test_many_rows_are_looked_up_on_another_thread(client: TestClient) -> None:
    found = ask(client, "plane.seats", *[{"tailnum": "N1"}] * 1001)
    assert [row["plane__seats"] for row in found["rows"]] == [120] * 1001


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "The request is no JSON"),
        (b"[]", "The request is a JSON object"),
        (b'{"features": "delay", "rows": [], "feature": 1}', "The request holds feature"),
        (b'{"features": 7, "rows": []}', '"features" is the name'),
        (b'{"features": [], "rows": []}', "No feature was asked for"),
        (b'{"features": "delay", "rows": {}}', '"rows" is a list'),
        (b'{"features": "delay", "rows": [], "names": "long"}', '"names" is'),
        (b'{"features": "delay", "rows": [], "at": "noon"}', '"at" is a time'),
        (b'{"features": "delay", "rows": [], "at": "2013-01-01T00:00:00"}', "has no time zone"),
        (b'{"features": "nothing", "rows": [{}]}', "There is no"),
        (b'{"features": "plane", "rows": [{"origin": "JFK"}]}', "plane is asked by tailnum"),
        (b'{"features": "plane", "rows": [{"tailnum": 7}]}', "a string; 7 is none"),
    ],
)
def test_a_wrong_question_is_answered_by_a_sentence(client: TestClient, body: bytes, said: str) -> None:
    answer = client.post("/api/v1/online", content=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_the_question_is_guarded_as_everything_else(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    question = {"features": "plane.seats", "rows": [{"tailnum": "N1"}]}
    answer = client.post("/api/v1/online", json=question)
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    assert client.post("/api/v1/online", json=question, headers={"host": "evil.example.com"}).status_code == 400
    assert client.get("/api/v1/online").status_code == 405
    monkeypatch.setattr(server_rows, "_LIMIT", 100)
    assert client.post("/api/v1/online", content=b" " * 101).status_code == 413


def test_the_question_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    assert "OnlineQuestion" in json.dumps(described["/api/v1/online"]["post"]["requestBody"])
    assert "/api/v1/push/{view}" in described


def test_a_registry_that_changes_is_seen(client: TestClient, tmp_path: Path) -> None:
    assert set(ask(client, "plane", {"tailnum": "N1"})["rows"][0]) == {"tailnum", "plane__seats", "plane__jet"}
    registry = json.loads((tmp_path / "registry.json").read_text())
    plane = next(view for view in registry["views"] if view["name"] == "plane")
    plane["features"] = [f for f in plane["features"] if f["name"] == "seats"]
    (tmp_path / "registry.json").write_text(json.dumps(registry))
    assert set(ask(client, "plane", {"tailnum": "N1"})["rows"][0]) == {"tailnum", "plane__seats"}


def test_what_is_asked_at_one_moment_shares_a_look_at_the_files_and_the_next_sees_what_changed(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = client.app
    store: FeatureStore = app.state.live.store
    looks: list[Any] = []
    prepared = store.prepared
    monkeypatch.setattr(store, "prepared", lambda *asked: looks.append(asked) or prepared(*asked))
    body = json.dumps({"features": "plane.seats", "rows": [{"tailnum": "N1"}]}).encode()

    async def asked(answers: list[Any]) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            answers.append(message)

        headers = [(b"host", b"127.0.0.1")]
        await app({"type": "http", "path": "/api/v1/online", "method": "POST", "headers": headers}, receive, send)

    async def eight_twice() -> list[Any]:
        answers: list[Any] = []
        await asyncio.gather(*(asked(answers) for _ in range(8)))
        store.push("plane", [{"tailnum": "N1", "seats": 7}])
        await asyncio.gather(*(asked(answers) for _ in range(8)))
        return [json.loads(m["body"])["rows"][0]["plane__seats"] for m in answers if "body" in m]

    assert asyncio.run(eight_twice()) == [120] * 8 + [7] * 8
    assert len(looks) == 2


def test_what_fails_without_a_reason_is_answered_and_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app: Any = client.app

    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(app.state.live.store, "prepared", fails)
    answer = client.post("/api/v1/online", json={"features": "plane", "rows": []})
    assert (answer.status_code, answer.json()) == (500, {"detail": server_rows.FAILED})
    assert "out of order" in caplog.text
    caplog.clear()  # a logged error fails a test that does not expect it


# --- pushing -----------------------------------------------------------------------------------------------------


ROW = {"origin": "JFK", "observed_at": "2013-01-02T00:00:00Z", "temp": 10, "wind": 25}


@pytest.mark.parametrize("rows", [ROW, [ROW, ROW]])
def test_rows_are_pushed_with_the_token(client: TestClient, rows: Any) -> None:
    for new in (1, 0):
        answer = client.post("/api/v1/push/weather", json=rows, headers=BEARER)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"rows": 1, "new": new, "recomputed": 0, "broken": []}
    found = ask(client, "weather.wind_mean_2h", {"origin": "JFK"}, at="2013-01-02T00:00:00Z")
    assert found["rows"][0]["weather__wind_mean_2h"] == 24.0


def test_who_may_not_push_and_what_is_refused(client: TestClient) -> None:
    assert client.post("/api/v1/push/weather", json=ROW).status_code == 401
    assert client.post("/api/v1/push/nowhere", json=ROW, headers=BEARER).status_code == 404
    refused = client.post("/api/v1/push/weather", json={**ROW, "wind": None}, headers=BEARER)
    assert refused.status_code == 422
    assert "wind: required is broken by 1 rows" in refused.json()["detail"]
