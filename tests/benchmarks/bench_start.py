"""How long it takes until something can be done: a DAG worker's import, the command line's help."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.measure import Result, pair, python


def results() -> Iterator[Result]:
    polars = python("-c", "import polars")
    yield pair("import e2e_ml.festaf", python("-c", "import e2e_ml.festaf"), "import polars", polars, reach=1.0)
    yield pair("e2e-ml --help", python("-m", "e2e_ml.cli", "--help"), "import polars", polars, reach=1.5)
