"""Keeps links and derived facts up with what changed: asks the rules again about what changed and who looked at it."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.lineage.rules import RULES
from e2e_ml.lineage.rules.derived import derive
from e2e_ml.lineage.rules.keys import answers
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.refs import Ref

log = logging.getLogger(__name__)

Tell = Callable[[int, list[Edge], dict[str, Any]], None]  # number of a thing, its links, its derived facts


class Linker:
    """Works inside the index's transaction. `node` gives a thing as it is now, by its number."""

    def __init__(self, db: sqlite3.Connection, node: Callable[[int], Node], ref: Callable[[int], Ref]) -> None:
        self._db, self._node, self._ref = db, node, ref

    def settle(self, changed: Iterable[int], tell: Tell, keys: Iterable[str] = ()) -> None:
        """Bring links and derived facts up with the things that changed; `keys` have other answers, too."""
        waiting = dict.fromkeys(changed)
        moved = {key for number in waiting for key in self._answer(number)} | set(keys)
        for key in sorted(moved):
            waiting.update(dict.fromkeys(n for (n,) in self._db.execute(_LOOKERS, (_hash(key),))))
        view = _View(self._db, self._ref)
        for number in waiting:
            view.looked.clear()
            node = self._node(number)
            told = _follow(node, view)
            self._remember(number, {_hash(key) for key in view.looked})
            if told is not None:
                tell(number, *told)

    def _answer(self, number: int) -> set[str]:
        """Write down what a thing answers to now; returns the keys whose answers changed."""
        now = {(k.text, k.at): json.dumps(k.value, sort_keys=True) for k in answers(self._node(number))}
        rows = self._db.execute("SELECT key, at, value FROM answers WHERE thing = ?", (number,))
        before = {(key, at): value for key, at, value in rows}
        if now == before:
            return set()
        old = [key for key, value in before.items() if now.get(key) != value]
        new = [key for key, value in now.items() if before.get(key) != value]
        self._db.executemany(
            "DELETE FROM answers WHERE key = ? AND at = ? AND thing = ?", [(key, at, number) for key, at in old]
        )
        self._db.executemany(
            "INSERT INTO answers VALUES (?, ?, ?, ?)", [(key, at, number, now[key, at]) for key, at in new]
        )
        return {key for key, _ in (*old, *new)}

    def _remember(self, number: int, now: set[int]) -> None:
        before = {key for (key,) in self._db.execute("SELECT key FROM looks WHERE thing = ?", (number,))}
        self._db.executemany("DELETE FROM looks WHERE key = ? AND thing = ?", [(k, number) for k in before - now])
        self._db.executemany("INSERT INTO looks VALUES (?, ?)", [(key, number) for key in now - before])


_LOOKERS = "SELECT thing FROM looks WHERE key = ?"


def _follow(node: Node, look: Look) -> tuple[list[Edge], dict[str, Any]] | None:
    """What the rules say of `node`; None where one fails on what a service tells, which must not cost the visit."""
    try:
        return [edge for rule in RULES.get(node.ref.kind, ()) for edge in rule(node, look)], derive(node, look)
    except Exception:
        log.exception("A rule failed on %s; it keeps the links that were found before.", node.ref)
        return None


class _View:
    """A `Look` at the tables, for the time of one settling."""

    def __init__(self, db: sqlite3.Connection, ref: Callable[[int], Ref]) -> None:
        self._db, self._ref = db, ref
        self._known: dict[tuple[str, int | None], list[Answer]] = {}
        self.looked: set[str] = set()

    def __call__(self, key: str, newest: int | None = None) -> list[Answer]:
        self.looked.add(key)
        found = self._known.get((key, newest))
        if found is None:
            order = "" if newest is None else f"ORDER BY at DESC, thing DESC LIMIT {int(newest)}"
            rows = self._db.execute(f"SELECT thing, value, at FROM answers WHERE key = ? {order}", (key,))  # noqa: S608
            found = [Answer(self._ref(thing), json.loads(value), at) for thing, value, at in rows]
            if newest is None:
                found.sort(key=lambda answer: answer.ref)
            self._known[key, newest] = found
        return found

    def instances(self, service: str) -> list[str]:
        self.looked.add(instances(service))
        names = [name for (name,) in self._db.execute("SELECT name FROM sources ORDER BY name")]
        return [name.partition(":")[2] for name in names if name.startswith(f"{service}:")]


def instances(service: str) -> str:
    """The key of the instances of a service."""
    return f"instances {service}"


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little", signed=True)
