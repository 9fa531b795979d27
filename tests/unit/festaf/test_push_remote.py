"""A store behind its server's address: the same answers as from its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.remote import RemoteStore
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import hour, project

ADDRESS = "http://127.0.0.1"


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FeatureStore, RemoteStore]:
    here = project(tmp_path)
    here.load("weather", hour(0), hour(24))
    here.load("plane")
    client = TestClient(create_app(tmp_path, token="token"), base_url=ADDRESS)
    return here, RemoteStore(ADDRESS, "token", client)


def test_what_is_read_is_the_same(stores: tuple[FeatureStore, RemoteStore]) -> None:
    here, there = stores
    assert there.registry.views == here.registry.views
    assert there.registry is there.registry
    asked = [{"origin": "JFK", "tailnum": "N1"}, {"origin": "EWR", "tailnum": None}]
    for what in ("delay", "plane", ["weather.temp", "plane.jet"]):
        assert there.online(what, asked, at=hour(24)) == here.online(what, asked, at=hour(24))
    assert there.explain("weather.temp").code == here.explain("weather.temp").code
    for view in ("weather", "plane"):
        assert there.stats(view) == here.stats(view)
        assert there.validate(view) == here.validate(view)
        assert there.profile(view) == here.profile(view)
        assert len(there.intervals(view)) == 1


def test_what_is_written_is_in_the_store(stores: tuple[FeatureStore, RemoteStore]) -> None:
    here, there = stores
    assert there.push("weather", {"origin": "JFK", "observed_at": hour(24), "temp": 1.0, "wind": 25.0}).new == 1
    assert here.online("weather.wind", [{"origin": "JFK"}], at=hour(24)).rows[0]["weather__wind"] == 25.0
    assert there.materialize("plane") == 2


def test_errors_are_the_servers_sentences(stores: tuple[FeatureStore, RemoteStore]) -> None:
    _, there = stores
    with pytest.raises(FeatureStoreError, match="required is broken"):
        there.push("weather", {"origin": "JFK", "observed_at": hour(24), "temp": 1.0, "wind": None})
    for refused in (there.load, there.learn, there.offline, there.trend, there.correlation, there.consumer):
        with pytest.raises(FeatureStoreError, match=r"Do it where its folder is: FeatureStore.open\(folder\)"):
            refused("weather")
    with pytest.raises(FeatureStoreError, match="POST /api/v1/wishes"):
        _ = there.wishes
    with pytest.raises(FeatureStoreError, match="An address carries no secret"):
        FeatureStore.open("http://user:hush@127.0.0.1:1")
    with pytest.raises(FeatureStoreError, match="does not answer"):
        _ = FeatureStore.open("http://127.0.0.1:1").registry
