"""A component: one process of a service with its log, warden and record; and the sweep of what was left over."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from e2e_ml.stack.state import read_json, write_json

_WARDEN = Path(__file__).with_name("warden.py")
_KEPT_LOGS = 3
_OURS = "--- "  # begins the lines that we write into a component's log
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: arguments without secrets, and the environment that may hold them."""

    name: str  # also names the log: "airflow-scheduler"
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    grace: float = 8.0  # seconds between asking to stop and killing


@dataclass(frozen=True, slots=True)
class Record:
    """Who a process is, beyond its pid, which the system gives away again."""

    component: str
    warden: int
    warden_ticks: int
    pid: int  # of the component: its session and process group too
    ticks: int
    boot: str


class Ledger:
    """The records of the running components, in the workspace's state."""

    def __init__(self, state: Path) -> None:
        self._path = state / "components.json"
        self._lock = threading.Lock()

    def records(self) -> list[Record]:
        found: list[Record] = []
        for value in read_json(self._path).get("components", []):
            with contextlib.suppress(TypeError):
                found.append(Record(**value))
        return found

    def add(self, record: Record) -> None:
        with self._lock:
            self._write([*(r for r in self.records() if r.component != record.component), record])

    def drop(self, component: str) -> None:
        with self._lock:
            known = self.records()
            if len(kept := [r for r in known if r.component != component]) < len(known):
                self._write(kept)

    def _write(self, records: Sequence[Record]) -> None:
        write_json(self._path, {"components": [asdict(r) for r in records]})

    def sweep(self, patience: float = 12.0) -> None:
        """End what an earlier owner left: its wardens get time to finish their work, then everything is killed."""
        left = [r for r in self.records() if r.boot == boot_id()]
        deadline = time.monotonic() + patience
        while any(_is(r.warden, r.warden_ticks) for r in left) and time.monotonic() < deadline:
            time.sleep(0.1)
        for record in left:
            if _is(record.warden, record.warden_ticks):
                _kill(record.warden)
            end_session(record.pid, record.ticks)
        with self._lock:
            self._write([])


class Component:
    """A running command. Its life is bound to this process by the warden's pipe."""

    def __init__(self, command: Command, logs: Path, ledger: Ledger) -> None:
        self.command = command
        self.log = logs / f"{command.name}.log"
        self._ledger = ledger
        self._warden: subprocess.Popen[bytes] | None = None
        self._owner_end = -1
        self.pid = 0
        self._ticks = 0

    def start(self) -> None:
        """Start the warden and the component below it, with a new log. Raises OSError where even that fails."""
        rotate(self.log)
        self._launch()

    def start_again(self, why: str) -> None:
        """Start what has died once more. Its log goes on with a line that says why, so that one file tells it all."""
        self._launch(f"\n{_OURS}{why}\n")

    def _launch(self, note: str = "") -> None:
        owner_read, self._owner_end = os.pipe()
        report_read, report_write = os.pipe()
        options = ["--report", str(report_write), "--grace", str(self.command.grace)]
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(log, note.encode())
            self._warden = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WARDEN), *options, "--", *self.command.arguments],
                stdin=owner_read,
                stdout=log,
                stderr=log,
                env=dict(self.command.environment),
                cwd=self.command.folder,
                pass_fds=[report_write],
                start_new_session=True,
            )
        finally:
            for descriptor in (owner_read, report_write, log):
                os.close(descriptor)
        try:
            self.pid = _reported(report_read)
        finally:
            os.close(report_read)
        self._ticks = ticks_of(self.pid) or 0
        warden = self._warden.pid
        self._ledger.add(Record(self.command.name, warden, ticks_of(warden) or 0, self.pid, self._ticks, boot_id()))

    def exit_code(self) -> int | None:
        """None while it runs; else its exit code, or 128 + signal. What it left behind is ended first."""
        if self._warden is None:
            return 0
        code = self._warden.poll()
        if code is None:
            return None
        self._gone()
        return code if code >= 0 else 128 - code

    def wait(self, stop: threading.Event) -> int | None:
        """Its exit code when it ends by itself, None when `stop` is set before."""
        while (code := self.exit_code()) is None:
            if stop.wait(0.1):
                return None
        return code

    def ask_to_stop(self) -> None:
        if self._owner_end >= 0:
            os.close(self._owner_end)
            self._owner_end = -1

    def stop(self) -> None:
        """Stop it and wait until nothing of it is left."""
        self.ask_to_stop()
        if self._warden is None:
            return
        try:
            self._warden.wait(self.command.grace + 5)
        except subprocess.TimeoutExpired:
            self._warden.kill()
            self._warden.wait()
        self._gone()

    def _gone(self) -> None:
        self.ask_to_stop()
        # A warden that was killed left orphans; a warden that did its work left none, and this finds nothing.
        if self._warden is not None and self._warden.returncode and self._warden.returncode < 0:
            end_session(self.pid, self._ticks)
        self._ledger.drop(self.command.name)

    def tail(self, lines: int = 12) -> tuple[str, ...]:
        return tail(self.log, lines)

    def last_words(self) -> str:
        """The last line that it wrote since it was started; empty where it wrote none."""
        last = tail(self.log, 1)
        return last[0] if last and not last[0].startswith(_OURS) else ""


def _reported(descriptor: int, patience: float = 20.0) -> int:
    """The pid from the warden's report, 0 where it ended without one (its log says why)."""
    if not select.select([descriptor], [], [], patience)[0]:
        return 0
    try:
        report: Any = json.loads(os.read(descriptor, 4096) or b"{}")
    except ValueError:
        return 0
    return int(report.get("pid", 0))


def rotate(log: Path) -> None:
    """Begin a log anew: keep a few of the former ones as .1, .2, ..."""
    for number in range(_KEPT_LOGS - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def tail(log: Path, lines: int) -> tuple[str, ...]:
    """The last lines of a log, newest last; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 400 * lines))
            found = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(line.rstrip() for line in found if line.strip())[-lines:]


def ticks_of(pid: int) -> int | None:
    """A process's start time in clock ticks since boot, None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def boot_id() -> str:
    with contextlib.suppress(OSError):
        return _BOOT.read_text().strip()
    return ""


def _is(pid: int, ticks: int) -> bool:
    return bool(pid) and ticks_of(pid) == ticks


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def end_session(leader: int, ticks: int, patience: float = 5.0) -> None:
    """Kill every process of a session that we began, and wait until they are gone.

    The kernel gives a pid away again only when no session bears it as its number: so if the leader's pid now belongs to
    a process with another start time, nobody of our session is left.
    """
    if not leader:
        return
    deadline = time.monotonic() + patience
    while ticks_of(leader) in (None, ticks) and (members := _session(leader)):
        for pid in members:
            _kill(pid)
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _session(leader: int) -> list[int]:
    found: list[int] = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found
