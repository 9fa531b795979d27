"""A run that nobody tagged lies in time inside the task instance that started it.

Scores say how far to trust that: the same user, what the DAG's source names, and whether anything else was running.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys, words, xcoms
from e2e_ml.lineage.rules.facts import mapping, moment, pairs, text, texts
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.refs import Ref

SAME_USER, NO_USER = 0.84, 0.7  # of a run inside exactly one task instance's interval
MOST, LEAST = 0.97, 0.3
_NAMED, _NOT_NAMED, _NAMED_ALONE = 0.1, -0.15, 0.85
_TRAINS, _OTHER_WORK, _BY_AIRFLOW, _BY_SCRIPT, _LOST = 0.05, -0.04, 0.08, -0.1, -0.08
_OTHER_TASK = -0.12
_IDLE = ("Sensor", "SensorAsync", "TriggerDagRunOperator", "EmptyOperator", "DummyOperator", "LatestOnlyOperator",
         "ShortCircuitOperator", "BranchPythonOperator", "EmailOperator", "SlackAPIPostOperator")  # fmt: skip
_IN_AIRFLOW = ("PythonOperator", "@task", "_PythonDecoratedOperator")
# Operators whose work is done on another machine or in a container, under another user.
_ELSEWHERE = ("Pod", "Docker", "Ecs", "SageMaker", "Databricks", "Dataproc", "Spark", "Batch", "CloudRun", "Vertex",
              "AzureML", "Ssh", "SSH", "Kubernetes", "Ray", "Emr")  # fmt: skip
_NOTEBOOKS = ("ipykernel", "jupyter", ".ipynb", "colab")
_MOST_AROUND, _MOST_TOLD = 40, 5  # task instances that are looked at, and those that are told of
_DEFAULT = "Default"  # MLflow's experiment for runs that name none
_SHORT, _LONG = 0.005, 1_800.0  # a run that is lost in a long task tells little
_TIGHT, _LOOSE = 0.5, 0.1  # the parts of two tasks' intervals that a run fills, where one of them is its task's


@dataclass(frozen=True, slots=True)
class _Task:
    """A task instance that worked for all of a run's time."""

    ref: Ref
    score: float
    fills: float  # the part of its time that the run took
    idle: bool  # whether it only waits, by its operator
    named: bool  # whether its DAG's source names the run's experiment or model
    why: tuple[str, ...]


def task_around_run(run: Node, look: Look) -> Iterator[Edge]:
    """The one task instance that a run without tags of Airflow lies in, and its DAG."""
    tags = pairs(run.facts.get("tags"))
    began, ended = moment(run.facts.get("start")), moment(run.facts.get("end"))
    script = tags.get("mlflow.source.name", "").lower()
    by_hand = tags.get("mlflow.source.type", "").upper() == "NOTEBOOK" or any(word in script for word in _NOTEBOOKS)
    if began is None or tags.get("airflow.dag_id") or by_hand or xcoms.starter(run, look) is not None:
        return
    start, end = began.timestamp(), ended.timestamp() if ended else None
    around = [answer for key in keys.busy(start) for answer in look(key) if _holds(answer, start, end)]
    around.sort(key=lambda answer: (_length(answer), answer.ref))
    tasks = [_judged(answer, run, start, end, look) for answer in around[:_MOST_AROUND]]
    working = [task for task in tasks if task and not task.idle]
    idle = not working
    working = working or [task for task in tasks if task]
    if not working:
        return
    best = _only(working)
    dags = {refs.dag(task.ref.instance, task.ref.keys[0]) for task in working}
    for task in sorted(working, key=lambda task: (task is not best, -task.score, task.ref))[:_MOST_TOLD]:
        score, why = task.score, task.why
        if best is None or task is not best:
            score = min(score, 0.75) / len(working)
            why = (*why, f"{len(working)} task instances worked at that time")
        if idle:
            score, why = score * 0.5, (*why, "it only waits, by its operator")
        yield _edge(task.ref, run.ref, score, why)
        if best is not None and task is best:
            yield _edge(refs.dag(task.ref.instance, task.ref.keys[0]), run.ref, score, why)
    if best is None and len(dags) == 1:
        score = min(max(task.score for task in working), 0.85)
        yield _edge(dags.pop(), run.ref, score * (0.5 if idle else 1), (*working[0].why, "one of its task instances"))


def _edge(up: Ref, run: Ref, score: float, why: tuple[str, ...]) -> Edge:
    reason = f"the run lies in the time of the task instance: {', '.join(dict.fromkeys(why))}"
    return Edge(up, run, Relation.STARTED, Evidence.INFERRED, reason, round(score, 3))


def _length(answer: Answer) -> float:
    """Of its interval, in seconds: the shorter, the more it tells that a run lies in it."""
    first, last = answer.value["start"], answer.value["end"]
    return math.inf if last is None else last - first


def _holds(answer: Answer, start: float, end: float | None) -> bool:
    first, last = answer.value["start"], answer.value["end"]
    return first - keys.SLACK <= start and (last is None or max(start, end or start) <= last + keys.SLACK)


def _judged(answer: Answer, run: Node, start: float, end: float | None, look: Look) -> _Task | None:
    """How well a task instance explains the run; None where their users differ and nothing else speaks for it."""
    dag, last = refs.dag(answer.ref.instance, answer.ref.keys[0]), answer.value["end"]
    mine, theirs = text(run.facts.get("user")).lower(), answer.value["user"]
    named, others = _mentions(run, dag, look)
    why: list[str] = []
    operator = _operator(answer.ref, look)
    if mine != theirs and any(word in operator for word in _ELSEWHERE):
        theirs = ""  # who it is there, the worker's user does not say
    if mine and theirs and mine != theirs:
        if not named:
            return None
        score = NO_USER - 0.05
        why.append(f"of the user {theirs}, not {mine}")
    else:
        score = SAME_USER if mine and theirs else NO_USER
        why.append(f"of the same user {mine}" if mine and theirs else "whose user is not known")
        if named:
            score = max(score + _NAMED, _NAMED_ALONE)
    if named:
        why.append(named)
    elif others:
        score += _NOT_NAMED
        why.append("the DAG's source names other experiments")
    if work := text(_hints(dag, look).get("work")):
        score += _TRAINS if work == "train" else 0 if named else _OTHER_WORK
        why.append("the DAG trains" if work == "train" else f"the DAG's work is {work}")
    if task_work := words.work_of(answer.ref.keys[2], ()):
        score += _TRAINS if task_work == "train" else _OTHER_TASK
        why.append(f"by its name the task's work is {task_work}")
    script = pairs(run.facts.get("tags")).get("mlflow.source.name", "").rpartition("/")[2]
    if script == "airflow":
        score += _BY_AIRFLOW
        why.append("the run was started by Airflow's own program")
    elif script.endswith(".py") and operator in _IN_AIRFLOW and not named:
        score += _BY_SCRIPT
        why.append(f"the run was started by {script} and the task works within Airflow's own program")
    fills = _fills(answer.value["start"], last, start, end)
    if end is None and last is not None:
        score -= 0.1
        why.append("the run never ended")
    elif fills < _SHORT and last is not None and last - start > _LONG and not named:
        score += _LOST
        why.append("the run is short and the task long")
    return _Task(answer.ref, max(LEAST, min(MOST, score)), fills, operator.endswith(_IDLE), bool(named), tuple(why))


def _hints(dag: Ref, look: Look) -> Mapping[str, Any]:
    return mapping(next((answer.value for answer in look(keys.hints(dag))), None))


def _mentions(run: Node, dag: Ref, look: Look) -> tuple[str, bool]:
    """Which of the run's experiment and models the DAG's source names, in words; else whether it names others."""
    hints = _hints(dag, look)
    models, experiments = texts(hints.get("models")), texts(hints.get("experiments"))
    experiment = text(run.facts.get("experiment"))
    if experiment and experiment != _DEFAULT and experiment in experiments:
        return f"the DAG's source names the experiment {experiment}", False
    made = [text(mapping(answer.value).get("model")) for answer in look(keys.made_by(run.ref))]
    if model := next((name for name in made if name in models), ""):
        return f"the DAG's source names the model {model}", False
    return "", bool(experiments) or bool(models and any(made))


def _fills(first: float, last: float | None, start: float, end: float | None) -> float:
    if last is None or end is None:
        return 0.0
    return min(1.0, max(0.0, end - start) / (last - first)) if last > first else 1.0


def _operator(instance: Ref, look: Look) -> str:
    task = refs.task(instance.instance, instance.keys[0], instance.keys[2])
    return next((text(answer.value) for answer in look(keys.works_as(task))), "")


def _only(tasks: list[_Task]) -> _Task | None:
    """The one that is meant, where that can be told."""
    if len(tasks) == 1:
        return tasks[0]
    named = [task for task in tasks if task.named]
    if len(named) == 1:
        return named[0]
    rest = named or tasks
    tight = [task for task in rest if task.fills >= _TIGHT]
    if len(tight) == 1 and all(task.fills <= _LOOSE for task in rest if task is not tight[0]):
        return tight[0]
    return None
