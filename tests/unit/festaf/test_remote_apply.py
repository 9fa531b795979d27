"""Definitions that are planned here and applied behind a server's address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from e2e_ml import festaf as fs
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.registry import RegistryChangedError
from e2e_ml.festaf.remote import RemoteStore
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.store import FeatureStore

ADDRESS = "http://127.0.0.1"


class Courier(fs.FeatureView):
    source = fs.push()
    courier = fs.Entity(fs.String())
    minutes = fs.Float64()
    late = minutes > 35
    relative = minutes.standard_scale()


class Rider(fs.FeatureView):
    renamed_from = "courier"
    source = fs.push()
    courier = fs.Entity(fs.String())
    minutes = fs.Float64().bounds(0, 600)
    slow = (minutes > 40).renamed_from("late")
    relative = minutes.standard_scale()


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FeatureStore, RemoteStore, TestClient]:
    (tmp_path / "pizza").mkdir()
    here = FeatureStore.open(tmp_path / "pizza")
    client = TestClient(create_app(here.path, token="token"), base_url=ADDRESS)
    return here, RemoteStore(ADDRESS, "token", client), client


def test_what_is_planned_here_is_applied_there(stores: Any) -> None:
    here, there, _ = stores
    plan = there.plan([Courier])
    assert str(plan) == str(here.plan([Courier]))
    assert there.apply(plan, by="ada").version == 1
    assert here.registry.history[-1].by == "ada"
    assert here.registry.history[-1].changes == plan.changes
    here.push(Courier, [{"courier": "ana", "minutes": 31.0}, {"courier": "ben", "minutes": 48.0}])
    here.learn("courier.relative", pl.DataFrame({"courier": ["ana", "ben"]}))
    renaming = there.plan([Rider])
    assert str(renaming) == str(here.plan([Rider]))
    assert there.apply(renaming).version == 3
    assert here.registry.views == renaming.views
    # What was stored and learned under the old name is there under the new one.
    (row,) = there.online("rider", {"courier": "ben"}, names="short").rows
    assert row["minutes"] == 48.0
    assert row["relative"] is not None
    assert there.history("rider.slow") == here.history("rider.slow")
    assert there.apply(there.plan([Rider])).version == 3


def test_a_plan_of_another_version_is_refused(stores: Any) -> None:
    here, there, _ = stores
    plan = there.plan([Courier])
    here.apply(here.plan([Courier]))
    with pytest.raises(RegistryChangedError, match="Plan again"):
        there.apply(plan)
    assert here.registry.version == 1


def test_a_plan_is_taken_for_its_records_alone(stores: Any) -> None:
    here, there, _ = stores
    plan = there.plan([Courier])
    there.apply(plan)
    # Changes that are left out are noted all the same.
    second = there.plan([Rider])
    there.apply(second.model_copy(update={"changes": second.changes[:1]}))
    assert here.registry.history[-1].changes == second.changes
    elsewhere = there.plan([Courier])
    views = tuple(view.model_copy(update={"stored_as": "../../elsewhere"}) for view in elsewhere.views)
    with pytest.raises(FeatureStoreError, match="names are such as"):
        there.apply(elsewhere.model_copy(update={"views": views}))


def test_an_apply_needs_the_token(stores: Any, tmp_path: Path) -> None:
    _, there, client = stores
    plan = there.plan([Courier])
    with pytest.raises(FeatureStoreError, match="That is not this server's token"):
        RemoteStore(ADDRESS, "wrong", client).apply(plan)
    with pytest.raises(FeatureStoreError, match="takes no writes"):
        RemoteStore(ADDRESS, "token", TestClient(create_app(tmp_path), base_url=ADDRESS)).apply(plan)
    assert there.registry.version == 0
