"""The columns of the sources and datasets that are drawn: rows inside their boxes, and what each row feeds. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ml.desktop.panels.lineage.neighbourhood import Key, Tie
from e2e_ml.lineage.graph import Edge, Graph
from e2e_ml.refs import Kind, Ref

ROWS = 14  # of one box; those that feed something drawn come first
_LOOK = 64  # edges of a thing
_HOLDERS = (Kind.SOURCE, Kind.DATASET)


@dataclass(frozen=True, slots=True)
class Rows:
    columns: tuple[Ref, ...]
    more: int  # columns without a row


@dataclass(frozen=True, slots=True)
class Columns:
    """`ties` name boxes; `row` says at which column, `None` for the whole box, each begins and ends."""

    rows: Mapping[Key, Rows] = field(default_factory=dict[Key, Rows])
    ties: tuple[tuple[Tie, Ref | None, Ref | None], ...] = ()


def columns_of(graph: Graph, keys: Sequence[Key]) -> Columns:
    """The rows of every source and dataset among `keys`, and the lines from column to feature and column to column."""
    shown = {key for key in keys if isinstance(key, Ref)}
    holders = {key for key in shown if key.kind in _HOLDERS}
    if not holders:
        return Columns()
    edges: dict[tuple[Ref, Ref], Edge] = {}
    for key in sorted(shown):
        if key.kind is Kind.FEATURE:
            for edge in graph.upstream(key, _LOOK):
                if edge.upstream.kind is Kind.COLUMN and edge.upstream.parent in holders:
                    edges[edge.upstream, key] = edge
    known: dict[Ref, list[Ref]] = {holder: [] for holder in holders}
    for holder in sorted(holders):
        found = [e.downstream for e in graph.downstream(holder, 4 * _LOOK) if e.downstream.kind is Kind.COLUMN]
        known[holder] = [column for column in found if column.parent == holder]
        for column in known[holder][:_LOOK]:
            for edge in graph.downstream(column, _LOOK):
                if edge.downstream.kind is Kind.COLUMN and edge.downstream.parent in holders - {holder}:
                    edges[column, edge.downstream] = edge
    told = {ref for pair in edges for ref in pair}
    rows: dict[Key, Rows] = {}
    for holder, found in known.items():
        mine = [*(ref for ref in sorted(told) if ref.kind is Kind.COLUMN and ref.parent == holder), *found]
        mine = sorted(dict.fromkeys(mine), key=lambda ref: ref not in told)[:ROWS]
        node = graph.get(holder)
        total = max(len(found), len(node.facts.get("columns") or ()) if node else 0)
        if mine or total:
            rows[holder] = Rows(tuple(mine), max(0, total - len(mine)))
    ties: list[tuple[Tie, Ref | None, Ref | None]] = []
    for (up, down), edge in edges.items():
        start, end = up.parent, down.parent if down.kind is Kind.COLUMN else down
        at_end = down if down.kind is Kind.COLUMN else None
        if start is None or end is None or (up not in _of(rows, start)) or (at_end and at_end not in _of(rows, end)):
            continue
        ties.append((Tie(start, end, edge.evidence, (edge,)), up, at_end))
    return Columns(rows, tuple(ties))


def _of(rows: Mapping[Key, Rows], holder: Ref) -> tuple[Ref, ...]:
    return rows[holder].columns if holder in rows else ()
