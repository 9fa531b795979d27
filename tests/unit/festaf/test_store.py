"""The store of a project: from source files to historical and online answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from e2e_ml import festaf as fs
from e2e_ml.festaf.errors import FeatureStoreError, UnwrittenViewWarning
from e2e_ml.festaf.rows.pipeline import NoRowsError
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import TIME, hour, plane, project, weather, weather_rows


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    store = project(tmp_path / "flights")
    store.load("weather", hour(0), hour(24))
    store.load("weather", hour(24), hour(48))
    store.load("plane")
    return store


def asked(*rows: tuple[str, float, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(origin, hour(h), tail, i) for i, (origin, h, tail) in enumerate(rows)],
        schema={"origin": pl.String, "event_timestamp": TIME, "tailnum": pl.String, "note": pl.Int64},
        orient="row",
    )


def test_a_service_is_answered_point_in_time(store: FeatureStore) -> None:
    entities = asked(("JFK", 30.5, "N1"), ("LGA", 1, None), ("JFK", 0, "N2"), ("EWR", 5, "N9"), ("JFK", 60, "N1"))
    answer = store.historical("delay", entities)
    assert answer.features == ("weather.temp", "weather.wind_mean_2h", "plane.seats")
    assert answer.target == "weather__cold"
    assert answer.registry_version == 1
    assert_frame_equal(
        answer.to_polars(),
        entities.with_columns(
            weather__temp=pl.Series([50.0, 20.0, 20.0, None, None]),
            # The window of 00:00 on the second day sees the first day's last hour.
            weather__wind_mean_2h=pl.Series([29.5, 100.0, 0.0, None, None]),
            weather__cold=pl.Series([False, False, False, None, None]),
            plane__seats=pl.Series([120, None, None, None, 120], dtype=pl.Int32),
        ),
        check_column_order=False,
    )


def test_a_view_that_was_never_written_is_told(tmp_path: Path) -> None:
    empty = project(tmp_path / "flights")
    with pytest.warns(UnwrittenViewWarning, match="plane was never written: its features are missing") as told:
        answer = empty.historical("plane.seats", asked(("JFK", 1, "N1"))).to_polars()
    assert answer["plane__seats"].to_list() == [None]
    assert told[0].filename == __file__


def test_scoring_is_told_to_leave_the_target_out(tmp_path: Path) -> None:
    class Order(fs.FeatureView):
        source = fs.push()
        order = fs.Entity(fs.Int64())
        minutes = fs.Float64()

    class Courier(fs.FeatureView):
        source = fs.push()
        courier = fs.Entity(fs.String())
        rides = fs.Int64()

    class Late(fs.FeatureService):
        features = (Courier.rides,)
        target = Order.minutes > 35

    store = FeatureStore.open(tmp_path, name="pizza")
    store.apply(store.plan([Order, Courier, Late]))
    store.push(Courier, {"courier": "ana", "rides": 3})
    couriers = pl.DataFrame({"courier": ["ana"]})
    with pytest.raises(FeatureStoreError, match=r"target of late, is asked by order, .* the features alone"):
        store.historical(Late, couriers)
    assert store.historical(Late.features, couriers, names="short").to_polars()["rides"].to_list() == [3]
    with pytest.raises(FeatureStoreError, match="courier is asked by courier"):
        store.historical(Late, pl.DataFrame({"order": [1]}))


def test_windows_reach_over_the_start_of_an_interval(store: FeatureStore) -> None:
    rows = store.offline("weather").filter(pl.col("observed_at") == hour(24)).sort("origin").collect()
    assert rows["wind_mean_2h"].to_list() == [23.5, 124.0]
    assert len(store.offline("weather").collect()) == 72


def test_pandas_in_and_out_and_short_names(store: FeatureStore) -> None:
    entities = pd.DataFrame(
        {"origin": ["JFK"], "t": pd.to_datetime(["2013-01-01 05:30"]).tz_localize("America/New_York")}
    )
    answer = store.historical(["weather.temp", "weather.freezing"], entities, at="t", names="short").to_pandas()
    assert answer[["temp", "freezing"]].to_dict("records") == [{"temp": 30.0, "freezing": True}]
    assert str(answer["t"].dt.tz) == "America/New_York"


def test_a_rerun_replaces_its_interval(store: FeatureStore) -> None:
    before = store.offline("weather").collect()
    store.load("weather", hour(24), hour(48), dag_run_id="again")
    assert_frame_equal(before, store.offline("weather").collect(), check_row_order=False)
    corrected = weather_rows().filter(pl.col("observed_at") != hour(47)).with_columns(temp=pl.col("temp") + 1)
    corrected.write_parquet(store.path / "weather.parquet")
    store.load("weather", hour(24), hour(48))
    rows = store.offline("weather").collect()
    assert len(rows) == 71
    assert rows.filter(pl.col("observed_at") == hour(46))["temp"].to_list() == [67.0, 67.0]
    assert rows.filter(pl.col("observed_at") == hour(23))["temp"].to_list() == [43.0]
    # Online no longer has the row that the source took back.
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["weather__temp"] == 67.0


def test_the_ledger_has_an_entry_for_each_interval(store: FeatureStore) -> None:
    store.load("weather", hour(24), hour(48), dag_run_id="backfill__2")
    ledger = store.intervals("weather")
    assert [(e.start, e.end, e.rows, e.dag_run_id) for e in ledger] == [
        (hour(0), hour(24), 36, None),
        (hour(24), hour(48), 36, "backfill__2"),
    ]
    stats = store.stats("weather")
    assert (stats.rows, stats.newest_event, stats.last_written) == (72, hour(47), ledger[-1].written_at)
    store.load("weather", hour(0), hour(48))
    assert [(e.start, e.end) for e in store.intervals("weather")] == [(hour(0), hour(48))]
    assert store.intervals("plane")[0].rows == 3


def test_an_interval_without_rows_is_noted_as_such(store: FeatureStore) -> None:
    before = store.stats("weather")
    for _ in range(2):
        with pytest.raises(NoRowsError, match="has no rows for 2013-01-04 00:00 UTC to 2013-01-05 00:00 UTC"):
            store.load("weather", hour(72), hour(96))
    ledger = store.intervals("weather")
    assert [(e.start, e.end, e.rows) for e in ledger[2:]] == [(hour(72), hour(96), 0)]
    assert store.stats("weather") == before


def test_an_interval_that_lost_its_rows_is_emptied(store: FeatureStore) -> None:
    weather_rows(range(24)).write_parquet(store.path / "weather.parquet")
    assert store.load("weather", hour(24), hour(48)).rows == 0
    assert store.stats("weather").rows == 36
    served = store.online("weather.temp", [{"origin": "JFK"}, {"origin": "LGA"}], at=hour(24))
    assert [r["weather__temp"] for r in served.rows] == [43.0, 42.0]


def test_online_keeps_order_and_says_why_a_value_is_missing(store: FeatureStore) -> None:
    rows = [
        {"origin": "LGA", "tailnum": "N2"},
        {"origin": "EWR", "tailnum": "N1"},
        {"origin": "LGA", "tailnum": "N7"},
    ]
    served = store.online("delay", rows, at=hour(49))
    assert served.rows[0] == {
        **rows[0],
        "weather__temp": 66.0,
        "weather__wind_mean_2h": 146.0,
        "plane__seats": None,
    }
    assert served.missing[0] == {}
    assert served.missing[1] == {"weather__temp": "absent", "weather__wind_mean_2h": "absent"}
    assert served.missing[2] == {"plane__seats": "absent"}
    late = store.online("delay", rows[:1], at=hour(49) + timedelta(microseconds=1))
    assert late.missing[0] == {"weather__temp": "expired", "weather__wind_mean_2h": "expired"}
    assert late.rows[0]["weather__temp"] is None


def test_an_older_interval_never_overwrites_a_newer_row(store: FeatureStore) -> None:
    store.load("weather", hour(0), hour(24))
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["weather__temp"] == 67.0
    (store.path / "store" / "online.db").unlink()
    assert store.materialize("weather", hour(0), hour(24)) == 2
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(24)).rows[0]["weather__temp"] == 43.0
    assert store.materialize("weather") == 2
    assert store.online("weather.temp", [{"origin": "JFK"}], at=hour(48)).rows[0]["weather__temp"] == 67.0


def test_online_answers_what_history_answers(store: FeatureStore) -> None:
    now = hour(48)
    origins = ["JFK", "LGA", "EWR"]
    entities = asked(*((o, 48, "N1") for o in origins))
    history = store.historical("delay", entities).to_polars().drop("weather__cold", "event_timestamp", "note")
    served = store.online("delay", [{"origin": o, "tailnum": "N1"} for o in origins], at=now).to_polars()
    assert_frame_equal(history, served, check_dtypes=False, check_column_order=False)


def test_broken_bounds_are_marked_and_a_missing_required_value_stops_the_write(store: FeatureStore) -> None:
    rows = weather_rows().with_columns(temp=pl.when(pl.col("observed_at") >= hour(46)).then(200.0).otherwise("temp"))
    rows.write_parquet(store.path / "weather.parquet")
    written = store.load("weather", hour(24), hour(48))
    assert [(v.feature, v.rule, v.count) for v in written.broken] == [("temp", "upper_bound", 3)]
    assert store.intervals("weather")[-1].broken == written.broken
    assert store.validate("weather")[0].examples[0]["temp"] == 200.0
    rows.with_columns(wind=None).cast({"wind": pl.Float64}).write_parquet(store.path / "weather.parquet")
    with pytest.raises(FeatureStoreError, match="wind is missing in 36 rows"):
        store.load("weather", hour(24), hour(48))
    assert store.intervals("weather")[-1].written_at == written.written_at


def test_the_profile_counts_what_is_there(store: FeatureStore) -> None:
    temp, _, freezing, _ = store.profile("weather")
    assert (temp.count, temp.missing, temp.min, temp.max, temp.distinct) == (72, 0, 20.0, 67.0, 48)
    assert sum(b.count for b in temp.histogram) == 72
    assert {v.value: v.count for v in freezing.top} == {False: 52, True: 20}


def test_a_time_split_has_no_moment_in_both_parts(store: FeatureStore) -> None:
    entities = asked(*(("JFK", h // 2, "N1") for h in range(40)), ("EWR", 3, "N1"))
    train, test = store.historical("delay", entities).split(test=0.25)
    assert train.frame["event_timestamp"].max() < test.frame["event_timestamp"].min()  # type: ignore[operator]
    assert (len(train.input), len(test.input)) == (30, 10)  # EWR has no target
    assert train.input.columns == ["weather__temp", "weather__wind_mean_2h", "plane__seats"]
    assert train.target is not None
    assert train.target.name == "weather__cold"


@pytest.mark.parametrize(
    ("what", "entities", "says"),
    [
        ("weathr", asked(), "no feature view 'weathr'"),
        ("weather.tmp", asked(), "no feature 'tmp'. It has temp, wind"),
        ("weather.temp", asked().drop("origin"), "origin, which the entities lack"),
        ("weather.temp", asked().drop("event_timestamp"), "need the column 'event_timestamp'"),
        ("weather.temp", asked().cast({"event_timestamp": pl.Datetime("us")}), "have no zone"),
        ("weather.temp", [1], "data frame"),
        ("weather.temp", asked().with_columns(weather__temp=1), "already have a column"),
    ],
)
def test_a_wrong_question_is_answered_by_a_sentence(
    store: FeatureStore, what: str, entities: object, says: str
) -> None:
    with pytest.raises(FeatureStoreError, match=says):
        store.historical(what, entities).to_polars()


def test_naive_source_times_are_refused_unless_the_zone_is_said(tmp_path: Path) -> None:
    naive = weather_rows().with_columns(pl.col("observed_at").dt.replace_time_zone(None))
    store = project(tmp_path)
    naive.write_parquet(tmp_path / "weather.parquet")
    with pytest.raises(FeatureStoreError, match="have no zone"):
        store.load("weather", hour(0), hour(24))
    zoned = weather().source.model_copy(update={"timezone": "America/New_York"})
    store = project(tmp_path, weather(source=zoned), plane())
    naive.write_parquet(tmp_path / "weather.parquet")
    store.load("weather", hour(0), hour(24))
    assert store.offline("weather").select(pl.col("observed_at").min()).collect().item() == hour(5)


def test_csv_text_becomes_typed_values(tmp_path: Path) -> None:
    csv = weather().source.model_copy(update={"format": "csv", "uri": "weather.csv"})
    store = project(tmp_path, weather(source=csv), plane())
    (tmp_path / "weather.csv").write_text(
        "origin,observed_at,temp,wind\nJFK,2013-01-01T01:00:00Z,30.5,1\nJFK,2013-01-01 00:00:00+01:00,,2\n"
    )
    assert store.load("weather", hour(-1), hour(24)).rows == 2
    assert store.offline("weather").sort("observed_at").select("observed_at", "temp").collect().rows() == [
        (hour(-1), None),
        (hour(1), 30.5),
    ]
    (tmp_path / "weather.csv").write_text("origin,observed_at,temp,wind\nJFK,2013-01-01T01:00:00Z,warm,1\n")
    with pytest.raises(FeatureStoreError, match="warm"):
        store.load("weather", hour(0), hour(24))
    (tmp_path / "weather.csv").write_text("origin,observed_at,temp\n")
    with pytest.raises(FeatureStoreError, match="has no column 'wind'"):
        store.load("weather", hour(0), hour(24))


def test_integers_that_were_stored_as_floats_are_whole_or_refused(tmp_path: Path) -> None:
    planes = plane().source.model_copy(update={"format": "parquet", "uri": "planes.parquet"})
    store = project(tmp_path, weather(), plane().model_copy(update={"source": planes}))
    frame = pl.DataFrame(
        {"tailnum": ["N1", "N2", "N3"], "seats": [100.0, float("nan"), None], "jet": [True, None, False]}
    )
    frame.write_parquet(tmp_path / "planes.parquet")
    store.load("plane")
    assert store.offline("plane").sort("tailnum").collect()["seats"].to_list() == [100, None, None]
    frame.with_columns(seats=99.5).write_parquet(tmp_path / "planes.parquet")
    with pytest.raises(
        FeatureStoreError, match=r"'seats' of the source planes.parquet holds 99.5, and is defined as an integer"
    ):
        store.load("plane")


@pytest.mark.filterwarnings("ignore::e2e_ml.festaf.errors.UnwrittenViewWarning")
def test_a_view_that_was_never_written_answers_null(tmp_path: Path) -> None:
    store = project(tmp_path)
    answer = store.historical("delay", asked(("JFK", 1, "N1"))).to_polars()
    assert answer["weather__temp"].to_list() == [None]
    assert store.stats("weather").rows == 0
    assert store.intervals("weather") == ()
    assert store.online("plane", [{"tailnum": "N1"}]).missing == [{"plane__seats": "absent", "plane__jet": "absent"}]


def test_a_naive_interval_is_refused(store: FeatureStore) -> None:
    with pytest.raises(FeatureStoreError, match="no time zone"):
        store.load("weather", datetime(2013, 1, 1), hour(24))  # noqa: DTZ001


def test_one_row_is_asked_as_it_stands_and_a_text_is_no_time(store: FeatureStore) -> None:
    one, many = store.online("plane", {"tailnum": "N1"}), store.online("plane", [{"tailnum": "N1"}])
    assert (one.rows, one.missing) == (many.rows, many.missing)
    with pytest.raises(FeatureStoreError, match=r"'2013-01-01' is no time. Give a datetime in UTC"):
        store.load("weather", "2013-01-01", hour(24))  # type: ignore[arg-type]


def test_what_is_held_says_what_it_is(store: FeatureStore) -> None:
    assert repr(store) == f"<FeatureStore: {store.path}>"
    assert repr(store.historical("delay", asked())).startswith("<HistoricalFeatures: 3 features of delay, not computed")
