"""`Inbox`: the events that were received, in one SQLite file that only grows at its end and forgets at its beginning.

Each event has a number, so that a reader asks for what came after the last one that it knows. An event that is sent
twice is kept once. A process may be killed at any moment: what was answered as kept is kept, a batch whole or not at
all.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from e2e_ml import private_files

MOST_EVENTS = 200_000
MOST_BYTES = 1 << 30  # of the file
_PAGE_BYTES = 8 << 20  # of the events in one answer; one is always given, however long
_WAIT = 30.0  # seconds that a writer waits for another
_SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    received TEXT NOT NULL,
    body BLOB NOT NULL
);
"""


class InboxError(Exception):
    """The file cannot be read or written. The message is a sentence with the next step."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event in the inbox, whole, as its sender wrote it."""

    number: int
    received: str  # ISO 8601 in UTC
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of their numbers. A reader whose `inbox` is another one begins again: its numbers mean
    nothing here."""

    inbox: str
    events: tuple[Kept, ...]
    next: int  # what to ask after
    newest: int  # the number of the newest event there is, 0 where there has been none
    oldest: int  # of the oldest that is still kept


class Inbox:
    """The file at `path`, made with the first event, readable by its owner alone. For any number of threads, and of
    processes."""

    def __init__(self, path: Path, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._open: tuple[sqlite3.Connection, tuple[int, int]] | None = None  # with the device and inode of its file

    def close(self) -> None:
        with self._lock:
            self._close()

    def append(self, events: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
        """Keep events, all of them or none; gives the numbers of those that are new. Raises InboxError."""
        rows = [_row(event) for event in events]
        with self._lock, self._trouble():
            self._make()
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                numbers = [number for row in rows if (number := _insert(db, row)) is not None]
                if numbers:
                    self._forget(db, numbers[-1])
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        return tuple(numbers)

    def page(self, after: int = 0, limit: int = 100) -> Page:
        """The first `limit` events after the number `after`, fewer where they are long. Raises InboxError."""
        with self._lock, self._trouble():
            if not self._path.exists():
                return Page("", (), after, 0, 0)
            db = self._connection()
            db.execute("BEGIN")  # one moment for all that is asked
            try:
                (inbox,) = db.execute("SELECT id FROM inbox").fetchone() or ("",)
                oldest, newest = db.execute("SELECT min(number), max(number) FROM events").fetchone()
                kept = _read(db, after, limit)
            finally:
                db.execute("COMMIT")
        return Page(inbox, kept, kept[-1].number if kept else after, newest or 0, oldest or 0)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made with its mode, never made and then narrowed; SQLite gives its -wal and -shm the file's own mode.
        private_files.make(self._path)

    def _connection(self) -> sqlite3.Connection:
        about = self._path.stat()
        there = (about.st_dev, about.st_ino)
        if self._open is not None and self._open[1] == there:
            return self._open[0]
        self._close()  # the file was removed, or is another one
        db = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # what is answered as kept outlasts a power cut too
            db.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            if db.execute("SELECT id FROM inbox").fetchone() is None:
                db.execute("INSERT INTO inbox VALUES (?)", (uuid.uuid4().hex,))
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        self._open = db, there
        return db

    def _close(self) -> None:
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _forget(self, db: sqlite3.Connection, newest: int) -> None:
        """Drop the oldest events where there are too many, or they take too much room."""
        # A hundredth at a time, for to drop one with each that comes would cost as much as to keep it.
        if db.execute("SELECT min(number) FROM events").fetchone()[0] <= newest - self._most_events * 1.01:
            db.execute("DELETE FROM events WHERE number <= ?", (newest - self._most_events,))
        if _used(db) > self._most_bytes:
            oldest, count = db.execute("SELECT min(number), count(*) FROM events").fetchone()
            db.execute("DELETE FROM events WHERE number < ?", (min(oldest + max(count // 10, 1), newest),))

    @contextlib.contextmanager
    def _trouble(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            self._close()
            raise InboxError(
                f"The events in {self._path} cannot be reached now: {error}. Is the disk full, or another program "
                "writing for long? Send them again."
            ) from error
        except sqlite3.DatabaseError as error:
            self._close()
            raise InboxError(
                f"{self._path} is damaged: {error}. Move it away; a new one is made, and what is known of earlier "
                "events stays in the workbench."
            ) from error
        except OSError as error:
            raise InboxError(
                f"{self._path} cannot be written: {error.strerror}. Mend that, then send again."
            ) from error


def _row(event: Mapping[str, Any]) -> tuple[bytes, str, bytes]:
    text = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest(), datetime.now(UTC).isoformat(), zlib.compress(text, 1)


def _insert(db: sqlite3.Connection, row: tuple[bytes, str, bytes]) -> int | None:
    # Asked first, for an insert that is ignored uses its number up.
    if db.execute("SELECT 1 FROM events WHERE digest = ?", row[:1]).fetchone():
        return None
    return db.execute("INSERT INTO events (digest, received, body) VALUES (?, ?, ?)", row).lastrowid


def _read(db: sqlite3.Connection, after: int, limit: int) -> tuple[Kept, ...]:
    kept: list[Kept] = []
    size = 0
    found = db.execute(
        "SELECT number, received, body FROM events WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
    )
    for number, received, body in found:
        text = zlib.decompress(body)
        size += len(text)
        if kept and size > _PAGE_BYTES:
            break
        kept.append(Kept(number, received, orjson.loads(text)))
    found.close()
    return tuple(kept)


def _used(db: sqlite3.Connection) -> int:
    """The bytes of the file that hold something."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
