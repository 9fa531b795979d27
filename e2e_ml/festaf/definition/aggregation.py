"""An aggregate on its way to a window: what `wind.mean()` is until `.over(...)` says over which rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from e2e_ml.festaf import dtypes
from e2e_ml.festaf import expression as ex
from e2e_ml.festaf.definition.columns import OPERATORS, Column, UnknownOperationError, computed
from e2e_ml.festaf.definition.places import here, refuse
from e2e_ml.festaf.expression.operations import window_type

C = TypeVar("C", bound=Column)


class Aggregation(Generic[C]):
    """An aggregate that still needs its window: `.over(timedelta(hours=6))`."""

    __slots__ = ("_column", "_quantile", "aggregate")

    def __init__(self, column: Column, aggregate: ex.Aggregate, quantile: float | None = None) -> None:
        self._column = column
        self._quantile = quantile
        self.aggregate: ex.Aggregate = aggregate

    def over(self, width: timedelta | None = None, *, rows: int | None = None, by: Sequence[Column] = ()) -> C:
        """Over the rows that a row of time t may see, its own among them.

        `width`: those in (t - width, t]. `rows`: the last so many. Neither: all up to t. They are the rows of the same
        entity, or with `by` the rows of the view that are alike in these columns.

        >>> wind, sky = fs.Float64(), fs.Category()
        >>> wind.mean().over(timedelta(hours=6)).dtype, wind.count().over(rows=10, by=[sky]).dtype
        ('float64', 'int64')
        """
        if width is not None and (not isinstance(width, timedelta) or width <= timedelta()):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(f"A window is a positive timedelta, such as timedelta(hours=6), not {width!r}.")
        if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(f"A window's rows are a number above 0, such as rows=10, not {rows!r}.")
        if width is not None and rows is not None:
            raise refuse("A window is as long as a time or as so many rows, not both.")
        groups = _groups(by)
        try:
            dtype = window_type(self.aggregate, self._column.dtype)
        except ex.ExpressionError as error:
            raise refuse(str(error)) from None
        build = partial(_window, aggregate=self.aggregate, width=width, rows=rows, quantile=self._quantile)
        return computed(dtype, build, self._column, *groups)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownOperationError(f"{self.aggregate}() needs its window before {name}: .over(...).", here())


def _groups(by: Sequence[Column]) -> list[Column]:
    columns: list[object] = list(by) if isinstance(by, list | tuple) else [None]
    groups = [column for column in columns if isinstance(column, Column)]
    if len(groups) != len(columns):
        raise refuse("by takes a list of columns, such as by=[origin, carrier].")
    for column in groups:
        if not dtypes.is_key(column.dtype):
            raise refuse(f"by takes columns that can be compared exactly, and a {column.dtype} is none.")
    return groups


def _window(arg: ex.Expression, *by: ex.Expression, **kinds: Any) -> ex.Expression:
    names = tuple(column.name for column in by if isinstance(column, ex.Column))
    if len(names) != len(by):
        raise refuse("a window goes by columns with a name. Give that expression a line of its own.")
    return ex.Window(arg, by=names, **kinds)


def _without_window(self: Aggregation[Any], *other: object) -> NoReturn:
    raise refuse(f"{self.aggregate}() needs its window: .over(timedelta(...)).")


for _method in (method for methods in OPERATORS.values() for method in methods):
    setattr(Aggregation, _method, _without_window)
