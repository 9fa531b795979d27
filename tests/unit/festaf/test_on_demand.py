"""Features that no store holds: those of on-demand views and scaled ones, alike on a training set and online."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from e2e_ml import festaf as fs
from e2e_ml.festaf.definition.compiling import compile_definitions
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.registry.asked import DeprecatedFeatureWarning
from e2e_ml.festaf.rows import on_demand
from tests.unit.festaf.worlds import TIME, hour, weather_rows

DEFINITIONS = """\
from datetime import timedelta
import polars as pl
from e2e_ml import festaf as fs

class Weather(fs.FeatureView):
    source = fs.parquet("weather.parquet")
    ttl = timedelta(hours=3)
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64()
    wind = fs.Float64()
    freezing = temp <= 32

class Plane(fs.FeatureView):
    source = fs.csv("planes.csv")
    tailnum = fs.Entity(fs.String())
    seats = fs.Int32()
    jet = fs.Bool()

class Chill(fs.OnDemandView):
    "Features of one view and of another, without a request."
    seats_per_degree = Plane.seats / Weather.temp
    big = (Plane.seats > 110) & Plane.jet

class AtTheGate(fs.OnDemandView):
    "What is known only when somebody asks."
    scheduled_hour = fs.Int32().request()
    hour_now = fs.Int64().request().describe("The hour on the clock.")
    is_night = (scheduled_hour < 6) | (scheduled_hour > 21)
    cold_night = is_night & Weather.freezing
    waiting = (hour_now - scheduled_hour).fill_null(0)
    crowded_night = cold_night | Chill.big

class Delay(fs.FeatureService):
    features = [Weather.temp, AtTheGate.cold_night, AtTheGate.crowded_night, Plane.seats]
    target = Weather.wind > 10
"""


@pytest.fixture
def store(tmp_path: Path) -> fs.FeatureStore:
    return made(tmp_path, DEFINITIONS)


def made(folder: Path, definitions: str) -> fs.FeatureStore:
    weather_rows().write_parquet(folder / "weather.parquet")
    (folder / "planes.csv").write_text("tailnum,seats,jet\nN1,100,true\nN2,,false\nN3,120,true\n")
    (folder / "features.py").write_text(definitions)
    store = fs.FeatureStore.open(folder)
    store.apply(store.plan(load_definitions(folder)))
    store.load("weather", hour(0), hour(48))
    store.load("plane")
    return store


ASKED = [
    {"origin": "JFK", "tailnum": "N1", "scheduled_hour": 23, "hour_now": 24},  # cold at hour 10: 30 degrees
    {"origin": "JFK", "tailnum": "N2", "scheduled_hour": 12, "hour_now": None},
    {"origin": "LGA", "tailnum": "N3", "scheduled_hour": 3, "hour_now": 1},
    {"origin": "EWR", "tailnum": "N3", "scheduled_hour": 3, "hour_now": 1},  # no weather
    {"origin": "EWR", "tailnum": "N9", "scheduled_hour": 12, "hour_now": 1},  # nor a plane
]
EVERYTHING = ["at_the_gate", "chill", "weather.temp", "plane.seats"]


def entities(at: float) -> pl.DataFrame:
    schema = {"origin": pl.String, "tailnum": pl.String, "scheduled_hour": pl.Int32, "hour_now": pl.Int64}
    return pl.DataFrame(ASKED, schema=schema).with_columns(pl.lit(hour(at), TIME).alias("event_timestamp"))


def test_a_service_with_on_demand_features_is_answered_point_in_time(store: fs.FeatureStore) -> None:
    found = store.historical("delay", entities(10)).to_polars()
    assert found.columns == [
        "origin", "tailnum", "scheduled_hour", "hour_now", "event_timestamp", "weather__temp",
        "at_the_gate__cold_night", "at_the_gate__crowded_night", "plane__seats", "weather__delay__target",
    ]  # fmt: skip
    assert found["at_the_gate__cold_night"].to_list() == [True, False, True, None, False]
    assert found["at_the_gate__crowded_night"].to_list() == [True, False, True, True, None]
    assert found["weather__temp"].to_list() == [30.0, 30.0, 30.0, None, None]


def test_online_answers_what_history_answers(store: fs.FeatureStore) -> None:
    past = store.historical(EVERYTHING, entities(47)).to_polars()
    now = store.online(EVERYTHING, ASKED, at=hour(47))
    columns = list(now.columns)
    assert [{name: row[name] for name in columns} for row in now.rows] == past.select(columns).to_dicts()
    assert set(now.rows[0]) == {"origin", "tailnum", "scheduled_hour", "hour_now", *columns}  # nothing inner is left


def test_many_rows_are_answered_as_few_are(store: fs.FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    few = store.online(EVERYTHING, ASKED, at=hour(47))
    monkeypatch.setattr(on_demand, "_FEW", 0)
    many = store.online(EVERYTHING, ASKED, at=hour(47))
    assert many.rows == few.rows
    assert many.missing == few.missing


def test_what_is_missing_says_why(store: fs.FeatureStore) -> None:
    now = store.online(["at_the_gate.cold_night", "at_the_gate.is_night", "chill.big"], ASKED, at=hour(60))
    assert now.missing[0] == {"at_the_gate__cold_night": "expired"}  # a night, and nothing known of the cold
    assert now.missing[1] == {}  # no night, whatever the weather; N2 has no seats, and is no jet
    assert now.missing[3] == {"at_the_gate__cold_night": "absent"}
    assert now.missing[4] == {"chill__big": "absent"}
    assert now.rows[4]["at_the_gate__is_night"] is False


def test_short_names_and_a_view_alone(store: fs.FeatureStore) -> None:
    found = store.historical("at_the_gate", entities(10), names="short").to_polars()
    assert found.columns[-4:] == ["is_night", "cold_night", "waiting", "crowded_night"]
    assert found["waiting"].to_list() == [1, 0, -2, -2, -11]
    rows = store.online("at_the_gate.is_night", [{"scheduled_hour": 5, "hour_now": 4}], names="short").rows
    assert rows == [{"scheduled_hour": 5, "hour_now": 4, "is_night": True}]


@pytest.mark.parametrize("engine", ["polars", "pandas"])
def test_on_every_engine_the_same(store: fs.FeatureStore, engine: str) -> None:
    wanted = store.historical(EVERYTHING, entities(10)).to_polars()
    assert store.historical(EVERYTHING, entities(10), engine=engine).to_polars().equals(wanted)


BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"origin": "JFK"}, "at_the_gate is computed from scheduled_hour, which comes with the request: give it"),
    ({"origin": "JFK", "scheduled_hour": "5"}, "scheduled_hour, int32; '5' is none"),
    ({"origin": "JFK", "scheduled_hour": 2**40}, "scheduled_hour, int32; 1099511627776 is none"),
    ({"origin": "JFK", "scheduled_hour": 5.5}, "scheduled_hour, int32; 5.5 is none"),
    ({"scheduled_hour": 5}, "weather is asked by origin"),
]


@pytest.mark.parametrize(("row", "sentence"), BAD_REQUESTS, ids=[row[1] for row in BAD_REQUESTS])
def test_a_request_that_lacks_something_is_told_what(
    store: fs.FeatureStore, row: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(fs.FeatureStoreError) as caught:
        store.online("at_the_gate.cold_night", [row])
    assert sentence in str(caught.value)


def test_entities_that_lack_something_are_told_what(store: fs.FeatureStore) -> None:
    with pytest.raises(fs.FeatureStoreError, match="the entities need the column 'scheduled_hour', of type int32"):
        store.historical("at_the_gate.cold_night", entities(10).drop("scheduled_hour"))
    wrong = entities(10).with_columns(pl.col("scheduled_hour").cast(pl.String))
    with pytest.raises(fs.FeatureStoreError, match="scheduled_hour, int32; the column 'scheduled_hour' holds String"):
        store.historical("at_the_gate.cold_night", wrong)
    with pytest.raises(fs.FeatureStoreError, match="computed on demand, and has no rows of its own"):
        store.offline("at_the_gate")
    with pytest.raises(fs.FeatureStoreError, match="at_the_gate has no feature 'cold'"):
        store.online("at_the_gate.cold", ASKED)


def test_a_function_of_the_project_runs_on_demand(tmp_path: Path) -> None:
    store = made(
        tmp_path,
        DEFINITIONS
        + """
def doubled(rows: pl.DataFrame) -> pl.Series:
    return rows["temp"] * 2 + rows["extra"]

class Twice(fs.OnDemandView):
    extra = fs.Float64().request()
    twice = fs.python(doubled, fs.Float64, Weather.temp, extra)
    more = twice + 1
""",
    )
    asked = [{"origin": "JFK", "extra": 1}, {"origin": "EWR", "extra": 1}]
    assert [row["twice__more"] for row in store.online("twice.more", asked, at=hour(47)).rows] == [136.0, None]
    frame = entities(47).with_columns(pl.lit(1.0).alias("extra"))
    assert store.historical("twice.more", frame).to_polars()["twice__more"].to_list()[:2] == [136.0, 136.0]


def test_what_is_deprecated_warns_who_asks(tmp_path: Path) -> None:
    store = made(tmp_path, DEFINITIONS.replace("wind = fs.Float64()", 'wind = fs.Float64().deprecated("use gusts")'))
    with pytest.warns(DeprecatedFeatureWarning, match="weather.wind is deprecated: use gusts") as caught:
        store.online("weather.wind", ASKED[:1])
    assert caught[0].filename == __file__


# --- definitions -------------------------------------------------------------------------------------------------

HEAD = """\
from datetime import timedelta
from e2e_ml import festaf as fs

class Weather(fs.FeatureView):
    source = fs.csv("weather.csv")
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64()
    scaled = temp.standard_scale()

class Gate(fs.OnDemandView):
    hour_asked = fs.Int32().request()
"""
REFUSED: list[tuple[str, str]] = [
    (
        "late = hour_asked > 3\n\nclass V(fs.FeatureView):\n    source = fs.csv('v')\n    k = fs.Entity(fs.String())\n"
        "    at = fs.EventTime()\n    x = at.hour().standard_scale()",
        "V.x: what is scaled is computed when it is read, and the view's times are not there then",
    ),
    (
        "late = fs.Int32()",
        "Gate.late: a column of an on-demand view comes with the request: write .request()",
    ),
    ("x = hour_asked.mean().over(timedelta(hours=1))", "Gate.x: a window needs rows, and an on-demand view sees one"),
    ("x = fs.Int32().request().fill_null(0)", "Gate.x: what a request brings takes no rule"),
    ("x = (hour_asked + 1).request()", "Gate.x: what a request brings is not computed"),
    ("x = fs.Entity(fs.String())", "Gate.x: an on-demand view has no rows of its own, and so no entity"),
    ("x = Weather.origin == 'JFK'", "Gate.x: it reads Weather.origin, a key or a time"),
    ("x = Weather.scaled + 1", "Gate.x: nothing is computed from a scaled feature"),
    ("source = fs.csv('x.csv')", "Gate.source: it is neither a column nor an option"),
    ("pass", "Gate: it has no features"),
    (
        "late = hour_asked > 3\n\nclass S(fs.FeatureService):\n    features = [Gate.hour_asked]",
        "Gate.hour_asked is a value of the request",
    ),
    (
        "late = hour_asked > 3\n\nclass S(fs.FeatureService):\n    features = [Gate.late]\n    target = Gate.late",
        "S.target: Gate is computed on demand. A target is of a view with a source",
    ),
    (
        "late = hour_asked > 3\n\nclass T(fs.OnDemandView):\n    x = Gate.hour_asked > 3",
        "T.x: it reads Gate.hour_asked, a value of its request",
    ),
    (
        "late = hour_asked > 3\n\nclass V(fs.FeatureView):\n    source = fs.csv('v')\n    k = fs.Entity(fs.String())\n"
        "    x = fs.Int32().request()\n    y = fs.Int32()",
        "V.x: a view with a source gets no request",
    ),
]


@pytest.mark.parametrize(("statement", "sentence"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_has_no_meaning_on_demand_is_refused(statement: str, sentence: str, tmp_path: Path) -> None:
    first, *rest = statement.split("\n")
    (tmp_path / "features.py").write_text("\n".join([f"{HEAD}    {first}", *rest, ""]))
    with pytest.raises(fs.DefinitionError) as caught:
        load_definitions(tmp_path)
    assert sentence in str(caught.value)


def test_a_view_that_is_read_must_be_defined(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(DEFINITIONS)
    classes = load_definitions(tmp_path)
    with pytest.raises(fs.DefinitionError, match="chill reads the view plane, which is not among the definitions"):
        compile_definitions([c for c in classes if c.__name__ != "Plane"])


def test_an_on_demand_view_becomes_a_record(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(DEFINITIONS)
    compiled = compile_definitions(load_definitions(tmp_path))
    gate = next(view for view in compiled.on_demand if view.name == "at_the_gate")
    assert [(k.name, k.dtype, k.description) for k in gate.request] == [
        ("scheduled_hour", "int32", ""),
        ("hour_now", "int64", "The hour on the clock."),
    ]
    cold = gate.feature("cold_night")
    assert (cold.code, cold.inputs) == ("is_night & weather.freezing", ("is_night", "weather.freezing"))
    assert timedelta(seconds=compiled.views[0].ttl_seconds or 0) == timedelta(hours=3)
