"""The numbers of things: their names in memory, and their facts as they are asked for, from the file."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from e2e_ml.lineage.graph import KINDS, Node
from e2e_ml.refs import Ref

_KEPT = 20_000  # nodes, and names' numbers, in memory
_AT_ONCE = 500  # nodes read by one query
_SAID = 1 << 31  # from here on the numbers of reasons that stand in memory alone


_LEAST, _QUOTE = 3, '"'  # letters of a word that the trigrams find
_LIKE = re.compile(r"[%_\\]")  # what LIKE reads as something else
_NUMBER = "SELECT number FROM things WHERE ref = ?"
_AT = "SELECT group_concat(at, ' ') FROM (SELECT at FROM things ORDER BY number)"
_THINGS = """
SELECT group_concat(ref, char(10)), group_concat(char(kind), '') FROM (SELECT ref, kind FROM things ORDER BY number)
"""


class NumberedNames:
    """Grows and is never renumbered, so that snapshots share it. Its readers may be on any thread."""

    def __init__(self, reader: Callable[[], sqlite3.Connection], mend: Callable[[sqlite3.DatabaseError], None]) -> None:
        """`mend` bears that the file is broken, and raises what says anything else."""
        self._reader, self._mend = reader, mend
        self._said: list[str] = []
        self.uris: list[str] = [""]  # by number, from 1
        self.kinds = bytearray(1)
        self.untold: set[int] = set()  # of these no source tells: they are an edge's end or a parent alone
        self.gone: dict[int, str] = {}  # number -> since when
        self.reasons: list[str] = [""]
        self.reason_numbers: dict[str, int] = {"": 0}
        self._refs: list[Ref | None] = [None]
        self._numbers: dict[Ref, int] = {}
        self._times: npt.NDArray[np.int64] | None = None
        self._nodes: dict[int, Node] = {}
        self._changes = 0
        self._lock = threading.Lock()

    # --- what `graph.Names` wants ---

    def number(self, ref: Ref) -> int | None:
        known = self._numbers.get(ref)
        return self._found(ref, self._ask(_NUMBER, (str(ref),))) if known is None else known

    def number_in(self, db: sqlite3.Connection, ref: Ref) -> int | None:
        known = self._numbers.get(ref)
        return self._found(ref, db.execute(_NUMBER, (str(ref),)).fetchall()) if known is None else known

    def _found(self, ref: Ref, rows: list[Any]) -> int | None:
        return self._remember(ref, rows[0][0]) if rows and rows[0][0] < len(self.uris) else None

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._reader().execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._mend(error)
            return self._reader().execute(query, values).fetchall()

    def _remember(self, ref: Ref, number: int) -> int:
        if len(self._numbers) > _KEPT:
            self._numbers.clear()
        self._numbers[ref] = number
        return number

    def ref(self, number: int) -> Ref:
        ref = self._refs[number]
        if ref is None:
            ref = self._refs[number] = Ref.stored(KINDS[self.kinds[number] - 1], self.uris[number])
            self._remember(ref, number)  # who asks for its name asks for its facts next
        return ref

    def reason(self, number: int) -> str:
        return self._said[number - _SAID] if number >= _SAID else self.reasons[number]

    def times(self) -> npt.NDArray[np.int64]:
        """By number, when each thing began or was made, in seconds since 1970; 0 where that is not known."""
        times = self._times
        while times is None or len(times) < len(self.uris):
            before = self._changes
            ((text,),) = self._ask(_AT)
            times = np.concatenate(([0], np.array((text or "").split(), np.int64)))
            with self._lock:
                if before != self._changes:
                    continue
                self._times = times
            missing = max(0, len(self.uris) - len(times))  # what is being written this moment
            return np.concatenate((times, np.zeros(missing, np.int64)))
        return times

    def inside(self, number: int, limit: int) -> list[int]:
        rows = self._ask(
            "SELECT number FROM things WHERE parent = ? ORDER BY at DESC, number DESC LIMIT ?", (number, limit)
        )
        return [inner for (inner,) in rows]

    def instances(self, service: str) -> list[str]:
        names = [name for (name,) in self._ask("SELECT name FROM sources ORDER BY name")]
        return [name.partition(":")[2] for name in names if name.startswith(f"{service}:")]

    def search(self, text: str, kinds: Iterable[int], limit: int) -> list[int]:
        """The numbers of things whose title or name has every word of `text` in it, in any case; the shortest first.

        A word of one or two letters has to begin the title.
        """
        wanted = list(kinds)
        words = text.split()
        if not words:
            return []
        long = " ".join(f'"{word.replace(_QUOTE, _QUOTE * 2)}"' for word in words if len(word) >= _LEAST)
        short = [_LIKE.sub(r"\\\g<0>", word) + "%" for word in words if len(word) < _LEAST]
        # The plus keeps the table of trigrams from looking at short words, too: SQLite 3.40 crashes on both at once.
        terms = " AND ".join([*(["titles MATCH ?"] if long else []), *(["+title LIKE ? ESCAPE '\\'"] * len(short))])
        values = [*([long] if long else []), *short]
        kind = f"AND kind IN ({','.join('?' * len(wanted))})" if wanted else ""
        rows = self._ask(
            "SELECT things.number FROM titles JOIN things ON things.number = titles.rowid "  # noqa: S608 - marks
            f"WHERE {terms} {kind} ORDER BY length(title), title LIMIT ?",
            [*values, *wanted, limit],
        )
        return [number for (number,) in rows]

    def nodes(self, numbers: Iterable[int]) -> Iterator[Node]:
        """The nodes of `numbers`, in their order."""
        wanted = list(numbers)
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            missing = [number for number in some if number not in self._nodes]
            read = self._read(missing) if missing else {}
            for number in some:
                yield read.get(number) or self._nodes.get(number) or self._read([number])[number]

    def _read(self, numbers: list[int]) -> dict[int, Node]:
        before = self._changes
        marks = ",".join("?" * len(numbers))
        facts: dict[int, dict[str, Any]] = {}
        # The services in the order in which they were first read; what the rules derive (source 0) lies below them.
        rows = self._ask(
            f"SELECT thing, facts FROM facts WHERE thing IN ({marks}) ORDER BY thing, source",  # noqa: S608 - marks
            numbers,
        )
        for number, text in rows:
            facts[number] = {**facts[number], **json.loads(text)} if number in facts else json.loads(text)
        nodes = {n: Node(self.ref(n), facts.get(n, {}), time(self.gone.get(n))) for n in numbers}
        with self._lock:
            if before == self._changes:
                if len(self._nodes) > _KEPT:
                    self._nodes.clear()
                self._nodes.update(nodes)
        return nodes

    # --- what the index does ---

    def read_from(self, reader: Callable[[], sqlite3.Connection]) -> None:
        """Ask there from now on."""
        self._reader = reader

    def fill(self, db: sqlite3.Connection) -> None:
        """Take over every thing of a file; for names that are new."""
        # One value of many megabytes is read ten times as fast as a row for each thing. No URI has a line break.
        uris, kinds = db.execute(_THINGS).fetchone()
        if uris is not None:
            self.uris += uris.split("\n")
            self.kinds += kinds.encode()
            self._refs += [None] * (len(self.uris) - 1)
        self.untold = {number for (number,) in db.execute("SELECT number FROM things WHERE told = 0")}

    def add(self, number: int, ref: Ref, uri: str, kind: int, *, told: bool) -> None:
        self.uris.append(uri)
        self.kinds.append(kind)
        self._refs.append(ref)
        self._remember(ref, number)
        if not told:
            self.untold.add(number)

    def add_reason(self, number: int, text: str) -> None:
        while len(self.reasons) <= number:
            self.reasons.append("")
        self.reasons[number] = text
        self.reason_numbers[text] = number

    def said(self, text: str) -> int:
        """The number of a reason that no service gave: it stands in memory alone."""
        number = self.reason_numbers.get(text)
        if number is None:
            self._said.append(text)
            number = self.reason_numbers[text] = _SAID + len(self._said) - 1
        return number

    def changed(self, numbers: Iterable[int], dates: Mapping[int, int]) -> None:
        """Their facts have other values from now on; of some it is known when they began."""
        with self._lock:
            self._changes += 1
            for number in numbers:
                self._nodes.pop(number, None)
            for number, at in dates.items():
                if self._times is not None and number < len(self._times):
                    self._times[number] = at


def time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
