"""A hundred new runs on the full index: our own time beside the servers' answers, from records to the new graph."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from e2e_ml.lineage.index import Index
from tests.benchmarks.lineage import world
from tests.benchmarks.lineage.bench_index import built
from tests.benchmarks.lineage.table import Line, load, ms

ROUNDS, NEW = 7, 100


def lines(*, feast: bool) -> Iterator[Line]:
    del feast  # it has no refresh: a registry is read whole
    with TemporaryDirectory(prefix="lineage-bench-") as folder:
        index = Index(Path(shutil.copy(built(), folder)))
        index.graph()
        times: list[tuple[float, float]] = []
        for turn in range(ROUNDS + 1):
            visits = list(world.news(world.FULL, NEW, turn))
            clock, cpu = time.perf_counter(), time.process_time()
            for collector, batch in visits:
                index.upsert(collector, batch)
            index.graph()
            times.append((time.perf_counter() - clock, time.process_time() - cpu))
        index.close()
    took, cpu_took = median(t for t, _ in times[1:]), median(c for _, c in times[1:])
    yield Line(
        f"{NEW} new runs, with their DAG runs and task instances, taken in, linked and drawn",
        f"{ms(took)} ({load()})", ms(cpu_took), "< 1 s", took < 1,
    )  # fmt: skip
