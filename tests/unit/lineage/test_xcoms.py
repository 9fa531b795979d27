"""XComs of Airflow's tasks: which are asked for, what is taken from them, and what it says of runs and versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.airflow_xcoms import (
    BARREN,
    MOST_ASKED,
    MOST_BYTES,
    MOST_OF_A_RUN,
    NOW_AND_THEN,
    named,
)
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage.airflow_answers import NOW, Airflow
from tests.unit.lineage.test_airflow_collector import node, visit

RUN, OTHER = "a" * 32, "b" * 32
TRAIN = refs.dag("local", "train")


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index(None)
    yield index
    index.close()


# --- what a value names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (RUN, {"runs": [RUN]}),
        (f'"{RUN}"', {"runs": [RUN]}),  # as an older Airflow gives a text
        (f"runs:/{RUN}/model", {"runs": [RUN]}),
        (f"runs:/{RUN}", {"runs": [RUN]}),
        ("models:/delay/3", {"versions": ["delay/3"]}),
        ({"run_id": RUN, "model_uri": "models:/delay/3", "auc": 0.9}, {"runs": [RUN], "versions": ["delay/3"]}),
        ([OTHER, RUN, RUN], {"runs": [RUN, OTHER]}),
        (f'{{"run": "{RUN}"}}', {"runs": [RUN]}),
        ("models:/delay@champion", {}),  # what it is today says nothing of what it was then
        ("models:/m-0123456789abcdef", {}),
        (RUN.upper(), {}),
        (RUN + "0", {}),
        (f"s3://lake/{RUN}.parquet", {}),
        (f"the run {RUN} has ended", {}),
        ("manual__2026-11-21T00:00:00+00:00", {}),
        ({RUN: 1}, {}),
        ('{"cut', {}),
        (None, {}),
        (7, {}),
        ([[[[[[RUN]]]]]], {}),  # deeper than anybody hands on a name
    ],
)
def test_what_a_value_names(value: Any, names: dict[str, list[str]]) -> None:
    assert named(value) == names


def test_a_long_value_is_not_searched_to_its_end() -> None:
    assert len(named([f"{n:032x}" for n in range(100_000)])["runs"]) == 20
    assert named(["x"] * 100_000 + [RUN]) == {}


# --- what is asked for ------------------------------------------------------------------------------------------------


def known_of(graph: Graph, dag_id: str, run_id: str) -> Any:
    return node(graph, refs.task_instance("local", dag_id, run_id, "fit")).facts.get("xcoms")


def world(runs: int = 1) -> tuple[Airflow, list[str]]:
    airflow = Airflow()
    airflow.dag("train")
    return airflow, [airflow.run("train", NOW) for _ in range(runs)]


def asked(airflow: Airflow) -> int:
    return sum("xcomEntries" in path for path in airflow.asked)


def test_the_names_are_kept_and_nothing_else_of_an_xcom(index: Index) -> None:
    airflow, (run_id,) = world()
    airflow.xcom("train", run_id, {"run_id": RUN, "password": "hunter2", "rows": 3})
    airflow.xcom("train", run_id, "models:/delay/3", key="model/uri")
    airflow.xcom("train", run_id, OTHER, key="frame_digest")  # no key that names a run or a model
    airflow.xcom("train", run_id, OTHER, key="_link_ModelLink")
    collector = airflow.collector()
    graph = visit(collector, index)
    assert known_of(graph, "train", run_id) == {"runs": [RUN], "versions": ["delay/3"]}
    assert "hunter2" not in repr(index.cursor(collector.name))
    assert asked(airflow) == 3
    for _ in range(2):  # they stay, and are not asked for again
        assert known_of(visit(collector, index), "train", run_id) == {"runs": [RUN], "versions": ["delay/3"]}
    assert asked(airflow) == 3


def test_a_table_is_not_read_and_the_next_one_is(index: Index) -> None:
    airflow, (run_id,) = world()
    airflow.xcom("train", run_id, [RUN, "x" * MOST_BYTES])
    airflow.xcom("train", run_id, OTHER, key="run_id")
    assert known_of(visit(airflow.collector(), index), "train", run_id) == {"runs": [OTHER]}


def test_only_tasks_that_succeeded_are_asked_about_and_one_that_runs_again_is_asked_anew(index: Index) -> None:
    airflow, (run_id,) = world()
    instance = airflow.instances[0]
    instance.update(state="running", end_date=None)
    airflow.xcom("train", run_id, RUN)
    collector = airflow.collector()
    assert known_of(visit(collector, index), "train", run_id) is None
    assert asked(airflow) == 0
    instance.update(state="success", end_date=NOW.isoformat())
    assert known_of(visit(collector, index), "train", run_id) == {"runs": [RUN]}
    instance.update(state="running", end_date=None)  # cleared: its XComs are gone
    assert known_of(visit(collector, index), "train", run_id) is None
    airflow.xcoms[0]["value"] = OTHER
    instance.update(state="success", end_date=(NOW + timedelta(seconds=9)).isoformat())
    assert known_of(visit(collector, index), "train", run_id) == {"runs": [OTHER]}


def test_a_visit_asks_for_some_and_later_ones_for_the_rest(index: Index) -> None:
    airflow, runs = world(runs=MOST_ASKED)
    for number, run_id in enumerate(runs):
        airflow.xcom("train", run_id, f"{number:032x}")
    collector = airflow.collector()
    visit(collector, index)
    assert asked(airflow) <= MOST_ASKED + MOST_OF_A_RUN
    collector = airflow.collector()  # what waits outlives the program
    visit(collector, index)
    graph = visit(collector, index)
    assert all(known_of(graph, "train", run_id) for run_id in runs)


def test_a_task_that_never_names_anything_is_asked_now_and_then(index: Index) -> None:
    airflow, runs = world(runs=80)
    for run_id in runs:
        airflow.xcom("train", run_id, 7)
    collector = airflow.collector()
    for _ in range(3):
        visit(collector, index)
    assert asked(airflow) <= 2 * (BARREN + 80 // NOW_AND_THEN + 1)
    late = [airflow.run("train", NOW) for _ in range(NOW_AND_THEN)]
    for run_id in late:
        airflow.xcom("train", run_id, RUN)
    graph = visit(collector, index)
    assert any(known_of(graph, "train", run_id) for run_id in late)  # by then it does


def test_where_xcoms_may_not_be_read_the_rest_is_read_and_nobody_asks_again(index: Index) -> None:
    airflow, _ = world()
    airflow.refuses = {"xcomEntries"}
    collector = airflow.collector()
    assert visit(collector, index).count(Kind.TASK_INSTANCE) == 1
    before = asked(airflow)
    airflow.run("train", NOW)
    assert visit(collector, index).count(Kind.TASK_INSTANCE) == 2
    assert asked(airflow) == before


@pytest.mark.parametrize("broken", [{"xcom_entries": [{}]}, {}, {"xcom_entries": None}])
def test_an_answer_of_another_form_costs_no_visit(index: Index, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow, _ = world()
    at = airflow._at  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(airflow, "_at", lambda path, query: broken if "xcomEntries" in path else at(path, query))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert visit(airflow.collector(), index).count(Kind.TASK_INSTANCE) == 1


def test_requests_for_xcoms_grow_with_the_change(index: Index) -> None:
    def of_a_change(runs: int) -> int:
        airflow, _ = world(runs)
        collector, index = airflow.collector(), Index(None)
        while len(index.cursor(collector.name).get("xcoms", [0])):
            visit(collector, index)
        _quiet(collector, index, airflow)
        airflow.xcom("train", airflow.run("train", airflow.now), RUN)
        before = asked(airflow)
        visit(collector, index)
        return asked(airflow) - before

    assert of_a_change(1) == 2
    assert of_a_change(400) <= 2


def _quiet(collector: AirflowCollector, index: Index, airflow: Airflow) -> None:
    before = asked(airflow)
    visit(collector, index)
    assert asked(airflow) == before


# --- what follows -----------------------------------------------------------------------------------------------------


def at(minute: float) -> str:
    return (datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(minutes=minute)).isoformat()


def worked(dag: str, task: str, start: float, end: float | None, **names: list[str]) -> Node:
    facts: dict[str, Any] = {"state": "success", "start": at(start), "xcoms": names}
    ref = refs.task_instance("local", dag, "r1", task)
    return Node(ref, {**facts, **({"end": at(end)} if end is not None else {})})


def links(index: Index, thing: Ref) -> set[tuple[str, Relation, Ref, Evidence]]:
    graph = index.graph()
    return {
        ("/".join(e.upstream.keys), e.relation, e.downstream, e.evidence)
        for ref in (thing, refs.registered_model("lab", "delay"))
        for e in graph.upstream(ref)
        if e.upstream.scheme == "airflow"
    }


def told(index: Index, *nodes: Node) -> None:
    index.upsert("mlflow:lab", Batch(tuple(Record(n) for n in nodes if n.ref.scheme == "mlflow")))
    index.upsert("airflow:local", Batch(tuple(Record(n) for n in nodes if n.ref.scheme != "mlflow")))


def run_at(start: float, end: float, **tags: str) -> Node:
    named = {k.replace("__", "."): v for k, v in tags.items()}
    return Node(refs.run("lab", RUN), {"start": at(start), "end": at(end), "tags": named})


TRAINED = {
    ("train/r1/fit/-1", Relation.STARTED, refs.run("lab", RUN), Evidence.OBSERVED),
    ("train", Relation.STARTED, refs.run("lab", RUN), Evidence.OBSERVED),
}


@pytest.mark.parametrize(
    "others",
    [
        [],
        [worked("train", "evaluate", 10, 12, runs=[RUN])],  # goes on with what it was given
        [worked("train", "check", 10.02, 12, runs=[RUN])],  # and at once
        [worked("nightly", "wait_for_training", 0, 30, runs=[RUN])],  # waits for another DAG, and hands its run on
        [worked("score", "predict", 60, 62, runs=[RUN])],
        [worked("other", "fit", 1, 9, runs=[OTHER])],
        [worked("other", "fit", 1, 20)],  # worked at the same time and names nothing
    ],
    ids=lambda others: others[0].ref.keys[2] if others else "alone",
)
def test_the_task_that_worked_when_the_run_began_started_it(index: Index, others: list[Node]) -> None:
    told(index, run_at(9.97, 9.99), worked("train", "fit", 0.9, 10, runs=[RUN]), *others)
    assert links(index, refs.run("lab", RUN)) == TRAINED
    (edge,) = (e for e in index.graph().upstream(refs.run("lab", RUN)) if e.upstream == TRAIN)
    assert edge.reason == "an XCom of the task fit names the run, which began while it worked"


def test_a_run_of_another_time_was_started_by_nobody_who_names_it(index: Index) -> None:
    told(index, run_at(1, 2), worked("score", "predict", 60, 62, runs=[RUN]))
    assert links(index, refs.run("lab", RUN)) == set()


def test_clocks_that_differ_by_seconds_are_borne(index: Index) -> None:
    told(index, run_at(0.95, 9), worked("train", "fit", 1, 9, runs=[RUN]))
    assert links(index, refs.run("lab", RUN)) == TRAINED


def test_a_run_that_names_its_task_needs_no_xcom(index: Index) -> None:
    told(index, run_at(2, 3, airflow__dag_id="real"), worked("train", "fit", 1, 9, runs=[RUN]))
    assert {up for up, *_ in links(index, refs.run("lab", RUN))} == {"real"}


def test_a_version_that_was_made_while_the_task_worked_is_its_own(index: Index) -> None:
    version, model = refs.model_version("lab", "delay", 3), refs.registered_model("lab", "delay")
    told(
        index,
        Node(model),
        Node(version, {"version": "3", "created": at(5)}),
        worked("train", "register", 4, 6, versions=["delay/3"]),
        worked("deploy", "roll_out", 20, 25, versions=["delay/3"]),  # had it from the registry
        worked("other", "register", 4, 6, versions=["price/3"]),
    )
    assert links(index, version) == {
        ("train/r1/register/-1", Relation.PRODUCES, version, Evidence.OBSERVED),
        ("train", Relation.PRODUCES, model, Evidence.OBSERVED),
    }


def test_what_is_handed_on_no_longer_links_no_longer(index: Index) -> None:
    told(index, run_at(2, 3), worked("train", "fit", 1, 9, runs=[RUN]))
    told(index, run_at(2, 3), worked("train", "fit", 1, 9))
    found: list[Edge] = index.graph().upstream(refs.run("lab", RUN))
    assert Evidence.OBSERVED not in {edge.evidence for edge in found}
