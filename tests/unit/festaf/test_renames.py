"""Renames and deprecations: a name goes on under another, with its rows, its history and those who stand on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from e2e_ml import festaf as fs
from e2e_ml.festaf import registry
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.registry.planning import Plan, plan
from tests.unit.festaf.worlds import TIME, hour, weather_rows

DEFINITIONS = """\
from datetime import timedelta
from e2e_ml import festaf as fs

class Weather(fs.FeatureView):
    source = fs.parquet("weather.parquet")
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64()
    wind = fs.Float64()
    freezing = temp <= 32
    wind_2h = wind.mean().over(timedelta(hours=2))

class Gate(fs.OnDemandView):
    cold_wind = Weather.freezing & (Weather.wind > 10)

class Delay(fs.FeatureService):
    features = [Weather.temp, Weather.freezing, Gate.cold_wind]
    target = Weather.wind_2h

class Windy(fs.FeatureService):
    features = [Weather.wind]
    target = Weather.wind > 20
"""
OF_A_FEATURE = [
    ("    freezing = temp <= 32\n", '    frost = (temp <= 32).renamed_from("freezing")\n'),
    ("Weather.freezing", "Weather.frost"),
]
OF_A_COLUMN = [
    ("    wind = fs.Float64()\n", '    speed = fs.Float64().named("wind").renamed_from("wind")\n'),
    ("wind.mean()", "speed.mean()"),
    ("Weather.wind >", "Weather.speed >"),
    ("[Weather.wind]", "[Weather.speed]"),
]
OF_A_VIEW = [
    ("class Weather(fs.FeatureView):\n", 'class AirportWeather(fs.FeatureView):\n    renamed_from = "weather"\n'),
    ("Weather.", "AirportWeather."),
]
OF_A_SERVICE = [("class Windy(fs.FeatureService):\n", 'class Blowy(fs.FeatureService):\n    renamed_from = "windy"\n')]
OF_THE_ON_DEMAND_VIEW = [
    ("class Gate(fs.OnDemandView):\n", 'class AtTheGate(fs.OnDemandView):\n    renamed_from = "Gate"\n'),
    ("Gate.cold_wind]", "AtTheGate.cold_wind]"),
]
DAY_1, DAY_2, DAY_3 = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
ASKED = pl.DataFrame(
    {"origin": ["JFK", "LGA", "EWR"], "event_timestamp": [hour(10)] * 3},
    schema={"origin": pl.String, "event_timestamp": TIME},
)


def edited(*edits: tuple[str, str]) -> str:
    text = DEFINITIONS
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def planned(folder: Path, definitions: str, at: datetime) -> Plan:
    (folder / "features.py").write_text(definitions)
    return plan(registry.read(folder), load_definitions(folder), at)


@pytest.fixture
def store(tmp_path: Path) -> fs.FeatureStore:
    weather_rows().write_parquet(tmp_path / "weather.parquet")
    registry.apply(tmp_path, planned(tmp_path, DEFINITIONS, DAY_1), by="ann")
    store = fs.FeatureStore.open(tmp_path)
    store.load("weather", hour(0), hour(24))
    return store


def renamed(store: fs.FeatureStore, *edits: tuple[str, str], at: datetime = DAY_2) -> Plan:
    made = planned(store.path, edited(*edits), at)
    registry.apply(store.path, made, by="bob")
    return made


# --- what a plan says --------------------------------------------------------------------------------------------

PLANS = [
    ("a feature", OF_A_FEATURE, [("rename", "feature", "weather.frost", ("from freezing",))]),
    (
        "a column",
        OF_A_COLUMN,
        [
            ("change", "feature view", "weather", ("in the source speed: nothing -> wind",)),
            ("rename", "feature", "weather.speed", ("from wind",)),
        ],
    ),
    ("a view", OF_A_VIEW, [("rename", "feature view", "airport_weather", ("from weather",))]),
    ("a service", OF_A_SERVICE, [("rename", "feature service", "blowy", ("from windy",))]),
    ("an on-demand view", OF_THE_ON_DEMAND_VIEW, [("rename", "on-demand view", "at_the_gate", ("from gate",))]),
    (
        "a feature and its view",
        [*OF_A_FEATURE, *OF_A_VIEW],
        [
            ("rename", "feature view", "airport_weather", ("from weather",)),
            ("rename", "feature", "airport_weather.frost", ("from freezing",)),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "changes"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_a_rename_is_a_rename_and_nothing_else(
    store: fs.FeatureStore, edits: list[tuple[str, str]], changes: list[object]
) -> None:
    before = store.registry
    made = renamed(store, *edits)
    assert [(c.action, c.kind, c.name, c.details) for c in made.changes] == changes
    assert all(c.name in str(made) for c in made.changes)
    after = store.registry
    # Who stands on it follows, and counts as unchanged; so does every feature.
    assert [s.version for s in after.services] == [1, 1]
    assert [f.first_seen for v in after.all_views() for f in v.features] == [
        f.first_seen for v in before.all_views() for f in v.features
    ]
    assert planned(store.path, edited(*edits), DAY_3).is_empty


def test_a_renamed_column_says_where_it_is_read_from(store: fs.FeatureStore) -> None:
    made = renamed(store, *[(old, new.replace('.named("wind")', "")) for old, new in OF_A_COLUMN])
    (change,) = made.changes
    assert change.details == ("from wind", 'read from the source\'s column speed; else say .named("...")')


def test_a_rename_says_who_stands_on_it(store: fs.FeatureStore) -> None:
    (change,) = renamed(store, *OF_A_FEATURE).changes
    assert change.impact == ("gate.cold_wind", "delay")


def test_a_rename_with_a_change_shows_both(store: fs.FeatureStore) -> None:
    (change,) = renamed(store, *OF_A_FEATURE, ("<= 32", "<= 30")).changes
    assert change.details == ("from freezing", "expression: temp <= 32 -> temp <= 30")


REFUSED = [
    (
        [("    wind = fs.Float64()\n", '    wind = fs.Float64()\n    frost = (temp <= 0).renamed_from("freezing")\n')],
        "weather.frost is renamed from freezing, which is still defined",
    ),
    (
        [*OF_A_FEATURE, ("    wind =", '    a = (temp > 1).renamed_from("freezing")\n    wind =')],
        "weather.frost and weather.a are both renamed from freezing",
    ),
    (
        [("origin = fs.Entity(fs.String())", 'origin = fs.Entity(fs.String()).renamed_from("airport")')],
        "an entity is not renamed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "sentence"), REFUSED, ids=[row[1] for row in REFUSED])
def test_a_rename_without_meaning_is_refused(
    store: fs.FeatureStore, edits: list[tuple[str, str]], sentence: str
) -> None:
    with pytest.raises(fs.DefinitionError, match=sentence):
        planned(store.path, edited(*edits), DAY_2)


def test_a_name_that_was_never_applied_is_no_rename(tmp_path: Path) -> None:
    made = planned(tmp_path, edited(*OF_A_FEATURE, *OF_A_VIEW), DAY_1)
    assert {c.action for c in made.changes} == {"add"}


# --- the rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["polars", "pandas", "duckdb"])
def test_rows_are_read_under_the_new_names(store: fs.FeatureStore, engine: str) -> None:
    before = store.historical("delay", ASKED).to_polars()
    wind = store.historical("weather.wind", ASKED).to_polars()["weather__wind"].to_list()
    renamed(store, *OF_A_FEATURE, *OF_A_COLUMN, *OF_A_VIEW)
    after = store.historical("delay", ASKED, engine=engine).to_polars()
    assert after.columns[2:] == [
        "airport_weather__temp", "airport_weather__frost", "gate__cold_wind", "airport_weather__wind_2h",
    ]  # fmt: skip
    assert after.rows() == before.rows()
    again = store.historical("airport_weather.speed", ASKED, engine=engine).to_polars()
    assert again["airport_weather__speed"].to_list() == wind


def test_rows_are_served_under_the_new_names(store: fs.FeatureStore) -> None:
    rows = [{"origin": "JFK"}, {"origin": "EWR"}]
    before = store.online(["weather.freezing", "weather.wind", "gate"], rows)
    renamed(store, *OF_A_FEATURE, *OF_A_COLUMN, *OF_A_VIEW)
    after = store.online(["airport_weather.frost", "airport_weather.speed", "gate"], rows)
    assert [list(row.values()) for row in after.rows] == [list(row.values()) for row in before.rows]


def test_rows_before_and_after_a_rename_are_one_table(store: fs.FeatureStore) -> None:
    renamed(store, *OF_A_FEATURE, *OF_A_COLUMN, *OF_A_VIEW)
    store.load("airport_weather", hour(24), hour(48))
    store.load("airport_weather", hour(0), hour(2))  # a backfill of what was written under the old name
    rows = store.offline("airport_weather").collect()
    assert rows.columns == ["origin", "observed_at", "temp", "speed", "frost", "wind_2h"]
    assert len(rows) == 72
    assert rows["speed"].null_count() == rows["frost"].null_count() == 0
    assert [path.parent.name for path in store.path.rglob("_delta_log")] == ["weather"]
    assert store.online("airport_weather.speed", [{"origin": "JFK"}]).rows[0]["airport_weather__speed"] == 47.0
    assert store.validate("airport_weather") == ()
    assert store.stats("airport_weather").rows == 72


def test_a_second_rename_and_one_back_keep_the_rows(store: fs.FeatureStore) -> None:
    renamed(store, *OF_A_FEATURE)
    again = [("    freezing = temp <= 32\n", '    ice = (temp <= 32).renamed_from("frost")\n'),
             ("Weather.freezing", "Weather.ice")]  # fmt: skip
    renamed(store, *again, at=DAY_3)
    assert store.registry.views[0].feature("ice").stored_as == "freezing"
    assert store.offline("weather").collect()["ice"].sum() > 0
    back = [("    freezing = temp <= 32\n", '    freezing = (temp <= 32).renamed_from("ice")\n')]
    renamed(store, *back)
    assert store.registry.views[0].feature("freezing").stored_as is None
    assert store.offline("weather").collect()["freezing"].sum() > 0


def test_a_new_feature_under_an_old_name_has_a_column_of_its_own(store: fs.FeatureStore) -> None:
    renamed(store, *OF_A_FEATURE)
    renamed(store, *OF_A_FEATURE, ("    temp = fs.Float64()\n", "    temp = fs.Float64()\n    freezing = temp <= 0\n"))
    assert store.registry.views[0].feature("freezing").stored_as == "freezing_2"
    store.load("weather", hour(0), hour(2))
    rows = store.offline("weather").collect()
    assert rows.filter(pl.col("observed_at") < hour(2))["freezing"].to_list() == [False] * 3
    assert rows.filter(pl.col("observed_at") >= hour(2))["freezing"].is_null().all()
    assert rows["frost"].null_count() == 0
    assert planned(store.path, (store.path / "features.py").read_text(), DAY_3).is_empty


def test_a_new_view_under_an_old_name_has_a_table_of_its_own(store: fs.FeatureStore) -> None:
    renamed(store, *OF_A_VIEW)
    other = (
        '\nclass Weather(fs.FeatureView):\n    source = fs.csv("w.csv")\n    k = fs.Entity(fs.String())\n'
        "    x = fs.Int32()\n"
    )
    registry.apply(store.path, planned(store.path, edited(*OF_A_VIEW) + other, DAY_3))
    assert {view.name: view.table for view in store.registry.views} == {
        "airport_weather": "weather",
        "weather": "weather_2",
    }
    assert store.stats("weather").rows == 0
    assert store.stats("airport_weather").rows == 36


# --- history -----------------------------------------------------------------------------------------------------


def test_history_goes_on_under_the_new_name(store: fs.FeatureStore) -> None:
    renamed(store, ("<= 32", "<= 30"))
    renamed(store, *OF_A_FEATURE, *OF_A_VIEW, ("<= 32", "<= 28"), at=DAY_3)
    found = store.history("airport_weather.frost")
    assert [(e.version, e.by, e.action, e.name) for e in found] == [
        (1, "ann", "add", "weather"),
        (2, "bob", "change", "weather.freezing"),
        (3, "bob", "rename", "airport_weather"),
        (3, "bob", "rename", "airport_weather.frost"),
    ]
    told = (found[0], found[1], found[3])
    assert [(e.before and e.before.get("code"), e.after and e.after.get("code")) for e in told] == [
        (None, "temp <= 32"),
        ("temp <= 32", "temp <= 30"),
        ("temp <= 30", "temp <= 28"),
    ]
    assert [e.action for e in store.history("airport_weather")] == ["add", "change", "rename", "rename"]
    assert [e.action for e in store.history("windy")] == ["add"]
    assert store.history("nothing") == ()


# --- deprecations ------------------------------------------------------------------------------------------------


def test_a_plan_warns_of_who_uses_what_is_deprecated(store: fs.FeatureStore) -> None:
    made = renamed(store, ("    wind = fs.Float64()\n", '    wind = fs.Float64().deprecated("use gusts")\n'))
    assert [(c.name, c.details) for c in made.changes] == [("weather.wind", ("deprecated: nothing -> use gusts",))]
    assert made.warnings == (
        "on-demand view gate uses weather.wind, which is deprecated: use gusts",
        "feature service windy uses weather.wind, which is deprecated: use gusts",
    )
    assert "! feature service windy uses weather.wind, which is deprecated: use gusts" in str(made)
    again = planned(store.path, (store.path / "features.py").read_text(), DAY_3)
    assert again.is_empty
    assert again.warnings == made.warnings
