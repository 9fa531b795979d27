"""Rows that come late: their intervals are rewritten, so are those whose windows see them, and no other."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Constraint, Source
from e2e_ml.festaf.rows import late, pipeline
from e2e_ml.festaf.rows.interval import Interval
from e2e_ml.festaf.rows.offline import Spans
from e2e_ml.festaf.rows.staging import Staging
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import hour, project, weather, weather_rows

DAY = timedelta(days=1)
LATE = timedelta(hours=30)
ALL = weather_rows(range(96))
# What comes late: the last two hours of the first day. The 2 h window of the second day's first hour sees them.
MISSING = pl.col("observed_at").is_between(hour(22), hour(23))


def start(folder: Path, lateness: timedelta | None = LATE, rows: pl.DataFrame = ALL) -> FeatureStore:
    store = project(folder, weather(lateness_seconds=lateness and lateness.total_seconds()))
    rows.write_parquet(folder / "weather.parquet")
    return store


def day(store: FeatureStore, n: int) -> Interval:
    return Interval(store.path, store.view("weather"), hour(24 * n), hour(24 * n + 24), 1, f"run {n}")


def writes(store: FeatureStore) -> list[int]:
    return [entry.writes for entry in store.intervals("weather")]


def stored(store: FeatureStore) -> pl.DataFrame:
    return store.offline("weather").sort("origin", "observed_at").collect()


def served(store: FeatureStore) -> object:
    rows = [{"origin": "JFK"}, {"origin": "LGA"}]
    return store.online(["weather.temp", "weather.wind_mean_2h"], rows, at=hour(96)).rows


def loaded(folder: Path) -> FeatureStore:
    """A store that was loaded when every row was there."""
    store = start(folder)
    for n in range(4):
        pipeline.load(day(store, n))
    return store


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """What every store here has to hold in the end. Nobody writes to it."""
    return loaded(tmp_path_factory.mktemp("truth"))


def test_a_late_row_rewrites_its_interval_and_what_sees_it(tmp_path: Path, truth: FeatureStore) -> None:
    store = start(tmp_path / "late", rows=ALL.filter(~MISSING))
    pipeline.load(day(store, 0))
    pipeline.load(day(store, 1))
    ALL.write_parquet(store.path / "weather.parquet")
    planned = late.plan(day(store, 2))
    assert [(each.interval.start, each.reason) for each in planned] == [
        (hour(48), ""),
        (hour(24), "its windows see rows that have changed."),
        (hour(0), "3 rows are late."),
    ]
    pipeline.load(day(store, 2))
    assert writes(store) == [2, 2, 1]
    assert {entry.dag_run_id for entry in store.intervals("weather")} == {"run 2"}
    pipeline.load(day(store, 3))
    assert writes(store) == [2, 2, 1, 1]
    assert stored(store).equals(stored(truth))
    assert served(store) == served(truth)


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    assert writes(store) == [1, 1, 1, 1]
    pipeline.load(day(store, 3))
    assert writes(store) == [1, 1, 1, 2]


def test_a_row_that_is_later_than_the_lateness_waits_for_reopen(tmp_path: Path, truth: FeatureStore) -> None:
    store = start(tmp_path / "late", lateness=timedelta(hours=12), rows=ALL.filter(~MISSING))
    for n in (0, 1, 2):
        pipeline.load(day(store, n))
    ALL.write_parquet(store.path / "weather.parquet")
    pipeline.load(day(store, 3))
    assert writes(store) == [1, 1, 1, 1]
    assert not stored(store).equals(stored(truth))
    reopened = store.reopen("weather", hour(23), hour(24))
    assert [(entry.start, entry.rows) for entry in reopened] == [(hour(0), 36), (hour(24), 36)]
    assert stored(store).equals(stored(truth))
    assert served(store) == served(truth)
    assert store.reopen("weather", hour(500), hour(501)) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ALL.filter(~MISSING), "3 rows are gone from the source."),
        (
            ALL.with_columns(temp=pl.when(MISSING).then(0.0).otherwise("temp")),
            "3 rows are corrected.",
        ),
        (pl.concat([ALL, ALL.filter(MISSING)]), "3 rows are late."),
    ],
)
def test_rows_that_were_corrected_taken_back_or_doubled_are_found(
    change: pl.DataFrame, reason: str, tmp_path: Path
) -> None:
    store = start(tmp_path)
    pipeline.load(day(store, 0))
    change.write_parquet(store.path / "weather.parquet")
    reasons = {each.interval.start: each.reason for each in late.plan(day(store, 1))}
    assert reasons[hour(0)] == reason


def test_an_interval_that_was_empty_is_filled(tmp_path: Path, truth: FeatureStore) -> None:
    first_day = pl.col("observed_at") < hour(24)
    store = start(tmp_path / "late", rows=ALL.filter(~first_day))
    with pytest.raises(pipeline.NoRowsError):
        pipeline.load(day(store, 0))
    ALL.write_parquet(store.path / "weather.parquet")
    for n in (1, 2, 3):
        pipeline.load(day(store, n))
    assert stored(store).equals(stored(truth))


def test_a_run_without_rows_of_its_own_still_takes_the_late_ones(tmp_path: Path) -> None:
    store = start(tmp_path / "late", rows=ALL.filter(pl.col("observed_at") < hour(22)))
    pipeline.load(day(store, 0))
    ALL.filter(pl.col("observed_at") < hour(24)).write_parquet(store.path / "weather.parquet")
    assert pipeline.load(day(store, 1)).rows == 0
    assert [(entry.rows, entry.writes) for entry in store.intervals("weather")] == [(36, 2), (0, 1)]


def test_a_backfill_of_the_past_reaches_the_intervals_that_see_it(tmp_path: Path, truth: FeatureStore) -> None:
    store = start(tmp_path / "late")
    for n in (3, 2, 1, 0):  # newest first
        pipeline.load(day(store, n))
    assert stored(store).equals(stored(truth))
    assert served(store) == served(truth)


def test_a_late_row_that_breaks_required_stops_the_run_before_anything_is_written(tmp_path: Path) -> None:
    store = start(tmp_path / "late", rows=ALL.filter(~MISSING))
    pipeline.load(day(store, 0))
    before = stored(store)
    broken = ALL.with_columns(wind=pl.when(MISSING).then(None).otherwise("wind"))
    broken.write_parquet(store.path / "weather.parquet")
    with pytest.raises(pipeline.RefusedError, match=r"wind is missing in 3 rows\) in 2013-01-01 00:00 UTC to"):
        pipeline.load(day(store, 1))
    assert stored(store).equals(before)


def test_on_broken_fail_refuses_what_a_warning_would_write(tmp_path: Path) -> None:
    hot = ALL.with_columns(temp=pl.when(MISSING).then(200.0).otherwise("temp"))
    store = start(tmp_path / "warn", rows=hot)
    assert [v.words for v in pipeline.load(day(store, 0)).broken] == ["temp: upper_bound 130"]
    strict = project(tmp_path / "fail", weather(on_broken="fail"))
    hot.write_parquet(strict.path / "weather.parquet")
    with pytest.raises(
        pipeline.RefusedError, match=r"rules are broken \(temp: upper_bound 130 by 3 rows\) and on_broken"
    ):
        pipeline.load(day(strict, 0))
    assert strict.intervals("weather") == ()


# --- a run that dies ------------------------------------------------------------------------------------------------


class DiedError(Exception):
    """The process is gone."""


def run(staging: Staging, die_before: int) -> None:
    """The steps of a DAG's run, as its tasks do them; each may be the one at which it dies."""
    left = [die_before]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            raise DiedError

    for each in staging.begin():
        step()
        staging.keep_extracted(each.interval)
    for each in staging.planned():
        step()
        staging.keep_transformed(each.interval)
    for each in staging.planned():
        step()
        rows = staging.transformed(each.interval)
        pipeline.write_offline(each.interval, rows, pipeline.validate(each.interval, rows))
    step()
    pipeline.materialize_online(staging.written_span())
    staging.remove()


def go_on(staging: Staging, lost: bool) -> None:
    """What Airflow does with a run of which a task has failed: the later tasks again; with or without the files."""
    if lost:
        staging.remove()
    for each in staging.planned():
        rows = staging.transformed(each.interval)
        pipeline.write_offline(each.interval, rows, pipeline.validate(each.interval, rows))
    pipeline.materialize_online(staging.written_span())
    staging.remove()


@pytest.mark.parametrize("lost", [False, True], ids=["files kept", "files lost"])
@pytest.mark.parametrize("die_before", [1, 6, 9, 10, 11, 12, 13])
def test_wherever_a_run_dies_its_retry_ends_in_the_same(
    die_before: int, lost: bool, tmp_path: Path, truth: FeatureStore
) -> None:
    store = start(tmp_path / "late", rows=ALL.filter(~MISSING))
    for n in (0, 1, 3):
        pipeline.load(day(store, n))
    ALL.write_parquet(store.path / "weather.parquet")
    staging = Staging(day(store, 2), "a run")
    with pytest.raises(DiedError):
        run(staging, die_before)
    half = stored(store)
    # Old or new, never half: each interval is one of the two, with its rows once.
    assert half.group_by("origin", "observed_at").len()["len"].max() == 1
    go_on(staging, lost)
    assert stored(store).equals(stored(truth))
    assert served(store) == served(truth)
    assert not list((store.path / "store" / "staging" / "weather").iterdir())


# --- rows that a task hands over ------------------------------------------------------------------------------------


def test_rows_that_a_task_hands_over_are_as_good_as_the_sources(tmp_path: Path, truth: FeatureStore) -> None:
    store = start(tmp_path / "given")
    (store.path / "weather.parquet").unlink()
    for n in (1, 0, 2, 3):  # the second day before the first: its windows are corrected when the first comes
        inside = pl.col("observed_at").is_between(hour(24 * n), hour(24 * n + 24), closed="left")
        pipeline.load_rows(day(store, n), ALL.filter(inside).to_pandas())
    assert stored(store).equals(stored(truth))
    assert served(store) == served(truth)


def test_rows_outside_of_the_interval_and_no_frame_are_sentences(tmp_path: Path) -> None:
    store = start(tmp_path / "given")
    with pytest.raises(FeatureStoreError, match="108 of the 144 rows given lie outside of 2013-01-01 00:00 UTC"):
        pipeline.load_rows(day(store, 0), ALL)
    with pytest.raises(FeatureStoreError, match="weather: int is no frame"):
        pipeline.load_rows(day(store, 0), 42)
    with pytest.raises(pipeline.NoRowsError):
        pipeline.load_rows(day(store, 0), ALL.head(0))


def test_pushed_rows_are_their_own_source(tmp_path: Path, truth: FeatureStore) -> None:
    view = weather(source=Source(name="live", format="push", uri=""), lateness_seconds=LATE.total_seconds())
    store = project(tmp_path / "push", view)
    for n in range(4):
        inside = pl.col("observed_at").is_between(hour(24 * n), hour(24 * n + 24), closed="left")
        pipeline.load_rows(day(store, n), ALL.filter(inside))
    assert len(store.reopen("weather", hour(0), hour(96))) == 4
    assert stored(store).equals(stored(truth))


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_the_trend_tells_how_rules_and_features_fared(tmp_path: Path) -> None:
    store = start(tmp_path / "late", rows=ALL.with_columns(temp=pl.when(MISSING).then(200.0).otherwise("temp")))
    for n in (0, 1):
        pipeline.load(day(store, n))
    first, second = store.trend("weather")
    assert [(c.feature, c.rule, c.checked, c.broken) for c in first.checks] == [
        ("temp", "upper_bound", 36, 3),
        ("wind", "required", 36, 0),
    ]
    assert [c.broken for c in second.checks] == [0, 0]
    temp, wind = second.features[:2]
    assert (temp.feature, temp.missing, temp.min, temp.max) == ("temp", 0, 44.0, 67.0)
    day_two = ALL.filter(pl.col("observed_at").is_between(hour(24), hour(48), closed="left"))
    assert wind.mean == pytest.approx(day_two["wind"].mean())
    assert [f.feature for f in first.features] == ["temp", "wind", "freezing", "wind_mean_2h"]


def test_a_trend_goes_on_over_a_rename(tmp_path: Path) -> None:
    store = start(tmp_path / "late")
    pipeline.load(day(store, 0))
    temp, *others = (f for f in weather().features if f.expression is None)
    view = weather(features=(temp.model_copy(update={"name": "warmth", "stored_as": "temp"}), *others))
    renamed = view.model_copy(update={"source_columns": {"warmth": "temp"}})
    pipeline.load(Interval(store.path, renamed, hour(24), hour(48)))
    first, second = pipeline.offline_store(store.path).trend(renamed)
    for point in (first, second):
        assert (point.checks[0].feature, point.features[0].feature) == ("warmth", "warmth")
    assert (first.features[0].max, second.features[0].max) == (43.0, 67.0)


def test_a_snapshots_trend_is_write_by_write(tmp_path: Path) -> None:
    store = start(tmp_path / "late")
    for _ in range(2):
        store.load("plane")
    assert [point.rows for point in store.trend("plane")] == [3, 3]
    assert len(store.intervals("plane")) == 1


def test_an_interval_that_newer_ones_cover_together_is_gone_from_the_ledger(tmp_path: Path) -> None:
    store = start(tmp_path / "late", lateness=None)
    store.load("weather", hour(0), hour(48))
    store.load("weather", hour(24), hour(48))
    assert [(e.start, e.end) for e in store.intervals("weather")] == [(hour(0), hour(48)), (hour(24), hour(48))]
    store.load("weather", hour(0), hour(24))
    assert [(e.start, e.end) for e in store.intervals("weather")] == [(hour(0), hour(24)), (hour(24), hour(48))]


def test_thousands_of_intervals_in_a_row_are_one_span() -> None:
    spans = Spans()
    for n in (*range(0, 3000, 2), *range(2999, 0, -2)):
        assert not spans.cover(hour(n), hour(n + 1))
        spans.add(hour(n), hour(n + 1))
    assert spans.cover(hour(0), hour(3000))
    assert not spans.cover(hour(-1), hour(1))
    spans.add(hour(5000), hour(5001))
    assert not spans.cover(hour(2999), hour(3001))
    assert not spans.cover(hour(4000), hour(4001))
    spans.add(hour(2000), hour(6000))
    assert spans.cover(hour(0), hour(6000))


def test_unique_is_judged_within_an_interval_when_it_is_written_and_over_all_when_it_is_asked(tmp_path: Path) -> None:
    temp, *others = weather().features
    view = weather(features=(temp.model_copy(update={"constraints": (Constraint(rule="unique"),)}), *others))
    store = project(tmp_path / "unique", view)
    rows = weather_rows(range(48)).filter(pl.col("origin") == "JFK")
    rows.with_columns(temp=pl.col("temp") % 24).write_parquet(store.path / "weather.parquet")
    for start_at in (hour(0), hour(24)):
        assert store.load("weather", start_at, start_at + DAY).broken == ()
    (broken,) = store.validate("weather")
    assert (broken.rule, broken.count) == ("unique", 48)


def test_times_are_the_ones_that_were_asked(tmp_path: Path) -> None:
    interval = day(start(tmp_path / "late"), 0)
    assert interval.span == (hour(0), hour(24))
    assert all(type(moment) is datetime for moment in interval.span)
    snapshot = Interval(tmp_path / "late", FeatureStore.open(tmp_path / "late").view("plane"), None, None)
    with pytest.raises(FeatureStoreError, match="plane has no times, so it is written whole"):
        _ = snapshot.span
