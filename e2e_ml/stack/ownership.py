"""Who runs the stack of a workspace: one owner, held by a lock that dies with it; others read what it writes.

The owner keeps `owner.lock` locked and writes every status to `stack.json`. Another program that opens the workspace
reads them from there, and asks for a service to be started again by a file in `requests/`, which the owner picks up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e_ml.stack.component import Ledger, boot_id, ticks_of
from e2e_ml.stack.recipe import StackError
from e2e_ml.stack.service import State, Status
from e2e_ml.stack.state import read_json, write_json


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that runs the stack, beyond its pid."""

    pid: int
    ticks: int
    boot: str
    kind: str  # "background" for `e2e-ml up`, else what people call the program: "window"

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and ticks_of(self.pid) == self.ticks


class Ownership:
    def __init__(self, state: Path, ledger: Ledger) -> None:
        self._file = state / "owner.lock"
        self._snapshot = state / "stack.json"
        self._requests = state / "requests"
        self._ledger = ledger
        self._descriptor: int | None = None
        self._swept = False
        self._claiming = threading.Lock()
        self._sweeping = threading.Lock()
        self._writing = threading.Lock()

    @property
    def mine(self) -> bool:
        return self._descriptor is not None

    def claim(self, kind: str) -> bool:
        """Become the owner. False where another program is. Raises StackError where the state cannot be written."""
        with self._claiming:
            if self._descriptor is not None:
                return True
            try:
                return self._claim(kind)
            except OSError as error:
                self._let_go()
                raise StackError(
                    f"{error.filename or self._file.parent} cannot be used: {error.strerror or error}. Make room "
                    "on the disk, give yourself the right to write there, or move it away; then start again."
                ) from error

    def _claim(self, kind: str) -> bool:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor, self._swept = descriptor, False
        me = Owner(os.getpid(), ticks_of(os.getpid()) or 0, boot_id(), kind)
        write_json(self._snapshot, {"owner": asdict(me), "services": {}})
        for request in self._waiting():
            request.unlink(missing_ok=True)
        return True

    def settle(self) -> None:
        """End what an earlier owner may have left; once for each claim, and nobody starts anything before."""
        with self._sweeping:
            if not self._swept:
                self._ledger.sweep()
                self._swept = True

    def release(self) -> None:
        with self._claiming:
            self._let_go()

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> Owner | None:
        """The living owner, if there is one; it may be this program."""
        with contextlib.suppress(TypeError, KeyError):
            owner = Owner(**read_json(self._snapshot)["owner"])
            return owner if owner.alive and _locked(self._file) else None
        return None

    def write(self, status: Status) -> None:
        with self._writing:
            found = read_json(self._snapshot)
            found.setdefault("services", {})[status.service] = _to_json(status)
            write_json(self._snapshot, found)

    def read(self) -> Mapping[str, Status]:
        """What the owner wrote last."""
        services: dict[str, Any] = read_json(self._snapshot).get("services", {})
        found: dict[str, Status] = {}
        for name, value in services.items():
            with contextlib.suppress(TypeError, KeyError, ValueError):
                found[name] = _from_json(value)
        return found

    def request(self, service: str) -> None:
        """Ask the owner to start a service again."""
        self._requests.mkdir(mode=0o700, exist_ok=True)
        (self._requests / service).touch(mode=0o600)

    def requested(self) -> list[str]:
        """The services that others asked to be started, each told once."""
        found = self._waiting()
        for request in found:
            request.unlink(missing_ok=True)
        return [request.name for request in found]

    def _waiting(self) -> list[Path]:
        return list(self._requests.iterdir()) if self._requests.is_dir() else []


def _lock(descriptor: int) -> bool:
    """Take the lock. Tried a few times, for whoever looks whether it is held (`_locked`) has it for a moment."""
    for _ in range(3):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _locked(file: Path) -> bool:
    """Whether any process holds the lock: a shared one is had for a moment where nobody does."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _to_json(status: Status) -> dict[str, Any]:
    return {**asdict(status), "since": status.since.isoformat()}


def _from_json(value: dict[str, Any]) -> Status:
    read: dict[str, Any] = {
        **value,
        "state": State(value["state"]),
        "since": datetime.fromisoformat(value["since"]),
        "pids": tuple(value["pids"]),
        "log_tail": tuple(value["log_tail"]),
    }
    return Status(**read)
