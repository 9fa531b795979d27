"""Runs inside the time of task instances."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Node, Relation
from e2e_ml.lineage.index.drawing import LIKELY
from e2e_ml.refs import Kind
from tests.unit.lineage.looks import Known

FIT = refs.task_instance("local", "nightly", "r1", "step")
OTHER = refs.task_instance("local", "other", "r1", "step")
DAG = refs.dag("local", "nightly")


def at(clock: str) -> str:
    return f"2026-11-21T{clock}:00+00:00"


def task(ref: Any = FIT, start: str = "09:00", end: str | None = "10:00", user: str | None = "airflow") -> Node:
    told = {"start": at(start), "end": end and at(end), "user": user}
    return Node(ref, {name: value for name, value in told.items() if value})


def run(start: str = "09:05", end: str | None = "09:50", user: str | None = "airflow", **facts: Any) -> Node:
    told = {"start": at(start), "end": end and at(end), "user": user}
    return Node(refs.run("lab", "r"), {**{name: value for name, value in told.items() if value}, **facts})


def named(ref: Any = DAG, *experiments: str, **more: Any) -> Node:
    return Node(ref, {"constants": {"experiments": list(experiments)}, **more})


def started(run: Node, *others: Node) -> dict[Kind, Edge]:
    """The best edge from a task instance and from a DAG."""
    edges = [e for e in Known([run, *others]).edges(run) if e.relation is Relation.STARTED]
    return {e.upstream.kind: e for e in sorted(edges, key=lambda e: e.score)}


def score(run: Node, *others: Node) -> float:
    return max((edge.score for edge in started(run, *others).values()), default=0.0)


def test_the_one_task_of_the_same_user() -> None:
    found = started(run(), task(), task(OTHER, "10:30", "11:00"))
    assert {kind: edge.upstream for kind, edge in found.items()} == {Kind.TASK_INSTANCE: FIT, Kind.DAG: DAG}
    assert all(edge.score >= LIKELY for edge in found.values())
    assert found[Kind.DAG].reason == "the run lies in the time of the task instance: of the same user airflow"


@pytest.mark.parametrize(
    ("run", "tasks"),
    [
        (run(start="08:50"), [task()]),  # began before it
        (run(end="10:20"), [task()]),  # ended after it
        (run(user="ada"), [task()]),
        (run(tags={"airflow.dag_id": "nightly"}), []),
        (run(tags={"mlflow.source.name": "/x/ipykernel_launcher.py"}), [task()]),
        (run(tags={"mlflow.source.type": "NOTEBOOK"}), [task()]),
        (Node(refs.run("lab", "r")), [task()]),
    ],
)
def test_what_no_task_explains(run: Node, tasks: list[Node]) -> None:
    assert started(run, *tasks) == {}


@pytest.mark.parametrize(
    ("run", "others", "likely"),
    [
        (run(user=None), [task()], False),
        (run(user=None, experiment="heat"), [task(), named(DAG, "heat")], True),
        (run(experiment="heat"), [task(), named(DAG, "cold")], False),
        (run(), [task(), Node(DAG, {"tags": ["ml:train"]})], True),
        (run(end=None), [task()], False),  # whether it ended inside is not known
        (run(end=None), [task(end=None)], True),  # both are at work
        (run(), [task(), Node(refs.task("local", "nightly", "step"), {"operator": "S3KeySensor"})], False),
        (run(), [task(), task(OTHER, "08:00", "12:00")], False),  # either of the two
        (run(experiment="heat"), [task(), task(OTHER, "08:00", "12:00"), named(DAG, "heat")], True),
        (run(), [task(), task(OTHER, "00:00", "20:00")], True),  # the run fills the one, and is lost in the other
        (run(), [task(), task(OTHER, "08:00", "12:00", "ada")], True),
        (run(user="root", experiment="heat"), [task(), named(DAG, "heat")], False),
        (
            run(user="root", experiment="heat"),
            [
                task(),
                named(DAG, "heat"),
                Node(refs.task("local", "nightly", "step"), {"operator": "KubernetesPodOperator"}),
            ],
            True,
        ),
        (
            run(tags={"mlflow.source.name": "tries/train.py"}),
            [task(), Node(refs.task("local", "nightly", "step"), {"operator": "PythonOperator"})],
            False,
        ),
    ],
)
def test_how_sure_it_is(run: Node, others: list[Node], likely: bool) -> None:
    found = score(run, *others)
    assert found > 0
    assert (found >= LIKELY) == likely


def test_evidence_adds_up() -> None:
    plain = score(run(experiment="heat"), task())
    with_name = score(run(experiment="heat"), task(), named(DAG, "heat"))
    with_program = score(run(experiment="heat", tags={"mlflow.source.name": "/usr/bin/airflow"}), task())
    assert LIKELY <= plain < min(with_name, with_program)


def test_a_model_that_the_source_names_speaks_for_the_dag() -> None:
    version = Node(refs.model_version("lab", "heat", 1), {"run_id": "r"})
    dag = Node(DAG, {"constants": {"models": ["heat"]}})
    found = started(run(), task(), task(OTHER, "08:00", "12:00"), dag, version)
    assert found[Kind.TASK_INSTANCE].upstream == FIT
    assert "names the model heat" in found[Kind.TASK_INSTANCE].reason


def test_a_backfill_tells_the_dag_and_not_the_day() -> None:
    days = [task(refs.task_instance("local", "nightly", f"r{n}", "step")) for n in range(4)]
    found = started(run(), *days)
    assert found[Kind.DAG].score >= LIKELY
    assert found[Kind.TASK_INSTANCE].score < 0.25


@pytest.mark.parametrize("end", ["09:04", "09:50", "21:00"])
def test_a_task_of_any_length_is_found_at_any_time_within_it(end: str) -> None:
    minutes = range(60 * 9, 60 * int(end[:2]) + int(end[3:]))
    for minute in (minutes[0], minutes[len(minutes) // 2], minutes[-1]):
        clock = f"{minute // 60:02}:{minute % 60:02}"
        assert score(run(clock, clock), task(end=end)) > 0


def test_among_many_tasks_few_are_looked_at_and_fewer_told() -> None:
    crowd = [task(refs.task_instance("local", f"d{n}", "r1", "step")) for n in range(300)]
    look = Known([run(), *crowd])
    edges = look.edges(run())
    assert 0 < len(edges) <= 5
    assert all(edge.score < 0.05 for edge in edges)
    assert len(set(look.looked)) < 120


def test_a_task_of_weeks_answers_to_few_keys_and_a_run_looks_at_few() -> None:
    long = Node(FIT, {"start": "2026-01-01T00:00:00+00:00", "end": "2026-11-21T00:00:00+00:00"})
    look = Known([long, run()])
    assert len([key for key in look.answered() if key.startswith("busy ")]) == 31  # a month of days
    look.edges(run())
    assert len({key for key in look.looked if key.startswith("busy ")}) == 3
