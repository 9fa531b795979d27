"""The online store in a real Redis: the suite of all online stores, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.online.redis import RedisStore, connect
from e2e_ml.festaf.settings import Connection
from tests.servers import Server, redis_server
from tests.unit.festaf.online_conformance import OnlineConformance, X, at, frame, read
from tests.unit.festaf.worlds import hour, project


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with redis_server() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, password=server.password) as client:
        client.flushdb()
        yield client


@pytest.fixture
def store(client: redis.Redis) -> RedisStore:
    return RedisStore(client, "tests")


class TestRedis(OnlineConformance):
    pass


def test_a_project_is_served_from_where_its_settings_say(
    server: Server, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", server.password)
    (tmp_path / "festaf.yaml").write_text(
        f'version: 1\nonline: {{url: "{server.url}", credential: env:REDIS_PASSWORD}}\n'
    )
    store = project(tmp_path)
    store.load("weather", hour(0), hour(48))
    store.load("plane")
    found = store.online("delay", [{"origin": "JFK", "tailnum": "N1"}], at=hour(47))
    assert found.rows == [
        {"origin": "JFK", "tailnum": "N1", "weather__temp": 67.0, "weather__wind_mean_2h": 46.5, "plane__seats": 120}
    ]
    assert not (tmp_path / "store" / "online.db").exists()
    names = {name.decode().rpartition(":")[2] for name in client.scan_iter("*")}
    assert names == {"rows", "times", "layouts"}
    assert all(name.startswith(b"festaf:{flights:") for name in client.scan_iter("*"))


def test_nothing_stays_staged_and_what_is_expires(client: redis.Redis, store: RedisStore) -> None:
    def fails(_: object) -> None:
        raise RuntimeError

    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    many = frame(X, [at(i, 2, float(i)) for i in range(2, 5000)])
    with pytest.raises(RuntimeError):
        store.replace_interval(X, many, hour(0), hour(24), fails)  # type: ignore[arg-type]
    assert not list(client.scan_iter("*staged*"))
    assert read(store, X, 1, 2) == [[1.0], None]
    store.replace_all(X, many)
    assert {client.ttl(name) for name in client.scan_iter("*")} == {-1}


def test_a_server_that_is_away_or_refuses_is_a_sentence(server: Server, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    refused = RedisStore(connect(Connection(url=server.url, credential=f"file:{password}"), tmp_path), "tests")
    with pytest.raises(FeatureStoreError, match="refuses the password") as error:
        read(refused, X, 1)
    assert "wrong" not in str(error.value)
    away = RedisStore(connect(Connection(url="redis://127.0.0.1:1/0"), tmp_path), "tests")
    with pytest.raises(FeatureStoreError, match=r"redis://127.0.0.1:1/0 does not answer"):
        away.upsert(X, frame(X, [at(1, 1, 1.0)]))
