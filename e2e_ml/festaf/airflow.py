"""festaf on Airflow: the registry's views as DAGs. The one module of festaf that imports Airflow.

A loader file in the DAG folder is all that Airflow needs:

    # The DAGs of the project's feature views.
    from e2e_ml.festaf.airflow import load

    globals().update(load("/srv/flights"))

Parsing reads registry.json and nothing else. What works on rows is imported when a task runs.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from e2e_ml import refs
from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.freshness import schedule_words
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry.explaining import explain

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.pipeline import Interval, Staging

_LOG = logging.getLogger(__name__)

KIND_TAG = "ml:feature"
# Schedules that Airflow knows by name and that have no data intervals; for views without times alone.
_WITHOUT_INTERVALS = ("@once", "@continuous")
_RETRIES, _RETRY_DELAY = 2, timedelta(seconds=30)
# A step that takes longer than this hangs; the next interval waits for it, as one run at a time writes a view.
_TASK_TIMEOUT, _RUN_TIMEOUT = timedelta(hours=1), timedelta(hours=3)


def load(project: str | Path) -> dict[str, DAG]:
    """A DAG for every view of the project that has a schedule, by DAG id.

    Raises RegistryError or FeatureStoreError, with a sentence that Airflow shows among its import errors.
    """
    folder = Path(project).resolve()
    if not registries.path_of(folder).exists():
        raise FeatureStoreError(f"{folder} has no {registries.FILE_NAME}. Run `e2e-ml festaf apply` in it first.")
    registry = registries.read(folder)
    made = [view for view in registry.views if view.schedule is not None and view.produced_by is None]
    return {dag.dag_id: dag for dag in (_dag(folder, registry, view) for view in made)}


def asset(project: str | Path, view: str) -> Asset:
    """A view's asset, as its DAG emits it: what a DAG that waits for the view's rows puts into its `schedule`."""
    registry = registries.read(project)
    found = registry.view(view)
    if found is None:
        raise FeatureStoreError(f"There is no feature view {view!r} in {project}.")
    return _asset(registry, found)


def _asset(registry: Registry, view: FeatureView) -> Asset:
    uri = str(refs.feature_view(registry.project, view.name))
    extra: dict[str, Any] = {"project": registry.project, "view": view.name, "registry_version": registry.version}
    return Asset(name=uri, uri=uri, group="feature_view", extra=extra)


def _dag(project: Path, registry: Registry, view: FeatureView) -> DAG:
    owner = view.owner.name if view.owner else "airflow"
    email = view.owner.email if view.owner else None
    with DAG(
        dag_id=dag_id(registry.project, view) or view.name,
        description=view.description.split("\n")[0] or None,
        schedule=_schedule(view),
        # Where none is said, intervals begin with the definition.
        start_date=view.start or view.first_seen,
        end_date=view.end,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=_RUN_TIMEOUT,
        default_args={
            "owner": owner,
            "retries": _RETRIES,
            "retry_delay": _RETRY_DELAY,
            "execution_timeout": _TASK_TIMEOUT,
        },
        owner_links={owner: f"mailto:{email}"} if email else {},
        tags=[KIND_TAG, *view.tags],
        doc_md=_doc(registry, view),
    ) as dag:
        _tasks(str(project), view.name, _asset(registry, view))
    return dag


def _schedule(view: FeatureView) -> Any:
    schedule = view.schedule or ""
    if schedule in _WITHOUT_INTERVALS:
        if view.event_time is not None:
            raise FeatureStoreError(
                f"{view.name} has event times, so it is made interval by interval, and {schedule} has none. "
                "Give it a cron expression or a preset such as @daily."
            )
        return schedule
    # Said in full: a bare cron string makes intervals without length, unless Airflow is configured otherwise.
    timetable = CronDataIntervalTimetable(schedule, timezone="UTC")
    try:
        timetable.validate()
    except Exception as error:
        raise FeatureStoreError(
            f"{view.name}: {schedule!r} is no schedule: write five cron fields or a preset such as @daily."
        ) from error
    return timetable


def _tasks(project: str, view: str, outlet: Asset) -> None:
    """The five steps of `pipeline`, each a task. Rows pass through staging files; XCom holds counts alone."""

    @task
    def extract() -> int:
        from e2e_ml.festaf.rows.pipeline import NoRowsError

        try:
            rows = _staging(project, view).keep_extracted()
        except NoRowsError as nothing:
            # Skipped, and all that follows with it: no asset event tells of rows that are not there.
            raise AirflowSkipException(str(nothing)) from None
        _LOG.info("%s rows extracted, those that only windows see counted in.", rows)
        return rows

    @task
    def transform() -> int:
        rows = _staging(project, view).keep_transformed()
        _LOG.info("%s rows computed.", rows)
        return rows

    @task
    def validate() -> int:
        from e2e_ml.festaf.rows import pipeline, validation

        interval = _interval(project, view)
        found = pipeline.validate(interval, _staging(project, view).transformed())
        if not found:
            _LOG.info("Every constraint holds.")
            return 0
        _LOG.warning("Broken constraints of %s, %s:\n%s", view, interval.words, validation.table(found))
        if stopping := validation.fatal(found):
            # Trying again would find the same rows.
            raise AirflowFailException(pipeline.refusal(interval.view, stopping))
        _LOG.warning("The rows are written, and marked in the ledger: only a missing required value stops a write.")
        return len(found)

    @task(outlets=[outlet])
    def write_offline() -> int:
        from e2e_ml.festaf.rows import pipeline

        interval = _interval(project, view)
        rows = _staging(project, view).transformed()
        written = pipeline.write_offline(interval, rows, pipeline.validate(interval, rows))
        _context()["outlet_events"][outlet].extra.update(
            {
                "rows": written.rows,
                "interval_start": written.start.isoformat() if written.start else None,
                "interval_end": written.end.isoformat() if written.end else None,
                "broken_constraints": len(written.broken),
                "registry_version": written.registry_version,
            }
        )
        _LOG.info("%s rows of %s written to %s.", written.rows, interval.words, interval.offline.path(view))
        return written.rows

    @task
    def materialize_online() -> int:
        from e2e_ml.festaf.rows import pipeline

        entities = pipeline.materialize_online(_interval(project, view))
        _LOG.info("%s entities are now served from these rows.", entities)
        _staging(project, view).remove()
        return entities

    chain(extract(), transform(), validate(), write_offline(), materialize_online())


def _context() -> dict[str, Any]:
    """The running task's context. Airflow types each of its keys as one that may be absent; these are not."""
    return cast("dict[str, Any]", get_current_context())


def _interval(project: str, view: str) -> Interval:
    """The data interval of the run that this task belongs to."""
    from e2e_ml.festaf.registry.asked import view_named
    from e2e_ml.festaf.rows.pipeline import Interval

    context = _context()
    registry = registries.read(project)
    record = view_named(registry, view)
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if record.event_time is not None and (start is None or end is None):
        raise AirflowFailException(
            f"This run has no data interval, so there is nothing to say which rows of {view} to load. "
            "Trigger it with a logical date, or start a backfill."
        )
    run_id = str(context["dag_run"].run_id)
    return Interval(Path(project), record, start, end, registry.version, run_id)


def _staging(project: str, view: str) -> Staging:
    from e2e_ml.festaf.rows.pipeline import Staging

    interval = _interval(project, view)
    return Staging(interval, interval.dag_run_id or "manual")


def _doc(registry: Registry, view: FeatureView) -> str:
    """The five answers, as Airflow's page of the DAG shows them."""
    said = explain(registry, view.name)
    owner = view.owner
    who = (
        "Nobody is named as its owner."
        if owner is None
        else f"{owner.name}" + (f", {owner.email}" if owner.email else "")
    )
    times = f"as of the times in `{view.event_time}`" if view.event_time else "as they are now, without times"
    keys = ", ".join(f"`{key.name}`" for key in view.entities)
    lines = [
        f"### {view.name}",
        "",
        said.description or "*Not described.*",
        "",
        f"**Who** · {who}",
        "",
        f"**What** · the rows of `{view.source.uri}` by {keys}, {times}",
        "",
        f"**When** · {schedule_words(view.schedule)}; defined first on {view.first_seen:%Y-%m-%d}, "
        f"changed last on {view.changed_at:%Y-%m-%d}",
        "",
        f"**Why** · {view.purpose or '*No purpose is given.*'}"
        + (f" Used by {', '.join(said.used_by)}." if said.used_by else ""),
        "",
        "**How**",
        "",
        "| feature | type | computed as |",
        "| --- | --- | --- |",
    ]
    for feature in view.features:
        if not feature.hidden:
            code = f"`{feature.code}`" if feature.code else "as in the source"
            lines.append(f"| `{feature.name}` | {feature.dtype} | {code.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)
