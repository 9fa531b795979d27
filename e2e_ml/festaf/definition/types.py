"""The types of columns, each with just the operations that mean something for it.

A type checker sees the same: `sex.lower_bound(0)` on a String is an error in the editor, and a sentence when it runs.
What each operation means, with missing values and NaN, is written in `operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from e2e_ml.festaf.definition.aggregation import Aggregation
from e2e_ml.festaf.definition.columns import Column, Fill, aggregated, cast, make, noted
from e2e_ml.festaf.definition.constants import accepted, distinct, fitting, ordered, zone
from e2e_ml.festaf.expression import to_json
from e2e_ml.festaf.model import Constraint

OtherT = TypeVar("OtherT")
ValueT = TypeVar("ValueT")
NumberT = TypeVar("NumberT", "Int32", "Int64", "Float32", "Float64")
CastT = TypeVar("CastT", "Int32", "Int64", "Float32", "Float64", "String")


class Equatable(Column, Generic[OtherT]):
    """What can be compared with its own kind for equality, and filled with it where it is missing."""

    def __eq__(self, other: OtherT) -> Bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return make("eq", self, other)

    def __ne__(self, other: OtherT) -> Bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return make("ne", self, other)

    __hash__ = object.__hash__

    def fill_null(self, value: OtherT) -> Self:
        """With `value`, a constant or another column, where a value is missing."""
        if isinstance(value, Column):
            return make("fill_null", self, value)
        return noted(self, Fill(fitting(self, value, "fill_null")))


class Ordered(Equatable[OtherT], Generic[OtherT, ValueT]):
    """What can be put in order, and so has bounds."""

    def __lt__(self, other: OtherT) -> Bool:
        return make("lt", self, other)

    def __le__(self, other: OtherT) -> Bool:
        return make("le", self, other)

    def __gt__(self, other: OtherT) -> Bool:
        return make("gt", self, other)

    def __ge__(self, other: OtherT) -> Bool:
        return make("ge", self, other)

    def lower_bound(self, value: ValueT) -> Self:
        """A value below it breaks the contract; the bound itself is allowed, and so is a missing value."""
        return noted(self, Constraint(rule="lower_bound", value=to_json(fitting(self, value, "lower_bound"))["value"]))

    def upper_bound(self, value: ValueT) -> Self:
        """A value above it breaks the contract; the bound itself is allowed, and so is a missing value."""
        return noted(self, Constraint(rule="upper_bound", value=to_json(fitting(self, value, "upper_bound"))["value"]))

    def bounds(self, lower: ValueT, upper: ValueT) -> Self:
        """Both bounds, both allowed themselves."""
        ordered(self, lower, upper)
        return self.lower_bound(lower).upper_bound(upper)


class Numeric(Ordered["float | Numeric", float]):
    """What all numbers have in common. Missing in, missing out; division by zero gives a missing value."""

    def __truediv__(self, other: float | Numeric) -> Float64:
        return make("div", self, other)

    def __rtruediv__(self, other: float) -> Float64:
        return make("div", other, self)

    def floor(self) -> Float64:
        return make("floor", self)

    def ceil(self) -> Float64:
        return make("ceil", self)

    def sqrt(self) -> Float64:
        """The square root; of a negative number it is missing."""
        return make("sqrt", self)

    def log(self) -> Float64:
        """The natural logarithm; of zero and below it is missing."""
        return make("log", self)

    def standard_scale(self) -> Float64:
        """(x - mean) / std, with the mean and the deviation that `store.learn` finds on a training set."""
        return make("standard_scale", self)

    def min_max_scale(self) -> Float64:
        """(x - min) / (max - min), with the bounds that `store.learn` finds on a training set."""
        return make("min_max_scale", self)

    def is_in(self, values: Sequence[float]) -> Bool:
        return make("is_in", self, *distinct(values, "is_in"))

    def mean(self) -> Aggregation[Float64]:
        """The mean of the values that are not missing: `.mean().over(timedelta(hours=6))`."""
        return aggregated(self, "mean")

    def std(self) -> Aggregation[Float64]:
        """The sample standard deviation; missing for fewer than two values."""
        return aggregated(self, "std")

    def min(self) -> Aggregation[Self]:
        return aggregated(self, "min")

    def max(self) -> Aggregation[Self]:
        return aggregated(self, "max")


class Integer(Numeric):
    """Whole numbers. Arithmetic among them is in 64 bits; with a float it gives a float."""

    @overload
    def __add__(self, other: int | Integer) -> Int64: ...
    @overload
    def __add__(self, other: float | Floating) -> Float64: ...
    def __add__(self, other: float | Numeric) -> Any:
        return make("add", self, other)

    @overload
    def __sub__(self, other: int | Integer) -> Int64: ...
    @overload
    def __sub__(self, other: float | Floating) -> Float64: ...
    def __sub__(self, other: float | Numeric) -> Any:
        return make("sub", self, other)

    @overload
    def __mul__(self, other: int | Integer) -> Int64: ...
    @overload
    def __mul__(self, other: float | Floating) -> Float64: ...
    def __mul__(self, other: float | Numeric) -> Any:
        return make("mul", self, other)

    @overload
    def __floordiv__(self, other: int | Integer) -> Int64: ...
    @overload
    def __floordiv__(self, other: float | Floating) -> Float64: ...
    def __floordiv__(self, other: float | Numeric) -> Any:
        return make("floordiv", self, other)

    @overload
    def __mod__(self, other: int | Integer) -> Int64: ...
    @overload
    def __mod__(self, other: float | Floating) -> Float64: ...
    def __mod__(self, other: float | Numeric) -> Any:
        return make("mod", self, other)

    @overload
    def __radd__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __radd__(self, other: float) -> Float64: ...
    def __radd__(self, other: float) -> Any:
        return make("add", other, self)

    @overload
    def __rsub__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rsub__(self, other: float) -> Float64: ...
    def __rsub__(self, other: float) -> Any:
        return make("sub", other, self)

    @overload
    def __rmul__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rmul__(self, other: float) -> Float64: ...
    def __rmul__(self, other: float) -> Any:
        return make("mul", other, self)

    @overload
    def __rfloordiv__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rfloordiv__(self, other: float) -> Float64: ...
    def __rfloordiv__(self, other: float) -> Any:
        return make("floordiv", other, self)

    @overload
    def __rmod__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rmod__(self, other: float) -> Float64: ...
    def __rmod__(self, other: float) -> Any:
        return make("mod", other, self)

    def __neg__(self) -> Int64:
        return make("neg", self)

    def abs(self) -> Int64:
        return make("abs", self)

    def sum(self) -> Aggregation[Int64]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")

    def cast(self, dtype: type[CastT]) -> CastT:
        """As another type: `.cast(fs.String)`. What the type cannot hold becomes missing."""
        return cast(self, dtype)

    def accepted_values(self, values: Sequence[int]) -> Self:
        """Any other value breaks the contract; a missing one does not."""
        return accepted(self, values)


class Floating(Numeric):
    """Real numbers. Arithmetic is in 64 bits."""

    def __add__(self, other: float | Numeric) -> Float64:
        return make("add", self, other)

    def __sub__(self, other: float | Numeric) -> Float64:
        return make("sub", self, other)

    def __mul__(self, other: float | Numeric) -> Float64:
        return make("mul", self, other)

    def __floordiv__(self, other: float | Numeric) -> Float64:
        return make("floordiv", self, other)

    def __mod__(self, other: float | Numeric) -> Float64:
        return make("mod", self, other)

    def __radd__(self, other: float) -> Float64:
        return make("add", other, self)

    def __rsub__(self, other: float) -> Float64:
        return make("sub", other, self)

    def __rmul__(self, other: float) -> Float64:
        return make("mul", other, self)

    def __rfloordiv__(self, other: float) -> Float64:
        return make("floordiv", other, self)

    def __rmod__(self, other: float) -> Float64:
        return make("mod", other, self)

    def __neg__(self) -> Float64:
        return make("neg", self)

    def abs(self) -> Float64:
        return make("abs", self)

    def sum(self) -> Aggregation[Float64]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")

    def cast(self, dtype: type[NumberT]) -> NumberT:
        """As another number: `.cast(fs.Int32)` truncates. What the type cannot hold becomes missing."""
        return cast(self, dtype)


class Int32(Integer):
    """A whole number of 32 bits."""

    kind: ClassVar[str] = "int32"


class Int64(Integer):
    """A whole number of 64 bits."""

    kind: ClassVar[str] = "int64"


class Float32(Floating):
    """A real number of 32 bits."""

    kind: ClassVar[str] = "float32"


class Float64(Floating):
    """A real number of 64 bits."""

    kind: ClassVar[str] = "float64"


class Bool(Equatable["bool | Bool"]):
    """True, false or missing; `&`, `|` and `~` are and, or and not in three-valued logic."""

    kind: ClassVar[str] = "bool"

    def __and__(self, other: bool | Bool) -> Bool:
        return make("and", self, other)

    def __rand__(self, other: bool) -> Bool:
        return make("and", other, self)

    def __or__(self, other: bool | Bool) -> Bool:
        return make("or", self, other)

    def __ror__(self, other: bool) -> Bool:
        return make("or", other, self)

    def __invert__(self) -> Bool:
        return make("not", self)

    def cast(self, dtype: type[NumberT]) -> NumberT:
        """As a number: 1 for true, 0 for false."""
        return cast(self, dtype)

    def mean(self) -> Aggregation[Float64]:
        """The share of true among the values that are not missing."""
        return self.cast(Float64).mean()

    def sum(self) -> Aggregation[Int64]:
        """How many are true; missing where no value is known."""
        return self.cast(Int64).sum()


class String(Equatable["str | String"]):
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

    def contains(self, text: str) -> Bool:
        """Whether `text` occurs in it, as it stands: no pattern."""
        return make("contains", self, text)

    def starts_with(self, text: str) -> Bool:
        return make("starts_with", self, text)

    def ends_with(self, text: str) -> Bool:
        return make("ends_with", self, text)

    def lower(self) -> String:
        return make("lower", self)

    def upper(self) -> String:
        return make("upper", self)

    def strip(self) -> String:
        """Without the white space at its ends."""
        return make("strip", self)

    def length(self) -> Int64:
        """How many characters (code points)."""
        return make("length", self)

    def is_in(self, values: Sequence[str]) -> Bool:
        return make("is_in", self, *distinct(values, "is_in"))

    def accepted_values(self, values: Sequence[str]) -> Self:
        """Any other value breaks the contract; a missing one does not."""
        return accepted(self, values)

    def one_hot(self, values: Sequence[str]) -> tuple[Bool, ...]:
        """One feature for each value, true where it is that value: `is_rain, is_snow = c.one_hot(["rain", "snow"])`."""
        return tuple(self == value for value in distinct(values, "one_hot"))


class Date(Ordered["date | Date", date]):
    """A day."""

    kind: ClassVar[str] = "date"

    def year(self) -> Int64:
        return make("year", self)

    def month(self) -> Int64:
        return make("month", self)

    def day(self) -> Int64:
        return make("day", self)

    def weekday(self) -> Int64:
        """1 for Monday to 7 for Sunday."""
        return make("weekday", self)

    def days_since(self, other: date | Date) -> Int64:
        """Days from `other` to it."""
        return make("days_since", self, other)


class Timestamp(Ordered["datetime | Timestamp", datetime]):
    """A moment, in UTC. The parts of it are those of the time zone that is asked for."""

    kind: ClassVar[str] = "timestamp"

    def year(self, timezone: str = "UTC") -> Int64:
        return make("year", self, *zone(timezone))

    def month(self, timezone: str = "UTC") -> Int64:
        return make("month", self, *zone(timezone))

    def day(self, timezone: str = "UTC") -> Int64:
        return make("day", self, *zone(timezone))

    def weekday(self, timezone: str = "UTC") -> Int64:
        """1 for Monday to 7 for Sunday."""
        return make("weekday", self, *zone(timezone))

    def hour(self, timezone: str = "UTC") -> Int64:
        return make("hour", self, *zone(timezone))

    def minute(self, timezone: str = "UTC") -> Int64:
        return make("minute", self, *zone(timezone))

    def date(self, timezone: str = "UTC") -> Date:
        return make("date", self, *zone(timezone))

    def seconds_since(self, other: datetime | Timestamp) -> Float64:
        """Seconds from `other` to it."""
        return make("seconds_since", self, other)
