"""Opening the index, walks, an impact, memory; each opening in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from e2e_ml.lineage.index import Index
from tests.benchmarks.lineage import world
from tests.benchmarks.lineage.table import Line, load, ms, percentile
from tests.benchmarks.measure import peak
from tests.feast_environment import feast_python

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "build" / "lineage-world.sqlite"
ROUNDS = 5


def built() -> Path:
    """The index of the full world, filled by what the collectors would bring; made where there is none."""
    done = FILE.with_suffix(".whole")
    if not (FILE.exists() and done.exists()):
        FILE.parent.mkdir(exist_ok=True)
        for file in FILE.parent.glob(f"{FILE.name}*"):
            file.unlink()
        index = Index(FILE)
        for collector, batch in world.visits(world.FULL):
            index.upsert(collector, batch)
        index.close()
        done.touch()
    return FILE


def asked(path: Path) -> dict[str, Any]:
    """What a process of its own measured: see `_ask`."""
    done = subprocess.run([sys.executable, "-m", __name__, str(path)], cwd=ROOT, check=True, capture_output=True)
    return json.loads(done.stdout)


def lines(*, feast: bool) -> Iterator[Line]:
    found = [asked(built()) for _ in range(ROUNDS)]
    first = found[0]
    beside = _feast() if feast else None
    opened, cpu = median(f["opened"] for f in found), median(f["opened_cpu"] for f in found)
    ours = [seconds for f in found for seconds in f["views"]]
    yield Line(
        f"index of {first['things']:,} things and {first['edges']:,} edges: opened and first answer",
        f"{ms(opened)} ({load()})", ms(cpu), "< 1.5 s", opened < 1.5,
        f"Feast's registry alone, 10,000 features: {ms(beside['opened'])}, {opened / beside['opened']:.2f} x"
        if beside else "",
    )  # fmt: skip
    walks = [seconds for f in found for seconds in f["walks"]]
    yield Line(
        f"walks of {first['walk_sizes'][0]} to {first['walk_sizes'][1]} things, every name made",
        f"p50 {ms(median(walks))}, p99 {ms(percentile(walks, 0.99))}",
        f"p99 {ms(percentile([s for f in found for s in f['walks_cpu']], 0.99))}",
        "p99 < 2 ms", percentile(walks, 0.99) < 0.002,
        f"what a feature view is related to: ours p50 {ms(median(ours))}, Feast's {ms(median(beside['answers']))}, "
        f"{median(ours) / median(beside['answers']):.4f} x" if beside else "",
    )  # fmt: skip
    impacts = [seconds for f in found for seconds in f["impacts"]]
    yield Line(
        f"impact of {first['impact_sizes'][0]:,} to {first['impact_sizes'][1]:,} things, with versions in use and whom "
        "to tell",
        f"p50 {ms(median(impacts))}, p99 {ms(percentile(impacts, 0.99))}",
        f"p99 {ms(percentile([s for f in found for s in f['impacts_cpu']], 0.99))}",
        "p99 < 50 ms", percentile(impacts, 0.99) < 0.05,
    )  # fmt: skip
    peak = max(f["peak"] for f in found)
    yield Line("memory of such a process, at most", f"{peak / 1e6:.0f} MB", "", "< 600 MB", peak < 600e6)


def _feast() -> dict[str, Any]:
    size = world.FULL
    script, registry = Path(__file__).with_name("feast_run.py"), FILE.with_name("feast-lineage-registry.db")
    numbers = map(str, (size.views, size.features, size.trainings, 10))
    command = [str(feast_python()), str(script), str(registry), *numbers]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ask(path: Path) -> None:
    """Open the index, ask, and print the seconds (by the clock, and of the processor) and the peak memory as JSON."""
    from e2e_ml.lineage import questions

    source = world.source(world.FULL, 3)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    index = Index(path)
    graph = index.graph()
    questions.impact(graph, source)
    opened, opened_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    reach = {
        ref: len(graph.walk(ref, down=True))
        for ref in (world.feature(v, f) for v in range(0, world.FULL.views, 5) for f in range(world.FULL.features))
    }
    starts = [ref for ref, size in reach.items() if 450 <= size <= 550]
    walks = [_timed(lambda ref=ref: list(graph.walk(ref, down=True))) for ref in starts * 2]
    # A snapshot keeps its last walks: no source is asked about again before those of many others.
    sources = [world.source(world.FULL, n) for n in range(20)]
    sizes = [sum(questions.impact(graph, each).counts.values()) for each in sources]
    impacts = [_timed(lambda each=each: questions.impact(graph, each)) for each in sources * 5]
    views = [world.feature_view(v) for v in range(10)]
    related = [_timed(lambda r=r: (list(graph.walk(r, down=True, depth=2)), graph.upstream(r))) for r in views]
    print(json.dumps({
        "opened": opened, "opened_cpu": opened_cpu, "things": len(graph), "edges": graph.edge_count,
        "walks": [clock for clock, _ in walks], "walks_cpu": [cpu for _, cpu in walks],
        "walk_sizes": [min(reach[r] for r in starts), max(reach[r] for r in starts)],
        "impacts": [clock for clock, _ in impacts], "impacts_cpu": [cpu for _, cpu in impacts],
        "impact_sizes": [min(sizes), max(sizes)],
        "views": [clock for clock, _ in related],
        "peak": peak(),
    }))  # fmt: skip
    index.close()


def _timed(work: Any) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


if __name__ == "__main__":
    _ask(Path(sys.argv[1]))
