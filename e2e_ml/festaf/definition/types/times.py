"""Days, moments, and the time between them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, overload
from typing import Literal as OneOf

from e2e_ml.festaf.definition.columns import aggregated, cast, make
from e2e_ml.festaf.definition.constants import zone
from e2e_ml.festaf.definition.types.base import Ordered

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.aggregation import Aggregation
    from e2e_ml.festaf.definition.types.numbers import Float64, Int64


class Date(Ordered["date | Date", "date | Date", date]):
    """A day."""

    kind: ClassVar[str] = "date"

    def __add__(self, other: timedelta | Duration) -> Timestamp:
        """So much later than its midnight in UTC."""
        return make("add", self, other)

    @overload
    def __sub__(self, other: date | Date) -> Duration: ...
    @overload
    def __sub__(self, other: timedelta | Duration) -> Timestamp: ...
    def __sub__(self, other: date | timedelta | Date | Duration) -> Duration | Timestamp:
        """The time from `other` to it, whole days; or so much earlier than its midnight in UTC."""
        return make("sub", self, other)

    def __rsub__(self, other: date) -> Duration:
        return make("sub", other, self)

    def year(self) -> Int64:
        return make("year", self)

    def quarter(self) -> Int64:
        """1 to 4."""
        return make("quarter", self)

    def month(self) -> Int64:
        return make("month", self)

    def week(self) -> Int64:
        """The week of ISO 8601, 1 to 53."""
        return make("week", self)

    def day(self) -> Int64:
        return make("day", self)

    def weekday(self) -> Int64:
        """1 for Monday to 7 for Sunday."""
        return make("weekday", self)

    def day_of_year(self) -> Int64:
        """1 to 366."""
        return make("day_of_year", self)

    def days_since(self, other: date | Date) -> Int64:
        """Days from `other` to it."""
        return make("days_since", self, other)

    def cast(self, dtype: type[Timestamp] | Timestamp) -> Timestamp:
        """As the moment of its midnight in UTC."""
        return cast(self, dtype)


class Timestamp(Ordered["datetime | Timestamp", "datetime | Timestamp", datetime]):
    """A moment, in UTC. The parts of it are those of the time zone that is asked for."""

    kind: ClassVar[str] = "timestamp"

    def __add__(self, other: timedelta | Duration) -> Timestamp:
        """So much later."""
        return make("add", self, other)

    @overload
    def __sub__(self, other: datetime | Timestamp) -> Duration: ...
    @overload
    def __sub__(self, other: timedelta | Duration) -> Timestamp: ...
    def __sub__(self, other: datetime | timedelta | Timestamp | Duration) -> Duration | Timestamp:
        """The time from `other` to it; or so much earlier."""
        return make("sub", self, other)

    def __rsub__(self, other: datetime) -> Duration:
        return make("sub", other, self)

    def year(self, timezone: str = "UTC") -> Int64:
        return make("year", self, *zone(timezone))

    def quarter(self, timezone: str = "UTC") -> Int64:
        """1 to 4."""
        return make("quarter", self, *zone(timezone))

    def month(self, timezone: str = "UTC") -> Int64:
        return make("month", self, *zone(timezone))

    def week(self, timezone: str = "UTC") -> Int64:
        """The week of ISO 8601, 1 to 53."""
        return make("week", self, *zone(timezone))

    def day(self, timezone: str = "UTC") -> Int64:
        return make("day", self, *zone(timezone))

    def weekday(self, timezone: str = "UTC") -> Int64:
        """1 for Monday to 7 for Sunday."""
        return make("weekday", self, *zone(timezone))

    def day_of_year(self, timezone: str = "UTC") -> Int64:
        """1 to 366."""
        return make("day_of_year", self, *zone(timezone))

    def hour(self, timezone: str = "UTC") -> Int64:
        return make("hour", self, *zone(timezone))

    def minute(self, timezone: str = "UTC") -> Int64:
        return make("minute", self, *zone(timezone))

    def second(self, timezone: str = "UTC") -> Int64:
        return make("second", self, *zone(timezone))

    def date(self, timezone: str = "UTC") -> Date:
        return make("date", self, *zone(timezone))

    def truncate(self, to: OneOf["hour", "day"]) -> Timestamp:
        """The start of its hour or day, in UTC."""
        return make("truncate", self, to)

    def seconds_since(self, other: datetime | Timestamp) -> Float64:
        """Seconds from `other` to it."""
        return make("seconds_since", self, other)


class Duration(Ordered["timedelta | Duration", "timedelta | Duration", timedelta]):
    """A span of time, in whole microseconds."""

    kind: ClassVar[str] = "duration"

    @overload
    def __add__(self, other: timedelta | Duration) -> Duration: ...
    @overload
    def __add__(self, other: date | Timestamp | Date) -> Timestamp: ...
    def __add__(self, other: timedelta | date | Duration | Timestamp | Date) -> Duration | Timestamp:
        return make("add", self, other)

    @overload
    def __radd__(self, other: timedelta) -> Duration: ...
    @overload
    def __radd__(self, other: date) -> Timestamp: ...
    def __radd__(self, other: timedelta | date) -> Duration | Timestamp:
        return make("add", other, self)

    def __sub__(self, other: timedelta | Duration) -> Duration:
        return make("sub", self, other)

    @overload
    def __rsub__(self, other: timedelta) -> Duration: ...
    @overload
    def __rsub__(self, other: date) -> Timestamp: ...
    def __rsub__(self, other: timedelta | date) -> Duration | Timestamp:
        return make("sub", other, self)

    def __neg__(self) -> Duration:
        return make("neg", self)

    def abs(self) -> Duration:
        return make("abs", self)

    def total_seconds(self) -> Float64:
        return make("total_seconds", self)

    def sum(self) -> Aggregation[Duration]:
        """The sum of the values that are not missing; missing where there is none."""
        return aggregated(self, "sum")
