"""The inspector's sections that follow from walks over the whole graph: what is late upstream, what a change touches,
what sets a version apart. A hub has thousands of things downstream; to count them takes milliseconds.
"""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels.consequences import Line, consequences
from e2e_ml.desktop.panels.rich import RichLabel
from e2e_ml.desktop.panels.section import Section
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref


class WhatFollows(QObject):
    chosen = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.trouble, self.troubles = self._section("Late or failed upstream", appearance, parent)
        self.impact, self.touched = self._section("If it changes", appearance, parent)
        self.comparison, self.differences = self._section("Compared", appearance, parent)

    def _section(self, title: str, appearance: Appearance, parent: QWidget) -> tuple[Section, RichLabel]:
        section = Section(title, parent)
        label = RichLabel(appearance, section)
        label.chosen.connect(self.chosen)
        section.body.addWidget(label)
        return section, label

    def tell(self, graph: Graph, ref: Ref, now: datetime) -> None:
        """Show what follows from `ref`. An empty section is hidden."""
        found = consequences(graph, ref, now)
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
