"""Airflow over its REST API v2: DAGs, DAG runs, task instances, assets and their events.

A visit asks for what has changed since the last one, page by page, each page a batch with a cursor of its own, so that
a visit that is cut short goes on where it was. What came before the first visit is read backwards from today, some
pages at each visit. Its requests are a constant number and those for what has changed:

    runs, task instances       those updated since, and the events of assets since
    DAGs, assets               the whole list where it fits one page, else a page in turn and what the news name
    documentation, tasks and source
                               of the DAGs with a new version, and of one DAG in turn, for Airflow changes a version in
                               place that no run has used
    XComs                      of task instances that have succeeded since, some at each visit
    what was deleted           is what a reading of the whole list did not name: at once where its count has shrunk,
                               else by a page of it now and then
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.collectors import airflow_records as records
from e2e_ml.lineage.collectors.airflow_api import (
    ASSETS,
    DAGS,
    EVENTS,
    INSTANCES,
    LIMIT,
    RUNS,
    VERSIONS,
    AirflowApi,
    Listing,
    Page,
)
from e2e_ml.lineage.collectors.airflow_xcoms import Memory as XComMemory
from e2e_ml.lineage.collectors.airflow_xcoms import XComs
from e2e_ml.lineage.collectors.dag_source import Constants, constants
from e2e_ml.lineage.collectors.http import Connection, StatusError, since
from e2e_ml.lineage.collectors.visits import MOST_PAGES, START, TRICKLE, Place, Read, ServiceCollector, State, Visit
from e2e_ml.refs import Kind

OVERLAP = 30.0  # seconds read twice, for rows that were being written during the last visit
MOST_DESCRIBED = 20  # DAGs whose details and source a visit reads
MOST_NAMED = 10  # DAGs with new runs that a visit reads one by one
MANY_RUNS = 10_000  # from which on they are not counted at every visit, for that takes the server long
MOST_REASONS = 20  # logs that a visit reads, each of a run that failed
ASSETS_AT_FIRST = 50  # assets of a page at the first reading, when each may need a request for its newest event
EVENTS_AT_FIRST = 5  # pages of the newest events before that


class AirflowCollector(ServiceCollector):
    TITLE, FORM = "Airflow", 2

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(connection, transport)
        self.api = AirflowApi(self.http)
        self.memory = _Memory()

    def visit(self, state: State, again: bool) -> Iterator[Batch]:
        return _Visit(self, state, again).batches()


class _Memory:
    """What spares requests while the collector lives; nothing is lost with it."""

    def __init__(self) -> None:
        self.explained: dict[tuple[str, str], Any] = {}  # failed runs whose reason was asked for -> when they ended
        self.refused: set[str] = set()  # what this login may not read
        self.runs: set[tuple[str, str]] = set()  # that were new
        self.counted_at = 0.0
        self.xcoms = XComMemory()


class _Visit(Visit):
    def __init__(self, collector: AirflowCollector, state: State, again: bool) -> None:
        super().__init__(state, again)
        self._instance, self._api, self._http = collector.instance, collector.api, collector.http
        self._memory = collector.memory
        self._seen: list[str] = []  # DAGs that this visit has read
        self._named: dict[str, None] = {}  # DAGs with new runs
        self._failed: dict[tuple[str, str], Any] = {}  # runs -> when they ended
        self._newest: dict[int, Any] | None = None  # event of an asset, by the asset's number
        self._xcoms = XComs(self._instance, self._api, self._memory.xcoms, state.setdefault("xcoms", []))

    def batches(self) -> Iterator[Batch]:
        self._find_new_versions()
        self.begin(since(self._http, 0), OVERLAP, ("runs", "instances", "assets"))
        yield from self._list("dags", DAGS, Kind.DAG, self._dags, exclude_stale=True, order_by=["dag_id"])
        self._compare_counts()
        yield from self._news()
        yield from self._named_dags()
        yield from self._list("assets", ASSETS, Kind.ASSET, self._assets, order_by=["-id"])
        yield from self.walk("runs", (Kind.DAG_RUN,), self._older_runs)
        yield from self.walk("instances", (Kind.TASK_INSTANCE,), self._older_instances)
        yield from self._reasons()
        if handed_on := self._xcoms.read():
            yield self.batch(handed_on)
        yield from self._describe()
        yield self.batch(ends=True)

    # --- what is new ---

    def _compare_counts(self) -> None:
        """Runs that were deleted take their task instances with them: both lists are read again."""
        waited = time.monotonic() - self._memory.counted_at
        if self.state.get("count", 0) > MANY_RUNS and waited < TRICKLE and not self.looks_again:
            return
        self._memory.counted_at = time.monotonic()
        runs = self._api.total(RUNS)
        if runs < self.state.get("count", 0):
            self.again("runs", "instances")
        self.state["count"] = runs

    def _find_new_versions(self) -> None:
        """DAGs that have changed since the newest version that we know."""
        if "versions" in self._memory.refused:
            return
        known, place, newest = self.state.get("version"), START, None
        pending: list[str] = self.state.setdefault("pending", [])
        for _ in range(MOST_PAGES):
            try:
                page = self._api.page(VERSIONS, place, limit=LIMIT if known else 1, order_by=["-id"])
            except StatusError as error:
                if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                    raise
                self._memory.refused.add("versions")
                return
            newest = newest or (page.items[0]["id"] if page.items else None)
            new = [version for version in page.items if known and version["id"] > known]
            pending += dict.fromkeys(v["dag_id"] for v in new if v["dag_id"] not in pending)
            if len(new) < len(page.items) or page.next is None:
                break
            place = page.next
        self.state["version"] = newest or known

    def _news(self) -> Iterator[Batch]:
        """What was updated since the last visit, oldest first, so that what changes meanwhile comes at the end."""
        news: State = self.state.setdefault("news", {"began": self.now})
        start = datetime.fromtimestamp(self.state["since"], UTC)
        updated = {"updated_at_gte": start}
        lists: tuple[tuple[str, Listing, _Tell, State], ...] = (
            ("runs", RUNS, self._new_runs, {**updated, "order_by": ["updated_at"]}),
            ("instances", INSTANCES, self._new_instances, {**updated, "order_by": ["id"]}),
            ("events", EVENTS, self._events, {"timestamp_gte": start, "order_by": ["timestamp"]}),
        )
        for key, listing, tell, filters in lists:
            while (place := news.get(key, START)) is not None:
                page = self._api.page(listing, place, **filters)
                news[key] = page.next
                yield self.batch(tell(page))
        self.state["since"] = news["began"] - OVERLAP
        del self.state["news"]

    def _named_dags(self) -> Iterator[Batch]:
        """DAGs that are not in turn but have new runs: when they run next has changed."""
        named = [dag_id for dag_id in self._named if dag_id not in self._seen][:MOST_NAMED]
        found = [self._or_none(self._api.dag, dag_id) for dag_id in named]
        if told := [records.dag(self._instance, record) for record in found if record is not None]:
            yield self.batch(told)

    # --- whole lists ---

    def _list(self, key: str, listing: Listing, kind: Kind, tell: _Tell, **filters: Any) -> Iterator[Batch]:
        """A short list whole; of a longer one a page in turn, and all of it where its count has shrunk."""
        turn: State = self.state.get(key, {})
        left, grown, limit = 1, False, ASSETS_AT_FIRST if listing is ASSETS and "done" not in turn else LIMIT
        if "done" not in turn or turn.get("urgent") or self.looks_again:
            left = MOST_PAGES
        while left > 0:
            left -= 1
            if "sweep" not in turn:
                turn = {**turn, "sweep": self.begin_sweep(), "place": START}
            page = self._api.page(listing, turn["place"], limit, **filters)
            before = turn.get("total", page.total)
            grown = grown or page.total > before
            if page.total < before:
                left = MOST_PAGES
                if turn["place"]:  # what has been read may be what is gone
                    turn = {**turn, "total": page.total, "urgent": True, "sweep": self.begin_sweep(), "place": START}
                    continue
                turn = {**turn, "urgent": True}
            sweep, told = turn["sweep"], tell(page)
            if page.next is None:
                turns = turn.get("turns", 0) + 1
                self.state[key] = {"done": self.now, "total": page.total, "turns": turns}
                yield self.batch(told, sweep=sweep, whole=(kind,))
                return
            turn = self.state[key] = {**turn, "total": page.total, "place": page.next}
            yield self.batch(told, sweep=sweep)
        if "done" not in turn:
            self.progress[key] = f"Reading {kind}s: more are to come of {turn['total']:,}."
        if grown:  # its newest
            yield self.batch(tell(self._api.page(listing, START, limit, **filters)))

    def _older_runs(self, place: Place, first: bool) -> Read:
        page = self._api.page(RUNS, place, order_by=["-id"])
        failed = dict(self._failed)
        told = list(self._runs(page))
        if not first or place:
            self._failed = failed  # why runs of long ago failed is not asked for
        return Read(told, len(page.items), page.next)

    def _older_instances(self, place: Place, first: bool) -> Read:
        page = self._api.page(INSTANCES, place, order_by=["-id"])
        newest = first and not place  # what those of long ago handed on is not asked for
        return Read((self._new_instances if newest else self._instances)(page), len(page.items), page.next)

    # --- what pages tell ---

    def _dags(self, page: Page) -> Iterator[Record]:
        names = [record["dag_id"] for record in page.items]
        self._seen += names
        if "done" not in self.state.get("dags", {}):
            pending: list[str] = self.state.setdefault("pending", [])
            pending += [name for name in names if name not in pending]
        return (records.dag(self._instance, record) for record in page.items)

    def _new_runs(self, page: Page) -> Iterator[Record]:
        runs = [(record["dag_id"], record["dag_run_id"]) for record in page.items]
        self._named.update(
            dict.fromkeys(dag_id for dag_id, run_id in runs if (dag_id, run_id) not in self._memory.runs)
        )
        if len(self._memory.runs) > MANY_RUNS:
            self._memory.runs.clear()
        self._memory.runs.update(runs)
        return self._runs(page)

    def _runs(self, page: Page) -> Iterator[Record]:
        self._failed.update(_failures(page))
        return (records.dag_run(self._instance, record) for record in page.items)

    def _new_instances(self, page: Page) -> Iterator[Record]:
        self._xcoms.note(page.items)
        return self._instances(page)

    def _instances(self, page: Page) -> Iterator[Record]:
        return records.task_instances(self._instance, page.items)

    def _events(self, page: Page) -> Iterator[Record | None]:
        newest = {event["asset_id"]: event for event in page.items}
        return (records.written(self._instance, event) for event in newest.values())

    def _assets(self, page: Page) -> list[Record]:
        """At the first reading with the newest event of each; later ones come as news."""
        if "done" in self.state.get("assets", {}):
            return [records.asset(self._instance, record) for record in page.items if record["uri"]]
        if self._newest is None:
            self._newest = self._newest_events()
        told: list[Record] = []
        for record in page.items:
            event, last = self._newest.get(record["id"]), record.get("last_asset_event")
            if event is None and last and last.get("id") is not None:
                event = self._api.last_event(record["id"])
            if record["uri"]:
                told.append(records.asset(self._instance, record, event, read_events=True))
        return told

    def _newest_events(self) -> dict[int, Any]:
        newest: dict[int, Any] = {}
        place: Place | None = START
        for _ in range(EVENTS_AT_FIRST):
            page = self._api.page(EVENTS, place, order_by=["-timestamp"])
            newest = {**{event["asset_id"]: event for event in reversed(page.items)}, **newest}
            if (place := page.next) is None:
                break
        return newest

    # --- single things ---

    def _reasons(self) -> Iterator[Batch]:
        """Why runs have failed, as the log of the task that failed first has it."""
        told: list[Record] = []
        explained = self._memory.explained
        if len(explained) > MANY_RUNS:
            explained.clear()
        for run, end in [(r, e) for r, e in self._failed.items() if explained.get(r, "") != e][:MOST_REASONS]:
            explained[run] = end
            failed = self._or_none(self._api.first_failure, *run)
            if failed is not None and (reason := self._or_none(self._reason, failed)):
                told.append(records.failed(self._instance, failed, reason))
        if told:
            yield self.batch(told)

    def _reason(self, failed: Mapping[str, Any]) -> str | None:
        return records.said(self._api.log(failed))

    def _describe(self) -> Iterator[Batch]:
        """DAGs in full: those that have changed, and one in turn."""
        pending: list[str] = self.state.setdefault("pending", list[str]())
        if not pending and self._seen:
            turns: int = self.state.get("dags", {}).get("turns", 0)
            pending.append(self._seen[turns % len(self._seen)])
        for dag_id in pending[:MOST_DESCRIBED]:
            pending.remove(dag_id)
            details = self._or_none(self._api.details, dag_id)
            if details is not None:
                tasks = self._or_none(self._api.tasks, dag_id) or ()
                told = [records.task(self._instance, dag_id, record) for record in tasks]
                yield self.batch([records.dag_in_full(self._instance, details, self._constants(dag_id)), *told])
        if pending:
            self.progress["sources"] = f"Reading what DAGs say of themselves: {len(pending):,} to go."

    def _constants(self, dag_id: str) -> Constants | None:
        if "sources" in self._memory.refused:
            return None
        try:
            return constants(self._api.source(dag_id))
        except StatusError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                self._memory.refused.add("sources")
            return None

    def _or_none(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """An answer, or None for what is gone meanwhile, may not be read, or has a form that we do not know."""
        try:
            return ask(*arguments)
        except (StatusError, LookupError, TypeError):
            return None


_Tell = Callable[[Page], Iterable[Record | None]]


def _failures(page: Page) -> dict[tuple[str, str], Any]:
    return {(r["dag_id"], r["dag_run_id"]): r.get("end_date") for r in page.items if r.get("state") == "failed"}
