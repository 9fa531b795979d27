"""What the index takes in, visit by visit: sweeps over several batches, records read again, things told of by two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind, Ref

T0 = datetime(2026, 11, 21, tzinfo=UTC)
A, B, C = (refs.dag("local", name) for name in "abc")
RUN = refs.run("lab", "r")
DATA = refs.dataset("s3://lake", "weather")
DAGS = frozenset({Kind.DAG})


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite")
    yield index
    index.close()


def told(*dags: Ref, sweep: int | None = None, complete: Iterable[Kind] = (), gone: tuple[Ref, ...] = ()) -> Batch:
    return Batch(tuple(Record(Node(dag)) for dag in dags), {}, frozenset(complete), sweep, gone)


def shown(graph: Graph) -> set[Ref]:
    return set(graph.refs())


def facts(index: Index, ref: Ref) -> Mapping[str, Any]:
    node = index.graph().get(ref)
    assert node is not None
    return node.facts


def gone_since(index: Index, ref: Ref) -> datetime | None:
    node = index.graph().get(ref)
    assert node is not None
    return node.gone_since


# --- sweeps ---


def test_a_sweep_over_several_batches_misses_nothing_that_one_of_them_named(index: Index) -> None:
    index.upsert("airflow", told(A, B, C, sweep=1, complete=DAGS))
    index.upsert("airflow", told(A, sweep=2))
    assert shown(index.graph()) == {A, B, C}  # it is not over yet
    index.upsert("airflow", told(B, sweep=2))
    assert index.upsert("airflow", told(sweep=2, complete=DAGS))
    assert shown(index.graph()) == {A, B}


def test_a_sweep_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    first = Index(path)
    first.upsert("airflow", told(A, B, C, sweep=1, complete=DAGS))
    first.upsert("airflow", told(A, sweep=2))
    first.close()
    second = Index(path)
    second.upsert("airflow", told(B, sweep=2, complete=DAGS))
    assert shown(second.graph()) == {A, B}
    second.close()


def test_a_sweep_that_is_begun_anew_finds_what_the_one_cut_short_had_named(index: Index) -> None:
    index.upsert("airflow", told(A, B, sweep=1, complete=DAGS))
    index.upsert("airflow", told(B, sweep=2))  # never ends; then B is deleted
    index.upsert("airflow", told(A, sweep=3, complete=DAGS))
    assert shown(index.graph()) == {A}


def test_what_is_told_between_the_batches_of_a_sweep_is_not_missed_by_it(index: Index) -> None:
    index.upsert("airflow", told(A, sweep=100))
    index.upsert("airflow", told(C))  # news, beside the sweep
    index.upsert("airflow", told(B, sweep=100, complete=DAGS))
    assert shown(index.graph()) == {A, B, C}


def test_a_sweep_ends_for_the_kinds_that_it_names_alone(index: Index) -> None:
    asset = refs.asset("local", "s3://lake/weather")
    index.upsert("airflow", told(A, asset, sweep=1, complete={Kind.DAG, Kind.ASSET}))
    index.upsert("airflow", told(sweep=2, complete=DAGS))
    assert shown(index.graph()) == {asset}
    index.upsert("airflow", told(sweep=2, complete={Kind.ASSET}))
    assert shown(index.graph()) == set()


def test_a_sweep_of_one_collector_leaves_what_others_told(index: Index) -> None:
    index.upsert("airflow:local", told(A))
    index.upsert("airflow:other", told(B))
    index.upsert("airflow:local", told(complete=DAGS))
    assert shown(index.graph()) == {B}


def test_what_a_service_says_it_deleted_goes_at_once_and_comes_back(index: Index) -> None:
    index.upsert("airflow", told(A, B))
    assert index.upsert("airflow", told(gone=(A, C)), T0)  # of C nothing was ever told
    assert shown(index.graph()) == {B}
    assert not index.upsert("airflow", told(gone=(A,)), T0)
    assert index.upsert("airflow", told(A))
    assert shown(index.graph()) == {A, B}


def test_gone_is_since_when_it_was_noticed_first(index: Index) -> None:
    index.upsert("airflow", told(A))
    index.upsert("mlflow", Batch((Record(Node(RUN), (Edge(A, RUN, Relation.STARTED, Evidence.DECLARED),)),)))
    index.upsert("airflow", told(complete=DAGS), T0)
    index.upsert("airflow", told(complete=DAGS), T0 + timedelta(hours=1))
    assert gone_since(index, A) == T0


# --- records ---


def test_a_record_read_again_replaces_facts_and_edges_of_that_collector(index: Index) -> None:
    old, new = (Edge(dag, RUN, Relation.STARTED, Evidence.DECLARED) for dag in (A, B))
    index.upsert("mlflow", Batch((Record(Node(RUN, {"name": "one", "user": "ada"}), (old,)),)))
    index.upsert("other", Batch((Record(Node(RUN), (Edge(C, RUN, Relation.STARTED, Evidence.DECLARED),)),)))
    index.upsert("mlflow", Batch((Record(Node(RUN, {"name": "two"}), (new,)),)))
    assert {edge.upstream for edge in index.graph().upstream(RUN)} == {B, C}
    assert facts(index, RUN) == {"name": "two"}


def test_a_partial_record_adds(index: Index) -> None:
    old, new = (Edge(dag, RUN, Relation.STARTED, Evidence.DECLARED) for dag in (A, B))
    index.upsert("mlflow", Batch((Record(Node(RUN, {"name": "one", "user": "ada"}), (old,)),)))
    index.upsert("mlflow", Batch((Record(Node(RUN, {"name": "two"}), (new,), partial=True),)))
    assert {edge.upstream for edge in index.graph().upstream(RUN)} == {A, B}
    assert facts(index, RUN) == {"name": "two", "user": "ada"}


def test_a_partial_record_of_something_new_is_all_that_is_known(index: Index) -> None:
    index.upsert("mlflow", Batch((Record(Node(RUN, {"name": "one"}), partial=True),)))
    assert facts(index, RUN) == {"name": "one"}


def test_facts_that_were_not_asked_for_are_kept(index: Index) -> None:
    index.upsert("airflow", Batch((Record(Node(A, {"paused": True, "doc_md": "Why.", "file": "a.py"})),)))
    record = Record(Node(A, {"paused": False}), keeps=frozenset({"doc_md", "constants"}))
    index.upsert("airflow", Batch((record,)))
    assert facts(index, A) == {"paused": False, "doc_md": "Why."}
    index.upsert("airflow", Batch((Record(Node(A, {"doc_md": "New."}), keeps=frozenset({"doc_md"})),)))
    assert facts(index, A) == {"doc_md": "New."}  # what is told goes before what is kept


def test_of_a_thing_told_of_twice_in_one_batch_the_last_word_counts(index: Index) -> None:
    index.upsert("airflow", Batch((Record(Node(A, {"paused": True})), Record(Node(A, {"paused": False})))))
    assert facts(index, A) == {"paused": False}


def test_an_edge_said_in_the_same_words_keeps_the_time_when_it_was_seen_first(index: Index) -> None:
    def said(reason: str, at: datetime) -> datetime | None:
        edge = Edge(A, RUN, Relation.STARTED, Evidence.DECLARED, reason)
        index.upsert("mlflow", Batch((Record(Node(RUN, {"at": str(at)}), (edge,)),)), at)
        return index.graph().upstream(RUN)[0].seen_at

    later = T0 + timedelta(hours=1)
    assert [said("tag", T0), said("tag", later), said("script", later)] == [T0, T0, later]


@pytest.mark.parametrize("at", [datetime(1812, 6, 24, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)])
def test_odd_times_cost_no_visit(index: Index, at: datetime) -> None:
    edge = Edge(A, RUN, Relation.STARTED, Evidence.OBSERVED, seen_at=at)
    assert index.upsert("mlflow", Batch((Record(Node(RUN, {"start": at.isoformat(), "created": 7}), (edge,)),)))
    assert [edge.upstream for edge in index.graph().upstream(RUN)] == [A]


# --- two that tell of one thing ---


def test_facts_of_two_collectors_lie_over_one_another(index: Index) -> None:
    index.upsert("openlineage", Batch((Record(Node(DATA, {"uri": "s3://lake/weather", "owner": "ada"})),)))
    index.upsert("spark", Batch((Record(Node(DATA, {"owner": "bob", "description": "Hourly."})),)))
    index.upsert("openlineage", Batch((Record(Node(DATA, {"uri": "s3://lake/weather", "owner": "eve"})),)))
    # the one that was read first lies lowest, whenever it is read again
    assert facts(index, DATA) == {"uri": "s3://lake/weather", "owner": "bob", "description": "Hourly."}


def test_a_thing_is_gone_when_all_that_told_of_it_say_so(index: Index) -> None:
    for collector in ("one", "two"):
        index.upsert(collector, Batch((Record(Node(DATA)),)))
    assert not index.upsert("one", Batch(gone=(DATA,)))
    assert shown(index.graph()) == {DATA}
    assert index.upsert("two", Batch(gone=(DATA,)))
    assert shown(index.graph()) == set()


def test_what_one_told_again_in_the_same_words_the_other_cannot_take_away(index: Index) -> None:
    for collector in ("one", "two"):
        index.upsert(collector, Batch((Record(Node(DATA)),)))
    index.upsert("one", Batch(gone=(DATA,)))
    index.upsert("one", Batch((Record(Node(DATA)),)))
    index.upsert("two", Batch(gone=(DATA,)))
    assert shown(index.graph()) == {DATA}


def test_what_only_an_edge_named_is_no_longer_there_without_it_and_holds_nothing(index: Index) -> None:
    run = refs.dag_run("local", "a", "r1")
    instance = refs.task_instance("local", "a", "r1", "fit")
    edge = Edge(instance, RUN, Relation.STARTED, Evidence.DECLARED)
    index.upsert("airflow", told(A, run))
    index.upsert("mlflow", Batch((Record(Node(RUN), (edge,)),)))
    index.upsert("airflow", told(gone=(A, run)))
    assert shown(index.graph()) == {A, run, instance, RUN}
    index.upsert("mlflow", Batch((Record(Node(RUN)),)))
    assert shown(index.graph()) == {RUN}


def test_a_gone_dag_stays_for_a_run_of_it_that_nobody_tells_of_but_what_lies_in_it(index: Index) -> None:
    instance = refs.task_instance("local", "a", "r1", "fit")
    index.upsert("airflow", told(A, instance))
    index.upsert("airflow", told(gone=(A,)))
    assert shown(index.graph()) == {A, instance}


# --- what readers see meanwhile ---


def test_a_new_instance_alone_changes_the_graph_where_a_link_hangs_on_it(index: Index) -> None:
    tags = {"airflow.dag_id": "a", "airflow.dag_run_id": "r1", "airflow.task_id": "fit"}
    index.upsert("mlflow:lab", Batch((Record(Node(RUN, {"tags": tags})),)))
    assert index.graph().edge_count == 0
    assert index.upsert("airflow:local", Batch())
    assert {edge.upstream for edge in index.graph().upstream(RUN)} >= {A}  # the one Airflow that there is


class Meanwhile(Mapping[str, Any]):
    """Facts that call somebody when they are taken in, in the middle of the transaction."""

    def __init__(self, facts: Mapping[str, Any], call: Any) -> None:
        self._facts, self._call = facts, call

    def __iter__(self) -> Iterator[str]:
        self._call()
        return iter(self._facts)

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __len__(self) -> int:
        return len(self._facts)


def test_a_reader_in_the_middle_of_a_write_keeps_nothing_old(index: Index) -> None:
    one, two, three = (refs.run("lab", name) for name in ("one", "two", "three"))
    at = {one: "2026-11-21T01:00:00Z", two: "2026-11-21T02:00:00Z", three: "2026-11-21T03:00:00Z"}
    index.upsert("mlflow", Batch(tuple(Record(Node(r, {"start": at[r], "name": "old"})) for r in (one, two))))
    graph = index.graph()
    seen: list[Any] = []

    def look() -> None:
        node = graph.get(one)
        seen.append((node.facts["name"] if node else None, graph.newest(Kind.RUN, 5)))

    again = {"start": "2026-11-21T12:00:00Z", "name": "new"}
    also = {"start": "2026-11-21T09:00:00Z"}
    batch = (
        Record(Node(one, again)),
        Record(Node(three, {"start": at[three]})),
        Record(Node(two, Meanwhile(also, look))),
    )
    index.upsert("mlflow", Batch(batch))
    assert seen == [("old", [two, one])]
    assert facts(index, one)["name"] == "new"
    assert index.graph().newest(Kind.RUN, 5) == [one, two, three]
