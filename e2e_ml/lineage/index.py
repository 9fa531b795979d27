"""The index: what the collectors have read, in one SQLite file, and the graph made of it.

It is a cache. Delete the file and the next visits fill it again; a file that is broken or of another version is
replaced and the log says so. Deleted things stay, marked, for as long as others stand on them.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from e2e_ml.lineage.collectors import Batch
from e2e_ml.lineage.derive import derive
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.links import link, strongest
from e2e_ml.refs import Ref

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE collectors (name TEXT PRIMARY KEY, cursor TEXT NOT NULL, visited_at TEXT NOT NULL);
CREATE TABLE nodes (
    ref TEXT PRIMARY KEY, kind TEXT NOT NULL, collector TEXT NOT NULL, facts TEXT NOT NULL, gone_since TEXT
);
CREATE TABLE edges (
    collector TEXT NOT NULL, upstream TEXT NOT NULL, downstream TEXT NOT NULL, downstream_kind TEXT NOT NULL,
    relation TEXT NOT NULL, evidence TEXT NOT NULL, reason TEXT NOT NULL, score REAL NOT NULL, seen_at TEXT,
    PRIMARY KEY (collector, upstream, downstream, relation)
);
"""


class Index:
    """Safe to use from several threads; one at a time writes. `path` is made readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = self._open()
        self._nodes: dict[Ref, Node] = {}
        self._edges: dict[str, dict[tuple[Ref, Ref, Relation], Edge]] = {}
        self._collector_of: dict[Ref, str] = {}
        self._load()
        self._graph: Graph | None = None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- reading ---

    def graph(self) -> Graph:
        """The lifecycle as of now: an immutable snapshot, the same object until something changes."""
        with self._lock:
            if self._graph is None:
                self._graph = build_graph(self._nodes, (e for edges in self._edges.values() for e in edges.values()))
            return self._graph

    def cursor(self, collector: str) -> dict[str, Any]:
        """Where a collector left off; empty before its first visit."""
        with self._lock:
            row = self._db.execute("SELECT cursor FROM collectors WHERE name = ?", (collector,)).fetchone()
        return cast(dict[str, Any], json.loads(row[0])) if row else {}

    def visited_at(self, collector: str) -> datetime | None:
        """When a collector last succeeded, in UTC; None: never."""
        with self._lock:
            row = self._db.execute("SELECT visited_at FROM collectors WHERE name = ?", (collector,)).fetchone()
        return datetime.fromisoformat(row[0]) if row else None

    # --- writing ---

    def upsert(self, collector: str, batch: Batch, now: datetime | None = None) -> bool:
        """Take in what a visit brought, in one transaction. Returns whether the graph changed."""
        now = now or datetime.now(UTC)
        with self._lock, self._db:
            changed = self._put_nodes(collector, batch, now)
            changed = self._put_edges(collector, batch) or changed
            self._db.execute(
                "INSERT OR REPLACE INTO collectors VALUES (?, ?, ?)",
                (collector, json.dumps(dict(batch.cursor)), now.isoformat()),
            )
            if changed:
                self._graph = None
        return changed

    def _put_nodes(self, collector: str, batch: Batch, now: datetime) -> bool:
        present = {node.ref for node in batch.nodes}
        gone = [
            Node(ref, node.facts, now)
            for ref, node in self._nodes.items()
            if ref.kind in batch.complete
            and ref not in present
            and node.gone_since is None
            and self._collector_of[ref] == collector
        ]
        changed = [
            merged
            for node in batch.nodes
            if (merged := self._merged(node, batch)) != self._nodes.get(node.ref) or node.ref not in self._nodes
        ]
        for node in (*gone, *changed):
            self._nodes[node.ref] = node
            self._collector_of[node.ref] = collector
        self._db.executemany(
            "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?, ?)",
            [
                (str(n.ref), n.ref.kind, collector, json.dumps(dict(n.facts)), _text(n.gone_since))
                for n in (*gone, *changed)
            ],
        )
        return bool(gone or changed)

    def _merged(self, node: Node, batch: Batch) -> Node:
        known = self._nodes.get(node.ref)
        if known is None or node.ref.kind in batch.complete:
            return node
        return Node(node.ref, {**known.facts, **node.facts}, node.gone_since)

    def _put_edges(self, collector: str, batch: Batch) -> bool:
        kept = self._edges.setdefault(collector, {})
        new = {(e.upstream, e.downstream, e.relation): e for e in batch.edges}
        # What stood on a thing that is gone keeps standing there, marked.
        lost = [
            key
            for key in kept
            if key[1].kind in batch.complete
            and key not in new
            and all(end not in self._nodes or self._nodes[end].gone_since is None for end in key[:2])
        ]
        changed = [edge for key, edge in new.items() if kept.get(key) != edge]
        for key in lost:
            del kept[key]
        kept.update(((e.upstream, e.downstream, e.relation), e) for e in changed)
        self._db.executemany(
            "DELETE FROM edges WHERE collector = ? AND upstream = ? AND downstream = ? AND relation = ?",
            [(collector, str(up), str(down), relation) for up, down, relation in lost],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO edges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (collector, str(e.upstream), str(e.downstream), e.downstream.kind, e.relation, e.evidence, e.reason,
                 e.score, _text(e.seen_at))
                for e in changed
            ],
        )  # fmt: skip
        return bool(lost or changed)

    # --- the file ---

    def _open(self) -> sqlite3.Connection:
        try:
            db = self._connect()
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == SCHEMA_VERSION and db.execute("PRAGMA quick_check").fetchone()[0] == "ok":
                return db
            if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return self._create(db)
            why = f"has version {version}, not {SCHEMA_VERSION}"
            db.close()
        except sqlite3.DatabaseError as error:
            why = f"cannot be read ({error})"
        log.warning("The lineage index %s %s; it is built anew from the services.", self._path, why)
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return self._create(self._connect())

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path.chmod(0o600)
        db = sqlite3.connect(self._path, check_same_thread=False, timeout=10)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    def _create(self, db: sqlite3.Connection) -> sqlite3.Connection:
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.commit()
        return db

    def _load(self) -> None:
        for ref, collector, facts, gone in self._db.execute("SELECT ref, collector, facts, gone_since FROM nodes"):
            node = Node(Ref.parse(ref), json.loads(facts), _time(gone))
            self._nodes[node.ref] = node
            self._collector_of[node.ref] = collector
        columns = "collector, upstream, downstream, relation, evidence, reason, score, seen_at"
        for collector, up, down, relation, evidence, reason, score, seen in self._db.execute(
            f"SELECT {columns} FROM edges"  # noqa: S608 - constant columns
        ):
            edge = Edge(
                Ref.parse(up), Ref.parse(down), Relation(relation), Evidence(evidence), reason, score, _time(seen)
            )
            self._edges.setdefault(collector, {})[edge.upstream, edge.downstream, edge.relation] = edge


def build_graph(nodes: Mapping[Ref, Node], edges: Iterable[Edge]) -> Graph:
    """The graph of what the collectors brought: links between the services and derived facts added.

    A node that is gone is left out unless something that is not gone stands on it. An end that no collector has brought
    becomes a node without facts.
    """
    every = strongest(iter([*edges, *link(nodes)]))
    whole = {**{end: Node(end) for e in every for end in (e.upstream, e.downstream)}, **nodes}
    kept = _standing(whole, every)
    every = [e for e in every if e.upstream in kept and e.downstream in kept]
    return Graph(derive(kept, every).values(), every)


def _standing(nodes: Mapping[Ref, Node], edges: Iterable[Edge]) -> dict[Ref, Node]:
    """The nodes that live, and those gone that lie upstream of a living one. A DAG run bears what its tasks bear."""
    living = {ref for ref, node in nodes.items() if node.gone_since is None}
    upstream: dict[Ref, list[Ref]] = {}
    for edge in edges:
        upstream.setdefault(edge.downstream, []).append(edge.upstream)
    waiting, kept = list(living), set(living)
    while waiting:
        here = waiting.pop()
        above = [*upstream.get(here, ()), *([here.parent] if here.parent else [])]
        for ref in above:
            if ref not in kept and ref in nodes:
                kept.add(ref)
                waiting.append(ref)
    return {ref: node for ref, node in nodes.items() if ref in kept}


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
