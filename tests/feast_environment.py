"""Feast's own environment, locked in `packaging/feast.lock`: tests and benchmarks run Feast beside festaf, never in it.

    subprocess.run([feast_python(), "compare.py"], check=True)

It is built by whoever asks first, into `build/feast`, and again when the lock has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LOCK = _ROOT / "packaging" / "feast.lock"


def feast_python(more: Path | None = None) -> Path:
    """The Python that has Feast and DuckDB; built on the first call, which takes some seconds and the package index.

    more: another lock, of what few need beside it. The two are an environment of their own, so that nobody's is built
    anew while it is used.
    """
    locks = [_LOCK, *([more] if more else [])]
    place = _ROOT / "build" / ("feast" if more is None else more.stem)
    place.parent.mkdir(exist_ok=True)
    python, stamp = place / "bin" / "python", place / ".lock-sha256"
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    with (place.parent / f".{place.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
            _build(place, locks)
            stamp.write_text(wanted)
    return python


def _build(place: Path, locks: list[Path]) -> None:
    # The machine's own certificates, as in packaging/setup.sh.
    environment = {**os.environ, "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1")}
    environment.pop("VIRTUAL_ENV", None)
    uv = shutil.which("uv") or str(_ROOT / "build" / "uv" / "bin" / "uv")
    python = str(place / "bin" / "python")
    shutil.rmtree(place, ignore_errors=True)
    for arguments in (
        ["venv", "--quiet", "--python", sys.executable, str(place)],
        ["pip", "sync", "--quiet", "--python", python, "--require-hashes", *map(str, locks)],
    ):
        done = subprocess.run([uv, *arguments], env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Feast's environment could not be built by `uv {arguments[0]}`: {done.stderr.strip()}")
