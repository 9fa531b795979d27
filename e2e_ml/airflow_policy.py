"""What every Airflow asks, where e2e-ml is installed, when it has read a DAG and when it runs a task: the entry point
`airflow.policy`.

It is loaded whenever Airflow starts, so it imports nothing. To DAGs it does nothing but where FESTAF_PROJECT names
projects of the feature store, folders parted by ":" as in a PATH. What it then does is `festaf.airflow.policy`.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pluggy

_LOG = logging.getLogger(__name__)
_hook = pluggy.HookimplMarker("airflow.policy")


@_hook
def dag_policy(dag: Any) -> None:
    """Add to the DAG, an `airflow.sdk.DAG`, what makes the views that name it.

    Whatever goes wrong leaves the DAG as its file has it.
    """
    projects = [Path(each) for each in os.environ.get("FESTAF_PROJECT", "").split(os.pathsep) if each]
    if not projects:
        return
    try:
        from e2e_ml.festaf.airflow.policy import add_views

        for project in projects:
            add_views(dag, project.resolve())
    except Exception:  # this is somebody's DAG, and none of our troubles may take it from them
        _LOG.exception("%s stays without the feature views that it makes.", dag.dag_id)


@_hook
def get_airflow_context_vars(context: Any) -> dict[str, str] | None:
    """AIRFLOW_CTX_MAP_INDEX in the environment of a task, beside what Airflow has there: the programs that a mapped
    task starts have the environment alone to tell which instance they belong to.

    A deployment's own function of this name goes before this one.
    """
    try:
        return {"map_index": str(int(context["ti"].map_index))}
    except Exception:  # an Airflow to come; the task runs without
        return None
