"""The engines on which history is joined and features are computed: Polars (the default), pandas, DuckDB, Dask, Spark.

`engine("spark")` gives one; its module is imported only then. All of them give the same values: what a window and a
point-in-time join mean is written in `windows` and `pointintime`, what an expression means in `expression.operations`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import steps
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import apply_steps, stored_schema
from e2e_ml.festaf.rows.engines.protocol import Engine, Lookup

__all__ = ["NAMES", "Engine", "Lookup", "compute", "engine"]

_MODULES = {name: f"e2e_ml.festaf.rows.engines.on_{name}" for name in ("polars", "pandas", "duckdb", "dask", "spark")}
NAMES: tuple[str, ...] = tuple(_MODULES)
_PACKAGES = {"spark": "pyspark"}  # where it is not called as the engine is


def compute(on: Engine, view: FeatureView, rows: Any, project: Path | None = None) -> pl.DataFrame:
    """The view's stored columns, computed on an engine from the source's columns; the rows and their order stay.

    project: the folder of the project's own functions; only a view that has some needs it. Raises ExpressionError.
    """
    schema = stored_schema(view)
    computed = apply_steps(view, on.frame(rows), steps(view), on, project)
    asked = nw.from_native(computed).select(*schema).to_native()
    return on.to_polars(asked).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def engine(name: str) -> Engine:
    """The engine of that name. Raises FeatureStoreError for another name, and for one that is not installed."""
    if name not in _MODULES:
        raise FeatureStoreError(f"There is no engine {name!r}. Use one of {', '.join(NAMES)}.")
    try:
        module = importlib.import_module(_MODULES[name])
    except ImportError as error:
        raise FeatureStoreError(
            f'The engine {name!r} needs {_PACKAGES.get(name, name)} ({error}). Do pip install "e2e-ml[engines]".'
        ) from error
    return cast(Engine, module.ENGINE)
