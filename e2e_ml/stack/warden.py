"""The warden: a small program that runs one component of a service and outlives neither it nor its owner.

    python -I -S warden.py --report FD --grace SECONDS -- COMMAND...

Standard input is the read end of a pipe whose write end only the owner holds: when the owner ends, in whatever way, the
kernel closes it and the warden sees end-of-file. It then asks the component to stop (SIGTERM to its process group),
waits for the grace period, and kills all that is left. As a "child subreaper" it becomes the parent of every orphan
below it, so no descendant escapes by forking twice or by a session of its own. Should the warden itself be killed, the
kernel kills the component (PR_SET_PDEATHSIG), and the owner, or the next one, ends what remains of its session.

One line of JSON on the report descriptor tells the component's pid, which is its session and process group too.
The exit status is the component's own, or 128 + signal. Only the standard library is imported, to stay small.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_OWNER_CHECK_SECONDS = 2.0

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=int, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    return run(arguments.command, report=arguments.report, grace=arguments.grace)


def run(command: list[str], *, report: int, grace: float) -> int:
    os.umask(0o077)  # databases and logs of the component are its owner's alone
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    wake = _wake_on(signal.SIGCHLD, signal.SIGTERM)

    warden = os.getpid()
    owner = os.getppid()
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: _tie_to(warden)
    )
    os.write(report, json.dumps({"pid": child.pid}).encode() + b"\n")
    os.close(report)

    status = _wait(child.pid, wake, owner)
    if status is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        status = _reap_until(child.pid, time.monotonic() + grace, wake)
    return _end_all(child.pid, status)


def _wake_on(*signals: signal.Signals) -> int:
    """A descriptor that becomes readable with the numbers of these signals as they arrive."""
    read, write = os.pipe()
    for end in (read, write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in signals:
        signal.signal(number, _wake)
    return read


def _wake(number: int, frame: FrameType | None) -> None:
    """Nothing to do here: that the signal came is read from the wake-up descriptor."""


def _tie_to(warden: int) -> None:
    """In the child, before exec: default signals again, and death by the kernel's hand when the warden is gone."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != warden:  # it died before the line above took effect
        os._exit(1)


def _wait(child: int, wake: int, owner: int) -> int | None:
    """The child's exit status, or None when the owner is gone or asks to stop (end-of-file or SIGTERM)."""
    poller = select.poll()
    poller.register(0, select.POLLIN | select.POLLHUP)
    poller.register(wake, select.POLLIN)
    while True:
        ready = dict(poller.poll(_OWNER_CHECK_SECONDS * 1000))
        if wake in ready:
            arrived = os.read(wake, 512)
            if (status := _reap(child)) is not None:
                return status
            if signal.SIGTERM in arrived:
                return None
        if 0 in ready and not os.read(0, 512):
            return None
        if os.getppid() != owner:  # the owner died, but a copy of its pipe lives on elsewhere
            return None


def _reap(child: int) -> int | None:
    """Collect every ended descendant; the child's own exit status when it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                found = ended[1]
    return found


def _reap_until(child: int, deadline: float, wake: int) -> int | None:
    while (left := deadline - time.monotonic()) > 0:
        if (status := _reap(child)) is not None:
            return status
        select.select([wake], [], [], left)
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 512)
    return None


def _end_all(child: int, status: int | None) -> int:
    """Kill until nobody is left below, then turn the child's status into an exit code."""
    while True:
        for pid in _below(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while True:
                ended, code = os.waitpid(-1, os.WNOHANG)
                if ended == child:
                    status = code
                if not ended:
                    break
        except ChildProcessError:
            break
        time.sleep(0.02)
    code = os.waitstatus_to_exitcode(status or 0)
    return code if code >= 0 else 128 - code


def _below(pid: int) -> Iterator[int]:
    """Every living descendant, by the parent links in /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                # The name, in parentheses, may hold anything: count fields after its end.
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    waiting = children.get(pid, [])
    while waiting:
        found = waiting.pop()
        yield found
        waiting += children.get(found, [])


if __name__ == "__main__":
    sys.exit(main())
