"""Layered drawing of a directed graph, left to right: places for boxes and bends for lines. Pure, no Qt.

The steps are Sugiyama's: turn the edges that close a cycle, put every box into a layer to the right of all that feed
it, give long edges a slot in each layer they cross, order the layers so that few edges cross (barycentre sweeps), and
set the heights so that edges run straight where they can. Deterministic: equal input gives an equal drawing.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_SWEEPS = 8
_SLOT = 6.0  # the height that an edge takes where it passes a layer
_MIDDLES = ((0.0, 0.0),)  # one line from middle to middle


@dataclass(frozen=True, slots=True)
class Box(Generic[K]):
    key: K
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    x: float
    y: float
    width: float
    height: float
    layer: int

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Route(Generic[K]):
    """An edge as it was given, and the points it passes from the right side of one box to the left side of another."""

    start: K
    end: K
    points: tuple[tuple[float, float], ...]
    turned: bool = False  # it closes a cycle and is drawn against the flow
    port: int = 0  # which of the pair's ports, where it was given some


@dataclass(frozen=True, slots=True)
class Drawing(Generic[K]):
    places: dict[K, Place]
    routes: tuple[Route[K], ...]
    width: float
    height: float


Ports = Mapping[tuple[K, K], Sequence[tuple[float, float]]]


def arrange(
    boxes: Sequence[Box[K]],
    edges: Sequence[tuple[K, K]],
    *,
    gap_x: float = 40,
    gap_y: float = 12,
    ports: Ports[K] | None = None,
    even: bool = False,
) -> Drawing[K]:
    """Place `boxes` so that none overlap and every edge that closes no cycle goes right.

    Edges name boxes by key; equal ones are drawn once, an edge from a box to itself is left out. `ports` gives pairs
    of boxes that several lines join, and where those leave and reach them: px below the middles of the boxes. `even`
    makes the boxes of a layer as wide as the widest of them.
    Raises KeyError for an edge whose end is no box.
    """
    index = {box.key: i for i, box in enumerate(boxes)}
    given = [(index[a], index[b]) for a, b in dict.fromkeys(edges) if a != b]
    turned = closing_edges(len(boxes), given)
    forward = sorted({(b, a) if (a, b) in turned else (a, b) for a, b in given})
    layer = _layers(len(boxes), forward)
    slots = _Slots.of(boxes, forward, layer)
    _order(slots)
    tops = _heights(slots, gap_y)

    widths = [0.0] * len(slots.layers)
    for i, box in enumerate(boxes):
        widths[layer[i]] = max(widths[layer[i]], box.width)
    lefts: list[float] = []
    for n, _ in enumerate(widths):
        lefts.append(lefts[-1] + widths[n - 1] + gap_x if n else 0.0)

    places: dict[K, Place] = {}
    for i, box in enumerate(boxes):
        width = widths[layer[i]] if even else box.width
        x = lefts[layer[i]] + (widths[layer[i]] - width) / 2
        places[box.key] = Place(x, tops[i], width, box.height, layer[i])
    routes: list[Route[K]] = []
    for a, b in given:
        is_turned = (a, b) in turned
        chain = slots.chains[(b, a) if is_turned else (a, b)]
        first, last = places[boxes[chain[0]].key], places[boxes[chain[-1]].key]
        for port, offsets in enumerate((ports or {}).get((boxes[a].key, boxes[b].key), _MIDDLES)):
            leave, reach = (offsets[1], offsets[0]) if is_turned else offsets
            out, into = first.middle + leave, last.middle + reach
            # Out of the layer straight before bending: a narrow box's line must not cross a wide neighbour.
            points = [(first.right, out), (lefts[first.layer] + widths[first.layer], out)]
            for slot in chain[1:-1]:
                left, y = lefts[slots.layer[slot]], tops[slot] + _SLOT / 2
                points += [(left, y), (left + widths[slots.layer[slot]], y)]
            points += [(lefts[last.layer], into), (last.x, into)]
            if is_turned:
                points.reverse()
            routes.append(Route(boxes[a].key, boxes[b].key, tuple(points), is_turned, port))
    height = max((p.y + p.height for p in places.values()), default=0.0)
    height = max([height, *(y for route in routes for _, y in route.points)])
    width = max((p.right for p in places.values()), default=0.0)
    return Drawing(places, tuple(routes), width, height)


def layers_of(keys: Sequence[K], edges: Iterable[tuple[K, K]]) -> list[int]:
    """The layer in which `arrange` puts each of `keys`, found in a fraction of its time."""
    index = {key: i for i, key in enumerate(keys)}
    given = [(index[a], index[b]) for a, b in dict.fromkeys(edges) if a != b]
    turned = closing_edges(len(keys), given)
    return _layers(len(keys), sorted({(b, a) if (a, b) in turned else (a, b) for a, b in given}))


def width_of(boxes: Sequence[Box[K]], layers: Sequence[int], *, gap_x: float = 40) -> float:
    """How wide `arrange` makes the drawing of boxes that stand in these layers."""
    widths: dict[int, float] = {}
    for number, box in zip(layers, boxes, strict=True):
        widths[number] = max(widths.get(number, 0.0), box.width)
    return sum(widths.values()) + gap_x * max(0, max(layers, default=0))


Edge = tuple[int, int]


def closing_edges(n: int, edges: Iterable[Edge]) -> set[Edge]:
    """The edges that close a cycle in a depth-first walk; without them the graph has none."""
    below: list[list[int]] = [[] for _ in range(n)]
    fed = [False] * n
    for a, b in edges:
        below[a].append(b)
        fed[b] = True
    state = [0] * n  # 0 unseen, 1 on the path, 2 done
    closing: set[Edge] = set()
    # Beginning where nothing feeds keeps the natural direction of what a cycle hangs on.
    for start in sorted(range(n), key=lambda i: fed[i]):
        if state[start]:
            continue
        state[start] = 1
        path = [(start, iter(below[start]))]
        while path:
            here, rest = path[-1]
            for there in rest:
                if state[there] == 1:
                    closing.add((here, there))
                elif state[there] == 0:
                    state[there] = 1
                    path.append((there, iter(below[there])))
                    break
            else:
                state[here] = 2
                path.pop()
    return closing


def _layers(n: int, edges: Sequence[Edge]) -> list[int]:
    """The longest path from the left, then what feeds only the far right is drawn close to it."""
    below: list[list[int]] = [[] for _ in range(n)]
    waiting = [0] * n
    for a, b in edges:
        below[a].append(b)
        waiting[b] += 1
    layer = [0] * n
    ready = [i for i in range(n) if not waiting[i]]
    order: list[int] = []
    while ready:
        here = ready.pop()
        order.append(here)
        for there in below[here]:
            layer[there] = max(layer[there], layer[here] + 1)
            waiting[there] -= 1
            if not waiting[there]:
                ready.append(there)
    has_upstream = {b for _, b in edges}
    for here in reversed(order):
        if below[here] and here not in has_upstream:
            layer[here] = min(layer[there] for there in below[here]) - 1
    lowest = min(layer, default=0)
    return [number - lowest for number in layer]


@dataclass(slots=True)
class _Slots:
    """Boxes and, after them, the slots that long edges take in the layers they cross."""

    layer: list[int]
    height: list[float]
    layers: list[list[int]]  # the slots of each layer, top to bottom
    up: list[list[int]]
    down: list[list[int]]
    chains: dict[Edge, list[int]]
    boxes: int

    @classmethod
    def of(cls, boxes: Sequence[Box[K]], edges: Sequence[Edge], layer: Sequence[int]) -> _Slots:
        made = cls(list(layer), [box.height for box in boxes], [], [], [], {}, len(boxes))
        for a, b in edges:
            chain = [a]
            for number in range(layer[a] + 1, layer[b]):
                chain.append(len(made.layer))
                made.layer.append(number)
                made.height.append(_SLOT)
            chain.append(b)
            made.chains[(a, b)] = chain
        made.up = [[] for _ in made.layer]
        made.down = [[] for _ in made.layer]
        for chain in made.chains.values():
            for a, b in pairwise(chain):
                made.down[a].append(b)
                made.up[b].append(a)
        made.layers = [[] for _ in range(max(made.layer, default=-1) + 1)]
        for slot, number in enumerate(made.layer):
            made.layers[number].append(slot)
        return made


def _order(slots: _Slots) -> None:
    """Sweep right and left, each layer ordered by the mean place of its neighbours; the best order seen stays."""
    place = [0] * len(slots.layer)
    for level in slots.layers:
        for i, slot in enumerate(level):
            place[slot] = i
    best = [list(level) for level in slots.layers]
    least = crossings(slots.layers, slots.down)
    idle = 0
    for sweep in range(_SWEEPS):
        if not least or idle == 3:
            break
        rightwards = sweep % 2 == 0
        near = slots.up if rightwards else slots.down
        for level in slots.layers[1:] if rightwards else slots.layers[-2::-1]:
            mean = {s: sum([place[o] for o in near[s]]) / len(near[s]) if near[s] else place[s] for s in level}
            level.sort(key=mean.__getitem__)  # stable: equal means keep their order
            for i, slot in enumerate(level):
                place[slot] = i
        idle += 1
        if (now := crossings(slots.layers, slots.down)) < least:
            least, best, idle = now, [list(level) for level in slots.layers], 0
    slots.layers = best


def crossings(layers: Sequence[Sequence[int]], down: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross between neighbouring layers."""
    total = 0
    for left, right in pairwise(layers):
        place = {slot: i for i, slot in enumerate(right)}
        passed: list[int] = []  # the ends of the edges above, sorted: those below an edge's own end cross it
        for slot in left:
            for end in sorted([place[o] for o in down[slot]]):
                total += len(passed) - bisect_right(passed, end)
                insort(passed, end)
    return total


def _heights(slots: _Slots, gap: float) -> list[float]:
    """The top of every slot: pulled towards its neighbours, pushed apart until nothing overlaps, never above 0."""
    middle = [0.0] * len(slots.layer)
    for level in slots.layers:
        y = 0.0
        for slot in level:
            middle[slot] = y + slots.height[slot] / 2
            y += slots.height[slot] + gap
        shift = y / 2
        for slot in level:
            middle[slot] -= shift
    for sweep in range(_SWEEPS):
        levels = slots.layers if sweep % 2 == 0 else slots.layers[::-1]
        for level in levels:
            wanted: list[float] = []
            for slot in level:
                near = slots.up[slot] + slots.down[slot]
                wanted.append(sum(middle[o] for o in near) / len(near) if near else middle[slot])
            for slot, y in zip(level, _apart(level, wanted, slots.height, gap), strict=True):
                middle[slot] = y
    top = min((middle[s] - slots.height[s] / 2 for s in range(len(middle))), default=0.0)
    return [middle[s] - slots.height[s] / 2 - top for s in range(len(middle))]


def _apart(level: Sequence[int], wanted: Sequence[float], height: Sequence[float], gap: float) -> list[float]:
    """The middles nearest to `wanted` (least squares) that keep the order and the gaps: pools of adjacent slots."""
    # Subtracting each slot's offset in the packed column turns "apart by at least" into "not decreasing".
    offsets: list[float] = []
    for i, slot in enumerate(level):
        offsets.append(offsets[-1] + (height[level[i - 1]] + height[slot]) / 2 + gap if i else 0.0)
    pools: list[tuple[float, int]] = []  # mean, size
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]
