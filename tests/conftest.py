"""What holds for the whole suite: no process of ours outlives it, and nothing is written outside temporary folders."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

# Everything a test starts inherits this, so that a process which left its parent and its group is still found.
MARK = "E2E_ML_TEST_SUITE"
# Files whose names begin so share the servers of one session, and stay on one process where the suite runs on several.
SHARING = ("tests/e2e/test_demo", "tests/integration/test_stack_")
GRACE = 10.0  # seconds that services have for ending after the last test


def pytest_configure(config: pytest.Config) -> None:
    os.environ[MARK] = uuid.uuid4().hex


class ByServers(LoadFileScheduling):
    """A file stays on one process; so do the files that share servers."""

    def _split_scope(self, nodeid: str) -> str:
        return next((beginning for beginning in SHARING if nodeid.startswith(beginning)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServers:
    return ByServers(config, log)


def _survivors() -> list[psutil.Process]:
    mark, own = os.environ[MARK], os.getpid()
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["pid", "status"]):
        if process.pid == own or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_left_over() -> Iterator[None]:
    """Fail the suite, naming them, if processes that it started are still there after it."""
    yield
    # QtWebEngine's own helpers end with this process, not before it.
    deadline = time.monotonic() + GRACE
    left = _survivors()
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = _survivors()
    named = [p for p in left if "QtWebEngineProcess" not in p.name()]
    lines = [f"{p.pid} {' '.join(p.cmdline())[:200]}" for p in named]
    for process in named:
        process.kill()
    assert not lines, "Processes were left over by the tests:\n" + "\n".join(lines)
