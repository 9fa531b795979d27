"""The collector of Airflow against a small one in this process: pages, what is cut short, what is deleted meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors.airflow import MOST_DESCRIBED, AirflowCollector
from e2e_ml.lineage.collectors.visits import MOST_PAGES, TRICKLE
from e2e_ml.lineage.graph import FACTS, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage.airflow_answers import NOW, Airflow

LONG_AGO = NOW - timedelta(days=7)


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index(None)
    yield index
    index.close()


def visit(collector: AirflowCollector, index: Index) -> Graph:
    for batch in collector.collect(index.cursor(collector.name)):
        index.upsert(collector.name, batch)
    return index.graph()


def node(graph: Graph, ref: Ref) -> Node:
    found = graph.get(ref)
    assert found is not None, ref
    return found


def world(runs: int = 250, dags: int = 3, *, most: int = 100, keyset: bool = True) -> Airflow:
    airflow = Airflow(most=most, keyset=keyset)
    for number in range(dags):
        airflow.dag(f"dag_{number:04}")
    for number in range(runs):
        airflow.run(f"dag_{number % dags:04}", LONG_AGO + timedelta(seconds=number))
    return airflow


def living(graph: Graph, kind: Kind) -> set[str]:
    return {"/".join(n.ref.keys) for n in graph.nodes(kind) if n.gone_since is None}


@pytest.mark.parametrize("keyset", [True, False])  # from 3.3 on, and before
def test_a_first_visit_reads_all_of_a_small_one_today_first(index: Index, keyset: bool) -> None:
    airflow = world(keyset=keyset)
    collector = airflow.collector()
    batches = list(collector.collect({}))
    told = [record.node.ref for batch in batches for record in batch.records]
    runs = [ref.keys[1] for ref in told if ref.kind is Kind.DAG_RUN]
    assert runs[0] == "run 000249"
    assert len(set(runs)) == 250
    graph = visit(airflow.collector(), index)
    counts = Counter(n.ref.kind for n in graph.nodes())
    assert counts == {Kind.DAG: 3, Kind.DAG_RUN: 250, Kind.TASK_INSTANCE: 250, Kind.TASK: 3}
    instance = node(graph, refs.task_instance("local", "dag_0000", "run 000000", "fit"))
    assert instance.facts["user"] == "ada"
    for each in graph.nodes():
        assert set(each.facts) <= set(FACTS[each.ref.kind]), each.ref


def test_a_long_past_is_read_over_several_visits(index: Index) -> None:
    airflow = world(runs=(MOST_PAGES + 5) * 10, most=10)
    collector = airflow.collector()
    assert visit(collector, index).count(Kind.DAG_RUN) == MOST_PAGES * 10
    assert [b.progress for b in collector.collect(index.cursor(collector.name))][-1] == ""
    assert visit(collector, index).count(Kind.DAG_RUN) == (MOST_PAGES + 5) * 10


def test_it_counts_as_read_when_its_past_and_its_sources_were_read(index: Index) -> None:
    airflow = world(runs=(MOST_PAGES + 5) * 10, dags=MOST_DESCRIBED * 2 + 1, most=10)
    collector = airflow.collector()
    reads: list[bool] = []
    for _ in range(4):
        for batch in collector.collect(index.cursor(collector.name)):
            index.upsert(collector.name, batch)
            reads.append(index.visited_at(collector.name) is not None)
        if reads[-1]:
            break
    assert reads.index(True) == len(reads) - 1  # at the end of a visit
    graph = index.graph()
    assert graph.count(Kind.DAG_RUN) == (MOST_PAGES + 5) * 10
    assert all("doc_md" in each.facts for each in graph.nodes(Kind.DAG))


def test_a_visit_that_is_cut_short_goes_on_where_it_was(index: Index) -> None:
    airflow = world(runs=60, most=10)

    def killed(path: str) -> None:
        if len(airflow.asked) == limit:
            raise httpx.ConnectError("Connection refused")

    airflow.before = killed
    collector, limit, failures = airflow.collector(), 12, 0
    while True:
        try:
            graph = visit(collector, index)
            break
        except CollectError:
            failures += 1
            limit = len(airflow.asked) + 12
    assert failures
    assert graph.count(Kind.DAG_RUN) == graph.count(Kind.TASK_INSTANCE) == 60
    assert not [n for n in graph.nodes() if n.gone_since]


def requests_of_a_change(runs: int, index: Index) -> int:
    airflow = world(runs=runs)
    collector = airflow.collector()
    while visit(collector, index).count(Kind.DAG_RUN) < runs:
        pass
    airflow.now += timedelta(seconds=5)
    visit(collector, index)
    for _ in range(100):
        airflow.run("dag_0001", airflow.now)
    before = collector.requests
    graph = visit(collector, index)
    assert graph.count(Kind.DAG_RUN) == runs + 100
    return collector.requests - before


def test_requests_grow_with_the_change_and_not_with_the_whole() -> None:
    small, large = Index(None), Index(None)
    assert requests_of_a_change(500, small) == requests_of_a_change(1_500, large) <= 15
    small.close()
    large.close()


def test_a_deleted_run_is_gone_with_its_instances_at_once(index: Index) -> None:
    airflow = world()
    collector = airflow.collector()
    visit(collector, index)
    gone = airflow.runs.pop(7)
    airflow.instances = [i for i in airflow.instances if i["dag_run_id"] != gone["dag_run_id"]]
    graph = visit(collector, index)
    assert len(living(graph, Kind.DAG_RUN)) == 249
    assert len(living(graph, Kind.TASK_INSTANCE)) == 249
    assert gone["dag_run_id"] not in {name.partition("/")[2] for name in living(graph, Kind.DAG_RUN)}


def test_a_deletion_that_the_count_hides_is_found_in_time(index: Index) -> None:
    airflow = world()
    collector = airflow.collector()
    visit(collector, index)
    airflow.runs.pop(7)
    airflow.run("dag_0000", NOW)
    assert len(living(visit(collector, index), Kind.DAG_RUN)) == 251
    for _ in range(4):
        airflow.now += timedelta(seconds=TRICKLE + 1)
        visit(collector, index)
    assert len(living(index.graph(), Kind.DAG_RUN)) == 250


def test_a_deleted_dag_of_many(index: Index) -> None:
    airflow = world(runs=0, dags=250)
    collector = airflow.collector()
    assert visit(collector, index).count(Kind.DAG) == 250
    del airflow.dags["dag_0003"]
    for _ in range(3):
        visit(collector, index)
    graph = visit(collector, index)
    assert "dag_0003" not in living(graph, Kind.DAG)
    assert len(living(graph, Kind.DAG)) == 249


def test_a_list_that_shrinks_while_it_is_read_costs_nobody_else(index: Index) -> None:
    airflow = world(runs=0, dags=250)
    collector = airflow.collector()
    visit(collector, index)
    pages: list[str] = []

    def meanwhile(path: str) -> None:
        pages.append(path)
        if path == "/dags" and pages.count("/dags") == 2:
            for number in range(20):  # before what has been read: the rest moves up
                del airflow.dags[f"dag_{number:04}"]
            for number in range(20):  # and the count stays
                airflow.dag(f"zzz_{number:04}")

    airflow.before = meanwhile
    for _ in range(8):
        graph = visit(collector, index)
        assert {f"dag_{n:04}" for n in range(20, 250)} <= living(graph, Kind.DAG)
    assert len(living(index.graph(), Kind.DAG)) == 250


def test_details_and_source_are_read_once_for_a_version_and_then_in_turn(index: Index) -> None:
    airflow = world(runs=0)
    airflow.source = 'read("s3://lake/x.csv")'
    collector = airflow.collector()
    graph = visit(collector, index)
    dag = node(graph, refs.dag("local", "dag_0001"))
    assert dag.facts["doc_md"] == "Why."
    assert dag.facts["constants"]["uris"] == ["s3://lake/x.csv"]
    airflow.asked.clear()
    airflow.source = 'read("s3://lake/y.csv")'
    airflow.version("dag_0001")
    dag = node(visit(collector, index), refs.dag("local", "dag_0001"))
    assert dag.facts["constants"]["uris"] == ["s3://lake/y.csv"]
    assert [path for path in airflow.asked if "Sources" in path] == ["/dagSources/dag_0001"]
    for _ in range(3):  # the others have changed in place
        visit(collector, index)
    assert {n.facts["constants"]["uris"][0] for n in index.graph().nodes(Kind.DAG)} == {"s3://lake/y.csv"}


def test_the_tasks_of_a_dag_are_told_before_it_has_run(index: Index) -> None:
    graph = visit(world(runs=0).collector(), index)
    task = refs.task("local", "dag_0001", "fit")
    assert node(graph, task).facts["operator"] == "@task"
    assert [edge.upstream for edge in graph.upstream(task)] == [refs.dag("local", "dag_0001")]


def test_a_login_that_may_not_read_sources_asks_once(index: Index) -> None:
    airflow = world(runs=0)
    airflow.refuses = {"dagSources"}
    collector = airflow.collector()
    graph = visit(collector, index)
    visit(collector, index)
    assert airflow.asked.count("/dagSources/dag_0000") <= 2  # the second time logged in anew
    assert sum("dagSources" in path for path in airflow.asked) <= 2
    assert node(graph, refs.dag("local", "dag_0002")).facts["doc_md"] == "Why."


def test_a_failed_run_says_why_until_it_is_run_again(index: Index) -> None:
    airflow = world(runs=1)
    run_id = airflow.run("dag_0000", NOW, "failed")
    collector = airflow.collector()
    ref = refs.dag_run("local", "dag_0000", run_id)
    assert node(visit(collector, index), ref).facts["reason"] == "fit failed: no column 'temp'."
    logs = sum("logs" in path for path in airflow.asked)
    assert node(visit(collector, index), ref).facts["reason"] == "fit failed: no column 'temp'."
    assert sum("logs" in path for path in airflow.asked) == logs == 1
    airflow.runs[-1].update(state="running", updated_at=NOW.isoformat())
    assert "reason" not in node(visit(collector, index), ref).facts


def test_an_asset_tells_who_makes_and_reads_it_and_who_wrote_it_last(index: Index) -> None:
    airflow = world(runs=0)
    airflow.asset(
        "s3://lake/x", producing_tasks=[{"dag_id": "dag_0000", "task_id": "fit"}],
        consuming_tasks=[{"dag_id": "dag_0001", "task_id": "fit"}], scheduled_dags=[{"dag_id": "dag_0002"}],
    )  # fmt: skip
    airflow.asset("s3://lake/quiet")
    airflow.event(1, "dag_0000", LONG_AGO)
    collector, asset = airflow.collector(), refs.asset("local", "s3://lake/x")
    graph = visit(collector, index)
    first, second, third = (refs.dag("local", f"dag_000{n}") for n in range(3))
    assert [(e.upstream, e.relation, e.evidence) for e in graph.upstream(asset)] == [
        (first, Relation.PRODUCES, Evidence.DECLARED)
    ]
    assert {(e.downstream, e.relation) for e in graph.downstream(asset)} == {
        (second, Relation.READ_BY), (third, Relation.TRIGGERS),
    }  # fmt: skip
    assert node(graph, asset).facts["written_by"]["at"] == LONG_AGO.isoformat()
    assert (node(graph, asset).facts["made_by"], node(graph, asset).facts["awaited_by"]) == (["dag_0000"], ["dag_0002"])
    airflow.event(1, "dag_0001", NOW, run="r")  # no outlet of that task
    airflow.event(1, "dag_0002", NOW + timedelta(seconds=1))
    for _ in range(2):
        graph = visit(collector, index)
        assert node(graph, asset).facts["written_by"]["dag_id"] == "dag_0002"
        assert {e.upstream: e.evidence for e in graph.upstream(asset)} == {
            first: Evidence.DECLARED, third: Evidence.OBSERVED,
        }  # fmt: skip
    assert "written_by" not in node(graph, refs.asset("local", "s3://lake/quiet")).facts


def test_states_of_an_airflow_to_come_are_shown(index: Index) -> None:
    airflow = world(runs=0)
    run_id = airflow.run("dag_0000", NOW, "paused_for_lunch", run_type="imagined")
    assert node(visit(airflow.collector(), index), refs.dag_run("local", "dag_0000", run_id)).facts["state"] == (
        "paused_for_lunch"
    )


def test_a_second_look_reads_whole_lists(index: Index) -> None:
    airflow = world(runs=250)
    collector = airflow.collector()
    visit(collector, index)
    airflow.runs.pop(7)
    airflow.run("dag_0000", NOW)
    collector.look_again()
    assert len(living(visit(collector, index), Kind.DAG_RUN)) == 250


def test_after_a_long_time_away_todays_world_comes_first(index: Index) -> None:
    airflow = world(runs=1)
    collector = airflow.collector()
    visit(collector, index)
    airflow.now += timedelta(days=3)
    for number in range(500):
        airflow.run("dag_0000", NOW + timedelta(seconds=number))
    batches = collector.collect(index.cursor(collector.name))
    runs = [record.node.ref.keys[1] for b in batches for record in b.records if record.node.ref.kind is Kind.DAG_RUN]
    assert runs[0] == "run 000500"


def test_a_cursor_of_an_earlier_form_is_a_first_visit(index: Index) -> None:
    collector = world(runs=3).collector()
    batches = list(collector.collect({"since": 1.0, "full": 1.0, "writers": {}}))
    assert sum(record.node.ref.kind is Kind.DAG_RUN for batch in batches for record in batch.records) == 3
