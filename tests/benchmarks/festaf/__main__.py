"""`python -m tests.benchmarks.festaf [CASES ...]`: the feature store beside Feast and the hand-written limit.

CASES are the modules below; all of them without. `--no-feast` leaves Feast out.
"""

from __future__ import annotations

import sys

from tests.benchmarks.festaf import bench_http, bench_online, historical
from tests.benchmarks.festaf.table import HEADER

CASES = {"historical": historical.lines, "online": bench_online.lines, "http": bench_http.lines}


def main(arguments: list[str]) -> None:
    feast = "--no-feast" not in arguments
    wanted = [name for name in arguments if not name.startswith("-")] or list(CASES)
    print(HEADER, flush=True)
    for name in wanted:
        for line in CASES[name](feast=feast):
            print(line.row(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
