"""Who uses a thing: the runs that learned from it, and what was registered of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_ml.lineage.graph import NOT_FLOW, Edge, Evidence, Graph, Node, Relation, Walk
from e2e_ml.lineage.times import parse
from e2e_ml.refs import Kind, Ref

MOST = 50  # runs that are told one by one
STRENGTH = {Evidence.INFERRED: 0, Evidence.OBSERVED: 1, Evidence.DECLARED: 2}


@dataclass(frozen=True, slots=True)
class Use:
    """A training run that stands on a thing, and what was registered of it."""

    run: Node
    versions: tuple[Node, ...]  # newest first
    link: Edge | None  # the strongest edge that ties the run to it; None where the run is the thing itself

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(alias for v in self.versions for alias in v.facts.get("aliases", ())))


@dataclass(frozen=True, slots=True)
class Uses:
    """The newest runs, and before them those of versions that have an alias; `total` counts all that there are."""

    runs: tuple[Use, ...]
    total: int


def uses(graph: Graph, ref: Ref, most: int = MOST) -> tuple[Use, ...]:
    """The runs that learned from `ref`, or that made it where it is a model; the newest first, `most` of them."""
    return uses_in_all(graph, ref, most).runs


def uses_in_all(graph: Graph, ref: Ref, most: int = MOST) -> Uses:
    """`uses`, and how many there are beyond `most`."""
    walk = graph.walk(ref, down=True, left_out=NOT_FLOW)
    own = _own_runs(graph, ref, most)
    if own is not None:
        found, total = list(own), len(own)
    else:
        named = [e.upstream for alias in walk.newest(Kind.ALIAS, most) for e in graph.upstream(alias)]
        made = [e.upstream for version in named for e in graph.upstream(version) if e.upstream in walk]
        found = [*made, *walk.newest(Kind.RUN, most)]
        total = walk.counts().get(Kind.RUN, 0)
    runs = [node for r in dict.fromkeys(found) if r.kind is Kind.RUN and (node := graph.get(r)) is not None]
    runs.sort(key=newest_first, reverse=True)
    told = [Use(run, tuple(versions_of_run(graph, run.ref)), _tie(graph, run.ref, ref, walk)) for run in runs[:most]]
    return Uses(tuple(told), total)


def _own_runs(graph: Graph, ref: Ref, most: int) -> list[Ref] | None:
    """The runs of a thing that is a run, a model or a part of a DAG run; None where they are those downstream."""
    match ref.kind:
        case Kind.RUN:
            return [ref]
        case Kind.MODEL_VERSION | Kind.LOGGED_MODEL:
            return [e.upstream for e in graph.upstream(ref)]
        case Kind.ALIAS:
            return [e.upstream for v in graph.upstream(ref) for e in graph.upstream(v.upstream)]
        case Kind.REGISTERED_MODEL:
            return [e.upstream for v in versions_of(graph, ref, most) for e in graph.upstream(v.ref)]
        case Kind.DAG_RUN:
            return [e.downstream for part in graph.inside(ref, most) for e in graph.downstream(part, most)]
        case Kind.TASK if ref.parent is not None:
            runs = graph.walk(ref.parent, down=True, left_out=NOT_FLOW).newest(Kind.RUN, most)
            return [run for run in runs if any(_is_of(e.upstream, ref) for e in graph.upstream(run))]
        case _:
            return None


def _is_of(instance: Ref, task: Ref) -> bool:
    return instance.kind is Kind.TASK_INSTANCE and (instance.keys[0], instance.keys[2]) == task.keys


def _tie(graph: Graph, run: Ref, ref: Ref, walk: Walk) -> Edge | None:
    """The strongest edge that ties a run to what it uses; None where the run is the thing itself."""
    if run == ref:
        return None
    wanted = (Relation.TRAINS, Relation.STARTED)
    ties = [e for e in graph.upstream(run) if e.relation in wanted and (e.upstream == ref or e.upstream in walk)]
    return max(ties, key=lambda e: (e.relation is Relation.TRAINS, STRENGTH[e.evidence], e.score), default=None)


def versions_of_run(graph: Graph, run: Ref) -> list[Node]:
    """The versions that a run logged, newest first."""
    found = [e.downstream for e in graph.downstream(run, MOST)]
    return sorted(nodes_of_kind(graph, found, Kind.MODEL_VERSION), key=newest_first, reverse=True)


def versions_of(graph: Graph, model: Ref, most: int = MOST) -> list[Node]:
    """The versions of a registered model, newest first."""
    found = [e.upstream for e in graph.upstream(model, most)]
    return sorted(nodes_of_kind(graph, found, Kind.MODEL_VERSION), key=newest_first, reverse=True)


def nodes_of_kind(graph: Graph, refs: Iterable[Ref], kind: Kind) -> list[Node]:
    return [node for ref in dict.fromkeys(refs) if ref.kind is kind and (node := graph.get(ref))]


def newest_first(node: Node) -> tuple[str, int, Ref]:
    at = parse(str(node.facts.get("start") or node.facts.get("created") or ""))
    number = node.ref.keys[-1] if node.ref.kind is Kind.MODEL_VERSION else ""
    return (at.isoformat() if at else "", int(number) if number.isdecimal() else 0, node.ref)
