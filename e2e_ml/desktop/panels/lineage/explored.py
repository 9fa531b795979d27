"""What lies around a focus, looked at in bounds: however many edges a thing has, some are looked at and the rest is
counted. Reads the graph's structure alone, no facts. Pure, no Qt.

Ancestors and descendants are found step by step. Where a hub was passed, the whole walk, which costs little, tells how
many things of each kind there are, and leads to some of those that only lie behind what was not looked at.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.lineage.graph import NOT_FLOW, Edge, Graph, Relation, Walk
from e2e_ml.refs import Kind, Ref

# Drawn only when they are in focus themselves: they tell what the drawn edges say already.
LEFT_OUT = frozenset(
    {
        Kind.ASSET, Kind.TASK, Kind.TASK_INSTANCE, Kind.DAG_RUN, Kind.EXPERIMENT, Kind.LOGGED_MODEL, Kind.PROJECT,
        Kind.COLUMN,
    }
)  # fmt: skip
OPENED = 24  # things that a fan shows more each time it is opened: thousands at once are no drawing


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is looked at, by what there is room to show: the rest is counted."""

    depth: int = 14  # edges from the focus
    hub: int = 160  # edges of a thing up to which each of them is looked at
    sample: int = 40  # edges of a hub that are looked at
    looks: int = 600  # edges that are looked at on one side of the focus, all in all
    wide: int = 48  # things of a fan whose own edges are looked at
    behind: int = 8  # things of each kind that are led to though they lie behind what was not looked at


@dataclass(slots=True)
class Region:
    """`fans` has everything that was found but the focus; `more`, how many belong to a fan besides, unseen."""

    focus: Ref
    bounds: Bounds
    fans: dict[Ref, Fan] = field(default_factory=dict[Ref, Fan])
    edges: dict[tuple[Ref, Ref, Relation], Edge] = field(default_factory=dict[tuple[Ref, Ref, Relation], Edge])
    more: Counter[Fan] = field(default_factory=Counter[Fan])
    hubs: dict[Fan, dict[Ref, None]] = field(default_factory=dict[Fan, dict[Ref, None]])  # what the unseen hang on
    unexplored: set[Side] = field(default_factory=set[Side])

    def __contains__(self, ref: Ref) -> bool:
        return ref == self.focus or ref in self.fans

    def note(self, edge: Edge) -> None:
        self.edges[edge.upstream, edge.downstream, edge.relation] = edge

    def count(self, fan: Fan, more: int, hub: Ref | None) -> None:
        if more > 0:
            self.more[fan] += more
            hubs = self.hubs.setdefault(fan, {})
            if hub is not None:
                hubs[hub] = None

    def counts(self) -> Counter[Kind]:
        """How many things of each kind there are around the focus, seen or not."""
        found = Counter(ref.kind for ref in self.fans)
        for fan, n in self.more.items():
            found[fan.kind] += n
        return found


def explore(graph: Graph, focus: Ref, asked: Asked, bounds: Bounds) -> Region:
    """Everything on the way to and from `focus`, and what stands beside a thing that was expanded."""
    region = Region(focus, bounds)
    sides = {down: _Explorer(graph, region, asked, down).go() for down in (False, True)}
    for down, cut in sides.items():
        if cut and not any(side.downstream is down for side in asked.closed):
            _complete(graph, region, down=down)
    for side in asked.expanded:
        _beside(graph, region, side)
    _merge_datasets(region)
    return region


def unseen(graph: Graph, region: Region, side: Side) -> int:
    """How many drawn things lie directly on a side of a thing that the region does not hold."""
    if graph.degree(side.ref, down=side.downstream) > region.bounds.hub:
        held = sum(1 for up, down, _ in region.edges if (up if side.downstream else down) == side.ref)
        counts = graph.walk(side.ref, down=side.downstream, depth=1).counts()
        return max(0, sum(n for kind, n in counts.items() if kind not in LEFT_OUT) - held)
    return sum(_drawn(ref) and ref not in region for ref in {_end(e, side.downstream) for e in _edges(graph, side)})


@dataclass(slots=True)
class _Explorer:
    """One side of the focus, level by level; `go` says whether anything was only counted."""

    graph: Graph
    region: Region
    asked: Asked
    down: bool
    deeper: int = 0  # times that a person asked for more: so much further everything is looked at
    looks: int = 0
    cut: bool = False
    seen: set[Ref] = field(default_factory=set[Ref])

    def go(self) -> bool:
        self.deeper = len(self.asked.opened) + len(self.asked.expanded)
        region, level = self.region, [self.region.focus]
        self.seen.add(region.focus)
        for distance in range(1, region.bounds.depth + 1):
            found: dict[Ref, None] = {}
            for here in level:
                found.update(self._look(here, distance))
            wide: Counter[Kind] = Counter()
            level = []
            for ref in found:
                fan = Fan(ref.kind, self.down, distance)
                known = region.fans.get(ref)
                if known is None or known.distance > distance:
                    region.fans[ref] = fan
                wide[ref.kind] += 1
                if wide[ref.kind] <= region.bounds.wide + OPENED * self.deeper:
                    level.append(ref)
                else:
                    self.cut = True
            if not level:
                return self.cut
        region.unexplored.update(Side(ref, self.down) for ref in level)
        return self.cut

    def _look(self, here: Ref, distance: int) -> Iterator[tuple[Ref, None]]:
        side = Side(here, self.down)
        spent = self.looks > self.region.bounds.looks * (1 + self.deeper)
        if side in self.asked.closed or spent:
            self.region.unexplored.add(side)
            self.cut |= spent
            return
        edges, more = _look(self.graph, side, self.region.bounds, OPENED * self.deeper)
        self.looks += len(edges)
        for edge in edges:
            there = _end(edge, self.down)
            if not _drawn(there) or _aside(self.region.focus, here, edge, down=self.down):
                continue
            self.region.note(edge)
            if there not in self.seen:
                self.seen.add(there)
                yield there, None
        for kind, n in more.items():
            self.cut = True
            self.region.count(Fan(kind, self.down, distance), n, here)


def _look(graph: Graph, side: Side, bounds: Bounds, more: int = 0) -> tuple[list[Edge], Counter[Kind]]:
    """The edges on a side of a thing; of a hub some of each kind, and how many things of each drawn kind besides."""
    if graph.degree(side.ref, down=side.downstream) <= bounds.hub:
        return _edges(graph, side), Counter()
    step = graph.walk(side.ref, down=side.downstream, depth=1)
    edges = _edges(graph, side, bounds.sample + more)
    seen = {_end(edge, side.downstream) for edge in edges}
    counts = {kind: n for kind, n in step.counts().items() if kind not in LEFT_OUT}
    for kind in counts:
        few = max(0, bounds.behind - sum(ref.kind is kind for ref in seen))
        for ref in [ref for ref in islice(step.refs(kind), 2 * bounds.behind) if ref not in seen][:few]:
            edges.append(step.edge(ref))
            seen.add(ref)
    for ref in _named(graph, side.ref, bounds.sample):
        if ref in step and ref not in seen:
            edges.append(step.edge(ref))
            seen.add(ref)
    shown = Counter(ref.kind for ref in seen)
    return edges, Counter({kind: n - shown[kind] for kind, n in counts.items() if n > shown[kind]})


def _named(graph: Graph, ref: Ref, most: int) -> list[Ref]:
    """The versions of a model that have an alias: with thousands of versions, those are the ones that matter."""
    if ref.kind is not Kind.REGISTERED_MODEL or (node := graph.get(ref)) is None:
        return []
    numbers = sorted({str(number) for number in (node.facts.get("aliases") or {}).values()})
    return [Ref(Kind.MODEL_VERSION, ref.instance, (ref.keys[0], number), ref.scheme) for number in numbers[:most]]


def _complete(graph: Graph, region: Region, *, down: bool) -> None:
    """Count what only lies behind hubs, and lead to some of it through what hides it."""
    walk = graph.walk(region.focus, down=down, depth=region.bounds.depth, left_out=NOT_FLOW, stop=LEFT_OUT)
    mine = Counter(ref.kind for ref, fan in region.fans.items() if fan.downstream is down)
    counted: Counter[Kind] = Counter()
    for fan, n in region.more.items():
        if fan.downstream is down:
            counted[fan.kind] += n
    for kind, total in walk.counts().items():
        if kind in LEFT_OUT or total <= mine[kind] + counted[kind]:
            _clamp(region, kind, total - mine[kind], down=down)
            continue
        led = 0
        last: Ref | None = None
        # Those nearest to the focus come first, and are mostly known already.
        for ref in islice(walk.refs(kind), mine[kind] + region.bounds.hub):
            if ref in region or led == region.bounds.behind:
                continue
            last = _lead_to(region, walk, ref, down=down)
            led += 1
        rest = total - sum(r.kind is kind and f.downstream is down for r, f in region.fans.items()) - counted[kind]
        if last is not None:
            edge = walk.edge(last)
            region.count(region.fans[last], rest, edge.upstream if down else edge.downstream)


def _lead_to(region: Region, walk: Walk, ref: Ref, *, down: bool) -> Ref:
    """Take in a thing and what is on the way to it. What was counted as unseen before is now seen."""
    for distance, edge in enumerate(walk.path(ref), 1):
        there = edge.downstream if down else edge.upstream
        region.note(edge)
        if there in region:
            continue
        fan = Fan(there.kind, down, distance)
        region.fans[there] = fan
        if region.more[fan] > 0:
            region.more[fan] -= 1
    return ref


def _clamp(region: Region, kind: Kind, most: int, *, down: bool) -> None:
    """Two hubs may share what hangs on them: never count more than there are."""
    fans = sorted(f for f in region.more if f.kind is kind and f.downstream is down)
    excess = sum(region.more[fan] for fan in fans) - max(0, most)
    for fan in reversed(fans):
        taken = min(max(0, excess), region.more[fan])
        region.more[fan] -= taken
        excess -= taken


def _beside(graph: Graph, region: Region, side: Side) -> None:
    """What lies directly on a side of a thing, whether or not the focus has to do with it."""
    if side.ref not in region:
        return
    edges, more = _look(graph, side, region.bounds)
    for edge in edges:
        there = _end(edge, side.downstream)
        if not _drawn(there):
            continue
        region.note(edge)
        if there not in region:
            region.fans[there] = Fan(there.kind, side.downstream, 0, side.ref)
            region.unexplored.add(Side(there, side.downstream))
    for kind, n in more.items():
        region.count(Fan(kind, side.downstream, 0, side.ref), n, side.ref)
    region.unexplored.discard(side)


def _merge_datasets(region: Region) -> None:
    """A dataset that stands for a source or a view is drawn as that one, unless it is in focus."""
    stands = {
        edge.upstream: edge.downstream
        for edge in region.edges.values()
        if edge.relation is Relation.STANDS_FOR and edge.upstream.kind is Kind.DATASET and edge.upstream != region.focus
    }
    if not stands:
        return

    def one(ref: Ref) -> Ref:
        passed: set[Ref] = set()
        while ref in stands and ref not in passed:
            passed.add(ref)
            ref = stands[ref]
        return ref

    edges, region.edges = list(region.edges.values()), {}
    for edge in edges:
        up, down = one(edge.upstream), one(edge.downstream)
        if up != down:
            key = (up, down, edge.relation)
            region.edges[key] = (
                edge if key == (edge.upstream, edge.downstream, edge.relation) else _moved(edge, up, down)
            )
    for ref in stands:
        if (into := one(ref)) != ref:
            fan = region.fans.pop(ref, None)
            if fan is not None and into not in region:
                region.fans[into] = fan._replace(kind=into.kind)
    for hubs in region.hubs.values():
        for ref in list(hubs):
            if ref in stands:
                del hubs[ref]
                hubs[one(ref)] = None


def _moved(edge: Edge, up: Ref, down: Ref) -> Edge:
    return Edge(up, down, edge.relation, edge.evidence, edge.reason, edge.score, edge.seen_at)


def believed(region: Region, unbelieved: Iterable[object]) -> Region:
    """What is left of a region where edges of some evidence are not believed: what the others tie to the focus."""
    refused = frozenset(unbelieved)
    if not refused:
        return region
    edges = {key: edge for key, edge in region.edges.items() if edge.evidence not in refused}
    beside: dict[Ref, list[Ref]] = {}
    for up, down, _ in edges:
        beside.setdefault(up, []).append(down)
        beside.setdefault(down, []).append(up)
    reached, waiting = {region.focus}, deque([region.focus])
    while waiting:
        for there in beside.get(waiting.popleft(), ()):
            if there not in reached:
                reached.add(there)
                waiting.append(there)
    fans = {ref: fan for ref, fan in region.fans.items() if ref in reached}
    hubs = {fan: {ref: None for ref in hubs if ref in reached} for fan, hubs in region.hubs.items()}
    more = Counter({fan: n for fan, n in region.more.items() if hubs.get(fan)})
    unexplored = {side for side in region.unexplored if side.ref in reached}
    kept = {key: edge for key, edge in edges.items() if key[0] in reached and key[1] in reached}
    return Region(region.focus, region.bounds, fans, kept, more, hubs, unexplored)


def _edges(graph: Graph, side: Side, limit: int | None = None) -> list[Edge]:
    return graph.downstream(side.ref, limit) if side.downstream else graph.upstream(side.ref, limit)


def _end(edge: Edge, down: bool) -> Ref:
    return edge.downstream if down else edge.upstream


def _drawn(ref: Ref) -> bool:
    return ref.kind not in LEFT_OUT


def _aside(focus: Ref, here: Ref, edge: Edge, *, down: bool) -> bool:
    """An edge that leads away from the story: the keys of a view matter beside the view, not far downstream; that an
    asset sets a DAG off matters beside either."""
    if edge.relation in NOT_FLOW:
        return here != focus
    if down:
        return False
    return edge.upstream.kind is Kind.ENTITY and focus.kind not in (Kind.FEATURE_VIEW, Kind.ENTITY, Kind.FEATURE)
