"""Training sets that are asked of a server: what comes back is what the folder's store gives, and what is refused."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from fastapi.testclient import TestClient
from polars.testing import assert_frame_equal

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.remote import RemoteStore
from e2e_ml.festaf.rows import historical
from e2e_ml.festaf.rows.historical import PARQUET
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import hour, plane, project, weather

ADDRESS = "http://127.0.0.1"
pytestmark = pytest.mark.filterwarnings("ignore:You should not use the 'timeout'")

ENTITIES = pl.DataFrame(
    {
        "id": [7, 3, 5, 3],
        "origin": ["LGA", "JFK", None, "EWR"],
        "tailnum": ["N1", "N2", "N1", "N9"],
        "when": [hour(5.5), hour(30), hour(1), hour(1)],
        "note": pl.Series(["a", "b", "a", None], dtype=pl.Categorical),
        "took": [timedelta(hours=1), None, timedelta(seconds=1), timedelta()],
        "tags": [["x"], [], None, ["y", "z"]],
    }
).with_columns(pl.col("when").dt.convert_time_zone("Europe/Berlin"))


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FeatureStore, RemoteStore, TestClient]:
    here = project(tmp_path, weather(created_time=None), plane())
    here.load("weather", hour(0), hour(24))
    here.load("plane")
    client = TestClient(create_app(tmp_path), base_url=ADDRESS)
    return here, RemoteStore(ADDRESS, None, client), client


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("delay", {}),
        ("delay", {"names": "short"}),
        ("plane", {}),
        (["weather.temp", "plane.jet"], {}),
        (weather(), {}),
    ],
)
def test_a_training_set_is_the_folders_own(stores: Any, what: Any, options: dict[str, Any]) -> None:
    here, there, _ = stores
    one, two = (s.historical(what, ENTITIES, at="when", **options) for s in (here, there))
    assert_frame_equal(two.to_polars(), one.to_polars())
    assert two.contract == one.contract
    assert (two.features, two.columns, two.target, two.service) == (one.features, one.columns, one.target, one.service)
    assert two.to_pandas().equals(one.to_pandas())
    assert two.to_arrow().schema == one.to_arrow().schema
    assert two.to_arrow().to_pylist() == one.to_arrow().to_pylist()


def test_pandas_and_no_rows_are_asked_too(stores: Any) -> None:
    here, there, _ = stores
    frame = pd.DataFrame({"origin": ["JFK"], "event_timestamp": pd.to_datetime(["2013-01-01T03:00:00Z"])})
    for rows in (frame, frame.head(0)):
        one, two = (s.historical("weather", rows).to_polars() for s in (here, there))
        assert_frame_equal(two, one)


def test_what_is_refused_says_so(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there, client = stores
    for store in (here, there):
        with pytest.raises(FeatureStoreError, match="entities need the column 'event_timestamp'"):
            store.historical("weather", ENTITIES)
        with pytest.raises(FeatureStoreError, match="There is no feature view 'wether'"):
            store.historical("wether", ENTITIES)
        with pytest.raises(FeatureStoreError, match="cannot be said"):
            store.historical("weather", ENTITIES, "when", as_known=True)
    with pytest.raises(FeatureStoreError, match="joins on Polars"):
        there.historical("delay", ENTITIES, engine="spark")

    def ask(content: bytes, kind: str = PARQUET) -> Any:
        return client.post("/api/v1/historical?features=plane&at=when", content=content, headers={"content-type": kind})

    file = io.BytesIO()
    ENTITIES.write_parquet(file)
    assert ask(file.getvalue()).status_code == 200
    # A page of another site could send it without being asked.
    assert ask(file.getvalue(), "text/plain").status_code == 415
    assert "no Parquet file" in ask(b"tailnum\nN1\n").json()["detail"]
    for limit in ({"_MOST_ROWS": 3}, {"_MOST_BYTES": 100}):
        with monkeypatch.context() as small:
            for name, value in limit.items():
                small.setattr(historical, name, value)
            answer = ask(file.getvalue())
            assert answer.status_code == 413
            assert "Ask for fewer rows at a time" in answer.json()["detail"]
            with pytest.raises(FeatureStoreError, match="Ask for fewer rows at a time"):
                there.historical("plane", ENTITIES)


def test_it_is_described(stores: Any) -> None:
    _, _, client = stores
    described = client.get("/openapi.json").json()["paths"]["/api/v1/historical"]["post"]
    assert list(described["requestBody"]["content"]) == [PARQUET]
    assert list(described["responses"]["200"]["content"]) == [PARQUET]
    assert {p["name"] for p in described["parameters"]} >= {"features", "at", "names", "as_known"}
