"""`make bench`: every benchmark, one table."""

from __future__ import annotations

from tests.benchmarks import bench_historical, bench_start
from tests.benchmarks.measure import HEADER


def main() -> None:
    print(HEADER)
    for module in (bench_start, bench_historical):
        for result in module.results():
            print(result.row(), flush=True)


if __name__ == "__main__":
    main()
