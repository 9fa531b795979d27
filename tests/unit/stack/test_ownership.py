"""One owner at a time; the second program sees the first one's services and can ask for a restart."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2e_ml.stack.component import Ledger
from e2e_ml.stack.ownership import Ownership
from e2e_ml.stack.service import State, Status

STATUS = Status(
    "airflow", State.UP, datetime.now(UTC), "All is well.", 1.0, "http://127.0.0.1:1", "3.3.2", (12, 13), ("a", "b")
)


def ownership(folder: Path) -> Ownership:
    return Ownership(folder, Ledger(folder))


OTHER = """
import sys, time
from pathlib import Path
from e2e_ml.stack.component import Ledger
from e2e_ml.stack.ownership import Ownership
print(Ownership(Path(sys.argv[1]), Ledger(Path(sys.argv[1]))).claim("window"), flush=True)
time.sleep(1000)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_the_first_one_owns(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    mine = ownership(tmp_path)
    assert not mine.claim("window")
    assert not mine.mine
    owner = mine.owner()
    assert owner is not None
    assert (owner.pid, owner.kind) == (other.pid, "window")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_dies_with_its_owner(tmp_path: Path, other: subprocess.Popen[str], how: signal.Signals) -> None:
    other.send_signal(how)
    other.wait()
    mine = ownership(tmp_path)
    assert mine.owner() is None
    assert mine.claim("window")
    mine.release()
    assert mine.owner() is None


def test_a_second_program_reads_what_the_owner_wrote(tmp_path: Path) -> None:
    mine = ownership(tmp_path)
    assert mine.claim("window")
    mine.write(STATUS)
    assert ownership(tmp_path).read() == {"airflow": STATUS}
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    mine.release()


def test_a_request_is_told_once(tmp_path: Path) -> None:
    ownership(tmp_path).request("mlflow")
    mine = ownership(tmp_path)
    assert mine.requested() == ["mlflow"]
    assert mine.requested() == []


def test_a_damaged_snapshot_is_no_owner(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    assert ownership(tmp_path).owner() is None
    assert ownership(tmp_path).read() == {}
