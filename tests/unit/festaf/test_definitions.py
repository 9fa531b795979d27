"""Views and services as classes: what they become, and what is said of those that have no meaning."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml import festaf as fs
from e2e_ml.festaf import model
from e2e_ml.festaf.definition.columns import operations_of
from e2e_ml.festaf.definition.compiling import compile_definitions
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.expression.steps import RowStep, SourceColumn, WindowStep, source_columns, steps
from e2e_ml.festaf.naming import dag_id, project_name, snake_case


class HourlyWeather(fs.FeatureView):
    """Weather at each New York airport,
    hour by hour."""

    source = fs.csv("data/weather.csv", timezone="America/New_York")
    owner = fs.Owner("weather-team", "weather@example.com")
    purpose = "Wind and visibility at the origin explain most winter delays."
    schedule = "@hourly"
    start = datetime(2013, 1, 1, tzinfo=UTC)
    ttl = timedelta(hours=3)
    tags = ("weather",)

    origin = fs.Entity(fs.String()).describe("The airport.")
    observed_at = fs.EventTime().describe("When.")
    written_at = fs.CreatedTime()

    temp = fs.Float64().bounds(-40, 130).describe("Air temperature, °F").tags("a", "b")
    wind_speed = fs.Float64().lower_bound(0).required()
    visib = fs.Float64().fill_null(10)
    since = fs.Date().fill_null(datetime(2013, 1, 1, tzinfo=UTC).date())
    conditions = fs.String().accepted_values(["clear", "rain", "snow"])

    is_freezing = temp <= 32
    gusty = (wind_speed > 25) & (visib < 3)
    wind_mean_6h = wind_speed.mean().over(timedelta(hours=6))
    is_rain, is_snow = conditions.one_hot(["rain", "snow"])
    anomaly = (temp - (temp * 1.8).mean().over(timedelta(days=1))).describe("Above the day's mean.")
    filled = temp.fill_null(0).lower_bound(-1)
    rained = (is_rain.sum().over(timedelta(days=1)) > 0).fill_null(value=False)


class Plane(fs.FeatureView):
    source = fs.parquet("data/planes.parquet")
    produced_by = fs.Task("fleet", "load")
    tailnum = fs.Entity(fs.String())
    year = fs.Int32()
    age = 2013 - year


class FlightDelay(fs.FeatureService):
    """Late or not."""

    features = (HourlyWeather.temp, HourlyWeather.gusty, Plane.age)
    target = HourlyWeather.wind_speed > 15


RECORD = HourlyWeather.__record__


def test_a_view_becomes_a_record() -> None:
    assert RECORD.name == "hourly_weather"
    assert RECORD.description == "Weather at each New York airport,\nhour by hour."
    assert RECORD.source == model.Source(
        name="weather", format="csv", uri="data/weather.csv", timezone="America/New_York"
    )
    assert RECORD.entities == (model.Key(name="origin", dtype="string", description="The airport."),)
    assert (RECORD.event_time, RECORD.created_time) == ("observed_at", "written_at")
    assert RECORD.event_time_description == "When."
    assert (RECORD.ttl_seconds, RECORD.schedule, RECORD.tags) == (10800, "@hourly", ("weather",))
    assert [f.name for f in RECORD.features] == [
        "temp", "wind_speed", "visib", "since", "conditions", "is_freezing", "gusty", "wind_mean_6h", "is_rain",
        "is_snow", "anomaly", "filled", "rained",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dtype", "code", "inputs"),
    [
        ("temp", "float64", None, ()),
        ("is_freezing", "bool", "temp <= 32", ("temp",)),
        ("gusty", "bool", "(wind_speed > 25) & (visib < 3)", ("wind_speed", "visib")),
        ("wind_mean_6h", "float64", "wind_speed.mean().over(timedelta(hours=6))", ("wind_speed",)),
        ("is_snow", "bool", 'conditions == "snow"', ("conditions",)),
        ("anomaly", "float64", "temp - (temp * 1.8).mean().over(timedelta(days=1))", ("temp",)),
        ("filled", "float64", "temp.fill_null(0.0)", ("temp",)),
        (
            "rained",
            "bool",
            "(is_rain.cast(fs.Int64).sum().over(timedelta(days=1)) > 0).fill_null(False)",
            ("is_rain",),
        ),
    ],
)
def test_a_feature_says_how(name: str, dtype: str, code: str | None, inputs: tuple[str, ...]) -> None:
    feature = RECORD.feature(name)
    assert (feature.dtype, feature.code, feature.inputs) == (dtype, code, inputs)


def test_what_is_said_of_a_column() -> None:
    temp = RECORD.feature("temp")
    assert temp.description == "Air temperature, °F"
    assert temp.tags == ("a", "b")
    assert temp.constraints == (
        model.Constraint(rule="lower_bound", value=-40.0),
        model.Constraint(rule="upper_bound", value=130.0),
    )
    assert [c.rule for c in RECORD.feature("wind_speed").constraints] == ["lower_bound", "required"]
    assert RECORD.feature("conditions").constraints[0].value == ["clear", "rain", "snow"]
    assert RECORD.feature("visib").fill_null == 10.0
    assert RECORD.feature("since").fill_null == "2013-01-01"
    # What is said of `filled` is its own: the bounds of temp are temp's.
    assert RECORD.feature("filled").constraints == (model.Constraint(rule="lower_bound", value=-1.0),)


def test_a_target_is_a_hidden_feature_of_its_view() -> None:
    compiled = compile_definitions([FlightDelay, HourlyWeather, Plane])
    (service,) = compiled.services
    assert service.features == ("hourly_weather.temp", "hourly_weather.gusty", "plane.age")
    assert service.target == model.Target(view="hourly_weather", feature="flight_delay__target", code="wind_speed > 15")
    hidden = next(v for v in compiled.views if v.name == "hourly_weather").feature("flight_delay__target")
    assert (hidden.hidden, hidden.dtype, hidden.code) == (True, "bool", "wind_speed > 15")
    assert not HourlyWeather.__record__.has("flight_delay__target")


def test_a_named_feature_as_target_is_that_feature() -> None:
    class Freezing(fs.FeatureService):
        features = (HourlyWeather.temp,)
        target = HourlyWeather.is_freezing

    assert Freezing.__record__.target == model.Target(
        view="hourly_weather", feature="is_freezing", code="HourlyWeather.is_freezing"
    )
    assert Freezing.__target__ is None


def test_the_steps_of_a_view_are_in_order_with_windows_of_their_own() -> None:
    assert [c.name for c in source_columns(RECORD)][:4] == ["origin", "observed_at", "written_at", "temp"]
    assert SourceColumn("visib", "float64", 10.0) in source_columns(RECORD)
    planned = steps(RECORD)
    known = {column.name for column in source_columns(RECORD)}
    for step in planned:
        if isinstance(step, WindowStep):
            assert step.input in known
        known.add(step.name)
    final = {step.name: step for step in planned if not step.temporary}
    assert set(final) == {f.name for f in RECORD.features if f.expression}
    assert isinstance(final["wind_mean_6h"], WindowStep)
    assert isinstance(final["anomaly"], RowStep)
    windows = [step for step in planned if isinstance(step, WindowStep)]
    assert [(w.window.aggregate, w.window.width, w.dtype) for w in windows] == [
        ("mean", timedelta(hours=6), "float64"),
        ("mean", timedelta(days=1), "float64"),
        ("sum", timedelta(days=1), "int64"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HourlyWeather", "hourly_weather"),
        ("HTTPLog2", "http_log2"),
        ("Plane", "plane"),
        ("JFKArrivals", "jfk_arrivals"),
    ],
)
def test_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_dags_and_projects_are_named() -> None:
    assert dag_id("flights", RECORD) == "festaf.flights.hourly_weather"
    assert dag_id("flights", Plane.__record__) == "fleet"
    assert project_name("My flights!") == "My-flights"


def test_completion_offers_what_the_type_has() -> None:
    assert "lower_bound" not in operations_of(fs.String)
    assert {"contains", "one_hot", "describe"} <= set(operations_of(fs.String))
    assert {"lower_bound", "mean", "describe"} <= set(operations_of(fs.Float64))
    assert "accepted_values" not in operations_of(fs.Float64)


# --- errors ------------------------------------------------------------------------------------------------------

HEAD = """\
from datetime import datetime, timedelta
from e2e_ml import festaf as fs

class Passengers(fs.FeatureView):
    source = fs.csv("passengers.csv")
    name = fs.Entity(fs.String())
    seen_at = fs.EventTime()
    sex = fs.String()
    age = fs.Float64()
    cabin = fs.Int32()
    aboard = fs.Bool()
"""

FIELD_ERRORS: list[tuple[str, str, str]] = [
    # statement in the body of Passengers, the field it is about, what is said
    ("x = fs.String().lower_bound(0)", "x", "a String has no lower_bound. It has: accepted_values, cast, coalesce"),
    ("x = sex.mean()", "x", "a String has no mean"),
    ("x = fs.Bool().upper_bound(1)", "x", "a Bool has no upper_bound"),
    ("x = sex + 1", "x", "string + int64 has no meaning"),
    ("x = 1 + sex", "x", "int64 + string has no meaning"),
    ("x = aboard > aboard", "x", "Bool > Bool has no meaning"),
    ("x = -sex", "x", "- of a String has no meaning"),
    ("x = ~age", "x", "~ of a Float64 has no meaning"),
    ("x = age & aboard", "x", "Float64 & Bool has no meaning"),
    ('x = age > "old"', "x", "float64 > string has no meaning"),
    ("x = sex == 1", "x", "string == int64 has no meaning"),
    ("x = age == None", "x", "ask with is_null"),
    ("x = age > float('nan')", "x", "nan is no constant"),
    ("x = 0 < age < 10", "x", "no chains"),
    ("x = aboard and aboard", "x", "write & for and"),
    ("x = fs.Float64().bounds(10, 0)", "x", "the wrong way round: 10 is above 0"),
    ('x = fs.Float64().lower_bound("0")', "x", "lower_bound of a Float64 takes no '0'"),
    ("x = fs.Int32().upper_bound(2**31)", "x", "does not fit into an Int32"),
    ("x = fs.Int32().fill_null(0.5)", "x", "fill_null of a Int32 takes no 0.5"),
    ("x = fs.String().accepted_values([])", "x", "at least one value"),
    ('x = fs.String().accepted_values("abc")', "x", "takes a list"),
    ('x, y = sex.one_hot(["m", "m"])', "x, y", "names a value twice"),
    ('x = sex.one_hot(["m", "f"])', "x", "several columns: give each a name"),
    ("x = age.mean()", "x", "needs its window"),
    ("x = age.mean() > 1", "", "mean() needs its window"),
    ("x = age.mean().over(6)", "x", "a positive timedelta"),
    ("x = age.mean().over(timedelta(0))", "x", "a positive timedelta"),
    ("x = seen_at > datetime(1912, 4, 15)", "x", "has no time zone"),
    ('x = seen_at.hour("Titanic")', "x", "no time zone 'Titanic'"),
    ("x = sex.cast(fs.Timestamp)", "x", "string cannot be cast to timestamp"),
    ("x = age.cast(fs.String)", "x", "cannot be cast to string"),
    ("x = fs.Entity(fs.Float64())", "x", "compared exactly"),
    ("x = fs.Entity(cabin)", "x", "is not computed"),
    ("x = fs.Entity(fs.String().required())", "x", "always required"),
    ("x = fs.EventTime()", "x", "2 event times, seen_at and x"),
    ("x = fs.Float64() > 3", "x", "a Float64() that has no name"),
    ("x = age.bounds(0, 1) > 3", "x", "described or constrained, but has no name"),
    ("x = age", "x", "the same column as Passengers.age"),
    ("x__y = fs.Float64()", "x__y", "a double underscore"),
    ("tags = fs.String()", "tags", "rename the column"),
    ("scedule = '@daily'", "scedule", "Did you mean schedule?"),
    ("schedule = 'hourly'", "schedule", "'hourly' is no schedule"),
    ("schedule = timedelta(1)", "schedule", "takes a str"),
    ("schedule, produced_by = '@daily', fs.Task('a', 'b')", "schedule", "either festaf makes its DAG"),
    ("ttl = timedelta(0)", "ttl", "never counts"),
    ("owner = 'me'", "owner", "takes a Owner"),
    ("start = datetime(2013, 1, 1)", "start", "has no time zone"),
    ("tags = [1]", "tags", "tags are words"),
    ('source = fs.csv("a.csv", timezone="Nowhere")', "source", "no time zone 'Nowhere'"),
    ('source = fs.csv("")', "source", "needs a path"),
    ('source = "a.csv"', "source", "takes a Source"),
    ("x = fs.Float64(\n    ).bounds(\n    1,\n    0)", "x", "the wrong way round"),
]


@pytest.mark.parametrize(("statement", "field", "sentence"), FIELD_ERRORS, ids=[row[0] for row in FIELD_ERRORS])
def test_an_error_names_file_line_class_and_field(statement: str, field: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "features.py"
    file.write_text(HEAD + textwrap.indent(statement, "    ") + "\n")
    with pytest.raises(fs.DefinitionError) as caught:
        load_definitions(tmp_path)
    message = str(caught.value)
    assert sentence in message
    assert message.startswith(f"{file}:")
    if field:
        assert f": Passengers.{field}: " in message
        assert caught.value.field == field


def test_the_line_is_the_statements(tmp_path: Path) -> None:
    file = tmp_path / "features.py"
    file.write_text(HEAD + "    older = fs.Float64()\n    x = fs.String().lower_bound(0)\n    y = fs.Float64()\n")
    with pytest.raises(fs.DefinitionError) as caught:
        load_definitions(tmp_path)
    assert str(caught.value).startswith(
        f"{file}:{len(HEAD.splitlines()) + 2}: Passengers.x: a String has no lower_bound."
    )


VIEW = (
    "class Station(fs.FeatureView):\n    source = fs.csv('s.csv')\n    station = fs.Entity(fs.String())\n"
    "    temp = fs.Float64()"
)
MODULE_ERRORS: list[tuple[str, str]] = [
    ("class V(fs.FeatureView):\n    source = fs.csv('a')\n    x = fs.Int32()", "V: it has no key"),
    ("class V(fs.FeatureView):\n    k = fs.Entity(fs.Int32())\n    x = fs.Int32()", "V: it has no source"),
    ("class V(fs.FeatureView):\n    source = fs.csv('a')\n    k = fs.Entity(fs.Int32())", "V: it has no features"),
    (
        "class V(fs.FeatureView):\n    source = fs.csv('a')\n    k = fs.Entity(fs.Int32())\n    x = fs.Int32()\n"
        "    m = x.mean().over(timedelta(1))",
        "V.m: a window needs times",
    ),
    (
        "class V(fs.FeatureView):\n    source = fs.csv('a')\n    k = fs.Entity(fs.Int32())\n    x = fs.Int32()\n"
        "    ttl = timedelta(1)",
        "V.ttl: a time to live needs times",
    ),
    (
        "class V(fs.FeatureView):\n    source = fs.csv('a')\n    k = fs.Entity(fs.Int32())\n    x = Passengers.age > 3",
        "V.x: it reads Passengers.age, a column of another view",
    ),
    ("class V(Passengers):\n    x = fs.Int32()", "V: it extends Passengers. Extend fs.FeatureView itself."),
    ("class S(fs.FeatureService):\n    pass", "S.features: it has no features"),
    ("class S(fs.FeatureService):\n    features = ['passengers.age']", "'passengers.age' is no feature"),
    ("class S(fs.FeatureService):\n    features = [Passengers.age > 3]", "an expression without a name"),
    ("class S(fs.FeatureService):\n    features = [Passengers.name]", "Passengers.name is a key or a time"),
    ("class S(fs.FeatureService):\n    features = [Passengers.age, Passengers.age]", "names passengers.age twice"),
    (
        "class S(fs.FeatureService):\n    features = Passengers.age",
        "S.features: features are a list: [Passengers.age]",
    ),
    (f"{VIEW}\n    warm = fs.Bool", "Station.warm: it is a type, and not yet a column of it: fs.Bool()"),
    ("class S(fs.FeatureService):\n    x = fs.Int32()", "S.x: a service takes features of views"),
    (
        "class S(fs.FeatureService):\n    features = [Passengers.age]\n    target = 3",
        "S.target: it takes a Column, not 3",
    ),
    (
        "class W(fs.FeatureView):\n    source = fs.csv('w')\n    k = fs.Entity(fs.Int32())\n    x = fs.Float64()\n"
        "class S(fs.FeatureService):\n    features = [Passengers.age]\n    target = W.x > Passengers.age",
        "the columns of one view; this one reads W and Passengers",
    ),
    ("import nowhere_to_be_found", "it imports nowhere_to_be_found, which does not work"),
    ("raise SystemExit(0)", "it ends the program"),
    ("later = 1 / 0", "it stopped with ZeroDivisionError"),
    (f"{VIEW}\n    warm = tmp > 3", "there is nothing called tmp here. Did you mean temp?"),
    (f"{VIEW}\n    warm = humidity > 3", "there is nothing called humidity here. Define it above"),
    (
        f"{VIEW}\nclass S(fs.FeatureService):\n    features = [Station.tmp]",
        "S.features: Station has no column tmp. It has: station, temp.",
    ),
    ("class V(fs.FeatureView):\n    source = fs.parquet(3)", "V.source: a source needs a path"),
    (
        f"{VIEW}\nclass W(fs.FeatureView):\n    source = fs.csv('w.csv')\n    k = fs.Entity(fs.String())\n"
        "    warm = Station.temp > 3",
        "W.warm: it reads Station.temp, a column of another view",
    ),
    ("x = (1", "it is not Python"),
]


@pytest.mark.parametrize(("code", "sentence"), MODULE_ERRORS, ids=[row[1] for row in MODULE_ERRORS])
def test_an_error_of_a_whole_class_or_module(code: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "features.py"
    file.write_text(f"{HEAD}\n{code}\n")
    with pytest.raises(fs.DefinitionError) as caught:
        load_definitions(tmp_path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{file}:")


def test_definitions_that_do_not_fit_together() -> None:
    with pytest.raises(fs.DefinitionError, match="reads the view hourly_weather, which is not among"):
        compile_definitions([FlightDelay, Plane])
    other = type("Plane", (fs.FeatureView,), {"source": fs.csv("a"), "k": fs.Entity(fs.Int32()), "x": fs.Int32()})
    with pytest.raises(fs.DefinitionError, match="are both called plane"):
        compile_definitions([Plane, other])
    clash = type("Other", (fs.FeatureView,), {"source": fs.csv("planes"), "k": fs.Entity(fs.Int32()), "x": fs.Int32()})
    with pytest.raises(fs.DefinitionError, match="different sources called planes"):
        compile_definitions([Plane, clash])


# --- loading -----------------------------------------------------------------------------------------------------


def test_a_package_of_definitions_is_loaded_whole(tmp_path: Path) -> None:
    package = tmp_path / "features"
    package.mkdir()
    (package / "__init__.py").write_text("from .people import Passengers\n")
    (package / "people.py").write_text(HEAD)
    (package / "service.py").write_text(
        "from e2e_ml import festaf as fs\nfrom features.people import Passengers\n"
        "class Survival(fs.FeatureService):\n    features = [Passengers.age]\n"
    )
    assert [c.__name__ for c in load_definitions(tmp_path)] == ["Passengers", "Survival"]


def test_an_edit_within_the_second_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "features.py"
    for limit in (30, 32, 34):
        file.write_text(f"{HEAD}    old = age > {limit}\n")
        (view,) = load_definitions(tmp_path)
        assert compile_definitions([view]).views[0].feature("old").code == f"age > {limit}"


def test_a_folder_without_definitions_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(fs.DefinitionError, match=r"Write your feature views into .*features\.py"):
        load_definitions(tmp_path)


@pytest.mark.parametrize("wrong", ["features", fs.Float64, 3])
def test_what_is_no_list_of_definitions_is_told_so(wrong: Any) -> None:
    with pytest.raises(fs.DefinitionError, match=r"Definitions are a module, or a list of view and service classes"):
        compile_definitions(wrong)
