"""Which DAGs make a thing, and how they fare. Pure, no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.answers import Span
from e2e_ml.desktop.panels.signs import Sign
from e2e_ml.lineage.graph import Graph, Node, Relation
from e2e_ml.refs import Kind, Ref, dag_run

STRIP = 14  # recent runs in the strip


@dataclass(frozen=True, slots=True)
class PastRun:
    ref: Ref
    sign: Sign  # the tip tells the whole run


@dataclass(frozen=True, slots=True)
class Pipeline:
    dag: Node
    sign: Sign
    line: tuple[Span, ...]  # "last 13:00-14:00, 9 s · next in 48 min"
    recent: tuple[PastRun, ...]  # oldest first, as time runs


def pipelines(graph: Graph, ref: Ref, now: datetime) -> tuple[Pipeline, ...]:
    """The DAGs that make `ref`: its own producer first, for a run the DAG that started it, for a service its views'."""
    return tuple(_pipeline(graph, node, now) for node in _dags(graph, ref))


def _dags(graph: Graph, ref: Ref) -> list[Node]:
    found: Iterable[Ref]
    match ref.kind:
        case Kind.DAG:
            found = [ref]
        case Kind.DAG_RUN | Kind.TASK:
            found = [ref.parent] if ref.parent else []
        case Kind.TASK_INSTANCE:
            found = [ref.parent.parent] if ref.parent and ref.parent.parent else []
        case Kind.RUN:
            found = _started(graph, ref)
        case Kind.MODEL_VERSION:
            found = [dag for e in graph.upstream(ref) for dag in _started(graph, e.upstream)]
        case Kind.REGISTERED_MODEL:
            versions = [e.upstream for e in graph.upstream(ref)]
            found = [dag for v in versions for e in graph.upstream(v) for dag in _started(graph, e.upstream)]
        case Kind.SOURCE | Kind.ENTITY:
            views = [e.downstream for e in graph.downstream(ref)]
            found = [dag.ref for view in views if (dag := signs.producer(graph, view))]
        case Kind.FEATURE | Kind.FEATURE_VIEW:
            dag = signs.producer(graph, ref)
            found = [dag.ref] if dag else []
        case _:
            found = [r for r in graph.walk(ref, down=False) if r.kind is Kind.DAG]
    return [graph.get(dag) or Node(dag) for dag in dict.fromkeys(found)]


def _started(graph: Graph, run: Ref) -> list[Ref]:
    ups = [e.upstream for e in graph.upstream(run) if e.relation is Relation.STARTED]
    return [up if up.kind is Kind.DAG else graph_parent for up in ups if (graph_parent := _dag_of(up))]


def _dag_of(ref: Ref) -> Ref | None:
    here: Ref | None = ref
    while here is not None and here.kind is not Kind.DAG:
        here = here.parent
    return here


def _pipeline(graph: Graph, dag: Node, now: datetime) -> Pipeline:
    facts = dag.facts
    entries = list(facts.get("recent") or ())[:STRIP]
    recent: list[PastRun] = []
    for entry in reversed(entries):
        run_id = str(entry.get("run_id"))
        start, end = words.moment(entry.get("start")), words.moment(entry.get("end"))
        sign = signs.of_state(entry.get("state"))
        told = [sign.word]
        if start:
            told.append(words.exact(start))
        if start and end:
            told.append(f"took {words.duration((end - start).total_seconds())}")
        recent.append(
            PastRun(dag_run(dag.ref.instance, dag.ref.name, run_id), Sign(sign.tone, sign.word, ", ".join(told)))
        )
    sign = signs.of(graph, dag.ref, now) or signs.of_state(None)
    return Pipeline(dag, sign, _line(dag, now), tuple(recent))


def _line(dag: Node, now: datetime) -> tuple[Span, ...]:
    facts = dag.facts
    said: list[Span] = []
    start, end = words.moment(facts.get("last_interval_start")), words.moment(facts.get("last_interval_end"))
    last, due = words.moment(facts.get("last_run")), words.moment(facts.get("next_run"))
    if last is not None:
        tip = words.exact(last)
        if start is not None and end is not None and end > start:
            tip += f"\nfor the data of {words.interval(start, end, now)}"
        said += [Span("last "), Span(words.relative(last, now), tip=tip)]
    if isinstance(took := facts.get("last_duration"), int | float):
        said.append(Span(f", {words.duration(took)}" if said else words.duration(took)))
    if due is not None:
        word = "next" if due >= now else "was due"
        said += [Span(f" · {word} " if said else f"{word} "), Span(words.relative(due, now), tip=words.exact(due))]
    elif schedule := words.schedule(facts.get("schedule")):
        said.append(Span(f" · {schedule}" if said else schedule))
    return tuple(said) or (Span("It has never run."),)
