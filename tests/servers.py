"""Real servers that tests start: on free ports of this machine, with a password, in a folder that goes with them."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0  # seconds, for a machine with much else to do


@dataclass(frozen=True, slots=True)
class Server:
    """`url` has no password; `password` is what a test puts where a credential refers to."""

    url: str
    password: str
    port: int
    process: subprocess.Popen[Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def redis_server() -> Iterator[Server]:
    """A Redis that keeps nothing. Skips where no redis-server is installed: `make test` installs it."""
    program = shutil.which("redis-server") or pytest.skip("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        port, password = free_port(), secrets.token_urlsafe(12)
        settings = Path(folder) / "redis.conf"
        settings.touch(0o600)
        settings.write_text(
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir {folder}\n'
        )
        with _running([program, str(settings)], Path(folder) / "log", lambda: _listens(port)) as process:
            yield Server(f"redis://127.0.0.1:{port}/0", password, port, process)


@contextlib.contextmanager
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL with the user `tester` and the database `postgres`. As root it runs as another user, for it refuses
    root. Skips where it is not installed: `make test` installs it."""
    programs = _postgres_programs()
    user = None if os.getuid() else next(u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody"))
    as_user: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        port, password = free_port(), secrets.token_urlsafe(12)
        file, data = Path(folder) / "password", Path(folder) / "data"
        file.touch(0o600)
        file.write_text(password)
        if user is not None:
            for path in (Path(folder), file):
                os.chown(path, user.pw_uid, user.pw_gid)
        made = [programs / "initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256", f"--pwfile={file}", "-N"]
        subprocess.run(
            [*map(str, made), "--locale=C.UTF-8", "-E", "UTF8"], check=True, capture_output=True, cwd=folder, **as_user
        )
        options = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off", f"port={port}")
        command = [str(programs / "postgres"), "-D", str(data), *(part for o in options for part in ("-c", o))]
        ready = lambda: _listens(port)  # noqa: E731
        with _running(command, Path(folder) / "log", ready, cwd=folder, **as_user) as process:
            yield Server(f"postgresql://tester@127.0.0.1:{port}/postgres", password, port, process)


def _postgres_programs() -> Path:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if (found := shutil.which("initdb")) is not None:
        places.append(Path(found).parent)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    return pytest.skip("PostgreSQL is not installed")


@contextlib.contextmanager
def _running(
    command: list[str], log: Path, ready: Callable[[], bool], **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    with log.open("wb") as out:
        process: subprocess.Popen[Any] = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert process.poll() is None, f"{command[0]} has ended:\n{log.read_text(errors='replace')}"
            assert time.monotonic() < deadline, f"{command[0]} is not up:\n{log.read_text(errors='replace')}"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
