"""Work off the UI thread, written as a sentence: what runs, who hears of success and failure, what it is called.

    operations.run("Signing in to Airflow", service.login).success(enter).failure(show).start()

Callbacks run on the UI thread, and not at all once the operation is cancelled or the object that is to hear is gone.
This is the only place that knows threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

THREADS = 6
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


class Operation(Generic[T]):
    """One piece of work and those who hear of it. Build it with `Operations.run`, then `start`."""

    def __init__(self, owner: Operations, title: str, work: Callable[[Control], T], *, quiet: bool = False) -> None:
        self.title, self.quiet = title, quiet
        self.text = ""
        self.fraction: float | None = None
        self._owner = owner
        self._control = Control(lambda text, at: owner.call(partial(self._on_progress, text, at)))
        self._work = work
        self._success: Callable[[T], object] | None = None
        self._failure: Callable[[Exception], object] | None = None

    def success(self, callback: Callable[[T], object]) -> Operation[T]:
        self._success = callback
        return self

    def failure(self, callback: Callable[[Exception], object]) -> Operation[T]:
        self._failure = callback
        return self

    def start(self) -> Operation[T]:
        self._owner.add(self, partial(self._run, self._work))
        return self

    def cancel(self) -> None:
        """No callback runs from now on; the work itself is asked to end."""
        self._control.cancel()

    def _run(self, work: Callable[[Control], T]) -> None:
        """On a thread of the pool."""
        try:
            outcome = work(self._control)
        except Exception as error:
            log.debug("An operation failed", exc_info=True)
            self._owner.call(partial(self._on_failure, error))
        else:
            self._owner.call(partial(self._on_success, outcome))
        finally:
            self._owner.call(self._on_end)

    def _on_success(self, outcome: T) -> None:
        if not self._control.cancelled and self._success and _hears(self._success):
            self._success(outcome)

    def _on_failure(self, error: Exception) -> None:
        if self._control.cancelled:
            return
        if self._failure is None:
            log.error("%s failed: %s", self.title, error)
        elif _hears(self._failure):
            self._failure(error)

    def _on_progress(self, text: str, fraction: float) -> None:
        self.text, self.fraction = text, (fraction if fraction >= 0 else None)
        self._owner.changed.emit()

    def _on_end(self) -> None:
        # The pool's thread may be the last to hold the operation: no widget may go with it there.
        self._success = self._failure = None
        self._owner.remove(self)


def _hears(callback: Callable[..., object]) -> bool:
    """Whether the object that a method belongs to is still there."""
    owner = getattr(callback, "__self__", None)
    return not isinstance(owner, QObject) or isValid(owner)


class Operations(QObject):
    """The operations under way; the status bar shows the newest of them."""

    changed = Signal()
    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # Python's own threads: a QRunnable that deletes itself has been seen to crash in PySide 6.12.
        self._pool = ThreadPoolExecutor(THREADS, "operation")
        self._running: dict[Operation[Any], Future[None]] = {}
        self._closed = False
        self._called.connect(self._call)

    def run(self, title: str, work: Callable[[], T]) -> Operation[T]:
        """Build an operation of a function without parameters."""
        return Operation(self, title, lambda _control: work())

    def run_quietly(self, work: Callable[[], T]) -> Operation[T]:
        """An operation that is nobody's news: it is not shown while it runs."""
        return Operation(self, "", lambda _control: work(), quiet=True)

    def run_watched(self, title: str, work: Callable[[Control], T]) -> Operation[T]:
        """Build an operation of a function that reports its progress and looks whether it is cancelled."""
        return Operation(self, title, work)

    @property
    def running(self) -> tuple[Operation[Any], ...]:
        return tuple(operation for operation in self._running if not operation.quiet)

    def add(self, operation: Operation[Any], work: Callable[[], None]) -> None:
        if self._closed:  # asked for by what is about to go
            operation.cancel()
            return
        self._running[operation] = self._pool.submit(work)
        self.changed.emit()

    def remove(self, operation: Operation[Any]) -> None:
        if self._running.pop(operation, None) is not None:
            self.changed.emit()

    def call(self, function: Callable[[], object]) -> None:
        """Have a function called on the UI thread, from any thread; in the order in which they were asked for."""
        if isValid(self):
            self._called.emit(function)

    def _call(self, function: Callable[[], object]) -> None:
        function()

    def close(self, wait_seconds: float = 5.0) -> bool:
        """Cancel everything, start nothing more and wait for the threads; False when one is still busy after that."""
        self._closed = True
        for operation in self._running:
            operation.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not wait(self._running.values(), wait_seconds).not_done
