"""Faults of the toolkit that we step around: one function each, with the version after which it can go.

They are applied when `e2e_ml.desktop` is imported, before any Qt object exists.
"""

from __future__ import annotations

import ctypes
import sys


def keep_none_alive() -> None:
    """PySide6 6.12.0 on Python 3.11: every call of a void Qt method drops a reference to `None` that it never took.

    After some thousands of calls the interpreter aborts ("none_dealloc: deallocating None"). From Python 3.12 on `None`
    is immortal (PEP 683) and nothing happens; here it is made so by a count that no session can use up.
    Drop it with Python 3.11, or once PySide6's lower bound is a release without the fault.
    """
    if sys.implementation.name == "cpython" and sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40


def keep_bools_alive() -> None:
    """PySide6 6.12.0 on Python 3.11: `Signal.emit` returns `True` without taking a reference to it.

    After some thousands of signals the interpreter aborts ("bool_dealloc: deallocating True or False"). The same cure.
    """
    if sys.implementation.name == "cpython" and sys.version_info < (3, 12):
        for constant in (True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def apply() -> None:
    keep_none_alive()
    keep_bools_alive()
