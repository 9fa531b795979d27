"""Scaling: learned on a training set, kept in the registry, applied wherever it is read, and dropped in time."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from e2e_ml import festaf as fs
from e2e_ml.festaf import registry
from e2e_ml.festaf.commands import festaf
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.registry import RegistryChangedError
from e2e_ml.festaf.registry.planning import Plan
from tests.unit.festaf.worlds import TIME, hour, weather_rows

DEFINITIONS = """\
from e2e_ml import festaf as fs

class Weather(fs.FeatureView):
    source = fs.parquet("weather.parquet")
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64()
    wind = fs.Float64()
    warmth = temp - 20
    temp_scaled = temp.standard_scale()
    warmth_scaled = warmth.min_max_scale()

class Gate(fs.OnDemandView):
    extra = fs.Int64().request()
    load = extra + Weather.wind
    load_scaled = load.standard_scale()

class Delay(fs.FeatureService):
    features = [Weather.temp_scaled, Weather.warmth_scaled, Gate.load_scaled, Weather.wind]
"""
# temp is 20, 22 and 24, warmth 0, 2 and 4, load 10, 13 and 16; the last has no weather and teaches nothing.
TRAINING = pl.DataFrame(
    {
        "origin": ["JFK", "JFK", "JFK", "EWR"],
        "event_timestamp": [hour(0), hour(2), hour(4), hour(4)],
        "extra": [10, 11, 12, 1000],
    },
    schema={"origin": pl.String, "event_timestamp": TIME, "extra": pl.Int64},
)
STD = (8 / 3) ** 0.5
LOAD_STD = 6**0.5


@pytest.fixture
def store(tmp_path: Path) -> fs.FeatureStore:
    weather_rows().write_parquet(tmp_path / "weather.parquet")
    (tmp_path / "features.py").write_text(DEFINITIONS)
    store = fs.FeatureStore.open(tmp_path)
    store.apply(store.plan(load_definitions(tmp_path)))
    store.load("weather", hour(0), hour(48))
    return store


def edited(store: fs.FeatureStore, *edits: tuple[str, str]) -> Plan:
    text = DEFINITIONS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (store.path / "features.py").write_text(text)
    return store.plan(load_definitions(store.path))


def test_reading_before_learning_says_what_to_do(store: fs.FeatureStore) -> None:
    for ask in (lambda: store.historical("delay", TRAINING), lambda: store.online("delay", [{"origin": "JFK"}])):
        with pytest.raises(fs.FeatureStoreError, match=r"weather.temp_scaled is scaled by numbers that were not"):
            ask()
    assert store.offline("weather").collect_schema().names() == ["origin", "observed_at", "temp", "wind", "warmth"]


def test_what_is_learned_is_applied_in_history_and_online(store: fs.FeatureStore) -> None:
    learned = store.learn("delay", TRAINING, by="ann")
    assert {name: (each.parameters, each.rows) for name, each in learned.items()} == {
        "weather.temp_scaled": ({"mean": 22.0, "std": pytest.approx(STD)}, 3),
        "weather.warmth_scaled": ({"min": 0.0, "max": 4.0}, 3),
        "gate.load_scaled": ({"mean": pytest.approx(13.0), "std": pytest.approx(LOAD_STD)}, 3),
    }
    found = store.historical("delay", TRAINING).to_polars()
    assert found["weather__temp_scaled"].to_list() == [pytest.approx(-2 / STD), 0.0, pytest.approx(2 / STD), None]
    assert found["weather__warmth_scaled"].to_list() == [0.0, 0.5, 1.0, None]
    assert found["gate__load_scaled"].to_list() == [
        pytest.approx(-3 / LOAD_STD),
        0.0,
        pytest.approx(3 / LOAD_STD),
        None,
    ]
    now = store.online("delay", [{"origin": "JFK", "extra": 3}, {"origin": "EWR", "extra": 3}])
    assert now.rows[0]["weather__temp_scaled"] == pytest.approx((67 - 22) / STD)
    assert now.rows[0]["gate__load_scaled"] == pytest.approx((50 - 13) / LOAD_STD)
    assert set(now.rows[0]) == {"origin", "extra", *now.columns}
    assert now.missing[1] == dict.fromkeys(now.columns, "absent")


def test_learning_is_a_version_with_its_history(store: fs.FeatureStore) -> None:
    store.learn("weather.temp_scaled", TRAINING, by="ann")
    assert store.registry.version == 2
    (_, entry) = store.history("weather.temp_scaled")
    assert (entry.version, entry.by, entry.action) == (2, "ann", "learn")
    assert entry.details == ("learned mean=22, std=1.63299 on 3 rows",)
    assert entry.before is not None
    assert entry.after is not None
    assert "learned" not in entry.before
    assert entry.after["learned"]["parameters"]["mean"] == 22.0
    assert store.registry.history[-1].changes[0].impact == ("delay",)
    store.learn("weather.temp_scaled", TRAINING)
    assert store.registry.version == 2  # it knows no more than before
    store.learn("weather.temp_scaled", TRAINING.head(2))
    assert store.registry.version == 3


def test_what_was_learned_stays_until_what_is_scaled_changes(store: fs.FeatureStore) -> None:
    store.learn("delay", TRAINING)
    kept = edited(store, ("wind = fs.Float64()", 'wind = fs.Float64().describe("Wind.")'))
    store.apply(kept)
    assert store.registry.views[0].feature("temp_scaled").learned is not None
    dropped = edited(store, ("warmth = temp - 20", "warmth = temp - 10"))
    assert {c.name: c.details for c in dropped.changes if "scaled" in c.name} == {
        "weather.warmth_scaled": ("learned parameters: dropped, for what is scaled has changed; learn them again",)
    }
    store.apply(dropped)
    assert store.registry.views[0].feature("warmth_scaled").learned is None
    assert store.registry.views[0].feature("temp_scaled").learned is not None
    other = edited(store, ("temp.standard_scale()", "temp.min_max_scale()"))
    assert any("learned parameters: dropped" in line for c in other.changes for line in c.details)


def test_what_an_on_demand_view_has_learned_goes_with_another_view(store: fs.FeatureStore) -> None:
    store.learn("delay", TRAINING)
    dropped = edited(store, ("wind = fs.Float64()", "wind = fs.Float64().fill_null(0)"))
    assert "gate.load_scaled" in {c.name for c in dropped.changes if any("dropped" in line for line in c.details)}


def test_nothing_to_learn_is_said(store: fs.FeatureStore) -> None:
    with pytest.raises(fs.FeatureStoreError, match="Nothing that is asked for is scaled"):
        store.learn("weather.wind", TRAINING)
    with pytest.raises(fs.FeatureStoreError, match=r"weather.temp_scaled has no value in these 1 rows"):
        store.learn("weather.temp_scaled", TRAINING.tail(1))
    assert store.registry.version == 1


def test_an_apply_meanwhile_is_told(store: fs.FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = store.registry
    store.apply(edited(store, ("temp - 20", "temp - 10")), by="bob")
    monkeypatch.setattr(fs.FeatureStore, "registry", property(lambda _: stale))
    with pytest.raises(RegistryChangedError, match=r"while it was learned from version 1: .*bob applied version 2"):
        store.learn("delay", TRAINING)
    assert registry.read(store.path).version == 2


def test_learning_on_the_command_line(store: fs.FeatureStore) -> None:
    file = store.path / "training.parquet"
    TRAINING.write_parquet(file)
    arguments = ["learn", "delay", "--entities", str(file), "--project", str(store.path)]
    answer = CliRunner().invoke(festaf, arguments, prog_name="e2e-ml festaf")
    assert answer.exit_code == 0, answer.output
    assert "weather.temp_scaled    mean=22, std=1.63299 on 3 rows" in answer.output
    shown = CliRunner().invoke(festaf, ["show", "weather.temp_scaled", "--project", str(store.path)])
    assert "mean=22, std=1.63299 on 3 rows" in shown.output
