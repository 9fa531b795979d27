"""`python -m tests.benchmarks.lineage [CASES ...]`: the lineage of a large company; all cases without CASES.

`index`: opening, walks, impact, memory, and Feast's registry lineage beside them. `refresh`: what is new. `window`:
the panels as the focus moves. The world is built once, into build/lineage-world.sqlite, which takes two minutes.
"""

from __future__ import annotations

import sys

from tests.benchmarks.lineage import bench_index, bench_refresh, bench_window
from tests.benchmarks.lineage.table import HEADER

CASES = {"index": bench_index.lines, "refresh": bench_refresh.lines, "window": bench_window.lines}


def main(arguments: list[str]) -> None:
    wanted = [name for name in arguments if not name.startswith("-")] or list(CASES)
    print(HEADER, flush=True)
    for name in wanted:
        for line in CASES[name](feast="--no-feast" not in arguments):
            print(line.row(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
