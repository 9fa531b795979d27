"""A graph of given nodes and edges: for a window that has read nothing yet, and for whoever has no services."""

from __future__ import annotations

from collections.abc import Iterable

from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Ref


def graph_of(nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> Graph:
    """As if collectors had brought them: links between services and derived facts are added."""
    index = Index(None)
    told: dict[Ref, list[Edge]] = {}
    for edge in edges:
        told.setdefault(edge.downstream, []).append(edge)
    given = list(nodes)
    by_service: dict[str, list[Record]] = {}
    for node in given:
        record = Record(Node(node.ref, node.facts), tuple(told.pop(node.ref, ())))
        by_service.setdefault(f"{node.ref.scheme}:{node.ref.instance}", []).append(record)
    for name, records in by_service.items():
        index.upsert(name, Batch(tuple(records)))
    if told:
        index.upsert("edges", Batch(tuple(Record(Node(ref), tuple(rest)) for ref, rest in told.items())))
    for node in given:
        if node.gone_since is not None:
            gone = Batch(gone=(node.ref,))
            index.upsert(f"{node.ref.scheme}:{node.ref.instance}", gone, node.gone_since)
    return index.graph()
