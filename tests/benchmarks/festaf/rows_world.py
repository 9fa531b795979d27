"""The rows that the online benchmarks serve: a view of 10 features, a row for each of its entities, loaded offline."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from e2e_ml.festaf.model import Feature, FeatureView, Key, Registry, Source
from e2e_ml.festaf.store import FeatureStore
from tests.benchmarks.festaf.table import Line

FEATURES = [f"f{i}" for i in range(10)]
START = datetime(2026, 1, 1, tzinfo=UTC)


def make(folder: Path, rows: int) -> FeatureStore:
    """A project with `rows` rows in its offline store, and the same in `rows.parquet`, in no order."""
    features = tuple(Feature(name=name, dtype="float64", first_seen=START, changed_at=START) for name in FEATURES)
    view = FeatureView(
        name="things",
        source=Source(name="rows", format="parquet", uri="rows.parquet"),
        entities=(Key(name="id", dtype="int64"),),
        event_time="at",
        ttl_seconds=10 * 365 * 86400.0,
        features=features,
        first_seen=START,
        changed_at=START,
    )
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)  # noqa: S311
    frame = pl.DataFrame({"id": range(rows)}).with_columns(
        (pl.lit(START) + pl.duration(seconds=pl.col("id") % 86_400)).dt.cast_time_unit("us").alias("at"),
        *(pl.Series(name, [chance.random() for _ in range(rows)]) for name in FEATURES),
    )
    frame.sample(fraction=1.0, shuffle=True, seed=7).write_parquet(folder / "rows.parquet")
    (folder / "registry.json").write_text(Registry(project="bench", version=1, views=(view,)).model_dump_json())
    store = FeatureStore.open(folder)
    store.load("things", START, START + timedelta(days=1))
    return store


def size(folder: Path, name: str) -> int:
    """Bytes of a SQLite file with its log."""
    return sum(path.stat().st_size for path in folder.glob(f"{name}*"))


def p50(ours: Callable[[], Any], limit: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Medians in milliseconds of both, asked by turns; both answer the same."""
    assert ours() == limit()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for ask, kept in zip((ours, limit), times, strict=True):
            start = time.perf_counter()
            ask()
            kept.append(time.perf_counter() - start)
    return statistics.median(times[0]) * 1e3, statistics.median(times[1]) * 1e3


def line(
    case: str,
    feast: float | str | None,
    limit: float,
    ours: float,
    unit: str,
    reach: float,
    *,
    least: bool = False,
    behind: tuple[str, str, str] = ("", "", ""),
    apart: float | None = None,
) -> Line:
    """A line of the table. least: the ratio is to be at least `reach`, else at most. feast: what Feast took in this
    run, or why that is not known; None: not asked. behind: what else is told of Feast, the limit and ours, each behind
    its figure. apart: ours is to be at most Feast's divided by this."""
    ratio = ours / limit
    met = ratio >= reach if least else ratio <= reach
    wanted = f"{'>=' if least else '<='} {reach:g} x"
    beside = feast if isinstance(feast, str) else "not run" if feast is None else f"{figure(feast)} {unit}{behind[0]}"
    compared = f"{ratio:.2f} x"
    if apart is not None and isinstance(feast, float):
        met = met and ours <= feast / apart
        wanted += f", <= Feast / {apart:g}"
        compared += f", Feast / {feast / ours:.0f}"
    return Line(
        case, beside, f"{figure(limit)} {unit}{behind[1]}", f"{figure(ours)} {unit}{behind[2]}", compared, wanted, met
    )


def figure(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
