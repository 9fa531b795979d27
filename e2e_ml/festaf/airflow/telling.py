"""A task of festaf's as a run of OpenLineage: the names and the ids that Airflow's own provider gives it.

The provider is not needed. Where it is installed too, both tell of the same run, and what they say adds up.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.airflow.marks import context
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.registry.asked import view_named

if TYPE_CHECKING:
    from e2e_ml.openlineage.telling import Run, Telling

_TIMES = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
_RUN_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"


@contextmanager
def task_run(project: str, view: str) -> Generator[Telling]:
    """Tell of the running task, which has a part in making the view; what it skips is no failure."""
    from e2e_ml.openlineage.telling import telling

    sentences = (AirflowFailException, FeatureStoreError)
    with telling(lambda: _run(project, view), uneventful=(AirflowSkipException,), sentences=sentences) as told:
        yield told


def _run(project: str, view: str) -> Run:
    from e2e_ml.festaf.rows.telling import job_facets
    from e2e_ml.openlineage import naming, sending
    from e2e_ml.openlineage.sending import facet
    from e2e_ml.openlineage.telling import Run

    found = context()
    instance, dag_run = found["ti"], found["dag_run"]
    namespace, dag_id, task_id = sending.namespace(), str(instance.dag_id), str(instance.task_id)
    moment = dag_run.logical_date or dag_run.run_after
    map_index = getattr(instance, "map_index", -1)
    run_id = str(naming.task_run_id(namespace, dag_id, task_id, instance.try_number, map_index, moment))
    whole = {
        "run": {"runId": str(naming.dag_run_id(namespace, dag_id, getattr(dag_run, "clear_number", 0), moment))},
        "job": {"namespace": namespace, "name": dag_id},
    }
    times = {name: at.isoformat() for name in _TIMES if (at := getattr(dag_run, name, None)) is not None}
    airflow: dict[str, Any] = {
        "_producer": sending.PRODUCER,
        "_schemaURL": _RUN_FACET,
        "dag": {"dag_id": dag_id},
        "dagRun": {"dag_id": dag_id, "run_id": dag_run.run_id, "run_type": str(dag_run.run_type), **times},
        "task": {"task_id": task_id},
        "taskInstance": {"try_number": instance.try_number, **({"map_index": map_index} if map_index >= 0 else {})},
        "taskUuid": run_id,
    }
    facets: dict[str, Any] = {"parent": facet("ParentRunFacet", "1-2-0", **whole, root=whole), "airflow": airflow}
    start, end = found.get("data_interval_start"), found.get("data_interval_end")
    if start is not None and end is not None:
        facets["nominalTime"] = facet(
            *("NominalTimeRunFacet", "1-0-1"), nominalStartTime=start.isoformat(), nominalEndTime=end.isoformat()
        )
    record = view_named(registries.read(project), view)
    return Run(run_id, namespace, f"{dag_id}.{task_id}", facets, job_facets(record, "AIRFLOW", "TASK"))
