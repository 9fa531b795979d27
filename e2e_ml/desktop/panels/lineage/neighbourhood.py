"""What the lineage drawing shows of the graph: the focus, what it comes from and what stands on it. Pure, no Qt.

Big fans are folded into one box ("+12 more features"), a run that registered a version can stand inside it, kinds that
a person left out are bridged, and an edge that a longer path tells is not drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.desktop.panels.lineage.explored import LEFT_OUT, OPENED, Bounds, Region, believed, explore, unseen
from e2e_ml.desktop.panels.lineage.layering import closing_edges
from e2e_ml.lineage.graph import Edge, Evidence, Graph
from e2e_ml.refs import Kind, Ref

_RANKED = 64  # runs of a fan whose start is looked up to tell the newest; of more, those that were seen last
_ORDER = {Evidence.INFERRED: 0, Evidence.OBSERVED: 1, Evidence.DECLARED: 2}
_NAMED = 20  # things of a fold that its tooltip names


@dataclass(frozen=True, slots=True)
class Fold:
    """A box that stands for the rest of a fan, of which some were seen and all are counted."""

    fan: Fan
    count: int = field(compare=False)
    refs: tuple[Ref, ...] = field(compare=False)  # a few of them

    @property
    def kind(self) -> Kind:
        return self.fan.kind

    @property
    def text(self) -> str:
        return f"+{words.count(self.count, f'more {self.kind.value}')}"


Key = Ref | Fold


@dataclass(frozen=True, slots=True)
class Tie:
    """A drawn line: the weakest evidence on its way, and the edges that it stands for."""

    upstream: Key
    downstream: Key
    evidence: Evidence
    edges: tuple[Edge, ...]  # none where it leads to a fold

    @property
    def reason(self) -> str:
        return "\n".join(map(why, self.edges))


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown."""

    up: int = 9  # lines to the left
    down: int = 9
    fan: int = 8  # things of one kind at one distance before they fold
    bounds: Bounds = field(default_factory=Bounds)  # of what is looked at
    runs: bool = True  # else a run with a registered version is told by the version alone, and a version by its star


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    keys: tuple[Key, ...]
    ties: tuple[Tie, ...]
    hidden: int = 0  # boxes further away than the detail shows


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a focus comes from and all that stands on it, folded; `within` cuts it to what has room."""

    focus: Ref
    keys: tuple[Key, ...]
    ties: tuple[Tie, ...]
    more: Mapping[Side, int] = field(default_factory=dict[Side, int])  # things that lie there and are not shown
    kinds: Mapping[Kind, int] = field(default_factory=dict[Kind, int])  # all there are, whatever is left out
    evidence: Mapping[Evidence, int] = field(default_factory=dict[Evidence, int])  # of edges, likewise
    fans: Mapping[Ref, Fan] = field(default_factory=dict[Ref, Fan])  # which fan a thing belongs to
    cut: bool = False  # there are edges that were counted, not looked at
    region: Region | None = field(default=None, compare=False)  # what was found, drawn or not
    # For `within`, by side, once they are asked for.
    _distances: dict[bool, dict[Key, int]] = field(default_factory=dict[bool, dict["Key", int]], compare=False)

    def whole(self) -> Neighbourhood:
        return Neighbourhood(self.keys, self.ties)

    def within(self, up: int, down: int) -> Neighbourhood:
        above, below = self._steps(down=False), self._steps(down=True)
        near = {key for key in self.keys if above.get(key, up + 1) <= up or below.get(key, down + 1) <= down}
        kept = tuple(key for key in self.keys if key in near)
        drawn = tuple(tie for tie in self.ties if tie.upstream in near and tie.downstream in near)
        return Neighbourhood(kept, drawn, len(self.keys) - len(kept))

    def _steps(self, *, down: bool) -> dict[Key, int]:
        """How many drawn lines there are from the focus to each thing on one side of it."""
        if (known := self._distances.get(down)) is not None:
            return known
        beside: dict[Key, list[Key]] = {}
        for tie in self.ties:
            start, end = (tie.upstream, tie.downstream) if down else (tie.downstream, tie.upstream)
            beside.setdefault(start, []).append(end)
        found: dict[Key, int] = {self.focus: 0}
        level: list[Key] = [self.focus]
        for here in level:
            for end in beside.get(here, ()):
                if end not in found:
                    found[end] = found[here] + 1
                    level.append(end)
        self._distances[down] = found
        return found


def surroundings(graph: Graph, focus: Ref, detail: Detail, asked: Asked | None = None) -> Surroundings:
    """Everything on the way to and from `focus`. A fan shows `OPENED` more for each time that it was opened."""
    asked = asked or Asked()
    told = explore(graph, focus, asked, detail.bounds)
    region = believed(told, asked.unbelieved)
    keys, ties = _drawn(region)
    if not detail.runs:
        keys, ties = _without_runs(keys, ties, focus)
    keys, ties, sole = _folded(graph, keys, ties, region, detail.fan, Counter(asked.opened))
    ties = _reduced(ties, sole)
    if asked.left_out:
        keys, ties = _bridged(keys, ties, {key for key in keys if key != focus and key.kind in asked.left_out})
    shown = set(keys)
    more = {
        side: n
        for side in sorted(region.unexplored | asked.closed)
        if side.ref in shown and (n := unseen(graph, region, side))
    }
    evidence = Counter(edge.evidence for edge in told.edges.values())
    return Surroundings(
        focus, tuple(keys), tuple(ties), more, told.counts(), evidence, region.fans, bool(told.more), region
    )


def neighbourhood(graph: Graph, focus: Ref, detail: Detail, asked: Asked | None = None) -> Neighbourhood:
    """The part of `graph` around `focus` that `detail` shows."""
    return surroundings(graph, focus, detail, asked).within(detail.up, detail.down)


def anchor(ref: Ref | None) -> Ref | None:
    """What the drawing is about: `ref`, or what holds it where it has no lines of its own, as a DAG run has none."""
    here = ref
    while here is not None and here.kind in LEFT_OUT and here.kind is not Kind.EXPERIMENT and here.parent is not None:
        here = here.parent
    return here


def why(edge: Edge) -> str:
    said = f"{edge.upstream.name} {edge.relation.value} {edge.downstream.name}: {edge.evidence.value}"
    if edge.evidence is Evidence.INFERRED:
        said += f" {edge.score:.2f}"
    return said + (f", {edge.reason}" if edge.reason else "")


def _drawn(region: Region) -> tuple[list[Key], list[Tie]]:
    """What was found, in the order of the flow: the farthest ancestor first."""
    up = [ref for ref, fan in region.fans.items() if not fan.downstream]
    down = [ref for ref, fan in region.fans.items() if fan.downstream]
    up.sort(key=lambda ref: -region.fans[ref].distance)  # stable
    keys: list[Key] = [*up, region.focus, *down]
    held = set(keys)
    strongest: dict[tuple[Key, Key], Tie] = {}
    for edge in region.edges.values():
        if edge.upstream in held and edge.downstream in held:
            _keep(strongest, Tie(edge.upstream, edge.downstream, edge.evidence, (edge,)))
    return keys, list(strongest.values())


def _keep(ties: dict[tuple[Key, Key], Tie], tie: Tie) -> None:
    """The strongest tie of each pair, with the edges of all."""
    ends = tie.upstream, tie.downstream
    other = ties.get(ends)
    if other is None:
        ties[ends] = tie
        return
    strong, weak = (tie, other) if _ORDER[tie.evidence] > _ORDER[other.evidence] else (other, tie)
    edges = (
        ()
        if isinstance(ends[0], Fold) or isinstance(ends[1], Fold)
        else tuple(dict.fromkeys(strong.edges + weak.edges))
    )
    ties[ends] = Tie(*ends, strong.evidence, edges)


def _joined(a: Tie, b: Tie) -> Tie:
    evidence = min(a.evidence, b.evidence, key=lambda e: _ORDER[e])
    return Tie(a.upstream, b.downstream, evidence, a.edges + b.edges)


def _without_runs(keys: list[Key], ties: list[Tie], focus: Ref) -> tuple[list[Key], list[Tie]]:
    """Join what feeds a run to the versions it registered, and leave the run out; an alias is told by its version."""
    out = {tie.upstream for tie in ties}
    told = {k for k in keys if k.kind is Kind.RUN and k != focus and k in out}
    told |= {k for k in keys if k.kind is Kind.ALIAS and k != focus and k not in out}
    return _bridged(keys, ties, told)


def _bridged(keys: Sequence[Key], ties: Sequence[Tie], left_out: set[Key]) -> tuple[list[Key], list[Tie]]:
    """Without some keys: what led to one of them leads to what it led to."""
    into: dict[Key, dict[Key, Tie]] = {}
    out: dict[Key, dict[Key, Tie]] = {}
    for tie in ties:
        into.setdefault(tie.downstream, {})[tie.upstream] = tie
        out.setdefault(tie.upstream, {})[tie.downstream] = tie
    for key in keys:
        if key not in left_out:
            continue
        before, after = into.pop(key, {}), out.pop(key, {})
        for tie in before.values():
            del out[tie.upstream][key]
        for tie in after.values():
            del into[tie.downstream][key]
        for a in before.values():
            for b in after.values():
                if a.upstream != b.downstream and b.downstream not in out.setdefault(a.upstream, {}):
                    joined = _joined(a, b)
                    out[a.upstream][b.downstream] = joined
                    into.setdefault(b.downstream, {})[a.upstream] = joined
    kept = [key for key in keys if key not in left_out]
    return kept, [tie for key in kept for tie in out.get(key, {}).values()]


def _folded(
    graph: Graph, keys: list[Key], ties: list[Tie], region: Region, most: int, opened: Counter[Fan]
) -> tuple[list[Key], list[Tie], set[tuple[Key, Key]]]:
    """The keys and ties with folds in the place of what they stand for, and the ends of ties that are the only one of
    something folded: no longer path tells them, whatever one there is through others of the same fold."""
    fans: dict[Fan, list[Ref]] = {fan: [] for fan in region.more}
    for key in keys:
        if isinstance(key, Ref) and key in region.fans:
            fans.setdefault(region.fans[key], []).append(key)
    stands_for: dict[Key, Key] = {}
    folds: dict[Fan, Fold] = {}
    for fan, refs in fans.items():
        total = len(refs) + region.more[fan]
        room = most + OPENED * opened[fan]
        if total <= room:
            continue
        shown = set(_foremost(graph, fan.kind, refs, region)[: room - 1])
        rest = tuple(ref for ref in refs if ref not in shown)
        fold = folds[fan] = Fold(fan, total - len(refs) + len(rest), rest[:_NAMED])
        stands_for.update(dict.fromkeys(rest, fold))
    leaving, coming = Counter(tie.upstream for tie in ties), Counter(tie.downstream for tie in ties)
    sole: set[tuple[Key, Key]] = set()
    merged: dict[tuple[Key, Key], Tie] = {}
    for tie in ties:
        ends = stands_for.get(tie.upstream, tie.upstream), stands_for.get(tie.downstream, tie.downstream)
        if ends[0] == ends[1]:
            continue
        alone = leaving[tie.upstream] == 1, coming[tie.downstream] == 1
        to_fold = isinstance(ends[0], Fold) or isinstance(ends[1], Fold)
        if to_fold and any(isinstance(end, Fold) and one for end, one in zip(ends, alone, strict=True)):
            sole.add(ends)
        _keep(merged, Tie(*ends, tie.evidence, () if to_fold else tie.edges))
    for fan, hubs in region.hubs.items():
        for hub in hubs if fan in folds else ():
            ends = (hub, folds[fan]) if fan.downstream else (folds[fan], hub)
            if stands_for.get(hub, hub) == hub and ends not in merged:
                merged[ends] = Tie(*ends, Evidence.DECLARED, ())
                sole.add(ends)
    shown_keys = dict.fromkeys(stands_for.get(key, key) for key in keys)
    shown_keys.update(dict.fromkeys(folds.values()))
    tied = {end for tie in merged.values() for end in (tie.upstream, tie.downstream)}
    return [key for key in shown_keys if key in tied or key == region.focus], list(merged.values()), sole


def _foremost(graph: Graph, kind: Kind, refs: Sequence[Ref], region: Region) -> list[Ref]:
    """What a fan shows first: what has an alias, then the newest; else the order in which it was defined."""
    if kind is Kind.MODEL_VERSION:
        aliased = {up for up, down, _ in region.edges if down.kind is Kind.ALIAS}
        for model in {ref.parent for ref in refs}:
            node = graph.get(model) if model else None
            numbers = (node.facts.get("aliases") or {}).values() if node else ()
            aliased |= {ref for ref in refs if ref.parent == model and ref.name in {str(n) for n in numbers}}
        return sorted(refs, key=lambda ref: (ref not in aliased, -int(ref.name) if ref.name.isdecimal() else 0))
    if kind is not Kind.RUN:
        return list(refs)
    if len(refs) <= _RANKED:
        starts = {node.ref: str(node.facts.get("start") or "") for node in graph.get_all(refs)}
        return sorted(refs, key=lambda ref: starts.get(ref, ""), reverse=True)
    seen = dict.fromkeys(refs, 0.0)
    for edge in region.edges.values():
        if edge.downstream in seen and edge.seen_at is not None:
            seen[edge.downstream] = max(seen[edge.downstream], edge.seen_at.timestamp())
    return sorted(refs, key=lambda ref: -seen[ref])


def _reduced(ties: Sequence[Tie], sole: set[tuple[Key, Key]]) -> list[Tie]:
    """Without the edges that a longer path of edges says too; those between `sole` ends, and those that close a cycle,
    stay."""
    number: dict[Key, int] = {}
    for tie in ties:
        number.setdefault(tie.upstream, len(number))
        number.setdefault(tie.downstream, len(number))
    ends = [(number[tie.upstream], number[tie.downstream]) for tie in ties]
    closing = closing_edges(len(number), ends)
    below: list[list[int]] = [[] for _ in number]
    for end in ends:
        if end not in closing:
            below[end[0]].append(end[1])
    # What can be reached from each, as the bits of a number, from the far end on; then an edge is told by another way
    # where the other ends beside it reach its own.
    reach = [0] * len(number)
    for here in reversed(_flow(below)):
        for there in below[here]:
            reach[here] |= reach[there] | 1 << there
    longer = [0] * len(number)
    for here, others in enumerate(below):
        for there in others:
            longer[here] |= reach[there]
    return [
        tie
        for tie, (a, b) in zip(ties, ends, strict=True)
        if (a, b) in closing or (tie.upstream, tie.downstream) in sole or not longer[a] >> b & 1
    ]


def _flow(below: Sequence[Sequence[int]]) -> list[int]:
    """The things of a graph without cycles, each before those below it."""
    waiting = [0] * len(below)
    for others in below:
        for there in others:
            waiting[there] += 1
    order = [here for here, n in enumerate(waiting) if not n]
    for here in order:
        for there in below[here]:
            waiting[there] -= 1
            if not waiting[there]:
                order.append(there)
    return order
