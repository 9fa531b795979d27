"""The index's file: one SQLite database in WAL mode, readable by its owner alone. What it holds, and how it is opened.

It is a cache: a file that is broken or of another version is replaced, and the log says so.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import zlib
from pathlib import Path
from typing import cast

from e2e_ml import __version__, private_files
from e2e_ml.lineage.graph import EVIDENCE, KINDS, RELATIONS

log = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds for which another process may hold the file

SCHEMA = """
CREATE TABLE sources (number INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, cursor TEXT NOT NULL, visited_at TEXT);
-- Everything that has a name; `told`: whether a source tells of it, else it is an edge's end or a parent alone.
-- `at`: when it began or was made, in seconds since 1970, 0 where that is not known.
-- Nothing is ever taken out, so that numbers run from 1 without a hole.
CREATE TABLE things (
    number INTEGER PRIMARY KEY, ref TEXT UNIQUE NOT NULL, kind INTEGER NOT NULL, parent INTEGER NOT NULL,
    told INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX things_in ON things (parent, at);
CREATE INDEX things_untold ON things (number) WHERE told = 0;
-- What a source tells of a thing; source 0 is what the rules say. `claims`: its edges, packed as `adjacency.CLAIM`.
CREATE TABLE records (
    thing INTEGER NOT NULL, source INTEGER NOT NULL, sweep INTEGER NOT NULL, gone_since TEXT, claims BLOB NOT NULL,
    PRIMARY KEY (thing, source)
) WITHOUT ROWID;
CREATE TABLE facts (
    thing INTEGER NOT NULL, source INTEGER NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (thing, source)
) WITHOUT ROWID;
CREATE TABLE reasons (number INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL);
-- What each thing answers to, and the keys (hashed) that its rules looked at.
CREATE TABLE answers (
    key TEXT NOT NULL, at TEXT NOT NULL, thing INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key, at, thing)
) WITHOUT ROWID;
CREATE INDEX answers_of ON answers (thing);
CREATE TABLE looks (key INTEGER NOT NULL, thing INTEGER NOT NULL, PRIMARY KEY (key, thing)) WITHOUT ROWID;
CREATE INDEX looks_of ON looks (thing);
-- What people call things, for search: the number of a row is the thing's.
CREATE VIRTUAL TABLE titles USING fts5 (title, tokenize = 'trigram');
"""
# A file made with other tables, enumerations or rules is made anew.
VERSION = zlib.crc32(repr((SCHEMA, KINDS, RELATIONS, EVIDENCE, __version__)).encode()) & 0x7FFFFFFF


class Reader:
    """A connection for reading that ends with whoever holds this."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __del__(self) -> None:
        self.db.close()


def open_file(path: Path | None) -> sqlite3.Connection:
    """The database at `path`, made where there is none; one in memory for None."""
    if path is None:
        return _create(sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        db = connect(path)
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            return _create(db)
        if _version(db) == VERSION:  # asked after the tables: both come at once where another process makes them
            return db
        why = "was made by another version"
        db.close()
    except sqlite3.DatabaseError as error:
        if not is_broken(error):
            raise
        why = f"cannot be read ({error})"
    return replace(path, why)


def is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether an error says that a file is no database or a damaged one, and not that it cannot be used just now."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def replace(path: Path, why: str) -> sqlite3.Connection:
    """A new, empty database at `path`."""
    log.warning("The lineage index %s %s; it is built anew from the services.", path, why)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return _create(connect(path))


def connect(path: Path) -> sqlite3.Connection:
    private_files.make(path)
    path.chmod(0o600)
    db = sqlite3.connect(path, check_same_thread=False, timeout=_PATIENCE, isolation_level=None, cached_statements=256)
    _share(db)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -16000")
    return db


def _share(db: sqlite3.Connection) -> None:
    """WAL mode. SQLite does not wait by itself while another process turns a new file to it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _create(db: sqlite3.Connection) -> sqlite3.Connection:
    """Make the tables, unless another process does that at this moment."""
    try:
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if _version(db) != VERSION:
            raise
    return db


def _version(db: sqlite3.Connection) -> int:
    return cast(int, db.execute("PRAGMA user_version").fetchone()[0])
