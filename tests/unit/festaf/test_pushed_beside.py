"""Rows that are pushed into a view that has a source too: a load keeps them until the source holds them."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import Column, Window
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.rows import engines, late, pipeline
from e2e_ml.festaf.rows import push as pushing
from e2e_ml.festaf.rows.interval import offline_store, online_store
from e2e_ml.festaf.rows.offline import PUSHED
from e2e_ml.festaf.rows.staging import Staging
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.test_push import row, served, winds
from tests.unit.festaf.worlds import TIME, feature, hour, plane, project, weather, weather_rows

LATE = weather(lateness_seconds=48 * 3600, ttl_seconds=None)


def opened(folder: Path, view: FeatureView, source: pl.DataFrame) -> FeatureStore:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.json").write_text(Registry(project="flights", version=1, views=(view,)).model_dump_json())
    source.write_parquet(folder / "weather.parquet")
    return FeatureStore.open(folder)


def hours(store: FeatureStore) -> list[float]:
    return sorted(winds(store))


def test_a_load_keeps_what_its_source_does_not_hold(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows(range(24)))
    store.load("weather", hour(0), hour(24))
    store.push("weather", [row(3.5, 7.0), row(24, 100.0), row(5, 55.0)])
    again = store.load("weather", hour(0), hour(24))
    # The source holds the row of five; the two others it does not.
    assert winds(store, "wind")[3.5] == (7.0,)
    assert winds(store, "wind")[5.0] == (5.0,)
    assert winds(store)[4.0] == (3.0 + 7.0 + 4.0) / 3
    assert winds(store)[5.0] == (7.0 + 4.0 + 5.0) / 3
    assert winds(store)[24.0] == (100.0 + 23.0) / 2
    assert again.rows == 24 + 12 + 1
    assert [(e.rows, e.writes) for e in store.intervals("weather")] == [(37, 2)]
    assert served(store) == 61.5
    assert store.offline("weather").collect_schema().names() == [
        "origin", "observed_at", "temp", "wind", "freezing", "wind_mean_2h",
    ]  # fmt: skip


def test_an_interval_of_pushed_rows_alone_is_loaded(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows(range(24)))
    store.push("weather", [row(30, 1.0)])
    assert store.load("weather", hour(24), hour(48)).rows == 1
    assert winds(store) == {30.0: 1.0}
    with pytest.raises(pipeline.NoRowsError):
        store.load("weather", hour(48), hour(72))


def test_a_pushed_row_ahead_of_its_interval_follows_what_is_loaded_before_it(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows(range(24)))
    store.push("weather", row(24, 100.0))
    assert served(store) == 100.0
    store.load("weather", hour(0), hour(24))
    assert (winds(store)[24.0], served(store)) == (61.5, 61.5)
    corrected = weather_rows(range(24)).with_columns(wind=pl.when(pl.col("wind") == 23).then(50.0).otherwise("wind"))
    corrected.write_parquet(tmp_path / "weather.parquet")
    store.reopen("weather", hour(0), hour(24))
    assert (winds(store)[24.0], served(store)) == (75.0, 75.0)


def test_what_was_pushed_is_no_row_that_came_late(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows())
    store.load("weather", hour(0), hour(24))
    store.push("weather", [row(3.5, 7.0)])
    interval = pipeline.Interval(tmp_path, LATE, hour(24), hour(48))
    assert [each.reason for each in late.plan(interval)] == [""]
    # Once the source has it, as it is or as it should have been, it is the source's.
    rows = pl.concat([weather_rows(), weather_rows(range(1)).head(1).with_columns(observed_at=hour(3.5), wind=9.0)])
    rows.with_columns(pl.col("observed_at").cast(TIME)).write_parquet(tmp_path / "weather.parquet")
    assert [each.reason for each in late.plan(interval)] == ["", "1 row is corrected."]
    store.load("weather", hour(24), hour(48))
    assert winds(store, "wind")[3.5] == (9.0,)
    weather_rows().write_parquet(tmp_path / "weather.parquet")
    store.load("weather", hour(0), hour(24))
    assert 3.5 not in hours(store)


def test_what_a_task_hands_over_stands_beside_what_was_pushed(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows())
    store.push("weather", [row(3.5, 7.0), row(24.5, 8.0), row(2, 99.0)])
    interval = pipeline.Interval(tmp_path, LATE, hour(0), hour(24))
    assert pipeline.load_rows(interval, weather_rows(range(24))).rows == 37
    assert winds(store)[4.0] == (3.0 + 7.0 + 4.0) / 3
    assert winds(store)[2.0] == 1.5
    assert winds(store)[24.5] == (23.0 + 8.0) / 2
    store.load("weather", hour(0), hour(24))
    assert {3.5, 24.5} < set(hours(store))


def test_a_later_version_of_a_row_stays_and_an_earlier_one_goes(tmp_path: Path) -> None:
    view = weather(created_time="written_at", ttl_seconds=None)
    source = weather_rows(range(2)).with_columns(written_at=pl.lit(hour(10)).cast(TIME))
    store = opened(tmp_path, view, source)
    at = {"written_at": hour(5).isoformat()}
    store.push("weather", [row(0, 8.0, **at), row(1, 9.0, written_at=hour(11).isoformat()), row(1.5, 7.0, **at)])
    assert store.load("weather", hour(0), hour(24)).rows == 3 + 2
    found = store.offline("weather").filter(pl.col("origin") == "JFK").sort("observed_at", "written_at").collect()
    assert found["wind"].to_list() == [0.0, 1.0, 9.0, 7.0]
    assert served(store, "wind") == 7.0


def test_a_snapshot_keeps_the_keys_that_were_pushed(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.push("plane", [{"tailnum": "N2", "seats": 7, "jet": False}, {"tailnum": "N9", "seats": 9, "jet": True}])
    assert store.load("plane").rows == 4
    found = store.online("plane", [{"tailnum": t} for t in ("N1", "N2", "N9")])
    assert [r["plane__seats"] for r in found.rows] == [120, None, 9]
    (tmp_path / "planes.csv").write_text("tailnum,seats,jet\nN9,10,true\n")
    assert store.load("plane").rows == 1
    (tmp_path / "planes.csv").write_text("tailnum,seats,jet\nN1,10,true\n")
    assert store.load("plane").rows == 1


def test_a_snapshot_whose_pushed_rows_fit_no_more_says_so(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.push("plane", {"tailnum": "N9", "seats": 300, "jet": True})
    changed = plane().model_copy(update={"features": (feature("seats", "int8"), feature("jet", "bool"))})
    (tmp_path / "planes.csv").write_text("tailnum,seats,jet\nN1,10,true\n")
    (tmp_path / "registry.json").write_text(Registry(project="f", version=2, views=(changed,)).model_dump_json())
    with pytest.raises(FeatureStoreError, match="do not fit its definition any more"):
        FeatureStore.open(tmp_path).load("plane")


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "dask"])
def test_every_engine_reads_and_loads_beside_pushed_rows(tmp_path: Path, engine: str) -> None:
    store = opened(tmp_path, LATE, weather_rows())
    store.push("weather", [row(3.5, 7.0), row(24, 100.0)])
    store.load("weather", hour(0), hour(24), engine=engine)
    asked = pl.DataFrame(
        {"origin": ["JFK"] * 3, "event_timestamp": [hour(3.6), hour(4), hour(24)]},
        schema_overrides={"event_timestamp": TIME},
    )
    one, two = (store.historical("weather", asked, engine=e).to_polars() for e in ("polars", engine))
    assert one.to_dicts() == two.to_dicts()
    assert one["weather__wind_mean_2h"].to_list() == [4.0, 14 / 3, 61.5]
    assert engine in engines.NAMES


# --- pushes while an interval is being loaded ---------------------------------------------------------------------


def test_what_is_pushed_while_an_interval_is_loaded_stays(tmp_path: Path) -> None:
    store = opened(tmp_path, LATE, weather_rows())
    store.load("weather", hour(0), hour(24))
    store.push("weather", row(30.5, 1.0))
    interval = pipeline.Interval(tmp_path, LATE, hour(24), hour(48), dag_run_id="run")
    staging = Staging(interval, "run")
    (planned,) = staging.begin()
    staging.keep_extracted(planned.interval)
    # One before the interval, one in it, one again, one that the source holds.
    store.push("weather", [row(23.5, 230.0), row(30.75, 3.0), row(30.5, 2.0), row(32, 99.0)])
    staging.keep_transformed(planned.interval)
    rows = staging.transformed(planned.interval)
    written = pipeline.write_offline(planned.interval, rows, since=staging.begun)
    assert written.rows == 24 + 12 + 2
    means = winds(store)
    assert means[24.0] == (23.0 + 230.0 + 24.0) / 3
    assert means[30.5] == (29.0 + 30.0 + 2.0) / 3
    assert means[31.0] == (30.0 + 2.0 + 3.0 + 31.0) / 4
    assert winds(store, "wind")[32.0] == (32.0,)
    pipeline.materialize_online(staging.written_span())
    assert served(store) == 46.5
    assert not list((tmp_path / "store" / "pushes").rglob("*.parquet"))


@pytest.mark.parametrize("moment", ["replace", "put", "online", "note"])
def test_a_load_that_died_has_lost_nothing_that_was_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    store = opened(tmp_path, LATE, weather_rows(range(24)))
    store.push("weather", [row(3.5, 7.0), row(24, 100.0)])
    with monkeypatch.context() as broken:
        if moment == "online":
            broken.setattr(type(online_store(tmp_path)), "upsert", dies)
        elif moment == "note":
            broken.setattr(pushing._Note, "remove", dies)  # pyright: ignore[reportPrivateUsage]
        else:
            broken.setattr(type(offline_store(tmp_path)), moment, dies)
        with pytest.raises(KeyboardInterrupt):
            store.load("weather", hour(0), hour(24))
    assert {3.5, 24.0} <= set(hours(store))
    if moment != "replace":
        # What the load had begun is finished by whoever comes next.
        store.materialize("weather", hour(0), hour(48))
        assert (winds(store)[24.0], served(store)) == (61.5, 61.5)
    store.load("weather", hour(0), hour(24))
    assert (winds(store)[24.0], served(store)) == (61.5, 61.5)
    assert len(hours(store)) == 26
    assert not list((tmp_path / "store" / "pushes").rglob("*.parquet"))


# --- in any order -------------------------------------------------------------------------------------------------

at_half_hours = st.tuples(st.sampled_from(["JFK", "LGA"]), st.integers(0, 11), st.integers(0, 9))
pushes = st.lists(at_half_hours, min_size=1, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), pushes),
        st.tuples(st.just("load"), st.integers(0, 1)),
        st.tuples(st.just("reopen"), st.integers(0, 1)),
        st.tuples(st.just("source"), pushes),
    ),
    min_size=1,
    max_size=5,
)


def table(rows: dict[tuple[str, int], float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(origin, hour(half / 2), wind) for (origin, half), wind in rows.items()],
        schema={"origin": pl.String, "observed_at": TIME, "wind": pl.Float64},
        orient="row",
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pushes, steps, st.permutations([0, 1]))
def test_pushes_and_loads_in_any_order_leave_the_sources_rows_and_the_pushed_ones(
    tmp_path_factory: pytest.TempPathFactory, first: list[Any], done: list[Any], last: list[int]
) -> None:
    means = feature("mean", "float64", Window(Column("wind"), "mean", timedelta(hours=2)))
    two = feature("two", "float64", Window(Column("wind"), "sum", rows=2))
    view = weather(features=(feature("wind"), means, two), ttl_seconds=None)
    source = {(o, h): float(w) for o, h, w in first}
    pushed: dict[tuple[str, int], float] = {}
    store = opened(tmp_path_factory.mktemp("steps"), view, table(source))

    def load(part: int) -> None:
        with contextlib.suppress(pipeline.NoRowsError):
            store.load("weather", hour(3 * part), hour(3 * part + 3))

    for step, what in done:
        match step:
            case "push":
                store.push("weather", table({(o, h): float(w) for o, h, w in what}).to_dicts())
                pushed |= {(o, h): float(w) for o, h, w in what}
            case "load":
                load(what)
            case "reopen":
                with contextlib.suppress(pipeline.NoRowsError):
                    store.reopen("weather", hour(3 * what), hour(3 * what + 3))
            case _:
                source |= {(o, h): float(w) for o, h, w in what}
                table(source).write_parquet(store.path / "weather.parquet")
    for part in last:
        load(part)
    whole = opened(tmp_path_factory.mktemp("whole"), view, table(pushed | source))
    whole.load("weather", hour(0), hour(6))
    one, other = (s.offline("weather").sort("origin", "observed_at").collect() for s in (store, whole))
    assert one.to_dicts() == other.to_dicts()
    asked = [{"origin": "JFK"}, {"origin": "LGA"}]
    assert store.online("weather", asked).rows == whole.online("weather", asked).rows
    assert PUSHED not in one.columns
