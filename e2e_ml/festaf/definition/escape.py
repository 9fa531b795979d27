"""The escape hatch: a column that a function of the project's own code computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from e2e_ml.festaf import expression as ex
from e2e_ml.festaf.definition.columns import Column, computed, dtype_of
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.expression.functions import identify

if TYPE_CHECKING:
    import polars as pl

C = TypeVar("C", bound=Column)


def python(function: Callable[[pl.DataFrame], pl.Series], type_: type[C] | C, *columns: Column) -> C:
    """What `function` makes of columns, where no expression says it: `chill = fs.python(wind_chill, fs.Float64, temp)`.

    The function stands in a module of the project folder. It gets a Polars frame of these columns, under their own
    names, of any number of rows at a time, and gives a series as long, whose values depend on their own row alone. The
    registry keeps its module, its name and the hash of its source; it is marked as Python wherever it shows, and runs
    on no engine but Polars. Prefer an expression: it is read by people, runs everywhere, and needs no code at hand.

    Raises DefinitionError for what is no such function, and without columns.
    """
    if not columns or not all(isinstance(column, Column) for column in columns):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refuse("a function takes columns, at least one: fs.python(wind_chill, fs.Float64, temp, wind).")
    try:
        found = identify(function)
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None
    dtype = dtype_of(type_)
    build = partial(_node, module=found.module, function=found.name, sha256=found.sha256, dtype=dtype)
    return computed(dtype, build, *columns)


def _node(*args: ex.Expression, module: str, function: str, sha256: str, dtype: str) -> ex.Expression:
    names = [arg.name.rpartition(".")[2] for arg in args if isinstance(arg, ex.Column)]
    if len(names) != len(args):
        raise refuse("a function takes columns with a name. Give that expression a line of its own.")
    if len(set(names)) != len(names):
        raise refuse(f"a function takes columns of different names, not {', '.join(names)}.")
    return ex.Python(module, function, sha256, dtype, args)
