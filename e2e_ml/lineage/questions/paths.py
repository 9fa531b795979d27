"""Upstream and downstream of a thing, as paths."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from e2e_ml.lineage.graph import Edge, Graph
from e2e_ml.refs import Kind, Ref

MOST = 2_000  # lines of a tree


@dataclass(frozen=True, slots=True)
class Step:
    """A thing on the way, reached by `edge` from the step before it that is one less `distant`."""

    ref: Ref
    distance: int
    edge: Edge


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything within reach, each thing once, on a shortest way: a thing's own steps follow it, one further away."""

    start: Ref
    down: bool
    steps: tuple[Step, ...]
    total: int  # of all that is within reach; more than `steps` where those were cut


def tree(
    graph: Graph, start: Ref, *, down: bool, depth: int | None = None, kinds: Collection[Kind] = (), most: int = MOST
) -> Tree:
    """What `start` comes from (`down` False) or what stands on it; of `kinds` and what lies between, where given."""
    walk = graph.flow(start, down=down, depth=depth)
    wanted = [ref for kind in dict.fromkeys(kinds) for ref in walk.refs(kind)] if kinds else list(walk)
    kept: dict[Ref, Edge] = {}
    below: dict[Ref, list[Ref]] = {}
    for ref in wanted:
        while ref != start and ref not in kept and len(kept) < most:
            edge = walk.edge(ref)
            kept[ref] = edge
            before = edge.upstream if down else edge.downstream
            below.setdefault(before, []).append(ref)
            ref = before
    return Tree(start, down, tuple(_steps(start, below, kept)), len(walk))


def _steps(start: Ref, below: dict[Ref, list[Ref]], kept: dict[Ref, Edge]) -> Iterator[Step]:
    waiting = [(ref, 1) for ref in sorted(below.get(start, ()), reverse=True)]
    while waiting:
        ref, distance = waiting.pop()
        yield Step(ref, distance, kept[ref])
        waiting += [(inner, distance + 1) for inner in sorted(below.get(ref, ()), reverse=True)]


def path(graph: Graph, start: Ref, end: Ref) -> tuple[Edge, ...] | None:
    """The edges of a shortest way downstream from one to the other, whichever lies upstream; None where there is none.

    Of two things that are not on one way nothing is told, even where they have an ancestor in common.
    """
    if start == end:
        return ()
    for upper, lower in ((start, end), (end, start)):
        walk = graph.flow(upper, down=True)
        if lower in walk:
            return walk.path(lower)
    return None
