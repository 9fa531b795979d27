"""What an editor says: pyright, strict, on definitions that are right and on operations that a type lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

GOOD = """\
from datetime import date, datetime, timedelta, UTC
from typing import assert_type

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
sex.cast(fs.Int32)  # error
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
"""


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
