"""Real services for the tests here: one stack for the session, on free ports, in a temporary workspace."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from e2e_ml.stack import Stack, State
from e2e_ml.workspace import Workspace

START_SECONDS = 240.0  # for a machine with much else to do; nothing is said about speed


def until(
    condition: Callable[[], object], seconds: float = START_SECONDS, what: str = "it did not come to pass"
) -> None:
    """Wait for a condition; fail with what is missing."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def settle(stack: Stack) -> None:
    """Wait until no service is starting any more."""
    until(lambda: all(s.status().state not in (State.STARTING, State.STOPPED) for s in stack.services.values()))


def assert_up(stack: Stack) -> None:
    for service in stack.services.values():
        status = service.status()
        assert status.state is State.UP, f"{status.sentence}\n" + "\n".join(status.log_tail)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Airflow, the feature store and MLflow, healthy; `running_stack.workspace` says where their files are.

    A test that puts a DAG into `workspace.dags` sees it within seconds. Fails if stopping leaves a process.
    """
    with Stack(Workspace.create(tmp_path_factory.mktemp("workspace"), "tests")) as stack:
        stack.start()
        settle(stack)
        assert_up(stack)
        yield stack
        ours = below(stack)
        assert ours
    assert not alive(ours), "stopping the stack left processes"


def below(stack: Stack) -> list[psutil.Process]:
    """The components of a stack, with their wardens and all that they started."""
    found: list[psutil.Process] = []
    for pid in {pid for service in stack.services.values() for pid in service.status().pids}:
        with contextlib.suppress(psutil.Error):
            if (warden := psutil.Process(pid).parent()) is not None:
                found += [warden, *warden.children(recursive=True)]
    return found
