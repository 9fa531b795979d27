"""What a write that dies, a reader that reads meanwhile, and the online store's rows must keep to."""

from __future__ import annotations

import math
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Key
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.online.sqlite import SqliteStore
from tests.unit.festaf.online_conformance import read
from tests.unit.festaf.worlds import TIME, feature, hour, project, weather, weather_rows

KEYED = weather(
    entities=(Key(name="origin", dtype="string"), Key(name="day", dtype="date")),
    created_time="made",
    ttl_seconds=None,
    features=(feature("x"), feature("n", "int64"), feature("when", "timestamp"), feature("on", "date")),
)
SCHEMA = {
    "origin": pl.String,
    "day": pl.Date,
    "observed_at": TIME,
    "made": TIME,
    "x": pl.Float64,
    "n": pl.Int64,
    "when": TIME,
    "on": pl.Date,
}
rows = st.tuples(
    st.sampled_from(["JFK", 'LÆ"[,']),
    st.sampled_from([date(2013, 1, 1), date(2013, 1, 2)]),
    st.integers(0, 47).map(hour),
    st.none() | st.integers(0, 3).map(hour),
    st.none() | st.floats(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.just(hour(0.5) + timedelta(microseconds=1)),
    st.none() | st.just(date(1969, 12, 31)),
)


def newest(data: list[Any], key: tuple[str, date]) -> Any:
    """The row to serve: the newest by event time, then created time, then the one given last."""
    mine = [(r[2], (r[3] is not None, r[3] or hour(0)), i) for i, r in enumerate(data) if (r[0], r[1]) == key]
    return data[max(mine)[-1]] if mine else None


def same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=12), st.permutations([0, 1]))
def test_online_serves_the_newest_row_whatever_the_order_of_the_intervals(
    tmp_path_factory: pytest.TempPathFactory, data: list[Any], order: list[int]
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("online") / "online.db")
    frame = pl.DataFrame(data, schema=SCHEMA, orient="row")
    for day in order:
        start, end = hour(24 * day), hour(24 * day + 24)
        part = frame.filter(pl.col("observed_at").is_between(start, end, closed="left"))
        part = part.sort("observed_at", "made", maintain_order=True).unique(
            ["origin", "day"], keep="last", maintain_order=True
        )
        store.replace_interval(KEYED, part, start, end, lambda keys: frame.clear())
    keys = [(o, d) for o in ('LÆ"[,', "JFK", "EWR") for d in (date(2013, 1, 2), date(2013, 1, 1))]
    for key, found in zip(keys, read(store, KEYED, *keys), strict=True):
        wanted = newest(data, key)
        if wanted is None:
            assert found is None
            continue
        assert all(map(same, found, wanted[4:])), (found, wanted)


def test_the_online_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("plane")
    for path in (tmp_path / "store").glob("online.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


WRITER = textwrap.dedent(
    """
    import sys
    import polars as pl
    from e2e_ml.festaf.store import FeatureStore
    from tests.unit.festaf.worlds import hour

    store = FeatureStore.open(sys.argv[1])
    print("ready", flush=True)
    while True:
        store.load("weather", hour(0), hour(48))
    """
)


def test_a_writer_that_is_killed_leaves_the_old_rows_or_the_new(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(48))
    for attempt in range(4):
        # What the writer writes over and over is told from what it began with by the temperature.
        weather_rows().with_columns(temp=pl.lit(float(attempt))).write_parquet(tmp_path / "weather.parquet")
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.02 * attempt + 0.005)
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = store.offline("weather").collect()
        assert len(found) == 72
        assert len(store.intervals("weather")) == 1
        served = store.online("weather.temp", [{"origin": "JFK"}, {"origin": "LGA"}], at=hour(48))
        assert len({row["weather__temp"] for row in served.rows}) == 1 or attempt == 0
        temps = set(found["temp"].to_list())
        assert len(temps) == 1 or attempt == 0, temps
        store.load("weather", hour(0), hour(48))  # the lock of the dead is free
        assert set(store.offline("weather").collect()["temp"].to_list()) == {float(attempt)}


def test_readers_see_whole_intervals_while_one_is_rewritten(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(48))
    offline, view = OfflineStore(tmp_path / "store" / "offline"), store.view("weather")
    base = offline.scan(view).collect()
    done = threading.Event()
    seen: list[set[float]] = []

    def read() -> None:
        while not done.is_set():
            seen.append(set(offline.scan(view).collect()["temp"].to_list()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(12):
            offline.replace(view, base.with_columns(temp=pl.lit(float(i))), hour(0), hour(48))
    finally:
        done.set()
        reader.join()
    assert seen
    assert all(len(temps) in (1, 48) for temps in seen)


def test_two_writers_of_one_view_take_turns(tmp_path: Path) -> None:
    store = project(tmp_path)
    failures: list[BaseException] = []

    def write(day: int) -> None:
        try:
            for _ in range(5):
                store.load("weather", hour(24 * day), hour(24 * day + 24))
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(day,)) for day in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    assert len(store.offline("weather").collect()) == 72
    assert [e.rows for e in store.intervals("weather")] == [36, 36]


def test_many_small_intervals_are_merged_and_lose_nothing(tmp_path: Path) -> None:
    store = project(tmp_path)
    offline, view = OfflineStore(tmp_path / "store" / "offline"), store.view("weather")
    store.load("weather", hour(0), hour(48))
    base = offline.scan(view).head(1).collect()
    for i in range(48, 160):
        moved = base.with_columns(observed_at=pl.lit(hour(i)).cast(TIME))
        offline.replace(view, moved, hour(i), hour(i + 1), dag_run_id=str(i))
    assert store.stats("weather").rows == 72 + 112
    assert [e.dag_run_id for e in store.intervals("weather")] == [None, *map(str, range(48, 160))]
    assert len(list((tmp_path / "store" / "offline" / "weather").glob("*.parquet"))) >= 1


def test_a_new_feature_is_null_in_old_rows_and_a_changed_type_is_refused(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(24))
    old = weather()
    project(tmp_path, old.model_copy(update={"features": (*old.features, feature("humid"))}))
    weather_rows().with_columns(humid=pl.lit(0.5)).write_parquet(tmp_path / "weather.parquet")
    store.load("weather", hour(24), hour(48))
    humid = store.offline("weather").select(pl.col("humid").count()).collect().item()
    assert humid == 36
    changed = (feature("temp", "int64"), *old.features[1:])
    project(tmp_path, old.model_copy(update={"features": changed}))
    with pytest.raises(FeatureStoreError, match=r"the type of temp .* has changed"):
        store.load("weather", hour(24), hour(48))
