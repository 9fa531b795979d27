"""What hangs loose: a page at the right with what no model uses, what nothing makes, and what nobody reads."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operation, Operations
from e2e_ml.desktop.panels.consequences import Line, loose_ends
from e2e_ml.desktop.panels.rich import RichLabel
from e2e_ml.desktop.panels.section import Section
from e2e_ml.desktop.theme import GRID

ORIGIN = "loose ends"
Lists = list[tuple[str, list[Line]]]


class LooseEnds(QWidget):
    closed = Signal()

    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        operations: Operations,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("looseEnds")
        self._lifecycle, self._focus, self._appearance, self._operations = lifecycle, focus, appearance, operations
        self._asking: Operation[Lists] | None = None
        title = QLabel("What hangs loose", self)
        title.setProperty("role", "title")
        close = QToolButton(self)
        close.setObjectName("copyId")
        close.setText("Close")
        close.setCursor(Qt.CursorShape.PointingHandCursor)
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(close)
        self._sheet = QWidget(self)
        self._sheet.setObjectName("inspectorSheet")
        self._column = QVBoxLayout(self._sheet)
        self._column.setContentsMargins(0, 0, GRID, 0)
        self._column.setSpacing(2 * GRID)
        self.sections: dict[str, tuple[Section, RichLabel]] = {}
        area = QScrollArea(self)
        area.setObjectName("inspectorScroll")
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._sheet)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, GRID + 4, GRID, GRID)
        column.setSpacing(2 * GRID)
        column.addLayout(head)
        column.addWidget(area, 1)
        self._column.addStretch(1)
        lifecycle.changed.connect(self._on_news)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.ask()

    def _on_news(self) -> None:
        if self.isVisible():
            self.ask()

    def ask(self) -> None:
        """Look anew, off the UI thread: a large lifecycle has thousands of things to look at."""
        if self._asking is not None:
            self._asking.cancel()
        graph = self._lifecycle.graph
        self._asking = self._operations.run_quietly(lambda: loose_ends(graph))
        self._asking.success(self._show).start()

    def _show(self, lists: Lists) -> None:
        for place, (heading, lines) in enumerate(lists):
            if heading not in self.sections:
                section, label = Section(heading, self._sheet), RichLabel(self._appearance, self._sheet)
                label.chosen.connect(lambda ref: self._focus.set(ref, ORIGIN))
                section.body.addWidget(label)
                self._column.insertWidget(place, section)
                self.sections[heading] = (section, label)
            self.sections[heading][1].show_lines(lines)
