"""`make bench`: every benchmark. `python -m tests.benchmarks.festaf` runs the feature store's, or some of them;
`python -m tests.benchmarks.lineage` those of the lineage."""

from __future__ import annotations

import sys

from tests.benchmarks import bench_start
from tests.benchmarks.festaf import __main__ as festaf
from tests.benchmarks.lineage import __main__ as lineage
from tests.benchmarks.measure import HEADER


def main() -> None:
    print(HEADER)
    for result in bench_start.results():
        print(result.row(), flush=True)
    print()
    festaf.main(sys.argv[1:])
    print()
    lineage.main([a for a in sys.argv[1:] if a.startswith("-")])


if __name__ == "__main__":
    main()
