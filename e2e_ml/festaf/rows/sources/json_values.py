"""Values as JSON and text have them, made into values of a type: what JSON lacks is text, as people write it.

A date and a timestamp are ISO 8601, a decimal is text or a number, a span of time ISO 8601 (`PT1H30M`), hours, minutes
and seconds (`1:30:00`) or whole microseconds; NaN and the infinities are the texts `nan`, `inf` and `-inf`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType

Convert = Callable[[Any], Any]

_TRUE, _FALSE = {"true", "t", "yes", "1"}, {"false", "f", "no", "0"}
_EXACT = Context(prec=2 * dtypes.MAX_PRECISION, rounding=ROUND_HALF_EVEN)
_ISO_SPAN = re.compile(
    r"(?P<sign>-)?P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,9})?)S)?)?"
)
_CLOCK_SPAN = re.compile(
    r"(?:(?P<days>-?\d+) days?,? )?(?P<sign>-)?(?P<hours>\d+):(?P<minutes>\d\d)(?::(?P<seconds>\d\d(?:\.\d{1,9})?))?"
)


@cache
def converter(dtype: DataType, timezone: str | None = None) -> Convert:
    """What makes a value of the type of a JSON value or text that is not None; its callers keep None as it is.

    `timezone` is the zone of times that name none. It raises ValueError or TypeError for a value that is none of the
    type: text of a number is one, a fraction of an integer or a bool of a number is not.
    """
    parsed = dtypes.parse(dtype)
    match parsed.kind:
        case "bool":
            return _bool
        case "int8" | "int16" | "int32" | "int64":
            limit = 2 ** (int(parsed.kind.removeprefix("int")) - 1)
            return lambda value: _integer(value, limit)
        case "float32" | "float64":
            return _float
        case "string" | "category":
            return _text
        case "date":
            return _date
        case "timestamp":
            return lambda value: timestamp(value, timezone)
        case "duration":
            return duration
        case "decimal":
            return lambda value: _decimal(value, parsed.precision, parsed.scale)
        case "struct":
            return _struct({name: _or_none(converter(inner, timezone)) for name, inner in parsed.fields.items()})
        case _:
            return _sequence(_or_none(converter(parsed.element, timezone)), parsed.size or None)


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if isinstance(value, str | int) and text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError


def _integer(value: Any, limit: int) -> int:
    if isinstance(value, bool):
        raise TypeError
    number = int(value) if not isinstance(value, str) else int(value.strip())
    if number != (value if not isinstance(value, str) else number) or not -limit <= number < limit:
        raise ValueError
    return number


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(_text(value).strip())


def timestamp(value: Any, timezone: str | None) -> datetime:
    """A moment in UTC. Raises LookupError for a naive one where there is no zone for it."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value).strip())
    if moment.tzinfo is None:
        if timezone is None:
            raise LookupError
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def duration(value: Any) -> timedelta:
    """A span of time. Raises ValueError or TypeError for what is none."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(microseconds=value)
    text = _text(value).strip()
    found = _CLOCK_SPAN.fullmatch(text) or (_ISO_SPAN.fullmatch(text) if text[-1:] not in ("P", "T") else None)
    if found is None:
        raise ValueError
    parts = found.groupdict()
    sign = -1 if parts.pop("sign") else 1
    days = timedelta(days=float(parts.pop("days") or 0))
    rest = timedelta(**{name: float(number) for name, number in parts.items() if number})
    # The sign of ISO 8601 is of the whole, one before a clock is of the clock alone.
    return sign * (days + rest) if text.lstrip("-").startswith("P") else days + sign * rest


def _decimal(value: Any, precision: int, scale: int) -> Decimal:
    if isinstance(value, bool):
        raise TypeError
    number = Decimal(str(value).strip())
    exact = number.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    if not number.is_finite() or len(exact.as_tuple().digits) > precision:
        raise ValueError
    return exact


def _sequence(convert: Convert, size: int | None) -> Convert:
    def sequence(value: Any) -> list[Any]:
        given: Any = orjson.loads(value) if isinstance(value, str | bytes) else value
        if not isinstance(given, list | tuple):
            raise TypeError
        items = [convert(item) for item in cast("list[Any]", given)]
        if size is not None and (len(items) != size or None in items):
            raise ValueError
        return items

    return sequence


def _struct(fields: dict[str, Convert]) -> Convert:
    def struct(value: Any) -> dict[str, Any]:
        given: Any = orjson.loads(value) if isinstance(value, str | bytes) else value
        if not isinstance(given, dict):
            raise TypeError
        known = cast("dict[str, Any]", given)
        return {name: convert(known.get(name)) for name, convert in fields.items()}

    return struct
