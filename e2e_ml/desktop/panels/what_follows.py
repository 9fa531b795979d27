"""The inspector's sections that follow from walks over the whole graph: what is late upstream, what a change touches,
what sets a version apart. A hub has thousands of things downstream, so they are asked behind the window.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.operations import Operation, Operations
from e2e_ml.desktop.panels.consequences import Consequences, Line, consequences
from e2e_ml.desktop.panels.rich import RichLabel
from e2e_ml.desktop.panels.section import Section
from e2e_ml.desktop.panels.spans import quiet
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref

_PAUSE = 40  # ms that the focus rests before they are asked: what is read first is painted by then, and not held up
_LOOKING = quiet("Looking at what stands on it …")


class WhatFollows(QObject):
    chosen = Signal(object)
    filled = Signal()

    def __init__(self, appearance: Appearance, parent: QWidget, operations: Operations | None) -> None:
        """Without `operations` they are asked on the spot."""
        super().__init__(parent)
        self._operations = operations
        self._ref: Ref | None = None
        self._ask: Callable[[], Consequences] | None = None
        self._asking: Operation[Consequences] | None = None
        self.trouble, self.troubles = self._section("Late or failed upstream", appearance, parent)
        self.impact, self.touched = self._section("If it changes", appearance, parent)
        self.comparison, self.differences = self._section("Compared", appearance, parent)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE)
        self._pause.timeout.connect(self._begin)

    def _section(self, title: str, appearance: Appearance, parent: QWidget) -> tuple[Section, RichLabel]:
        section = Section(title, parent)
        label = RichLabel(appearance, section)
        label.chosen.connect(self.chosen)
        section.body.addWidget(label)
        return section, label

    @property
    def is_behind(self) -> bool:
        """Whether something is still to be filled in."""
        return self._pause.isActive() or self._asking is not None

    def tell(self, graph: Graph, ref: Ref, now: datetime) -> None:
        """Fill in what follows from `ref`. Of another one nothing is left standing; answers for that are dropped."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self._operations is None:
            self._show(consequences(graph, ref, now))
            return
        if ref != self._ref:
            self._show(Consequences(touched=[_LOOKING] if graph.degree(ref, down=True) else []))
        self._ref, self._ask = ref, lambda: consequences(graph, ref, now)
        self._pause.start()

    def _begin(self) -> None:
        if self._operations is not None and self._ask is not None:
            self._asking = self._operations.run_quietly(self._ask).success(self._take).start()

    def _take(self, found: Consequences) -> None:
        self._asking = None
        self._show(found)
        self.filled.emit()

    def _show(self, found: Consequences) -> None:
        """An empty section is hidden."""
        if found.other is not None:
            self.comparison.heading.setText(f"Compared with v{found.other.name}")
        told: tuple[tuple[Section, RichLabel, list[Line]], ...] = (
            (self.trouble, self.troubles, found.troubles),
            (self.impact, self.touched, found.touched),
            (self.comparison, self.differences, found.differences),
        )
        for section, label, lines in told:
            label.show_lines(lines)
            section.setVisible(bool(lines))
