"""Texts, times, lists, vectors and structs in plain Python: the other half of `evaluate`.

Each builder takes the operands' types, the result's and the constants; its function gets values that are not null.
"""

# Values are of any type here: `operations` has checked what the operands hold.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, DataType, is_number, kind
from e2e_ml.festaf.expression.patterns import to_portable

Types = Sequence[DataType]
Function = Callable[..., Any]
Build = Callable[[Types, DataType, Sequence[Any]], Function]

_MICROSECOND = timedelta(microseconds=1)
# What Unicode calls white space; Python strips four control characters more.
_WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
# An escaped character, a set, and the sign for the end, which in Python also stands before a last line break.
_END = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\$", re.DOTALL)


# --- text --------------------------------------------------------------------------------------------------------


def _simple(function: Function) -> Build:
    return lambda types, dtype, constants: function


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(_END.sub(lambda found: found[1] or r"\Z", to_portable(text)))


def _matches(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    pattern = _pattern(constants[0])
    return lambda text, _: pattern.fullmatch(text) is not None


def _extract(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    pattern, group = _pattern(constants[0]), int(constants[1])

    def extracted(text: str, *_: Any) -> str | None:
        found = pattern.search(text)
        return None if found is None else found[group]

    return extracted


def _contains(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    if kind(types[0]) != "list":
        return lambda text, part: part in text
    element = dtypes.parse(types[0]).element
    mixed = is_number(element) and not FLOATS.isdisjoint([element, types[1]])
    alike: Function = float if mixed else lambda value: value
    return lambda values, wanted: any(alike(value) == alike(wanted) for value in values if value is not None)


# --- time --------------------------------------------------------------------------------------------------------


def _part(part: Callable[[Any], int]) -> Build:
    def build(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
        if not constants:
            return part
        zone = ZoneInfo(constants[0])
        return lambda time, _: part(time.astimezone(zone))

    return build


def _day(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    zone = ZoneInfo(constants[0]) if constants else UTC
    return lambda time, *_: time.astimezone(zone).date()


def _truncated(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    zeros = {"minute": 0, "second": 0, "microsecond": 0} | ({"hour": 0} if constants[0] == "day" else {})
    return lambda time, _: time.astimezone(UTC).replace(**zeros)


def _seconds(span: timedelta) -> float:
    return (span // _MICROSECOND) / 1e6


def _days_between(later: date, earlier: date) -> int:
    return later.toordinal() - earlier.toordinal()


def _seconds_between(later: datetime, earlier: datetime) -> float:
    return _seconds(later - earlier)


# --- lists, vectors, structs -------------------------------------------------------------------------------------


def _get(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _list_sum(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    if dtype == "float64":
        return lambda values: sum((float(v) for v in values if v is not None), 0.0)
    return lambda values: (sum(v for v in values if v is not None) + 2**63) % 2**64 - 2**63


def _list_mean(values: Sequence[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _extreme(choose: Callable[[Sequence[Any]], Any]) -> Function:
    def chosen(values: Sequence[Any]) -> Any:
        known = [value for value in values if value is not None]
        if any(value != value for value in known):
            return math.nan
        return choose(known) if known else None

    return chosen


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum((x * y for x, y in zip(a, b, strict=True)), 0.0)


def _norm(values: Sequence[float]) -> float:
    return math.sqrt(_dot(values, values))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float | None:
    width = _norm(a) * _norm(b)
    return None if width == 0 else _dot(a, b) / width


FUNCTIONS: Mapping[str, Build] = {
    "contains": _contains,
    "starts_with": _simple(str.startswith),
    "ends_with": _simple(str.endswith),
    "matches": _matches,
    "extract": _extract,
    "lower": _simple(str.lower),
    "upper": _simple(str.upper),
    "strip": _simple(lambda text: text.strip(_WHITE)),
    "replace": _simple(str.replace),
    "split": _simple(str.split),
    "slice": _simple(lambda text, start, length: text[start : start + length]),
    "length": _simple(len),
    "year": _part(lambda time: time.year),
    "quarter": _part(lambda time: (time.month + 2) // 3),
    "month": _part(lambda time: time.month),
    "week": _part(lambda time: time.isocalendar()[1]),
    "day": _part(lambda time: time.day),
    "weekday": _part(lambda time: time.isoweekday()),
    "day_of_year": _part(lambda time: time.timetuple().tm_yday),
    "hour": _part(lambda time: time.hour),
    "minute": _part(lambda time: time.minute),
    "second": _part(lambda time: time.second),
    "date": _day,
    "truncate": _truncated,
    "seconds_since": _simple(_seconds_between),
    "days_since": _simple(_days_between),
    "total_seconds": _simple(_seconds),
    "get": _simple(_get),
    "sum": _list_sum,
    "mean": _simple(_list_mean),
    "min": _simple(_extreme(min)),
    "max": _simple(_extreme(max)),
    "dot": _simple(_dot),
    "cosine_similarity": _simple(_cosine),
    "l2_norm": _simple(_norm),
    "field": _simple(lambda value, name: value.get(name)),
}
