"""The published JSON Schema, by an independent reader: it takes every registry that we write, and no broken one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from e2e_ml import festaf as fs
from e2e_ml import resources
from e2e_ml.festaf import model, registry
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.registry import RegistryError
from e2e_ml.festaf.registry.planning import plan

DEFINITIONS = """\
from datetime import timedelta
from decimal import Decimal
import polars as pl
from e2e_ml import festaf as fs

def doubled(rows: pl.DataFrame) -> pl.Series:
    return rows["temp"] * 2

class Weather(fs.FeatureView):
    "The weather."
    source = fs.csv("weather.csv", timezone="America/New_York")
    owner = fs.Owner("weather-team", "weather@example.com")
    purpose = "Winter."
    schedule = "@hourly"
    ttl = timedelta(hours=3)
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    written_at = fs.CreatedTime()
    temp = fs.Float64().bounds(-40, 130).named("Air Temp (F)").describe("Air temperature, °F")
    cost = fs.Decimal(12, 2).fill_null(Decimal("1.50"))
    conditions = fs.String().accepted_values(["clear", "rain"]).deprecated("use is_rain")
    freezing = (temp <= 32).renamed_from("cold")
    is_rain, = conditions.one_hot(["rain"])
    mean_6h = temp.mean().over(timedelta(hours=6))
    late = (observed_at - written_at) > timedelta(hours=1)
    scaled = temp.standard_scale()
    twice = fs.python(doubled, fs.Float64, temp)

class Gate(fs.OnDemandView):
    hour_asked = fs.Int32().request().describe("By the clock.")
    cold_night = Weather.freezing & (hour_asked < 6)

class Delay(fs.FeatureService):
    features = [Weather.temp, Gate.cold_night]
    target = Weather.temp > 15
"""
AT = datetime(2026, 1, 1, tzinfo=UTC)
VALIDATOR = jsonschema.Draft202012Validator(registry.json_schema())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A registry with something of everything in it, as it stands in its file."""
    folder = tmp_path_factory.mktemp("flights")
    (folder / "features.py").write_text(DEFINITIONS)
    applied = registry.apply(folder, plan(registry.read(folder), load_definitions(folder), AT), by="ann")
    learned = model.Learned(parameters={"mean": 1.5, "std": 0.5}, rows=3, at=AT)
    change = model.Change(action="learn", kind="feature", name="weather.scaled")
    registry.learned(folder, applied, {"weather.scaled": learned}, [change], AT, by="ann")
    return json.loads((folder / "registry.json").read_text())


def test_the_schema_is_one_and_the_published_one() -> None:
    jsonschema.Draft202012Validator.check_schema(registry.json_schema())
    published = json.loads(resources.text("registry.schema.json"))
    assert published == registry.json_schema(), "e2e-ml festaf schema > resources/registry.schema.json"


def test_what_we_write_fits(written: dict[str, Any]) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(written)] == []


def test_what_a_server_sends_fits(written: dict[str, Any]) -> None:
    whole = registry.parse(json.dumps(written)).model_copy(
        update={"inline": (model.Applied(version=1, at=AT, by="ann", changes=()),)}
    )
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(whole.model_dump_json()))] == []


def test_the_schema_says_how_to_compute() -> None:
    schema = registry.json_schema()
    told = schema["$defs"]["Expression"]["description"]
    for text in ('Null is "not known".', "(t - seconds, t]", "Division by zero is null", "standard_scale"):
        assert text in told
    assert "view__feature" in schema["description"]


# --- what is broken ----------------------------------------------------------------------------------------------

FREE = {"value", "fill_null", "default"}  # of any JSON type


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _places(value, (*path, key))
    if isinstance(data, list):
        for index, value in enumerate(data):
            yield from _places(value, (*path, index))


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(data)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


def _mutants(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each part of another type, each object with a key that does not exist, each record without a key it needs."""
    for path, value in _places(data):
        if not path or FREE.intersection(path) or "source_columns" in path or "parameters" in path:
            continue
        where = "/".join(map(str, path))
        yield f"{where} is of another type", _with(data, path, 7 if isinstance(value, str) else "nonsense")
        if isinstance(value, dict):
            yield f"{where} has a key too many", _with(data, path, {**value, "colour": "red"})
            for key in ("name", "op", "args", "dtype", "rule", "first_seen", "features", "source", "format"):
                if key in value:
                    yield f"{where} lacks {key}", _with(data, path, {k: v for k, v in value.items() if k != key})
        if path[-1] == "args":
            yield f"{where} has no operand", _with(data, path, [])
        if path[-1] == "op":
            yield f"{where} does not exist", _with(data, path, "eval")
        if path[-1] == "dtype":
            yield f"{where} is no type", _with(data, path, "float128")
    for key in ("project", "schema_version"):
        yield f"{key} is not there", {k: v for k, v in data.items() if k != key}


def test_what_is_broken_does_not_fit(written: dict[str, Any]) -> None:
    mutants = dict(_mutants(written))
    assert len(mutants) > 400
    assert [name for name, mutant in mutants.items() if VALIDATOR.is_valid(mutant)] == []


def test_what_does_not_fit_is_not_read_by_us_either(written: dict[str, Any]) -> None:
    read: list[str] = []
    for name, mutant in _mutants(written):
        if name.endswith(("_seen is of another type", "at is of another type")):
            continue  # a number is a time too, for us: seconds since 1970
        try:
            registry.parse(json.dumps(mutant))
        except RegistryError:
            continue
        read.append(name)
    # Without its form said, it is taken for the newest.
    assert read == ["schema_version is not there"]


def test_an_untyped_definition_is_refused_by_the_class_too(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(DEFINITIONS.replace("fs.Decimal(12, 2)", "fs.Decimal(40, 2)"))
    with pytest.raises(fs.DefinitionError, match="1 to 38 digits"):
        load_definitions(tmp_path)
