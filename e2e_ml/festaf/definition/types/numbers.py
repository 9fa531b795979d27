"""Numbers: whole ones, real ones and decimals."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.definition.columns import aggregated, cast, make
from e2e_ml.festaf.definition.constants import distinct, size
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.definition.types.base import Encodable, Ordered

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.aggregation import Aggregation
    from e2e_ml.festaf.definition.types.logic import Bool
    from e2e_ml.festaf.definition.types.text import String

ExactT = TypeVar("ExactT", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64", "Decimal", "String")
RealT = TypeVar("RealT", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64")
DecimalT = TypeVar("DecimalT", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64", "Decimal")
FillT = TypeVar("FillT")
ValueT = TypeVar("ValueT")
Value = int | float | decimal.Decimal


class Numeric(Ordered[FillT, "Value | AnyNumber", ValueT], Generic[FillT, ValueT]):
    """What all numbers have in common. Missing in, missing out; division by zero gives a missing value."""

    def __truediv__(self, other: Value | AnyNumber) -> Float64:
        return make("div", self, other)

    def __rtruediv__(self, other: Value) -> Float64:
        return make("div", other, self)

    def __pow__(self, other: Value | AnyNumber) -> Float64:
        return make("pow", self, other)

    def __rpow__(self, other: Value) -> Float64:
        return make("pow", other, self)

    def sign(self) -> Int64:
        """-1, 0 or 1; of NaN it is missing."""
        return make("sign", self)

    def floor(self) -> Float64:
        return make("floor", self)

    def ceil(self) -> Float64:
        return make("ceil", self)

    def round(self, digits: int = 0) -> Float64:
        """The nearest number of so many digits behind the point; of two as near, the one with an even last digit."""
        return make("round", self, digits) if digits else make("round", self)

    def sqrt(self) -> Float64:
        """The square root; of a negative number it is missing."""
        return make("sqrt", self)

    def exp(self) -> Float64:
        """e to the power of it."""
        return make("exp", self)

    def log(self) -> Float64:
        """The natural logarithm; of zero and below it is missing."""
        return make("log", self)

    def bucketize(self, edges: Sequence[float]) -> Int64:
        """How many of the edges are at or below it: a bucket holds its lower edge, and not its upper one."""
        size(edges, "bucketize")
        return make("bucketize", self, *edges)

    def standard_scale(self) -> Float64:
        """(x - mean) / std, with the mean and the deviation that `store.learn` finds on a training set."""
        return make("standard_scale", self)

    def min_max_scale(self) -> Float64:
        """(x - min) / (max - min), with the bounds that `store.learn` finds on a training set."""
        return make("min_max_scale", self)

    def mean(self) -> Aggregation[Float64]:
        """The mean of the values that are not missing: `.mean().over(timedelta(hours=6))`."""
        return aggregated(self, "mean")

    def std(self) -> Aggregation[Float64]:
        """The sample standard deviation; missing for fewer than two values."""
        return aggregated(self, "std")

    def quantile(self, q: float) -> Aggregation[Float64]:
        """The value that a share q of the values lies at or below, linear between the two nearest ones."""
        if isinstance(q, bool) or not isinstance(q, int | float) or not 0 <= q <= 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(f"A quantile lies between 0 and 1, not at {q!r}.")
        return aggregated(self, "quantile", float(q))


AnyNumber = Numeric[Any, Any]


class Integer(Numeric["int | Integer", int], Encodable["int | Integer", "Value | AnyNumber", int]):
    """Whole numbers. Arithmetic among them is in 64 bits; with a float it gives a float."""

    @overload
    def __add__(self, other: int | Integer) -> Int64: ...
    @overload
    def __add__(self, other: decimal.Decimal | Decimal) -> Decimal: ...
    @overload
    def __add__(self, other: float | Floating) -> Float64: ...
    def __add__(self, other: int | Integer | decimal.Decimal | Decimal | float | Floating) -> Any:
        return make("add", self, other)

    @overload
    def __sub__(self, other: int | Integer) -> Int64: ...
    @overload
    def __sub__(self, other: decimal.Decimal | Decimal) -> Decimal: ...
    @overload
    def __sub__(self, other: float | Floating) -> Float64: ...
    def __sub__(self, other: int | Integer | decimal.Decimal | Decimal | float | Floating) -> Any:
        return make("sub", self, other)

    @overload
    def __mul__(self, other: int | Integer) -> Int64: ...
    @overload
    def __mul__(self, other: decimal.Decimal | Decimal) -> Decimal: ...
    @overload
    def __mul__(self, other: float | Floating) -> Float64: ...
    def __mul__(self, other: int | Integer | decimal.Decimal | Decimal | float | Floating) -> Any:
        return make("mul", self, other)

    @overload
    def __floordiv__(self, other: int | Integer) -> Int64: ...
    @overload
    def __floordiv__(self, other: float | Floating) -> Float64: ...
    def __floordiv__(self, other: int | Integer | float | Floating) -> Any:
        return make("floordiv", self, other)

    @overload
    def __mod__(self, other: int | Integer) -> Int64: ...
    @overload
    def __mod__(self, other: float | Floating) -> Float64: ...
    def __mod__(self, other: int | Integer | float | Floating) -> Any:
        return make("mod", self, other)

    @overload
    def __radd__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __radd__(self, other: decimal.Decimal) -> Decimal: ...
    @overload
    def __radd__(self, other: float) -> Float64: ...
    def __radd__(self, other: int | decimal.Decimal | float) -> Any:
        return make("add", other, self)

    @overload
    def __rsub__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rsub__(self, other: decimal.Decimal) -> Decimal: ...
    @overload
    def __rsub__(self, other: float) -> Float64: ...
    def __rsub__(self, other: int | decimal.Decimal | float) -> Any:
        return make("sub", other, self)

    @overload
    def __rmul__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rmul__(self, other: decimal.Decimal) -> Decimal: ...
    @overload
    def __rmul__(self, other: float) -> Float64: ...
    def __rmul__(self, other: int | decimal.Decimal | float) -> Any:
        return make("mul", other, self)

    @overload
    def __rfloordiv__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rfloordiv__(self, other: float) -> Float64: ...
    def __rfloordiv__(self, other: int | float) -> Any:
        return make("floordiv", other, self)

    @overload
    def __rmod__(self, other: int) -> Int64: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __rmod__(self, other: float) -> Float64: ...
    def __rmod__(self, other: int | float) -> Any:
        return make("mod", other, self)

    def __neg__(self) -> Int64:
        return make("neg", self)

    def abs(self) -> Int64:
        return make("abs", self)

    def clip(self, lower: int, upper: int) -> Int64:
        """Itself within the bounds, else the bound that is nearer."""
        return make("clip", self, lower, upper)

    def sum(self) -> Aggregation[Int64]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")

    def cast(self, dtype: type[ExactT] | ExactT) -> ExactT:
        """As another type: `.cast(fs.String)`, `.cast(fs.Decimal(12, 2))`. What it cannot hold becomes missing."""
        return cast(self, dtype)


class Floating(Numeric["Value | AnyNumber", float]):
    """Real numbers. Arithmetic is in 64 bits."""

    def __add__(self, other: Value | AnyNumber) -> Float64:
        return make("add", self, other)

    def __sub__(self, other: Value | AnyNumber) -> Float64:
        return make("sub", self, other)

    def __mul__(self, other: Value | AnyNumber) -> Float64:
        return make("mul", self, other)

    def __floordiv__(self, other: Value | AnyNumber) -> Float64:
        return make("floordiv", self, other)

    def __mod__(self, other: Value | AnyNumber) -> Float64:
        return make("mod", self, other)

    def __radd__(self, other: Value) -> Float64:
        return make("add", other, self)

    def __rsub__(self, other: Value) -> Float64:
        return make("sub", other, self)

    def __rmul__(self, other: Value) -> Float64:
        return make("mul", other, self)

    def __rfloordiv__(self, other: Value) -> Float64:
        return make("floordiv", other, self)

    def __rmod__(self, other: Value) -> Float64:
        return make("mod", other, self)

    def __neg__(self) -> Float64:
        return make("neg", self)

    def abs(self) -> Float64:
        return make("abs", self)

    def clip(self, lower: float, upper: float) -> Float64:
        """Itself within the bounds, else the bound that is nearer; NaN as it is."""
        return make("clip", self, lower, upper)

    def is_nan(self) -> Bool:
        """Whether it is NaN, which is a value and not missing."""
        return make("is_nan", self)

    def is_in(self, values: Sequence[float]) -> Bool:
        """Whether it is one of the values."""
        return make("is_in", self, *distinct(values, "is_in"))

    def sum(self) -> Aggregation[Float64]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")

    def cast(self, dtype: type[RealT] | RealT) -> RealT:
        """As another number: `.cast(fs.Int32)` truncates. What the type cannot hold becomes missing."""
        return cast(self, dtype)


class Decimal(Numeric["int | decimal.Decimal | Integer | Decimal", "int | decimal.Decimal"]):
    """A number of `precision` digits, `scale` of them behind the point: `fs.Decimal(12, 2)` for money.

    Sums, differences and products are exact, in 38 digits; with a float, and divided, it gives a float.
    """

    kind: ClassVar[str] = "decimal"

    def __init__(self, precision: int, scale: int) -> None:
        try:
            self._declare(dtypes.decimal(precision, scale))
        except (dtypes.TypeNameError, TypeError) as error:
            raise refuse(str(error)) from None

    @overload
    def __add__(self, other: int | decimal.Decimal | Integer | Decimal) -> Decimal: ...
    @overload
    def __add__(self, other: float | Floating) -> Float64: ...
    def __add__(self, other: int | decimal.Decimal | Integer | Decimal | float | Floating) -> Any:
        return make("add", self, other)

    @overload
    def __sub__(self, other: int | decimal.Decimal | Integer | Decimal) -> Decimal: ...
    @overload
    def __sub__(self, other: float | Floating) -> Float64: ...
    def __sub__(self, other: int | decimal.Decimal | Integer | Decimal | float | Floating) -> Any:
        return make("sub", self, other)

    @overload
    def __mul__(self, other: int | decimal.Decimal | Integer | Decimal) -> Decimal: ...
    @overload
    def __mul__(self, other: float | Floating) -> Float64: ...
    def __mul__(self, other: int | decimal.Decimal | Integer | Decimal | float | Floating) -> Any:
        return make("mul", self, other)

    @overload
    def __radd__(self, other: int | decimal.Decimal) -> Decimal: ...
    @overload
    def __radd__(self, other: float) -> Float64: ...
    def __radd__(self, other: int | decimal.Decimal | float) -> Any:
        return make("add", other, self)

    @overload
    def __rsub__(self, other: int | decimal.Decimal) -> Decimal: ...
    @overload
    def __rsub__(self, other: float) -> Float64: ...
    def __rsub__(self, other: int | decimal.Decimal | float) -> Any:
        return make("sub", other, self)

    @overload
    def __rmul__(self, other: int | decimal.Decimal) -> Decimal: ...
    @overload
    def __rmul__(self, other: float) -> Float64: ...
    def __rmul__(self, other: int | decimal.Decimal | float) -> Any:
        return make("mul", other, self)

    def __neg__(self) -> Decimal:
        return make("neg", self)

    def abs(self) -> Decimal:
        return make("abs", self)

    def clip(self, lower: int | decimal.Decimal, upper: int | decimal.Decimal) -> Decimal:
        """Itself within the bounds, else the bound that is nearer."""
        return make("clip", self, lower, upper)

    def is_in(self, values: Sequence[int | decimal.Decimal]) -> Bool:
        """Whether it is one of the values."""
        return make("is_in", self, *distinct(values, "is_in"))

    def sum(self) -> Aggregation[Decimal]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")

    def cast(self, dtype: type[DecimalT] | DecimalT) -> DecimalT:
        """As another number: whole ones truncate. What the type cannot hold becomes missing."""
        return cast(self, dtype)


class Int8(Integer):
    """A whole number of 8 bits."""

    kind: ClassVar[str] = "int8"


class Int16(Integer):
    """A whole number of 16 bits."""

    kind: ClassVar[str] = "int16"


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
