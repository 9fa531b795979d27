"""The whole drawing as one item of the scene: it paints what is exposed, and knows what lies under a point.

One item instead of thousands: a plan is put up in no time however many boxes it has, and what is not seen costs
nothing. The layers are the index: a point lies in one of them, and the boxes of a layer are sorted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath, QPainterPathStroker
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from e2e_ml.desktop.panels.lineage import painting
from e2e_ml.desktop.panels.lineage.asked import Side
from e2e_ml.desktop.panels.lineage.layering import Place
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Key
from e2e_ml.desktop.panels.lineage.painting import KNOB, Part
from e2e_ml.desktop.panels.lineage.plan import EMPTY, Line, Plan
from e2e_ml.lineage.graph import Edge, Relation
from e2e_ml.refs import Ref

_AROUND = 10.0  # px around a box or a line that it paints
_NEAR = 10.0  # px, the width at which a line is hit


Ends = tuple[Ref, Ref, Relation]  # what tells a link


def ends_of(edge: Edge) -> Ends:
    return edge.upstream, edge.downstream, edge.relation


@dataclass(frozen=True, slots=True)
class Standing:
    """How boxes and lines stand out now. A line is told by its ends."""

    hover: Key | None = None
    keys: Key | None = None  # under the keyboard
    chosen: Key | None = None
    hover_line: int | None = None
    chosen_line: int | None = None
    lit: frozenset[Key] | None = None  # the others are dimmed
    lit_lines: frozenset[tuple[Key, Key]] = frozenset()
    found: frozenset[Key] | None = None  # by a search; the others are dimmed
    near: Key | None = None  # lines at it are lit where nothing else is
    can_close: Mapping[Side, bool] = field(default_factory=dict[Side, bool])
    confirmed: frozenset[Ends] = frozenset()  # links that a person said are there


@dataclass(slots=True)
class _Drawn:
    """A line, ready to paint."""

    line: Line
    path: QPainterPath
    bounds: QRectF
    middle: QPointF
    arrow: float


class Sheet(QGraphicsItem):
    def __init__(self, look: Look) -> None:
        super().__init__()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)
        self.look = look
        self.plan: Plan = EMPTY
        self.standing = Standing()
        self._lines: list[_Drawn] = []
        self._layers: list[tuple[float, float, list[float], list[Key]]] = []  # left, right, tops, keys

    def show_plan(self, plan: Plan, look: Look) -> None:
        self.prepareGeometryChange()
        self.plan, self.look, self.standing = plan, look, Standing(near=plan.focus)
        layers: dict[int, list[tuple[Place, Key]]] = {}
        for key, place in plan.drawing.places.items():
            layers.setdefault(place.layer, []).append((place, key))
        self._layers = []
        for _, found in sorted(layers.items()):
            found.sort(key=lambda entry: entry[0].y)
            left, right = min(p.x for p, _ in found), max(p.right for p, _ in found)
            self._layers.append((left, right, [p.y for p, _ in found], [k for _, k in found]))
        self._lines = [_drawn(line) for line in plan.lines]
        self.update()

    def stand(self, standing: Standing) -> None:
        """Show how things stand out now; paints again what changed."""
        before, self.standing = self.standing, standing
        wide = (before.lit, before.found, before.near, before.lit_lines) != (
            standing.lit, standing.found, standing.near, standing.lit_lines
        )  # fmt: skip
        if wide or before.confirmed != standing.confirmed:
            self.update()
            return
        for key in {before.hover, standing.hover, before.keys, standing.keys, before.chosen, standing.chosen}:
            if key is not None and key in self.plan.drawing.places:
                self.update(self.rect_of(key).adjusted(-_AROUND, -_AROUND, _AROUND, _AROUND))
        for number in {before.hover_line, standing.hover_line, before.chosen_line, standing.chosen_line}:
            if number is not None and number < len(self._lines):
                self.update(self._lines[number].bounds)

    # --- where things are ---

    def rect_of(self, key: Key) -> QRectF:
        place = self.plan.drawing.places[key]
        return QRectF(place.x, place.y, place.width, place.height)

    def line(self, number: int) -> Line:
        return self._lines[number].line

    def middle_of(self, number: int) -> QPointF:
        return self._lines[number].middle

    def box_at(self, at: QPointF) -> Key | None:
        for left, right, tops, keys in self._layers:
            if left <= at.x() <= right and (i := bisect_right(tops, at.y()) - 1) >= 0:
                return keys[i] if self.rect_of(keys[i]).contains(at) else None
        return None

    def knob_at(self, at: QPointF) -> Side | None:
        """The + or - under a point."""
        for left, right, tops, keys in self._layers:
            if not left - 2 * KNOB <= at.x() <= right + 2 * KNOB:
                continue
            i = bisect_right(tops, at.y() + KNOB) - 1
            for key in keys[max(0, i - 1) : i + 1]:
                face = self.plan.faces[key]
                for down, more in ((False, face.more_up), (True, face.more_down)):
                    if not isinstance(key, Ref) or not (more or self._closes(key, down=down)):
                        continue
                    centre = painting.knob_centre(self.plan.drawing.places[key], down=down)
                    if (centre - at).manhattanLength() <= KNOB * 1.7:
                        return Side(key, down)
        return None

    def row_at(self, at: QPointF) -> Ref | None:
        """The column under a point."""
        key = self.box_at(at)
        face = self.plan.faces[key] if key is not None else None
        if key is None or face is None or not face.rows:
            return None
        row = int((at.y() - self.plan.drawing.places[key].y - painting.HEAD - 2) // painting.ROW)
        return face.rows[row].ref if 0 <= row < len(face.rows) else None

    def line_at(self, at: QPointF) -> int | None:
        for number, drawn in enumerate(self._lines):
            if drawn.bounds.contains(at):
                wide = QPainterPathStroker()
                wide.setWidth(_NEAR)  # a line is hard to hit
                if wide.createStroke(drawn.path).contains(at):
                    return number
        return None

    # --- painting ---

    def boundingRect(self) -> QRectF:
        drawing = self.plan.drawing
        return QRectF(0, 0, drawing.width, drawing.height).adjusted(-_AROUND, -_AROUND, _AROUND, _AROUND)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        del widget
        scale = option.levelOfDetailFromTransform(painter.worldTransform())
        self.paint_all(painter, option.exposedRect, scale)  # pyright: ignore[reportAttributeAccessIssue]

    def paint_all(self, painter: QPainter, exposed: QRectF, scale: float = 1.0) -> None:
        """What lies in `exposed`, in the drawing's own coordinates: lines first, then boxes."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, drawn in enumerate(self._lines):
            if drawn.bounds.intersects(exposed):
                self._paint_line(painter, number, drawn, scale)
        for key in self._within(exposed):
            self._paint_box(painter, key, scale)

    def _within(self, exposed: QRectF) -> Iterable[Key]:
        places = self.plan.drawing.places
        for left, right, tops, keys in self._layers:
            if left - _AROUND > exposed.right() or right + _AROUND < exposed.left():
                continue
            first = max(0, bisect_right(tops, exposed.top() - _AROUND) - 1)
            for key in keys[first:]:
                if places[key].y - _AROUND > exposed.bottom():
                    break
                yield key

    def _paint_line(self, painter: QPainter, number: int, drawn: _Drawn, scale: float) -> None:
        tie, now = drawn.line.tie, self.standing
        part = Part.NONE
        ends = tie.upstream, tie.downstream
        if number == now.chosen_line:
            part |= Part.CHOSEN
        if number == now.hover_line:
            part |= Part.HOVER
        if now.lit is not None:
            part |= Part.LIT if ends in now.lit_lines else Part.DIMMED
        elif now.found is not None:
            part |= Part.NONE if ends[0] in now.found and ends[1] in now.found else Part.DIMMED
        elif now.near in ends:
            part |= Part.LIT
        painting.paint_tie(
            painter, self.look, drawn.path, drawn.middle, tie.evidence, part, scale, turned=drawn.line.route.turned,
            confirmed=any(ends_of(edge) in now.confirmed for edge in tie.edges if now.confirmed), arrow=drawn.arrow,
        )  # fmt: skip

    def _paint_box(self, painter: QPainter, key: Key, scale: float) -> None:
        now = self.standing
        part = Part.NONE
        if key == now.hover:
            part |= Part.HOVER
        if key == now.keys:
            part |= Part.KEYS
        if key == now.chosen:
            part |= Part.CHOSEN
        is_found = now.found is not None and key in now.found
        part |= Part.FOUND if is_found else Part.NONE
        if (now.found is not None or now.lit is not None) and not is_found and key not in (now.lit or ()):
            part |= Part.DIMMED
        if isinstance(key, Ref) and key in (now.hover, now.keys, now.chosen):
            part |= Part.UP_OPEN if self._closes(key, down=False) else Part.NONE
            part |= Part.DOWN_OPEN if self._closes(key, down=True) else Part.NONE
        painting.paint_box(painter, self.look, self.plan.faces[key], self.plan.drawing.places[key], part, scale)

    def _closes(self, key: Ref, *, down: bool) -> bool:
        """A - is offered only where the mouse or the keyboard is: on every box it would be noise."""
        here = key in (self.standing.hover, self.standing.keys, self.standing.chosen)
        return here and self.standing.can_close.get(Side(key, down), False)


def _drawn(line: Line) -> _Drawn:
    points = list(line.route.points)
    path = painting.curve(line.route.points)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    bounds = QRectF(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    bounds.adjust(-_AROUND, -_AROUND, _AROUND, _AROUND)
    # The mark stands where the line first bends, so that the marks of a fan do not lie on one another.
    (x0, y0), (x1, y1) = points[-3:-1] if len(points) > 3 else points[:2]
    middle = QPointF((x0 + x1) / 2, (y0 + y1) / 2)
    return _Drawn(line, path, bounds, middle, 1.0 if points[-1][0] >= points[-2][0] else -1.0)
