"""The window's copy of the lifecycle: one graph snapshot, replaced whole when the collectors bring news.

Panels read it on the UI thread and never wait: a snapshot is in memory and immutable.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index.given import graph_of

LARGE = 20_000  # things; from there on a panel paints what is seen first, and the rest in the loop's next turn


class Lifecycle(QObject):
    changed = Signal()

    def __init__(self, graph: Graph | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._graph = graph or graph_of()

    @property
    def graph(self) -> Graph:
        return self._graph

    def replace(self, graph: Graph) -> None:
        self._graph = graph
        self.changed.emit()
