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
from e2e_ml.lineage.collectors import Batch, CollectError
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.refresh import Refresher, Report, Visit
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


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (1000, 60)])
def test_back_off(index: Index, failures: int, seconds: float) -> None:
    assert Refresher(index, [], interval=5, most_wait=60).wait_seconds(failures) == seconds


def test_a_visit_that_never_succeeded_has_no_age() -> None:
    assert Visit("airflow:local", False, None, "").age(datetime.now(UTC)) is None
