"""Brings a workbench to where the tour can begin, and plays it there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

from e2e_ml.desktop.session import Session
from e2e_ml.desktop.tour.player import Player, TourError
from e2e_ml.desktop.tour.story import NotReadyError, tell
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.stack import State

LOOK_EVERY = 500  # ms
WITHIN = 240_000  # ms for the services to come up and for the graph to hold what the story speaks of


def guide(workbench: Workbench) -> None:
    """Take the person at the window through the tour; where it cannot be told, say why."""

    def done(error: Exception | None) -> None:
        if error is not None:
            workbench.window.notices.tell("tour", "There is no tour to take", str(error))

    workbench.window.notices.take_back("tour")
    Guide(workbench, None, done).start()


class Guide(QObject):
    """Waits for the services and for the graph, then plays. `done` hears None, or why the tour could not be seen."""

    def __init__(self, workbench: Workbench, folder: Path | None, done: Callable[[Exception | None], object]) -> None:
        super().__init__(workbench.window)
        self._workbench, self._folder, self._done = workbench, folder, done
        self._why = ""
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY)
        self._timer.timeout.connect(self._try)

    def start(self) -> None:
        if self._folder is not None:
            # Pictures are of the window as it is at first, not as somebody left it.
            session = Session()
            session = session.model_copy(update={"explorer_open": True, "inspector_open": True})
            self._workbench.window.restore(session)
        self._since.start()
        self._timer.start()

    def _try(self) -> None:
        waiting = [s.title for s in self._workbench.stack.services.values() if s.status().state is not State.UP]
        if waiting:
            self._wait(f"{' and '.join(waiting)} did not come up. `e2e-ml logs` shows why.")
            return
        try:
            steps = tell(self._workbench.lifecycle.graph)
        except NotReadyError as error:
            if self._folder is None:  # a person need not wait for what may never come
                self._timer.stop()
                self._done(TourError(f"The tour tells the story of the flights demo. {error}"))
                return
            self._workbench.reader.refresh_now()
            self._wait(str(error))
            return
        self._timer.stop()
        player = Player(self._workbench, steps, self._folder)
        player.finished.connect(self._done)
        player.start()

    def _wait(self, why: str) -> None:
        if self._since.elapsed() > WITHIN:
            self._timer.stop()
            self._done(TourError(f"The tour could not begin. {why}"))
