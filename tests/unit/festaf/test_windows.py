"""Windows on Polars, all of them, against plain Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.expression import AGGREGATES, Aggregate, ExpressionError
from e2e_ml.festaf.expression import Window as Over
from e2e_ml.festaf.expression.steps import WindowStep
from e2e_ml.festaf.expression.tree import Column
from e2e_ml.festaf.rows.windows import Order, Window, add_windows, window_of
from tests.unit.festaf import naive
from tests.unit.festaf.engine_conformance import same
from tests.unit.festaf.worlds import plane

START = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
SCHEMA = {
    "origin": pl.String,
    "gate": pl.Int64,
    "t": TIME,
    "made": TIME,
    "x": pl.Float64,
    "n": pl.Int64,
    "b": pl.Boolean,
}
TYPES = {"x": "float64", "n": "int64", "b": "bool"}
NUMERIC = ("sum", "mean", "std", "min", "max", "quantile")
EVERY: list[tuple[Aggregate, str]] = [
    (aggregate, value) for aggregate in AGGREGATES for value in TYPES if not (aggregate in NUMERIC and value == "b")
]

minutes = st.integers(0, 12).map(lambda m: START + timedelta(minutes=m))
rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(["JFK", "LGA"]),
        st.none() | st.integers(1, 2),
        minutes,
        st.none() | minutes,
        st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 1e12, math.nan, math.inf, -math.inf]),
        st.none() | st.integers(-5, 5),
        st.none() | st.booleans(),
    ),
    max_size=20,
)
reaches = st.one_of(
    st.integers(1, 14).map(lambda m: {"width": timedelta(minutes=m)}),
    st.integers(1, 6).map(lambda n: {"rows": n}),
    st.just({}),
)


def windows(reach: dict[str, Any], by: tuple[str, ...], quantile: float) -> list[Window]:
    return [
        Window(
            f"{aggregate}_{value}",
            value,
            Over(Column(value), aggregate, by=by, quantile=quantile if aggregate == "quantile" else None, **reach),
            by or ("origin",),
            TYPES[value],
            {"count": "int64", "distinct": "int64", "mean": "float64", "std": "float64", "quantile": "float64"}.get(
                aggregate, TYPES[value]
            ),
        )
        for aggregate, value in EVERY
    ]


def check(data: list[Any], todo: list[Window], order: Order) -> None:
    frame = pl.LazyFrame(data, schema=SCHEMA, orient="row")
    got = add_windows(frame, todo, order).collect()
    assert got.select(*SCHEMA).equals(frame.collect(), null_equal=True)
    plain = frame.collect().to_dicts()
    for window in todo:
        over, value = window.over, window.value
        for row, answer in enumerate(got[window.output]):
            seen = naive.seen(plain, row, over, window.group, order.event_time, order.created_time)
            wanted = naive.of_seen(seen, plain[row], value, over, order.event_time)
            near = naive.roundings(plain, seen, value, over)
            assert same(answer, wanted, near), (window.output, row, answer, wanted, near)


@settings(max_examples=200, deadline=None)
@given(
    rows, reaches, st.sampled_from([(), ("gate",), ("origin", "gate")]), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
    st.booleans(),
)  # fmt: skip
def test_windows_are_what_plain_python_says(
    data: list[Any], reach: dict[str, Any], by: tuple[str, ...], quantile: float, created: bool
) -> None:
    check(data, windows(reach, by, quantile), Order("t", "made" if created else None))


@settings(max_examples=50, deadline=None)
@given(rows, st.sampled_from([{}, {"rows": 1}, {"rows": 3}]))
def test_without_times_a_window_sees_its_whole_group_or_the_last_stored(data: list[Any], reach: dict[str, Any]) -> None:
    timeless = [w for w in windows(reach, (), 0.5) if w.over.aggregate != "time_since_last"]
    check(data, timeless, Order(None, None))


def test_what_was_large_leaves_nothing_behind() -> None:
    values = [0.1, None, 0.2, 1e12, 0.3, None, 0.4, 0.5, 5e11, 0.6, 0.7]
    data = [("JFK", 1, START + timedelta(minutes=i), None, x, None, None) for i, x in enumerate(values)]
    for reach in ({"rows": 2}, {"width": timedelta(minutes=2)}):
        check(data, [w for w in windows(reach, (), 0.5) if w.value == "x"], Order("t", None))


def test_windows_by_other_columns_stand_beside_each_other() -> None:
    data = [("JFK", g, START, None, 1.0, 1, True) for g in (1, 2, 2)]
    todo = [
        Window("by_origin", "x", Over(Column("x"), "count", rows=9), ("origin",), "float64", "int64"),
        Window("by_gate", "x", Over(Column("x"), "count", rows=9), ("gate",), "float64", "int64"),
    ]
    got = add_windows(pl.LazyFrame(data, schema=SCHEMA, orient="row"), todo, Order("t", None)).collect()
    assert got["by_origin"].to_list() == [1, 2, 3]
    assert got["by_gate"].to_list() == [1, 1, 2]


@pytest.mark.parametrize(
    "over",
    [
        Over(Column("seats"), "mean", width=timedelta(hours=1)),
        Over(Column("seats"), "time_since_last"),
    ],
)
def test_a_view_without_times_cannot_look_back(over: Over) -> None:
    with pytest.raises(ExpressionError, match="no event time"):
        window_of(plane(), WindowStep("w", "seats", over, "float64"), "int32")
