"""The mark of a service's state: a shape as well as a colour, so that it is read without either alone."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels.marks import draw_mark
from e2e_ml.desktop.panels.signs import Tone
from e2e_ml.stack.service import State

SIZE = 8  # px

TONES: dict[State, Tone] = {
    State.UP: Tone.OK,
    State.STARTING: Tone.LIVE,
    State.STOPPING: Tone.WARN,
    State.STOPPED: Tone.QUIET,
    State.UNREACHABLE: Tone.BAD,
    State.FAILED: Tone.BAD,
}


class StateDot(QWidget):
    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self.state = State.STOPPED
        self.setFixedSize(QSize(SIZE + 2, SIZE + 2))
        appearance.changed.connect(self.update)

    def show_state(self, state: State) -> None:
        self.state = state
        self.setToolTip(state.value)
        self.setAccessibleName(state.value)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_mark(painter, QRectF(1, 1, SIZE, SIZE), TONES[self.state], self._appearance.theme)
        painter.end()
