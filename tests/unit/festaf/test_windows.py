"""Time windows against a plain Python oracle."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.expression import Aggregate
from e2e_ml.festaf.rows.windows import Window, add_windows

START = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
values = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
rows = st.lists(st.tuples(st.sampled_from(["JFK", "LGA"]), st.integers(0, 15), values), max_size=25)
NAMES: tuple[Aggregate, ...] = ("mean", "count", "sum", "std", "min", "max")
lengths = st.integers(1, 20).map(lambda m: timedelta(minutes=m))


def oracle(data: list[Any], row: int, length: timedelta, aggregate: str) -> float | int | None:
    origin, minute, _ = data[row]
    seen = [
        x for o, m, x in data if o == origin and minute - length / timedelta(minutes=1) < m <= minute and x is not None
    ]
    if aggregate == "count":
        return len(seen)
    if not seen:
        return None
    if aggregate == "std":
        if len(seen) < 2:
            return None
        mean = sum(seen) / len(seen)
        return math.sqrt(sum((x - mean) ** 2 for x in seen) / (len(seen) - 1))
    if aggregate in ("min", "max"):
        return math.nan if any(map(math.isnan, seen)) else (min if aggregate == "min" else max)(seen)
    return sum(seen) / len(seen) if aggregate == "mean" else sum(seen)


@settings(max_examples=300, deadline=None)
@given(rows, lengths)
def test_a_window_sees_its_entity_up_to_the_rows_own_time(data: list[Any], length: timedelta) -> None:
    frame = pl.LazyFrame(
        [(o, START + timedelta(minutes=m), x) for o, m, x in data],
        schema={"origin": pl.String, "t": TIME, "x": pl.Float64},
        orient="row",
    )
    windows = [Window(name, "x", name, length) for name in NAMES]
    got = add_windows(frame, windows, ["origin"], "t").collect()
    assert got.select("origin", "t", "x").equals(frame.collect(), null_equal=True)
    for name in NAMES:
        for row, value in enumerate(got[name]):
            wanted = oracle(data, row, length, name)
            if wanted is None or value is None:
                assert value is wanted, (name, row)
            else:
                assert value == pytest.approx(wanted, rel=1e-9, abs=1e-2 if name == "std" else 1e-6, nan_ok=True), (
                    name,
                    row,
                )


def test_a_window_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        add_windows(pl.LazyFrame(), [Window("m", "x", "mean", timedelta())], ["k"], "t")
