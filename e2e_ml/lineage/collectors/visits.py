"""What the collectors of Airflow and of MLflow share: their frame, and what their visits do. A cursor that every batch
carries on, sweeps, and long lists read from today backwards, some pages at each visit, so that a visit that is cut
short goes on where it was."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import httpx

from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.collectors.http import Api, Connection
from e2e_ml.refs import Kind, Ref

MOST_PAGES = 25  # of a long list, at each visit of its first reading,
READ_FOR = 5.0  # and at most this many seconds, for what is new has to be asked for as well
TRICKLE = 30.0  # seconds from page to page of a list that is read again, to find what was deleted or tagged since
LONG_AWAY = 86_400.0  # seconds after which all is read anew, today's world first

State = dict[str, Any]  # JSON: a cursor
Place = Mapping[str, Any]  # JSON: where the next page of a list begins; empty at its start
START: Place = {}


@dataclass(frozen=True, slots=True)
class Read:
    """A page of a list."""

    told: Iterable[Record | None]
    items: int
    next: Place | None  # None: it was the last one


@runtime_checkable
class Thorough(Protocol):
    def look_again(self) -> None:
        """Read whole lists at the next visit, not only what is new."""
        ...


class ServiceCollector(ABC):
    """A collector that asks a service for what is new, and at times for all it has."""

    TITLE: ClassVar[str]
    FORM: ClassVar[int]  # of the cursor; one of another form is a first visit

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        self.instance = connection.instance
        self.http = Api(self.TITLE, connection, transport)
        self._again = False

    @property
    def name(self) -> str:
        return f"{self.TITLE.lower()}:{self.instance}"

    @property
    def requests(self) -> int:
        """Sent so far."""
        return self.http.requests

    def close(self) -> None:
        self.http.close()

    def look_again(self) -> None:
        self._again = True

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        state = copy.deepcopy(dict(cursor)) if cursor.get("form") == self.FORM else {"form": self.FORM}
        again, self._again = self._again, False
        yield from self.visit(state, again)

    @abstractmethod
    def visit(self, state: State, again: bool) -> Iterator[Batch]:
        """One visit that goes on from `state`; `again`: it is to look at whole lists, not only at what is new."""


class Visit:
    def __init__(self, state: State, again: bool) -> None:
        self.state = state
        self.now = 0.0  # by the service's clock
        self.progress: dict[str, str] = {}  # of what is read for the first time
        self.looks_again = again
        self.begin_sweep()

    def begin_sweep(self) -> int:
        """A number above all before it, also where the clock was put back."""
        self.sweep = self.state["sweep"] = max(int(time.time() * 1000), self.state.get("sweep", 0) + 1)
        return self.sweep

    def begin(self, now: float, overlap: float, lists: Iterable[str]) -> None:
        """At the first visit, and after a long time away, `lists` are read from today backwards."""
        self.now = now
        if "since" not in self.state or now - self.state["since"] > LONG_AWAY:
            self.state.update({"since": now - overlap, **{key: {} for key in lists}})
            self.state.pop("news", None)
        if self.looks_again:
            self.again(*lists)

    def again(self, *lists: str) -> None:
        """Something of `lists` is gone: read them whole, without waiting."""
        self.state["again"] = sorted({*self.state.get("again", ()), *lists})

    def batch(
        self,
        told: Iterable[Record | None] = (),
        *,
        sweep: int | None = None,
        whole: Iterable[Kind] = (),
        gone: Iterable[Ref] = (),
        ends: bool = False,
    ) -> Batch:
        return Batch(
            tuple(record for record in told if record is not None),
            copy.deepcopy(self.state),
            frozenset(whole),
            self.sweep if sweep is None else sweep,
            tuple(gone),
            next(iter(self.progress.values()), ""),
            ends,
        )

    def walk(self, key: str, kinds: Iterable[Kind], read: Callable[[Place, bool], Read]) -> Iterator[Batch]:
        """Read a long list, `kinds` being what it tells of. `read` is asked for the page at a place, and told whether
        it is the first time that the list is read."""
        walk: State = self.state.get(key, {})
        again: list[str] = self.state.get("again", [])
        if "sweep" not in walk or (key in again and not walk["urgent"]):
            urgent = "done" not in walk or key in again
            if not urgent and self.now - walk["at"] < TRICKLE:
                return
            self.state["again"] = [other for other in again if other != key]
            first = "done" not in walk and "sweep" not in walk
            walk = {"sweep": self.begin_sweep(), "place": START, "read": 0, "urgent": urgent, "first": first}
        elif not walk["urgent"] and self.now - walk["at"] < TRICKLE:
            return
        until = time.monotonic() + READ_FOR
        for number in range(MOST_PAGES if walk["urgent"] else 1):
            if number and time.monotonic() > until:
                return
            page = read(walk["place"], walk["first"])
            told, sweep = list(page.told), walk["sweep"]
            if page.next is None:
                self.state[key] = {"done": self.now, "at": self.now}
                self.progress.pop(key, None)
                yield self.batch(told, sweep=sweep, whole=kinds)
                return
            walk = {**walk, "place": page.next, "read": walk["read"] + page.items, "at": self.now}
            self.state[key] = walk
            if walk["first"]:
                self.progress[key] = f"Reading {next(iter(kinds))}s: {walk['read']:,} so far."
            yield self.batch(told, sweep=sweep)
