"""A line for each case, as it stands in README.md, and the figures that it is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

HEADER = "| case | measured | processor time | reach | | beside it |\n| --- | --- | --- | --- | --- | --- |"


@dataclass(frozen=True, slots=True)
class Line:
    case: str
    measured: str
    processor: str  # the same without waiting for a processor that others use
    reach: str
    met: bool
    beside: str = ""

    def row(self) -> str:
        verdict = "met" if self.met else "missed"
        return f"| {self.case} | {self.measured} | {self.processor} | {self.reach} | {verdict} | {self.beside} |"


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * share))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"
