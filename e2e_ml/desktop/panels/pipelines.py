"""Which DAGs make a thing, and how they fare. Pure, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.signs import Sign
from e2e_ml.desktop.panels.spans import Span
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind, Ref, dag_run

_MOST = 100  # edges that are looked at where a thing has very many
STRIP = 14  # recent runs in the strip


@dataclass(frozen=True, slots=True)
class PastRun:
    ref: Ref
    sign: Sign  # the tip tells the whole run


@dataclass(frozen=True, slots=True)
class Pipeline:
    dag: Node
    sign: Sign
    line: tuple[Span, ...]  # "last run 12 min ago, took 9 s · next run in 48 min"
    recent: tuple[PastRun, ...]  # oldest first, as time runs; of one of several they are not told


@dataclass(frozen=True, slots=True)
class Pipelines:
    told: tuple[Pipeline, ...]
    others: tuple[str, ...]  # the names of more

    def __len__(self) -> int:
        return len(self.told) + len(self.others)


def pipelines(graph: Graph, ref: Ref, now: datetime, most: int) -> Pipelines:
    """The DAGs that make `ref`, `most` of them told in full: its own producer first, for a run the DAG that started it,
    for a service its views', for what is computed on demand those of what it reads."""
    dags = _dags(graph, ref)
    past = STRIP if len(dags) == 1 else 0
    told = tuple(_pipeline(graph, dag, now, past) for dag in dags[:most])
    return Pipelines(told, tuple(dag.title for dag in dags[most:]))


def _dags(graph: Graph, ref: Ref) -> list[Node]:
    """The one that `questions.pipeline` names, then those of what lies beside it where a thing has several."""
    found = [questions.pipeline(graph, ref)]
    if ref.kind in (Kind.SOURCE, Kind.ENTITY):
        read = [e.downstream for e in graph.downstream(ref, _MOST) if e.downstream.kind is Kind.FEATURE_VIEW]
        found += [questions.pipeline(graph, view) for view in read]
    if questions.is_on_demand(graph, ref):
        found += [questions.pipeline(graph, view) for view in questions.views_read(graph, ref)]
    if ref.kind is Kind.FEATURE_SERVICE:
        views = dict.fromkeys(e.upstream.parent for e in graph.upstream(ref, _MOST))
        found += [questions.pipeline(graph, view) for view in views if view is not None]
    return [graph.get(dag) or Node(dag) for dag in dict.fromkeys(found) if dag is not None]


def _pipeline(graph: Graph, dag: Node, now: datetime, past: int) -> Pipeline:
    facts = dag.facts
    entries = list(facts.get("recent") or ())[:past]
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
        said += [Span("last run "), Span(words.relative(last, now), tip=tip)]
    if isinstance(took := facts.get("last_duration"), int | float):
        said.append(Span(f"{', ' if said else ''}took {words.duration(took)}"))
    if due is not None:
        word = "next run" if due >= now else "was due"
        said += [Span(f" · {word} " if said else f"{word} "), Span(words.relative(due, now), tip=words.exact(due))]
    elif schedule := words.schedule(facts.get("schedule")):
        said.append(Span(f" · {schedule}" if said else schedule))
    if reason := facts.get("last_reason"):
        said.append(Span(f" · {reason}"))
    return tuple(said) or (Span("It has never run."),)
