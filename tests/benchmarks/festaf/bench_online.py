"""Materializing and reading online rows, beside what is written by hand for just these rows.

    python -m tests.benchmarks.festaf.bench_online [--rows 1000000] [--rounds 5] [--no-feast]

The limits: a bare table filled by one `executemany` and read by one `SELECT ... IN`; a packed value for each entity,
filled by pipelines and read by one `MGET`. Both read the same Parquet file, and give dictionaries of the features.
Materializing runs in processes of its own, by turns, so that the memory is that of one of them. Feast materializes the
same file once, into its own SQLite file or the same Redis, and is asked for the same keys; all three answer alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import redis

from e2e_ml.festaf.store import FeatureStore
from tests.benchmarks.festaf.feast_online import MEMORY, Ask, FeastError, Repository, sqlite_of
from tests.benchmarks.festaf.rows_world import FEATURES, line, make, p50, size
from tests.benchmarks.festaf.table import GIB, HEADER, Line
from tests.benchmarks.measure import peak
from tests.servers import Server, redis_server

Lines = Iterator[Line]
Reaches = dict[int, tuple[float, float | None]]
TURNS = 5  # of ours and the limit, and of Feast
_COLUMNS = ", ".join(FEATURES)
_PACKED = struct.Struct("<q10d")


# --- in a process of its own -------------------------------------------------------------------------------------


def materialize(folder: Path) -> None:
    FeatureStore.open(folder).materialize("things")


def bare_sqlite(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("DROP TABLE IF EXISTS things")
        db.execute(
            f"CREATE TABLE things (id INTEGER PRIMARY KEY, at INTEGER, {', '.join(f'{f} REAL' for f in FEATURES)})"
        )
        rows = pl.read_parquet(folder / "rows.parquet").with_columns(pl.col("at").cast(pl.Int64)).sort("id")
        db.execute("BEGIN")
        db.executemany(f"INSERT INTO things VALUES ({', '.join('?' * len(rows.columns))})", rows.iter_rows())
        db.execute("COMMIT")


def bare_redis(folder: Path) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").with_columns(pl.col("at").cast(pl.Int64)).iter_rows()
    with _client() as client:
        while chunk := list(islice(rows, 1000)):
            pipe = client.pipeline(transaction=False)
            for entity, *values in chunk:
                pipe.set(f"bare:{entity}", _PACKED.pack(*values))
            pipe.execute()


def _client() -> redis.Redis:
    return redis.Redis(port=int(os.environ["BENCH_REDIS_PORT"]), password=os.environ["BENCH_REDIS_PASSWORD"])


_WORK = {"materialize": materialize, "bare_sqlite": bare_sqlite, "bare_redis": bare_redis}


def _timed(work: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.festaf.bench_online", "--work", work, "--folder", str(folder)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


# --- the table ---------------------------------------------------------------------------------------------------


def materializing(
    folder: Path, limit: str, count: int, rounds: int, least: float, where: str, feast: Repository | None
) -> Line:
    found = [(_timed("materialize", folder), _timed(limit, folder)) for _ in range(rounds)]
    ours, bare = (statistics.median(count / each[i]["seconds"] for each in found) / 1e3 for i in (0, 1))
    most = max(each[0]["bytes"] for each in found)
    theirs, took = _materialized(feast, count)
    made = line(
        f"materialize {count:,} rows: {where}",
        theirs,
        bare,
        ours,
        "k rows/s",
        least,
        least=True,
        behind=(took, "", f", {most / GIB:.2f} GiB"),
    )
    return replace(made, reach=f"{made.reach}, <= 1 GiB", met=made.met and most <= GIB)


def _materialized(feast: Repository | None, count: int) -> tuple[float | str | None, str]:
    """Thousands of rows a second by Feast, and the memory that it took."""
    if feast is None:
        return None, ""
    try:
        took = feast.materialize()
    except FeastError as error:
        print(error, file=sys.stderr)
        return f"fails at {MEMORY // GIB} GiB", ""
    return count / took.seconds / 1e3, f", {took.bytes / GIB:.1f} GiB"


def reading(store: FeatureStore, limit: Any, feast: Ask | None, reaches: Reaches, entities: int, where: str) -> Lines:
    """The table's lines of reading. reaches: by the number of entities the ratio to the limit, and to Feast."""
    chance = random.Random(7)  # noqa: S311
    for count, (reach, apart) in reaches.items():
        keys = [chance.randrange(entities) for _ in range(count)]
        asked = [{"id": key} for key in keys]

        def ours(asked: list[dict[str, int]] = asked) -> list[dict[str, Any]]:
            return store.online("things", asked, names="short").rows

        def bare(keys: list[int] = keys) -> list[dict[str, Any]]:
            return limit(keys)

        theirs: list[float] = []
        times: list[tuple[float, float]] = []
        for _ in range(TURNS):
            times.append(p50(ours, bare, (3000 // count + 200) // TURNS))
            if feast is not None:
                rows, milliseconds = feast(keys, 60)
                assert rows == ours(), f"Feast's rows from {where} are not ours."
                theirs.append(milliseconds)
        one, two = (statistics.median(pair[i] for pair in times) for i in (0, 1))
        beside = statistics.median(theirs) if theirs else None
        case = f"online {where}, p50: {count} x 10 features"
        yield line(case, beside, two, one, "ms", reach, apart=apart)


def sqlite_limit(folder: Path) -> Any:
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)

    def limit(keys: list[int]) -> list[dict[str, Any]]:
        marks = ", ".join("?" * len(keys))
        found = {r[0]: r for r in db.execute(f"SELECT id, {_COLUMNS} FROM things WHERE id IN ({marks})", keys)}
        return [dict(zip(("id", *FEATURES), found[key], strict=True)) for key in keys]

    return limit


def redis_limit(client: redis.Redis) -> Any:
    def limit(keys: list[int]) -> list[dict[str, Any]]:
        found: Any = client.mget([f"bare:{key}" for key in keys])
        return [
            dict(zip(("id", *FEATURES), (key, *_PACKED.unpack(packed)[1:]), strict=True))
            for key, packed in zip(keys, found, strict=True)
        ]

    return limit


@contextmanager
def _served_by_redis(folder: Path) -> Iterator[Server]:
    with redis_server() as server:
        os.environ["BENCH_REDIS_PORT"], os.environ["BENCH_REDIS_PASSWORD"] = str(server.port), server.password
        settings = folder / "festaf.yaml"
        settings.write_text(f'online: {{url: "{server.url}", credential: env:BENCH_REDIS_PASSWORD}}\n')
        yield server
        settings.unlink()


def lines(*, feast: bool = True, rows: int = 1_000_000, rounds: int = 5) -> Lines:
    """The table's lines."""
    with tempfile.TemporaryDirectory(prefix="bench-online-") as name:
        folder = Path(name)
        make(folder, rows)
        theirs = Repository.make(folder, sqlite_of(folder)) if feast else None
        yield materializing(folder, "bare_sqlite", rows, rounds, 0.5, "SQLite", theirs)
        files = size(folder, "bare.db") / 1e6, size(folder / "store", "online.db") / 1e6
        its_file = size(theirs.folder, "online.db") / 1e6 if theirs else None
        yield line("its file", its_file, *files, "MB", 1.5)
        reaches: Reaches = {1: (4.0, 6), 10: (2.2, 10), 100: (1.8, 12)}
        with _asking(theirs) as ask:
            yield from reading(FeatureStore.open(folder), sqlite_limit(folder), ask, reaches, rows, "SQLite")
        with _served_by_redis(folder) as server:
            address = f"127.0.0.1:{server.port},password=${{BENCH_REDIS_PASSWORD}}"
            theirs = Repository.make(folder, {"type": "redis", "connection_string": address}) if feast else None
            yield materializing(folder, "bare_redis", rows, rounds, 0.7, "Redis", theirs)
            reaches = {1: (1.5, None), 100: (1.8, None)}
            with _client() as client, _asking(theirs) as ask:
                yield from reading(FeatureStore.open(folder), redis_limit(client), ask, reaches, rows, "Redis")


def _asking(feast: Repository | None) -> AbstractContextManager[Ask | None]:
    return feast.reader() if feast else nullcontext()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--no-feast", action="store_true")
    options.add_argument("--work", choices=_WORK)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    if given.work:
        start = time.perf_counter()
        _WORK[given.work](given.folder)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "bytes": peak()}))
        return
    print(HEADER)
    for each in lines(feast=not given.no_feast, rows=given.rows, rounds=given.rounds):
        print(each.row(), flush=True)


if __name__ == "__main__":
    main()
