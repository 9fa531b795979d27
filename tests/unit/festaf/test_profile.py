"""The distribution of numbers: a histogram that outliers cannot squash, and no value lost from the count."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.festaf.rows.profile import FeatureProfile, profile
from tests.unit.festaf.worlds import plane, weather

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
