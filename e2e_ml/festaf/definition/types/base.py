"""What several types have in common: filling, comparing, ordering, looking up. None of these is a type itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from e2e_ml.festaf.definition.columns import Column, Fill, aggregated, make, noted
from e2e_ml.festaf.definition.constants import accepted, bound, distinct, fitting, ordered, size
from e2e_ml.festaf.model import Constraint

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.aggregation import Aggregation
    from e2e_ml.festaf.definition.types.logic import Bool
    from e2e_ml.festaf.definition.types.numbers import Float64, Int64
    from e2e_ml.festaf.definition.types.text import String

FillT = TypeVar("FillT")  # what may stand in its place
OtherT = TypeVar("OtherT")  # what it is compared with
ValueT = TypeVar("ValueT")  # the constants of its type


class Fillable(Column, Generic[FillT]):
    """What a missing value may be filled with."""

    def fill_null(self, value: FillT) -> Self:
        """With `value`, a constant or another column, where a value is missing."""
        if isinstance(value, Column):
            return make("fill_null", self, value)
        return noted(self, Fill(fitting(self, value, "fill_null")))

    def coalesce(self, *others: FillT) -> Self:
        """The first of it and the others that is not missing."""
        result = self
        for other in others:
            result = make("fill_null", result, other)
        return result


class Equatable(Fillable[FillT], Generic[FillT, OtherT]):
    """What can be compared with its own kind for equality."""

    def __eq__(self, other: OtherT) -> Bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return make("eq", self, other)

    def __ne__(self, other: OtherT) -> Bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return make("ne", self, other)

    __hash__ = object.__hash__

    def unique(self) -> Self:
        """A value that stands in two rows breaks the contract; missing ones do not."""
        return noted(self, Constraint(rule="unique"))

    def distinct(self) -> Aggregation[Int64]:
        """How many different values: `.distinct().over(timedelta(days=1))`."""
        return aggregated(self, "distinct")


class Ordered(Equatable[FillT, OtherT], Generic[FillT, OtherT, ValueT]):
    """What can be put in order, and so has bounds."""

    def __lt__(self, other: OtherT) -> Bool:
        return make("lt", self, other)

    def __le__(self, other: OtherT) -> Bool:
        return make("le", self, other)

    def __gt__(self, other: OtherT) -> Bool:
        return make("gt", self, other)

    def __ge__(self, other: OtherT) -> Bool:
        return make("ge", self, other)

    def between(self, lower: OtherT, upper: OtherT) -> Bool:
        """Whether it lies between them; both are in."""
        return make("and", make("ge", self, lower), make("le", self, upper))

    def lower_bound(self, value: ValueT) -> Self:
        """A value below it breaks the contract; the bound itself is allowed, and so is a missing value."""
        return noted(self, Constraint(rule="lower_bound", value=bound(self, value, "lower_bound")))

    def upper_bound(self, value: ValueT) -> Self:
        """A value above it breaks the contract; the bound itself is allowed, and so is a missing value."""
        return noted(self, Constraint(rule="upper_bound", value=bound(self, value, "upper_bound")))

    def above(self, value: ValueT) -> Self:
        """A value that is not above it breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="above", value=bound(self, value, "above")))

    def below(self, value: ValueT) -> Self:
        """A value that is not below it breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="below", value=bound(self, value, "below")))

    def bounds(self, lower: ValueT, upper: ValueT) -> Self:
        """Both bounds, both allowed themselves."""
        ordered(self, lower, upper)
        return self.lower_bound(lower).upper_bound(upper)

    def min(self) -> Aggregation[Self]:
        """The least value: `.min().over(timedelta(days=1))`."""
        return aggregated(self, "min")

    def max(self) -> Aggregation[Self]:
        """The greatest value: `.max().over(timedelta(days=1))`."""
        return aggregated(self, "max")


class Encodable(Equatable[FillT, OtherT], Generic[FillT, OtherT, ValueT]):
    """What takes few values, and so is encoded: texts, categories and whole numbers."""

    def is_in(self, values: Sequence[ValueT]) -> Bool:
        """Whether it is one of the values."""
        return make("is_in", self, *distinct(values, "is_in"))

    def accepted_values(self, values: Sequence[ValueT]) -> Self:
        """Any other value breaks the contract; a missing one does not."""
        return accepted(self, values)

    def one_hot(self, values: Sequence[ValueT]) -> tuple[Bool, ...]:
        """One feature for each value, true where it is that value: `is_rain, is_snow = c.one_hot(["rain", "snow"])`.

        >>> [column.dtype for column in fs.Category().one_hot(["rain", "snow"])]
        ['bool', 'bool']
        """
        return tuple(make("eq", self, value) for value in distinct(values, "one_hot"))

    def ordinal(self, values: Sequence[ValueT]) -> Int64:
        """The place of it among the values, from 0; missing where it is none of them."""
        return make("ordinal", self, *distinct(values, "ordinal"))

    @overload
    def map(self, values: Mapping[ValueT, bool], default: bool | None = None) -> Bool: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def map(self, values: Mapping[ValueT, int], default: int | None = None) -> Int64: ...
    @overload
    def map(self, values: Mapping[ValueT, float], default: float | None = None) -> Float64: ...
    @overload
    def map(self, values: Mapping[ValueT, str], default: str | None = None) -> String: ...
    def map(self, values: Mapping[ValueT, object], default: object = None) -> Any:
        """What `values` has for it, for others `default` or missing: `deck.map({"A": 1, "B": 2}, default=0)`."""
        size(values, "map")
        pairs = [each for pair in values.items() for each in pair]
        return make("map", self, *pairs, *([] if default is None else [default]))
