"""What the mouse points at in a drawing: hover, rest, click and drag, cursor and tooltip."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip, QWidget

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Key
from e2e_ml.desktop.panels.lineage.plan import Plan
from e2e_ml.desktop.panels.lineage.walking import line_tip
from e2e_ml.desktop.panels.lineage.zooming import Zooming

_REST = 140  # ms that the mouse rests on a box before its ways are lit
_DRAG = 4  # px that a click may move


class Pointing(Zooming):
    clicked = Signal(QPointF)  # in the scene
    double_clicked = Signal(QPointF)
    hovered = Signal()  # the mouse is over another box or line, or over none
    rested = Signal()  # and stays there

    def __init__(self, look: Look, parent: QWidget | None, *, large: bool) -> None:
        super().__init__(look, parent, large=large)
        self._hover: Key | None = None
        self._hover_line: int | None = None
        self._rested: Key | None = None  # what the mouse rests on
        self._pressed_at: QPoint | None = None
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.setInterval(_REST)
        self._rests.timeout.connect(self._rest)

    def lay(self, plan: Plan, look: Look) -> None:
        super().lay(plan, look)
        # What lay under the mouse may be gone, or stand elsewhere.
        self._hover = self._hover if self._hover in plan.faces else None
        self._rested = self._rested if self._rested in plan.faces else None
        self._hover_line = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at, pressed = event.position().toPoint(), self._pressed_at
        self._pressed_at = None
        self._show_cursor(self.mapToScene(at))
        if pressed is None or (at - pressed).manhattanLength() > _DRAG:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(self.mapToScene(at))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit(self.mapToScene(event.position().toPoint()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons():
            return
        at = self.mapToScene(event.position().toPoint())
        key = self._sheet.box_at(at)
        if key is None and (side := self._sheet.knob_at(at)) is not None:
            key = side.ref  # a knob reaches out of its box
        line = self._sheet.line_at(at) if key is None else None
        if (key, line) != (self._hover, self._hover_line):
            self._hover, self._hover_line = key, line
            if self._large:
                self._rests.start()
            self.hovered.emit()
        self._show_cursor(at)

    def _show_cursor(self, at: QPointF) -> None:
        hit = self._sheet.box_at(at) is not None or (self._large and self._hover_line is not None)
        hit = hit or (self._large and self._sheet.knob_at(at) is not None)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hit else Qt.CursorShape.ArrowCursor)

    def _rest(self) -> None:
        """The ways of what the mouse rests on are lit; where it rests on none, those of what is chosen."""
        if self._rested != self._hover:
            self._rested = self._hover
            self.rested.emit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._rests.stop()
        self._hover = self._hover_line = self._rested = None
        self.rested.emit()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos()), self.viewport())
            return True
        return super().viewportEvent(event)

    def tip_at(self, at: QPoint) -> str:
        """What is said of what lies under a point of the viewport."""
        point = self.mapToScene(at)
        if (side := self._sheet.knob_at(point)) is not None:
            more = self._plan.around.more.get(side, 0) if self._plan.around else 0
            where = "downstream" if side.downstream else "upstream"
            return f"Show {words.count(more, 'more thing')} {where} (E)" if more else f"Put away what is {where} (C)"
        if (key := self._sheet.box_at(point)) is not None:
            return self._plan.faces[key].tip
        if (number := self._sheet.line_at(point)) is None:
            return ""
        line = self._sheet.line(number)
        return line_tip(line.tie, turned=line.route.turned)
