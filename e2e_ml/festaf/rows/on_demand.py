"""Features that no store holds, computed when they are asked for: those of on-demand views, and scaled ones.

They are computed from what was fetched and from what the request brings, by one list of steps. On a frame of any engine
`add` runs them, for a training set; `answer` runs them on the rows of an online answer, a few of them in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, ExpressionError
from e2e_ml.festaf.expression.evaluate import Evaluate, evaluator
from e2e_ml.festaf.expression.steps import PythonStep, RowStep, steps
from e2e_ml.festaf.model import AnyView, Feature, FeatureView, OnDemandView
from e2e_ml.festaf.rows.compute import ON_POLARS, Kernels
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.requested import Requested, as_column, converter

_FEW = 256  # rows; above that a plan for Polars is faster than Python


@dataclass(frozen=True)
class Computation:
    """Steps over the columns of an answer. `types` are those of all columns; `inner` the columns that it does not show;
    `sources` the fetched columns that each computed one comes from in the end."""

    requested: tuple[Requested, ...]
    steps: tuple[RowStep | PythonStep, ...]
    types: Mapping[str, DataType]
    inner: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    project: Path

    # --- a frame ----------------------------------------------------------------------------------------------------

    def add(self, frame: Any, kernels: Kernels) -> Any:
        """`frame`, one of the kernels' engine, with the columns computed, and the inner ones there still.

        Raises FeatureStoreError where the request's columns are not there, or of another type.
        """
        rows = nw.from_native(frame)
        found = rows.collect_schema()
        rows = rows.with_columns(as_column(found, each) for each in self.requested) if self.requested else rows
        return self._run(rows.to_native(), kernels)

    def _run(self, frame: Any, kernels: Kernels) -> Any:
        try:
            for step in self.steps:
                match step:
                    case RowStep():
                        frame = kernels.add_expression(frame, step, self.types)
                    case PythonStep():
                        frame = kernels.add_python(frame, step, self.project)
        except ExpressionError as error:  # a function of the project's own that is not the one that was applied
            raise FeatureStoreError(str(error)) from error
        return frame

    # --- rows -------------------------------------------------------------------------------------------------------

    def answer(self, answered: list[dict[str, Any]], missing: list[dict[str, Any]]) -> None:
        """Compute in place, in rows that hold what was fetched and what was asked; the inner columns go.

        A computed value that is null for want of a fetched one is `missing` for its reason. Raises FeatureStoreError
        for rows that lack a value of the request.
        """
        for each in self.requested:
            convert = converter(each)
            for row in answered:
                row[each.column] = convert(row)
        if self._by_row is not None and len(answered) <= _FEW:
            for row in answered:
                for name, evaluate in self._by_row:
                    row[name] = evaluate(row)
        else:
            self._by_frame(answered)
        self._say_why(answered, missing)
        for row in answered:
            for name in self.inner:
                row.pop(name, None)

    @cached_property
    def _by_row(self) -> list[tuple[str, Evaluate]] | None:
        """What computes each column of one row; None where a function of the project's own sees many."""
        if any(isinstance(step, PythonStep) for step in self.steps):
            return None
        return [(s.name, evaluator(s.expression, self.types)) for s in self.steps if isinstance(s, RowStep)]

    def _by_frame(self, answered: list[dict[str, Any]]) -> None:
        made = {step.name for step in self.steps}
        read = {name: polars_type(dtype) for name, dtype in self.types.items() if name not in made}
        rows = pl.DataFrame({n: pl.Series(n, [r.get(n) for r in answered], t, strict=False) for n, t in read.items()})
        if not read:
            rows = pl.DataFrame({"__festaf_row": range(len(answered))})
        found = self._run(rows.lazy(), ON_POLARS).collect()
        for step in self.steps:
            for row, value in zip(answered, found[step.name].to_list(), strict=True):
                row[step.name] = value

    def _say_why(self, answered: list[dict[str, Any]], missing: list[dict[str, Any]]) -> None:
        for row, why in zip(answered, missing, strict=True):
            if not why:
                continue
            for column, sources in self.sources.items():
                if row[column] is None and (reason := next((why[s] for s in sources if s in why), None)):
                    why[column] = reason
            for name in self.inner:
                why.pop(name, None)


def computation(
    computed: Sequence[tuple[AnyView, Feature]],
    needed: Sequence[tuple[FeatureView, Feature]],
    columns: Mapping[str, str],
    shown: Mapping[str, str],
    project: Path,
) -> Computation | None:
    """How the features `computed` come from those `needed`, which are fetched; each behind what it reads.

    columns: the column of each feature, by full name. shown: those of them that the answer shows. None where nothing is
    computed. Raises FeatureStoreError for a scaled feature whose parameters were not learned.
    """
    if not computed:
        return None
    plan = _Plan(columns, {f"{view.name}.{f.name}": f.dtype for view, f in (*computed, *needed)})
    for view, feature in computed:
        plan.add(view, feature)
    for view, feature in needed:
        plan.types[columns[f"{view.name}.{feature.name}"]] = feature.dtype
    visible = set(shown.values())
    inner = [column for column in (*plan.types, *(s.name for s in plan.steps)) if column not in visible]
    return Computation(
        requested=tuple(plan.requested.values()),
        steps=tuple(plan.steps),
        types=plan.types,
        inner=tuple(dict.fromkeys(name for name in inner if name not in plan.keys)),
        sources={column: tuple(found) for column, found in plan.sources.items() if column in visible},
        project=project,
    )


class _Plan:
    """The steps of one feature after another, over the columns of an answer instead of the names of a view."""

    def __init__(self, columns: Mapping[str, str], known: Mapping[str, DataType]) -> None:
        self._columns = columns
        self._known = known
        self.requested: dict[str, Requested] = {}
        self.steps: list[RowStep | PythonStep] = []
        self.types: dict[str, DataType] = {}
        self.sources: dict[str, list[str]] = {}
        self.keys: set[str] = set()  # columns of the asker's own

    def add(self, view: AnyView, feature: Feature) -> None:
        others = {name: self._known[name] for name in feature.inputs if "." in name}
        there = [f.name for f in view.features if f.name != feature.name]
        try:
            made = steps(view, [feature.name], have=there, others=others)
        except ExpressionError as error:
            raise FeatureStoreError(str(error)) from None
        temporary = {step.name for step in made if step.temporary}

        def called(name: str) -> str:
            return self._called(view, feature, name, temporary)

        for step in made:
            match step:
                case RowStep():
                    name, expression = called(step.name), _renamed(step.expression, called)
                    self.steps.append(RowStep(name, expression, step.dtype, step.temporary))
                case PythonStep():
                    name, inputs = called(step.name), tuple(map(called, step.inputs))
                    self.steps.append(_named(step, name, inputs))
                case _:
                    raise FeatureStoreError(f"{view.name}.{feature.name} is a window, and on demand there is one row.")
            self.types[called(step.name)] = step.dtype
        self._trace(view, feature)

    def _called(self, view: AnyView, feature: Feature, name: str, temporary: set[str]) -> str:
        if name in temporary:
            return f"__festaf_{view.name}__{feature.name}{name}"
        if "." in name:
            return self._columns[name]
        if view.has(name):
            return self._columns[f"{view.name}.{name}"]
        if isinstance(view, OnDemandView):
            column = f"__festaf_{view.name}__{name}"
            dtype = next(key.dtype for key in view.request if key.name == name)
            self.requested[column] = Requested(view.name, name, dtype, column)
            self.types[column] = dtype
            return column
        self.keys.add(name)
        self.types[name] = next(key.dtype for key in view.entities if key.name == name)
        return name

    def _trace(self, view: AnyView, feature: Feature) -> None:
        """Note from which fetched columns a computed one comes in the end."""
        found: dict[str, None] = {}
        for name in feature.inputs:
            full = name if "." in name else f"{view.name}.{name}"
            column = self._columns.get(full)
            if column is not None:
                found.update(dict.fromkeys(self.sources.get(column, [column])))
        self.sources[self._columns[f"{view.name}.{feature.name}"]] = list(found)


def _renamed(expression: Expression, called: Callable[[str], str]) -> Expression:
    """A row-level expression over columns that are called otherwise."""
    match expression:
        case Column(name):
            return Column(called(name))
        case Apply(op, args):
            return Apply(op, tuple(_renamed(arg, called) for arg in args))
        case Cast(arg, dtype):
            return Cast(_renamed(arg, called), dtype)
        case _:
            return expression


@dataclass(frozen=True, slots=True)
class _Called(PythonStep):
    """A function's step whose columns are called otherwise than the function calls them."""

    own_names: tuple[str, ...] = ()

    @property
    def argument_names(self) -> tuple[str, ...]:
        return self.own_names


def _named(step: PythonStep, name: str, inputs: tuple[str, ...]) -> PythonStep:
    return _Called(name, inputs, step.node, step.dtype, step.temporary, step.argument_names)
