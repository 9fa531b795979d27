"""The online store: the newest row of each entity, in one SQLite file, read by key.

A row carries its event time, so that an older row never overwrites a newer one. One interval is materialized in one
transaction: a reader sees it whole or not at all. Values are JSON; the registry says their types.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from e2e_ml.festaf.model import DataType, FeatureView

_SCHEMA = """
CREATE TABLE IF NOT EXISTS online (
    view TEXT NOT NULL,
    key TEXT NOT NULL,        -- the entity's keys, as a JSON array
    event_us INTEGER,         -- microseconds since 1970 in UTC; NULL: a view without times
    created_us INTEGER,
    written_us INTEGER NOT NULL,
    features TEXT NOT NULL,   -- a JSON object
    PRIMARY KEY (view, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS online_by_time ON online (view, event_us);
"""
_UPSERT = """
INSERT INTO online VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (view, key) DO UPDATE SET
    event_us = excluded.event_us, created_us = excluded.created_us,
    written_us = excluded.written_us, features = excluded.features
WHERE event_us IS NULL OR excluded.event_us > event_us
    OR (excluded.event_us = event_us AND coalesce(excluded.created_us, -1e18) >= coalesce(created_us, -1e18))
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """What is stored of one entity: its features, and the event time, None for a view without times."""

    features: Mapping[str, Any]
    event_time: datetime | None

    def expired(self, ttl: timedelta | None, at: datetime) -> bool:
        """Whether its event lies longer than `ttl` before `at`."""
        return ttl is not None and self.event_time is not None and self.event_time < at - ttl


class OnlineStore:
    """One SQLite file, made on the first write, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def replace_interval(
        self,
        view: FeatureView,
        newest: pl.DataFrame,
        start: datetime,
        end: datetime,
        older: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> int:
        """Bring a view with times up to date with [start, end); gives the number of rows that are now of it.

        `newest` holds the newest row in the interval of each entity, with the columns of the offline table. Where a row
        of this interval was served that the interval no longer has, `older` is asked with the keys and gives the newest
        rows from before `start`.
        """
        keys = [key.name for key in view.entities]
        with self._write() as db:
            within = (view.name, _microseconds(start), _microseconds(end))
            known = "SELECT key FROM online WHERE view = ? AND event_us >= ? AND event_us < ?"
            served = {row[0] for row in db.execute(known, within)}
            db.execute("DELETE FROM online WHERE view = ? AND event_us >= ? AND event_us < ?", within)
            rows = _encode(view, newest)
            db.executemany(_UPSERT, rows)
            if orphans := served - {row[1] for row in rows}:
                schema = {name: newest.schema[name] for name in keys}
                asked = [tuple(map(_read_key, json.loads(key), schema.values())) for key in sorted(orphans)]
                db.executemany(_UPSERT, _encode(view, older(pl.DataFrame(asked, schema=schema, orient="row"))))
            (count,) = db.execute(known.replace("SELECT key", "SELECT count(*)"), within).fetchone()
        return int(count)

    def replace_all(self, view: FeatureView, newest: pl.DataFrame) -> int:
        """Make `newest`, one row for each entity, all that is served of the view; gives their number."""
        with self._write() as db:
            db.execute("DELETE FROM online WHERE view = ?", (view.name,))
            rows = _encode(view, newest)
            db.executemany(_UPSERT, rows)
        return len(rows)

    def read(self, view: FeatureView, keys: Sequence[tuple[Any, ...]]) -> list[OnlineRow | None]:
        """The row of each entity, in the order asked; None where there is none. Keys are in the view's order."""
        if not self._path.exists():
            return [None] * len(keys)
        wanted = [_key(key) for key in keys]
        found: dict[str, OnlineRow] = {}
        types: dict[str, DataType] = {f.name: f.dtype for f in view.features}
        with closing(self._connect()) as db:
            distinct = list(dict.fromkeys(wanted))
            for low in range(0, len(distinct), 500):
                some = distinct[low : low + 500]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, event_us, features FROM online WHERE view = ? AND key IN ({marks})"  # noqa: S608
                for key, event, features in db.execute(query, (view.name, *some)):
                    values = {n: _decode(v, types[n]) for n, v in json.loads(features).items() if n in types}
                    found[key] = OnlineRow(values, None if event is None else _EPOCH + event * _MICROSECOND)
        return [found.get(key) for key in wanted]

    def count(self, view: str) -> int:
        """How many entities of the view are served."""
        if not self._path.exists():
            return 0
        with closing(self._connect()) as db:
            return int(db.execute("SELECT count(*) FROM online WHERE view = ?", (view,)).fetchone()[0])

    # --- inside ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _write(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made with its mode, never made and then narrowed; SQLite gives its -wal and -shm the file's own mode.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        db.execute("PRAGMA synchronous = NORMAL")
        # Also before a read: a writer may have died between making the file and its table.
        db.executescript(_SCHEMA)
        return db


def _encode(view: FeatureView, rows: pl.DataFrame) -> list[tuple[str, str, int | None, int | None, int, str]]:
    keys = [key.name for key in view.entities]
    features = [f.name for f in view.features if not f.hidden and f.name in rows.columns]
    now = _microseconds(datetime.now(UTC))
    encoded: list[tuple[str, str, int | None, int | None, int, str]] = []
    for row in rows.drop_nulls(keys).iter_rows(named=True):
        event = row[view.event_time] if view.event_time else None
        created = row[view.created_time] if view.created_time else None
        encoded.append(
            (
                view.name,
                _key(tuple(row[name] for name in keys)),
                None if event is None else _microseconds(event),
                None if created is None else _microseconds(created),
                now,
                json.dumps({name: row[name] for name in features}, default=_text),
            )
        )
    return encoded


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _key(values: Iterable[Any]) -> str:
    return json.dumps(list(values), default=_text, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):  # NumPy's scalars, which is what rows of a pandas frame are made of
        return value.item()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]
    raise TypeError(f"{value!r} cannot be stored online.")


def _decode(value: Any, dtype: DataType) -> Any:
    if value is None:
        return None
    match dtype:
        case "timestamp":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case "float32" | "float64":
            return float(value)
        case "int32" | "int64":
            # A feature that was a float when it was written may hold what no integer is.
            return int(value) if not isinstance(value, float) or math.isfinite(value) else None
        case _:
            return value


def _read_key(value: Any, dtype: pl.DataType) -> Any:
    if dtype == pl.Date:
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if isinstance(dtype, pl.Datetime) else value
