"""Every MLflow run made inside an Airflow task names that task: tags `airflow.*`, set without a change to the code.

MLflow finds `AirflowTaskContext` by the entry point `mlflow.run_context_provider` and asks it at each `start_run`. It
reads the `AIRFLOW_CTX_*` variables that Airflow's task runner puts into the environment, which the programs that a task
starts inherit, a virtual environment's Python too. What the environment lacks (the base URL; the map index where
`airflow_policy` is not loaded) comes from the Airflow modules that the task itself has loaded. Nothing is imported
here, so that it works wherever MLflow does (`pip install --no-deps e2e-ml` is enough for it), and nothing that goes
wrong here may reach the task.

Code in the triggerer has no such variables, and its runs no tags: one process serves many tasks there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# Tag -> environment variable (airflow.sdk.execution_time.context, AIRFLOW_VAR_NAME_FORMAT_MAPPING).
# The map index comes from `get_airflow_context_vars`, ours or a deployment's own.
VARIABLES: Mapping[str, str] = {
    "airflow.dag_id": "AIRFLOW_CTX_DAG_ID",
    "airflow.task_id": "AIRFLOW_CTX_TASK_ID",
    "airflow.dag_run_id": "AIRFLOW_CTX_DAG_RUN_ID",
    "airflow.map_index": "AIRFLOW_CTX_MAP_INDEX",
    "airflow.try_number": "AIRFLOW_CTX_TRY_NUMBER",
    "airflow.logical_date": "AIRFLOW_CTX_LOGICAL_DATE",
    "airflow.base_url": "AIRFLOW__API__BASE_URL",
}
_CONTEXT_MODULE = "airflow.sdk.definitions.context"
_CONFIGURATION_MODULES = ("airflow.sdk.configuration", "airflow.configuration")


class AirflowTaskContext:
    """A run context provider of MLflow: duck-typed, so that importing it costs nothing."""

    def in_context(self) -> bool:
        """Whether this process is an Airflow task, or was started by one. Never raises."""
        return bool(os.environ.get("AIRFLOW_CTX_DAG_ID") and os.environ.get("AIRFLOW_CTX_TASK_ID"))

    def tags(self) -> dict[str, str]:
        """The tags of the task that runs; what is not known is left out. Never raises."""
        try:
            return _tags(os.environ)
        except Exception:  # a link is worth less than the run that it belongs to
            return {}


def _tags(environment: Mapping[str, str]) -> dict[str, str]:
    tags = {tag: value for tag, name in VARIABLES.items() if (value := environment.get(name))}
    if "airflow.map_index" not in tags and (index := _map_index(tags)) is not None:
        tags["airflow.map_index"] = str(index)
    if "airflow.base_url" not in tags and (url := _configured_base_url()):
        tags["airflow.base_url"] = url
    if "airflow.base_url" in tags:
        tags["airflow.base_url"] = tags["airflow.base_url"].rstrip("/")
    return tags


def _map_index(tags: Mapping[str, str]) -> int | None:
    """The map index of the task instance that this process runs, -1 where it is not mapped.

    None in a process that a task started: it has only the environment.
    """
    module = sys.modules.get(_CONTEXT_MODULE)
    if module is None:
        return None
    try:
        instance: Any = module.get_current_context()["ti"]
        same = (instance.dag_id, instance.task_id) == (tags.get("airflow.dag_id"), tags.get("airflow.task_id"))
        return int(instance.map_index) if same else None
    except Exception:  # RuntimeError outside a task; any other shape in an Airflow to come
        return None


def _configured_base_url() -> str | None:
    for name in _CONFIGURATION_MODULES:
        module = sys.modules.get(name)
        try:
            if module is not None and (url := module.conf.get("api", "base_url", fallback=None)):
                return str(url)
        except Exception:  # noqa: S112 - the next module, else no base URL
            continue
    return None
