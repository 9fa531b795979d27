"""Bool, and the choice between values by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar, overload

from e2e_ml.festaf.definition.aggregation import Aggregation
from e2e_ml.festaf.definition.columns import Column, UnknownOperationError, aggregated, cast, column_of, make
from e2e_ml.festaf.definition.places import here, refuse
from e2e_ml.festaf.definition.types.base import Equatable, Fillable

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.types.numbers import Float32, Float64, Int8, Int16, Int32, Int64
    from e2e_ml.festaf.definition.types.text import String
    from e2e_ml.festaf.definition.types.times import Date, Duration, Timestamp

CastT = TypeVar("CastT", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64", "String")
ColumnT = TypeVar("ColumnT", bound=Column)
ColumnT_co = TypeVar("ColumnT_co", bound=Column, covariant=True)
FillT = TypeVar("FillT")


class Bool(Equatable["bool | Bool", "bool | Bool"]):
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

    def cast(self, dtype: type[CastT] | CastT) -> CastT:
        """As a number, 1 for true and 0 for false, or as the text true or false."""
        return cast(self, dtype)

    def mean(self) -> Aggregation[Float64]:
        """The share of true among the values that are not missing."""
        return aggregated(cast(self, column_of("float64")), "mean")

    def sum(self) -> Aggregation[Int64]:
        """How many are true; missing where no value is known."""
        return aggregated(cast(self, column_of("int64")), "sum")


# --- when(condition).then(value).otherwise(other) ----------------------------------------------------------------

Constant = bool | int | float | str | date | datetime | timedelta


def when(condition: Bool) -> When:
    """A choice:

    >>> temp = fs.Float64()
    >>> fs.when(temp < 0).then("ice").when(temp < 10).then("cold").otherwise("mild").dtype
    'string'

    The first condition that is true decides; one that is missing does not hold. All values are of the first one's type.
    `.otherwise` ends it; `.otherwise_null()` where nothing is known then.
    """
    return When((), condition)


class When:
    """A condition that still needs its value."""

    __slots__ = ("_cases", "_condition")

    def __init__(self, cases: Sequence[object], condition: object) -> None:
        if not isinstance(condition, Bool):
            raise refuse(f"when takes a condition that is true or false, such as temp > 32, not {condition!r}.")
        self._cases = tuple(cases)
        self._condition = condition

    @overload
    def then(self, value: ColumnT) -> Then[ColumnT]: ...
    @overload
    def then(self, value: bool) -> Then[Bool]: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def then(self, value: int) -> Then[Int64]: ...
    @overload
    def then(self, value: float) -> Then[Float64]: ...
    @overload
    def then(self, value: str) -> Then[String]: ...
    @overload
    def then(self, value: datetime) -> Then[Timestamp]: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def then(self, value: date) -> Then[Date]: ...
    @overload
    def then(self, value: timedelta) -> Then[Duration]: ...
    def then(self, value: Column | Constant) -> Any:
        """The value where the condition is true."""
        return Then[Any]((*self._cases, self._condition, value))


class Then(Generic[ColumnT_co]):
    """A choice that may go on, and has to end with `.otherwise(...)` or `.otherwise_null()`."""

    __slots__ = ("_cases",)

    def __init__(self, cases: Sequence[object]) -> None:
        self._cases = tuple(cases)
        self.otherwise_null()  # so that values that do not fit are refused at their own line

    def when(self: Then[Fillable[FillT]], condition: Bool) -> NextWhen[ColumnT_co, FillT]:
        """The next condition, for rows where none before it was true."""
        return NextWhen(self._cases, condition)

    def otherwise(self: Then[Fillable[FillT]], value: FillT) -> ColumnT_co:
        """The value where no condition was true."""
        return make("when", *self._cases, value)

    def otherwise_null(self) -> ColumnT_co:
        """Missing where no condition was true."""
        return make("when", *self._cases)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownOperationError(f"a choice needs its end before {name}: .otherwise(...).", here())


class NextWhen(Generic[ColumnT_co, FillT]):
    """A further condition that still needs its value."""

    __slots__ = ("_cases", "_condition")

    def __init__(self, cases: Sequence[object], condition: Bool) -> None:
        first = When(cases, condition)
        self._cases, self._condition = cases, first._condition  # pyright: ignore[reportPrivateUsage]

    def then(self, value: FillT) -> Then[ColumnT_co]:
        """The value where the condition is true, and none before it was."""
        return Then((*self._cases, self._condition, value))
