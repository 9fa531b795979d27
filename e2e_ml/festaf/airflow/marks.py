"""What a task tells of the rows it saw: a table in its log, figures in XCom, the asset event's extra, and a note.

Airflow gives a task no way to write a note on itself but its REST API, which wants a login. Where there is an Airflow
connection `festaf_airflow` with one (host with scheme and port, login, password), broken constraints are noted on the
task, which its page and the grid show; where there is none, the other three tell.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, Connection, get_current_context

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.interval import Interval
    from e2e_ml.festaf.rows.offline import WrittenInterval
    from e2e_ml.festaf.rows.validation import Violation

_LOG = logging.getLogger(__name__)
BROKEN = "broken_constraints"  # the key of the XCom; it is there only where something is broken
CONNECTION = "festaf_airflow"
_NOTE_LENGTH = 1000  # Airflow takes no longer ones
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
    every: list[dict[str, Any]] = [*(instance.xcom_pull(key=BROKEN, task_ids=instance.task_id) or []), *told]
    instance.xcom_push(key=BROKEN, value=every)
    _note("\n".join(f"{each['constraint']} ({_rows(each['rows'])}), {each['interval']}" for each in every))


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _note(text: str) -> None:
    """Leave a note on the running task instance. Whatever keeps it from that is no reason for the task to fail."""
    try:
        connection = Connection.get(CONNECTION)
    except Exception:
        _LOG.debug("There is no connection %s: no note is left.", CONNECTION)
        return
    import httpx

    instance = context()["ti"]
    place = f"/api/v2/dags/{instance.dag_id}/dagRuns/{instance.run_id}/taskInstances/{instance.task_id}"
    try:
        with httpx.Client(base_url=str(connection.host), timeout=10, trust_env=False) as client:
            login = {"username": connection.login, "password": connection.password}
            token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            body = {"note": text[:_NOTE_LENGTH]}
            client.patch(place, params={"update_mask": "note"}, json=body, headers=headers).raise_for_status()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        _LOG.info("No note could be left on the task: %s", type(error).__name__)


def tell_written(interval: Interval, written: WrittenInterval, reason: str = "") -> None:
    """Log what was written where; `reason` says why, of an interval that is not the run's own."""
    place = interval.offline.path(interval.view.table)
    again = f" Again: {reason}" if reason else ""
    _LOG.info("%s of %s written to %s.%s", _rows(written.rows), interval.words, place, again)


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
        extra["broken"] = [f"{violation.words} ({_rows(violation.count)})" for violation in broken]
    if again:
        extra["rewritten"] = [
            {"interval_start": e.start.isoformat(), "interval_end": e.end.isoformat(), "rows": e.rows}
            for e in again
            if e.start and e.end
        ]
    context()["outlet_events"][outlet].extra.update(extra)
