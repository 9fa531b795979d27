"""No feature of a flight stands on anything that came to be known after its scheduled departure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from e2e_ml.demo import trainingset
from e2e_ml.festaf import FeatureStore

SAMPLE = 400
Landing = tuple[datetime, float]  # when it landed, how late in minutes


@pytest.fixture(scope="module")
def rows(store: FeatureStore) -> pl.DataFrame:
    entities = trainingset.entities(store.path / "data" / "flights.parquet")
    return store.historical(trainingset.SERVICE, entities, at=trainingset.AT).to_polars()


def test_the_training_set_has_every_flight_whose_delay_is_known(rows: pl.DataFrame) -> None:
    # 2,878 of the 80,687 departures of these months were cancelled or diverted.
    assert rows.height == rows["flight"].n_unique() == 77_809
    assert rows["flights__flight_delay__target"].null_count() == 0


def test_delays_of_airline_and_route_are_those_of_flights_that_had_landed(
    rows: pl.DataFrame, flights_data: Path
) -> None:
    """Against plain Python: lists, sums and comparisons."""
    landings = pl.read_parquet(flights_data / "arrivals.parquet")
    of_carrier = _by(landings, ["carrier"])
    of_route = _by(landings, ["origin", "dest"])
    week, month = timedelta(days=7), timedelta(days=30)
    compared = 0
    for row in _sample(rows):
        at: datetime = row[trainingset.AT]
        carrier = _Known(of_carrier[(row["carrier"],)], at, ttl=week)
        route = _Known(of_route[(row["origin"], row["dest"])], at, ttl=month)
        expected = {
            "carrier_delay__delay_mean_6h": carrier.mean(timedelta(hours=6)),
            "carrier_delay__delay_mean_7d": carrier.mean(week),
            "carrier_delay__delay_mean_30d": carrier.mean(month),
            "carrier_delay__late_share_7d": carrier.late_share(week),
            "carrier_delay__flights_7d": carrier.count(week),
            "route_delay__delay_mean_7d": route.mean(week),
            "route_delay__delay_mean_30d": route.mean(month),
            "route_delay__flights_30d": route.count(month),
            "route_delay__late_share_10": route.late_share_of_last(10),
            "at_the_gate__behind_usual": _difference(carrier.mean(timedelta(hours=6)), route.mean(month)),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-6), row["flight"]
        compared += sum(value is not None for value in expected.values())
    assert compared > SAMPLE * 6  # the sample is not one of missing values


def test_the_weather_is_the_newest_that_was_observed_by_then(rows: pl.DataFrame, flights_data: Path) -> None:
    observed: dict[str, list[tuple[datetime, float | None]]] = defaultdict(list)
    weather = pl.read_parquet(flights_data / "weather.parquet").sort("observed_at")
    for origin, at, temp in weather.select("origin", "observed_at", "temp").iter_rows():
        observed[origin].append((at, temp))
    for row in _sample(rows):
        seen = [(at, temp) for at, temp in observed[row["origin"]] if at <= row[trainingset.AT]]
        fresh = bool(seen) and row[trainingset.AT] - seen[-1][0] <= timedelta(hours=3)
        assert row["hourly_weather__temp"] == (seen[-1][1] if fresh else None), row["flight"]


def test_what_is_worked_out_at_the_gate_stands_on_the_hour_and_on_what_is_stored(rows: pl.DataFrame) -> None:
    compared = 0
    for row in _sample(rows):
        first_wave = row[trainingset.AT].astimezone(ZoneInfo("America/New_York")).hour < 8
        freezing: bool | None = row["hourly_weather__is_freezing"]
        assert row["at_the_gate__first_wave"] is first_wave
        assert row["at_the_gate__cold_start"] is (first_wave and freezing if first_wave else False), row["flight"]
        compared += first_wave and freezing is not None
    assert compared > SAMPLE / 20


def test_another_future_changes_no_feature_of_the_past(
    rows: pl.DataFrame, flights_data: Path, filled: Callable[[Path], FeatureStore], tmp_path: Path
) -> None:
    """From one moment on every flight lands six hours late and a storm blows: nobody could know it before."""
    moment = datetime(2013, 2, 14, 17, tzinfo=UTC)
    data = tmp_path / "data"
    data.mkdir()
    for file in flights_data.glob("*.parquet"):
        frame = pl.read_parquet(file)
        if file.stem == "arrivals":
            late = pl.when(pl.col("landed_at") > moment).then(360.0).otherwise(pl.col("arr_delay"))
            frame = frame.with_columns(arr_delay=late)
        if file.stem == "weather":
            storm = pl.when(pl.col("observed_at") > moment).then(90.0).otherwise(pl.col("wind_speed"))
            frame = frame.with_columns(wind_speed=storm)
        frame.write_parquet(data / file.name)
    other = filled(data)
    entities = trainingset.entities(other.path / "data" / "flights.parquet")
    otherwise = other.historical(trainingset.SERVICE, entities, at=trainingset.AT).to_polars()
    before = pl.col(trainingset.AT) <= moment
    assert rows.filter(before).height > 30_000
    assert otherwise.filter(before).equals(rows.filter(before))
    # The same comparison fails where it has to: afterwards everybody knows.
    assert not otherwise.filter(~before).equals(rows.filter(~before))


class _Known:
    """What is known of some landings at a moment: those of the window that ends with the newest one."""

    def __init__(self, landings: Sequence[Landing], at: datetime, ttl: timedelta) -> None:
        known = landings[: bisect_right(landings, at, key=lambda landing: landing[0])]
        newest = known[-1][0] if known else None
        self._newest = newest if newest is not None and at - newest <= ttl else None
        self._known = known

    def _window(self, width: timedelta) -> list[float] | None:
        if self._newest is None:
            return None
        return [delay for at, delay in self._known if at > self._newest - width]

    def mean(self, width: timedelta) -> float | None:
        window = self._window(width)
        return None if window is None else sum(window) / len(window)

    def late_share(self, width: timedelta) -> float | None:
        window = self._window(width)
        return None if window is None else sum(delay > 15 for delay in window) / len(window)

    def late_share_of_last(self, rows: int) -> float | None:
        if self._newest is None:
            return None
        last = [delay for _, delay in self._known[-rows:]]
        return sum(delay > 15 for delay in last) / len(last)

    def count(self, width: timedelta) -> int | None:
        window = self._window(width)
        return None if window is None else len(window)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _by(landings: pl.DataFrame, keys: Sequence[str]) -> Mapping[tuple[Any, ...], list[Landing]]:
    found: dict[tuple[Any, ...], list[Landing]] = defaultdict(list)
    for *key, landed_at, delay in landings.sort("landed_at").select(*keys, "landed_at", "arr_delay").iter_rows():
        found[tuple(key)].append((landed_at, delay))
    return found


def _sample(rows: pl.DataFrame) -> list[dict[str, Any]]:
    return rows.sample(SAMPLE, seed=2013).to_dicts()
