"""A screen to draw on: the person's own, or a virtual one where there is none.

The virtual display (Xvfb) listens on a local socket alone and asks for a cookie, so nobody else on the machine sees it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

SIZE = (1600, 960)  # px
_FAMILY_WILD = 0xFFFF  # Xauthority: the cookie holds for every host name (libXau's Xauth.h)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_COOKIE = b"MIT-MAGIC-COOKIE-1"


class NoDisplayError(Exception):
    """There is no screen and none can be made; the message is a sentence with the next step."""


def is_there() -> bool:
    """Whether Qt will find a screen: a display server, or a platform plugin that the person has chosen."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def virtual(size: tuple[int, int] = SIZE) -> Generator[str]:
    """Run with a virtual display of `size` pixels; gives its name. It ends with the block, and with this process.

    Raises NoDisplayError.
    """
    server = shutil.which("Xvfb")
    if server is None:
        raise NoDisplayError(
            "There is no display, and Xvfb, which makes a virtual one, is not installed. On Debian: "
            "apt-get install xvfb."
        )
    with tempfile.TemporaryDirectory(prefix="e2e-ml-display-") as folder:
        authority = Path(folder) / "Xauthority"
        _write_authority(authority)
        read_end, write_end = os.pipe()
        process = subprocess.Popen(
            [
                server,
                *("-displayfd", str(write_end)),
                *("-screen", "0", f"{size[0]}x{size[1]}x24"),
                *("-auth", str(authority)),
                *("-nolisten", "tcp", "-noreset"),
            ],
            pass_fds=(write_end,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for us; we end it
            preexec_fn=_end_with_parent,
        )
        os.close(write_end)
        try:
            with os.fdopen(read_end) as told:
                number = told.readline().strip()
            if not number:
                problem = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
                raise NoDisplayError(
                    f"Xvfb did not start: {problem.splitlines()[-1] if problem else 'it said nothing'}."
                )
            with _environment(DISPLAY=f":{number}", XAUTHORITY=str(authority)):
                yield f":{number}"
        finally:
            process.terminate()
            process.wait()
            if process.stderr:
                process.stderr.close()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _write_authority(path: Path) -> None:
    """One entry for any host and display, with a fresh cookie (the format is libXau's `XauWriteAuth`)."""
    entry = struct.pack(">HHHH", _FAMILY_WILD, 0, 0, len(_COOKIE)) + _COOKIE + struct.pack(">H", 16)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(entry + secrets.token_bytes(16))


@contextlib.contextmanager
def _environment(**values: str) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
