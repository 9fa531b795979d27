"""`python -m tests.benchmarks.festaf [CASES ...]`: the feature store's benchmarks; all of them without CASES.

`historical`, `online` and `http` stand beside Feast (`--no-feast` leaves it out) and the hand-written limit; `registry`
and `catalog` are about 10,000 features.
"""

from __future__ import annotations

import sys

from tests.benchmarks.festaf import bench_catalog, bench_http, bench_online, bench_registry, historical
from tests.benchmarks.festaf.table import HEADER

COMPARED = {"historical": historical.lines, "online": bench_online.lines, "http": bench_http.lines}
ALONE = {"registry": bench_registry.main, "catalog": bench_catalog.main}


def main(arguments: list[str]) -> None:
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


if __name__ == "__main__":
    main(sys.argv[1:])
