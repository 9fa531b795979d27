"""Each type in numbers; a histogram that outliers cannot squash, and no value lost from the count; correlations."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2e_ml.festaf.rows import profile as profiling
from e2e_ml.festaf.rows.measures import interval_stats
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.profile import FeatureProfile, correlation, profile
from tests.unit.festaf.worlds import feature, plane, weather

HUNDRED = [float(n) for n in range(100)]


def _profile(values: list[float | None]) -> FeatureProfile:
    (found,) = profile(weather(), pl.LazyFrame({"temp": values}, schema={"temp": pl.Float64}))
    return found


def _profile_of_integers(values: list[int]) -> FeatureProfile:
    (found,) = profile(plane(), pl.LazyFrame({"seats": values}, schema={"seats": pl.Int64}))
    return found


@pytest.mark.parametrize(
    ("values", "low", "high", "below", "above"),
    [
        pytest.param([*HUNDRED, 1048.0], 0, 99, 0, 1, id="one value far above"),
        pytest.param([-1048.0, *HUNDRED], 0, 99, 1, 0, id="one value far below"),
        pytest.param([-500.0, *HUNDRED * 5, 1e6, 2e6], 0, 99, 1, 2, id="some at both ends"),
        pytest.param([*HUNDRED, 150.0], 0, 150, 0, 0, id="near enough to be drawn"),
        pytest.param([1.0] * 9 + [2.0] * 500 + [3.0, 4.0], 1, 4, 0, 0, id="beyond, and yet no wider by half"),
        pytest.param([1.0, 2.0, 3.0, 100.0], 1, 100, 0, 0, id="too few to tell"),
        pytest.param([0.0] * 999 + [7.0], 0, 7, 0, 0, id="nearly all of one value"),
        pytest.param([math.exp(n / 20) for n in range(100)], 1, math.exp(4.95), 0, 0, id="a long tail"),
        pytest.param([*HUNDRED, 1.7e308, -1.7e308], 0, 99, 1, 1, id="a range that no float holds"),
    ],
)
def test_the_bars_reach_as_far_as_the_values_but_for_outliers(
    values: list[float | None], low: float, high: float, below: int, above: int
) -> None:
    found = _profile(values)
    assert (found.histogram[0].low, found.histogram[-1].high) == (low, high)
    assert (found.below, found.above) == (below, above)
    assert (found.min, found.max) == (min(v for v in values if v is not None), max(v for v in values if v is not None))


def test_an_outlier_leaves_the_shape_to_be_seen() -> None:
    assert [b.count for b in _profile([*HUNDRED, 1e9]).histogram] == [5] * 20


@example([0.0, 5e-324])
@example([1e16, 1e16 + 2])
@given(st.lists(st.none() | st.floats(), max_size=200))
def test_every_value_is_counted_once(values: list[float | None]) -> None:
    found = _profile(values)
    drawn = sum(b.count for b in found.histogram)
    assert drawn + found.below + found.above + found.not_finite + found.missing == found.count == len(values)


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([7], [7, 8]),
        (range(1, 8), range(1, 9)),
        (range(5, 24), range(5, 25)),  # nineteen hours in nineteen bins, not in twenty with a gap
        (range(100), range(0, 101, 5)),
        (range(45), range(0, 46, 3)),
        ([*range(100), 5000], range(0, 101, 5)),
    ],
)
def test_integers_get_bins_that_hold_as_many_of_them_each(values: list[int], edges: list[int]) -> None:
    found = _profile_of_integers(list(values))
    assert [found.histogram[0].low, *(b.high for b in found.histogram)] == list(edges)
    assert len({b.count for b in found.histogram}) == 1


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-50, 50), max_size=100))
def test_every_integer_is_counted_once(values: list[int]) -> None:
    found = _profile_of_integers(values)
    assert sum(b.count for b in found.histogram) + found.below + found.above == len(values)
    assert len(found.histogram) <= 20


def _of(dtype: str, values: list[Any]) -> FeatureProfile:
    rows = pl.DataFrame({"x": values}, schema={"x": polars_type(dtype)})
    (found,) = profile(weather(features=(feature("x", dtype),)), rows.lazy())
    (written,) = interval_stats(weather(features=(feature("x", dtype),)), rows)
    # What an interval's write notes and what a profile says are one thing.
    assert written.missing == found.missing
    assert written.mean == pytest.approx(found.mean)
    return found


@pytest.mark.parametrize(
    ("dtype", "values", "measured", "mean", "most"),
    [
        ("int8", [1, None, 3], "value", 2.0, 3),
        ("float32", [1.5, None, 2.5, math.nan], "value", 2.0, 2.5),
        ("decimal(12, 2)", [Decimal("1.50"), None, Decimal("2.50")], "value", 2.0, 2.5),
        ("duration", [timedelta(minutes=1), None, timedelta(minutes=3)], "seconds", 120.0, 180.0),
        ("list(int64)", [[1, 2], [], None, [1, 2, 3, 4]], "length", 2.0, 4.0),
        ("embedding(2)", [[3.0, 4.0], None, [0.0, 0.0]], "norm", 2.5, 5.0),
        ("bool", [True, None, True, False, False], "value", 0.5, None),
        ("string", ["a", None], None, None, None),
        ("date", [None], None, None, None),
    ],
)
def test_each_type_is_measured_its_own_way(
    dtype: str, values: list[Any], measured: str | None, mean: float | None, most: object
) -> None:
    found = _of(dtype, values)
    assert (found.measured, found.mean, found.max) == (measured, mean, most)
    assert (found.count, found.missing) == (len(values), values.count(None))
    assert (found.median is None) == (measured is None or dtype == "bool")


def test_the_most_frequent_of_texts_categories_truths_and_of_the_elements_of_lists() -> None:
    assert [(t.value, t.count) for t in _of("category", ["b", "a", "b", None]).top] == [("b", 2), ("a", 1)]
    assert [(t.value, t.count) for t in _of("bool", [True, False, True]).top] == [(True, 2), (False, 1)]
    assert [(t.value, t.count) for t in _of("list(string)", [["a", "b"], ["a"], [], None]).top] == [("a", 2), ("b", 1)]
    many = _of("string", [str(n) for n in range(12)])
    assert (len(many.top), many.top[-1].value, many.top[-1].count) == (11, None, 2)


def test_a_struct_is_described_field_by_field() -> None:
    found = _of(
        "struct(at: struct(lat: float64), name: string)", [{"at": {"lat": 1.0}, "name": "x"}, None, {"name": None}]
    )
    at, name = found.fields
    (lat,) = at.fields
    assert (found.count, found.missing, found.distinct) == (3, 1, 2)
    assert (lat.feature, lat.count, lat.missing, lat.mean) == ("lat", 3, 2, 1.0)
    assert (name.missing, [t.value for t in name.top]) == (2, ["x"])


def test_quantiles() -> None:
    found = _profile([float(n) for n in range(101)])
    assert found.quantiles == {"0.05": 5.0, "0.25": 25.0, "0.75": 75.0, "0.95": 95.0}
    assert _profile([]).quantiles == {}


def test_a_large_table_is_counted_whole_and_its_middle_is_that_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "SAMPLE", 2000)
    found = _profile([float(n) for n in range(20_000)] + [None])
    assert (found.count, found.missing, found.min, found.max, found.mean) == (20_001, 1, 0.0, 19_999.0, 9_999.5)
    assert found.sampled is not None
    assert found.sampled == pytest.approx(2000, rel=0.2)
    assert found.median == pytest.approx(10_000, rel=0.1)
    assert found.distinct == pytest.approx(20_000, rel=0.15)
    drawn = sum(b.count for b in found.histogram) + found.below + found.above
    assert found.sampled - 1 <= drawn <= found.sampled


def test_a_sample_meets_every_entity_of_a_table_in_which_they_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "SAMPLE", 2000)
    found = _profile([float(n % 10) for n in range(20_000)])  # each tenth row is of one entity
    assert [b.count > 0 for b in found.histogram].count(True) == 10


def test_correlation_of_numbers_and_truths_over_the_rows_that_have_both() -> None:
    types = {"a": "float64", "same": "int64", "opposite": "bool", "still": "float64", "t": "string"}
    view = weather(features=tuple(feature(name, dtype) for name, dtype in types.items()))
    rows = pl.LazyFrame(
        {
            "a": [0.0, 1.0, None, 0.0, math.nan],
            "same": [10, 20, 99, 10, 7],
            "opposite": [True, False, True, True, True],
            "still": [5.0] * 5,
            "t": ["x"] * 5,
        }
    )
    found = correlation(view, rows)
    assert found.features == ("a", "same", "opposite", "still")
    assert found.matrix[0] == (1.0, pytest.approx(1.0), pytest.approx(-1.0), None)
    assert [row[0] for row in found.matrix] == list(found.matrix[0])
    assert found.matrix[3] == (None, None, None, None)
    assert (found.rows, found.sampled) == (5, False)
    assert correlation(view, rows.head(0)).matrix == (((None,) * 4),) * 4
    assert correlation(plane(), pl.LazyFrame({"tailnum": ["N1"]})).features == ()
