"""The engines of one process hold to one meaning. Spark, which needs a machine of its own, is in tests/integration."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import Expression
from e2e_ml.festaf.rows import engines
from tests.unit.festaf import engine_conformance as conformance
from tests.unit.festaf import expression_trees as trees
from tests.unit.festaf.worlds import hour, project, weather_rows

LOCAL = [name for name in engines.NAMES if name != "spark"]
FAST, SLOW = ["polars", "pandas"], ["duckdb", "dask"]  # by what a few rows take
few = settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
many = settings(few, max_examples=40)


@pytest.mark.parametrize("name", FAST)
@many
@given(conformance.window_rows(), st.booleans())
def test_windows(name: str, data: list[Any], created: bool) -> None:
    conformance.check_windows(engines.engine(name), data, created=created)


@pytest.mark.parametrize("name", SLOW)
@few
@given(conformance.window_rows(20), st.booleans())
def test_windows_over_more_rows(name: str, data: list[Any], created: bool) -> None:
    conformance.check_windows(engines.engine(name), data, created=created)


@pytest.mark.parametrize("name", LOCAL)
def test_windows_over_no_rows(name: str) -> None:
    conformance.check_windows(engines.engine(name), [])


@pytest.mark.parametrize("name", LOCAL)
@few
@given(conformance.window_rows(10))
def test_windows_without_times(name: str, data: list[Any]) -> None:
    conformance.check_windows(engines.engine(name), data, timeless=True)


@pytest.mark.parametrize("name", LOCAL)
@settings(few, max_examples=5)
@given(conformance.asked_rows, conformance.stored_rows, st.booleans())
def test_history(
    tmp_path_factory: pytest.TempPathFactory, name: str, asked: list[Any], stored: list[Any], as_known: bool
) -> None:
    folder = tmp_path_factory.mktemp("offline")
    conformance.check_history(engines.engine(name), folder, asked, stored, as_known=as_known)


@settings(few, max_examples=10)
@given(trees.trees(5, 15), trees.frames(wide=True))
def test_expressions_on_pandas(expressions: list[Expression], frame: pl.DataFrame) -> None:
    conformance.check_expressions(engines.engine("pandas"), expressions, frame, trees.TYPES)


@pytest.mark.parametrize("name", SLOW)
@few
@given(trees.trees(5, 10), trees.frames(wide=True))
def test_expressions(name: str, expressions: list[Expression], frame: pl.DataFrame) -> None:
    conformance.check_expressions(engines.engine(name), expressions, frame, trees.TYPES)


@pytest.mark.parametrize("name", ["pandas", "duckdb"])
def test_lists_and_decimals_of_a_frame_of_its_own(name: str) -> None:
    rows = pl.DataFrame({"l": [[1.0, math.nan], None], "m": [Decimal("1.25"), None], "s": [{"a": 1}, {"a": None}]})
    on = engines.engine(name)
    assert on.to_polars(on.frame(on.frame(rows))).to_dict(as_series=False).keys() == {"l", "m", "s"}
    assert on.to_polars(on.frame(on.frame(rows))).equals(rows, null_equal=True)


@pytest.mark.parametrize("name", [name for name in LOCAL if name != "polars"])
def test_text_and_time_zones(name: str) -> None:
    conformance.check_expressions(engines.engine(name), conformance.WORDS_AND_TIMES)


@pytest.mark.parametrize("name", [name for name in LOCAL if name != "polars"])
def test_whole_numbers_wrap_round(name: str) -> None:
    conformance.check_overflow(engines.engine(name))


@pytest.mark.parametrize("name", LOCAL)
def test_the_store_loads_and_answers_on_any_engine(tmp_path: Path, name: str) -> None:
    wanted, store = project(tmp_path / "polars"), project(tmp_path / f"on_{name}")
    for each, engine in ((wanted, "polars"), (store, name)):
        each.load("weather", hour(0), hour(24), engine=engine)
        each.load("plane", engine=engine)
    assert store.offline("weather").collect().equals(wanted.offline("weather").collect(), null_equal=True)
    asked = weather_rows().select("origin", pl.lit("N1").alias("tailnum"), pl.col("observed_at").alias("at"))
    answer = store.historical("delay", asked, at="at", engine=name)
    assert answer.to_polars().equals(wanted.historical("delay", asked, at="at").to_polars(), null_equal=True)
    assert type(answer.native()).__module__.strip("_").startswith(name)


JOINED = """
import sys
import polars as pl
from e2e_ml.festaf.store import FeatureStore

store = FeatureStore.open(sys.argv[1])
asked = pl.read_parquet("asked.parquet").with_row_index("n").with_columns(pl.col("n").cast(pl.Int64))
sides = [store.historical(names, asked, at="at").lazy() for names in ("delay", ["weather", "plane"])]
joined = sides[0].join(sides[1], on="n").collect(engine="in-memory")  # the streaming engine has other threads
print(len(joined), len(store.historical("delay", asked, at="at").to_polars()))
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_histories_may_be_joined_in_polars_with_few_threads(tmp_path: Path, threads: int) -> None:
    """Polars' own threads find what both hold. Where they waited for one another, it would never end."""
    store = project(tmp_path)
    rows = weather_rows(range(20_000))  # of a few, Polars does not share the work
    rows.write_parquet(tmp_path / "weather.parquet")
    store.load("weather", hour(0), hour(20_000))
    store.load("plane")
    asked = rows.select("origin", pl.lit("N1").alias("tailnum"), pl.col("observed_at").alias("at"))
    asked.write_parquet(tmp_path / "asked.parquet")
    done = subprocess.run(
        [sys.executable, "-c", JOINED, str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"POLARS_MAX_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout.split() == [str(len(asked))] * 2


def test_an_engine_takes_its_own_frames_as_they_are() -> None:
    relation = duckdb.connect().sql("SELECT 1 AS a")
    assert engines.engine("duckdb").frame(relation) is relation


def test_as_known_needs_to_know_when_rows_were_written(tmp_path: Path) -> None:
    store = project(tmp_path)
    asked = pl.DataFrame({"origin": ["JFK"], "event_timestamp": [hour(1)]})
    with pytest.raises(FeatureStoreError, match=r"weather.*fs\.CreatedTime"):
        store.historical("weather", asked, as_known=True)


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(FeatureStoreError, match="polars, pandas, duckdb, dask, spark"):
        engines.engine("excel")


def test_an_engine_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines._MODULES, "spark", "e2e_ml.festaf.rows.engines.on_spork")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(FeatureStoreError, match=r"pyspark.*e2e-ml\[engines\]"):
        engines.engine("spark")
