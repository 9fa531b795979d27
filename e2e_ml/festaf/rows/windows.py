"""Windows: what they mean, and the Polars kernel. A window's value is an aggregate over rows that a row may see.

Those are the rows of its group (the same keys, or the same values in `by`; null is a value like any other there):

- with a width w, at a row of time t: those of (t - w, t]; rows at the very same time see each other, whatever their
  order;
- of n rows: the last n up to and with the row, in the order of event time, created time (null is the earliest) and
  storing;
- with neither: all up to t, those at t included; in a view without times all of the group.

A missing value is left out; of n rows it is counted as a row. A window without any value has a count and a number of
distinct values of zero and is otherwise missing, its sum too; the sample standard deviation needs two. NaN is a value,
one among the distinct ones; a sum, mean, std, min, max or quantile over NaN is NaN, and so is a std over infinity. A
quantile lies on the line between its two neighbours, and is their sum where one of them is infinite. `time_since_last`
is the time from the newest row strictly earlier than t, in the window, whose value is there (for Bool: is true), to t.

What runs in linear time: everything but `first`, `distinct` and `quantile` of a width or of n rows, which look at each
window's rows, and `quantile` with neither, which looks at all rows before each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from e2e_ml.festaf.dtypes import FLOATS, DataType, kind
from e2e_ml.festaf.expression import ExpressionError
from e2e_ml.festaf.expression import Window as Over
from e2e_ml.festaf.expression.steps import WindowStep
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.polars_types import polars_type

_ROW = "__festaf_row"  # the number of a row as it was given
_PLACE = "__festaf_place"  # the number of a row in its group
_WHEN = "__festaf_when"
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The column `output` becomes the window `over` of the column `value`, among rows that are equal in `group`.

    `takes` and `gives` are the types of both columns.
    """

    output: str
    value: str
    over: Over
    group: tuple[str, ...]
    takes: DataType
    gives: DataType

    @property
    def microseconds(self) -> int:
        """The width, or one that is longer than any data and fits into 64 bits. Only where there is one."""
        if self.over.width is None:
            raise ValueError(f"{self.output} has no width.")
        return min(self.over.width // _US, 2**62)


@dataclass(frozen=True, slots=True)
class Order:
    """What puts a group's rows in order, before the order in which they are stored. None: a view without times."""

    event_time: str | None
    created_time: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.event_time, self.created_time) if name)


def window_of(view: FeatureView, step: WindowStep, takes: DataType) -> Window:
    """The window of a view's step. Raises ExpressionError for one that looks back in time in a view without times."""
    over = step.window
    if (over.width is not None or over.aggregate == "time_since_last") and view.event_time is None:
        raise ExpressionError(f"{view.name}.{step.name} looks back in time, and the view has no event time.")
    group = over.by or tuple(key.name for key in view.entities)
    return Window(step.name, step.input, over, group, takes, step.dtype)


def order_of(view: FeatureView) -> Order:
    return Order(view.event_time, view.created_time)


# --- on Polars ---------------------------------------------------------------------------------------------------


def add_windows(rows: pl.LazyFrame, windows: Sequence[Window], order: Order) -> pl.LazyFrame:
    """`rows` with one column more for each window; the rows, their order and the other columns stay as they are.

    The event time is a Datetime column without nulls. Rows need not be sorted. Only rows that are given can be seen.
    """
    if not windows:
        return rows
    ordered = rows.with_row_index(_ROW).sort(*order.columns, _ROW, nulls_last=False)
    for group in dict.fromkeys(window.group for window in windows):
        mine = [_plan(window, order) for window in windows if window.group == group]
        # In stages, for Polars takes a window inside of a window for one over both windows' groups.
        ordered = (
            ordered.with_columns(pl.int_range(pl.len()).over(group).alias(_PLACE))
            .with_columns(running for plan in mine for running in plan.running)
            .with_columns(plan.value for plan in mine)
            .drop(running.meta.output_name() for plan in mine for running in plan.running if plan.temporary(running))
        )
    return ordered.sort(_ROW).drop(_ROW, _PLACE)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A window's `value`, which reads the columns of `running`, in a frame that is in order."""

    value: pl.Expr
    running: tuple[pl.Expr, ...] = ()

    def temporary(self, running: pl.Expr) -> bool:
        return running.meta.output_name() != self.value.meta.output_name()


def _plan(window: Window, order: Order) -> _Plan:
    over, group = window.over, window.group
    if over.aggregate == "time_since_last":
        return _since_last(window, str(order.event_time))
    if over.aggregate == "last":
        return _last(window, order.event_time)
    if over.rows is not None:
        return _Plan(_rolling(window, _PLACE, f"{over.rows}i").over(group).alias(window.output))
    if order.event_time is None:
        return _Plan(_of_all(window).over(group).alias(window.output))
    if over.width is not None:
        return _Plan(_rolling(window, order.event_time, over.width).over(group).alias(window.output))
    running = _so_far(window, order.event_time).over(group).alias(window.output)
    # Rows at one time see each other: what the last of them sees.
    return _Plan(pl.col(window.output).last().over(*group, order.event_time), (running,))


def _number(window: Window) -> pl.Expr:
    """The value in the type in which it is summed."""
    column = pl.col(window.value)
    if window.over.aggregate in ("mean", "std", "quantile"):
        return column.cast(pl.Float64)
    if window.over.aggregate == "sum":
        return column.cast(polars_type(window.gives))
    return column


def _rolls(window: Window) -> bool:
    """Whether Polars has a rolling sum or extreme of such values; of others each window is looked at."""
    match window.over.aggregate:
        case "sum":
            return kind(window.takes) not in ("decimal", "duration")
        case "min" | "max":
            return kind(window.takes) != "decimal"
        case _:
            return True


def _rolling(window: Window, by: str, reach: timedelta | str) -> pl.Expr:
    """Over the rows whose value of `by` is less than the reach behind each row's own."""
    if not _rolls(window):
        return _of_all(window).rolling(by, period=reach, closed="right")
    column = _number(window)
    count = pl.col(window.value).is_not_null().cast(pl.Int64).rolling_sum_by(by, reach, closed="right")
    match window.over.aggregate:
        case "count":
            return count
        case "sum":
            # Polars gives 0 for the sum of nothing.
            return pl.when(count > 0).then(_rolling_sum(window, by, reach))
        case "mean":
            return pl.when(count > 0).then(_rolling_sum(window, by, reach) / count)
        case "std":
            return column.rolling_std_by(by, reach, closed="right", ddof=1)
        case "min":
            return column.rolling_min_by(by, reach, closed="right")
        case "max":
            return column.rolling_max_by(by, reach, closed="right")
        case _:
            return _of_all(window).rolling(by, period=reach, closed="right")


def _rolling_sum(window: Window, by: str, reach: timedelta | str) -> pl.Expr:
    """Polars' rolling sum keeps a rest of large floats that have left the window. So their high digits are summed
    apart, as multiples of a power of two: such sums are exact, and what may be left of the low digits is nothing."""
    column = _number(window)
    if window.over.aggregate == "sum" and window.gives not in FLOATS:
        return column.rolling_sum_by(by, reach, closed="right")
    finite = column.is_finite()
    largest = pl.when(finite).then(column.abs()).max()
    # 32 bits for a number's high digits, and 20 for how many are summed; below 2^-1022 floats have fewer than 53.
    exponent = pl.when(largest > 0).then(largest).otherwise(1.0).log(2).ceil() - 32
    step = pl.lit(2.0).pow(exponent.clip(-1022))
    high = (column / step).round() * step
    low = pl.when(finite).then(column - high).otherwise(0.0)
    return high.rolling_sum_by(by, reach, closed="right") + low.rolling_sum_by(by, reach, closed="right")


def _of_all(window: Window) -> pl.Expr:
    """Over all rows there are."""
    column = _number(window)
    present = column.drop_nulls()
    match window.over.aggregate:
        case "count":
            return column.count().cast(pl.Int64)
        case "sum":
            return pl.when(column.count() > 0).then(column.sum())
        case "mean":
            return column.mean()
        case "std":
            return column.std(ddof=1)
        case "min":
            return _unless_nan(window, column.is_nan().any(), column.min())
        case "max":
            return _unless_nan(window, column.is_nan().any(), column.max())
        case "first":
            return present.first()
        case "distinct":
            return present.n_unique().cast(pl.Int64)
        case "quantile":
            share = window.over.quantile or 0.0
            low, high = column.quantile(share, "lower"), column.quantile(share, "higher")
            value = pl.when(low.is_infinite() | high.is_infinite()).then(low + high)
            value = value.otherwise(column.quantile(share, "linear"))
            return pl.when(column.is_nan().any()).then(float("nan")).otherwise(value)
        case aggregate:
            raise ValueError(f"{aggregate} is not computed here.")


def _so_far(window: Window, time: str) -> pl.Expr:
    """Over all rows up to each row."""
    column = _number(window)
    count = column.is_not_null().cast(pl.Int64).cum_sum()
    match window.over.aggregate:
        case "count":
            return count
        case "sum":
            return pl.when(count > 0).then(column.cum_sum().forward_fill())
        case "mean":
            return column.cum_sum().forward_fill() / count
        case "min":
            return _unless_nan(window, column.is_nan().cum_max().forward_fill(), column.cum_min().forward_fill())
        case "max":
            return _unless_nan(window, column.is_nan().cum_max().forward_fill(), column.cum_max().forward_fill())
        case "first":
            return pl.when(count > 0).then(column.drop_nulls().first())
        case "distinct":
            return (column.is_not_null() & column.is_first_distinct()).cast(pl.Int64).cum_sum()
        case _:
            return _of_all(window).rolling(time, period=_EVER, closed="right")


_EVER = "1000000d"  # longer than any data, and short enough to be counted back from any of it


def _unless_nan(window: Window, found: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Polars leaves NaN out of an extreme."""
    if window.takes not in FLOATS:
        return value
    return pl.when(found).then(float("nan")).otherwise(value).cast(polars_type(window.takes))


def _last(window: Window, time: str | None) -> _Plan:
    """The newest value that is there; then, whether it lies in the window."""
    column, over, group = pl.col(window.value), window.over, window.group
    newest = column.forward_fill()
    if over.rows is not None:
        place = pl.when(column.is_not_null()).then(pl.col(_PLACE)).forward_fill()
        newest = pl.when(pl.col(_PLACE) - place < over.rows).then(newest)
        return _Plan(newest.over(group).alias(window.output))
    if time is None:
        return _Plan(newest.last().over(group).alias(window.output))
    if over.width is not None:
        when = pl.when(column.is_not_null()).then(pl.col(time)).forward_fill()
        newest = pl.when(pl.col(time) - when < over.width).then(newest)
    running = newest.over(group).alias(window.output)
    return _Plan(pl.col(window.output).last().over(*group, time), (running,))


def _since_last(window: Window, time: str) -> _Plan:
    column, over, group = pl.col(window.value), window.over, window.group
    there = column.fill_null(False) if window.takes == "bool" else column.is_not_null()
    when, place = f"{window.output}{_WHEN}", f"{window.output}{_PLACE}"
    running = tuple(
        pl.when(there).then(pl.col(read)).forward_fill().shift(1).over(group).alias(name)
        for name, read in ((when, time), (place, _PLACE))
    )
    # What stands before the first of the rows at one time is strictly earlier than all of them.
    since = pl.col(time) - pl.col(when).first().over(*group, time)
    if over.width is not None:
        since = pl.when(since < over.width).then(since)
    if over.rows is not None:
        since = pl.when(pl.col(_PLACE) - pl.col(place).first().over(*group, time) < over.rows).then(since)
    return _Plan(since.alias(window.output), running)
