"""The faults of the toolkit that we step around stay stepped around."""

from __future__ import annotations

import subprocess
import sys

_MANY_SIGNALS = """
import e2e_ml.desktop
from PySide6.QtCore import QObject, Signal

class Teller(QObject):
    told = Signal()

teller = Teller()
for _ in range(20_000):
    teller.told.emit()
print("still here")
"""


def test_a_session_of_many_signals_does_not_abort_the_interpreter() -> None:
    done = subprocess.run([sys.executable, "-c", _MANY_SIGNALS], capture_output=True, text=True, timeout=60)
    assert done.stdout == "still here\n", done.stderr[-400:]
    assert done.returncode == 0
