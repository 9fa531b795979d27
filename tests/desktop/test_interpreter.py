from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.interpreter import Interpreter


class Knot:
    def __init__(self) -> None:
        self.myself = self


@pytest.fixture
def interpreter(qapp: QObject) -> Iterator[Interpreter]:
    turn = sys.getswitchinterval()
    attended = Interpreter(qapp)
    yield attended
    attended.deleteLater()
    gc.unfreeze()
    gc.enable()
    sys.setswitchinterval(turn)


def test_a_busy_thread_collects_nothing_and_the_event_loop_does(interpreter: Interpreter, qtbot: QtBot) -> None:
    knot = Knot()
    gone, went_on = weakref.ref(knot), list[int]()
    weakref.finalize(knot, lambda: went_on.append(threading.get_ident()))
    del knot
    busy = threading.Thread(target=lambda: [Knot() for _ in range(20_000)])
    busy.start()
    busy.join()
    assert gone() is not None
    qtbot.waitUntil(lambda: gone() is None, timeout=10_000)
    assert went_on == [threading.main_thread().ident]


def test_what_grew_old_is_collected_as_well(interpreter: Interpreter) -> None:
    knot = Knot()
    gc.collect()  # it is among the oldest from now on
    gone = weakref.ref(knot)
    del knot
    for _ in range(200):
        kept = [Knot() for _ in range(1_000)]
        interpreter.collect()
        del kept
    assert gone() is None
