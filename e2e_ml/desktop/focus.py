"""The one `Ref` that the person is looking at, and the history of those before it.

Panels and web views listen to `changed` and call `set`. The origin says who moved the focus, so that a web view does
not navigate in answer to its own click.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from e2e_ml.refs import Ref

HISTORY = 200  # steps kept for back and forward


class Focus(QObject):
    changed = Signal(object, str)  # the new Ref, who moved it ("tree", "airflow", "palette", ...)
    history_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._trail: list[Ref] = []
        self._at = -1

    @property
    def current(self) -> Ref | None:
        return self._trail[self._at] if self._at >= 0 else None

    @property
    def can_go_back(self) -> bool:
        return self._at > 0

    @property
    def can_go_forward(self) -> bool:
        return self._at + 1 < len(self._trail)

    def set(self, ref: Ref, origin: str) -> None:
        """Look at `ref`; the same one again changes nothing."""
        if ref == self.current:
            return
        self._trail = [*self._trail[: self._at + 1], ref][-HISTORY:]
        self._at = len(self._trail) - 1
        self._announce(ref, origin)

    def back(self) -> None:
        self._step(-1)

    def forward(self) -> None:
        self._step(+1)

    def _step(self, by: int) -> None:
        if 0 <= self._at + by < len(self._trail):
            self._at += by
            self._announce(self._trail[self._at], "history")

    def _announce(self, ref: Ref, origin: str) -> None:
        self.changed.emit(ref, origin)
        self.history_changed.emit()
