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
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.graph import KIND_NUMBERS, Edge, Graph, Node
from e2e_ml.lineage.index import packing
from e2e_ml.lineage.index.claims import AllClaims
from e2e_ml.lineage.index.drawing import draw
from e2e_ml.lineage.index.file import Reader, connect, is_broken, open_file, replace
from e2e_ml.lineage.index.linker import Linker, instances
from e2e_ml.lineage.index.names import NumberedNames, time
from e2e_ml.lineage.judgements import Judgements
from e2e_ml.lineage.rules.facts import moment
from e2e_ml.refs import Kind, Ref

log = logging.getLogger(__name__)
RULES = 0  # the source of links and derived facts


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
                    return self._take_in(collector, batch, now)
            except sqlite3.DatabaseError as error:
                self._mend(error)
                raise CollectError(_ANEW) from error

    def _take_in(self, collector: str, batch: Batch, now: datetime) -> bool:
        source, is_new = self._source(collector)
        sweep = batch.sweep if batch.sweep is not None else self._next_sweep(source)
        changed = {n for record in batch.records if (n := self._put(source, record, sweep, now)) is not None}
        gone = [number for ref in batch.gone if (number := self._names.number_in(self._db, ref)) is not None]
        gone += self._unswept(source, sweep, batch.complete)
        gone += [number for record in batch.records for number in self._left_out(source, record)]
        changed.update(n for n in gone if self._mark_gone(source, n, now))
        if changed or is_new:
            linker = Linker(self._db, self._node, self._names.ref)
            keys = [instances(collector.partition(":")[0])] if is_new else []
            linker.settle(sorted(changed), partial(self._tell, now), keys)
        visited_at = now.isoformat() if batch.ends else None
        self._db.execute(_VISITED, (json.dumps(dict(batch.cursor)), visited_at, batch.progress, source))
        return bool(self._changed)

    def _put(self, source: int, record: Record, sweep: int, now: datetime) -> int | None:
        """Keep what a source tells of a thing; returns its number where that is something new."""
        number = self._number(record.node.ref, told=True)
        kept_facts, kept = self._db.execute(_KEPT, (number, source)).fetchone() or (None, None)
        facts = dict(record.node.facts)
        claims = self._numbered(record.edges, now)
        if record.keeps and kept_facts is not None:
            facts = {**{k: v for k, v in json.loads(kept_facts).items() if k in record.keeps}, **facts}
        if record.partial and kept is not None:
            facts = {**json.loads(kept_facts or "{}"), **facts}
            claims = packing.joined(kept, claims)
        packed = packing.pack(number, source, claims, kept)
        text = json.dumps(facts, sort_keys=True)
        if kept_facts == text and kept == packed and number not in self._names.gone:
            self._db.execute(
                "UPDATE records SET sweep = ?, gone_since = NULL WHERE thing = ? AND source = ?",
                (sweep, number, source),
            )
            return None
        self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, NULL, ?)", (number, source, sweep, packed))
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (number, source, text))
        self._claims.put(number, source, packed)
        self._names.gone.pop(number, None)
        self._changed.add(number)
        self._put_time(number, facts)
        self._put_title(number, record.node)
        return number

    def _put_time(self, number: int, facts: Mapping[str, Any]) -> None:
        at = next((time for key in _TIMES if (time := moment(facts.get(key)))), None)
        if at is not None:
            self._db.execute("UPDATE things SET at = ? WHERE number = ?", (int(at.timestamp()), number))
            self._dates[number] = int(at.timestamp())

    def _put_title(self, number: int, node: Node) -> None:
        title = f"{node.title} {node.ref.name}" if node.title != node.ref.name else node.title
        known = self._db.execute("SELECT title FROM titles WHERE rowid = ?", (number,)).fetchone()
        if known is None:
            self._db.execute("INSERT INTO titles (rowid, title) VALUES (?, ?)", (number, title))
        elif known[0] != title:
            self._db.execute("UPDATE titles SET title = ? WHERE rowid = ?", (title, number))

    def _unswept(self, source: int, sweep: int, kinds: Iterable[Kind]) -> list[int]:
        """The things of `kinds` that the sweep did not name."""
        wanted = [KIND_NUMBERS[kind] for kind in kinds]
        rows = self._db.execute(
            "SELECT thing FROM records JOIN things ON number = thing WHERE source = ? AND sweep < ? "  # noqa: S608
            f"AND gone_since IS NULL AND kind IN ({','.join('?' * len(wanted))})",
            [source, sweep, *wanted],
        )
        return [number for (number,) in rows]

    def _left_out(self, source: int, record: Record) -> list[int]:
        """The things that a source had told of in another one, of which it now says all that lies in it."""
        if record.inside is None:
            return []
        inside = {self._names.number_in(self._db, ref) for ref in record.inside}
        holder = self._names.number_in(self._db, record.node.ref)
        rows = self._db.execute(_INSIDE, (holder, source))
        return [number for (number,) in rows if number not in inside]

    def _mark_gone(self, source: int, number: int, now: datetime) -> bool:
        done = self._db.execute(
            "UPDATE records SET gone_since = ? WHERE thing = ? AND source = ? AND gone_since IS NULL",
            (now.isoformat(), number, source),
        )
        left = self._db.execute(
            "SELECT 1 FROM records WHERE thing = ? AND source > 0 AND gone_since IS NULL", (number,)
        ).fetchone()
        if done.rowcount == 0 or left:
            return False
        self._names.gone[number] = now.isoformat()
        self._changed.add(number)
        return True

    def _tell(self, now: datetime, number: int, links: list[Edge], facts: Mapping[str, Any]) -> None:
        """Keep what the rules say of a thing."""
        kept_facts, kept = self._db.execute(_KEPT, (number, RULES)).fetchone() or (None, None)
        packed = packing.pack(number, RULES, self._numbered(links, now), kept)
        text = json.dumps(dict(facts), sort_keys=True)
        if packed != (kept or b"") or (text != "{}" and kept is None):
            self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, 0, NULL, ?)", (number, RULES, packed))
            self._claims.put(number, RULES, packed)
            self._changed.add(number)
        if text != (kept_facts or "{}"):
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (number, RULES, text))
            self._changed.add(number)

    # --- numbers ---

    def _node(self, number: int) -> Node:
        """A thing as its services tell of it, in the transaction that is under way."""
        facts: dict[str, Any] = {}
        for (text,) in self._db.execute(
            "SELECT facts FROM facts WHERE thing = ? AND source > 0 ORDER BY source", (number,)
        ):
            facts.update(json.loads(text))
        return Node(self._names.ref(number), facts, time(self._names.gone.get(number)))

    def _number(self, ref: Ref, *, told: bool = False) -> int:
        """The number of a thing, which it gets here where it has none; `told`: a source tells of it."""
        number = self._names.number_in(self._db, ref)
        if number is None:
            uri = str(ref)
            parent = self._number(ref.parent) if ref.parent else 0
            number, kind = len(self._names.uris), KIND_NUMBERS[ref.kind]
            self._db.execute("INSERT INTO things VALUES (?, ?, ?, ?, ?, 0)", (number, uri, kind, parent, told))
            self._names.add(number, ref, uri, kind, told=told)
        elif told and number in self._names.untold:
            self._db.execute("UPDATE things SET told = 1 WHERE number = ?", (number,))
            self._names.untold.discard(number)
        return number

    def _numbered(self, edges: Iterable[Edge], now: datetime) -> dict[packing.Key, packing.Said]:
        return packing.claims(edges, self._number, self._reason, now)

    def _contents(self, parents: Iterable[int]) -> list[tuple[int, int]]:
        """What lies in things, each with the one that it lies in."""
        found: list[tuple[int, int]] = []
        for parent in parents:
            found += self._db.execute("SELECT number, parent FROM things WHERE parent = ?", (parent,))
        return found

    def _reason(self, text: str) -> int:
        number = self._names.reason_numbers.get(text)
        if number is None:
            done = self._db.execute("INSERT INTO reasons (text) VALUES (?)", (text,))
            number = cast(int, done.lastrowid)
            self._names.add_reason(number, text)
        return number

    def _source(self, collector: str) -> tuple[int, bool]:
        row = self._db.execute("SELECT number FROM sources WHERE name = ?", (collector,)).fetchone()
        if row:
            return row[0], False
        done = self._db.execute("INSERT INTO sources (name, cursor) VALUES (?, '{}')", (collector,))
        return cast(int, done.lastrowid), True

    def _next_sweep(self, source: int) -> int:
        row = self._db.execute("SELECT max(sweep) FROM records WHERE source = ?", (source,)).fetchone()
        return (row[0] or 0) + 1

    # --- the file ---

    def _load(self) -> None:
        """Everything in memory as the file has it at one moment."""
        self._graph: Graph | None = None
        self._judged = self.judgements.version
        self._changed, self._dates = set[int](), dict[int, int]()  # in the transaction that is under way
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
        # From now on, readers see it; what they remembered of before has to go.
        if self._changed:
            self._names.changed(self._changed, self._dates)
            self._graph = None
        self._changed, self._dates = set[int](), dict[int, int]()


_ANEW = "The lineage index was built anew in the middle of a visit; the next one begins from the start."
_TIMES = ("start", "created", "run_after")  # the facts that tell when a thing began

# A visit counts once it has ended and nothing older was left to read; later ones count when they have ended.
_VISITED = (
    "UPDATE sources SET cursor = ?1, "
    "visited_at = CASE WHEN ?3 = '' OR visited_at IS NOT NULL THEN coalesce(?2, visited_at) END WHERE number = ?4"
)
# What a source tells of a thing: its facts and its claims.
_KEPT = (
    "SELECT facts.facts, records.claims FROM records LEFT JOIN facts USING (thing, source) "
    "WHERE records.thing = ? AND records.source = ?"
)
_INSIDE = (
    "SELECT number FROM things JOIN records ON thing = number WHERE parent = ? AND source = ? AND gone_since IS NULL"
)
# A thing is gone when all that told of it say so.
_GONE = (
    "SELECT thing, max(gone_since) FROM records WHERE source > 0 AND thing IN "
    "(SELECT thing FROM records WHERE gone_since IS NOT NULL) GROUP BY thing HAVING count(gone_since) = count(*)"
)
