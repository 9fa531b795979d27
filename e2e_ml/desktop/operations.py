"""Work off the UI thread, written as a sentence: what runs, who hears of success and failure, what it is called.

    operations.run("Signing in to Airflow", service.login).success(enter).failure(show).start()

Callbacks run on the UI thread, and not at all once the operation is cancelled or its owner is gone. This is the only
place that knows threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal
from shiboken6 import isValid

log = logging.getLogger(__name__)
T = TypeVar("T")


class Control:
    """What running work may ask and say: whether it is still wanted, and how far it is."""

    def __init__(self, tell: Callable[[str, float], None]) -> None:
        self._cancelled = threading.Event()
        self._tell = tell

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def report(self, text: str, fraction: float | None = None) -> None:
        """Say what is being done and how far it is (0..1), from the working thread."""
        self._tell(text, -1.0 if fraction is None else fraction)


class _Bridge(QObject):
    """Carries results to the UI thread; it lives there."""

    succeeded = Signal(object)
    failed = Signal(object)
    progressed = Signal(str, float)
    ended = Signal()


class _Task(QRunnable):
    def __init__(self, work: Callable[[], Any], bridge: _Bridge, control: Control) -> None:
        super().__init__()
        self._work, self._bridge, self._control = work, bridge, control
        self.setAutoDelete(True)

    def run(self) -> None:
        try:
            outcome = self._work()
        except Exception as error:
            log.debug("An operation failed", exc_info=True)
            self._emit("failed", error)
        else:
            self._emit("succeeded", outcome)
        finally:
            self._emit("ended")

    def _emit(self, name: str, *values: object) -> None:
        if isValid(self._bridge):
            getattr(self._bridge, name).emit(*values)


class Operation(Generic[T]):
    """One piece of work and those who hear of it. Build it with `Operations.run`, then `start`."""

    def __init__(self, owner: Operations, title: str, work: Callable[[Control], T]) -> None:
        self.title = title
        self.text = ""
        self.fraction: float | None = None
        self.quiet = False
        self._owner = owner
        self._bridge = _Bridge(owner)
        self._control = Control(self._bridge.progressed.emit)
        self._work = work
        self._success: Callable[[T], object] | None = None
        self._failure: Callable[[Exception], object] | None = None
        self._bridge.succeeded.connect(self._on_success)
        self._bridge.failed.connect(self._on_failure)
        self._bridge.progressed.connect(self._on_progress)
        self._bridge.ended.connect(self._on_end)

    def success(self, callback: Callable[[T], object]) -> Operation[T]:
        self._success = callback
        return self

    def failure(self, callback: Callable[[Exception], object]) -> Operation[T]:
        self._failure = callback
        return self

    def start(self) -> Operation[T]:
        control = self._control
        self._owner.add(self, _Task(lambda: self._work(control), self._bridge, control))
        return self

    def cancel(self) -> None:
        """No callback runs from now on; the work itself is asked to end."""
        self._control.cancel()

    def _on_success(self, outcome: T) -> None:
        if not self._control.cancelled and self._success:
            self._success(outcome)

    def _on_failure(self, error: Exception) -> None:
        if self._control.cancelled:
            return
        if self._failure:
            self._failure(error)
        else:
            log.error("%s failed: %s", self.title, error)

    def _on_progress(self, text: str, fraction: float) -> None:
        self.text, self.fraction = text, (fraction if fraction >= 0 else None)
        self._owner.changed.emit()

    def _on_end(self) -> None:
        self._owner.remove(self)
        self._bridge.deleteLater()


class Operations(QObject):
    """The operations under way; the status bar shows the newest of them."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(6)
        self._running: list[Operation[Any]] = []

    def run(self, title: str, work: Callable[[], T]) -> Operation[T]:
        """Build an operation of a function without parameters."""
        return Operation(self, title, lambda _control: work())

    def run_quietly(self, work: Callable[[], T]) -> Operation[T]:
        """An operation that is nobody's news: it is not shown while it runs."""
        operation = Operation(self, "", lambda _control: work())
        operation.quiet = True
        return operation

    def run_watched(self, title: str, work: Callable[[Control], T]) -> Operation[T]:
        """Build an operation of a function that reports its progress and looks whether it is cancelled."""
        return Operation(self, title, work)

    @property
    def running(self) -> tuple[Operation[Any], ...]:
        return tuple(operation for operation in self._running if not operation.quiet)

    def add(self, operation: Operation[Any], task: QRunnable) -> None:
        self._running.append(operation)
        self.changed.emit()
        self._pool.start(task)

    def remove(self, operation: Operation[Any]) -> None:
        if operation in self._running:
            self._running.remove(operation)
            self.changed.emit()

    def close(self, wait_ms: int = 5000) -> bool:
        """Cancel everything and wait for the threads; False when one is still busy after `wait_ms`."""
        for operation in self._running:
            operation.cancel()
        return self._pool.waitForDone(wait_ms)
