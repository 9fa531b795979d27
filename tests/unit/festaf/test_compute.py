"""Features computed interval by interval are those computed at once: a window's past is read with its interval."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from e2e_ml.festaf.expression import Apply, Column, Window, literal
from e2e_ml.festaf.rows.compute import compute, compute_on_read, lookback, stored_features, stored_schema
from tests.unit.festaf.worlds import TIME, feature, hour, weather

WIND = Window(Column("wind"), "mean", timedelta(hours=3))
VIEW = weather(
    features=(
        feature("temp"),
        feature("wind"),
        feature("wind_mean_3h", "float64", WIND),
        feature("gust", "bool", Apply("gt", (Column("wind"), Apply("mul", (WIND, literal(1.5)))))),
        feature(
            "calm_5h", "int64", Window(Apply("lt", (Column("wind_mean_3h"), literal(2.0))), "count", timedelta(hours=5))
        ),
        feature("cold", "bool", Apply("lt", (Column("temp"), literal(10))), hidden=True),
        feature("windy", "bool", Apply("gt", (WIND, literal(3.0))), hidden=True),
    )
)
rows = st.lists(
    st.tuples(
        st.sampled_from(["JFK", "LGA"]),
        st.integers(0, 48 * 4).map(lambda quarter: hour(quarter / 4)),
        st.none() | st.integers(-20, 100).map(float),
        st.none() | st.integers(0, 8).map(float),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(rows, st.integers(1, 47))
def test_intervals_give_what_the_whole_gives(data: list[tuple[object, ...]], cut: int) -> None:
    schema = {"origin": pl.String, "observed_at": TIME, "temp": pl.Float64, "wind": pl.Float64}
    source = pl.LazyFrame(data, schema=schema, orient="row").sort("observed_at", maintain_order=True)
    time = pl.col("observed_at")
    parts = [
        compute(VIEW, source.filter(time >= start - lookback(VIEW), time < end)).filter(time >= start)
        for start, end in ((hour(0), hour(cut)), (hour(cut), hour(49)))
    ]
    assert_frame_equal(pl.concat(parts).collect(), compute(VIEW, source).collect())


def test_windows_over_windows_reach_as_far_as_both() -> None:
    assert lookback(VIEW) == timedelta(hours=8)
    assert lookback(weather(features=(feature("temp"),))) == timedelta()


def test_a_hidden_row_level_feature_is_computed_on_read() -> None:
    assert [f.name for f in stored_features(VIEW)] == ["temp", "wind", "wind_mean_3h", "gust", "calm_5h", "windy"]
    stored = pl.LazyFrame({"temp": [5.0, 15.0, None]}, schema={"temp": pl.Float64})
    read = compute_on_read(VIEW, stored, ["cold"]).collect()
    assert read["cold"].to_list() == [True, False, None]
    assert list(stored_schema(VIEW))[:2] == ["origin", "observed_at"]
