"""A store behind the address of the real server: training sets, definitions and pushes are those of its folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from e2e_ml import festaf as fs
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.registry import RegistryChangedError
from tests.festaf_server import TOKEN, CatalogServer, run_server
from tests.integration.test_festaf_server import make_project

START = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogServer]:
    folder = tmp_path_factory.mktemp("remote")
    make_project(folder / "airport")
    running = run_server(folder / "airport", folder / "log")
    yield running
    running.stop()


def entities(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"flight": range(rows)}).with_columns(
        origin=pl.when(pl.col("flight") % 7 == 0).then(pl.lit("EWR")).otherwise(pl.lit("JFK")),
        event_timestamp=pl.lit(START) + pl.duration(minutes=pl.col("flight") % 2000),
    )


def test_a_training_set_is_the_folders_own(server: CatalogServer, tmp_path: Path) -> None:
    here, there = fs.FeatureStore.open(server.project), fs.FeatureStore.open(server.url)
    asked = entities(50_000)
    one, two = (store.historical("delay", asked) for store in (here, there))
    assert_frame_equal(two.to_polars(), one.to_polars())
    assert (two.contract, two.features, two.registry_version) == (one.contract, one.features, one.registry_version)
    for mine, theirs in zip(one.split(0.2), two.split(0.2), strict=True):
        assert_frame_equal(theirs.input, mine.input)
    kept = fs.HistoricalFeatures.read_parquet(two.write_parquet(tmp_path / "training.parquet"))
    assert kept.contract == one.contract
    with pytest.raises(FeatureStoreError, match="cannot be said"):
        there.historical("delay", asked, as_known=True)


def test_entities_beyond_the_limit_are_refused_before_they_are_sent(server: CatalogServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = "POST /api/v1/historical?features=delay HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {1 << 40}"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        lines = [*head, "Content-Type: application/vnd.apache.parquet", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.makefile("rb").readline()
    assert b"413" in answer


def test_definitions_are_applied_and_rows_pushed_over_http(tmp_path: Path) -> None:
    make_project(tmp_path / "airport")
    server = run_server(tmp_path / "airport", tmp_path / "log")
    try:
        here, there = fs.FeatureStore.open(tmp_path / "airport"), fs.FeatureStore.open(server.url, token=TOKEN)

        class Gate(fs.FeatureView):
            """What is told of a gate as it happens."""

            source = fs.push()
            gate = fs.Entity(fs.String())
            told_at = fs.EventTime()
            waiting = fs.Int32()
            crowded = waiting > 100

        # Definitions are all there shall be.
        plan = there.plan([Gate])
        assert [(change.action, change.name) for change in plan.changes if change.kind == "feature view"] == [
            ("add", "gate"), ("remove", "weather"), ("remove", "runway"),
        ]  # fmt: skip
        assert there.apply(plan, by="grace").version == 2
        assert (here.registry.history[-1].by, [view.name for view in here.registry.views]) == ("grace", ["gate"])
        with pytest.raises(RegistryChangedError, match="Plan again"):
            there.apply(plan)
        rows = [{"gate": "B7", "told_at": START + timedelta(hours=h), "waiting": 60 * h} for h in range(3)]
        assert there.push(Gate, rows).new == 3
        moments = pl.DataFrame({"gate": ["B7"] * 2, "event_timestamp": [START + timedelta(hours=h) for h in (1, 5)]})
        assert there.historical(Gate, moments, names="short").to_polars()["crowded"].to_list() == [False, True]
        with pytest.raises(FeatureStoreError, match="token"):
            fs.FeatureStore.open(server.url, token="another").apply(there.plan([]))
    finally:
        server.stop()
