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
_PLACE = _ROOT / "build" / "feast"
_STAMP = _PLACE / ".lock-sha256"


def feast_python() -> Path:
    """The Python that has Feast and DuckDB; built on the first call, which takes some seconds and the package index."""
    _PLACE.parent.mkdir(exist_ok=True)
    python = _PLACE / "bin" / "python"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    with (_PLACE.parent / ".feast.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (python.exists() and _STAMP.exists() and _STAMP.read_text() == wanted):
            _build(python)
            _STAMP.write_text(wanted)
    return python


def _build(python: Path) -> None:
    # The machine's own certificates, as in packaging/setup.sh.
    environment = {**os.environ, "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1")}
    environment.pop("VIRTUAL_ENV", None)
    uv = shutil.which("uv") or str(_ROOT / "build" / "uv" / "bin" / "uv")
    shutil.rmtree(_PLACE, ignore_errors=True)
    for arguments in (
        ["venv", "--quiet", "--python", sys.executable, str(_PLACE)],
        ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(_LOCK)],
    ):
        done = subprocess.run([uv, *arguments], env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Feast's environment could not be built by `uv {arguments[0]}`: {done.stderr.strip()}")
