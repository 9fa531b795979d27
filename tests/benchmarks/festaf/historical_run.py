"""One answer of history, by festaf or by hand, in a process of its own: what it took, in time and in memory.

    python -m tests.benchmarks.festaf.historical_run festaf|limit PROJECT ENTITIES VIEWS [OUT]

Prints JSON: seconds from the question to the answer in memory, and the process's peak of resident memory in bytes.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

import polars as pl

from e2e_ml import festaf as fs
from tests.benchmarks.measure import peak

FEATURES = [f"f{i}" for i in range(10)]
TTL = timedelta(days=2)


def festaf(store: fs.FeatureStore, asked: pl.DataFrame, views: list[str]) -> pl.DataFrame:
    return store.historical(views, asked).to_polars()


def limit(store: fs.FeatureStore, asked: pl.DataFrame, views: list[str]) -> pl.DataFrame:
    """The best that we can write by hand for just this question, in plain Polars."""
    rows = asked.lazy().with_row_index("row")
    left = rows.select("row", "driver_id", pl.col("event_timestamp").alias("at")).sort("at")
    answer = rows
    for view in views:
        stored = pl.scan_delta(store.path / "store" / "offline" / view).with_row_index("number")
        right = stored.select("driver_id", "at", "created", "number")
        right = right.sort("created", maintain_order=True).sort("at", maintain_order=True).drop("created")
        found = left.join_asof(right, on="at", by="driver_id", tolerance=TTL, check_sortedness=False)
        named = (pl.col(name).alias(f"{view}__{name}") for name in FEATURES)
        values = found.select("row", "number").drop_nulls().join(stored.select("number", *named), on="number")
        answer = answer.join(values.drop("number"), on="row", how="left", maintain_order="none")
    return answer.sort("row").drop("row").collect()


def main(who: str, project: str, entities: str, views: str, out: str | None = None) -> None:
    asked = pl.read_parquet(entities)
    store = fs.FeatureStore.open(project)
    store.historical(views.split(","), asked.head(0))  # plans alone, so that all is imported, for both
    start = time.perf_counter()
    answer = {"festaf": festaf, "limit": limit}[who](store, asked, views.split(","))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": peak()}))
    if out:
        answer.write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
