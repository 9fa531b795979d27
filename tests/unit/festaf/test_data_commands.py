"""The data verbs of `e2e-ml festaf`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from e2e_ml.festaf.commands import festaf
from tests.unit.festaf.worlds import hour, project, weather_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project(tmp_path)
    run(tmp_path, "materialize", "weather", "--load", "--start", "2013-01-01", "--end", "2013-01-03")
    run(tmp_path, "materialize", "plane", "--load")
    return tmp_path


def run(folder: Path, verb: str, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(festaf, [verb, *arguments, "--project", str(folder)])
    assert result.exit_code == code, result.output
    return result


def test_materialize_says_what_it_did(folder: Path) -> None:
    assert (
        "72 rows of weather are written"
        in run(
            folder, "materialize", "weather", "--load", "--start", "2013-01-01", "--end", "2013-01-03T00:00:00Z"
        ).output
    )
    assert "2 entities of weather" in run(folder, "materialize", "weather").output
    missing = run(folder, "materialize", "weather", "--load", code=1)
    assert "Error: weather has event times: give the interval's start and end." in missing.output
    assert "'soon' is no time" in run(folder, "materialize", "weather", "--start", "soon", code=2).output


def test_historical_reads_and_writes_files(folder: Path) -> None:
    asked = folder / "asked.csv"
    asked.write_text("origin,event_timestamp,tailnum\nJFK,2013-01-01T05:30:00Z,N1\nLGA,2013-01-01T00:00:00Z,N9\n")
    printed = run(folder, "historical", "weather.temp", "plane.seats", "--entities", str(asked)).output
    assert printed.splitlines()[0] == "origin,event_timestamp,tailnum,weather__temp,plane__seats"
    assert printed.splitlines()[1].endswith("N1,25.0,120")
    answer = folder / "answer.parquet"
    run(folder, "historical", "delay", "--entities", str(asked), "--names", "short", "--output", str(answer))
    assert pl.read_parquet(answer)["seats"].to_list() == [120, None]
    assert "no feature view 'nothing'" in run(folder, "historical", "nothing", "--entities", str(asked), code=1).output


def test_online_prints_a_row_a_line(folder: Path) -> None:
    rows = ('{"origin": "JFK"}', '{"origin": "EWR"}')
    printed = run(
        folder, "online", "weather.temp", "--row", rows[0], "--row", rows[1], "--at", hour(48).isoformat()
    ).output
    assert [json.loads(line) for line in printed.splitlines()] == [
        {"origin": "JFK", "weather__temp": 67.0},
        {"origin": "EWR", "weather__temp": None, "missing": {"weather__temp": "absent"}},
    ]
    assert "Nothing was asked" in run(folder, "online", "weather", code=2).output
    assert "is no JSON" in run(folder, "online", "weather", "--row", "origin=JFK", code=2).output


def test_validate_exits_with_one_when_a_constraint_is_broken(folder: Path) -> None:
    assert "Every constraint of weather holds in its 72 rows." in run(folder, "validate", "weather").output
    weather_rows().with_columns(temp=500.0).write_parquet(folder / "weather.parquet")
    run(folder, "materialize", "weather", "--load", "--start", "2013-01-02", "--end", "2013-01-03")
    broken = run(folder, "validate", "weather", code=1).output
    assert "temp: upper_bound 130" in broken
    assert "36" in broken
    assert json.loads(run(folder, "validate", "weather", "--json", code=1).output)[0]["count"] == 36
    trend = run(folder, "validate", "weather", "--trend").output.splitlines()
    assert [line.split()[:2] for line in trend[1:]] == [["2013-01-01", "00:00"], ["2013-01-02", "00:00"]]
    assert trend[2].endswith("temp at most 130: 36")
    points = json.loads(run(folder, "validate", "weather", "--trend", "--json").output)
    assert [check["broken"] for check in points[1]["checks"]] == [36, 0]


def test_a_view_without_rows_is_not_said_to_hold(tmp_path: Path) -> None:
    project(tmp_path)
    assert "weather has no rows, so there is nothing to check." in run(tmp_path, "validate", "weather").output
    assert "weather was never written." in run(tmp_path, "validate", "weather", "--trend").output
    assert "plane has no constraints." in run(tmp_path, "validate", "plane").output


def test_reopen_loads_what_was_written_again(folder: Path) -> None:
    weather_rows().filter(pl.col("observed_at") != hour(3)).write_parquet(folder / "weather.parquet")
    told = run(folder, "reopen", "weather", "--start", "2013-01-01", "--end", "2013-01-02").output
    assert told.splitlines() == [
        "          71 rows of 2013-01-01 00:00 to 2013-01-03 00:00 UTC",
        "weather is written again there, offline and online.",
    ]
    nothing = run(folder, "reopen", "weather", "--start", "2014-01-01", "--end", "2014-01-02").output
    assert "No interval of weather was written there" in nothing
    assert (
        "plane has no times"
        in run(folder, "reopen", "plane", "--start", "2014-01-01", "--end", "2014-01-02", code=1).output
    )


def test_profile_is_a_table_or_json(folder: Path) -> None:
    table = run(folder, "profile", "weather").output.splitlines()
    assert table[0].split() == ["feature", "type", "rows", "missing", "distinct", "min", "median", "mean", "max"]
    assert table[1].split()[:5] == ["temp", "float64", "72", "0", "48"]
    assert json.loads(run(folder, "profile", "plane", "--json").output)[0]["feature"] == "seats"
    matrix = run(folder, "profile", "weather", "--correlation").output.splitlines()
    assert matrix[0].split() == ["temp", "wind", "freezing", "wind_mean_2h"]
    assert matrix[1].split()[:2] == ["temp", "1.00"]
