"""Texts: free ones, and those of a small set of values."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

from e2e_ml.festaf.definition.columns import cast, make, noted
from e2e_ml.festaf.definition.constants import length, pattern
from e2e_ml.festaf.definition.types.base import Encodable
from e2e_ml.festaf.definition.types.logic import Bool
from e2e_ml.festaf.definition.types.nested import List
from e2e_ml.festaf.definition.types.numbers import Float32, Float64, Int8, Int16, Int32, Int64
from e2e_ml.festaf.definition.types.times import Date
from e2e_ml.festaf.model import Constraint

ParsedT = TypeVar("ParsedT", Int8, Int16, Int32, Int64, Float32, Float64, Date, "Category")


class String(Encodable["str | String | Category", "str | String | Category", str]):
    """Text."""

    kind: ClassVar[str] = "string"

    def __lt__(self, other: str | String) -> Bool:
        return make("lt", self, other)

    def __le__(self, other: str | String) -> Bool:
        return make("le", self, other)

    def __gt__(self, other: str | String) -> Bool:
        return make("gt", self, other)

    def __ge__(self, other: str | String) -> Bool:
        return make("ge", self, other)

    def __add__(self, other: str | String) -> String:
        """One text behind the other."""
        return make("add", self, other)

    def __radd__(self, other: str) -> String:
        return make("add", other, self)

    def contains(self, text: str) -> Bool:
        """Whether `text` occurs in it, as it stands: no pattern."""
        return make("contains", self, text)

    def starts_with(self, text: str) -> Bool:
        return make("starts_with", self, text)

    def ends_with(self, text: str) -> Bool:
        return make("ends_with", self, text)

    def matches(self, pattern: str) -> Bool:
        """Whether the whole of it fits the regular expression: `.matches(r"[A-Z]\\d+")`. Of the kind that all engines
        read alike: `expression.patterns`."""
        return make("matches", self, pattern)

    def extract(self, pattern: str, group: int = 1) -> String:
        """What a group of the regular expression holds in its first match, 0 for the whole match; missing without."""
        return make("extract", self, pattern, group)

    def lower(self) -> String:
        return make("lower", self)

    def upper(self) -> String:
        return make("upper", self)

    def strip(self) -> String:
        """Without the white space at its ends."""
        return make("strip", self)

    def replace(self, old: str, new: str) -> String:
        """With `new` for every `old`, both as they stand."""
        return make("replace", self, old, new)

    def split(self, separator: str) -> List[String]:
        """The parts between the separators: `.split(",").get(0)`."""
        return make("split", self, separator)

    def slice(self, start: int, length: int) -> String:
        """So many characters (code points) from the one at `start` on, counted from 0."""
        return make("slice", self, start, length)

    def left(self, length: int) -> String:
        """Its first characters."""
        return make("slice", self, 0, length)

    def length(self) -> Int64:
        """How many characters (code points)."""
        return make("length", self)

    def min_length(self, least: int) -> Self:
        """A shorter text breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="min_length", value=length(least, "min_length")))

    def max_length(self, most: int) -> Self:
        """A longer text breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="max_length", value=length(most, "max_length")))

    def must_match(self, expression: str) -> Self:
        """A text that does not fit the regular expression as a whole breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="matches", value=pattern(expression)))

    def cast(self, dtype: type[ParsedT] | ParsedT) -> ParsedT:
        """As a number, a day (2013-02-28) or a category. Other text becomes missing."""
        return cast(self, dtype)


class Category(Encodable["str | String | Category", "str | String | Category", str]):
    """Text of a small set of values. Say which: `.accepted_values([...])`."""

    kind: ClassVar[str] = "category"

    def cast(self, dtype: type[String] | String) -> String:
        """As text, for its operations."""
        return cast(self, dtype)
