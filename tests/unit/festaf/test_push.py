"""Rows that are pushed: in both stores, computed as a load computes them, each once, whatever dies or comes twice."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.cli import main
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import Column, Window
from e2e_ml.festaf.model import Constraint, FeatureView, Registry, Source
from e2e_ml.festaf.rows import push as pushing
from e2e_ml.festaf.rows.interval import offline_store, online_store
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import feature, hour, plane, project, weather, weather_rows

HOURS = timedelta(hours=1)


def row(h: float, wind: float | None, origin: str = "JFK", **more: Any) -> dict[str, Any]:
    return {"origin": origin, "observed_at": hour(h).isoformat(), "temp": 20.0, "wind": wind, **more}


def winds(store: FeatureStore, *columns: str) -> dict[float, Any]:
    """By hour what is stored of JFK."""
    rows = store.offline("weather").filter(pl.col("origin") == "JFK").sort("observed_at").collect()
    return {
        (r["observed_at"] - hour(0)) / HOURS: tuple(r[c] for c in columns) if columns else r["wind_mean_2h"]
        for r in rows.to_dicts()
    }


def served(store: FeatureStore, name: str = "wind_mean_2h", at: float = 100) -> Any:
    (found,) = store.online(f"weather.{name}", [{"origin": "JFK"}], at=hour(at)).rows
    return found[f"weather__{name}"]


def alone(folder: Path, view: FeatureView) -> FeatureStore:
    """A project with this view and no service."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.json").write_text(Registry(project="flights", version=1, views=(view,)).model_dump_json())
    return FeatureStore.open(folder)


PUSHED = weather(source=Source(name="push", format="push", uri=""), ttl_seconds=None, schedule=None, start=None)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return project(tmp_path, PUSHED)


def test_a_pushed_row_is_in_both_stores_with_its_features(store: FeatureStore) -> None:
    assert store.push("weather", [row(0, 1.0), row(1, 3.0)]).new == 2
    assert winds(store, "wind", "freezing", "wind_mean_2h") == {0.0: (1.0, True, 1.0), 1.0: (3.0, True, 2.0)}
    assert served(store) == 2.0
    # The window of the next one sees what is stored.
    store.push("weather", row(2, 5.0))
    assert served(store) == 4.0
    assert store.stats("weather").rows == 3
    assert store.stats("weather").last_written is not None


def test_what_comes_twice_is_there_once(store: FeatureStore) -> None:
    rows = [row(0, 1.0), row(1, 3.0), row(1, 3.0)]
    first, second = store.push("weather", rows), store.push("weather", rows)
    assert (first.rows, first.new, second.rows, second.new) == (2, 2, 2, 0)
    assert winds(store) == {0.0: 1.0, 1.0: 2.0}


def test_a_row_pushed_again_takes_the_place_of_what_it_was(store: FeatureStore) -> None:
    store.push("weather", [row(0, 1.0), row(1, 3.0)])
    corrected = store.push("weather", row(0, 5.0))
    # The later row saw it.
    assert (corrected.new, corrected.recomputed) == (1, 1)
    assert winds(store) == {0.0: 5.0, 1.0: 4.0}
    assert served(store) == 4.0


def test_a_late_row_changes_those_that_see_it_and_no_others(store: FeatureStore) -> None:
    store.push("weather", [row(0, 0.0), row(2, 2.0), row(3, 4.0), row(9, 9.0), row(1, 7.0, "LGA")])
    late = store.push("weather", row(1, 1.0))
    assert (late.new, late.recomputed) == (1, 1)
    assert winds(store) == {0.0: 0.0, 1.0: 0.5, 2.0: 1.5, 3.0: 3.0, 9.0: 9.0}
    assert served(store) == 9.0


def test_windows_of_rows_and_of_other_groups_follow_too(tmp_path: Path) -> None:
    view = PUSHED.model_copy(
        update={
            "features": (
                feature("temp"),
                feature("wind"),
                feature("last_two", "float64", Window(Column("wind"), "sum", rows=2)),
                feature("at_temp", "int64", Window(Column("wind"), "count", timedelta(hours=5), by=("temp",))),
                feature("all", "float64", Window(Column("wind"), "sum")),
            )
        }
    )
    store = alone(tmp_path, view)
    store.push("weather", [row(0, 1.0), row(1, 2.0), row(3, 4.0), row(3, 8.0, "LGA")])
    assert winds(store, "last_two", "at_temp", "all")[3.0] == (6.0, 4, 7.0)
    store.push("weather", row(2, 16.0, "LGA"))
    # The count by temperature sees it, the entity's own windows do not.
    assert winds(store, "last_two", "at_temp", "all")[3.0] == (6.0, 5, 7.0)
    assert served(store, "at_temp") == 5
    store.push("weather", row(2, 32.0))
    assert winds(store, "last_two", "at_temp", "all")[3.0] == (36.0, 6, 39.0)


pushed_rows = st.tuples(st.sampled_from(["JFK", "LGA"]), st.integers(0, 6), st.none() | st.integers(0, 9))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(pushed_rows, min_size=1, max_size=4), min_size=1, max_size=3))
def test_pushes_in_any_order_store_what_a_load_would(
    tmp_path_factory: pytest.TempPathFactory, pushes: list[list[Any]]
) -> None:
    view = PUSHED.model_copy(update={"features": (feature("wind"), PUSHED.features[3])})
    store = alone(tmp_path_factory.mktemp("pushes"), view)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for push in pushes:
        given = [{"origin": o, "observed_at": hour(h / 2), "wind": None if w is None else float(w)} for o, h, w in push]
        store.push("weather", given)
        rows |= {(o, h): r for (o, h, _), r in zip(push, given, strict=True)}
    loaded = alone(tmp_path_factory.mktemp("load"), weather(features=view.features, ttl_seconds=None))
    pl.DataFrame(list(rows.values()), schema_overrides={"wind": pl.Float64}).write_parquet(
        loaded.path / "weather.parquet"
    )
    loaded.load("weather", hour(0), hour(24))
    one, two = (s.offline("weather").sort("origin", "observed_at").collect() for s in (store, loaded))
    assert one.to_dicts() == two.to_dicts()
    asked = [{"origin": "JFK"}, {"origin": "LGA"}]
    assert store.online("weather", asked).rows == loaded.online("weather", asked).rows


def test_a_snapshot_is_pushed_by_its_keys(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("plane")
    store.push("plane", [{"tailnum": "N1", "seats": 7, "jet": False}, {"tailnum": "N9", "seats": None, "jet": True}])
    stored = store.offline("plane").sort("tailnum").select("tailnum", "seats", "jet").unique(maintain_order=True)
    assert stored.collect().rows() == [("N1", 7, False), ("N2", None, False), ("N9", None, True)]
    found = store.online("plane", [{"tailnum": t} for t in ("N1", "N2", "N9")])
    assert [r["plane__seats"] for r in found.rows] == [7, None, None]
    assert found.missing == [{}, {}, {}]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(0, 1.0), row(1, None)], "wind: required is broken by 1 rows, so that nothing was pushed"),
        ([row(0, 1.0, origin=None)], "origin is missing in 1 of the pushed rows"),  # type: ignore[arg-type]
        ([row(0, 1.0, temp="warm")], "'temp' of the pushed rows holds 'warm', and is defined as float64"),
        ([row(0, 1.0, tmp=1)], "hold 'tmp', and no such column is defined"),
        ([{**row(0, 1.0), "observed_at": "2013-01-01T00:00:00"}], "have no zone"),
        ([1], "rows are objects"),
        (7, "int is no frame"),
        (pl.DataFrame({"origin": ["JFK"]}), "has no column 'observed_at', 'temp', 'wind'"),
    ],
)
def test_wrong_rows_are_refused_and_nothing_is_written(store: FeatureStore, rows: Any, said: str) -> None:
    with pytest.raises(FeatureStoreError, match=said):
        store.push("weather", rows)
    assert store.stats("weather").rows == 0
    assert store.online("weather.wind", [{"origin": "JFK"}]).missing == [{"weather__wind": "absent"}]
    assert not list((store.path / "store").rglob("*.parquet"))


def test_rules_that_do_not_refuse_are_told(store: FeatureStore) -> None:
    (broken,) = store.push("weather", row(0, 1.0, temp=200.0)).broken
    assert (broken.feature, broken.rule, broken.count) == ("temp", "upper_bound", 1)
    assert winds(store, "temp") == {0.0: (200.0,)}


def test_rows_are_pushed_beside_a_source_and_the_sources_own_replaces_them(tmp_path: Path) -> None:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(24))
    store.push("weather", [row(24, 100.0), row(3.5, 7.0)])
    assert winds(store)[24.0] == (100.0 + 23.0) / 2
    assert winds(store)[4.0] == (3.0 + 7.0 + 4.0) / 3
    assert len(store.intervals("weather")) == 1
    store.load("weather", hour(24), hour(48))
    assert winds(store)[24.0] == 23.5
    assert served(store, at=47) == 46.5


def test_every_type_is_pushed_and_merged(tmp_path: Path) -> None:
    from tests.unit.festaf.test_sources import JSON, TYPES, VALUES, view

    things = view("push", "", ttl_seconds=None)
    store = alone(tmp_path, things)
    for n, change in enumerate(({}, {}, {"took": "PT2H", "vector": [2, 2], "place": {"lat": None}, "words": []})):
        pushed = store.push("things", {"id": 1, "observed_at": hour(0), **JSON, **change})
        assert pushed.new == (n != 1)
    (stored,) = store.offline("things").collect().to_dicts()
    wanted = {
        **VALUES,
        "took": timedelta(hours=2),
        "vector": [2.0, 2.0],
        "place": {"lat": None, "tags": None},
        "words": [],
    }
    assert {name: stored[name] for name in TYPES} == wanted
    (found,) = store.online("things", [{"id": 1}], names="short").rows
    assert {name: found[name] for name in TYPES} == wanted


# --- dying in between ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["offline", "online", "note"])
def test_a_push_that_died_is_finished_by_the_next_or_by_a_materialize(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    store.push("weather", row(0, 1.0))
    with monkeypatch.context() as broken:
        if moment == "offline":
            broken.setattr(type(offline_store(store.path)), "put", dies)
        elif moment == "online":
            broken.setattr(type(online_store(store.path)), "upsert", dies)
        else:
            broken.setattr(pushing._Note, "remove", dies)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(KeyboardInterrupt):
            store.push("weather", row(1, 3.0))
    assert served(store) == (2.0 if moment == "note" else 1.0)
    if moment == "online":
        store.materialize("weather")
    else:
        store.push("weather", row(2, 5.0, "LGA"))
    assert served(store) == 2.0
    assert winds(store) == {0.0: 1.0, 1.0: 2.0}
    assert not list((store.path / "store" / "pushes").rglob("*.parquet"))


def test_accepted_rows_that_fit_no_more_are_kept_aside(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(type(offline_store(store.path)), "put", dies)
        with pytest.raises(KeyboardInterrupt):
            store.push("weather", row(1, 3.0))
    changed = PUSHED.model_copy(update={"features": (feature("gust", constraints=(Constraint(rule="required"),)),)})
    alone(store.path, changed).push("weather", {"origin": "JFK", "observed_at": hour(2), "gust": 1.0})
    (kept,) = (store.path / "store" / "pushes").rglob("*.refused")
    assert str(kept) in caplog.text
    assert pl.read_parquet(kept)["wind"].to_list() == [3.0]


# --- the command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json", ".ndjson"])
def test_a_file_is_pushed_on_the_command_line(store: FeatureStore, tmp_path: Path, suffix: str) -> None:
    file, rows = tmp_path / f"rows{suffix}", [row(0, 1.0), row(1, 3.0, temp=200.0)]
    match suffix:
        case ".csv":
            pl.DataFrame(rows).write_csv(file)
        case ".parquet":
            weather_rows(range(2)).with_columns(temp=pl.lit(200.0)).write_parquet(file)
        case ".json":
            file.write_text(json.dumps(rows))
        case _:
            file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = CliRunner().invoke(main, ["festaf", "push", "weather", str(file), "--project", str(store.path)])
    assert done.exit_code == 0, done.output
    assert "rows of weather are in both stores" in done.output
    assert "temp: upper_bound 130: broken by" in done.output
    assert set(winds(store)) == {0.0, 1.0}


def test_a_view_without_a_stream_is_not_consumed(tmp_path: Path) -> None:
    project(tmp_path, PUSHED, plane())
    done = CliRunner().invoke(main, ["festaf", "consume", "weather", "--project", str(tmp_path)])
    assert done.exit_code == 1
    assert "weather has no stream to consume" in done.output
