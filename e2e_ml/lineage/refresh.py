"""Keeping the index fresh: a thread for each collector, with back-off, and word to whoever listens. Knows no Qt.

refresher = Refresher(index, [airflow, mlflow, festaf])
refresher.subscribe(lambda graph, report: ...)   # called on a collector's thread
refresher.start()
...
refresher.stop()
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from e2e_ml.lineage.collectors import CollectError, Collector
from e2e_ml.lineage.collectors.visits import Thorough
from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index import Index

log = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds from the end of a visit to the next
MOST_WAIT = 60.0  # seconds between tries of a service that does not answer
SOONER = 1.0  # seconds to the next visit while older things are still to be read
TELL_EVERY = 2.0  # seconds between news of a visit that takes long


@dataclass(frozen=True, slots=True)
class Visit:
    """How a collector fares, as a value."""

    collector: str  # "airflow:local"
    ok: bool
    visited_at: datetime | None  # when it last succeeded, in UTC; None: all there is was never read
    sentence: str  # what was read or is being read or, where it failed, why and what to do
    reading: bool = False  # whether a visit that takes long is under way

    def age(self, now: datetime) -> float | None:
        """Seconds since it last succeeded."""
        return (now - self.visited_at).total_seconds() if self.visited_at else None


Report = Mapping[str, Visit]  # by collector
Subscriber = Callable[[Graph, Report], None]


class Refresher:
    """Visits every collector over and over and puts what it brings into the index.

    A subscriber hears of every change of the graph or of a collector's state, on the thread of the collector that
    caused it; it should hand over and return. What it raises is logged.
    """

    def __init__(
        self, index: Index, collectors: Iterable[Collector], *, interval: float = INTERVAL, most_wait: float = MOST_WAIT
    ) -> None:
        self._index = index
        self._interval, self._most_wait = interval, most_wait
        self._lock = threading.Lock()
        self._telling = threading.RLock()  # subscribers hear one thing after the other
        self._subscribers: list[Subscriber] = []
        self._stopping = threading.Event()
        self._loops = [_Loop(self, collector) for collector in collectors]
        self._report = {loop.name: _first_visit(index, loop.name) for loop in self._loops}
        self._more: dict[str, bool] = {}  # collectors that have older things still to read

    @property
    def report(self) -> Report:
        with self._lock:
            return dict(self._report)

    @property
    def graph(self) -> Graph:
        return self._index.graph()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Hear of changes; returns what ends it."""
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return unsubscribe

    def start(self) -> None:
        for loop in self._loops:
            loop.start()

    def tell(self) -> None:
        """Tell the subscribers anew, on this thread: something changed that no collector brought."""
        self._tell()

    def refresh_now(self) -> None:
        """Visit every service at once, those in back-off too, and look at all it has, not only at what is new.

        Returns before they have answered.
        """
        for loop in self._loops:
            loop.look_again()
            loop.wake()

    def stop(self) -> None:
        """End the threads and wait for them: at most until a page that is being read has been taken in. A visit that
        is cut short goes on from there at the next start."""
        self._stopping.set()
        for loop in self._loops:
            loop.wake()
        for loop in self._loops:
            loop.join()

    # --- what the loops call ---

    def visit(self, collector: Collector) -> bool:
        """Visit one service and tell what came of it; returns whether it answered. Never raises."""
        name, changed, read, progress, left_out = collector.name, False, 0, "", ""
        told_at, told_in = time.monotonic(), 0.0
        try:
            for batch in collector.collect(self._index.cursor(name)):
                changed = self._index.upsert(name, batch) or changed
                read, progress, left_out = read + len(batch.records), batch.progress, left_out or batch.left_out
                if self.stopping:
                    return True
                # Telling costs the listeners something, too: at most a tenth of the time.
                if time.monotonic() - told_at >= max(TELL_EVERY, 10 * told_in):
                    sentence = progress or f"Reading: {read:,} things so far."
                    began = time.monotonic()
                    self._note(Visit(name, True, self._index.visited_at(name), sentence, reading=True))
                    self._tell()
                    told_at, changed = time.monotonic(), False
                    told_in = told_at - began
            sentence = " ".join(part for part in (f"Read {read:,} things.", left_out, progress) if part)
            visit = Visit(name, True, self._index.visited_at(name), sentence)
        except CollectError as error:
            visit = Visit(name, False, self._index.visited_at(name), str(error))
        except Exception as error:
            log.exception("The collector %s failed.", name)
            what = f"{type(error).__name__}: {error}"
            sentence = f"Reading {name} failed ({what}). The log has the whole story."
            visit = Visit(name, False, self._index.visited_at(name), sentence)
        known = self._note(visit)
        with self._lock:
            self._more[name] = bool(progress)
        is_read = known.visited_at is None and visit.visited_at is not None
        failed_otherwise = not visit.ok and known.sentence != visit.sentence
        if changed or is_read or known.reading or known.ok != visit.ok or failed_otherwise:
            self._tell()
        return visit.ok

    def _note(self, visit: Visit) -> Visit:
        """Put a visit into the report; returns the one before."""
        with self._lock:
            known = self._report[visit.collector]
            self._report[visit.collector] = visit
            return known

    def has_more(self, name: str) -> bool:
        """Whether a collector has older things still to read, as of its last visit."""
        with self._lock:
            return self._more.get(name, False)

    def next_visit(self, name: str, failures: int) -> float:
        """Seconds to the next visit of a collector: sooner while there is more to read, and after failures not at the
        same moment as others that failed with it."""
        if failures:
            return self.wait_seconds(failures) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        return min(self._interval, SOONER) if self.has_more(name) else self._interval

    def wait_seconds(self, failures: int) -> float:
        """How long to wait after `failures` visits in a row that failed."""
        return min(self._interval * 2 ** min(failures, 10), max(self._most_wait, self._interval))

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def _tell(self) -> None:
        with self._telling:
            graph, report = self._index.graph(), self.report
            with self._lock:
                subscribers = list(self._subscribers)
            for subscriber in subscribers:
                if self.stopping:
                    return
                try:
                    subscriber(graph, report)
                except Exception:
                    log.exception("A subscriber of the lineage failed.")


class _Loop:
    """The thread of one collector."""

    def __init__(self, refresher: Refresher, collector: Collector) -> None:
        self._refresher, self._collector = refresher, collector
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self._collector.name

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"lineage {self.name}", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def look_again(self) -> None:
        if isinstance(self._collector, Thorough):
            self._collector.look_again()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        failures = 0
        while not self._refresher.stopping:
            self._wake.clear()
            ok = self._refresher.visit(self._collector)
            failures = 0 if ok else failures + 1
            if not self._refresher.stopping:
                self._wake.wait(self._refresher.next_visit(self.name, failures))
        self._collector.close()


def _first_visit(index: Index, name: str) -> Visit:
    visited = index.visited_at(name)
    known = f"as of {visited.astimezone(UTC):%d %B %Y, %H:%M} UTC" if visited else "nothing yet"
    return Visit(name, False, visited, f"Not read since the start; known is {known}.")
