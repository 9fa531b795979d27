"""What windows and point-in-time joins mean, in the plainest Python: what every engine is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from e2e_ml.festaf.expression import Window

Row = dict[str, Any]


def window(
    rows: Sequence[Row], at: int, value: str, over: Window, group: Sequence[str], time: str | None, created: str | None
) -> Any:
    """The window `over` of the column `value` at the row numbered `at`."""
    return of_seen(seen(rows, at, over, group, time, created), rows[at], value, over, time)


def seen(
    rows: Sequence[Row], at: int, over: Window, group: Sequence[str], time: str | None, created: str | None
) -> list[Row]:
    """The rows that a window at the row numbered `at` sees, in order."""
    own = rows[at]
    mine = [(_rank(row, i, time, created), row) for i, row in enumerate(rows) if _same(row, own, group)]
    mine.sort(key=lambda pair: pair[0])
    if over.rows is not None:
        upto = [row for rank, row in mine if rank <= _rank(own, at, time, created)]
        return upto[-over.rows :]
    if time is None:
        return [row for _, row in mine]
    upto = [row for _, row in mine if row[time] <= own[time]]
    return upto if over.width is None else [row for row in upto if own[time] - row[time] < over.width]


def of_seen(seen: Sequence[Row], own: Row, value: str, over: Window, time: str | None) -> Any:
    """What a window says of the rows that it sees."""
    if over.aggregate == "time_since_last":
        assert time is not None
        earlier = [
            row[time] for row in seen if row[time] < own[time] and row[value] is not None and row[value] is not False
        ]
        return own[time] - max(earlier) if earlier else None
    return aggregate([row[value] for row in seen if row[value] is not None], over)


def roundings(rows: Sequence[Row], seen: Sequence[Row], value: str, over: Window) -> float:
    """How far from that an engine may be: what adding a window's own numbers up in another order costs, and next to
    nothing of the others. Zero for what is no sum."""
    if over.aggregate not in ("sum", "mean", "std", "quantile"):
        return 0.0
    own = [_size(row[value]) for row in seen]
    others = max(_size(row[value]) for row in rows)
    return 1e-14 * (sum(own) if over.aggregate == "sum" else max(own)) + 1e-20 * others


def _size(value: Any) -> float:
    return abs(float(value)) if isinstance(value, int | float | Decimal) and math.isfinite(value) else 0.0


def aggregate(values: list[Any], over: Window) -> Any:
    """An aggregate of values that are there, in order. Sums are exact before they are rounded."""
    nan = any(isinstance(v, float) and math.isnan(v) for v in values)
    match over.aggregate:
        case "count":
            return len(values)
        case "distinct":
            return len({"nan" if isinstance(v, float) and math.isnan(v) else v for v in values})
        case _ if not values:
            return None
        case "first":
            return values[0]
        case "last":
            return values[-1]
        case "std" if len(values) < 2:
            return None
        case _ if nan:
            return math.nan
        case "sum":
            return _sum(values)
        case "mean":
            return _sum([float(v) for v in values]) / len(values)
        case "std":
            mean = aggregate(values, replace(over, aggregate="mean"))
            return math.sqrt(_sum([(float(v) - mean) * (float(v) - mean) for v in values]) / (len(values) - 1))
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "quantile":
            assert over.quantile is not None
            place = over.quantile * (len(values) - 1)
            low, high = (float(sorted(values)[n]) for n in (math.floor(place), math.ceil(place)))
            endless = math.isinf(low) or math.isinf(high)
            return low + high if endless else low + (high - low) * (place - math.floor(place))
        case other:
            raise AssertionError(other)


def _sum(values: list[Any]) -> Any:
    finite = isinstance(values[0], float) and all(map(math.isfinite, values))
    total = math.fsum(values) if finite else sum(values[1:], values[0])
    return (total + 2**63) % 2**64 - 2**63 if type(total) is int else total


def match(
    asked: Sequence[tuple[tuple[Any, ...], datetime | None]],
    stored: Sequence[tuple[tuple[Any, ...], datetime | None, datetime | None]],
    ttl: timedelta | None,
    *,
    known: bool = False,
) -> list[int | None]:
    """For each (keys, t) that asks, the number of the stored (keys, event time, created time) it gets.

    known: what was created after t was not known at t.
    """
    answer: list[int | None] = []
    for keys, t in asked:
        found = [
            ((event, (created is not None, created or event), i), i)
            for i, (stored_keys, event, created) in enumerate(stored)
            if None not in (*keys, t, event) and keys == stored_keys
            if event is not None and t is not None and event <= t and (ttl is None or event >= t - ttl)
            if not known or created is None or created <= t
        ]
        answer.append(max(found)[1] if found else None)
    return answer


def _rank(row: Row, number: int, time: str | None, created: str | None) -> tuple[Any, ...]:
    made = row[created] if created else None
    return (row[time] if time else 0, made is not None, made or 0, number)


def _same(row: Row, other: Row, columns: Sequence[str]) -> bool:
    return all(row[name] == other[name] for name in columns)
