"""The files that a stack keeps in its workspace: private (0600) and replaced whole, never half written.

secrets.json     what we generated for the managed services
ports.json       the ports used last, so that pages keep their origin from one start to the next
components.json  the processes we started, by pid and start time
stack.json       the owner and each service's last status, for a second program that opens the workspace
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner alone."""
    # mkstemp creates with 0600, so there is no moment in which others may read.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where the file is missing or damaged: every such file can be made anew."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def write_json(path: Path, value: object) -> None:
    write_private(path, json.dumps(value, indent=1) + "\n")


class Secrets:
    """Secrets made once for a workspace and kept in one private file."""

    def __init__(self, state: Path) -> None:
        self._path = state / "secrets.json"
        self._lock = threading.Lock()

    def knows(self, name: str) -> bool:
        return name in read_json(self._path)

    def password(self, name: str) -> str:
        """A random text of 256 bits, safe in a URL."""
        return self._kept(name, lambda: secrets.token_urlsafe(32))

    def fernet_key(self, name: str) -> str:
        """A key in the form that `cryptography.fernet` wants: 32 bytes in URL-safe base64."""
        return self._kept(name, lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        with self._lock:
            known = read_json(self._path)
            if not isinstance(known.get(name), str):
                known[name] = make()
                write_json(self._path, known)
            return str(known[name])
