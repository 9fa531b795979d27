"""Who uses a thing: the runs that learned from it, and what was registered of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from e2e_ml import refs
from e2e_ml.lineage.graph import NOT_FLOW, Edge, Evidence, Graph, Node, Relation, Walk
from e2e_ml.lineage.rules.facts import mapping, text
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
    """The runs that learned from `ref`, or that made it where it is a model, `most` of them: first those of versions
    with an alias; of either the newest first."""
    return uses_in_all(graph, ref, most).runs


def uses_in_all(graph: Graph, ref: Ref, most: int = MOST) -> Uses:
    """`uses`, and how many there are beyond `most`."""
    walk = graph.flow(ref, down=True)
    told, total = _told(graph, ref, walk, most)
    return Uses(
        tuple(Use(run, tuple(versions_of_run(graph, run.ref)), _tie(graph, run.ref, ref, walk)) for run in told), total
    )


def runs_that_use(graph: Graph, ref: Ref, most: int = MOST) -> list[Ref]:
    """The runs of `uses`, in its order, for whoever asks for them alone."""
    told, _ = _told(graph, ref, graph.flow(ref, down=True), most)
    return [run.ref for run in told]


def _told(graph: Graph, ref: Ref, walk: Walk, most: int) -> tuple[list[Node], int]:
    """The runs that are told one by one, and how many there are in all."""
    own = _own_runs(graph, ref, most)
    if own is None:
        own = Runs(walk.newest(Kind.RUN, most), walk.counts().get(Kind.RUN, 0))
    named = _nodes_of_runs(graph, _named_runs(graph, ref, walk, most))
    told_already = {node.ref for node in named}
    others = _nodes_of_runs(graph, (run for run in own.runs if run not in told_already))
    return [*named, *others][:most], own.total


class Runs(NamedTuple):
    runs: list[Ref]  # some of them, the newest
    total: int


def _nodes_of_runs(graph: Graph, refs_: Iterable[Ref]) -> list[Node]:
    return sorted(graph.get_all(refs_, Kind.RUN), key=newest_first, reverse=True)


def _named_runs(graph: Graph, ref: Ref, walk: Walk, most: int) -> list[Ref]:
    """The runs of versions that have an alias: among those downstream, or among a model's own."""
    if ref.kind is Kind.REGISTERED_MODEL:
        node = graph.get(ref)
        numbers = mapping(node.facts.get("aliases")).values() if node is not None else ()
        versions = [refs.model_version(ref.instance, ref.keys[0], number) for n in numbers if (number := text(n))]
        return [edge.upstream for version in versions for edge in graph.upstream(version)]
    named = [edge.upstream for alias in walk.newest(Kind.ALIAS, most) for edge in graph.upstream(alias)]
    return [edge.upstream for version in named for edge in graph.upstream(version) if edge.upstream in walk]


def _own_runs(graph: Graph, ref: Ref, most: int) -> Runs | None:
    """The runs of a thing that is a run, a model or a part of a DAG run; None where they are those downstream."""
    match ref.kind:
        case Kind.RUN:
            return Runs([ref], 1)
        case Kind.MODEL_VERSION | Kind.LOGGED_MODEL:
            return _runs_above(graph, ref, 1, most)
        case Kind.ALIAS | Kind.REGISTERED_MODEL:
            return _runs_above(graph, ref, 2, most)
        case Kind.ENDPOINT:
            return _runs_above(graph, ref, 3, most)  # by a version, or by an alias of one
        case Kind.DAG_RUN:
            parts = graph.inside(ref, most)
            return _all(e.downstream for part in parts for e in graph.downstream(part, most))
        case Kind.TASK if ref.parent is not None:
            runs = graph.flow(ref.parent, down=True).newest(Kind.RUN, most)
            return _all(run for run in runs if any(_is_of(e.upstream, ref) for e in graph.upstream(run)))
        case _:
            return None


def _all(found: Iterable[Ref]) -> Runs:
    runs = [ref for ref in dict.fromkeys(found) if ref.kind is Kind.RUN]
    return Runs(runs, len(runs))


def _runs_above(graph: Graph, ref: Ref, depth: int, most: int) -> Runs:
    above = graph.walk(ref, down=False, depth=depth, left_out=NOT_FLOW, stop=(Kind.RUN,))
    return Runs(above.newest(Kind.RUN, most), above.counts().get(Kind.RUN, 0))


def _is_of(instance: Ref, task: Ref) -> bool:
    return instance.kind is Kind.TASK_INSTANCE and (instance.keys[0], instance.keys[2]) == task.keys


def _tie(graph: Graph, run: Ref, ref: Ref, walk: Walk) -> Edge | None:
    """The strongest edge that ties a run to what it uses; None where the run is the thing itself."""
    if run == ref:
        return None
    wanted = (Relation.TRAINS, Relation.READ_BY, Relation.STARTED)
    ties = [e for e in graph.upstream(run) if e.relation in wanted and (e.upstream == ref or e.upstream in walk)]
    return max(ties, key=lambda e: (e.relation is Relation.TRAINS, STRENGTH[e.evidence], e.score), default=None)


def versions_of_run(graph: Graph, run: Ref) -> list[Node]:
    """The versions that a run logged, newest first."""
    found = [e.downstream for e in graph.downstream(run, MOST)]
    return sorted(graph.get_all(found, Kind.MODEL_VERSION), key=newest_first, reverse=True)


def versions_of(graph: Graph, model: Ref, most: int = MOST) -> list[Node]:
    """The versions of a registered model, newest first, `most` of them."""
    found = graph.walk(model, down=False, depth=1).newest(Kind.MODEL_VERSION, most)
    return sorted(graph.get_all(found, Kind.MODEL_VERSION), key=newest_first, reverse=True)


def newest_first(node: Node) -> tuple[str, int, Ref]:
    at = parse(str(node.facts.get("start") or node.facts.get("created") or ""))
    number = node.ref.keys[-1] if node.ref.kind is Kind.MODEL_VERSION else ""
    return (at.isoformat() if at else "", int(number) if number.isdecimal() else 0, node.ref)
