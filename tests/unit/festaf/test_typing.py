"""What an editor says: pyright, strict, on definitions that are right and on operations that a type lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from e2e_ml import festaf as fs
from e2e_ml.festaf.definition.loading import load_definitions

REPOSITORY = Path(__file__).parents[3]

GOOD = """\
from datetime import date, datetime, timedelta, UTC
from decimal import Decimal
from typing import assert_type

import polars as pl

from e2e_ml import festaf as fs


class Weather(fs.FeatureView):
    source = fs.csv("weather.csv")
    owner = fs.Owner("me")
    ttl = timedelta(hours=3)
    schedule = "@hourly"
    tags = ["a", "b"]

    origin = fs.Entity(fs.String())
    at = fs.EventTime()
    temp = fs.Float64().bounds(-40, 130).describe("warm").required()
    wind = fs.Float32().lower_bound(0)
    gate = fs.Int32().accepted_values([1, 2]).fill_null(0)
    raining = fs.Bool()
    sky = fs.String().accepted_values(["clear", "rain"]).tags("x")
    since = fs.Date().lower_bound(date(2013, 1, 1))

    freezing = temp <= 32
    gusty = (wind > 25) & ~raining | (temp == 3)
    mean_6h = wind.mean().over(timedelta(hours=6))
    count_6h = sky.count().over(timedelta(hours=6))
    is_clear, is_rain = sky.one_hot(["clear", "rain"])
    recent = at > datetime(2013, 1, 1, tzinfo=UTC)
    halves = gate / 2
    filled = temp.fill_null(wind)
    rest = 100 - gate


assert_type(Weather.origin, fs.String)
assert_type(Weather.temp, fs.Float64)
assert_type(Weather.gate, fs.Int32)
assert_type(Weather.freezing, fs.Bool)
assert_type(Weather.gusty, fs.Bool)
assert_type(Weather.mean_6h, fs.Float64)
assert_type(Weather.count_6h, fs.Int64)
assert_type(Weather.is_rain, fs.Bool)
assert_type(Weather.halves, fs.Float64)
assert_type(Weather.rest, fs.Int64)
assert_type(Weather.gate + Weather.temp, fs.Float64)
assert_type(Weather.gate + 1.5, fs.Float64)
assert_type(Weather.gate * 2, fs.Int64)
assert_type(Weather.gate.max().over(timedelta(1)), fs.Int32)
assert_type(Weather.sky.lower(), fs.String)
assert_type(Weather.sky.length(), fs.Int64)
assert_type(Weather.at.hour("America/New_York"), fs.Int64)
assert_type(Weather.at.date(), fs.Date)
assert_type(Weather.temp.cast(fs.Int32), fs.Int32)
assert_type(Weather.gate.cast(fs.String), fs.String)


def wind_chill(frame: pl.DataFrame) -> pl.Series:
    return frame["temp"] - frame["wind"]


class Flights(fs.FeatureView):
    source = fs.csv("flights.csv")

    carrier = fs.Entity(fs.Category()).named("Carrier Code").renamed_from("airline")
    at = fs.EventTime()
    seats = fs.Int16().fill_null(0).bounds(1, 500)
    delay = fs.Float64().above(-60).below(1440).deprecated("use delay_filled")
    fare = fs.Decimal(10, 2).lower_bound(Decimal("0.01")).fill_null(0)
    booked = fs.Date().fill_null(date(2013, 1, 1))
    aloft = fs.Duration().upper_bound(timedelta(hours=20))
    stops = fs.List(fs.String()).max_length(5)
    delays = fs.List(fs.Float64())
    route = fs.Embedding(3)
    place = fs.Struct(lat=fs.Float64(), lon=fs.Float64())
    crew = fs.Struct(name=fs.String(), size=fs.Int8())
    tail = fs.String().min_length(3).must_match(r"N\\d+").unique()

    delay_filled = delay.coalesce(seats, 0)
    chill = fs.python(wind_chill, fs.Float64, delay, seats)
    price = fs.python(wind_chill, fs.Decimal(12, 2), delay)
    kind = fs.when(delay > 15).then("late").when(delay > 0).then("soon").otherwise(carrier)
    level = fs.when(delay > 15).then(delay).otherwise(0)
    never = fs.when(delay > 15).then(1).otherwise_null()
    scaled = delay.standard_scale().describe("For a model.")
    last_5 = delay.mean().over(rows=5, by=[carrier])
    p90 = delay.quantile(0.9).over()


assert_type(Flights.carrier, fs.Category)
assert_type(Flights.fare, fs.Decimal)
assert_type(Flights.fare + 1, fs.Decimal)
assert_type(Flights.fare * Flights.fare, fs.Decimal)
assert_type(Flights.fare * 0.5, fs.Float64)
assert_type(Decimal("1.5") - Flights.fare, fs.Decimal)
assert_type(Flights.fare.sum().over(timedelta(1)), fs.Decimal)
assert_type(Flights.fare.cast(fs.Int64), fs.Int64)
assert_type(Weather.gate.cast(fs.Decimal(12, 2)), fs.Decimal)
assert_type(Weather.gate ** 2, fs.Float64)
assert_type(Flights.delay.round(1).clip(0, 1.5), fs.Float64)
assert_type(Flights.delay.bucketize([0, 15, 60]), fs.Int64)
assert_type(Flights.delay_filled, fs.Float64)
assert_type(Flights.chill, fs.Float64)
assert_type(Flights.price, fs.Decimal)
assert_type(Flights.kind, fs.String)
assert_type(Flights.level, fs.Float64)
assert_type(Flights.never, fs.Int64)
assert_type(Flights.scaled, fs.Float64)
assert_type(Flights.last_5, fs.Float64)
assert_type(Flights.p90, fs.Float64)
assert_type(Flights.carrier == Weather.sky, fs.Bool)
assert_type(Flights.carrier.ordinal(["UA", "AA"]), fs.Int64)
assert_type(Flights.carrier.map({"UA": 1, "AA": 2}, default=0), fs.Int64)
assert_type(Flights.carrier.map({"UA": "United"}), fs.String)
assert_type(Flights.carrier.map({"UA": 0.5}), fs.Float64)
assert_type(Flights.carrier.cast(fs.String), fs.String)
assert_type(Flights.carrier.distinct().over(timedelta(1)), fs.Int64)
assert_type(Flights.carrier.last().over(rows=2), fs.Category)
assert_type(Flights.tail.split("-").get(0), fs.String)
assert_type(Flights.tail.split("-").contains("x"), fs.Bool)
assert_type("N" + Flights.tail + Flights.tail.left(2), fs.String)
assert_type(Flights.tail.extract(r"N(\\d+)").cast(fs.Int32), fs.Int32)
assert_type(Flights.tail.matches(r"N\\d+"), fs.Bool)
assert_type(Flights.at - Weather.at, fs.Duration)
assert_type(Flights.at - timedelta(1), fs.Timestamp)
assert_type(Flights.at + Flights.aloft, fs.Timestamp)
assert_type(Flights.booked - Weather.since, fs.Duration)
assert_type(Flights.booked + Flights.aloft, fs.Timestamp)
assert_type(Flights.aloft + timedelta(1), fs.Duration)
assert_type(Flights.aloft.total_seconds(), fs.Float64)
assert_type(Flights.aloft.sum().over(timedelta(1)), fs.Duration)
assert_type(Flights.at.truncate("hour"), fs.Timestamp)
assert_type(Weather.raining.time_since_last().over(), fs.Duration)
assert_type(Flights.stops.length(), fs.Int64)
assert_type(Flights.stops.get(0), fs.String)
assert_type(Flights.delays.get(0) > 3, fs.Bool)
assert_type(Flights.delays.mean(), fs.Float64)
assert_type(Flights.delays.max(), fs.Float64)
assert_type(Flights.delays.contains(3), fs.Bool)
assert_type(Flights.route.dot([1.0, 2.0, 3.0]), fs.Float64)
assert_type(Flights.route.cosine_similarity(Flights.route), fs.Float64)
assert_type(Flights.place.field("lat"), fs.Float64)
assert_type(Flights.crew.field("name", fs.String), fs.String)


class Late(fs.FeatureService):
    features = [Weather.temp, Weather.is_rain, Weather.gate]
    target = Weather.temp > 15
"""

# Each line is an error, and none of the others is.
BAD = """\
from datetime import timedelta
from e2e_ml import festaf as fs
sex = fs.String()
age = fs.Float64()
deck = fs.Int32()
aboard = fs.Bool()
born = fs.Date()
seen = fs.Timestamp()
sex.lower_bound(0)  # error
sex.mean()  # error
sex.accepted_values([1])  # error
sex + 1  # error
sex > 3  # error
sex.fill_null(0)  # error
sex.is_in([1])  # error
sex.cast(fs.Timestamp)  # error
age.contains("x")  # error
age.bounds("a", "b")  # error
age.fill_null("x")  # error
age.accepted_values([1.0])  # error
age > "x"  # error
age & aboard  # error
age.cast(fs.String)  # error
age.mean().over(6)  # error
age.mean() > 1  # error
~deck  # error
aboard > aboard  # error
aboard.upper_bound(True)  # error
aboard + 1  # error
born.hour()  # error
born.fill_null(3)  # error
seen.contains("x")  # error
seen + seen  # error
fs.EventTime().one_hot(["x"])  # error
fs.Entity("key")  # error
fs.csv(3)  # error
sex.no_such_operation()  # error
age.mean().over(timedelta(1)).describe("fine")
fare = fs.Decimal(10, 2)
deck_name = fs.Category()
stay = fs.Duration()
stops = fs.List(fs.String())
tips = fs.List(fs.Float64())
face = fs.Embedding(3)
place = fs.Struct(lat=fs.Float64(), lon=fs.Float64())
small = fs.Int8()
fs.Decimal(10)  # error
fs.List()  # error
fs.Embedding("3")  # error
fs.Struct(lat=3)  # error
fare // 2  # error
fare.contains("1")  # error
fare.fill_null(0.5)  # error
fare.cast(fs.String)  # error
small.fill_null(0.5)  # error
small.lower_bound(0.5)  # error
small.is_nan()  # error
small.contains(1)  # error
deck_name < deck_name  # error
deck_name.lower()  # error
deck_name.cast(fs.Int32)  # error
deck_name.map({1: 2})  # error
deck_name.accepted_values([1])  # error
age.ordinal([1.0])  # error
age.quantile("0.5")  # error
age.min_length(2)  # error
sex - sex  # error
sex.split(1)  # error
sex.standard_scale()  # error
sex.quantile(0.5)  # error
born + born  # error
born + 1  # error
born.truncate("day")  # error
seen - born  # error
seen.truncate("week")  # error
seen.sum()  # error
stay * 2  # error
stay.mean()  # error
stay > 3  # error
stops.mean()  # error
stops.contains(1)  # error
stops > stops  # error
stops.get("0")  # error
tips.sum() + "x"  # error
tips.lower()  # error
face.contains(1.0)  # error
face.dot("abc")  # error
face + face  # error
place.get(0)  # error
place.field("lat").lower()  # error
fs.when(age).then(1)  # error
fs.when(aboard).then(1).otherwise("x")  # error
fs.when(aboard).then("x").when(aboard).then(1)  # error
fs.when(aboard).then("x") + "y"  # error
fs.python("features.f", fs.Float64, age)  # error
age.mean().over(rows=5, by=["sex"])  # error
age.last().over(timedelta(1)).lower()  # error
fare.sum().over(timedelta(1)).round(1)
"""


ERRORS = [line for line in BAD.splitlines() if line.endswith("# error")]


@pytest.mark.parametrize("line", ERRORS)
def test_the_same_is_refused_at_definition(line: str, tmp_path: Path) -> None:
    setting = [each for each in BAD.splitlines() if each not in ERRORS and "import" not in each]
    body = "\n".join(f"    {each}" for each in [*(e for e in setting if " = " in e), f"x = {line}"])
    head = "from datetime import timedelta\nfrom e2e_ml import festaf as fs\n"
    (tmp_path / "features.py").write_text(f'{head}class View(fs.FeatureView):\n    source = fs.csv("x.csv")\n{body}\n')
    with pytest.raises(fs.DefinitionError) as error:
        load_definitions(tmp_path)
    assert error.value.place is not None
    assert error.value.place.line == len(body.splitlines()) + 4
    assert "View" in str(error.value)


def _pyright(tmp_path: Path, **files: str) -> list[tuple[str, int, str]]:
    """(file, line, rule) of every error in strict mode."""
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(REPOSITORY)],
        "reportUnusedExpression": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "--project",
        str(tmp_path),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    report = json.loads(answer.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    return [
        (Path(d["file"]).stem, d["range"]["start"]["line"] + 1, d["message"])
        for d in report["generalDiagnostics"]
        if d["severity"] == "error"
    ]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str]]:
    return _pyright(tmp_path_factory.mktemp("typing"), good=GOOD, bad=BAD)


def test_right_definitions_have_no_error(errors: list[tuple[str, int, str]]) -> None:
    assert [error for error in errors if error[0] == "good"] == []


def test_an_operation_that_a_type_lacks_is_an_error_on_its_line(errors: list[tuple[str, int, str]]) -> None:
    wanted = {i for i, line in enumerate(BAD.splitlines(), 1) if line.endswith("# error")}
    assert {line for file, line, _ in errors if file == "bad"} == wanted


def test_the_error_names_the_operation(errors: list[tuple[str, int, str]]) -> None:
    line = BAD.splitlines().index("sex.lower_bound(0)  # error") + 1
    (message,) = {text for file, at, text in errors if (file, at) == ("bad", line) and "attribute" in text}
    assert "lower_bound" in message
    assert "String" in message
