"""Plays the tour: leads the window to each step, waits until what the step speaks of is seen, and tells it.

With a folder it goes on by itself and takes a picture of each step; a step that is not seen in time ends the tour.
Without one the person goes on, with the keys or the buttons.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.tour import evidence, gallery, pointer
from e2e_ml.desktop.tour.callout import Callout
from e2e_ml.desktop.tour.story import Enlarge, Follow, Search, Step
from e2e_ml.desktop.workbench import Workbench

ORIGIN = "tour"
LOOK_EVERY = 250  # ms
WITHIN = 60_000  # ms for a step to be seen; a first load on a busy machine takes long
PATIENCE = 3_000  # ms for a page's answer; one that is just being replaced never gives it
AGAIN = 2_000  # ms after which a click that led nowhere is made again, as a person would
STEADY = 6  # looks in a row that found everything, so that no page is pictured half drawn


class TourError(Exception):
    """A step was not seen; the message says which, and what of it was missing."""


class Player(QObject):
    finished = Signal(object)  # None, or the TourError

    def __init__(self, workbench: Workbench, steps: Sequence[Step], folder: Path | None = None) -> None:
        super().__init__(workbench.window)
        self._workbench, self._steps, self._folder = workbench, list(steps), folder
        self._window = workbench.window
        self._number = 0
        self._acted = False
        self._steady = 0
        self._missing: list[str] = []
        self._over = False
        self._since = QElapsedTimer()
        self._question = 0  # counts what was asked; the answer to an older question is not heard
        self._asked: QElapsedTimer | None = None
        self._clicked = QElapsedTimer()
        self._clicked_at: str | None = None  # the page's place then
        self._callout = Callout(workbench.appearance, self._window)
        self._callout.next_requested.connect(lambda: self._go(+1))
        self._callout.back_requested.connect(lambda: self._go(-1))
        self._callout.end_requested.connect(lambda: self._end(None))
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY)
        self._timer.timeout.connect(self._look)
        self._keys = [
            self._key(Qt.Key.Key_Right, lambda: self._go(+1)),
            self._key(Qt.Key.Key_Left, lambda: self._go(-1)),
            self._key(Qt.Key.Key_Escape, lambda: self._end(None)),
        ]

    def _key(self, key: Qt.Key, then: object) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key), self._window)
        shortcut.activated.connect(then)
        return shortcut

    def start(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._begin()

    @property
    def step(self) -> Step:
        return self._steps[self._number]

    # --- a step -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        step = self.step
        self._acted = step.act is None
        self._steady = 0
        self._missing = []
        self._question += 1
        self._asked = None
        self._window.palette_box.hide()
        if self._window.lineage.isVisible():
            self._window.toggle_lineage()
        self._window.show_stage(step.stage)
        if step.focus is not None:
            self._workbench.focus.set(step.focus, ORIGIN)
        if step.beside in self._window.web:
            self._window.canvas.lead(step.beside)
        self._since.restart()
        self._tell("")
        self._timer.start()

    def _look(self) -> None:
        if self._over:
            return
        if self._asked is not None and self._asked.elapsed() < PATIENCE:
            return
        if self._asked is not None:
            self._missing = self._missing or ["an answer of the page"]
            self._check_time()
            if self._over:
                return
        self._question += 1
        self._asked = QElapsedTimer()
        self._asked.start()
        number = self._question
        if self._acted:
            evidence.look(
                self._window, self._workbench.focus, self.step.expects, lambda missing: self._seen(number, missing)
            )
        else:
            self._act(number)

    def _act(self, number: int) -> None:
        match self.step.act:
            case Follow(service, ends_with):
                view = self._window.web[service]
                if view.driver.driving:  # the page is still on its way to where the link is
                    self._did(number, False, f"the page of {view.title}")
                    return
                self._clicked.start()
                self._clicked_at = view.driver.path
                pointer.click_link(view, ends_with, lambda found: self._did(number, found, f"a link to {ends_with}"))
            case Search(text):
                self._window.palette_box.open(text)
                self._did(number, True, "")
            case Enlarge():
                self._window.toggle_lineage()
                self._did(number, True, "")
            case None:
                self._did(number, True, "")

    def _heard(self, number: int) -> bool:
        """Whether an answer is to the question that is open now."""
        if self._over or number != self._question:
            return False
        self._asked = None
        return True

    def _did(self, number: int, done: bool, wanted: str) -> None:
        if self._heard(number):
            self._acted = done
            self._missing = [] if done else [wanted]
            self._check_time()

    def _seen(self, number: int, missing: list[str]) -> None:
        if not self._heard(number):
            return
        self._missing = missing
        self._steady = 0 if missing else self._steady + 1
        act = self.step.act
        if missing and isinstance(act, Follow) and self._clicked.elapsed() > AGAIN:
            self._acted = self._window.web[act.service].driver.path != self._clicked_at
        if self._steady >= STEADY:
            self._timer.stop()
            self._tell("")
            # The bubble is painted before the picture is taken.
            QTimer.singleShot(LOOK_EVERY, self, self._picture)
        else:
            self._check_time()

    def _check_time(self) -> None:
        if self._missing and self._since.elapsed() > WITHIN:
            if self._folder is None:
                self._tell("waiting for " + self._missing[0])
                return
            picture = self._save(self._folder, "failed.png")
            self._end(
                TourError(
                    f"Step {self._number + 1} of the tour, “{self.step.title}”, was not seen within "
                    f"{WITHIN // 1000} s. Missing: {'; '.join(self._missing)}. The window as it was: {picture}."
                )
            )

    def _tell(self, status: str) -> None:
        anchor = self._anchor()
        self._callout.show_step(self.step, self._number + 1, len(self._steps), anchor, status=status)
        if self._folder is None:
            self._callout.setFocus()

    def _anchor(self) -> QRect:
        """Where what the step talks about stands, in the window's coordinates."""
        window = self._window
        if self.step.beside == "lineage" and window.lineage.isVisible():
            # The drawing fills the middle; its lower corner has nothing drawn in it.
            return QRect(window.lineage.mapTo(window, window.lineage.rect().topLeft()), window.lineage.size())
        parts: dict[str, QWidget] = {
            "explorer": window.explorer,
            "inspector": window.inspector,
            "lineage": window.inspector.lineage,
            "palette": window.palette_box,
            **window.web,
        }
        part = parts[self.step.beside]
        return QRect(part.mapTo(window, part.rect().topLeft()), part.size())

    # --- on -----------------------------------------------------------------------------------------------------------

    def _picture(self) -> None:
        if self._over or self._folder is None:
            return
        self._save(self._folder, gallery.picture_name(self._number + 1, self.step))
        self._go(+1)

    def _save(self, folder: Path, name: str) -> Path:
        # A picture is there whole or not at all.
        handle, fresh = tempfile.mkstemp(suffix=".png", dir=folder)
        os.close(handle)
        try:
            self._window.grab().save(fresh, "PNG")
            Path(fresh).chmod(0o644)
            return Path(fresh).replace(folder / name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(fresh).unlink()

    def _go(self, by: int) -> None:
        if self._over:
            return
        self._timer.stop()
        if self._number + by >= len(self._steps):
            if self._folder is not None:
                gallery.write(self._folder, self._steps)
            self._end(None)
            return
        self._number = max(0, self._number + by)
        self._begin()

    def _end(self, error: TourError | None) -> None:
        if self._over:
            return
        self._over = True
        self._timer.stop()
        self._window.palette_box.hide()
        self._callout.hide()
        self._callout.deleteLater()
        for key in self._keys:
            key.setEnabled(False)
            key.deleteLater()
        self.finished.emit(error)
