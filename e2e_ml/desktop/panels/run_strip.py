"""A DAG's recent runs as a row of shapes, the newest at the right; each tells itself on hover and opens on a click."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels import marks
from e2e_ml.desktop.panels.pipelines import PastRun

_CELL = 15
_MARK = 8


class RunStrip(QWidget):
    chosen = Signal(object)  # the Ref of a DAG run

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self._runs: tuple[PastRun, ...] = ()
        self._at = -1  # under the keyboard
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        appearance.changed.connect(self.update)

    @property
    def runs(self) -> tuple[PastRun, ...]:
        return self._runs

    def show_runs(self, runs: tuple[PastRun, ...]) -> None:
        self._runs = runs
        self._at = len(runs) - 1
        self.setVisible(bool(runs))
        told = ", ".join(run.sign.word for run in reversed(runs))
        self.setAccessibleName(f"Recent runs, newest first: {told}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(_CELL * len(self._runs), 16)

    def _shown(self) -> tuple[PastRun, ...]:
        return self._runs[-max(1, self.width() // _CELL) :]

    def run_at(self, point: QPoint) -> PastRun | None:
        place = point.x() // _CELL
        shown = self._shown()
        return shown[place] if 0 <= place < len(shown) else None

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self._appearance.theme
        offset = len(self._runs) - len(self._shown())
        for place, run in enumerate(self._shown()):
            box = QRectF(place * _CELL, (self.height() - _MARK) / 2, _MARK, _MARK)
            marks.draw_mark(painter, box, run.sign.tone, theme)
            if self.hasFocus() and place + offset == self._at:
                painter.setPen(QPen(marks.ink(run.sign.tone, theme), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(box.adjusted(-3, -3, 3, 3).translated(0, 0), 4, 4)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = self.run_at(event.position().toPoint())
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        run = self.run_at(event.position().toPoint())
        if run is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(run.ref)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and self._runs:
            self._at = min(max(self._at + step, 0), len(self._runs) - 1)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._runs:
            self.chosen.emit(self._runs[self._at].ref)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            run = self.run_at(event.pos())
            QToolTip.showText(event.globalPos(), run.sign.tip if run else "", self)
            return True
        return super().event(event)
