"""The training runs, and the model versions made of them, that stand on a thing. Pure, no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.refs import Kind, Ref


@dataclass(frozen=True, slots=True)
class Use:
    run: Node
    versions: tuple[Node, ...]
    link: Edge | None  # the strongest that ties the run to it; None where the run is the thing itself


def uses(graph: Graph, ref: Ref) -> tuple[Use, ...]:
    """The runs that learned from `ref` (or made it, for a model), the newest first."""
    found = [Use(run, _versions(graph, run.ref), _evidence(graph, run.ref, ref)) for run in _runs(graph, ref)]
    return tuple(sorted(found, key=lambda use: str(use.run.facts.get("start") or ""), reverse=True))


def _runs(graph: Graph, ref: Ref) -> Iterable[Node]:
    match ref.kind:
        case Kind.RUN:
            found = [ref]
        case Kind.MODEL_VERSION:
            found = [e.upstream for e in graph.upstream(ref)]
        case Kind.REGISTERED_MODEL:
            found = [e.upstream for v in graph.upstream(ref) for e in graph.upstream(v.upstream)]
        case _:
            found = graph.walk(ref, down=True)
    return [node for r in dict.fromkeys(found) if r.kind is Kind.RUN and (node := graph.get(r))]


def _versions(graph: Graph, run: Ref) -> tuple[Node, ...]:
    made = [e.downstream for e in graph.downstream(run) if e.downstream.kind is Kind.MODEL_VERSION]
    return tuple(node for ref in made if (node := graph.get(ref)))


_STRENGTH = {Evidence.INFERRED: 0, Evidence.OBSERVED: 1, Evidence.DECLARED: 2}


def _evidence(graph: Graph, run: Ref, start: Ref) -> Edge | None:
    if run == start:
        return None
    reach = {start, *graph.walk(start, down=True)}
    ties = (Relation.TRAINS, Relation.STARTED)
    links = [edge for edge in graph.upstream(run) if edge.relation in ties and edge.upstream in reach]
    return max(links, key=lambda e: (e.relation is Relation.TRAINS, _STRENGTH[e.evidence], e.score), default=None)
