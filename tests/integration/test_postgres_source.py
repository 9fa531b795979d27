"""Sources in a real PostgreSQL: its types, the interval pushed down to it, and its refusals as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import sources
from tests.servers import Server, postgres_server
from tests.unit.festaf.test_sources import VALUES, view
from tests.unit.festaf.worlds import hour

TYPES = {
    "flag": "bool",
    "tiny": "int8",
    "big": "int64",
    "real": "float64",
    "price": "decimal(9, 2)",
    "text": "string",
    "kind": "category",
    "day": "date",
    "when": "timestamp",
    "took": "duration",
    "words": "list(string)",
    "vector": "embedding(2)",
    "place": "struct(lat: float64, tags: list(int32))",
    "mark": "string",
}
TABLE = """
CREATE SCHEMA shop;
CREATE TYPE weather AS ENUM ('rain', 'snow');
CREATE TABLE shop.things (
    id int NOT NULL, observed_at timestamptz, local_at timestamp, flag bool, tiny smallint, big bigint,
    "Real One" double precision, price numeric(9, 2), text text, kind weather, day date, "when" timestamptz,
    took interval, words text[], vector real[], place jsonb, mark uuid
);
CREATE SEQUENCE shop.counter;
INSERT INTO shop.things VALUES
    (1, '2013-01-01T00:00Z', '2012-12-31T19:00', true, -5, 9007199254740993, 0.1, 1.50, '007', 'rain', '2013-01-02',
     '2013-01-01T02:00+01', '1:30:00', '{a,NULL}', '{1,0.25}', '{"lat": 40.5, "tags": [1, 2]}',
     '00000000-0000-0000-0000-00000000000a');
INSERT INTO shop.things (id, observed_at, local_at) VALUES (2, '2013-01-01T05:00Z', '2013-01-01T00:00');
"""
URI = "shop.things"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as running:
        with dbapi.connect(running.url.replace("@", f":{running.password}@")) as db, db.cursor() as cursor:
            for statement in TABLE.split(";")[:-1]:
                cursor.execute(statement)
            db.commit()
        yield running


@pytest.fixture
def folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", server.password)
    (tmp_path / "festaf.yaml").write_text(
        f"connections:\n  warehouse: {{url: '{server.url}', credential: env:WAREHOUSE_PASSWORD}}\n"
    )
    return tmp_path


def sql(uri: str, types: dict[str, str] = TYPES, **changes: Any) -> Any:
    changes.setdefault("source_columns", {"real": "Real One"})
    return view("sql", uri, types, source={"connection": "warehouse", **changes.pop("source", {})}, **changes)


def read(view: Any, folder: Path, *interval: Any) -> list[dict[str, Any]]:
    return sources.read(view, sources.scan(view, folder, *interval)).to_dicts()


def test_every_type_comes_as_it_is_defined(folder: Path) -> None:
    first, second = read(sql(URI), folder)
    wanted = {name: VALUES[name] for name in TYPES if name != "mark"}
    assert {name: first[name] for name in wanted} == wanted
    assert first["mark"] == "00000000-0000-0000-0000-00000000000a"
    assert (first["price"], first["day"], first["took"]) == (Decimal("1.50"), date(2013, 1, 2), timedelta(minutes=90))
    assert all(second[name] is None for name in TYPES)


def test_the_interval_is_asked_of_the_database(folder: Path) -> None:
    some = sql(URI, {"big": "int64"})
    assert [row["id"] for row in read(some, folder, hour(0), hour(5))] == [1]
    assert [row["id"] for row in read(some, folder, hour(5), hour(6))] == [2]
    assert [row["id"] for row in read(some, folder, None, hour(5))] == [1]
    # A row that cannot be cast would fail the query, were it read.
    query = "SELECT id, observed_at, (1 / (2 - id))::bigint AS big FROM shop.things"
    assert [row["id"] for row in read(sql(query, {"big": "int64"}), folder, hour(0), hour(5))] == [1]
    with pytest.raises(FeatureStoreError, match="division by zero"):
        read(sql(query, {"big": "int64"}), folder)


def test_times_without_a_zone_are_of_the_zone_that_is_said(folder: Path) -> None:
    names = {"observed_at": "local_at"}
    local = sql(URI, {"big": "int64"}, source={"timezone": "America/New_York"}, source_columns=names)
    assert [row["observed_at"] for row in read(local, folder, hour(0), hour(5))] == [hour(0)]
    assert [row["id"] for row in read(local, folder, hour(5), hour(6))] == [2]
    with pytest.raises(FeatureStoreError, match=r"the times in 'local_at' of the source shop.things have no zone"):
        read(sql(URI, {"big": "int64"}, source_columns=names), folder)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("shop.nowhere", 'relation "shop.nowhere" does not exist'),
        ("SELECT id FROM shop.things", 'column "observed_at" does not exist'),
        ("DELETE FROM shop.things RETURNING *", "syntax error"),
    ],
)
def test_what_the_database_refuses_is_a_sentence(folder: Path, uri: str, said: str) -> None:
    with pytest.raises(FeatureStoreError, match=said):
        read(sql(uri, {"big": "int64"}), folder)


def test_a_query_writes_nothing(folder: Path) -> None:
    query = "SELECT * FROM shop.things WHERE nextval('shop.counter') > 0"
    with pytest.raises(FeatureStoreError, match="read-only transaction"):
        read(sql(query, {"big": "int64"}), folder)


def test_a_wrong_password_is_not_said_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "s3cret")
    with pytest.raises(FeatureStoreError, match="password authentication failed") as error:
        read(sql(URI), folder)
    assert "s3cret" not in str(error.value)
