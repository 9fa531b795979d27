"""The examples in docstrings run: what a person reads in an editor is so."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from e2e_ml import festaf as fs


class HourlyWeather(fs.FeatureView):
    source = fs.csv("weather.csv")
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64()
    is_freezing = temp <= 32


def _examples() -> list[doctest.DocTest]:
    """Of every module that a user of festaf imports from."""
    names = [
        f"{fs.__name__}.{name}" for name in ("store", "naming", "dtypes", "contract", "scoring", "rows.training_set")
    ]
    package = importlib.import_module(f"{fs.__name__}.definition")
    names += [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in names for test in finder.find(importlib.import_module(name))]
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("test", _examples(), ids=lambda test: test.name.removeprefix("e2e_ml.festaf."))
def test_the_example_runs(test: doctest.DocTest, tmp_path: Path) -> None:
    given: dict[str, Any] = {"fs": fs, "pl": pl, "timedelta": timedelta, "datetime": datetime, "UTC": UTC}
    test.globs = {**test.globs, **given, "HourlyWeather": HourlyWeather, "folder": tmp_path}
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "\n" + "".join(said)


def test_the_front_doors_have_an_example() -> None:
    found = {test.name.rpartition(".")[2] for test in _examples()}
    assert found >= {"FeatureStore", "FeatureView", "OnDemandView", "FeatureService", "Column", "over", "when", "split"}


def test_no_example_is_left_out() -> None:
    package = Path(fs.__file__).parent
    holding = {str(p.relative_to(package)) for p in package.rglob("*.py") if ">>> " in p.read_text()}
    assert holding == {str(Path(test.filename or "").relative_to(package)) for test in _examples()}
