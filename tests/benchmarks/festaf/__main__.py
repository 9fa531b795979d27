"""`python -m tests.benchmarks.festaf [CASES ...]`: the feature store's benchmarks; all of them without CASES.

`historical`, `online` and `http` stand beside Feast (`--no-feast` leaves it out) and the hand-written limit; `registry`
and `catalog` are about 10,000 features.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from tests.benchmarks.festaf import bench_catalog, bench_http, bench_online, bench_registry, historical
from tests.benchmarks.festaf.table import HEADER

COMPARED = {"historical": historical.lines, "online": bench_online.lines, "http": bench_http.lines}
ALONE = {"registry": bench_registry.main, "catalog": bench_catalog.main}


def main(arguments: list[str]) -> None:
    _tell_of_machine("before")
    feast = "--no-feast" not in arguments
    wanted = [name for name in arguments if not name.startswith("-")] or [*COMPARED, *ALONE]
    compared = [name for name in COMPARED if name in wanted]
    if compared:
        print(HEADER, flush=True)
    for name in compared:
        for line in COMPARED[name](feast=feast):
            print(line.row(), flush=True)
    for name in ALONE:
        if name in wanted:
            print()
            ALONE[name]()
    _tell_of_machine("after")


def _tell_of_machine(when: str) -> None:
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    now = datetime.now(UTC)
    print(f"\n{now:%Y-%m-%d %H:%M} UTC: {os.cpu_count()} cores, load {loads} {when} (1, 5, 15 minutes).\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
