"""Timing in pairs: a case and its baseline by turns in one run, so that their ratio holds when the machine drifts."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    baseline: str
    seconds: float  # median
    baseline_seconds: float  # median
    reach: float | None = None  # the ratio that we want at most

    @property
    def ratio(self) -> float:
        return self.seconds / self.baseline_seconds

    def row(self) -> str:
        verdict = (
            "" if self.reach is None else f"<= {self.reach:g} x: " + ("met" if self.ratio <= self.reach else "missed")
        )
        return (
            f"| {self.name} | {self.seconds:.3f} s | {self.baseline} | {self.baseline_seconds:.3f} s"
            f" | {self.ratio:.2f} x | {verdict} |"
        )


def peak() -> int:
    """The most memory that this process had since its program started, in bytes; `ru_maxrss` would count what its
    parent had before that."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("This system does not tell how much memory a process had at its peak.")


HEADER = "| case | median | baseline | median | ratio | reach |\n| --- | --- | --- | --- | --- | --- |"


def pair(
    name: str,
    case: Callable[[], object],
    baseline_name: str,
    baseline: Callable[[], object],
    reach: float | None = None,
) -> Result:
    """Medians of `ROUNDS` rounds of both, by turns, after one uncounted round."""
    times = [(_seconds(case), _seconds(baseline)) for _ in range(ROUNDS + 1)]
    counted = times[1:]
    return Result(
        name,
        baseline_name,
        statistics.median(t for t, _ in counted),
        statistics.median(t for _, t in counted),
        reach,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def python(*args: str) -> Callable[[], object]:
    """A whole Python process with these arguments."""
    return lambda: subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
