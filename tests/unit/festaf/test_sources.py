"""What is read of a source: every type from every format, the interval alone, and a sentence for what does not fit."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView, Key, Source
from e2e_ml.festaf.rows import sources
from e2e_ml.festaf.rows.sources import http
from tests.unit.festaf.worlds import feature, hour, weather

TYPES = {
    "flag": "bool",
    "tiny": "int8",
    "big": "int64",
    "real": "float64",
    "half": "float32",
    "price": "decimal(9, 2)",
    "text": "string",
    "kind": "category",
    "day": "date",
    "when": "timestamp",
    "took": "duration",
    "words": "list(string)",
    "vector": "embedding(2)",
    "place": "struct(lat: float64, tags: list(int32))",
}
# The values as JSON has them, and what they are.
JSON = {
    "flag": True,
    "tiny": -5,
    "big": 2**53 + 1,
    "real": 0.1,
    "half": 0.5,
    "price": "1.50",
    "text": "007",
    "kind": "rain",
    "day": "2013-01-02",
    "when": "2013-01-01T02:00:00+01:00",
    "took": "PT1H30M",
    "words": ["a", None],
    "vector": [1, 0.25],
    "place": {"lat": 40.5, "tags": [1, 2]},
}
VALUES: dict[str, Any] = {
    **JSON,
    "price": Decimal("1.50"),
    "day": date(2013, 1, 2),
    "when": hour(1),
    "took": timedelta(minutes=90),
    "vector": [1.0, 0.25],
}


def view(format_: Any = "csv", uri: str = "things", types: dict[str, str] = TYPES, **changes: Any) -> FeatureView:
    source = {"name": "things", "format": format_, "uri": uri, **changes.pop("source", {})}
    more = {"entities": (Key(name="id", dtype="int32"),), **changes}
    return weather(
        name="things",
        source=Source.model_validate(source),
        features=tuple(feature(name, dtype) for name, dtype in types.items()),
        **more,
    )


def read(view: FeatureView, folder: Path, *interval: Any) -> list[dict[str, Any]]:
    return sources.read(view, sources.scan(view, folder, *interval)).to_dicts()


def csv(folder: Path, header: str, *lines: str) -> None:
    (folder / "things").write_text("\n".join((header, *lines)) + "\n")


def test_csv_holds_every_type(tmp_path: Path) -> None:
    cells = ["1", "2013-01-01T00:00Z".replace("00Z", "00:00Z")]
    for name in TYPES:
        value = JSON[name]
        text = value if isinstance(value, str) else json.dumps(value)
        cells.append('"' + text.replace('"', '""') + '"')
    csv(tmp_path, ",".join(["id", "observed_at", *TYPES]), ",".join(cells), "2,2013-01-01T01:00:00Z" + "," * len(TYPES))
    first, second = read(view(), tmp_path)
    assert {name: first[name] for name in TYPES} == VALUES
    assert all(second[name] is None for name in TYPES)


def test_a_csvs_own_way_of_writing_numbers_and_truth(tmp_path: Path) -> None:
    csv(
        tmp_path,
        "id,observed_at,flag,real,took",
        "1,2013-01-01 00:00:00Z,T,1e-3,1 day 01:00:00",
        "2,2013-01-01 05:00:00Z,no,nan,-0:00:30",
    )
    found = read(view(types={name: TYPES[name] for name in ("flag", "real", "took")}), tmp_path)
    assert [row["flag"] for row in found] == [True, False]
    assert found[0]["real"] == 0.001
    assert found[1]["real"] != found[1]["real"]
    assert [row["took"] for row in found] == [timedelta(days=1, hours=1), timedelta(seconds=-30)]


@pytest.mark.parametrize("format_", ["parquet", "delta"])
def test_typed_files_hold_every_type(tmp_path: Path, format_: str) -> None:
    schema = {"took": pl.Duration("ms")} if format_ == "parquet" else {"took": pl.String}
    took = timedelta(minutes=90) if format_ == "parquet" else "1:30:00"
    row = {**VALUES, "took": took, "id": 1, "observed_at": hour(0), "text": "007"}
    frame = pl.DataFrame([row], schema_overrides={**schema, "vector": pl.List(pl.Float64)})
    if format_ == "parquet":
        frame.write_parquet(tmp_path / "things")
    else:
        write_deltalake(tmp_path / "things", frame)
    (found,) = read(view(format_), tmp_path)
    assert {name: found[name] for name in TYPES} == VALUES


def test_a_sources_own_names_are_read_under_the_definitions(tmp_path: Path) -> None:
    csv(tmp_path, "ID No,Seen At,Air Temp (F)", "1,2013-01-01T00:00:00Z,39")
    names = {"id": "ID No", "observed_at": "Seen At", "temp": "Air Temp (F)"}
    renamed = view(types={"temp": "float64"}, source_columns=names)
    assert read(renamed, tmp_path) == [{"id": 1, "observed_at": hour(0), "temp": 39.0}]
    csv(tmp_path, "ID No,Seen At", "1,2013-01-01T00:00:00Z")
    with pytest.raises(FeatureStoreError, match=r"has no column 'Air Temp \(F\)'. It has ID No, Seen At"):
        read(renamed, tmp_path)


@pytest.mark.parametrize(
    ("dtype", "text", "said"),
    [
        ("int8", "300", "300"),
        ("int32", "1.5", "1.5"),
        ("float64", "warm", "warm"),
        ("bool", "maybe", "maybe"),
        ("date", "02.01.2013", "02.01.2013"),
        ("decimal(3, 1)", "1234.5", "1234.5"),
        ("duration", "soon", "'soon', and is defined as duration"),
        ("list(int8)", "[300]", r"'\[300\]', and is defined as list\(int8\)"),
        ("embedding(2)", "[1]", r"'\[1\]', and is defined as embedding\(2\)"),
        ("struct(a: int8)", "[1]", "is defined as struct"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(tmp_path: Path, dtype: str, text: str, said: str) -> None:
    csv(tmp_path, "id,observed_at,value", f'1,2013-01-01T00:00:00Z,"{text}"')
    with pytest.raises(FeatureStoreError, match=said) as error:
        read(view(types={"value": dtype}), tmp_path)
    assert "things: " in str(error.value)
    assert "value" in str(error.value)


def test_naive_times_need_the_sources_zone(tmp_path: Path) -> None:
    csv(
        tmp_path,
        "id,observed_at,value",
        '1,2013-07-01 00:00,["2013-07-01T00:00"]'.replace('["', '"[""').replace('"]', '""]"'),
    )
    typed = view(types={"value": "list(timestamp)"})
    with pytest.raises(FeatureStoreError, match="the times in 'observed_at' of the source things have no zone"):
        read(typed, tmp_path)
    zoned = view(types={"value": "list(timestamp)"}, source={"timezone": "America/New_York"})
    (row,) = read(zoned, tmp_path)
    assert row["value"] == [row["observed_at"]]
    assert row["observed_at"].isoformat() == "2013-07-01T04:00:00+00:00"


def test_nulls_are_filled_with_constants_of_every_kind(tmp_path: Path) -> None:
    fills = {"price": "0.05", "day": "2013-01-01", "took": 60_000_000, "vector": [0.0, 1.0], "kind": "none", "tiny": 3}
    features = tuple(feature(name, TYPES[name], fill_null=value) for name, value in fills.items())
    csv(tmp_path, ",".join(["id", "observed_at", *fills]), "1,2013-01-01T00:00:00Z" + "," * len(fills))
    (row,) = read(
        weather(name="things", entities=(Key(name="id", dtype="int32"),), features=features, source=view().source),
        tmp_path,
    )
    assert [row[name] for name in fills] == [
        Decimal("0.05"), date(2013, 1, 1), timedelta(minutes=1), [0.0, 1.0], "none", 3,
    ]  # fmt: skip


def test_rows_that_are_pushed_have_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match="its rows are pushed"):
        read(view("push", ""), tmp_path)


# --- rows in memory ----------------------------------------------------------------------------------------------


def test_rows_in_memory_are_typed_alike_as_objects_and_as_frames() -> None:
    objects = sources.conform(view(), [{"id": 1, "observed_at": "2013-01-01T00:00:00Z", **JSON}])
    frame = sources.conform(view(), pl.DataFrame([{"id": 1, "observed_at": hour(0), **VALUES}]))
    assert objects.schema == frame.schema
    assert objects.to_dicts() == frame.to_dicts() == [{"id": 1, "observed_at": hour(0), **VALUES}]
    assert sources.conform(view(), {"id": 1, "observed_at": hour(0)}).to_dicts() == [
        {"id": 1, "observed_at": hour(0), **dict.fromkeys(TYPES)}
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": 1.5}, "'id' of the given rows holds 1.5, and is defined as int32"),
        ({"observed_at": "2013-01-01T00:00:00"}, "the times in 'observed_at' of the given rows have no zone"),
        ({"observed_at": None}, "lack 'observed_at' in a row"),
        ({"tiny": True}, "'tiny' of the given rows holds True"),
        ({"tmp": 1}, "hold 'tmp', and no such column is defined"),
        ({"text": 7}, "'text' of the given rows holds 7"),
    ],
)
def test_a_wrong_object_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(FeatureStoreError, match=said):
        sources.conform(view(), [{"id": 1, "observed_at": hour(0), **row}])


# --- SQLite ------------------------------------------------------------------------------------------------------


def test_a_table_or_a_query_in_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as db:
        db.execute("CREATE TABLE things (id INTEGER, observed_at TEXT, real REAL, words TEXT)")
        db.executemany(
            "INSERT INTO things VALUES (?, ?, ?, ?)",
            [(1, "2013-01-01T00:00:00Z", 1, '["a"]'), (2, "2013-01-01T05:00:00Z", None, None)],
        )
        db.commit()
    (tmp_path / "festaf.yaml").write_text("connections:\n  local: {url: 'sqlite:///data.db'}\n")
    types = {"real": "float64", "words": "list(string)"}
    table = view("sql", "things", types, source={"connection": "local"})
    assert [row["words"] for row in read(table, tmp_path)] == [["a"], None]
    assert [row["id"] for row in read(table, tmp_path, hour(1), hour(6))] == [2]
    query = view("sql", "SELECT *\nFROM things WHERE id = 1;", types, source={"connection": "local"})
    assert [row["id"] for row in read(query, tmp_path)] == [1]
    for wrong, said in (
        (view("sql", "nowhere", types, source={"connection": "local"}), "no such table: nowhere"),
        (view("sql", "things", types, source={"connection": "other"}), "There is no connection 'other'"),
        (view("sql", "things", TYPES, source={"connection": "local"}), "no such column: flag"),
    ):
        with pytest.raises(FeatureStoreError, match=said):
            read(wrong, tmp_path)


# --- HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def web() -> Iterator[tuple[str, dict[str, tuple[int, str, bytes]], list[str | None]]]:
    """A server on this machine: its address, what it answers by path (status, content type, content), and the
    credentials that it was sent."""
    answers: dict[str, tuple[int, str, bytes]] = {}
    credentials: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            credentials.append(self.headers.get("authorization"))
            status, kind, content = answers.get(self.path, (404, "text/plain", b""))
            self.send_response(status)
            if status == 302:
                self.send_header("location", content.decode())
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", answers, credentials
        server.shutdown()
        thread.join()


ROW = {"id": 1, "observed_at": "2013-01-01T00:00:00Z", "real": 1.5, "more": "that is not read"}


def test_a_server_answers_in_every_format(web: Any, tmp_path: Path) -> None:
    address, answers, _ = web
    pl.DataFrame([{**ROW, "observed_at": hour(0)}]).write_parquet(tmp_path / "p")
    answers |= {
        "/a.json": (200, "text/plain", json.dumps([ROW]).encode()),
        "/b?x=1": (200, "application/json; charset=utf-8", json.dumps([ROW]).encode()),
        "/c.ndjson": (200, "", json.dumps(ROW).encode() + b"\n"),
        "/d": (200, "text/csv", b"id,observed_at,real\n1,2013-01-01T00:00:00Z,1.5\n"),
        "/e.parquet": (200, "", (tmp_path / "p").read_bytes()),
        "/f": (302, "", b"/a.json"),
    }
    for path in answers:
        if path != "/f":
            found = read(view("http", address + path, {"real": "float64"}), tmp_path)
            assert found == [{"id": 1, "observed_at": hour(0), "real": 1.5}], path
    assert read(view("http", f"{address}/a.json", {"real": "float64"}), tmp_path, hour(1), hour(2)) == []


def test_a_token_goes_to_the_named_host_alone(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, answers, credentials = web
    answers["/a.json"] = (200, "", json.dumps([ROW]).encode())
    monkeypatch.setenv("API_TOKEN", "hush")
    (tmp_path / "festaf.yaml").write_text(f"connections:\n  api: {{url: '{address}', credential: env:API_TOKEN}}\n")
    read(view("http", f"{address}/a.json", {"real": "float64"}, source={"connection": "api"}), tmp_path)
    assert credentials == ["Bearer hush"]
    with pytest.raises(FeatureStoreError, match="where the connection api leads") as error:
        read(view("http", "http://127.0.0.2:1/a.json", source={"connection": "api"}), tmp_path)
    assert "hush" not in str(error.value)


def test_what_a_server_should_not_answer(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, answers, _ = web
    monkeypatch.setattr(http, "LIMIT", 100)
    answers |= {
        "/long.csv": (200, "", b"x" * 101),
        "/broken.json": (200, "", b"[{"),
        "/object.json": (200, "", b"{}"),
        "/unknown": (200, "text/html", b"<p>"),
        "/empty.json": (200, "", b"[]"),
    }
    for path, said in {
        "/nowhere": "answers 404",
        "/long.csv": "more than 100 bytes",
        "/broken.json": "is no json",
        "/object.json": "no list of objects",
        "/unknown": "names no format",
    }.items():
        with pytest.raises(FeatureStoreError, match=said):
            read(view("http", address + path, {"real": "float64"}), tmp_path)
    assert read(view("http", f"{address}/empty.json", {"real": "float64"}), tmp_path) == []
    with pytest.raises(FeatureStoreError, match="could not be fetched"):
        read(view("http", "http://127.0.0.1:1/a.json"), tmp_path)


# --- definitions -------------------------------------------------------------------------------------------------


def test_a_definition_says_where_rows_come_from() -> None:
    from e2e_ml import festaf as fs

    made = {
        fs.sql("warehouse", "public.weather"): ("sql", "public.weather", "weather", "warehouse"),
        fs.sql("warehouse", "SELECT 1"): ("sql", "SELECT 1", "warehouse", "warehouse"),
        fs.http("https://example.com/a/weather.json"): ("http", "https://example.com/a/weather.json", "weather", None),
        fs.http("https://example.com", connection="api"): ("http", "https://example.com", "example.com", "api"),
        fs.push(): ("push", "", "push", None),
        fs.redis_stream("events", "weather"): ("push", "weather", "weather", "events"),
    }
    for source, wanted in made.items():
        assert (source.format, source.uri, source.name, source.connection) == wanted

    class Things(fs.FeatureView):
        source = fs.sql("warehouse", "public.weather", timezone="America/New_York")
        id = fs.Entity(fs.Int64())
        temp = fs.Float64()

    assert Things.__record__.source == Source(
        name="weather", format="sql", uri="public.weather", timezone="America/New_York", connection="warehouse"
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda fs: fs.sql("postgresql://u:hush@h/d", "t"), "a connection is a name in festaf.yaml"),
        (lambda fs: fs.sql("warehouse", " "), "needs a table or a query"),
        (lambda fs: fs.http("example.com/a"), "needs an address"),
        (lambda fs: fs.http("https://u:hush@example.com/a"), "must not carry a user or password"),
        (lambda fs: fs.redis_stream("events", ""), "a stream has a name"),
        (lambda fs: fs.push(timezone="Mars"), "no time zone 'Mars'"),
    ],
)
def test_a_wrong_source_is_refused_at_definition(make: Any, said: str) -> None:
    from e2e_ml import festaf as fs

    with pytest.raises(FeatureStoreError, match=said) as error:
        make(fs)
    assert "hush" not in str(error.value)
