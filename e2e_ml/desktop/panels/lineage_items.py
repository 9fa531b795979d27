"""The boxes and lines of the lineage drawing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPainterPathStroker, QPen
from PySide6.QtWidgets import (
    QGraphicsItem,
    QGraphicsPathItem,
    QGraphicsSceneHoverEvent,
    QStyleOptionGraphicsItem,
    QWidget,
)

from e2e_ml.desktop.panels import glyphs, marks
from e2e_ml.desktop.panels.layering import Place
from e2e_ml.desktop.panels.neighbourhood import Fold, Key, Tie
from e2e_ml.desktop.panels.signs import Sign
from e2e_ml.desktop.theme import SMALL, TEXT, Theme
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Kind

_MARK = 7.0


@dataclass(frozen=True, slots=True)
class Face:
    """What a box shows."""

    key: Key
    label: str
    caption: str  # "" in a small drawing
    sign: Sign | None
    star: bool  # the champion
    focus: bool
    gone: bool
    tip: str


def box_size(face: Face, base: QFont, most: float) -> tuple[float, float]:
    """Width and height of a face; a longer label is cut in the middle."""
    size = TEXT if face.caption else SMALL
    label = QFontMetricsF(marks.font(base, size, QFont.Weight.DemiBold)).horizontalAdvance(face.label)
    caption = QFontMetricsF(marks.font(base, SMALL)).horizontalAdvance(face.caption)
    width = 2 * _pad(face) + max(label + _before(face) + _after(face), caption + _before(face)) + 1
    return min(width, most), 42.0 if face.caption else 26.0


def _pad(face: Face) -> float:
    return 9.0 if face.caption else 7.0


def _before(face: Face) -> float:
    return glyphs.SIZE + 5 if _has_glyph(face) else 0.0


def _has_glyph(face: Face) -> bool:
    """A small drawing is mostly features: there only the other kinds are marked."""
    return not isinstance(face.key, Fold) and (bool(face.caption) or face.key.kind is not Kind.FEATURE)


def _after(face: Face) -> float:
    return (_MARK + 6 if face.sign else 0) + (13 if face.star else 0)


class NodeItem(QGraphicsItem):
    def __init__(self, face: Face, place: Place, theme: Theme, base: QFont) -> None:
        super().__init__()
        self.face, self.place = face, place
        self._theme, self._base = theme, base
        self._hover = False
        self.under_keys = False  # the keyboard stands on it
        self.setPos(place.x, place.y)
        self.setAcceptHoverEvents(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(face.tip)
        self.setZValue(1)

    def boundingRect(self) -> QRectF:
        return QRectF(-3, -3, self.place.width + 6, self.place.height + 6)

    def hoverEnterEvent(self, event: QGraphicsSceneHoverEvent) -> None:
        self._hover = True
        self.update()
        super().hoverEnterEvent(event)

    def hoverLeaveEvent(self, event: QGraphicsSceneHoverEvent) -> None:
        self._hover = False
        self.update()
        super().hoverLeaveEvent(event)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        del option, widget
        theme, face = self._theme, self.face
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0.5, 0.5, self.place.width - 1, self.place.height - 1)
        self._frame(painter, box)
        ink = QColor(
            theme.accent if face.focus else theme.dim if face.gone or isinstance(face.key, Fold) else theme.ink
        )
        left = box.left() + _pad(face) - 0.5
        top_half = QRectF(box.left(), box.top() + 5, box.width(), 17) if face.caption else box
        if not isinstance(face.key, Fold) and _has_glyph(face) and self._has_room():
            sign_ink = QColor(theme.accent if face.focus else theme.dim)
            at = QPointF(left, top_half.center().y() - glyphs.SIZE / 2)
            glyphs.draw_kind(painter, at, face.key.kind, sign_ink)
            left += glyphs.SIZE + 5
        right = box.right() - _pad(face) + 0.5
        if face.sign:
            marks.draw_mark(
                painter, QRectF(right - _MARK, top_half.center().y() - _MARK / 2, _MARK, _MARK), face.sign.tone, theme
            )
            right -= _MARK + 6
        if face.star:
            glyphs.draw_star(painter, QPointF(right - 5, top_half.center().y()), 6, QColor(theme.ok))
            right -= 13
        font = marks.font(
            self._base, TEXT if face.caption else SMALL, QFont.Weight.DemiBold if face.focus else QFont.Weight.Normal
        )
        _line(painter, QRectF(left, top_half.top(), right - left, top_half.height()), face.label, font, ink)
        if face.caption:
            room = QRectF(left, box.top() + 21, box.right() - _pad(face) - left, 15)
            _line(painter, room, face.caption, marks.font(self._base, SMALL), QColor(theme.dim))

    def _has_room(self) -> bool:
        """Whether a small box has room for its glyph: where a name would be cut for it, the name goes first."""
        label = QFontMetricsF(marks.font(self._base, SMALL, QFont.Weight.DemiBold)).horizontalAdvance(self.face.label)
        room = self.place.width - 2 * _pad(self.face) - _after(self.face) - _before(self.face)
        return bool(self.face.caption) or label <= room + 1

    def _frame(self, painter: QPainter, box: QRectF) -> None:
        theme, face = self._theme, self.face
        edge = QPen(QColor(theme.accent if face.focus else theme.dim if self._hover else theme.line), 1)
        if isinstance(face.key, Fold) or face.gone:
            edge.setDashPattern([3, 3])
        painter.setPen(edge)
        painter.setBrush(QColor(theme.accent_soft if face.focus else theme.panel if face.caption else theme.bg))
        painter.drawRoundedRect(box, 6, 6)
        if self.under_keys:
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(-2, -2, 2, 2), 8, 8)


def _line(painter: QPainter, room: QRectF, text: str, font: QFont, ink: QColor) -> None:
    painter.setFont(font)
    painter.setPen(ink)
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideMiddle, room.width() + 0.5)
    painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


class TieItem(QGraphicsPathItem):
    """A curved line; dashed where inferred, dotted against the flow of a cycle. Its evidence is its tooltip."""

    def __init__(
        self, tie: Tie, points: tuple[tuple[float, float], ...], turned: bool, lit: bool, theme: Theme
    ) -> None:
        super().__init__()
        self.tie = tie
        self.setPath(_curve(points))
        pen = QPen(QColor(theme.accent if lit else theme.dim), 1.4 if lit else 1.1)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        if tie.evidence is Evidence.INFERRED:
            pen.setDashPattern([4, 3.5])
        elif turned:
            pen.setDashPattern([0.5, 3])
        self.setPen(pen)
        self.setOpacity(1.0 if lit else 0.65)
        self.setToolTip(tie.reason + ("\nIt closes a cycle." if turned else ""))

    def shape(self) -> QPainterPath:
        wide = QPainterPathStroker()
        wide.setWidth(9)  # a line is hard to hit
        return wide.createStroke(self.path())


def _curve(points: tuple[tuple[float, float], ...]) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 == y1:
            path.lineTo(x1, y1)
            continue
        bend = (x1 - x0) / 2
        path.cubicTo(x0 + bend, y0, x1 - bend, y1, x1, y1)
    return path
