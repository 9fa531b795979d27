"""The engines of one process hold to one meaning. Spark, which needs a machine of its own, is in tests/integration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import engines
from tests.unit.festaf import engine_conformance as conformance

LOCAL = [name for name in engines.NAMES if name != "spark"]
few = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", LOCAL)
@few
@given(conformance.window_rows, st.booleans())
def test_windows(name: str, data: list[Any], created: bool) -> None:
    conformance.check_windows(engines.engine(name), data, created=created)


@pytest.mark.parametrize("name", LOCAL)
@few
@given(conformance.window_rows)
def test_windows_without_times(name: str, data: list[Any]) -> None:
    conformance.check_windows(engines.engine(name), data, timeless=True)


@pytest.mark.parametrize("name", LOCAL)
@few
@given(conformance.asked_rows, conformance.stored_rows, st.booleans())
def test_history(
    tmp_path_factory: pytest.TempPathFactory, name: str, asked: list[Any], stored: list[Any], as_known: bool
) -> None:
    folder = tmp_path_factory.mktemp("offline")
    conformance.check_history(engines.engine(name), folder, asked, stored, as_known=as_known)


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(FeatureStoreError, match="polars, pandas, duckdb, dask, spark"):
        engines.engine("excel")


def test_an_engine_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines._MODULES, "spark", "e2e_ml.festaf.rows.engines.on_spork")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(FeatureStoreError, match=r"pyspark.*e2e-ml\[engines\]"):
        engines.engine("spark")
