"""Batches as collectors bring them, from nodes and edges: an edge belongs to the record of its downstream end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.refs import Kind, Ref


def batch(
    nodes: Iterable[Node],
    edges: Iterable[Edge] = (),
    complete: Iterable[Kind] = (),
    cursor: Mapping[str, Any] | None = None,
    *,
    partial: bool = False,
    sweep: int | None = None,
) -> Batch:
    told: dict[Ref, list[Edge]] = {}
    for edge in edges:
        told.setdefault(edge.downstream, []).append(edge)
    given = {node.ref: node for node in nodes}
    records = [Record(node, tuple(told.pop(ref, ())), partial) for ref, node in given.items()]
    records += [Record(Node(ref), tuple(rest), partial=True) for ref, rest in told.items()]
    return Batch(tuple(records), cursor or {}, frozenset(complete), sweep)
