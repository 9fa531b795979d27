"""Computing a view's features from its source's rows, on Polars: row-level expressions and time windows, in order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import narwhals as nw
import polars as pl

from e2e_ml.festaf.expression import ExpressionError, columns, from_json, is_row_level
from e2e_ml.festaf.expression.compile_narwhals import to_narwhals
from e2e_ml.festaf.expression.steps import RowStep, Step, WindowStep, column_types, steps
from e2e_ml.festaf.model import Feature, FeatureView
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type
from e2e_ml.festaf.rows.windows import Window, add_windows


def stored_features(view: FeatureView) -> tuple[Feature, ...]:
    """The features that are written. A hidden row-level one (a service's target) is computed when it is read, so that a
    service that is defined today works on rows that were written yesterday."""
    return tuple(f for f in view.features if not _on_read(f))


def stored_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """The columns of the view's offline table: keys, event time, created time, features; in order."""
    times = {name: TIMESTAMP for name in (view.event_time, view.created_time) if name}
    keys = {key.name: polars_type(key.dtype) for key in view.entities}
    return {**keys, **times, **{f.name: polars_type(f.dtype) for f in stored_features(view)}}


def lookback(view: FeatureView) -> timedelta:
    """How far before its own time a row's features may see: the longest chain of windows over windows."""
    reach: dict[str, timedelta] = {}
    for step in steps(view):
        match step:
            case WindowStep(name=name, input=read, window=window):
                reach[name] = reach.get(read, timedelta()) + (window.width or timedelta())
            case RowStep(name=name, expression=expression):
                reach[name] = max((reach.get(c, timedelta()) for c in columns(expression)), default=timedelta())
    return max(reach.values(), default=timedelta())


def compute(view: FeatureView, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of `stored_schema`, from the source's columns; the rows and their order stay."""
    schema = stored_schema(view)
    return _apply(view, rows, steps(view)).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def compute_on_read(view: FeatureView, rows: pl.LazyFrame, names: Iterable[str]) -> pl.LazyFrame:
    """`rows` of the offline table, with those of the named features that are not stored in it."""
    wanted = {f.name for f in view.features if _on_read(f)}
    if wanted.isdisjoint(names):
        return rows
    return _apply(view, rows, (s for s in steps(view) if s.name in wanted))


def _on_read(feature: Feature) -> bool:
    return feature.hidden and feature.expression is not None and is_row_level(from_json(feature.expression))


def _apply(view: FeatureView, rows: pl.LazyFrame, todo: Iterable[Step]) -> pl.LazyFrame:
    types = column_types(view)
    keys = [key.name for key in view.entities]
    for step in todo:
        match step:
            case RowStep():
                expression = to_narwhals(step.expression, types).alias(step.name)
                rows = nw.from_native(rows).with_columns(expression).to_native()
            case WindowStep():
                if view.event_time is None:
                    raise ExpressionError(f"{view.name}.{step.name} is a window, and the view has no event time.")
                window = Window(step.name, step.input, step.window.aggregate, step.window.width or timedelta.max)
                rows = add_windows(rows, [window], keys, view.event_time)
        types[step.name] = step.dtype
    return rows
