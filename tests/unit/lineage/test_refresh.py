"""The refresher: threads that visit, back off, tell and end. The collectors are small, the index is real."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage import refresh
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.refresh import Refresher, Report, Visit
from e2e_ml.stack.reading import Reading
from tests.unit.lineage.batches import batch

SOON = 20.0  # seconds; a test that waits longer has found a fault
DAG = refs.dag("local", "a")


class Counting:
    """Brings one DAG whose facts change with every visit that is told to change something; can be down."""

    def __init__(self, name: str = "airflow:local") -> None:
        self.name = name
        self.down: Exception | None = None
        self.fact = 0
        self.visits: Queue[Mapping[str, Any]] = Queue()
        self.closed = threading.Event()

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        self.visits.put(dict(cursor))
        if self.down is not None:
            raise self.down
        yield batch((Node(DAG, {"fact": self.fact}),), (), {DAG.kind}, {"n": cursor.get("n", 0) + 1})

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite")
    yield index
    index.close()


def test_it_visits_tells_and_ends(index: Index) -> None:
    collector, heard = Counting(), Queue[tuple[Graph, Report]]()
    refresher = Refresher(index, [collector], interval=3600)
    refresher.subscribe(lambda graph, report: heard.put((graph, report)))
    assert not refresher.report["airflow:local"].ok
    refresher.start()
    graph, report = heard.get(timeout=SOON)
    assert DAG in graph
    assert report["airflow:local"].ok
    collector.fact = 1
    refresher.refresh_now()
    graph, _ = heard.get(timeout=SOON)
    node = graph.get(DAG)
    assert node is not None
    assert node.facts == {"fact": 1}
    refresher.stop()
    assert collector.closed.is_set()
    assert not [t for t in threading.enumerate() if t.name.startswith("lineage")]
    assert collector.visits.get() == {}
    assert collector.visits.get() == {"n": 1}


def test_a_service_that_is_down_leaves_the_last_known_graph(index: Index) -> None:
    index.upsert("airflow:local", batch((Node(DAG),)), datetime.now(UTC) - timedelta(hours=1))
    collector, heard = Counting(), Queue[tuple[Graph, Report]]()
    collector.down = CollectError("Airflow does not answer. Start it.")
    refresher = Refresher(index, [collector], interval=3600)
    refresher.subscribe(lambda graph, report: heard.put((graph, report)))
    refresher.start()
    graph, report = heard.get(timeout=SOON)
    refresher.stop()
    visit = report["airflow:local"]
    assert DAG in graph
    assert (visit.ok, visit.sentence) == (False, "Airflow does not answer. Start it.")
    age = visit.age(datetime.now(UTC))
    assert age is not None
    assert 3600 <= age < 3600 + SOON


def test_a_fault_of_one_collector_or_subscriber_harms_no_other(index: Index) -> None:
    broken, sound = Counting("mlflow:lab"), Counting()
    broken.down = KeyError("runs")
    heard: Queue[Report] = Queue()
    refresher = Refresher(index, [broken, sound], interval=3600)

    def fail(_graph: Graph, _report: Report) -> None:
        raise RuntimeError("a panel's fault")

    refresher.subscribe(fail)
    refresher.subscribe(lambda _graph, report: heard.put(report))
    refresher.start()
    while (
        not (report := heard.get(timeout=SOON))["airflow:local"].ok or "KeyError" not in report["mlflow:lab"].sentence
    ):
        pass
    refresher.stop()
    assert "KeyError" in report["mlflow:lab"].sentence


def test_unsubscribed_hears_no_more(index: Index) -> None:
    collector, first, second = Counting(), Queue[int](), Queue[int]()
    refresher = Refresher(index, [collector], interval=3600)
    end = refresher.subscribe(lambda *_: first.put(1))
    refresher.subscribe(lambda *_: second.put(1))
    end()
    end()
    refresher.start()
    second.get(timeout=SOON)
    refresher.stop()
    assert first.empty()


class Long(Counting):
    """Brings many batches, each when it is let; has more to read for as long as `progress` says so."""

    def __init__(self, batches: int = 3) -> None:
        super().__init__()
        self.batches, self.progress = batches, "Reading runs: 12,000 so far."
        self.go, self.looks = Queue[None](), 0

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        self.visits.put(dict(cursor))
        for number in range(cursor.get("n", 0), self.batches):
            self.go.get(timeout=SOON)
            ref = refs.dag("local", f"d{number}")
            yield Batch(
                (Record(Node(ref)),), {"n": number + 1}, progress=self.progress, ends=number == self.batches - 1
            )

    def look_again(self) -> None:
        self.looks += 1


def test_a_visit_that_takes_long_says_how_far_it_is(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "TELL_EVERY", 0.0)
    collector, heard = Long(), Queue[tuple[Graph, Report]]()
    refresher = Refresher(index, [collector], interval=3600)
    refresher.subscribe(lambda graph, report: heard.put((graph, report)))
    refresher.start()
    collector.go.put(None)
    graph, report = heard.get(timeout=SOON)
    visit = report["airflow:local"]
    assert (visit.ok, visit.reading, visit.sentence) == (True, True, "Reading runs: 12,000 so far.")
    assert visit.visited_at is None  # all there is has not been read
    assert len(graph) == 1
    for _ in range(2):
        collector.go.put(None)
    while (visit := heard.get(timeout=SOON)[1]["airflow:local"]).reading:
        pass
    assert visit.sentence == "Read 3 things. Reading runs: 12,000 so far."
    assert collector.visits.get(timeout=SOON) == {}
    assert collector.visits.get(timeout=SOON) == {"n": 3}  # soon again, for there is more to read
    refresher.stop()


def test_the_end_of_the_program_cuts_a_visit_short_and_the_next_start_goes_on(index: Index) -> None:
    collector = Long()
    refresher = Refresher(index, [collector], interval=3600)
    refresher.start()
    collector.visits.get(timeout=SOON)
    stopping = threading.Thread(target=refresher.stop)
    stopping.start()
    while not refresher.stopping:
        pass
    collector.go.put(None)
    stopping.join(SOON)
    assert index.cursor(collector.name) == {"n": 1}
    for _ in range(2):
        collector.go.put(None)
    assert Refresher(index, [collector]).visit(collector)
    assert collector.visits.get() == {"n": 1}
    assert index.graph().count(DAG.kind) == 3


def test_a_refresh_that_a_person_asks_for_looks_at_everything(index: Index) -> None:
    collector = Long()
    Refresher(index, [collector, Counting("mlflow:lab")]).refresh_now()
    assert collector.looks == 1


def test_what_failed_together_is_not_tried_at_the_same_moment(index: Index) -> None:
    refresher = Refresher(index, [Counting()], interval=5, most_wait=60)
    waits = {refresher.next_visit("airflow:local", 2) for _ in range(20)}
    assert len(waits) > 1
    assert all(15 <= wait <= 25 for wait in waits)
    assert refresher.next_visit("airflow:local", 0) == 5


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (1000, 60)])
def test_back_off(index: Index, failures: int, seconds: float) -> None:
    assert Refresher(index, [], interval=5, most_wait=60).wait_seconds(failures) == seconds


def test_a_visit_that_never_succeeded_has_no_age() -> None:
    assert Visit("airflow:local", False, None, "").age(datetime.now(UTC)) is None


class Locked(Counting):
    """A service of which a part wants another login."""

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        yield from super().collect(cursor)
        yield Batch(cursor=cursor, ends=False, left_out="XComs are left out: ask for leave to read them.")


def test_what_a_login_may_not_read_is_said_and_is_no_failure(index: Index) -> None:
    refresher = Refresher(index, [collector := Locked()])
    assert refresher.visit(collector)
    visit = refresher.report["airflow:local"]
    assert (visit.ok, visit.sentence) == (True, "Read 1 things. XComs are left out: ask for leave to read them.")


class Empty(Counting):
    """Has nothing to tell, but takes some visits to know that."""

    progress = "Reading DAG runs: 12,000 so far."

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        yield Batch(progress=self.progress)


def test_the_listeners_hear_when_all_was_read_though_nothing_changed(index: Index) -> None:
    refresher, heard = Refresher(index, [collector := Empty()]), list[datetime | None]()
    refresher.subscribe(lambda _graph, report: heard.append(report["airflow:local"].visited_at))
    for progress in (collector.progress, collector.progress, "", ""):
        collector.progress = progress
        assert refresher.visit(collector)
    first, second = heard
    assert (first, second is not None) == (None, True)


class Bitwise(Counting):
    """Has three visits' worth to read."""

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        n = cursor.get("n", 0) + 1
        progress = f"Reading DAG runs: {n} so far." if n < 3 else ""
        yield Batch((Record(Node(refs.dag("local", f"d{n}"))),), {"n": n}, progress=progress)


def test_one_visit_of_a_workspace_reads_all_there_is(tmp_path: Path) -> None:
    down = Counting("mlflow:lab")
    down.down = CollectError("MLflow does not answer. Start it.")
    reading = Reading(tmp_path / "index.sqlite", tmp_path / "said.jsonl", [Bitwise(), down])
    assert not reading.has_read("airflow")
    report = reading.visit_once()
    assert report["airflow:local"].sentence == "Read 1 things."
    assert reading.graph().count(DAG.kind) == 3
    assert (reading.has_read("airflow"), reading.has_read("mlflow")) == (True, False)
    reading.stop()
