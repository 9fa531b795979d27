"""Ports on the loopback interface: free ones, the ones a workspace used last, and who holds one that is taken."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from pathlib import Path

import psutil

from e2e_ml.stack.state import read_json, write_json

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections, so that ours stay free between starts.
_RANGE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> psutil.Process | None:
    """The process that listens on a port, where we are allowed to know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
                with contextlib.suppress(psutil.Error):
                    return psutil.Process(connection.pid) if connection.pid else None
    return None


def occupied_sentence(port: int, field: str | None) -> str:
    by = "another program"
    if (process := holder(port)) is not None:
        with contextlib.suppress(psutil.Error):
            by = f"process {process.pid} ({process.name()})"
    other = f", or change or remove {field} in workbench.yaml," if field else ""
    return f"Port {port} is taken by {by}. Stop it{other} and start again."


class PortMemory:
    """The ports of a workspace's services. A pinned port is taken as it is; another is kept while it stays free."""

    def __init__(self, state: Path) -> None:
        self._path = state / "ports.json"
        self._lock = threading.Lock()

    def last(self, service: str, pinned: int | None) -> int:
        """The port of a service that another program runs; 0 where it never ran."""
        known = pinned or read_json(self._path).get(service)
        return known if isinstance(known, int) else 0

    def port(self, service: str, pinned: int | None) -> int:
        """The port to use from now on. Whether a pinned one is free is for the service's start to say."""
        if pinned is not None:
            return pinned
        with self._lock:
            known = read_json(self._path)
            last = known.get(service)
            if isinstance(last, int) and is_free(last):
                return last
            others = set(known.values())
            chosen = next(p for p in random.sample(_RANGE, len(_RANGE)) if p not in others and is_free(p))
            write_json(self._path, {**known, service: chosen})
            return chosen
