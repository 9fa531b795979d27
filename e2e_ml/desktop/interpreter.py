"""Python beside an event loop: what runs in the interpreter must not hold the window."""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QObject, QTimer

_TURN = 0.0001  # s that a thread keeps the interpreter while the window waits for it; Python's own is 5 ms
_LOOK = 1_000  # ms
_YOUNG, _MIDDLE, _OLD = 700, 10, 10  # Python's own thresholds


class Interpreter(QObject):
    """From now on cycles are collected on the UI thread alone, and what is there already is left out.

    Python would collect on whichever thread happens to make an object, and a widget that goes there takes the program
    with it. Modules, widgets and the graph stay as long as the window does: to look through them again and again would
    hold the event loop for tens of milliseconds each time.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.collect()
        gc.freeze()
        gc.disable()
        # A paint event gives the interpreter away dozens of times: each time a busy thread would keep it for a turn.
        sys.setswitchinterval(_TURN)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(_LOOK)

    def collect(self) -> None:
        young, middle, old = gc.get_count()
        if old > _OLD:
            gc.collect(2)
        elif middle > _MIDDLE:
            gc.collect(1)
        elif young > _YOUNG:
            gc.collect(0)
