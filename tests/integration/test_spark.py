"""Spark, for real on this machine, gives what plain Python says: few jobs, each with all there is to check."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml.festaf.rows import engines
from e2e_ml.festaf.rows.engines import Engine
from tests.unit.festaf import engine_conformance as conformance


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


def moment(draw: random.Random) -> Any:
    return conformance.START + timedelta(minutes=draw.randrange(30))


def test_windows(spark: Engine) -> None:
    draw = random.Random(7)  # noqa: S311 - test data
    rows: list[Any] = [
        (
            draw.choice([None, "JFK", "LGA"]),
            draw.choice([None, 1, 2]),
            moment(draw),
            draw.choice([None, moment(draw)]),
            draw.choice([None, 0.0, -0.0, 1.0, float("nan"), float("inf"), *(draw.uniform(-9, 9) for _ in range(9))]),
            draw.choice([None, *range(-5, 5)]),
            draw.choice([None, True, False]),
            draw.choice([None, "", "a", "ß"]),
        )
        for _ in range(150)
    ]
    conformance.check_windows(spark, rows)


@pytest.mark.parametrize("as_known", [False, True])
def test_history(spark: Engine, tmp_path: Path, as_known: bool) -> None:
    draw = random.Random(8)  # noqa: S311 - test data
    keys = [(c, n) for c in (None, "AA", "UA", "") for n in (None, 1, 2)]
    asked = [(*draw.choice(keys), draw.choice([None, moment(draw), moment(draw)])) for _ in range(60)]
    stored = [
        (
            *draw.choice(keys),
            moment(draw),
            draw.choice([None, moment(draw)]),
            draw.choice([None, 0.0, 1.5, float("nan")]),
        )
        for _ in range(200)
    ]
    conformance.check_history(spark, tmp_path, asked, stored, as_known=as_known)


def test_expressions(spark: Engine) -> None:
    conformance.check_expressions(spark, conformance.WORDS_AND_TIMES)
