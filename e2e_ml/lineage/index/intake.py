"""What a visit brings, taken into the file and into memory: records, facts, claims, and what the rules make of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import KIND_NUMBERS, Edge, Node
from e2e_ml.lineage.index import packing
from e2e_ml.lineage.index.claims import AllClaims
from e2e_ml.lineage.index.linker import Linker, instances
from e2e_ml.lineage.index.names import NumberedNames, time
from e2e_ml.lineage.rules.facts import moment
from e2e_ml.refs import Kind, Ref

RULES = 0  # the source of links and derived facts
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


class Intake:
    """Writes in the transaction that is under way; `changed` and `dates` are what readers have to learn once it has
    ended well."""

    def __init__(self, db: sqlite3.Connection, names: NumberedNames, claims: AllClaims, now: datetime) -> None:
        self._db, self._names, self._claims, self._now = db, names, claims, now
        self.changed: set[int] = set()  # things
        self.dates: dict[int, int] = {}  # thing -> when it began, in seconds since 1970

    def take_in(self, collector: str, batch: Batch) -> None:
        source, is_new = self._source(collector)
        sweep = batch.sweep if batch.sweep is not None else self._next_sweep(source)
        told = {n for record in batch.records if (n := self._put(source, record, sweep)) is not None}
        gone = [number for ref in batch.gone if (number := self._names.number_in(self._db, ref)) is not None]
        gone += self._unswept(source, sweep, batch.complete)
        gone += [number for record in batch.records for number in self._left_out(source, record)]
        told.update(n for n in gone if self._mark_gone(source, n))
        if told or is_new:
            linker = Linker(self._db, self._node, self._names.ref)
            keys = [instances(collector.partition(":")[0])] if is_new else []
            linker.settle(sorted(told), self._tell, keys)
        visited_at = self._now.isoformat() if batch.ends else None
        self._db.execute(_VISITED, (json.dumps(dict(batch.cursor)), visited_at, batch.progress, source))

    def _put(self, source: int, record: Record, sweep: int) -> int | None:
        """Keep what a source tells of a thing; returns its number where that is something new."""
        number = self._number(record.node.ref, told=True)
        kept_facts, kept = self._db.execute(_KEPT, (number, source)).fetchone() or (None, None)
        facts = dict(record.node.facts)
        claims = self._numbered(record.edges)
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
        self.changed.add(number)
        self._put_time(number, facts)
        self._put_title(number, record.node)
        return number

    def _put_time(self, number: int, facts: Mapping[str, Any]) -> None:
        at = next((time for key in _TIMES if (time := moment(facts.get(key)))), None)
        if at is not None:
            self._db.execute("UPDATE things SET at = ? WHERE number = ?", (int(at.timestamp()), number))
            self.dates[number] = int(at.timestamp())

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

    def _mark_gone(self, source: int, number: int) -> bool:
        done = self._db.execute(
            "UPDATE records SET gone_since = ? WHERE thing = ? AND source = ? AND gone_since IS NULL",
            (self._now.isoformat(), number, source),
        )
        left = self._db.execute(
            "SELECT 1 FROM records WHERE thing = ? AND source > 0 AND gone_since IS NULL", (number,)
        ).fetchone()
        if done.rowcount == 0 or left:
            return False
        self._names.gone[number] = self._now.isoformat()
        self.changed.add(number)
        return True

    def _tell(self, number: int, links: list[Edge], facts: Mapping[str, Any]) -> None:
        """Keep what the rules say of a thing."""
        kept_facts, kept = self._db.execute(_KEPT, (number, RULES)).fetchone() or (None, None)
        packed = packing.pack(number, RULES, self._numbered(links), kept)
        text = json.dumps(dict(facts), sort_keys=True)
        if packed != (kept or b"") or (text != "{}" and kept is None):
            self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, 0, NULL, ?)", (number, RULES, packed))
            self._claims.put(number, RULES, packed)
            self.changed.add(number)
        if text != (kept_facts or "{}"):
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (number, RULES, text))
            self.changed.add(number)

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

    def _numbered(self, edges: Iterable[Edge]) -> dict[packing.Key, packing.Said]:
        return packing.claims(edges, self._number, self._reason, self._now)

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
