"""A view's computations in the order in which they can be made: row-level ones, and windows on their own.

    for step in steps(view):          # after the source's columns were read, cast and their nulls filled
        match step:
            case RowStep():    frame = frame.with_columns(to_narwhals(step.expression, types).alias(step.name))
            case WindowStep(): frame = ...  # the kernel: step.window.aggregate of the column step.input

A window reads one column, so that a window over an expression, or one inside of an expression, gets steps of its own,
marked `temporary`: their columns are dropped in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ml.festaf import model
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.tree import (
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Window,
    columns,
    from_json,
)
from e2e_ml.festaf.dtypes import DataType


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column to read from the source, before anything is computed."""

    name: str
    dtype: DataType
    fill_null: Any = None  # None: nulls stay


@dataclass(frozen=True, slots=True)
class RowStep:
    """A column that is computed row by row; `to_narwhals` compiles it."""

    name: str
    expression: Expression
    dtype: DataType
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class WindowStep:
    """An aggregate of the column `input`; the rest as in `tree.Window`, whose argument this computes."""

    name: str
    input: str
    window: Window
    dtype: DataType
    temporary: bool = False


Step = RowStep | WindowStep


def source_columns(view: model.FeatureView) -> tuple[SourceColumn, ...]:
    """What is read from the view's source, in order: keys, event time, created time, then plain features."""
    times = (SourceColumn(name, "timestamp") for name in (view.event_time, view.created_time) if name)
    return (
        *(SourceColumn(key.name, key.dtype) for key in view.entities),
        *times,
        *(SourceColumn(f.name, f.dtype, f.fill_null) for f in view.features if f.expression is None),
    )


def column_types(view: model.FeatureView) -> dict[str, DataType]:
    """The type of everything in the view that has a name: source columns and computed features."""
    types: dict[str, DataType] = {column.name: column.dtype for column in source_columns(view)}
    types.update({f.name: f.dtype for f in view.features})
    return types


def in_order(expressions: Mapping[str, Expression]) -> tuple[str, ...]:
    """The names, each after those that it reads, otherwise as given. Raises ExpressionError for a circle."""
    ordered: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ExpressionError(f"Features read each other in a circle: {' -> '.join((*path, name))}.")
        if name in ordered:
            return
        for read in columns(expressions[name]):
            if read in expressions:
                visit(read, (*path, name))
        ordered[name] = None

    for name in expressions:
        visit(name, ())
    return tuple(ordered)


def steps(view: model.FeatureView) -> tuple[Step, ...]:
    """The view's computed features, hidden ones included, in an order in which each can be computed.

    Raises ExpressionError when an expression has no meaning.
    """
    expressions = {f.name: from_json(f.expression) for f in view.features if f.expression is not None}
    plan = _Plan(column_types(view))
    for name in in_order(expressions):
        plan.add(name, expressions[name])
    return tuple(plan.steps)


class _Plan:
    """The steps so far. Equal windows and equal inputs of windows are computed once."""

    def __init__(self, types: dict[str, DataType]) -> None:
        self.types = types
        self.steps: list[Step] = []
        self._temporary: dict[Expression, str] = {}

    def add(self, name: str, expression: Expression, *, temporary: bool = False) -> None:
        if isinstance(expression, Window):
            dtype = infer(expression, self.types)
            read = self._column_of(expression.arg)
            self.steps.append(WindowStep(name, read, expression, dtype, temporary))
        else:
            expression = self._without_windows(expression)
            dtype = infer(expression, self.types)
            self.steps.append(RowStep(name, expression, dtype, temporary))
        self.types[name] = dtype

    def _without_windows(self, expression: Expression) -> Expression:
        match expression:
            case Window():
                return Column(self._column_of(expression))
            case Apply(op, args):
                return Apply(op, tuple(self._without_windows(arg) for arg in args))
            case Cast(arg, dtype):
                return Cast(self._without_windows(arg), dtype)
            case _:
                return expression

    def _column_of(self, expression: Expression) -> str:
        """The name of a column that holds the expression's value, computed on the side if need be."""
        if isinstance(expression, Column):
            return expression.name
        if expression not in self._temporary:
            name = f"__step_{len(self._temporary) + 1}"
            self._temporary[expression] = name
            self.add(name, expression, temporary=True)
        return self._temporary[expression]
