"""Features computed interval by interval are those computed at once: a window's past is read with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from e2e_ml.festaf.expression import Apply, Column, Window, literal
from e2e_ml.festaf.expression.steps import steps
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import (
    OnPolars,
    apply_steps,
    compute,
    compute_on_read,
    lookback,
    stored_features,
    stored_schema,
)
from e2e_ml.festaf.rows.windows import Order
from e2e_ml.festaf.rows.windows import Window as KernelWindow
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
ENDLESS = weather(
    features=(
        feature("temp"),
        feature("wind"),
        feature("last_3", "float64", Window(Column("wind"), "sum", rows=3)),
        feature("by_hand", "int64", Window(Column("temp"), "distinct", by=("wind",))),
        feature("on_top", "float64", Window(Column("last_3"), "max", timedelta(hours=2))),
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
@given(rows, st.integers(1, 47), st.sampled_from([VIEW, ENDLESS]))
def test_intervals_give_what_the_whole_gives(data: list[tuple[object, ...]], cut: int, view: FeatureView) -> None:
    schema = {"origin": pl.String, "observed_at": TIME, "temp": pl.Float64, "wind": pl.Float64}
    source = pl.LazyFrame(data, schema=schema, orient="row").sort("observed_at", maintain_order=True)
    time = pl.col("observed_at")
    reach = lookback(view)
    parts = [
        compute(view, source.filter(time >= (start - reach if reach is not None else hour(0)), time < end)).filter(
            time >= start
        )
        for start, end in ((hour(0), hour(cut)), (hour(cut), hour(49)))
    ]
    assert_frame_equal(pl.concat(parts).collect(), compute(view, source).collect())


def test_windows_over_windows_reach_as_far_as_both() -> None:
    assert lookback(VIEW) == timedelta(hours=8)
    assert lookback(weather(features=(feature("temp"),))) == timedelta()


def test_a_window_of_rows_or_without_bound_may_see_everything_before() -> None:
    assert lookback(ENDLESS) is None
    unbounded = feature("ever", "int64", Window(Column("temp"), "count"))
    assert lookback(weather(features=(feature("temp"), unbounded))) is None


def test_windows_that_do_not_read_each_other_are_added_at_once() -> None:
    added: list[tuple[str, ...]] = []

    class Watched(OnPolars):
        def add_windows(self, rows: pl.LazyFrame, windows: Sequence[KernelWindow], order: Order) -> pl.LazyFrame:
            added.append(tuple(window.output for window in windows))
            return super().add_windows(rows, windows, order)

    source = pl.LazyFrame(schema={"origin": pl.String, "observed_at": TIME, "temp": pl.Float64, "wind": pl.Float64})
    apply_steps(ENDLESS, source, steps(ENDLESS), Watched())
    assert added == [("last_3", "by_hand"), ("on_top",)]


def test_a_hidden_row_level_feature_is_computed_on_read() -> None:
    assert [f.name for f in stored_features(VIEW)] == ["temp", "wind", "wind_mean_3h", "gust", "calm_5h", "windy"]
    stored = pl.LazyFrame({"temp": [5.0, 15.0, None]}, schema={"temp": pl.Float64})
    read = compute_on_read(VIEW, stored, ["cold"]).collect()
    assert read["cold"].to_list() == [True, False, None]
    assert list(stored_schema(VIEW))[:2] == ["origin", "observed_at"]
