"""Point-in-time history against the shortest native Polars that gives the same rows from the same Delta table."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from e2e_ml import festaf as fs
from tests.benchmarks.measure import Result, pair

ROWS, KEYS, ASKED = 1_000_000, 10_000, 200_000
START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = 30 * 86_400  # seconds
TTL = timedelta(days=2)


def results() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        yield _one_view(Path(folder))


def _one_view(folder: Path) -> Result:
    _frame(ROWS, seed=1).with_columns(
        *(pl.lit(float(i)).alias(f"f{i}") + pl.col("k") for i in range(10)),
    ).write_parquet(folder / "readings.parquet")

    class Readings(fs.FeatureView):
        source = fs.parquet("readings.parquet")
        ttl = TTL
        k = fs.Entity(fs.Int64())
        t = fs.EventTime()
        f0, f1, f2, f3, f4 = fs.Float64(), fs.Float64(), fs.Float64(), fs.Float64(), fs.Float64()
        f5, f6, f7, f8, f9 = fs.Float64(), fs.Float64(), fs.Float64(), fs.Float64(), fs.Float64()

    store = fs.FeatureStore.open(folder, name="bench")
    store.apply(store.plan([Readings]))
    store.load(Readings, START, START + timedelta(seconds=SPAN))
    asked = _frame(ASKED, seed=2).rename({"t": "event_timestamp"})
    columns = [f"f{i}" for i in range(10)]

    def ours() -> pl.DataFrame:
        return store.historical(Readings, asked).to_polars()

    def native() -> pl.DataFrame:
        right = store.offline(Readings).select("k", "t", *columns).sort("t")
        left = asked.lazy().with_row_index("row").sort("event_timestamp")
        joined = left.join_asof(
            right, left_on="event_timestamp", right_on="t", by="k", tolerance=TTL, check_sortedness=False
        )
        return joined.sort("row").select("k", "event_timestamp", *columns).collect()

    mine, theirs = ours(), native()
    for name in columns:
        assert mine[f"readings__{name}"].equals(theirs[name]), f"{name} differs from native Polars"
    return pair(f"historical, {ASKED:,} of {ROWS:,} rows", ours, "native join_asof", native)


def _frame(rows: int, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)  # noqa: S311 - test data
    return pl.DataFrame(
        {
            "k": [draw.randrange(KEYS) for _ in range(rows)],
            "t": [START + timedelta(seconds=draw.randrange(SPAN)) for _ in range(rows)],
        },
        schema={"k": pl.Int64, "t": pl.Datetime("us", "UTC")},
    )
