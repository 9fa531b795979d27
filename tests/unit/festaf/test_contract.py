"""What a model has agreed on with the store, and which changes of the definitions break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.model import Registry
from e2e_ml.festaf.registry.planning import plan

DEFINITIONS = '''
from datetime import timedelta

from e2e_ml import festaf as fs


class Weather(fs.FeatureView):
    """Weather."""

    source = fs.parquet("weather.parquet")
    ttl = timedelta(hours=3)

    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()

    temp = fs.Float64().describe("Air.")
    wind = fs.Float64().lower_bound(0)
    celsius = (temp - 32) / 1.8
    freezing = celsius <= 0
    wind_mean = wind.mean().over(timedelta(hours=2))


class Soon(fs.FeatureService):
    features = (Weather.freezing, Weather.wind, Weather.wind_mean)
'''
COLUMNS = {f"weather.{name}": f"weather__{name}" for name in ("freezing", "wind", "wind_mean")}


def applied(folder: Path, text: str, name: str = "flights") -> Registry:
    (folder / "features.py").write_text(text)
    planned = plan(registries.read(folder, name=name), load_definitions(folder))
    return registries.apply(folder, planned, by="ana", commit="1a2b3c4d5e6f")


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return Contract.of(applied(tmp_path, DEFINITIONS), COLUMNS, service="soon", at="event_timestamp")


HARMLESS = {
    "a description": ('"Air."', '"The air."'),
    "a bound": ("lower_bound(0)", "bounds(0, 150)"),
    "a time to live": ("hours=3", "hours=6"),
    "where the rows are kept": ("weather.parquet", "moved/weather.parquet"),
    "another feature": ("    freezing =", "    hot = temp > 90\n    freezing ="),
    "a feature that the model does not read, removed": ("(Weather.freezing, Weather.wind, ", "(Weather.wind, "),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_no_value_is_no_misfit(contract: Contract, tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in DEFINITIONS
    registry = applied(tmp_path, DEFINITIONS.replace(*change))
    assert registry.version == 2
    assert contract.misfits(registry) == []
    assert contract.current_names(registry) == COLUMNS


HARMFUL = {
    "removed": (
        ("    wind_mean = wind.mean().over(timedelta(hours=2))\n", "", ", Weather.wind_mean", ""),
        "weather.wind_mean was removed in version 2 (ana, ",
    ),
    "retyped": (("wind = fs.Float64()", "wind = fs.Int32()"), "weather.wind is int32 now, and was float64"),
    "redefined": (("celsius <= 0", "celsius <= 4"), "weather.freezing was redefined in version 2 (ana, "),
    "redefined below": (("/ 1.8", "/ 2"), "weather.freezing was redefined"),
    "another window": (("hours=2", "hours=4"), "weather.wind_mean was redefined in version 2"),
    "its nulls filled": (("wind = fs.Float64()", "wind = fs.Float64().fill_null(0)"), "weather.wind was redefined"),
    "another key": (("fs.Entity(fs.String())", "fs.Entity(fs.Int64())"), "weather.freezing was redefined"),
    "the service gone": (("class Soon", "class Later"), "the feature service soon was removed in version 2"),
}


@pytest.mark.parametrize(("change", "sentence"), HARMFUL.values(), ids=HARMFUL)
def test_what_changes_values_is_named(
    contract: Contract, tmp_path: Path, change: tuple[str, ...], sentence: str
) -> None:
    text = DEFINITIONS
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    (reason, *more) = contract.misfits(applied(tmp_path, text))
    assert reason.startswith(sentence)
    assert all("redefined" in other for other in more)


def test_a_renamed_feature_and_view_keep_their_model(contract: Contract, tmp_path: Path) -> None:
    renamed = DEFINITIONS.replace("freezing", "icy").replace(
        "icy = celsius <= 0", 'icy = (celsius <= 0).renamed_from("freezing")'
    )
    registry = applied(tmp_path, renamed)
    assert contract.misfits(registry) == []
    assert list(contract.current_names(registry)) == ["weather.icy", "weather.wind", "weather.wind_mean"]
    assert list(contract.current_names(registry).values()) == list(COLUMNS.values())


def test_another_project_is_another_store(contract: Contract, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (reason,) = contract.misfits(applied(tmp_path / "other", DEFINITIONS, name="trains"))
    assert reason == "its features are of the project flights, and this is trains"


def test_a_model_that_was_fitted_on_some_columns_agrees_on_those(contract: Contract) -> None:
    some = contract.narrowed(["weather__wind_mean", "weather__wind"])
    assert [feature.name for feature in some.features] == ["weather.wind_mean", "weather.wind"]
    with pytest.raises(KeyError):
        contract.narrowed(["weather__temp"])


def test_it_comes_back_from_json(contract: Contract) -> None:
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
