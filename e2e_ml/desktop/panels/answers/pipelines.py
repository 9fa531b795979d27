"""The five answers about what Airflow runs: DAGs, their tasks and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.answers.about import MOST, About, Line, Lines
from e2e_ml.desktop.panels.spans import Span, link, links, listed
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Node, Relation
from e2e_ml.refs import Kind

_BEGUN = {
    "scheduled": "Begun by its schedule",
    "manual": "Begun by hand",
    "backfill": "Begun by a backfill",
    "asset_triggered": "Begun by new data in its assets",
}


class Dag(About):
    def described(self) -> Lines:
        tags = listed(self.node.facts, "tags")
        lines: Lines = [(Span("Makes ", dim=True), *self.made())]
        return [*lines, (Span("tagged " + ", ".join(tags), dim=True),)] if tags else lines

    def timed(self) -> Lines:
        facts = self.node.facts
        plan, last = words.schedule(facts.get("schedule")), facts.get("last_run")
        return [self.times(("", plan), ("last run", last), self.due(facts.get("next_run")))]

    def explained(self) -> Lines:
        up = self.up(Kind.ASSET)
        return [(Span("Begun by the schedule" if not up else "Begun by assets: "), *links(up))]

    def made(self) -> Line:
        relations = (Relation.PRODUCES, Relation.STARTED)
        made = [e.downstream for e in self.graph.downstream(self.node.ref, MOST) if e.relation in relations]
        return links(self.graph.get_all(ref for ref in made if ref.kind is not Kind.ASSET)) or (
            Span("nothing that is known here", dim=True),
        )


class Task(About):
    """A task, or a run of it or of its DAG."""

    def described(self) -> Lines:
        parent = self.node.ref.parent
        return [(Span(f"A {self.node.ref.kind} of ", dim=True), *((link(Node(parent)),) if parent else ()))]

    def justified(self) -> Lines:
        ref = questions.dag_of(self.node.ref)
        if not ref:
            return []
        dag = Dag(self.graph, self.graph.get(ref) or Node(ref), self.now)
        return [(Span("Its DAG makes ", dim=True), *dag.made())]


class TaskInstance(Task):
    def timed(self) -> Lines:
        return run_times(self)


class DagRun(Task):
    def timed(self) -> Lines:
        return run_times(self)

    def explained(self) -> Lines:
        kind = str(self.node.facts.get("run_type") or self.node.ref.name.partition("__")[0])
        return [(Span(_BEGUN.get(kind, f"Begun as {kind.replace('_', ' ')}")),)]


def run_times(about: About) -> Lines:
    """When a run of any kind started, how long it took, and the data interval that it was for."""
    entry = signs.run_facts(about.graph, about.node.ref)
    lines = [about.times(("started", entry.get("start")), ("", _took(entry)))]
    start, end = words.moment(entry.get("interval_start")), words.moment(entry.get("interval_end"))
    if start is not None and end is not None:
        tip = f"{words.exact(start)} to {words.exact(end)}"
        lines.append((Span("data of ", dim=True), Span(words.interval(start, end, about.now), tip=tip)))
    return lines


def _took(entry: Mapping[str, Any]) -> str:
    start, end = words.moment(entry.get("start")), words.moment(entry.get("end"))
    return f"took {words.duration((end - start).total_seconds())}" if start and end else ""
