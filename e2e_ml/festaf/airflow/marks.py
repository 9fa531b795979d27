"""What a task tells of the rows it saw: a table in its log, figures in XCom, and the asset event's extra.

Airflow gives a task no way to write a note on itself: notes are for people, and for its REST API. What a task can leave
is its state, its log, its XCom and the events of its assets; all four are shown on its pages.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, get_current_context

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.interval import Interval
    from e2e_ml.festaf.rows.offline import WrittenInterval
    from e2e_ml.festaf.rows.validation import Violation

_LOG = logging.getLogger(__name__)
BROKEN = "broken_constraints"  # the key of the XCom; it is there only where something is broken
FRESHNESS = "freshness"  # the key of the XCom with the verdict in two words


def context() -> dict[str, Any]:
    """The running task's context. Airflow types each of its keys as one that may be absent; these are not."""
    return cast("dict[str, Any]", get_current_context())


def tell_broken(interval: Interval, found: Sequence[Violation]) -> None:
    """Log the broken constraints of an interval as a table, and leave them in the task's XCom."""
    from e2e_ml.festaf.rows import validation

    _LOG.warning("Broken constraints of %s, %s:\n%s", interval.view.name, interval.words, validation.table(found))
    told = [{"interval": interval.words, "constraint": v.words, "rows": v.count} for v in found]
    instance = context()["ti"]
    instance.xcom_push(key=BROKEN, value=[*(instance.xcom_pull(key=BROKEN, task_ids=instance.task_id) or []), *told])


def tell_written(interval: Interval, written: WrittenInterval, reason: str = "") -> None:
    """Log what was written where; `reason` says why, of an interval that is not the run's own."""
    place = interval.offline.path(interval.view.table)
    _LOG.info("%s rows of %s written to %s.%s", written.rows, interval.words, place, reason and f" Again: {reason}")


def tell_freshness(interval: Interval) -> None:
    """Log how fresh the view is now that the interval is written, as a warning where it is late or has holes."""
    from datetime import UTC, datetime

    from e2e_ml.festaf.freshness import FreshnessState, freshness

    view = interval.view
    entries = interval.offline.intervals(view)
    written = [(entry.start, entry.end) for entry in entries if entry.start and entry.end]
    maker = view.produced_by
    try:
        verdict = freshness(
            schedule=view.schedule,
            written_until=max((end for _, end in written), default=None),
            last_written=max((entry.written_at for entry in entries), default=None),
            produced_by=f"{maker.dag_id}.{maker.task_id}" if maker else None,
            end=view.end,
            written=written if view.event_time else (),
            now=datetime.now(UTC),
        )
    except ValueError as error:
        _LOG.warning("How fresh %s is cannot be told: %s", view.name, error)
        return
    amiss = verdict.state is FreshnessState.LATE or verdict.holes
    _LOG.log(logging.WARNING if amiss else logging.INFO, "%s is %s. %s", view.name, verdict.label, verdict.sentence)
    context()["ti"].xcom_push(key=FRESHNESS, value=verdict.label)


def mark_event(outlet: Asset, own: WrittenInterval | None, again: Sequence[WrittenInterval] = ()) -> None:
    """Put what was written into the asset event that the task emits: the run's own interval, and those `again`."""
    every = [*([own] if own else []), *again]
    broken = [violation for entry in every for violation in entry.broken]
    extra: dict[str, Any] = {
        "rows": own.rows if own else 0,
        "interval_start": own.start.isoformat() if own and own.start else None,
        "interval_end": own.end.isoformat() if own and own.end else None,
        "broken_constraints": len(broken),
        "registry_version": every[0].registry_version if every else 0,
    }
    if broken:
        extra["broken"] = [f"{violation.words} ({violation.count} rows)" for violation in broken]
    if again:
        extra["rewritten"] = [
            {"interval_start": e.start.isoformat(), "interval_end": e.end.isoformat(), "rows": e.rows}
            for e in again
            if e.start and e.end
        ]
    context()["outlet_events"][outlet].extra.update(extra)
