"""A real Redis stream is consumed into both stores, each entry once, also when the consumer is killed; and Redis as the
online store of processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from e2e_ml.festaf.model import FeatureView, Registry, Source
from e2e_ml.festaf.rows.streams import GROUP, REASON, Consumer
from e2e_ml.festaf.store import FeatureStore
from tests.integration.conftest import until
from tests.servers import Server, redis_server
from tests.unit.festaf import killing
from tests.unit.festaf.worlds import hour, weather

VIEW = weather(
    source=Source(name="weather", format="push", uri="weather", connection="events"), ttl_seconds=None, schedule=None
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with redis_server() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with redis.Redis(port=server.port, password=server.password) as client:
        client.flushdb()
        yield client


@pytest.fixture
def folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REDIS_PASSWORD", server.password)
    there = f'{{url: "{server.url}", credential: env:REDIS_PASSWORD}}'
    (tmp_path / "festaf.yaml").write_text(f"version: 1\nonline: {there}\nconnections:\n  events: {there}\n")
    registry = Registry(project="flights", version=1, views=(VIEW,))
    (tmp_path / "registry.json").write_text(registry.model_dump_json())
    return tmp_path


def consumer(store: FeatureStore, take_over: float = 60.0) -> Consumer:
    def view_of() -> tuple[FeatureView, int]:
        return store.view("weather"), 1

    return Consumer(store.path, view_of, take_over=take_over)


def entry(n: int) -> dict[str, str]:
    return {"origin": "JFK", "observed_at": hour(n).isoformat(), "temp": "20.5", "wind": str(n)}


def winds(store: FeatureStore) -> list[float]:
    return store.offline("weather").sort("observed_at").collect()["wind"].to_list()


def test_entries_are_pushed_and_acknowledged(folder: Path, client: Any) -> None:
    store = FeatureStore.open(folder)
    client.xadd("weather", entry(0))
    client.xadd("weather", {"row": json.dumps({**entry(1), "temp": 21.5, "wind": 1})})
    reader = consumer(store)
    assert reader.step(wait=0.01) == 2
    assert reader.step(wait=0.01) == 0
    assert winds(store) == [0.0, 1.0]
    found = store.online("weather", [{"origin": "JFK"}], names="short").rows
    assert found == [{"origin": "JFK", "temp": 21.5, "wind": 1.0, "freezing": True, "wind_mean_2h": 0.5}]
    assert client.xpending("weather", GROUP)["pending"] == 0


def test_what_is_no_row_is_set_aside_and_holds_up_nothing(folder: Path, client: Any) -> None:
    store = FeatureStore.open(folder)
    for fields in (
        entry(0),
        {**entry(1), "wind": "strong"},
        {"row": "["},
        {"row": "7"},
        {**entry(2), "wind": ""},
        entry(3),
    ):
        client.xadd("weather", fields)
    client.xadd("weather", {b"origin": b"\xff"})
    reader = consumer(store)
    reader.step(wait=0.01)
    assert winds(store) == [0.0, 3.0]
    assert (reader.consumed.pushed, reader.consumed.refused) == (2, 5)
    refused = [fields for _, fields in client.xrange("weather:refused")]
    assert refused[0][b"wind"] == b"strong"
    assert b"'wind' of the pushed rows holds 'strong'" in refused[0][REASON.encode()]
    assert b"required is broken" in refused[3][REASON.encode()]
    assert client.xpending("weather", GROUP)["pending"] == 0


def test_what_a_dead_consumer_took_another_takes_over(folder: Path, client: Any) -> None:
    store = FeatureStore.open(folder)
    reader = consumer(store, take_over=0.0)
    for n in range(3):
        client.xadd("weather", entry(n))
    reader.step(wait=0.01)
    client.xadd("weather", entry(3))
    client.xreadgroup(GROUP, "the dead one", {"weather": ">"})
    # And one that died between both stores and its acknowledgement: redelivered, it changes nothing.
    client.xadd("weather", entry(2))
    client.xreadgroup(GROUP, "another", {"weather": ">"})
    while reader.step(wait=0.01):
        pass
    assert winds(store) == [0.0, 1.0, 2.0, 3.0]
    assert client.xpending("weather", GROUP)["pending"] == 0


def test_the_command_ends_cleanly_and_when_killed_loses_nothing(folder: Path, client: Any) -> None:
    store = FeatureStore.open(folder)
    command = [sys.executable, "-m", "e2e_ml.cli", "festaf", "consume", "weather", "--project", str(folder)]

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "Consuming the stream of weather.\n"
        return process

    for n in range(40):
        client.xadd("weather", entry(n))
    first = start()
    until(lambda: store.stats("weather").rows > 0, 60)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    for n in range(40, 60):
        client.xadd("weather", entry(n))
    second = start()
    until(lambda: 59.0 in winds(store), 60)
    second.send_signal(signal.SIGTERM)
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert said.startswith("Stopped: ")
    reader = consumer(store, take_over=0.0)
    while reader.step(wait=0.01):
        pass
    assert winds(store) == [float(n) for n in range(60)]
    assert store.online("weather.wind", [{"origin": "JFK"}]).rows[0]["weather__wind"] == 59.0


def test_a_materialize_that_is_killed_leaves_the_old_rows_or_the_new(folder: Path, client: Any) -> None:
    killing.materialize_is_whole(folder, attempts=3)
    left = list(client.scan_iter("*staged*"))
    assert all(client.ttl(name) > 0 for name in left), left


def test_a_push_that_is_killed_is_there_whole_or_not_at_all_and_once(folder: Path, client: Any) -> None:
    killing.push_is_once(folder, attempts=2)
    rows = FeatureStore.open(folder).offline("many").collect()
    assert rows.select("id", "observed_at").is_unique().all()
