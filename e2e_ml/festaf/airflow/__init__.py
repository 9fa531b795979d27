"""festaf on Airflow: the registry's views as DAGs, and an existing DAG's task as the maker of a view.

A loader file in the DAG folder is all that Airflow needs:

    # The DAGs of the project's feature views.
    from e2e_ml.festaf.airflow import load

    globals().update(load("/srv/flights"))

A task of a DAG of one's own makes a view by a decorator:

    @produces("hourly_weather", project="/srv/flights")
    @task
    def load_weather(data_interval_start=None, data_interval_end=None):
        return read_weather(data_interval_start, data_interval_end)

A DAG that nobody wants to touch is named in the view: `produced_by = fs.Task("legacy_weather", "load")`; see `policy`.

This room is the only one of festaf that imports Airflow. Parsing reads registry.json and nothing else; what works on
rows is imported when a task runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from e2e_ml.festaf.airflow.assets import asset
    from e2e_ml.festaf.airflow.dags import load
    from e2e_ml.festaf.airflow.produced import produces

__all__ = ["asset", "load", "produces"]

_MODULES = {"asset": "assets", "load": "dags", "produces": "produced"}


def __getattr__(name: str) -> Any:
    # Airflow imports `policy` whenever it starts: that alone, and not what makes DAGs.
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
