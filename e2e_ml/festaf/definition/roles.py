"""What a column is to its view besides a feature: its key, or one of its two times."""

from __future__ import annotations

from typing import TypeVar

from e2e_ml.festaf.definition.columns import Column, noted
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.definition.types import Timestamp
from e2e_ml.festaf.dtypes import is_key

C = TypeVar("C", bound=Column)


def Entity(column: C) -> C:  # noqa: N802  # it reads as a type in a definition
    """A key column: `origin = fs.Entity(fs.String())`. A row without it is no row."""
    if not isinstance(column, Column) or not is_key(column.dtype):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refuse("an entity's key is a column that can be compared exactly, such as fs.Entity(fs.String()).")
    return noted(column, "entity")


def EventTime() -> Timestamp:  # noqa: N802
    """When a row's values were true. Naive times are read in the source's time zone, or refused."""
    return noted(Timestamp(), "event time")


def CreatedTime() -> Timestamp:  # noqa: N802
    """When a row was written: among rows of equal event time the one created last counts."""
    return noted(Timestamp(), "created time")
