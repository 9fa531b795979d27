"""The online store in one SQLite file: a table for each view, with a typed column for each feature.

A table follows its view's definition: a write first adds the columns of new features, drops those of removed ones, and
converts numbers whose type has changed. `online_views` says which column holds which feature. One write is one
transaction; one read is one statement, and so of one moment.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from e2e_ml import private_files
from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.online.protocol import FIRST_VALUE, Found, Reader, microseconds, served_types
from e2e_ml.festaf.rows.online.values import KeyForm, StoredKey, decoders, is_integral, odd_floats, stored_apart

_CATALOG = "CREATE TABLE IF NOT EXISTS online_views (view TEXT PRIMARY KEY, layout TEXT NOT NULL) WITHOUT ROWID"
_ABOUT = ("event", "created", "odd")  # columns of the table's own, beside the key
_LARGE = 10_000  # rows; after a write of more the log is folded into the file, which it would else double
_WAIT = 60.0  # seconds that a writer waits for another


@dataclass(frozen=True, slots=True)
class _Layout:
    """A view's table: its keys with their types, and for each feature the column and its type."""

    keys: tuple[tuple[str, DataType], ...]
    features: Mapping[str, tuple[str, DataType]] = field(default_factory=dict[str, tuple[str, DataType]])

    def to_json(self) -> str:
        return json.dumps({"keys": self.keys, "features": self.features})

    @classmethod
    def from_json(cls, text: str) -> _Layout:
        data = json.loads(text)
        keys = tuple((name, dtype) for name, dtype in data["keys"])
        return cls(keys, {name: (column, dtype) for name, (column, dtype) in data["features"].items()})


class SqliteStore:
    """One file, made on the first write, readable by its owner alone. Each thread of each process has a connection."""

    waits = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = _Connections(path)

    def reader(self, view: FeatureView, features: Sequence[str]) -> Reader:
        return _Reader(self._connections, view, tuple(features)).read

    def replace_interval(
        self,
        view: FeatureView,
        newest: pl.DataFrame,
        start: datetime,
        end: datetime,
        older: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> int:
        within = (microseconds(start), microseconds(end))
        with self._write(view) as table:
            served = [key for (key,) in table.run("SELECT key FROM {} WHERE event >= ? AND event < ?", within)]
            alone = table.all_within(within)
            # Without a condition SQLite need not visit the rows.
            table.run("DELETE FROM {}") if alone else table.run("DELETE FROM {} WHERE event >= ? AND event < ?", within)
            rows = table.put(newest, into_nothing=alone)
            orphans = pl.Series("key", served, rows["__key"].dtype)
            orphans = orphans.filter(~orphans.is_in(rows["__key"].implode()))
            if len(orphans):
                table.put(older(table.form.frame(orphans.to_list())))
            counted = "SELECT count(*) FROM {} WHERE event >= ? AND event < ?"
            count = len(rows) if alone else table.run(counted, within).fetchone()[0]
        self._fold(len(newest))
        return int(count)

    def replace_all(self, view: FeatureView, newest: pl.DataFrame) -> int:
        with self._write(view) as table:
            table.run("DELETE FROM {}")
            count = len(table.put(newest, into_nothing=True))
        self._fold(count)
        return count

    def upsert(self, view: FeatureView, newest: pl.DataFrame) -> None:
        with self._write(view) as table:
            table.put(newest)

    def count(self, view: FeatureView) -> int:
        db = self._connections.get()
        if db is None or _layout(db, view.name) is None:
            return 0
        return int(db.execute(f"SELECT count(*) FROM {_table_name(view.name)}").fetchone()[0])  # noqa: S608 - quoted

    # --- inside ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _write(self, view: FeatureView) -> Generator[_Table]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made with its mode, never made and then narrowed; SQLite gives its -wal and -shm the file's own mode.
        private_files.make(self._path)
        db = self._connections.get()
        if db is None:
            raise FeatureStoreError(f"The online store {self._path} was removed while it was written. Try again.")
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield _Table(db, view)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise _trouble(self._path, error) from error

    def _fold(self, rows: int) -> None:
        if rows > _LARGE and (db := self._connections.get()) is not None:
            # Readers of the old rows may be in the way; what stays in the log is as good, only larger.
            db.execute("PRAGMA busy_timeout = 0")
            try:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.execute(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")


class _Table:
    """A view's table within a write, made or brought to the view's definition when this is."""

    def __init__(self, db: sqlite3.Connection, view: FeatureView) -> None:
        self._db = db
        self._view = view
        self.form = KeyForm(view.name, view.entities)
        self._name = _table_name(view.name)
        db.execute(_CATALOG)
        self._columns = {name: column for name, (column, _) in self._migrated(_layout(db, view.name)).features.items()}

    def run(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement in which `{}` stands for the table."""
        return self._db.execute(statement.format(self._name), values)

    def all_within(self, within: tuple[int, int]) -> bool:
        outside = "SELECT 1 FROM {} WHERE event IS NULL OR event < ? OR event >= ? LIMIT 1"
        return self.run(outside, within).fetchone() is None

    def put(self, newest: pl.DataFrame, *, into_nothing: bool = False) -> pl.DataFrame:
        """Write rows where nothing newer stands; gives them, sorted, with their `__key`. into_nothing: the table is
        empty, so that nothing has to be compared."""
        rows = newest.drop_nulls([key.name for key in self._view.entities])
        given = {name: dtype for name, dtype in served_types(self._view).items() if name in rows.columns}
        known = {"event": self._view.event_time, "created": self._view.created_time}
        times = {f"__{name}": column for name, column in known.items() if column is not None}
        rows = rows.with_columns(self.form.column(rows).alias("__key")) if len(rows) else _without_rows(rows, self.form)
        rows = rows.sort("__key")  # the order of the table, so that most rows are appended
        kept = rows.select("__key", *(pl.col(column).cast(pl.Int64).alias(n) for n, column in times.items()), *given)
        types = {"__key": "string", **dict.fromkeys(times, "int64"), **given}
        columns = [
            "key",
            *(name.removeprefix("__") for name in times),
            *(_quoted(self._columns[name]) for name in given),
        ]
        # A column that a row says nothing of is left out, for each costs time: NULL is what it then holds.
        plain, others = stored_apart(kept, types)
        self._db.executemany(self._insert(columns, into_nothing=into_nothing), plain)
        self._db.executemany(self._insert([*columns, "odd"], into_nothing=into_nothing), others)
        return rows

    def _insert(self, columns: Sequence[str], *, into_nothing: bool) -> str:
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {self._name} AS t ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - quoted
        if into_nothing:
            return insert
        sets = ", ".join(f"{column} = excluded.{column}" for column in dict.fromkeys([*columns[1:], *_ABOUT]))
        return (
            f"{insert} ON CONFLICT (key) DO UPDATE SET {sets} WHERE t.event IS NULL OR excluded.event > t.event "
            "OR (excluded.event = t.event AND coalesce(excluded.created, -1e18) >= coalesce(t.created, -1e18))"
        )

    def _migrated(self, layout: _Layout | None) -> _Layout:
        keys = tuple((key.name, key.dtype) for key in self._view.entities)
        wanted = served_types(self._view)
        if layout is not None and layout.keys != keys:
            self.run("DROP TABLE {}")
            layout = None
        if layout is None:
            key = "INTEGER PRIMARY KEY" if self.form.is_number else "TEXT PRIMARY KEY"
            rowid = "" if self.form.is_number else "WITHOUT ROWID"
            self.run(f"CREATE TABLE {{}} (key {key}, event INTEGER, created INTEGER, odd INTEGER) {rowid}")
            layout = _Layout(keys)
        features = {n: known for n, known in layout.features.items() if wanted.get(n) == known[1]}
        if features.keys() == wanted.keys() == layout.features.keys():
            if features:
                return layout
        else:
            features = self._altered(layout, features, wanted)
        layout = _Layout(keys, {name: features[name] for name in wanted})
        self._db.execute("INSERT OR REPLACE INTO online_views VALUES (?, ?)", (self._view.name, layout.to_json()))
        return layout

    def _altered(
        self, layout: _Layout, kept: Mapping[str, tuple[str, DataType]], wanted: Mapping[str, DataType]
    ) -> dict[str, tuple[str, DataType]]:
        features = dict(kept)
        # Names of columns differ by more than case. A name is not used again at once: who has prepared a read of the
        # old column is told that it is gone.
        taken = {column.lower() for column, _ in layout.features.values()} | {"key", "event", "created", "odd"}
        for name in [name for name in wanted if name not in kept]:
            column = next(n for i in range(len(taken) + 1) if (n := f"{name}_{i}" if i else name).lower() not in taken)
            taken.add(column.lower())
            self.run(f"ALTER TABLE {{}} ADD COLUMN {_quoted(column)} {_affinity(wanted[name])}")
            features[name] = (column, wanted[name])
            if name in layout.features and (converted := _converted(*layout.features[name], wanted[name])):
                self.run(f"UPDATE {{}} SET {_quoted(column)} = {converted}")  # noqa: S608 - quoted
        for name in layout.features.keys() - kept.keys():
            self.run(f"ALTER TABLE {{}} DROP COLUMN {_quoted(layout.features[name][0])}")
        return features


class _Reader:
    """Reads some features of a view. The statements are prepared once for as long as the table has its columns."""

    def __init__(self, connections: _Connections, view: FeatureView, features: tuple[str, ...]) -> None:
        self._connections = connections
        self._view = view
        self._features = features
        self._types = {f.name: f.dtype for f in view.features}
        self._plan: _Plan | None = None

    def read(self, keys: Sequence[StoredKey], again: bool = False, /) -> Mapping[StoredKey, Found]:
        db = (self._connections.last if again else None) or self._connections.get()
        if db is None or not keys:
            return {}
        plan = self._plan or self._prepare(db)
        try:
            return plan.read(db, keys) if plan else {}
        except sqlite3.OperationalError as error:
            if "no such" not in str(error):
                raise _trouble(self._connections.path, error) from error
        # The table was changed since the plan was made.
        plan = self._prepare(db)
        return plan.read(db, keys) if plan else {}

    def _prepare(self, db: sqlite3.Connection) -> _Plan | None:
        try:
            layout = _layout(db, self._view.name)
        except sqlite3.DatabaseError as error:
            raise _trouble(self._connections.path, error) from error
        keys = tuple((key.name, key.dtype) for key in self._view.entities)
        if layout is None or layout.keys != keys:
            return None
        there = [layout.features.get(name, ("", "")) for name in self._features]
        fits = [dtype == self._types[name] for name, (_, dtype) in zip(self._features, there, strict=True)]
        columns = [_quoted(column) if ok else "NULL" for (column, _), ok in zip(there, fits, strict=True)]
        plan = _Plan(_table_name(self._view.name), columns, [self._types[name] for name in self._features])
        # A feature that is not there yet comes with the next write, so the plan is for this once.
        self._plan = plan if all(fits) else None
        return plan


class _Plan:
    def __init__(self, table: str, columns: Sequence[str], types: Sequence[DataType]) -> None:
        select = f"SELECT {', '.join(['key', 'event', 'odd', *columns])} FROM {table} "  # noqa: S608 - quoted
        self._one = f"{select}WHERE key = ?"
        self._many = f"{select}WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608
        self._decoders = tuple((FIRST_VALUE + i, decode) for i, decode in decoders(types))
        self._floats = tuple(FIRST_VALUE + i for i in odd_floats(types))

    def read(self, db: sqlite3.Connection, keys: Sequence[StoredKey]) -> dict[StoredKey, Found]:
        if len(keys) == 1:
            only = db.execute(self._one, keys).fetchone()
            if only is None:
                return {}
            return {only[0]: self._decoded(only) if self._decoders or only[2] is not None else only}
        cursor = db.execute(self._many, (orjson.dumps(keys).decode(),))
        found: dict[StoredKey, Found] = {row[0]: row for row in cursor}
        if self._decoders:
            return {key: self._decoded(row) for key, row in found.items()}
        for key, row in found.items():
            if row[2] is not None:
                found[key] = self._decoded(row)
        return found

    def _decoded(self, row: Found) -> Found:
        values = list(row)
        for i, decode in self._decoders:
            if values[i] is not None:
                values[i] = decode(values[i])
        if row[2] is not None:
            for i in self._floats:
                if isinstance(values[i], str):
                    values[i] = float(values[i])
        return values


class _Mine(threading.local):
    """One thread's connection, with the process that opened it and the file that it then was."""

    connection: sqlite3.Connection | None = None
    process = inode = device = -1


class _Connections:
    """A connection for each thread. None is carried over a fork, nor kept where the file was replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = str(path)
        self._mine = _Mine()

    @property
    def last(self) -> sqlite3.Connection | None:
        """What `get` gave this thread last."""
        return self._mine.connection

    def get(self) -> sqlite3.Connection | None:
        """This thread's connection, None where there is no file. Raises FeatureStoreError."""
        try:
            about = os.stat(self._name)  # noqa: PTH116 - on the way of each read, and Path.stat takes twice as long
        except FileNotFoundError:
            return None
        mine, process = self._mine, os.getpid()
        if mine.inode == about.st_ino and mine.device == about.st_dev and mine.process == process:
            return mine.connection
        if mine.connection is not None and mine.process != process:
            _of_the_parent.append(mine.connection)
        try:
            mine.connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            mine.connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.DatabaseError as error:
            raise _trouble(self.path, error) from error
        mine.process, mine.inode, mine.device = process, about.st_ino, about.st_dev
        return mine.connection


# SQLite must not close in a child what its parent has open: these stay as they are until the process ends.
_of_the_parent: list[sqlite3.Connection] = []


def _layout(db: sqlite3.Connection, view: str) -> _Layout | None:
    try:
        row = db.execute("SELECT layout FROM online_views WHERE view = ?", (view,)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # a writer may have died between making the file and its tables
            return None
        raise
    return None if row is None else _Layout.from_json(row[0])


def _without_rows(rows: pl.DataFrame, form: KeyForm) -> pl.DataFrame:
    return rows.with_columns(pl.lit(None, pl.Int64 if form.is_number else pl.String).alias("__key"))


def _table_name(view: str) -> str:
    return _quoted(f"online_{view}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _affinity(dtype: DataType) -> str:
    if is_integral(dtype):
        return "INTEGER"
    if dtype in dtypes.FLOATS:
        return "REAL"
    return "BLOB" if dtypes.kind(dtype) == "embedding" else "TEXT"


def _converted(column: str, old: DataType, new: DataType) -> str | None:
    """SQL for a column's values under another type; None where they have to be written anew."""
    quoted = _quoted(column)
    if {old, new} <= dtypes.TEXTS:
        return quoted
    if new in dtypes.FLOATS and old in dtypes.NUMBERS:
        return quoted
    if new in dtypes.INTEGERS and old in dtypes.INTEGERS:
        bits = int(new.removeprefix("int"))
        return f"CASE WHEN {quoted} BETWEEN {-(2 ** (bits - 1))} AND {2 ** (bits - 1) - 1} THEN {quoted} END"
    return None


def _trouble(path: Path, error: sqlite3.DatabaseError) -> FeatureStoreError:
    if "locked" in str(error):
        return FeatureStoreError(f"The online store {path} is being written by another process. Try again.")
    return FeatureStoreError(
        f"The online store {path} cannot be used: {error}. Make room or give yourself the right to write there; where "
        "the file is damaged move it away and materialize the views again."
    )
