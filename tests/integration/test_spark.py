"""Spark, for real on this machine, gives what plain Python says: few jobs, each with all there is to check."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import lists

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import Expression
from e2e_ml.festaf.expression.portability import runs_on
from e2e_ml.festaf.rows import engines
from e2e_ml.festaf.rows.engines import Engine
from tests.unit.festaf import engine_conformance as conformance
from tests.unit.festaf import expression_trees


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    sql = pytest.importorskip("pyspark.sql")
    patched = pytest.MonkeyPatch()
    patched.setenv("PYSPARK_PYTHON", sys.executable)
    session: Any = (
        sql.SparkSession.builder.master("local[2]")
        .appName("festaf-tests")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    yield engines.engine("spark")
    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # the machine ends when nobody holds it
    gateway.proc.wait(30)
    patched.undo()
    session.sparkContext.__class__._gateway = session.sparkContext.__class__._jvm = None


def examples(count: int) -> settings:
    """A job of Spark's takes seconds, whatever is in it: few examples, large, the same every time. The first that
    hypothesis tries is the plainest there is, so that it has to be varied."""
    return settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def varied(rows: Collection[Any]) -> bool:
    return len(set(map(repr, rows))) > len(rows) / 2


@examples(2)  # of 20 s each
@given(conformance.window_rows(60, 90).filter(varied))
def test_windows(spark: Engine, data: list[Any]) -> None:
    conformance.check_windows(spark, data)


@examples(2)
@given(conformance.window_rows(30, 60).filter(varied))
def test_windows_without_times(spark: Engine, data: list[Any]) -> None:
    conformance.check_windows(spark, data, timeless=True)


@pytest.mark.parametrize("as_known", [False, True])
@examples(4)
@given(
    asked=lists(conformance.asked_row, min_size=50, max_size=70).filter(varied),
    stored=lists(conformance.stored_row, min_size=150, max_size=200).filter(varied),
)
def test_history(spark: Engine, tmp_path: Path, as_known: bool, asked: list[Any], stored: list[Any]) -> None:
    conformance.check_history(spark, tmp_path, asked, stored, as_known=as_known)


def test_words_and_times(spark: Engine) -> None:
    conformance.check_expressions(spark, mine(conformance.WORDS_AND_TIMES, conformance.EXPRESSION_TYPES))


def test_whole_numbers_wrap_round(spark: Engine) -> None:
    conformance.check_overflow(spark)


def mine(trees: Sequence[Expression], types: Mapping[str, DataType] = expression_trees.TYPES) -> list[Expression]:
    """Those that Spark computes, and few that it does not: a step through Polars is the same for all of them, and each
    starts workers of its own."""
    own = [tree for tree in trees if runs_on("spark", tree, types)]
    return [*own, *(tree for tree in trees if tree not in own)][: len(own) + 3]


def whole(frame: pl.DataFrame) -> bool:
    return varied(frame.drop("row_").rows())


@examples(2)
@given(expression_trees.trees(40, 50).map(mine), expression_trees.frames(wide=True, least=30, most=40).filter(whole))
def test_expressions(spark: Engine, trees: list[Expression], frame: pl.DataFrame) -> None:
    conformance.check_expressions(spark, trees, frame, expression_trees.TYPES)
