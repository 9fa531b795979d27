"""The whole drawing in a corner, and which part of it is in sight: drag to look elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.panels import marks
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold
from e2e_ml.desktop.panels.lineage.plan import EMPTY, Plan
from e2e_ml.desktop.panels.signs import Tone

WIDEST, HIGHEST = 200, 132  # px
_PAD = 6


class Minimap(QWidget):
    moved = Signal(QPointF)  # look there: a point of the drawing

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("minimap")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("The whole drawing: drag to look elsewhere")
        self.setAccessibleName("Map of the whole drawing")
        self._plan: Plan = EMPTY
        self._look: Look | None = None
        self._seen = QRectF()
        self._picture: QPixmap | None = None
        self._scale = 1.0

    def show_plan(self, plan: Plan, look: Look) -> None:
        self._plan, self._look, self._picture = plan, look, None
        drawing = plan.drawing
        if drawing.width > 0 and drawing.height > 0:
            self._scale = min((WIDEST - 2 * _PAD) / drawing.width, (HIGHEST - 2 * _PAD) / drawing.height)
            width, height = drawing.width * self._scale, drawing.height * self._scale
            self.resize(max(64, round(width) + 2 * _PAD), max(40, round(height) + 2 * _PAD))
        self.update()

    def show_sight(self, seen: QRectF) -> None:
        """Which part of the drawing is in sight."""
        if seen != self._seen:
            self._seen = seen
            self.update()

    def at(self, point: QPointF) -> QPointF:
        """The point of the drawing under a point of the map."""
        return QPointF((point.x() - _PAD) / self._scale, (point.y() - _PAD) / self._scale)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if self._look is None:
            return
        if self._picture is None:
            self._picture = self._paint(self._look)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        s, accent = self._scale, self._look.colour("accent")
        seen = QRectF(
            self._seen.x() * s + _PAD, self._seen.y() * s + _PAD, self._seen.width() * s, self._seen.height() * s
        )
        wash = QColor(accent)
        wash.setAlpha(28)
        painter.setPen(QPen(accent, 1.2))
        painter.setBrush(wash)
        painter.drawRect(seen.intersected(QRectF(self.rect()).adjusted(1, 1, -1, -1)))
        painter.end()

    def _paint(self, look: Look) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.colour("line"), 1))
        painter.setBrush(look.colour("panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        s = self._scale
        for key, place in self._plan.drawing.places.items():
            face = self._plan.faces[key]
            box = QRectF(place.x * s + _PAD, place.y * s + _PAD, max(place.width * s, 2), max(place.height * s, 1.5))
            painter.setBrush(look.colour("accent" if face.focus else "line" if isinstance(key, Fold) else "dim"))
            painter.setOpacity(1.0 if face.focus else 0.6)
            painter.drawRect(box)
            if face.sign and face.sign.tone in (Tone.WARN, Tone.BAD):
                painter.setOpacity(1.0)
                spot = QRectF(box.center().x() - 3, box.center().y() - 3, 6, 6)
                marks.draw_mark(painter, spot, face.sign.tone, look.theme)
        painter.end()
        return picture

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.moved.emit(self.at(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.moved.emit(self.at(event.position()))
