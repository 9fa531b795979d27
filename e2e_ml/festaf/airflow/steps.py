"""The five steps of `pipeline`, each a task. Rows pass through staging files; XCom holds counts alone."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import Asset, chain, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.airflow.marks import context, mark_event, tell_broken, tell_freshness, tell_written
from e2e_ml.festaf.airflow.telling import task_run
from e2e_ml.festaf.registry.asked import view_named

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.interval import Interval
    from e2e_ml.festaf.rows.offline import WrittenInterval
    from e2e_ml.festaf.rows.staging import Staging

_LOG = logging.getLogger(__name__)


def add_steps(project: str, view: str, outlet: Asset) -> None:
    """Add the five tasks to the DAG that is being made. Each does its step for every interval that the run writes:
    its own, and those that rows came late into."""

    @task
    def extract() -> int:
        from e2e_ml.festaf.rows import telling
        from e2e_ml.festaf.rows.pipeline import NoRowsError

        with task_run(project, view) as told:
            staging = _staging(project, view)
            telling.reads(told, staging.interval)
            counts: list[int] = []
            nothing = ""
            for each in staging.begin():
                if each.reason:
                    _LOG.info("%s is loaded again: %s", each.interval.words, each.reason)
                try:
                    counts.append(staging.keep_extracted(each.interval))
                except NoRowsError as error:
                    nothing = str(error)
                    staging.drop(each.interval)
            if not counts:
                staging.remove()
                # Skipped, and all that follows with it: no asset event tells of rows that are not there.
                raise AirflowSkipException(nothing)
            _LOG.info("%s rows extracted, those that only windows see counted in.", sum(counts))
            return sum(counts)

    @task
    def transform() -> int:
        with task_run(project, view):
            staging = _staging(project, view)
            rows = sum(staging.keep_transformed(each.interval) for each in staging.planned())
            _LOG.info("%s rows computed.", rows)
            return rows

    @task
    def validate() -> int:
        from e2e_ml.festaf.rows import pipeline, telling, validation

        with task_run(project, view) as told:
            staging = _staging(project, view)
            refused: list[str] = []
            broken = 0
            for interval in (each.interval for each in staging.planned()):
                found = pipeline.validate(interval, staging.transformed(interval)).broken
                if found:
                    tell_broken(interval, found)
                    broken += len(found)
                if stopping := validation.fatal(interval.view, found):
                    refused.append(pipeline.refusal(interval, stopping))
                    telling.refused(told, interval, found)
            if refused:
                # Trying again would find the same rows.
                raise AirflowFailException(" ".join(refused))
            if broken:
                _LOG.warning("The rows are written, and marked in the ledger: on_broken is warn.")
            else:
                _LOG.info("Every constraint holds.")
            return broken

    @task(outlets=[outlet])
    def write_offline() -> int:
        from e2e_ml.festaf.rows import pipeline, telling

        with task_run(project, view) as told:
            staging = _staging(project, view)
            since = staging.begun
            own: WrittenInterval | None = None
            again: list[WrittenInterval] = []
            for each in staging.planned():
                rows = staging.transformed(each.interval)
                written = pipeline.write_offline(each.interval, rows, pipeline.validate(each.interval, rows), since)
                tell_written(each.interval, written, each.reason)
                if each.reason:
                    again.append(written)
                else:
                    own = written
            mark_event(outlet, own, again[::-1])
            total = sum(entry.rows for entry in [*again, *([own] if own else [])])
            telling.reads(told, staging.interval)
            if (newest := own or next(iter(again), None)) is not None:
                telling.wrote(told, staging.interval, newest, total)
            return total

    @task
    def materialize_online() -> int:
        from e2e_ml.festaf.rows import pipeline

        with task_run(project, view):
            staging = _staging(project, view)
            entities = pipeline.materialize_online(staging.written_span())
            _LOG.info("%s entities are now served from these rows.", entities)
            tell_freshness(staging.written_span())
            staging.remove()
            return entities

    chain(extract(), transform(), validate(), write_offline(), materialize_online())


def interval_of_run(project: str, view: str, start: datetime | None, end: datetime | None) -> Interval:
    """The interval of a view that the running task's DAG run writes."""
    from e2e_ml.festaf.rows.interval import Interval

    registry = registries.read(project)
    return Interval(
        Path(project), view_named(registry, view), start, end, registry.version, str(context()["dag_run"].run_id)
    )


def _staging(project: str, view: str) -> Staging:
    from e2e_ml.festaf.rows.staging import Staging

    found = context()
    start, end = found.get("data_interval_start"), found.get("data_interval_end")
    timed = view_named(registries.read(project), view).event_time is not None
    if timed and (start is None or end is None):
        raise AirflowFailException(
            f"This run has no data interval, so there is nothing to say which rows of {view} to load. "
            "Trigger it with a logical date, or start a backfill."
        )
    interval = interval_of_run(project, view, start, end)
    return Staging(interval, interval.dag_run_id or "manual")
