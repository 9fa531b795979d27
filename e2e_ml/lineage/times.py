"""Times as the graph's facts hold them: ISO 8601 text in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse(text: str | None) -> datetime | None:
    """An aware time in UTC; None for nothing and for text that is no time. A naive one is taken for UTC."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def seconds_between(start: str | None, end: str | None) -> float | None:
    first, last = parse(start), parse(end)
    return (last - first).total_seconds() if first and last else None
