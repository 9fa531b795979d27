"""The body of a view's or service's class, read with care: its options, checked one by one, and its columns."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.aggregation import Aggregation
from e2e_ml.festaf.definition.classes import Owner
from e2e_ml.festaf.definition.columns import Column, full_name
from e2e_ml.festaf.definition.places import DefinitionError, here
from e2e_ml.festaf.naming import snake_case

T = TypeVar("T")


class ClassBody:
    """The body of a definition's class: its options, checked, and its members."""

    def __init__(self, owner: type, options: tuple[str, ...], base: type) -> None:
        self._class = owner
        self._options = options
        self._place = replace(here(), owner=owner.__name__)
        self.name = snake_case(owner.__name__)
        if base not in owner.__bases__:
            raise self.error(f"it extends {owner.__bases__[0].__name__}. Extend fs.{base.__name__} itself.")
        if "__" in self.name or self.name.startswith("_"):
            raise self.error("its name holds a double underscore, which stands between view and feature in answers.")

    def error(self, sentence: str, field: str = "") -> DefinitionError:
        return DefinitionError(sentence, self._place, field)

    @property
    def description(self) -> str:
        return inspect.cleandoc(self._class.__dict__.get("__doc__") or "")

    def members(self) -> Iterator[tuple[str, Column]]:
        """The columns of the body, by name. Raises DefinitionError for what has no meaning there."""
        for name, value in list(self._class.__dict__.items()):
            if isinstance(value, Aggregation):
                raise self.error(f"{value.aggregate}() needs its window: .over(timedelta(...)).", name)
            if name.startswith("_") or (name in self._options and not self._misplaced(name, value)):
                continue
            if not isinstance(value, Column):
                raise self._unknown(name, cast("object", value))
            if "__" in name:
                raise self.error(
                    "a double underscore stands between view and feature in answers: take a single one.", name
                )
            yield name, value

    def _misplaced(self, name: str, value: object) -> bool:
        """A column under the name of an option."""
        if isinstance(value, Column) and name == "features":
            raise self.error(f"features are a list: [{full_name(value)}].", name)
        if isinstance(value, Column) and name != "target":
            raise self.error(
                f"{name} is what the {self._class.__bases__[0].__name__} says of itself: rename the column.", name
            )
        return False

    def _unknown(self, name: str, value: object) -> DefinitionError:
        if isinstance(value, tuple | list) and any(isinstance(v, Column) for v in cast("Sequence[object]", value)):
            return self.error(f"it holds several columns: give each a name, as in {name}_a, {name}_b = ...", name)
        if isinstance(value, type) and issubclass(value, Column):
            return self.error(f"it is a type, and not yet a column of it: fs.{value.__name__}().", name)
        close = difflib.get_close_matches(name, self._options, 1)
        hint = f" Did you mean {close[0]}?" if close else f" There are: {', '.join(self._options)}."
        return self.error(f"it is neither a column nor an option.{hint}", name)

    def get(self, option: str, *types: type[T]) -> T | None:
        value: Any = self._class.__dict__.get(option)
        if value is not None and not isinstance(value, types):
            wanted = " or ".join(t.__name__ for t in types)
            raise self.error(f"it takes a {wanted}, not {value!r}.", option)
        return value

    def text(self, option: str) -> str:
        return " ".join((self.get(option, str) or "").split())

    def time(self, option: str) -> datetime | None:
        value = self.get(option, datetime)
        if value is not None and value.utcoffset() is None:
            raise self.error(f"{value!r} has no time zone: write it with tzinfo=UTC or the zone it means.", option)
        return value and value.astimezone(UTC)

    def owner(self) -> model.Owner | None:
        owner = self.get("owner", Owner)
        return owner and model.Owner(name=owner.name, email=owner.email)

    def tags(self) -> tuple[str, ...]:
        tags = cast("Sequence[object]", self.get("tags", list, tuple) or ())
        if not all(isinstance(tag, str) for tag in tags):
            raise self.error(f"tags are words, not {tags!r}.", "tags")
        return tuple(str(tag) for tag in tags)
