"""How the catalog says things: times, numbers, names and rules as a person reads them: the filters of the templates.

Whatever is cut or rounded keeps the whole of itself in a `title`, which a pointer shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from e2e_ml.festaf.freshness import Freshness, FreshnessState, brief, schedule_words
from e2e_ml.festaf.model import Constraint

# state -> class of its mark; the shapes and colours are the style sheet's, the words stand beside them.
MARKS: Mapping[FreshnessState, str] = {
    FreshnessState.FRESH: "ok",
    FreshnessState.COMPLETE: "ok",
    FreshnessState.UNTIMED: "quiet",
    FreshnessState.NEVER: "waiting",
    FreshnessState.LATE: "late",
    FreshnessState.NO_PIPELINE: "bad",
}


def exact(moment: datetime) -> str:
    """A moment in full: "Sat 3 Jan 2026, 14:05:09 UTC"."""
    moment = moment.astimezone(UTC)
    return f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def ago(moment: datetime | None, now: datetime) -> Markup:
    """A moment seen from now, "3 h ago" or "in 18 min", exact on hover; the page's script keeps it true."""
    if moment is None:
        return Markup("–")
    gap = now - moment
    if abs(gap) < timedelta(seconds=2):
        words = "now"
    else:
        words = f"{brief(gap)} ago" if gap > timedelta() else f"in {brief(gap)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.astimezone(UTC).isoformat(), exact(moment), words
    )


def day(moment: datetime, now: datetime) -> Markup:
    """A day, "3 Jan", with its year where that is not this one."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == now.year else f" {moment.year}"
    return Markup('<time datetime="{}" title="{}" data-fixed>{}</time>').format(
        moment.isoformat(), exact(moment), f"{moment.day} {moment:%b}{year}"
    )


def interval(start: datetime | None, end: datetime | None) -> Markup:
    """A data interval as short as it can be said: "1 Jan 2013", "1 Jan 2013, 13:00 – 14:00", "1 Jan – 8 Jan 2013"."""
    if start is None or end is None:
        return Markup("all of it")
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    midnight = all(t.time() == datetime.min.time() for t in (start, end))
    first = f"{start.day} {start:%b %Y}"
    if midnight and end - start == timedelta(days=1):
        words = first
    elif midnight:
        same_year = start.year == end.year
        words = f"{start.day} {start:%b}{'' if same_year else f' {start.year}'} – {end.day} {end:%b %Y}"
    elif end - start <= timedelta(days=1):
        words = f"{first}, {start:%H:%M} – {end:%H:%M}"
    else:
        words = f"{first}, {start:%H:%M} – {end.day} {end:%b %Y}, {end:%H:%M}"
    return Markup('<span title="{} – {}">{}</span>').format(exact(start), exact(end), words)


def number(value: object) -> str:
    """A number in four significant digits, with thousands set apart; anything else as its own text."""
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}".replace("-", "−")
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        case float():
            size = abs(value)
            if value and (size >= 1e9 or size < 1e-3):
                text = f"{value:.3e}"
            elif size >= 1000:
                text = f"{value:,.0f}"
            else:
                text = f"{value:.4g}"
            return text.replace("-", "−")
        case datetime():
            return exact(value)
        case _:
            return str(value)


def percent(share: float | None) -> str:
    """A share as "0 %", "0.3 %" or "12 %"; what is not quite nothing, or not quite all, is never rounded to it."""
    if share is None:
        return "–"
    value = share * 100
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    whole = value == 0 or 10 <= value < 99.5 or value == 100
    return f"{value:.0f} %" if whole else f"{value:.1f} %"


def cut(text: str, most: int = 32) -> Markup:
    """A long name cut in the middle, where names differ least, with the whole of it on hover."""
    if len(text) <= most:
        return Markup.escape(text)
    head = most // 2
    tail = most - 1 - head
    return Markup('<span title="{}">{}…{}</span>').format(text, text[:head].rstrip(), text[-tail:].lstrip())


def breakable(name: str) -> Markup:
    """A name in whole, which may break after its underscores, dots and slashes and not in the middle of a word."""
    text = str(Markup.escape(name))
    for sign in ("_", ".", "/"):
        text = text.replace(sign, f"{sign}<wbr>")
    return Markup(text)  # noqa: S704 - escaped above


def seconds(value: float | None) -> str:
    return "–" if value is None else brief(timedelta(seconds=value))


def bounds(low: object, high: object) -> str:
    """Two bounds as one sentence: "is between −40 and 130"."""
    return f"is between {number(low)} and {number(high)}"


def rule(constraint: Constraint) -> str:
    """A constraint as a sentence about a value: "is at least −40"."""
    value: Any = constraint.value
    match constraint.rule:
        case "required":
            return "is never missing"
        case "lower_bound":
            return f"is at least {number(value)}"
        case "upper_bound":
            return f"is at most {number(value)}"
        case "above":
            return f"is more than {number(value)}"
        case "below":
            return f"is less than {number(value)}"
        case "accepted_values":
            values: list[Any] = list(value or [])
            shown = ", ".join(str(each) for each in values[:8])
            return f"is one of {shown}" + (f" and {len(values) - 8} more" if len(values) > 8 else "")
        case "min_length":
            return f"is at least {number(value)} long"
        case "max_length":
            return f"is at most {number(value)} long"
        case "matches":
            return f"matches {value}"
        case "unique":
            return "is never there twice"


def mark(verdict: Freshness) -> str:
    return MARKS[verdict.state]


def plural(count: int, one: str, many: str | None = None) -> str:
    """ "1 view", "3 views"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def strength(coefficient: float | None) -> str:
    """The class of a cell: how strong a correlation is, in five steps, and which way it goes."""
    if coefficient is None:
        return "none"
    return f"{'plus' if coefficient >= 0 else 'minus'}-{min(int(abs(coefficient) * 5), 4)}"


def coefficient(value: float | None) -> str:
    """A correlation with its sign: "+0.42"."""
    if value is None:
        return "–"
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def clipped(text: str, most: int = 160) -> str:
    """The beginning of a long text."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


FILTERS: Mapping[str, Any] = {
    "clipped": clipped,
    "coefficient": coefficient,
    "strength": strength,
    "exact": exact,
    "interval": interval,
    "number": number,
    "percent": percent,
    "cut": cut,
    "breakable": breakable,
    "seconds": seconds,
    "rule": rule,
    "mark": mark,
    "plural": plural,
    "schedule": schedule_words,
}
