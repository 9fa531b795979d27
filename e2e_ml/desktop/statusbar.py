"""The line below everything: the services, how old the graph is, and what is being done now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.statedot import StateDot
from e2e_ml.desktop.theme import GRID
from e2e_ml.stack.service import State, Status

HEIGHT = 28  # px


class ServiceMark(QWidget):
    pressed = Signal()

    def __init__(self, title: str, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self._title = title
        self._dot = StateDot(appearance, self)
        self.label = QLabel(title, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._dot)
        row.addWidget(self.label)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_status(self, status: Status) -> None:
        self._dot.show_state(status.state)
        word = status.version or "" if status.state is State.UP else status.state.value
        self.label.setText(f"{self._title} {word}".rstrip())
        self.setToolTip(status.sentence)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()


class StatusBar(QWidget):
    services = Signal()

    def __init__(
        self,
        titles: dict[str, str],
        lifecycle: Lifecycle,
        operations: Operations,
        appearance: Appearance,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("statusBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._lifecycle, self._operations = lifecycle, operations
        self.read_at: Callable[[], datetime | None] = lambda: None  # when the services were last read
        self._told: tuple[str, float | None] | None = None
        self._marks = {name: ServiceMark(title, appearance, self) for name, title in titles.items()}
        self._graph = QLabel(self)
        self._activity = ElidedLabel("", self)
        self._activity.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setFixedSize(96, 4)
        self._progress.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, 0, GRID + 4, 0)
        row.setSpacing(2 * GRID)
        for mark in self._marks.values():
            mark.pressed.connect(self.services)
            row.addWidget(mark)
        row.addWidget(self._graph)
        row.addWidget(self._activity, 1)
        row.addWidget(self._progress)
        operations.changed.connect(self._show_activity)
        lifecycle.changed.connect(self._show_graph)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._show_graph)
        self._clock.start()
        self._show_graph()

    def update_status(self, status: Status) -> None:
        if status.service in self._marks:
            self._marks[status.service].show_status(status)

    def tell(self, text: str, fraction: float | None = None) -> None:
        """Show what is being done outside the operations, e.g. a step of the demo; an empty text ends it."""
        self._told = (text, fraction) if text else None
        self._show_activity()

    @property
    def activity(self) -> str:
        return self._activity.text()

    def _show_graph(self) -> None:
        things, read_at = len(self._lifecycle.graph), self.read_at()
        if read_at is None:
            self._graph.setText(f"{words.count(things, 'node')} from last time" if things else "nothing read yet")
            return
        now = datetime.now(UTC)
        age = "graph just read" if (now - read_at).total_seconds() < 10 else f"graph {words.age(read_at, now)} old"
        self._graph.setText(f"{age} · {words.count(things, 'node')}")
        self._graph.setToolTip(f"Read {words.exact(read_at)}")

    def _show_activity(self) -> None:
        text, fraction = self._told or ("", None)
        if not text and self._operations.running:
            newest = self._operations.running[-1]
            text, fraction = newest.text or newest.title, newest.fraction
        self._activity.setText(text if fraction is None or not text else f"{text} · {fraction:.0%}".replace("%", " %"))
        self._progress.setVisible(bool(text) and fraction is not None)
        if fraction is not None:
            self._progress.setRange(0, 100)
            self._progress.setValue(round(fraction * 100))
