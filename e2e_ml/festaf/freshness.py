"""Is a view as new as its schedule promises? One pure function: schedule, what was written, and now.

It is the one place that reads a schedule as times, so that the catalog, the command line and the desktop panels agree.
It knows no server, no Airflow and no store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

import croniter as _cron

# Airflow's presets that are times; `@once`, `@continuous` and schedules by assets promise no time.
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_WORDS = {
    "@once": "once",
    "@continuous": "continuously",
    "@hourly": "every hour",
    "@daily": "every day",
    "@weekly": "every week",
    "@monthly": "every month",
    "@quarterly": "every quarter",
    "@yearly": "every year",
}
# How long a run may take after its interval has ended before the view counts as late: a tenth of the interval.
_GRACE_SHARE = 10
_GRACE_LEAST, _GRACE_MOST = timedelta(minutes=1), timedelta(hours=1)
_AHEAD, _BACK = True, False


class FreshnessState(StrEnum):
    """The values are the words that people read."""

    FRESH = "fresh"
    LATE = "late"
    NEVER = "never written"
    COMPLETE = "complete"  # written up to the end that its definition gives it
    UNTIMED = "written"  # rows are there, and no schedule says how new they ought to be
    NO_PIPELINE = "no pipeline"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The verdict. Times are in UTC; `age` and `late_by` are None where they have no meaning."""

    state: FreshnessState
    sentence: str
    written_until: datetime | None = None  # the end of the last interval written
    expected_until: datetime | None = None  # the end of the interval that should be there by now
    next_at: datetime | None = None  # when the schedule ends the next interval
    age: timedelta | None = None  # now - written_until
    late_by: timedelta | None = None  # since the first missing interval ended
    holes: tuple[tuple[datetime, datetime], ...] = ()  # times before `written_until` that were never written

    @property
    def label(self) -> str:
        """The verdict in two words: "fresh, 12 min"."""
        if self.state is FreshnessState.FRESH and self.age is not None:
            return f"fresh, {brief(self.age)}"
        if self.state is FreshnessState.LATE and self.late_by is not None:
            return f"late, {brief(self.late_by)}"
        return self.state.value


def freshness(
    *,
    schedule: str | None,
    written_until: datetime | None,
    now: datetime,
    last_written: datetime | None = None,
    produced_by: str | None = None,
    end: datetime | None = None,
    written: Iterable[tuple[datetime, datetime]] = (),
) -> Freshness:
    """Judge a view against its schedule.

    `written_until` is the end of the newest data interval written; `last_written` is when rows were last written, and
    stands in where no interval is known. `produced_by` names the task of an existing DAG ("dag.task") that makes the
    view; `end` is the end of its last data interval, where it has one. `written` are the written intervals, where they
    are known: what none of them covers between the first and the last is told as a hole, whatever else the verdict is.
    All times are aware.

    Raises ValueError, with a sentence, for a naive time or a schedule that is neither cron
    nor a preset.
    """
    for name, time in (("now", now), ("written_until", written_until), ("last_written", last_written), ("end", end)):
        if time is not None and time.tzinfo is None:
            raise ValueError(f"{name} has no time zone: {time}. Give an aware time, in UTC.")
    if found := holes(written):
        verdict = freshness(
            schedule=schedule, written_until=written_until, now=now, last_written=last_written, produced_by=produced_by,
            end=end,
        )  # fmt: skip
        return replace(verdict, sentence=f"{verdict.sentence} {_holes_words(found)}", holes=found)
    now = now.astimezone(UTC)
    until = written_until or last_written
    until = until.astimezone(UTC) if until is not None else None
    ticks = expected(schedule, now) if schedule else None
    if until is None:
        return _unwritten(schedule, produced_by, ticks)
    age = max(now - until, timedelta())
    if end is not None and until >= end:
        return Freshness(FreshnessState.COMPLETE, f"Complete: written up to its end, {end:%d %B %Y}.", until, age=age)
    if not schedule and not produced_by:
        return Freshness(
            FreshnessState.NO_PIPELINE,
            f"Written {brief(age)} ago by hand: no DAG makes this view. Give it a schedule, or say produced_by.",
            until,
            age=age,
        )
    if schedule is None or ticks is None:
        maker = f"by {produced_by}" if produced_by else f"by a DAG that runs {schedule_words(schedule)}"
        return Freshness(FreshnessState.UNTIMED, f"Written {brief(age)} ago {maker}.", until, age=age)
    promise = schedule_words(schedule)
    if until >= ticks.due:
        return Freshness(
            FreshnessState.FRESH,
            f"Written up to {brief(age)} ago; due {promise}, next in {brief(ticks.next - now)}.",
            until,
            ticks.due,
            ticks.next,
            age,
        )
    missing_since = now - _tick(_fields(schedule), until, _AHEAD)
    return Freshness(
        FreshnessState.LATE,
        f"Written up to {brief(age)} ago, though due {promise}: the interval that ended {brief(missing_since)} ago is "
        "missing. Look at the DAG's last run.",
        until,
        ticks.due,
        ticks.next,
        age,
        missing_since,
    )


def holes(written: Iterable[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    """The times between the first and the last of these intervals that none of them covers, oldest first."""
    found: list[tuple[datetime, datetime]] = []
    reached: datetime | None = None
    for start, end in sorted(written):
        if reached is not None and start > reached:
            found.append((reached, start))
        reached = end if reached is None else max(reached, end)
    return tuple(found)


def _holes_words(found: tuple[tuple[datetime, datetime], ...]) -> str:
    first = f"{found[0][0]:%Y-%m-%d %H:%M} to {found[0][1]:%Y-%m-%d %H:%M}"
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"Never written: {first}{more}. Backfill the DAG over it."


def _unwritten(schedule: str | None, produced_by: str | None, ticks: Ticks | None) -> Freshness:
    if not schedule and not produced_by:
        return Freshness(
            FreshnessState.NO_PIPELINE,
            "No DAG makes this view and it has no rows. Give it a schedule, or say produced_by.",
        )
    maker = produced_by or f"its DAG, due {schedule_words(schedule)},"
    step = "In Airflow, unpause it or trigger it once; where its last run failed, the task's log says why."
    return Freshness(
        FreshnessState.NEVER,
        f"No rows yet: {maker} has not written an interval. {step}",
        expected_until=ticks.due if ticks else None,
        next_at=ticks.next if ticks else None,
    )


@dataclass(frozen=True, slots=True)
class Ticks:
    """The ends of a schedule's intervals around one moment."""

    due: datetime  # the newest end whose run has had time to finish
    next: datetime  # the first end that is still to come
    period: timedelta  # between the two ends around the moment


def expected(schedule: str, now: datetime) -> Ticks | None:
    """The interval ends that `schedule` (cron or a preset, in UTC) promises around `now`; None where there are none."""
    if schedule in ("@once", "@continuous", "None"):
        return None
    cron = _fields(schedule)
    following = _tick(cron, now.replace(second=0, microsecond=0), _AHEAD)
    last = _tick(cron, following, _BACK)
    before = _tick(cron, last, _BACK)
    period = following - last
    grace = min(max(period / _GRACE_SHARE, _GRACE_LEAST), _GRACE_MOST)
    return Ticks(last if now - last >= grace else before, following, period)


@lru_cache(maxsize=1024)
def _fields(schedule: str) -> str:
    cron = PRESETS.get(schedule, schedule)
    if len(cron.split()) != 5 or not _cron.croniter.is_valid(cron):
        raise ValueError(f"{schedule!r} is no schedule: write five cron fields or one of {', '.join(PRESETS)}.")
    return cron


# Many views have one schedule, and are asked about again and again; a late one, since when.
@lru_cache(maxsize=4096)
def _tick(cron: str, start: datetime, ahead: bool) -> datetime:
    """The next end of an interval after `start`, or the last one before it."""
    # croniter ships no types: the casts say what its documentation promises.
    clock = cast(Any, _cron.croniter(cron, start))
    tick = cast(datetime, clock.get_next(datetime) if ahead else clock.get_prev(datetime))
    return tick.astimezone(UTC).replace(fold=0)  # it leaves fold=1 on times in UTC


def schedule_words(schedule: str | None) -> str:
    """A schedule as people say it: "every hour"; a cron expression stays as it is."""
    if schedule is None:
        return "by another DAG"
    return _WORDS.get(schedule, f"by {schedule}")


def brief(span: timedelta) -> str:
    """A duration in one unit: "12 min", "3 h", "5 days", "2 years"."""
    seconds = abs(span.total_seconds())
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    days = seconds / 86400
    if days < 60:
        return f"{days:.0f} days"
    if days < 700:
        return f"{days / 30.44:.0f} months"
    return f"{days / 365.25:.0f} years"
