"""How the panels put times, durations, numbers and long names into words: pure functions, no Qt."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from e2e_ml.refs import Kind, Ref

Clock = Callable[[], datetime]

MINUTE, HOUR, DAY = 60, 3600, 86400

_PRESETS = {
    "@once": "once",
    "@continuous": "continuously",
    "@hourly": "hourly",
    "@daily": "daily",
    "@weekly": "weekly",
    "@monthly": "monthly",
    "@quarterly": "quarterly",
    "@yearly": "yearly",
    "0 * * * *": "hourly",
    "0 0 * * *": "daily",
    "0 0 * * 0": "weekly",
    "0 0 1 * *": "monthly",
    "0 0 1 1 *": "yearly",
    "Asset": "on new data",
    "Asset or timetable": "on new data, or by the clock",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def moment(value: Any) -> datetime | None:
    """A fact's time (ISO 8601; without a zone it is UTC) as an aware datetime in UTC; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def relative(when: datetime, now: datetime) -> str:
    """`when` as a person says it: "12 min ago", "in 3 h", "3 Jan", "3 Jan 2013"."""
    seconds = (when - now).total_seconds()
    if abs(seconds) >= 7 * DAY:
        return day(when, now)
    span = _span(abs(seconds))
    if span is None:
        return "just now" if seconds <= 0 else "in a moment"
    return f"in {span}" if seconds > 0 else f"{span} ago"


def age(when: datetime, now: datetime) -> str:
    """How long ago, without "ago": "12 min", "3 h", "8 months"; "now" below half a minute."""
    seconds = max(0.0, (now - when).total_seconds())
    if seconds >= 730 * DAY:
        return f"{round(seconds / (365.25 * DAY))} years"
    if seconds >= 60 * DAY:
        return f"{round(seconds / (30.44 * DAY))} months"
    return _span(seconds) or "now"


def _span(seconds: float) -> str | None:
    if seconds < 30:
        return None
    # The unit is chosen after rounding, so that nothing reads "60 min" or "24 h".
    for unit, size, limit in (("min", MINUTE, 60), ("h", HOUR, 24)):
        if (whole := max(1, round(seconds / size))) < limit:
            return f"{whole} {unit}"
    return f"{max(1, round(seconds / DAY))} d"


def day(when: datetime, now: datetime) -> str:
    """The date: "3 Jan", with the year where it is not this one."""
    text = f"{when.day} {when:%b}"
    return text if when.year == now.year else f"{text} {when.year}"


def exact(when: datetime) -> str:
    """The whole moment, for a tooltip: "Sat 21 Nov 2026, 04:23:22 UTC"."""
    utc = when.astimezone(UTC)
    return f"{utc:%a} {utc.day} {utc:%b %Y, %H:%M:%S} UTC"


def interval(start: datetime, end: datetime, now: datetime) -> str:
    """A data interval: "13:00-14:00" today, "3 Jan 13:00-14:00" on another day, else both ends (with en dashes)."""
    if start.date() == end.date():
        hours = f"{start:%H:%M}–{end:%H:%M}"
        return hours if start.date() == now.date() else f"{day(start, now)} {hours}"
    if start.time() == end.time() and not (start.hour or start.minute):
        return f"{day(start, now)} – {day(end, now)}"
    return f"{day(start, now)} {start:%H:%M} – {day(end, now)} {end:%H:%M}"


def duration(seconds: float) -> str:
    """A length of time in at most two units: "0.4 s", "9 s", "1 min 20 s", "2 h 5 min", "3 d 4 h"."""
    if not math.isfinite(seconds) or seconds < 0:
        return "–"
    if seconds < 2.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for big, size, small, step in (("d", DAY, "h", HOUR), ("h", HOUR, "min", MINUTE), ("min", MINUTE, "s", 1)):
        if whole >= size:
            rest = whole % size // step
            return f"{whole // size} {big}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def elide_middle(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; what is cut is cut in the middle, for names differ at their ends."""
    if len(text) <= limit:
        return text
    if limit <= 1:
        return "…"[:limit]
    head = (limit - 1 + 1) // 2
    tail = limit - 1 - head
    return text[:head] + "…" + (text[-tail:] if tail else "")


def number(value: Any) -> str:
    """A number for a table: thousands apart, three decimals, very small and very large ones as powers of ten."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size < 0.0005 or size >= 1e9):
        return f"{value:.2e}"
    if size >= 100:
        return f"{value:,.1f}"
    return f"{value:.3f}"


def kind(ref: Ref, facts: Mapping[str, Any]) -> str:
    """What it is: the word of its kind, but an on-demand view by its own."""
    return "on-demand view" if ref.kind is Kind.FEATURE_VIEW and facts.get("on_demand") else ref.kind.value


def count(n: int, noun: str) -> str:
    """ "1 feature", "14 features", "1,204 nodes"."""
    if n == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{n:,} {noun[:-1]}ies"
    return f"{n:,} {noun}es" if noun.endswith("s") else f"{n:,} {noun}s"


def schedule(text: str | None) -> str:
    """A schedule in words where it has any: "@hourly" is "hourly"; a cron expression stays as it is."""
    if not text:
        return ""
    return _PRESETS.get(text.strip(), text.strip())


def run_label(run_id: str, start: datetime | None, now: datetime) -> str:
    """An Airflow run as a person tells it apart; its id where it follows no pattern.

    A scheduled run and a backfill are told by the moment in their ids, the one that Airflow's own grid shows and that
    tells a backfill's runs apart; the rest by when they started.
    """
    kind, found, rest = run_id.partition("__")
    if not found or not re.fullmatch(r"[a-z_]+", kind):
        return run_id
    word = {"asset_triggered": "by asset"}.get(kind, kind.replace("_", " "))
    stamp = re.match(r"\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:\d\d|Z)?", rest)
    own = moment(stamp[0]) if stamp else None
    at = own or start if kind in ("scheduled", "backfill") else start or own
    if at is None:
        return word
    if at.date() == now.date():
        return f"{word} {at:%H:%M}"
    return f"{word} {day(at, now)}" + ("" if not (at.hour or at.minute) else f" {at:%H:%M}")


def first_sentence(text: str, limit: int = 160) -> str:
    """The first sentence of a longer text, cut at a word where it is long."""
    flat = " ".join(text.split())
    sentence = re.split(r"(?<=[.!?])\s", flat, maxsplit=1)[0]
    if len(sentence) <= limit:
        return sentence
    return sentence[:limit].rsplit(" ", 1)[0].rstrip(",;:") + " …"
