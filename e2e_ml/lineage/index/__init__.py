"""The index: what the collectors have read, in one SQLite file, and the graph made of it.

It is a cache. Delete the file and the next visits fill it again. Deleted things stay, marked, for as long as others
stand on them. What people said of inferred edges is no cache: it stands in `judgements`, in a file of its own.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import weakref
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from e2e_ml.lineage.collectors import Batch, CollectError
from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index.claims import AllClaims
from e2e_ml.lineage.index.drawing import draw
from e2e_ml.lineage.index.file import Reader, connect, is_broken, open_file, replace
from e2e_ml.lineage.index.intake import Intake
from e2e_ml.lineage.index.names import NumberedNames, time
from e2e_ml.lineage.judgements import Judgements

log = logging.getLogger(__name__)


class Index:
    """Safe to use from several threads and processes; one at a time writes.

    `path` is made readable by its owner alone; None keeps it in memory.
    """

    def __init__(self, path: Path | None, judgements: Judgements | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._readers, self._left = threading.local(), list[threading.local]()
        self._open_readers = weakref.WeakSet[Reader]()  # that of a thread ends with it
        self._file = 0  # rises whenever another file has taken the place of the one that we had open
        self._begun: dict[str, int] = {}  # collector -> the file that told it where it left off
        self.judgements = judgements or Judgements(None)
        self._db = open_file(path)
        self._inode = self._inode_now()
        self._names = self._no_names()
        try:
            self._load()
        except sqlite3.DatabaseError as error:
            self._mend(error)

    def close(self) -> None:
        with self._lock:
            for reader in self._open_readers:
                reader.db.close()
            self._open_readers.clear()
            self._db.close()

    # --- reading ---

    def graph(self) -> Graph:
        """The lifecycle as of now: an immutable snapshot, the same object until something changes."""
        with self._lock:
            try:
                return self._drawn()
            except sqlite3.DatabaseError as error:
                self._mend(error)
                return self._drawn()

    def _drawn(self) -> Graph:
        self._follow()
        if self._written_elsewhere():
            self._load()
        if self._graph is None or self._judged != self.judgements.version:
            self._judged = self.judgements.version
            said = self.judgements.all()
            self._graph = draw(self._names, self._claims.all(), self._contents, said, self._names.said)
        return self._graph

    def cursor(self, collector: str) -> dict[str, Any]:
        """Where a collector left off; empty before its first visit."""
        with self._lock:
            self._follow()
            self._begun[collector] = self._file
        rows = self._ask("SELECT cursor FROM sources WHERE name = ?", collector)
        return cast(dict[str, Any], json.loads(rows[0][0])) if rows else {}

    def visited_at(self, collector: str) -> datetime | None:
        """When a collector last succeeded, in UTC; None: it has not yet read all that there was at its first visit."""
        rows = self._ask("SELECT visited_at FROM sources WHERE name = ?", collector)
        return time(rows[0][0]) if rows else None

    def visits(self) -> dict[str, datetime | None]:
        """When each collector last succeeded, in UTC, by its name; None: all was not yet read."""
        return {name: time(at) for name, at in self._ask("SELECT name, visited_at FROM sources ORDER BY name")}

    def _ask(self, query: str, *values: str) -> list[Any]:
        file = self._file
        try:
            return self._reader().execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._mend_reading(file, error)
            return self._reader().execute(query, values).fetchall()

    def _contents(self, parents: Iterable[int]) -> list[tuple[int, int]]:
        """What lies in things, each with the one that it lies in."""
        found: list[tuple[int, int]] = []
        for parent in parents:
            found += self._db.execute("SELECT number, parent FROM things WHERE parent = ?", (parent,))
        return found

    # --- writing ---

    def upsert(self, collector: str, batch: Batch, now: datetime | None = None) -> bool:
        """Take in what a visit brought, in one transaction. Returns whether the graph changed.

        Raises CollectError where the index has been built anew since the visit began: it has to begin from the start.
        """
        now = now or datetime.now(UTC)
        with self._lock:
            try:
                self._follow()
                if self._begun.get(collector, self._file) != self._file:
                    raise CollectError(_ANEW)
                with self._transaction():
                    intake = Intake(self._db, self._names, self._claims, now)
                    intake.take_in(collector, batch)
                # From now on, readers see it; what they remembered of before has to go.
                if intake.changed:
                    self._names.changed(intake.changed, intake.dates)
                    self._graph = None
                return bool(intake.changed)
            except sqlite3.DatabaseError as error:
                self._mend(error)
                raise CollectError(_ANEW) from error

    # --- the file ---

    def _load(self) -> None:
        """Everything in memory as the file has it at one moment."""
        self._graph: Graph | None = None
        self._judged = self.judgements.version
        names = self._names = self._no_names()
        with self._moment():
            names.fill(self._db)
            for number, text in self._db.execute("SELECT number, text FROM reasons"):
                names.add_reason(number, text)
            for thing, gone in self._db.execute(_GONE):
                names.gone[thing] = gone
            self._claims = AllClaims(
                [claims for (claims,) in self._db.execute("SELECT claims FROM records WHERE claims != x''")]
            )
            self._data_version = self._version()

    def _follow(self) -> None:
        """Open the file that stands where ours was deleted or replaced, by a person or by another version of us."""
        if self._inode_now() != self._inode:
            log.warning(
                "The lineage index %s was taken away while it was open; it is read from there anew.", self._path
            )
            self._change_to(open_file(self._path))

    def _mend(self, error: sqlite3.DatabaseError) -> None:
        """A file that breaks under our hands is replaced; the collectors then begin from the start. Raises any error
        that does not say so."""
        if self._path is None or not is_broken(error):
            raise error
        with suppress(sqlite3.Error):
            self._db.close()
        self._change_to(replace(self._path, f"cannot be read ({error})"))

    def _mend_reading(self, file: int, error: sqlite3.DatabaseError) -> None:
        with self._lock:
            if file == self._file:  # else another thread was first
                self._mend(error)

    def _no_names(self) -> NumberedNames:
        return NumberedNames(self._reader, partial(self._mend_reading, self._file))

    def _change_to(self, db: sqlite3.Connection) -> None:
        # Graphs that are still in use find nothing more than they know: their numbers mean other things in another
        # file. Other threads may be in the middle of a question, so their readers are not closed.
        nothing = open_file(None)
        self._names.read_from(lambda: nothing)
        self._left.append(self._readers)
        self._readers = threading.local()
        self._db, self._inode = db, self._inode_now()
        self._file += 1
        self._load()

    def _inode_now(self) -> int:
        """Which file lies at our path: 0 where there is none, or none is wanted."""
        try:
            return self._path.stat().st_ino if self._path is not None else 0
        except FileNotFoundError:
            return 0

    def _version(self) -> int:
        return cast(int, self._db.execute("PRAGMA data_version").fetchone()[0])

    def _written_elsewhere(self) -> bool:
        """Whether another process has written since we last read or wrote."""
        return self._path is not None and self._version() != self._data_version

    def _reader(self) -> sqlite3.Connection:
        """A connection for reading on this thread: readers do not wait for a writer."""
        if self._path is None:
            return self._db
        reader: Reader | None = getattr(self._readers, "reader", None)
        if reader is None:
            with self._lock:
                self._follow()
                reader = self._readers.reader = Reader(connect(self._path))
                self._open_readers.add(reader)
        return reader.db

    @contextmanager
    def _moment(self) -> Generator[None]:
        """What is read inside is of one moment, whoever writes meanwhile."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """What ends with an error changes nothing, neither in the file nor in memory."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._written_elsewhere():
                self._load()
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself takes some back, as where the disk is full
                self._db.execute("ROLLBACK")
            self._load()
            raise


_ANEW = "The lineage index was built anew in the middle of a visit; the next one begins from the start."
# A thing is gone when all that told of it say so.
_GONE = (
    "SELECT thing, max(gone_since) FROM records WHERE source > 0 AND thing IN "
    "(SELECT thing FROM records WHERE gone_since IS NOT NULL) GROUP BY thing HAVING count(gone_since) = count(*)"
)
