"""The training set of the demo: which flights, which months, where the test begins, and whether the store holds it all.

A training set is one Parquet file, so that the tasks that train see the same rows; what it was made of travels with it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from e2e_ml.festaf import FeatureStore, HistoricalFeatures
from e2e_ml.festaf.model import FeatureView, Registry

SERVICE = "flight_delay"
AT = "scheduled_departure"  # when it is asked; what `at_the_gate` is computed from, too

START = datetime(2013, 1, 1, tzinfo=UTC)
END = datetime(2013, 4, 1, tzinfo=UTC)
# The test begins where New York's 11 March does, and holds the last three weeks; nothing of them is learned from.
TEST_FROM = datetime(2013, 3, 11, 4, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows by their scheduled departure, split there: nothing in `train` is later than anything in `test`."""

    train: pl.DataFrame
    test: pl.DataFrame
    of: HistoricalFeatures
    target: str

    @property
    def categorical(self) -> list[str]:
        return [name for name in self.of.columns if self.train.schema[name] == pl.String]

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.of.columns if name not in self.categorical]


def gaps(store: FeatureStore) -> list[str]:
    """What the store lacks of January to March 2013 for the service, a sentence for each view; empty: nothing."""
    registry = store.registry
    service = registry.service(SERVICE)
    if service is None:
        return [f"The service {SERVICE} is not in the registry. Apply features.py: e2e-ml festaf apply."]
    asked = list(service.features)
    if service.target:
        asked.append(f"{service.target.view}.{service.target.feature}")
    sentences: list[str] = []
    for view in _stored(registry, asked):
        name = view.name
        if view.event_time is None:
            if not store.stats(view).rows:
                sentences.append(f"{name} has no rows yet. Run its DAG, festaf.{registry.project}.{name}.")
            continue
        written = [(i.start, i.end) for i in store.intervals(view) if i.start and i.end]
        missing_from = _covered_until(written)
        if missing_from < END:
            sentences.append(
                f"{name} is not written from {missing_from:%d %B %Y} on. "
                f"Backfill festaf.{registry.project}.{name} from {START:%Y-%m-%d} to {END:%Y-%m-%d}."
            )
    return sentences


def _stored(registry: Registry, features: Iterable[str]) -> list[FeatureView]:
    """The views that hold rows and that these features come from, those of on-demand views through what they read."""
    found: dict[str, FeatureView] = {}
    waiting, seen = deque(features), set[str]()
    while waiting:
        full_name = waiting.popleft()
        if full_name in seen:
            continue
        seen.add(full_name)
        view_name, _, name = full_name.partition(".")
        if view := registry.view(view_name):
            found[view_name] = view
        elif (on_demand := registry.any_view(view_name)) and on_demand.has(name):
            waiting += [each if "." in each else f"{view_name}.{each}" for each in on_demand.feature(name).inputs]
    return list(found.values())


def _covered_until(intervals: list[tuple[datetime, datetime]]) -> datetime:
    """The first moment of the period that no interval holds; `END` where none is missing."""
    reached = START
    for start, end in sorted(intervals):
        if start > reached:
            break
        reached = max(reached, end)
    return min(reached, END)


def entities(flights: Path) -> pl.LazyFrame:
    """The flights of January to March whose delay is known, each with the keys of every view and its time.

    That time is the scheduled departure: whatever came to be known later is not seen.
    """
    return (
        pl.scan_parquet(flights)
        .filter(pl.col("scheduled_departure").is_between(START, END, closed="left"))
        .filter(pl.col("arr_delay").is_not_null())
        .select(
            "flight",
            "carrier",
            "origin",
            "dest",
            "tailnum",
            pl.col("dest").alias("airport"),
            AT,
        )
        .sort(AT, "flight")
    )


def build(project: Path, dag_run_id: str) -> Path:
    """Ask the store for the training set and write it; the same run gives the same file. Gives its path."""
    store = FeatureStore.open(project)
    answer = store.historical(SERVICE, entities(project / "data" / "flights.parquet"), at=AT)
    if answer.target is None:
        raise ValueError(f"The service {SERVICE} has no target. Add one to features.py and apply it.")
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", dag_run_id)
    return answer.write_parquet(project / "data" / "training" / f"{name}.parquet")


def read(path: Path) -> TrainingSet:
    """Read what `build` wrote, without rows whose target is not known."""
    answer = HistoricalFeatures.read_parquet(path)
    target = answer.target or ""
    rows = answer.to_polars().drop_nulls(target)
    early = rows[AT] < TEST_FROM
    return TrainingSet(rows.filter(early), rows.filter(~early), answer, target)
