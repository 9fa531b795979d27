"""A DAG that knows nothing of festaf as the maker of a view: `produced_by = fs.Task("legacy_weather", "load")`.

Airflow asks its policies when it has read a DAG. Where a view of this Airflow's project says that a task of the DAG
makes it, a task is added behind that one: it reads the view's source and brings the rows into the stores. It has a log,
a state and retries of its own, so that the task before it stays as it was.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.airflow.assets import asset_of
from e2e_ml.festaf.airflow.produced import load_view
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.naming import made_dag_id

_LOG = logging.getLogger(__name__)


def add_views(dag: DAG, project: Path) -> None:
    """Add a task for each view of the project that the DAG makes. Raises RegistryError."""
    if not registries.path_of(project).exists():
        return
    registry = registries.read(project)
    if dag.dag_id.startswith(made_dag_id(registry.project, "")):
        return  # one of festaf's own
    for view in registry.views:
        if view.produced_by is not None and view.produced_by.dag_id == dag.dag_id:
            _add_view(dag, project, registry, view, view.produced_by.task_id)


def _add_view(dag: DAG, project: Path, registry: Registry, view: FeatureView, task_id: str) -> None:
    if task_id not in dag.task_dict:
        _LOG.error("%s is produced by %s of %s, which has no such task.", view.name, task_id, dag.dag_id)
        return
    outlet, upstream = asset_of(registry, view), dag.task_dict[task_id]
    added = f"festaf__{view.name}"
    if added in dag.task_dict or any(getattr(each, "uri", None) == outlet.uri for each in upstream.outlets):
        return  # it is there already, or its task makes the view itself by the decorator

    @task(
        task_id=added,
        dag=dag,
        outlets=[outlet],
        owner=view.owner.name if view.owner else upstream.owner,
        retries=2,
        retry_delay=timedelta(seconds=30),
        doc_md=f"Brings the rows of the feature view {view.name} into the feature store, once {task_id} has made them.",
    )
    def bring() -> int:
        return load_view(str(project), view.name, outlet)

    made: Any = bring()
    upstream.set_downstream(made.operator)
