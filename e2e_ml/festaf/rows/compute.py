"""Computing a view's features from its source's rows, on any engine: row-level expressions and windows, in order.

Row-level expressions run by way of narwhals, windows on the engine's own kernel: on Polars, `windows.add_windows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw
import polars as pl

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import ExpressionError, columns, from_json, is_row_level
from e2e_ml.festaf.expression.compile_narwhals import to_narwhals, to_polars
from e2e_ml.festaf.expression.functions import load
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.overflow import in_parts
from e2e_ml.festaf.expression.portability import runs_on
from e2e_ml.festaf.expression.scaling import is_scaled
from e2e_ml.festaf.expression.steps import PythonStep, RowStep, Step, WindowStep, column_types, steps
from e2e_ml.festaf.model import Feature, FeatureView
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type
from e2e_ml.festaf.rows.windows import Order, Window, add_windows, order_of, window_of

if TYPE_CHECKING:
    from narwhals.dtypes import DType

Work = Callable[[pl.DataFrame], pl.DataFrame]
Function = Callable[[pl.DataFrame], object]  # of the project's own code; what it should give is a polars.Series


class Kernels(Protocol):
    """What an engine does in a way of its own. Frames keep their rows, their order and their other columns."""

    def add_expression(self, rows: Any, step: RowStep, types: Mapping[str, DataType]) -> Any:
        """`rows` with the step's column, computed over columns of these types."""
        ...

    def add_windows(self, rows: Any, windows: Sequence[Window], order: Order) -> Any:
        """`rows` with the windows' columns; what they are is said in `windows`."""
        ...

    def add_python(self, rows: Any, step: PythonStep, project: Path) -> Any:
        """`rows` with the step's column, which a function of the project folder makes of those that the step names."""
        ...


class ByNarwhals:
    """An engine that computes what it can by way of narwhals, and takes the rest through Polars, batch by batch."""

    name: str
    wider: DType | None = None  # where the engine refuses whole numbers beyond 64 bits: in which type it holds them

    def add_expression(self, rows: Any, step: RowStep, types: Mapping[str, DataType]) -> Any:
        if not runs_on(self.name, step.expression, types):
            return self.through_polars(rows, step, partial(computed, step=step, types=dict(types)))
        if self.wider is None:
            return self.by_narwhals(rows, to_narwhals(step.expression, types).alias(step.name))
        parts, whole = in_parts(step.expression, types, f"{step.name}__festaf_part_")
        types = dict(types)
        for name, part in parts.items():
            rows = self.by_narwhals(rows, to_narwhals(part, types, self.wider).alias(name))
            types[name] = infer(part, types)
        rows = self.by_narwhals(rows, to_narwhals(whole, types, self.wider).alias(step.name))
        return nw.from_native(rows).drop(*parts).to_native() if parts else rows

    def by_narwhals(self, rows: Any, column: nw.Expr) -> Any:
        """`rows` with one column more."""
        return nw.from_native(rows).with_columns(column).to_native()

    def add_python(self, rows: Any, step: PythonStep, project: Path) -> Any:
        return self.through_polars(rows, step, partial(made_in, step=step, project=project))

    def through_polars(self, rows: Any, step: RowStep | PythonStep, work: Work) -> Any:
        """`rows` with the step's column, which `work` adds to a Polars frame of any number of rows."""
        raise NotImplementedError


def computed(rows: pl.DataFrame, step: RowStep, types: Mapping[str, DataType]) -> pl.DataFrame:
    """`rows` with the step's column."""
    return rows.with_columns(to_polars(step.expression, types).alias(step.name))


class OnPolars:
    def add_expression(self, rows: pl.LazyFrame, step: RowStep, types: Mapping[str, DataType]) -> pl.LazyFrame:
        return rows.with_columns(to_polars(step.expression, types).alias(step.name))

    def add_windows(self, rows: pl.LazyFrame, windows: Sequence[Window], order: Order) -> pl.LazyFrame:
        return add_windows(rows, windows, order)

    def add_python(self, rows: pl.LazyFrame, step: PythonStep, project: Path) -> pl.LazyFrame:
        schema = {**rows.collect_schema(), step.name: polars_type(step.dtype)}
        function = load(step.node, project)  # here, so that one that has changed is refused before anything runs
        return rows.map_batches(lambda frame: frame.with_columns(made(frame, step, function)), schema=schema)


ON_POLARS: Kernels = OnPolars()


def made(rows: pl.DataFrame, step: PythonStep, function: Function) -> pl.Series:
    """The column that the project's own function makes. Raises ExpressionError for one of another length or type."""
    renamed = dict(zip(step.inputs, step.argument_names, strict=True))
    column = function(rows.select(step.inputs).rename(renamed))
    called = f"{step.node.module}.{step.node.function}"
    if not isinstance(column, pl.Series) or len(column) != len(rows):
        got = f"{len(column)} values" if isinstance(column, pl.Series) else type(column).__name__
        raise ExpressionError(
            f"{called} was given {len(rows)} rows and gave {got}: give a polars.Series of that length."
        )
    try:
        return column.cast(polars_type(step.dtype)).alias(step.name)
    except pl.exceptions.PolarsError as error:
        raise ExpressionError(f"{called} gave {column.dtype}, and is declared as {step.dtype}: {error}") from error


def made_in(rows: pl.DataFrame, step: PythonStep, project: Path) -> pl.DataFrame:
    """`rows` with the column of a function of the project folder. Raises ExpressionError where it is not the one that
    was applied."""
    return rows.with_columns(made(rows, step, load(step.node, project)))


def stored_features(view: FeatureView) -> tuple[Feature, ...]:
    """The features that are written. A hidden row-level one (a service's target) is computed when it is read, so that a
    service that is defined today works on rows that were written yesterday."""
    return tuple(f for f in view.features if not _on_read(f))


def stored_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """The columns of the view's offline table: keys, event time, created time, features; in order."""
    times = {name: TIMESTAMP for name in (view.event_time, view.created_time) if name}
    keys = {key.name: polars_type(key.dtype) for key in view.entities}
    return {**keys, **times, **{f.name: polars_type(f.dtype) for f in stored_features(view)}}


def stored_columns(view: FeatureView) -> dict[str, str]:
    """What the table calls each column of `stored_schema`: a feature that was renamed keeps its column."""
    return {name: view.feature(name).column if view.has(name) else name for name in stored_schema(view)}


def lookback(view: FeatureView) -> timedelta | None:
    """How far before its own time a row's features may see: the longest chain of windows over windows.

    None: no time is far enough. A window of rows, or one up to t without a width, may see every earlier row, so that
    an interval of such a view is computed from all of its source before the interval's end. What that costs grows with
    the source: a width is cheaper where one would do.
    """
    reach: dict[str, timedelta | None] = {}
    for step in steps(view):
        match step:
            case WindowStep(name=name, input=read, window=window):
                before = reach.get(read, timedelta())
                reach[name] = None if window.width is None or before is None else before + window.width
            case RowStep() | PythonStep():
                below = [reach.get(column, timedelta()) for column in _reads(step)]
                known = [each for each in below if each is not None]
                reach[step.name] = max(known, default=timedelta()) if len(known) == len(below) else None
    known = [each for each in reach.values() if each is not None]
    return max(known, default=timedelta()) if len(known) == len(reach) else None


def compute(view: FeatureView, rows: pl.LazyFrame, project: Path | None = None) -> pl.LazyFrame:
    """The columns of `stored_schema`, from the source's columns; the rows and their order stay.

    project: the folder in which the project's own functions lie; only a view that has some needs it.
    """
    schema = stored_schema(view)
    return apply_steps(view, rows, steps(view), ON_POLARS, project).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )


def compute_on_read(view: FeatureView, rows: pl.LazyFrame, names: Iterable[str]) -> pl.LazyFrame:
    """`rows` of the offline table, with those of the named features that are not stored in it."""
    return apply_steps(view, rows, steps_on_read(view, names), ON_POLARS)


def steps_on_read(view: FeatureView, names: Iterable[str]) -> tuple[Step, ...]:
    """What is to be computed of stored rows, where the named features are asked for."""
    unstored = {f.name for f in view.features if _on_read(f)}
    return () if unstored.isdisjoint(names) else tuple(s for s in steps(view) if s.name in unstored)


def _on_read(feature: Feature) -> bool:
    if feature.expression is not None and is_scaled(from_json(feature.expression)):
        return True
    return feature.hidden and feature.expression is not None and is_row_level(from_json(feature.expression))


def apply_steps(
    view: FeatureView, rows: Any, todo: Iterable[Step], kernels: Kernels, project: Path | None = None
) -> Any:
    """`rows`, a frame of the kernels' engine, with the steps' columns.

    Windows that do not read each other are added at once. Raises ExpressionError where a function of the project's own
    is not the one that was applied.
    """
    types = column_types(view)
    together: list[Window] = []

    def flushed(frame: Any) -> Any:
        frame = kernels.add_windows(frame, tuple(together), order_of(view)) if together else frame
        together.clear()
        return frame

    for step in todo:
        if {window.output for window in together}.intersection(_reads(step)):
            rows = flushed(rows)
        match step:
            case RowStep():
                rows = kernels.add_expression(rows, step, types)
            case WindowStep():
                together.append(window_of(view, step, types[step.input]))
            case PythonStep():
                if project is None:
                    raise ExpressionError(f"{view.name}.{step.name} is a function of the project: say its folder.")
                rows = kernels.add_python(rows, step, project)
        types[step.name] = step.dtype
    return flushed(rows)


def _reads(step: Step) -> tuple[str, ...]:
    match step:
        case RowStep(expression=expression):
            return columns(expression)
        case WindowStep(input=value, window=window):
            return (value, *window.by)
        case PythonStep(inputs=inputs):
            return inputs
