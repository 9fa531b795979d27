"""The registry's views as DAGs. A view that makes none has a DAG that says why, and leaves the others alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.airflow.assets import KIND_TAG, asset_of
from e2e_ml.festaf.airflow.describing import described
from e2e_ml.festaf.airflow.steps import add_steps
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.naming import dag_id, made_dag_id
from e2e_ml.festaf.registry.salvage import salvage

BROKEN_TAG = "ml:broken"  # of the DAG of a view that makes none
# Schedules that Airflow knows by name and that have no data intervals; for views without times alone.
_WITHOUT_INTERVALS = ("@once", "@continuous")
_RETRIES, _RETRY_DELAY = 2, timedelta(seconds=30)
# A step that takes longer than this hangs; the next interval waits for it, as one run at a time writes a view.
_TASK_TIMEOUT, _RUN_TIMEOUT = timedelta(hours=1), timedelta(hours=3)
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def load(project: str | Path) -> dict[str, DAG]:
    """A DAG for every view of the project that has a schedule, by DAG id.

    A view that is wrong has a DAG of the same id whose only task fails with the reason; the others are made as ever.
    Where a task is run, Airflow asks for its DAG alone, and that alone is made.

    Raises RegistryError or FeatureStoreError, with a sentence that Airflow shows among its import errors, where there
    is no registry or its file is no registry at all.
    """
    folder = Path(project).resolve()
    if not registries.path_of(folder).exists():
        raise FeatureStoreError(f"{folder} has no {registries.FILE_NAME}. Run `e2e-ml festaf apply` in it first.")
    registry, wrong = salvage(folder)
    wanted = get_parsing_context().dag_id
    dags: dict[str, DAG] = {}
    for view in registry.views:
        name = dag_id(registry.project, view)
        if name is None or view.schedule is None or view.produced_by is not None or wanted not in (None, name):
            continue
        try:
            dags[name] = _dag(folder, registry, view)
        except Exception as error:  # whatever it is, it is this view's alone
            dags[name] = _broken(name, view.name, str(error))
    for view, sentence in wrong.items():
        name = made_dag_id(registry.project, view)
        if wanted in (None, name):
            dags[name] = _broken(name, view, sentence)
    return dags


def _dag(project: Path, registry: Registry, view: FeatureView) -> DAG:
    owner = view.owner.name if view.owner else "airflow"
    email = view.owner.email if view.owner else None
    with DAG(
        dag_id=made_dag_id(registry.project, view.name),
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
        doc_md=described(registry, view),
    ) as dag:
        add_steps(str(project), view.name, asset_of(registry, view))
    return dag


def _broken(name: str, view: str, sentence: str) -> DAG:
    """The DAG of a view that makes none. It runs every day, so that it shows as failed and not as merely idle."""
    with DAG(
        dag_id=name,
        description=f"{view} makes no DAG: {sentence}"[:1000],
        schedule="@daily",
        start_date=_LONG_AGO,
        catchup=False,
        max_active_runs=1,
        tags=[KIND_TAG, BROKEN_TAG],
        doc_md=f"### {view} makes no DAG\n\n{sentence}\n\nCorrect the definition, then `e2e-ml festaf apply`.",
    ) as dag:

        @task(retries=0)
        def definition() -> None:
            raise AirflowFailException(sentence)

        definition()
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
