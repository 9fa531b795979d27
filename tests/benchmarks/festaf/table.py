"""The table of the benchmarks: a line for each case, as it stands in README.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

GIB = 1 << 30
HEADER = "| case | Feast 0.67 | limit | festaf | ratio | reach | |\n| --- | --- | --- | --- | --- | --- | --- |"


class Took(Protocol):
    @property
    def seconds(self) -> float: ...
    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Line:
    case: str
    feast: str
    limit: str
    festaf: str
    ratio: str
    reach: str
    met: bool

    @classmethod
    def of_pair(
        cls, case: str, feast: str, limit: Took, festaf: Took, *, reach: float, memory: float | None = None
    ) -> Self:
        """festaf against the limit: in time, and where `memory` says so in memory."""
        slower, larger = festaf.seconds / limit.seconds, festaf.bytes / limit.bytes
        return cls(
            case,
            feast,
            f"{limit.seconds:.2f} s, {limit.bytes / GIB:.2f} GiB",
            f"{festaf.seconds:.2f} s, {festaf.bytes / GIB:.2f} GiB",
            f"{slower:.2f} x, {larger:.2f} x memory",
            f"<= {reach:g} x" + (f", <= {memory:g} x memory" if memory else ""),
            slower <= reach and (memory is None or larger <= memory),
        )

    def row(self) -> str:
        cells = (
            self.case,
            self.feast,
            self.limit,
            self.festaf,
            self.ratio,
            self.reach,
            "met" if self.met else "missed",
        )
        return f"| {' | '.join(cells)} |"
