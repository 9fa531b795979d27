"""How fresh a thing is against its schedule, and who upstream of it was late or failed first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from e2e_ml.festaf.freshness import Freshness, FreshnessState, brief, freshness
from e2e_ml.lineage.graph import Edge, Graph, Node
from e2e_ml.lineage.questions.making import is_on_demand, pipeline
from e2e_ml.lineage.times import parse
from e2e_ml.refs import FEAST, Kind, Ref

_TROUBLED = (Kind.FEATURE_VIEW, Kind.DAG)  # what can be late or fail
_GRACE = timedelta(minutes=5)  # a scheduler's own delay before a DAG counts as late


def freshness_of(graph: Graph, ref: Ref, now: datetime) -> Freshness | None:
    """How fresh a view, or a feature's view, is against its schedule; None for other things, for what is
    computed on demand and for an odd schedule."""
    view = graph.get(ref.parent) if ref.kind is Kind.FEATURE and ref.parent else graph.get(ref)
    if view is None or view.ref.kind is not Kind.FEATURE_VIEW or is_on_demand(graph, view.ref):
        return None
    facts = view.facts
    task, filling = facts.get("task_id"), pipeline(graph, view.ref) if view.ref.scheme == FEAST else None
    try:
        return freshness(
            schedule=facts.get("schedule"),
            written_until=parse(facts.get("written_until")),
            last_written=parse(facts.get("last_written")),
            produced_by=f"{facts.get('dag_id')}.{task}" if task else filling and filling.name,
            end=parse(facts.get("end")),
            now=now,
        )
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something upstream that is late or has failed, and the way from it to what was asked about."""

    ref: Ref
    sentence: str
    path: tuple[Edge, ...]  # downstream, from `ref` on


@dataclass(frozen=True, slots=True)
class Standing:
    """How a thing stands: its own freshness, all that is in trouble upstream, and where it began."""

    ref: Ref
    freshness: Freshness | None
    troubles: tuple[Trouble, ...]  # the furthest upstream first

    @property
    def first(self) -> Trouble | None:
        """The first late or failed ancestor: what is upstream of it is in order."""
        return self.troubles[0] if self.troubles else None


def standing(graph: Graph, ref: Ref, now: datetime) -> Standing:
    """Whether `ref` and everything that it comes from is as new as its schedule promises."""
    walk = graph.flow(ref, down=False)
    found: list[tuple[int, Ref, str]] = []
    for kind in _TROUBLED:
        found += [
            (walk[node.ref], node.ref, sentence)
            for node in walk.nodes(kind)
            if (sentence := _trouble(graph, node, now)) is not None
        ]
    here = graph.get(ref)
    own = _trouble(graph, here, now) if here is not None else None
    # What has fewest of the others upstream comes first, then what is furthest: ways of any length may lead here.
    troubled = {there for _, there, _ in found}
    above = {there: len(troubled & _above(graph, there)) for there in troubled}
    found.sort(key=lambda item: (above[item[1]], -item[0], item[1]))
    troubles = [Trouble(there, said, tuple(reversed(walk.path(there)))) for _, there, said in found]
    if own is not None:
        troubles.append(Trouble(ref, own, ()))
    return Standing(ref, freshness_of(graph, ref, now), tuple(troubles))


def _above(graph: Graph, ref: Ref) -> set[Ref]:
    walk = graph.flow(ref, down=False)
    return {there for kind in _TROUBLED for there in walk.refs(kind)} - {ref}


def _trouble(graph: Graph, node: Node, now: datetime) -> str | None:
    """What is wrong with a view or a DAG, as a sentence; None where nothing is."""
    if node.gone_since is not None:
        return f"{node.title} was deleted in its service."
    if node.ref.kind is Kind.FEATURE_VIEW:
        verdict = freshness_of(graph, node.ref, now)
        loud = (FreshnessState.LATE, FreshnessState.NEVER, FreshnessState.NO_PIPELINE)
        return f"{node.title}: {verdict.sentence}" if verdict is not None and verdict.state in loud else None
    if node.ref.kind is not Kind.DAG:
        return None
    facts = node.facts
    if facts.get("import_errors"):
        return f"The DAG {node.title} cannot be imported. Airflow's import errors say why."
    if facts.get("last_state") == "failed":
        return f"The last run of the DAG {node.title} failed. {facts.get('last_reason') or ''}".strip()
    due = parse(facts.get("next_run"))
    if facts.get("paused"):
        return f"The DAG {node.title} is paused." if facts.get("schedule") else None
    if due is not None and now - due > _GRACE:
        return f"The DAG {node.title} was due {brief(now - due)} ago and has not begun."
    return None
