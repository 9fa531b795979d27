"""Train, validation and test: no row in two of them, and the same rows tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import split
from e2e_ml.festaf.rows.training_set import HistoricalFeatures
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import TIME, hour, project

T0 = datetime(2013, 1, 1, tzinfo=UTC)


def people(count: int, rows_each: int = 1) -> pl.DataFrame:
    names = [f"person {i}" for i in range(count) for _ in range(rows_each)]
    return pl.DataFrame({"name": names, "row": range(count * rows_each)})


@given(
    hours=st.lists(st.integers(0, 12) | st.none(), max_size=40),
    shares=st.lists(st.floats(0.01, 0.49), min_size=1, max_size=2),
)
def test_a_split_by_time_is_in_order_and_has_every_timed_row_once(hours: list[int | None], shares: list[float]) -> None:
    times = [None if h is None else T0 + timedelta(hours=h) for h in hours]
    frame = pl.DataFrame({"at": times, "row": range(len(times))}, schema={"at": TIME, "row": pl.Int64})
    if len(set(hours) - {None}) < len(shares) + 1:
        with pytest.raises(FeatureStoreError, match="moments to split by time"):
            split.by_time(frame, "at", shares)
        return
    parts = split.by_time(frame, "at", shares)
    ends = [(part["at"].drop_nulls().min(), part["at"].drop_nulls().max()) for part in parts]
    assert all(len(part) for part in parts)
    assert sorted(row for part in parts for row in part.drop_nulls()["row"]) == frame.drop_nulls()["row"].to_list()
    assert all(earlier[1] < later[0] for earlier, later in pairwise(ends))  # type: ignore[operator]


def test_shares_of_a_split_by_time_are_those_asked_for() -> None:
    frame = pl.DataFrame({"at": [T0 + timedelta(hours=h) for h in range(100)]})
    assert [len(part) for part in split.by_time(frame, "at", [0.1, 0.2])] == [70, 10, 20]
    assert [len(part) for part in split.by_time(frame, "at", [0.2])] == [80, 20]


def test_a_key_stays_in_its_part_with_all_of_its_rows() -> None:
    whole = people(2_000, rows_each=2)
    train, validation, test = split.by_keys(whole, ["name"], [0.1, 0.2])
    assert [round(len(part) / len(whole), 1) for part in (train, validation, test)] == [0.7, 0.1, 0.2]
    assert sorted([*train["row"], *validation["row"], *test["row"]]) == whole["row"].to_list()
    assert not {*train["name"]} & {*test["name"]}
    assert not {*train["name"]} & {*validation["name"]}

    shuffled = split.by_keys(whole.sample(fraction=1, shuffle=True, seed=3), ["name"], [0.1, 0.2])
    fewer = split.by_keys(whole.filter(pl.col("row") % 3 > 0), ["name"], [0.1, 0.2])
    assert {*shuffled[2]["row"]} == {*test["row"]}
    assert {*fewer[2]["name"]} <= {*test["name"]}
    assert_frame_equal(split.by_keys(whole, ["name"], [0.2])[1], test)  # whether a validation is taken or not


def test_where_a_key_goes_is_the_same_on_every_machine_and_in_every_version() -> None:
    frame = pl.DataFrame({"name": ["a", "b", "c", None, "é", "f", "g"], "number": [1, -2, 3, 4, None, 6, 7]})
    _, test = split.by_keys(frame, ["name", "number"], [0.4])
    assert test["name"].to_list() == ["a", "b", "c", "f"]
    as_small = frame.with_columns(pl.col("number").cast(pl.Int8))
    assert_frame_equal(split.by_keys(as_small, ["name", "number"], [0.4])[1], test, check_dtypes=False)


@pytest.mark.parametrize(
    ("test", "validation", "said"),
    [
        (0, None, "test=0 is no share"),
        (0.2, 1.5, "validation=1.5 is no share"),
        (0.5, 0.5, "validation=0.5 and test=0.5 leave nothing to train on"),
    ],
)
def test_shares_that_are_none_are_refused(test: float, validation: float | None, said: str) -> None:
    with pytest.raises(FeatureStoreError, match=said):
        split.check_shares(validation=validation, test=test)


def test_a_part_without_rows_is_refused() -> None:
    with pytest.raises(FeatureStoreError, match="2 different keys are too few"):
        split.by_keys(people(2), ["name"], [0.01, 0.01])


@pytest.fixture
def data(tmp_path: Path) -> HistoricalFeatures:
    store: FeatureStore = project(tmp_path / "flights")
    store.load("weather", hour(0), hour(48))
    store.load("plane")
    asked = pl.DataFrame(
        {
            "origin": ["JFK", "LGA"] * 20,
            "tailnum": [f"N{i % 5}" for i in range(40)],
            "event_timestamp": [hour(i) for i in range(40)],
        },
        schema_overrides={"event_timestamp": TIME},
    )
    return store.historical("delay", asked)


def test_a_training_set_knows_its_keys_wherever_it_is_read(data: HistoricalFeatures, tmp_path: Path) -> None:
    assert data.contract.keys == ("origin", "tailnum")
    train, test = data.split(test=0.4, by="key")
    read = HistoricalFeatures.read_parquet(data.write_parquet(tmp_path / "rows.parquet"))
    assert_frame_equal(read.split(test=0.4, by="key")[1].frame, test.frame)
    assert test.input.columns == ["weather__temp", "weather__wind_mean_2h", "plane__seats"]
    assert test.target is not None
    assert test.target.null_count() == 0
    keys = ["origin", "tailnum"]
    assert train.frame.select(keys).join(test.frame.select(keys), on=keys).is_empty()

    by_plane = data.split(test=0.4, validation=0.2, by=["tailnum"])
    assert len(by_plane) == 3
    planes = [{*part.frame["tailnum"]} for part in by_plane]
    assert sum(map(len, planes)) == len(set.union(*planes))


def test_a_split_by_what_is_not_there_is_refused(data: HistoricalFeatures) -> None:
    with pytest.raises(FeatureStoreError, match=r"'pilot'.* is no way to split.*There are origin, tailnum"):
        data.split(by=["pilot"])
    train, validation, test = data.split(validation=0.25, test=0.25)
    assert train.frame["event_timestamp"].max() < validation.frame["event_timestamp"].min()  # type: ignore[operator]
    assert validation.frame["event_timestamp"].max() < test.frame["event_timestamp"].min()  # type: ignore[operator]
