"""How fast a registry of 10,000 features is: 1,000 views of 10, half of them computed, and 100 services.

    python -m tests.benchmarks.festaf.bench_registry

Opening is measured in a process of its own, once its modules are imported.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e_ml.festaf import model, registry
from e2e_ml.festaf.definition.compiling import Compiled
from e2e_ml.festaf.expression import Apply, Column, Expression, Window, columns, literal, to_json
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.registry import planning
from e2e_ml.festaf.registry.explaining import explain
from e2e_ml.festaf.registry.search import SearchIndex

VIEWS, ROUNDS = 1000, 9
AT = datetime(2026, 1, 1, tzinfo=UTC)
_TEMP, _WIND, _VISIB = Column("temp"), Column("wind"), Column("visib")
_COMPUTED: dict[str, tuple[str, Expression]] = {
    "freezing": ("bool", Apply("le", (_TEMP, literal(32)))),
    "gusty": ("bool", Apply("and", (Apply("gt", (_WIND, literal(25))), Apply("lt", (_VISIB, literal(3)))))),
    "wind_mean_6h": ("float64", Window(_WIND, "mean", timedelta(hours=6))),
    "anomaly": ("float64", Apply("sub", (_TEMP, Window(_TEMP, "mean", timedelta(days=1))))),
    "rain": ("bool", Apply("eq", (Column("conditions"), literal("rain")))),
    "hour": ("int64", Apply("hour", (Column("observed_at"),))),
}
_OPEN = """
import json, sys, time
from e2e_ml.festaf.registry import file
file.read(sys.argv[1])
times = []
for _ in range(int(sys.argv[2])):
    file._kept.clear()
    start = time.perf_counter()
    file.read(sys.argv[1])
    times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


def definitions(limit: int = 32) -> Compiled:
    """The views and services; `limit` changes one expression in each tenth view."""
    views = tuple(_view(i, limit if i % 10 == 0 else 32) for i in range(VIEWS))
    services = tuple(
        model.FeatureService(
            name=f"service_{i}",
            features=tuple(f"view_{(i + j) % VIEWS}.{name}" for j in range(5) for name in ("temp", "gusty")),
            first_seen=AT,
            changed_at=AT,
        )
        for i in range(VIEWS // 10)
    )
    return Compiled(views, (), services)


def _view(number: int, limit: int) -> model.FeatureView:
    computed = {**_COMPUTED, "freezing": ("bool", Apply("le", (_TEMP, literal(limit))))}
    return model.FeatureView(
        name=f"view_{number}",
        description=f"The weather of region {number}, hour by hour.",
        owner=model.Owner(name="weather-team", email="weather@example.com"),
        source=model.Source(name=f"weather_{number}", format="parquet", uri=f"data/weather_{number}.parquet"),
        entities=(model.Key(name="origin", dtype="string"),),
        event_time="observed_at",
        ttl_seconds=10_800,
        schedule="@daily",
        features=(
            _feature("temp", "float64", description="Air temperature."),
            _feature("wind", "float64", constraints=(model.Constraint(rule="required"),)),
            _feature("visib", "float64", fill_null=10.0),
            _feature("conditions", "string"),
            *(_feature(name, dtype, tree) for name, (dtype, tree) in computed.items()),
        ),
        first_seen=AT,
        changed_at=AT,
    )


def _feature(name: str, dtype: str, tree: Expression | None = None, **more: Any) -> model.Feature:
    computed = {} if tree is None else {"expression": to_json(tree), "code": to_python(tree), "inputs": columns(tree)}
    fixed = {"name": name, "dtype": dtype, "first_seen": AT, "changed_at": AT}
    return model.Feature.model_validate({**fixed, **computed, **more})


def main() -> None:
    planning.compile_definitions = lambda given: given  # type: ignore[assignment]  # they are compiled already
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = planning.plan(registry.read(folder), definitions(), AT)  # type: ignore[arg-type]
        registry.apply(folder, first, by="ann")
        changed = definitions(30)
        stored = registry.read(folder)
        size = (folder / registry.FILE_NAME).stat().st_size / 1e6
        print(f"{len(stored.views) * 10} features in {size:.1f} MB; medians of {ROUNDS}\n")
        print("| what | median | reach |\n| --- | --- | --- |")
        _row("open, as the last apply wrote it", statistics.median(_opened(folder)), 0.150)
        index = SearchIndex(stored)
        _row("read again, unchanged", _median(lambda: registry.read(folder)), 0.001)
        _row("plan, 100 features changed", _median(lambda: planning.plan(stored, changed, AT)), 1.0)  # type: ignore[arg-type]
        plan = planning.plan(stored, changed, AT)  # type: ignore[arg-type]
        _row("explain a feature", _median(lambda: explain(stored, "view_500.gusty")), 0.050)
        _row("search", _median(lambda: index.search("wind region 77", 20)), 0.050)
        start = time.perf_counter()
        registry.apply(folder, plan, by="bob")
        _row("apply, 100 features changed (once)", time.perf_counter() - start, 1.0)
        by_hand = folder / "by_hand"
        by_hand.mkdir()
        (by_hand / registry.FILE_NAME).write_bytes((folder / registry.FILE_NAME).read_bytes())
        _row("open, edited by hand: every check", statistics.median(_opened(by_hand)), None)


def _opened(folder: Path) -> list[float]:
    command = [sys.executable, "-c", _OPEN, str(folder), str(ROUNDS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _median(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _row(what: str, seconds: float, reach: float | None) -> None:
    verdict = "" if reach is None else f"<= {reach * 1000:g} ms: {'met' if seconds <= reach else 'missed'}"
    print(f"| {what} | {seconds * 1000:.1f} ms | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
