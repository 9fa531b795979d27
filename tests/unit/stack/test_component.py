"""A component's life is bound to its owner's: real processes, ended in every way there is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from e2e_ml.stack.component import Command, Component, Ledger, end_session, rotate, tail, ticks_of

# It ignores SIGTERM, and below it are a child, a grandchild in a session of its own, and an orphan.
STUBBORN = """
trap '' TERM
sleep 1000 &
setsid sleep 1000 &
(sleep 1000 &)
echo ready
while true; do sleep 1000; done
"""


def component(folder: Path, script: str, grace: float = 0.3) -> Component:
    command = Command("thing", ("bash", "-c", script), dict(os.environ), folder, grace)
    return Component(command, folder, Ledger(folder))


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def started(folder: Path) -> tuple[Component, list[psutil.Process]]:
    thing = component(folder, STUBBORN)
    thing.start()
    return thing, family(thing.pid, folder)


def family(pid: int, folder: Path) -> list[psutil.Process]:
    """The component, its warden and all below, once the script has said that all are there."""
    until(lambda: "ready" in tail(folder / "thing.log", 5))
    warden = psutil.Process(pid).parent()
    assert warden is not None
    until(lambda: sum(p.name() == "sleep" for p in warden.children(recursive=True)) == 4)
    return [warden, *warden.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_stop_ends_everything_below(tmp_path: Path) -> None:
    thing, processes = started(tmp_path)
    thing.stop()
    assert gone(processes)
    assert Ledger(tmp_path).records() == []


def test_an_exit_by_itself_is_told_and_ends_what_is_below(tmp_path: Path) -> None:
    thing = component(tmp_path, "setsid sleep 1000 & echo $! > below; exit 7")
    thing.start()
    assert thing.wait(threading.Event()) == 7
    assert not psutil.pid_exists(int((tmp_path / "below").read_text()))


def test_the_death_by_a_signal_is_told(tmp_path: Path) -> None:
    thing, processes = started(tmp_path)
    os.kill(thing.pid, signal.SIGKILL)
    assert thing.wait(threading.Event()) == 128 + signal.SIGKILL
    assert gone(processes)


def test_a_warden_that_is_killed_takes_the_component_with_it(tmp_path: Path) -> None:
    thing, processes = started(tmp_path)
    alone = [p for p in processes[1:] if os.getsid(p.pid) != thing.pid]  # in a session of its own: nobody's any more
    processes[0].kill()
    assert thing.wait(threading.Event()) == 128 + signal.SIGKILL
    for process in alone:
        process.kill()
    until(lambda: gone(processes))


OWNER = """
import sys, time
from pathlib import Path
from tests.unit.stack.test_component import STUBBORN, component
thing = component(Path(sys.argv[1]), STUBBORN)
thing.start()
print(thing.pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def owner(tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Another program that owns a component."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
    return process, family(pid, tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_owner(
    owner: tuple[subprocess.Popen[str], list[psutil.Process]], how: signal.Signals
) -> None:
    process, processes = owner
    process.send_signal(how)
    process.wait()
    until(lambda: gone(processes))


def test_the_next_owner_ends_what_owner_and_warden_left(
    owner: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, processes = owner
    warden = processes[0]
    in_session = [p for p in processes[1:] if os.getsid(p.pid) != p.pid or p.name() == "bash"]
    outside = [p for p in processes[1:] if p not in in_session]
    os.kill(process.pid, signal.SIGSTOP)  # it must not clean up before it dies
    warden.kill()
    process.kill()
    process.wait()
    assert not gone(in_session)

    Ledger(tmp_path).sweep()

    assert gone(in_session)
    assert Ledger(tmp_path).records() == []
    for left in outside:  # a session of its own, orphaned twice over: beyond anyone's knowledge
        left.kill()


def test_a_pid_that_was_given_away_again_is_left_alone() -> None:
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        ticks = ticks_of(bystander.pid)
        assert ticks is not None
        end_session(bystander.pid, ticks - 1)
        assert bystander.poll() is None
        end_session(bystander.pid, ticks)
        assert bystander.wait(10) == -signal.SIGKILL
    finally:
        bystander.kill()
        bystander.wait()


def test_logs_are_private_and_begun_anew(tmp_path: Path) -> None:
    for _ in range(2):
        thing = component(tmp_path, "echo hello; echo trouble >&2")
        thing.start()
        thing.wait(threading.Event())
    assert tail(tmp_path / "thing.log", 5) == ("hello", "trouble")
    assert stat.S_IMODE((tmp_path / "thing.log").stat().st_mode) == 0o600
    assert tail(tmp_path / "thing.log.1", 1) == ("trouble",)


def test_what_is_started_again_goes_on_in_its_log_and_says_why(tmp_path: Path) -> None:
    thing = component(tmp_path, "test -e said || printf 'last words'; touch said; exit 3")
    thing.start()
    assert thing.wait(threading.Event()) == 3
    first = thing.pid
    assert thing.last_words() == "last words"
    thing.start_again("thing ended.")
    assert thing.wait(threading.Event()) == 3
    assert thing.pid != first
    assert thing.tail() == ("last words", "--- thing ended.")
    assert thing.last_words() == ""  # what we wrote are not its words
    assert Ledger(tmp_path).records() == []


def test_old_logs_go(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for number in range(6):
        log.write_text(str(number))
        rotate(log)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"x.log.1": "5", "x.log.2": "4"}


def test_a_component_that_cannot_be_run_says_why_in_its_log(tmp_path: Path) -> None:
    thing = Component(Command("thing", ("/no/such/program",), dict(os.environ), tmp_path), tmp_path, Ledger(tmp_path))
    thing.start()
    assert thing.wait(threading.Event()) == 1
    assert "/no/such/program" in tail(tmp_path / "thing.log", 1)[0]


def test_files_of_a_component_are_its_owners_alone(tmp_path: Path) -> None:
    thing = component(tmp_path, "echo secret > made")
    thing.start()
    thing.wait(threading.Event())
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600
