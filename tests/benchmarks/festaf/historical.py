"""History: three views of 10 features with 5,000,000 rows of 10,000 entities each, and one of 50,000,000 rows.

Every answer is computed in a process of its own, festaf's and the limit's by turns; what they give is compared, row for
row, and so is Feast's where it finishes. Needs 10 GB of disk for a while, and Feast's environment, which it builds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from e2e_ml import festaf as fs
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.pipeline import offline_store
from tests.benchmarks.festaf.table import GIB, Line
from tests.feast_environment import feast_python

ROWS, KEYS, DAYS = 5_000_000, 10_000, 30
START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 5
FEAST_LIMIT = 14 * GIB  # what Feast may take of the machine
_FEAST = Path(__file__).with_name("feast_run.py")


@dataclass(frozen=True, slots=True)
class Took:
    seconds: float
    bytes: int


def definition(name: str) -> type[fs.FeatureView]:
    """A view of 10 features of drivers."""
    body: dict[str, object] = {
        "source": fs.push(),
        "ttl": timedelta(days=2),
        "driver_id": fs.Entity(fs.Int64()),
        "at": fs.EventTime(),
        "created": fs.CreatedTime(),
        **{f"f{i}": fs.Float64() for i in range(10)},
    }
    return cast("type[fs.FeatureView]", type(name, (fs.FeatureView,), body))


def lines(*, feast: bool = True) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="festaf-bench-") as folder:
        yield from _lines(Path(folder), feast=feast)


def _lines(folder: Path, *, feast: bool) -> Iterator[Line]:
    store = fs.FeatureStore.open(folder, name="bench")
    store.apply(store.plan([definition(name) for name in ("V1", "V2", "V3", "V50")]))
    for seed, name in enumerate(("v1", "v2", "v3"), start=1):
        write(folder, store.view(name), ROWS, seed, feast=feast)
    for asked in (100_000, 1_000_000):
        _asked(asked).write_parquet(folder / f"asked_{asked}.parquet")
    small: Took | None = None
    for asked, views in ((1_000_000, "v1"), (100_000, "v1,v2,v3"), (1_000_000, "v1,v2,v3")):
        mine, limit = _compared(folder, folder / f"asked_{asked}.parquet", views)
        small = small or mine
        beside = _feast(folder, asked, views) if feast else "not run"
        case = f"historical, {asked:,} rows, {views.count(',') + 1} view{'s' if ',' in views else ''}"
        # Memory is promised for the first case alone.
        yield Line.of_pair(
            case, beside, limit, mine, reach=1.15, memory=1.15 if asked > 100_000 and views == "v1" else None
        )
    for name in ("v2", "v3"):
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    write(folder, store.view("v50"), 10 * ROWS, seed=4, feast=False)
    took = [_run("festaf", folder, folder / "asked_1000000.parquet", "v50") for _ in range(3)]
    large = Took(statistics.median(t.seconds for t in took), max(t.bytes for t in took))
    assert small is not None
    yield Line(
        case="historical, 1,000,000 rows, 1 view of 50,000,000 rows in Delta, 4 GiB allowed",
        feast="not run",
        limit=f"{small.seconds:.2f} s for 5,000,000",
        festaf=f"{large.seconds:.2f} s, {large.bytes / GIB:.2f} GiB",
        ratio=f"{large.seconds / small.seconds:.1f} x",
        reach="finishes in 4 GiB, <= 12 x",
        met=large.bytes <= 4 * GIB and large.seconds <= 12 * small.seconds,
    )


def write(folder: Path, view: FeatureView, rows: int, seed: int, *, feast: bool) -> None:
    """Into the offline store by intervals, as a DAG would; and for Feast into one Parquet file."""
    draw = np.random.default_rng(seed)
    offline, parts = offline_store(folder), []
    intervals = max(DAYS // 3, rows // 1_000_000)
    span = timedelta(days=DAYS) / intervals
    for i in range(intervals):
        start = START + i * span
        seconds = np.sort(draw.integers(0, int(span.total_seconds()), rows // intervals))
        at = int(start.timestamp()) + seconds
        columns = {f"f{j}": draw.random(len(at)) for j in range(10)}
        part = pl.DataFrame(
            {
                "driver_id": draw.integers(0, KEYS, len(at)),
                "at": at,
                "created": at + draw.integers(0, 3600, len(at)),
                **columns,
            }
        ).with_columns(
            pl.from_epoch(name).dt.replace_time_zone("UTC").dt.cast_time_unit("us") for name in ("at", "created")
        )
        offline.replace(view, part, start, start + span)
        if feast:
            parts.append(part)
    if parts:
        pl.concat(parts).write_parquet(folder / f"{view.name}.parquet")


def _asked(rows: int) -> pl.DataFrame:
    draw = np.random.default_rng(rows)
    at = int(START.timestamp()) + draw.integers(0, DAYS * 86_400, rows)
    frame = pl.DataFrame({"driver_id": draw.integers(0, KEYS, rows), "event_timestamp": at})
    return frame.with_columns(pl.from_epoch("event_timestamp").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))


def _compared(folder: Path, entities: Path, views: str) -> tuple[Took, Took]:
    """festaf's and the limit's medians, after their answers were found equal."""
    answers = {who: folder / f"{who}.parquet" for who in ("festaf", "limit")}
    for who, out in answers.items():
        _run(who, folder, entities, views, out)
    mine, theirs = (pl.read_parquet(answers[who]) for who in ("festaf", "limit"))
    assert mine.equals(theirs), f"festaf's answer for {views} is not the limit's."
    times = [(_run("festaf", folder, entities, views), _run("limit", folder, entities, views)) for _ in range(ROUNDS)]
    return _median([mine for mine, _ in times]), _median([limit for _, limit in times])


def _median(took: list[Took]) -> Took:
    return Took(statistics.median(t.seconds for t in took), int(statistics.median(t.bytes for t in took)))


def _run(who: str, folder: Path, entities: Path, views: str, out: Path | None = None) -> Took:
    module = "tests.benchmarks.festaf.historical_run"
    arguments = [sys.executable, "-m", module, who, str(folder), str(entities), views, *([str(out)] if out else [])]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def _feast(folder: Path, asked: int, views: str) -> str:
    """What Feast took, once; and whether its answer is ours."""
    out, entities = folder / "feast.parquet", folder / f"asked_{asked}.parquet"
    limited = [
        "prlimit",
        f"--data={FEAST_LIMIT}",
        str(feast_python()),
        str(_FEAST),
        str(folder),
        str(entities),
        views,
        str(out),
    ]
    done = subprocess.run(limited, check=False, capture_output=True, text=True)
    if done.returncode:
        return f"fails at {FEAST_LIMIT // GIB} GiB"
    took = Took(**json.loads(done.stdout.splitlines()[-1]))
    ours, theirs = pl.read_parquet(folder / "festaf.parquet"), pl.read_parquet(out)
    # Feast gives rows in another order; equal rows that ask have equal answers.
    keys = ["driver_id", "event_timestamp"]
    theirs = theirs.with_columns(pl.col("event_timestamp").cast(ours.schema["event_timestamp"])).select(ours.columns)
    same = ours.sort(keys).equals(theirs.sort(keys))
    return f"{took.seconds:.1f} s, {took.bytes / GIB:.1f} GiB; {'equal' if same else 'other'} values"
