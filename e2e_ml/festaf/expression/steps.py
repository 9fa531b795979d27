"""A view's computations in the order in which they can be made: row-level ones; windows and Python on their own.

    for step in steps(view):          # after the source's columns were read, cast and their nulls filled
        match step:
            case RowStep():    frame = frame.with_columns(to_narwhals(step.expression, types).alias(step.name))
            case WindowStep(): frame = ...  # the kernel: step.window.aggregate of the column step.input
            case PythonStep(): frame = ...  # functions.load(step.node, project) on the columns step.inputs

A window reads one column, so that a window over an expression, or one inside of an expression, gets steps of its own,
marked `temporary`: their columns are dropped in the end. So does a function in Python inside of an expression.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ml.festaf import model
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression.json_form import from_json
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.scaling import is_scaled, with_learned
from e2e_ml.festaf.expression.tree import (
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Python,
    Window,
    columns,
)


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


@dataclass(frozen=True, slots=True)
class PythonStep:
    """A column that the function of `node` makes of the columns `inputs`.

    The function knows each by its own name, without the view's: `temp` for `hourly_weather.temp`.
    """

    name: str
    inputs: tuple[str, ...]
    node: Python
    dtype: DataType
    temporary: bool = False

    @property
    def argument_names(self) -> tuple[str, ...]:
        """What the function calls them, in the order of `inputs`."""
        return tuple(name.rpartition(".")[2] for name in self.inputs)


Step = RowStep | WindowStep | PythonStep


def source_columns(view: model.FeatureView) -> tuple[SourceColumn, ...]:
    """What is read from the view's source, in order: keys, event time, created time, then plain features."""
    times = (SourceColumn(name, "timestamp") for name in (view.event_time, view.created_time) if name)
    return (
        *(SourceColumn(key.name, key.dtype) for key in view.entities),
        *times,
        *(SourceColumn(f.name, f.dtype, f.fill_null) for f in view.features if f.expression is None),
    )


def column_types(view: model.FeatureView | model.OnDemandView) -> dict[str, DataType]:
    """The type of everything in the view that has a name: columns of the source or the request, and features."""
    if isinstance(view, model.OnDemandView):
        types = {key.name: key.dtype for key in view.request}
    else:
        types = {column.name: column.dtype for column in source_columns(view)}
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


def steps(
    view: model.FeatureView | model.OnDemandView,
    names: Iterable[str] | None = None,
    *,
    have: Collection[str] = (),
    others: Mapping[str, DataType] | None = None,
) -> tuple[Step, ...]:
    """The view's computed features, hidden ones included, in an order in which each can be computed.

    `names` are the features wanted, which brings those that they read; all but the scaled ones unless said, for these
    are computed on read. `have` are features that are columns already, such as the stored ones. `others` has the types
    of other views' features by their full names, for an on-demand view.

    Raises ExpressionError when an expression has no meaning, and for a scaled feature without learned parameters.
    """
    expressions = {
        f.name: from_json(f.expression) for f in view.features if f.expression is not None and f.name not in have
    }
    if names is None:
        expressions = {name: e for name, e in expressions.items() if not is_scaled(e)}
    else:
        expressions = _needed(expressions, names)
    plan = _Plan({**column_types(view), **(others or {})})
    for name in in_order(expressions):
        plan.add(name, with_learned(expressions[name], view, view.feature(name)))
    return tuple(plan.steps)


def _needed(expressions: Mapping[str, Expression], names: Iterable[str]) -> dict[str, Expression]:
    """Those named, and those that they read."""
    found: dict[str, Expression] = {}
    waiting = [name for name in names if name in expressions]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = expressions[name]
            waiting += [read for read in columns(expressions[name]) if read in expressions]
    return {name: expressions[name] for name in expressions if name in found}


class _Plan:
    """The steps so far. Equal windows, equal functions and equal inputs of windows are computed once."""

    def __init__(self, types: dict[str, DataType]) -> None:
        self.types = types
        self.steps: list[Step] = []
        self._temporary: dict[Expression, str] = {}

    def add(self, name: str, expression: Expression, *, temporary: bool = False) -> None:
        dtype = infer(expression, self.types)
        match expression:
            case Window(arg):
                self.steps.append(WindowStep(name, self._column_of(arg), expression, dtype, temporary))
            case Python(args=args):
                inputs = tuple(self._column_of(arg) for arg in args)
                self.steps.append(PythonStep(name, inputs, expression, dtype, temporary))
            case _:
                self.steps.append(RowStep(name, self._row_level(expression), dtype, temporary))
        self.types[name] = dtype

    def _row_level(self, expression: Expression) -> Expression:
        match expression:
            case Window() | Python():
                return Column(self._column_of(expression))
            case Apply(op, args):
                return Apply(op, tuple(self._row_level(arg) for arg in args))
            case Cast(arg, dtype):
                return Cast(self._row_level(arg), dtype)
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
