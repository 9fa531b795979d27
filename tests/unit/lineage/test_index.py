"""The index: what stays, what goes, what survives a restart, and what a broken file costs."""

from __future__ import annotations

import logging
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import FACTS, Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.file import VERSION
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage import lifecycle as life
from tests.unit.lineage.batches import batch

T0 = datetime(2026, 11, 21, tzinfo=UTC)
A, B = refs.dag("local", "a"), refs.dag("local", "b")
RUN = refs.run("lab", "r")
KINDS = frozenset({Kind.DAG})


def index_at(path: Path) -> Index:
    return Index(path / "lineage" / "index.sqlite")


def shown(graph: Graph) -> set[Ref]:
    return {node.ref for node in graph.nodes()}


def whole_batch() -> Batch:
    return batch(tuple(life.nodes().values()), tuple(life.edges()), Kind, {"since": 1.5})


def test_a_service_counts_as_read_once_a_visit_has_ended_with_nothing_left_to_read(tmp_path: Path) -> None:
    index, later = index_at(tmp_path), T0 + timedelta(minutes=5)

    def read(*, ends: bool, progress: str = "", at: datetime = T0) -> datetime | None:
        index.upsert("airflow", Batch((Record(Node(A)),), progress=progress, ends=ends), at)
        return index.visited_at("airflow")

    assert read(ends=False) is None  # a page of many
    assert read(ends=True, progress="Reading DAG runs: 12,000 so far.") is None  # a visit of several
    assert index.visits() == {"airflow": None}
    assert read(ends=True) == T0
    assert read(ends=False, at=later) == T0  # a visit that may yet fail
    assert read(ends=True, progress="Reading DAG runs: 12,000 so far.", at=later) == later
    index.close()


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    first = index_at(tmp_path)
    assert first.upsert("all", whole_batch(), T0)
    before = first.graph()
    first.close()
    second = index_at(tmp_path)
    after = second.graph()
    assert {n.ref: n for n in after.nodes()} == {n.ref: n for n in before.nodes()}
    assert after.edge_count == before.edge_count
    assert second.cursor("all") == {"since": 1.5}
    assert second.visited_at("all") == T0
    second.close()


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    index.upsert("all", whole_batch(), T0)
    graph = index.graph()
    assert not index.upsert("all", whole_batch(), T0)
    assert index.graph() is graph
    index.close()


def test_what_is_gone_leaves_unless_something_stands_on_it(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    stands = Edge(A, RUN, Relation.STARTED, Evidence.DECLARED)
    index.upsert("airflow", batch((Node(A), Node(B)), (), KINDS), T0)
    index.upsert("mlflow", batch((Node(RUN),), (stands,), frozenset({Kind.RUN})), T0)
    assert index.upsert("airflow", batch((), (), KINDS), T0)
    assert shown(index.graph()) == {A, RUN}
    gone = index.graph().get(A)
    assert gone is not None
    assert gone.gone_since == T0
    # and it comes back
    index.upsert("airflow", batch((Node(A),), (), KINDS), T0)
    back = index.graph().get(A)
    assert back is not None
    assert back.gone_since is None
    index.close()


def test_a_chain_of_gone_things_stays_while_its_end_lives(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    instance = refs.task_instance("local", "a", "r1", "t")
    nodes = tuple(Node(r) for r in (A, refs.dag_run("local", "a", "r1"), instance))
    kinds = frozenset({Kind.DAG, Kind.DAG_RUN, Kind.TASK_INSTANCE})
    index.upsert("airflow", batch(nodes, (), kinds), T0)
    index.upsert("mlflow", batch((Node(RUN),), (Edge(instance, RUN, Relation.STARTED, Evidence.DECLARED),)), T0)
    index.upsert("airflow", batch((), (), kinds), T0)
    assert shown(index.graph()) == {RUN, *(n.ref for n in nodes)}
    index.close()


def test_one_collector_does_not_miss_what_another_brought(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    other = refs.dag("second", "a")
    index.upsert("airflow:local", batch((Node(A),), (), KINDS), T0)
    index.upsert("airflow:second", batch((Node(other),), (), KINDS), T0)
    assert shown(index.graph()) == {A, other}
    index.close()


def test_increments_add_and_lay_facts_over_earlier_ones(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    index.upsert("mlflow", batch((Node(RUN, {"name": "trees", "status": "RUNNING"}),)), T0)
    index.upsert("mlflow", batch((Node(RUN, {"status": "FINISHED"}), Node(refs.run("lab", "s"))), partial=True), T0)
    node = index.graph().get(RUN)
    assert node is not None
    assert node.facts == {"name": "trees", "status": "FINISHED"}
    assert len(index.graph()) == 2
    index.close()


def test_facts_of_a_complete_kind_are_replaced(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    index.upsert("airflow", batch((Node(A, {"paused": True, "description": "old"}),), (), KINDS), T0)
    index.upsert("airflow", batch((Node(A, {"paused": False}),), (), KINDS), T0)
    node = index.graph().get(A)
    assert node is not None
    assert node.facts == {"paused": False}
    index.close()


def test_an_edge_that_is_no_longer_told_goes(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    edge = Edge(A, B, Relation.TRIGGERS, Evidence.DECLARED)
    index.upsert("airflow", batch((Node(A), Node(B)), (edge,), KINDS), T0)
    assert index.graph().edge_count == 1
    assert index.upsert("airflow", batch((Node(A), Node(B)), (), KINDS), T0)
    assert index.graph().edge_count == 0
    index.close()


def test_an_end_that_nobody_brought_is_drawn_without_facts(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    index.upsert("mlflow", batch((Node(RUN),), (Edge(A, RUN, Relation.STARTED, Evidence.DECLARED),)), T0)
    node = index.graph().get(A)
    assert node is not None
    assert dict(node.facts) == {}
    index.close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    index_at(tmp_path).close()
    file = tmp_path / "lineage" / "index.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("harm", ["text", "version", "cut"])
def test_a_file_that_cannot_be_used_is_built_anew_and_the_log_says_so(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = index_at(tmp_path)
    first.upsert("all", whole_batch(), T0)
    first.close()
    file = tmp_path / "lineage" / "index.sqlite"
    match harm:
        case "text":
            file.write_text("not a database, long enough to be read as a header that is wrong " * 20)
        case "version":
            with sqlite3.connect(file) as db:
                db.execute(f"PRAGMA user_version = {VERSION + 1}")
            db.close()
        case _:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        second = index_at(tmp_path)
    assert "built anew" in caplog.text
    assert len(second.graph()) == 0
    assert second.cursor("all") == {}
    assert second.upsert("all", whole_batch(), T0)
    second.close()


def test_a_dag_tells_of_its_runs_and_a_version_of_its_aliases() -> None:
    graph = life.graph()
    dag, version, view = (graph.get(r) for r in (life.WEATHER, life.V1, life.VIEW))
    assert dag is not None
    assert version is not None
    assert view is not None
    assert dag.facts["last_state"] == "success"
    assert dag.facts["last_duration"] == 60.0
    assert [r["run_id"] for r in dag.facts["recent"]] == ["scheduled__1"]
    assert version.facts["aliases"] == ["champion"]
    assert version.facts["metrics"] == {"auc": 0.74}
    assert view.facts["written_until"] == "2026-11-21T13:00:00+00:00"


def test_the_facts_of_a_lifecycle_are_those_that_panels_are_promised() -> None:
    for node in life.graph().nodes():
        assert set(node.facts) <= set(FACTS[node.ref.kind]), node.ref


def test_a_dag_says_why_its_last_run_failed_until_one_succeeds(tmp_path: Path) -> None:
    index = index_at(tmp_path)
    run = refs.dag_run("local", "a", "scheduled__1")
    failed = {"state": "failed", "start": "2026-11-21T00:00:00Z", "reason": "extract failed: no column 'temp'."}
    index.upsert("airflow", batch((Node(A), Node(run, failed))), T0)
    node = index.graph().get(A)
    assert node is not None
    assert node.facts["last_reason"] == "extract failed: no column 'temp'."
    # The same run, cleared and run again: what is merged still knows the old reason.
    index.upsert("airflow", batch((Node(run, {"state": "success"}),), partial=True), T0)
    node = index.graph().get(A)
    assert node is not None
    assert "last_reason" not in node.facts
    index.close()
