"""What a task handed on: it started the MLflow run, or made the model version, that its XCom names.

A task that hands on what another has given it names the same run. So the task must have been at work when the run
began; of several that were, the one that had begun last: who waits for another's work begins before it, and who goes on
with it begins after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.facts import moment, pairs
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.refs import Ref


def task_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """The task instance that handed on a run's id, and its DAG."""
    if (task := starter(run, look)) is not None:
        for up in (task, _dag(task)):
            reason = f"an XCom of the task {task.keys[2]} names the run, which began while it worked"
            yield Edge(up, run.ref, Relation.STARTED, Evidence.OBSERVED, reason, seen_at=moment(run.facts.get("start")))


def starter(run: Node, look: Look) -> Ref | None:
    """The task instance that handed on a run which it started; None for one that names its task itself."""
    if pairs(run.facts.get("tags")).get("airflow.dag_id"):
        return None
    return _at_work(run.facts.get("start"), look(keys.handed_on("runs", run.ref.keys[0])))


def task_of_version(version: Node, look: Look) -> Iterator[Edge]:
    """The task instance that handed on a model version; its DAG makes the model."""
    model, number = version.ref.keys
    at = version.facts.get("created")
    if (task := _at_work(at, look(keys.handed_on("versions", f"{model}/{number}")))) is not None:
        reason = f"an XCom of the task {task.keys[2]} names the version {number}, which was made while it worked"
        registered = refs.registered_model(version.ref.instance, model)
        for up, down in ((task, version.ref), (_dag(task), registered)):
            yield Edge(up, down, Relation.PRODUCES, Evidence.OBSERVED, reason, seen_at=moment(at))


def _at_work(time: Any, told: list[Answer]) -> Ref | None:
    """The one of the task instances that was at work at a time."""
    if (began := moment(time)) is None:
        return None
    at = began.timestamp()
    worked = [
        t
        for t in told
        if t.value["start"] is not None and (t.value["end"] is None or at <= t.value["end"] + keys.SLACK)
    ]
    before = [t for t in worked if t.value["start"] <= at]
    if before:
        return max(before, key=lambda t: (t.value["start"], t.ref)).ref
    # The clocks of two machines differ: the one that began first after it.
    after = [t for t in worked if t.value["start"] - keys.SLACK <= at]
    return min(after, key=lambda t: (t.value["start"], t.ref)).ref if after else None


def _dag(task: Ref) -> Ref:
    return refs.dag(task.instance, task.keys[0])
