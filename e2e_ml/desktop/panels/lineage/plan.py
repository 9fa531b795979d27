"""A drawing that is ready to be painted, as one value: what is shown, where each box stands, and what it says.

Made from a snapshot of the graph and a look; it may be made on any thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from e2e_ml.desktop.panels.lineage.asked import Asked, Side
from e2e_ml.desktop.panels.lineage.columns import Columns, columns_of
from e2e_ml.desktop.panels.lineage.explored import Bounds
from e2e_ml.desktop.panels.lineage.faces import Face, face, with_rows
from e2e_ml.desktop.panels.lineage.layering import Box, Drawing, Route, arrange, layers_of, width_of
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import (
    Detail,
    Key,
    Neighbourhood,
    Surroundings,
    Tie,
    surroundings,
)
from e2e_ml.desktop.panels.lineage.painting import ROW, box_size, row_middle
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref

LARGE = Detail()
# A small one has room for three or four layers, and for three things of each kind in a layer.
SMALL = Detail(fan=4, bounds=Bounds(depth=5, hub=24, sample=8, looks=96, wide=8, behind=4), runs=False)
# Lines up and down, and the widest box in px, from much to little: the first whose drawing can be read is shown.
_STEPS = ((9, 9), (3, 3), (2, 3), (1, 3), (2, 2), (1, 2), (1, 1))
_WIDTHS = (112.0, 92.0, 84.0)
_NARROWEST = 40.0  # px of a box: with too many layers, no name need be read to tell that a drawing is too wide
# A large drawing shows all; what gives way is the air. Widest box, gaps across and down, in px.
_AIR = ((216.0, 52.0, 18.0), (188.0, 36.0, 16.0), (168.0, 28.0, 14.0))
_FEW = 90  # boxes up to which the air is fitted to the room; more will be dragged in any case
EDGE = 4  # px around a small drawing
READABLE = 0.84  # a small drawing is not shown smaller than this


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the drawing, and the columns that it joins, where it does."""

    tie: Tie
    route: Route[Key]
    start: Ref | None = None
    end: Ref | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    focus: Ref | None
    around: Surroundings | None
    shown: Neighbourhood
    drawing: Drawing[Key]
    faces: dict[Key, Face]
    lines: tuple[Line, ...]
    graph: Graph | None = field(default=None, compare=False)


EMPTY = Plan(None, None, Neighbourhood((), ()), Drawing({}, (), 0, 0), {}, ())


def plan_large(graph: Graph, around: Surroundings, look: Look, now: datetime, asked: Asked, chosen: Ref | None,
               room: float) -> Plan:  # fmt: skip
    """All of `around`. `chosen` is what the person looks at, which may be a column inside a box."""
    shown = around.whole()
    columns = columns_of(graph, shown.keys) if asked.columns else Columns()
    faces = {key: _face(graph, key, now, around, columns, chosen, large=True) for key in shown.keys}
    layers = layers_of(shown.keys, _ends(shown, columns))
    for most, *gaps in _AIR if len(faces) <= _FEW else [_roomy(len(faces))]:
        boxes = [Box(key, *box_size(face, look, most)) for key, face in faces.items()]
        if width_of(boxes, layers, gap_x=gaps[0]) <= room:
            break
    return _arranged(graph, around, shown, faces, columns, boxes, gaps)  # pyright: ignore[reportPossiblyUnboundVariable]


def _roomy(boxes: int) -> tuple[float, float, float]:
    """The air of a drawing that fits nowhere: the more lines between two layers, the more room they need to be told
    apart."""
    most, across, along = _AIR[0]
    return most, min(200.0, across + boxes / 4), along


def plan_small(graph: Graph, around: Surroundings, look: Look, now: datetime, room: float) -> Plan:
    """The most that can be read at the width there is; the least of the small details where nothing can."""
    faces: dict[Key, Face] = {}
    sizes: dict[Key, tuple[float, float]] = {}
    gaps = (18.0, 8.0)

    def size(key: Key) -> tuple[float, float]:
        if key not in sizes:
            faces[key] = face(graph, key, now, focus=key == around.focus, large=False)
            sizes[key] = box_size(faces[key], look, math.inf)
        return sizes[key]

    def width(key: Key, most: float) -> float:
        return min(size(key)[0], most + 32 if key == around.focus else most)

    def fits(keys: Sequence[Key], layers: Sequence[int], most: float) -> bool:
        widths: dict[int, float] = {}
        total = gaps[0] * max(layers)
        for key, layer in zip(keys, layers, strict=True):  # until it is known: to measure a name takes its time
            more = width(key, most) - widths.get(layer, 0.0)
            if more > 0:
                widths[layer] = widths.get(layer, 0.0) + more
                total += more
            if _fitted(total) > room:
                return False
        return True

    shown, most = around.within(*_STEPS[-1]), _WIDTHS[-1]
    for up, down in _STEPS:
        some = around.within(up, down)
        layers = layers_of(some.keys, _ends(some, Columns()))
        if _fitted(max(layers) * (_NARROWEST + gaps[0])) > room or not fits(some.keys, layers, _WIDTHS[-1]):
            continue
        shown, most = some, next(each for each in _WIDTHS if fits(some.keys, layers, each))
        break
    boxes = [Box(key, width(key, most), size(key)[1]) for key in shown.keys]
    return _arranged(graph, around, shown, {key: faces[key] for key in shown.keys}, Columns(), boxes, gaps)


def _fitted(width: float) -> float:
    """How wide a small drawing is at least on the screen."""
    return (width + 2 * EDGE) * READABLE


def around_of(graph: Graph, focus: Ref, asked: Asked, *, large: bool) -> Surroundings:
    return surroundings(graph, focus, LARGE if large else SMALL, asked)


def _face(
    graph: Graph, key: Key, now: datetime, around: Surroundings, columns: Columns, chosen: Ref | None, *, large: bool
) -> Face:
    made = face(graph, key, now, focus=key == around.focus, large=large)
    if not isinstance(key, Ref):
        return made
    up, down = around.more.get(Side(key, False), 0), around.more.get(Side(key, True), 0)
    if up or down:
        made = replace(made, more_up=up, more_down=down)
    return with_rows(graph, made, columns, chosen)


def _ends(shown: Neighbourhood, columns: Columns) -> list[tuple[Key, Key]]:
    pairs = [(tie.upstream, tie.downstream) for tie in shown.ties]
    return pairs + [(tie.upstream, tie.downstream) for tie, _, _ in columns.ties]


def _arranged(
    graph: Graph, around: Surroundings, shown: Neighbourhood, faces: dict[Key, Face], columns: Columns,
    boxes: list[Box[Key]], gaps: tuple[float, ...] | list[float],
) -> Plan:  # fmt: skip
    """Each pair of boxes has one route for each of its lines: that of the boxes, and those of their columns."""
    lines: dict[tuple[Key, Key], list[tuple[Tie, Ref | None, Ref | None]]] = {}
    for tie in shown.ties:
        lines.setdefault((tie.upstream, tie.downstream), []).append((tie, None, None))
    for line in columns.ties:
        lines.setdefault((line[0].upstream, line[0].downstream), []).append(line)
    ports = {
        pair: [(_port(faces[pair[0]], start), _port(faces[pair[1]], end)) for _, start, end in told]
        for pair, told in lines.items()
        if faces[pair[0]].rows or faces[pair[1]].rows
    }
    drawing = arrange(boxes, list(lines), gap_x=gaps[0], gap_y=gaps[1], ports=ports, even=True)
    drawn = tuple(
        Line(told[0], route, told[1], told[2])
        for route in drawing.routes
        for told in [lines[route.start, route.end][route.port]]
    )
    return Plan(around.focus, around, shown, drawing, faces, drawn, graph)


def _port(face: Face, column: Ref | None) -> float:
    """Where a line leaves or reaches a box, below its middle: at its column, else at its name."""
    if not face.rows:
        return 0.0
    if column is None:
        rows = len(face.rows) + bool(face.rows_more)
        return -(rows * ROW + 5) / 2
    return row_middle(face, next(i for i, row in enumerate(face.rows) if row.ref == column))
