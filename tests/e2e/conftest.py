"""The program as a person runs it: one demo for the session, in a process of its own, without a display."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("e2e-ml"))
START_SECONDS = 1200.0  # for a machine with much else to do; nothing is said about speed


def without_display() -> dict[str, str]:
    """The environment of a machine that has no screen."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "QT_QPA_PLATFORM")
    return {name: value for name, value in os.environ.items() if name not in hidden}


@dataclass
class Program:
    """A running `e2e-ml` and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, *arguments: str | Path) -> Program:
        return cls(
            subprocess.Popen(
                [PROGRAM, *map(str, arguments)],
                env=without_display(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )

    def __post_init__(self) -> None:
        self._news: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._news.put(line.rstrip("\n"))
        self._news.put(None)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, words: str, seconds: float = START_SECONDS) -> str:
        """The first line from now on that holds `words`; fails with everything printed."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._news.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            self.lines.append(line)
            if words in line:
                return line
        pytest.fail(f"`e2e-ml` never printed {words!r}, but:\n{self.text}")

    def end(self, number: signal.Signals = signal.SIGINT, seconds: float = 120) -> int:
        """Send a signal as a terminal does and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = START_SECONDS) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            self._reader.join(10)
            while not self._news.empty():
                if (line := self._news.get()) is not None:
                    self.lines.append(line)
            if self.process.stdout is not None:
                self.process.stdout.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of the demo: a folder that is not there yet."""
    return tmp_path_factory.mktemp("demo") / "flights"


@pytest.fixture(scope="session")
def demo_program(demo: Path) -> Iterator[Program]:
    """The demo, run to its end, with its services up."""
    program = Program.start("demo", "--no-window", "--workspace", demo)
    try:
        program.wait_for("is the champion")
        yield program
    finally:
        code = program.end()
    assert code == 0, program.text
