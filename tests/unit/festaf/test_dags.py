"""The DAGs that a registry compiles to: what Airflow is told, before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.unit.festaf.worlds import plane, project, weather

LOOK = textwrap.dedent(
    """
    import sys
    from e2e_ml.festaf.airflow import asset, load

    dags = load(sys.argv[1])
    assert "polars" not in sys.modules and "deltalake" not in sys.modules, "parsing is cheap"
    assert list(dags) == ["festaf.flights.weather"], list(dags)
    dag = dags["festaf.flights.weather"]
    assert list(dag.task_dict) == ["extract", "transform", "validate", "write_offline", "materialize_online"]
    assert type(dag.timetable).__name__ == "CronDataIntervalTimetable" and dag.timetable.expression == "0 0 * * *"
    assert (dag.catchup, dag.max_active_runs, dag.start_date.isoformat()) == (False, 1, "2013-01-01T00:00:00+00:00")
    assert dag.tags == {"ml:feature"} and dag.owner_links == {"weather-team": "mailto:weather@example.com"}
    for words in ("weather-team", "Weather, hour by hour.", "Wind explains delays.", "wind_mean_2h", "every day"):
        assert words in dag.doc_md, words
    (outlet,) = dag.task_dict["write_offline"].outlets
    assert outlet == asset(sys.argv[1], "weather")
    assert (outlet.uri, outlet.group) == ("festaf://flights/weather", "feature_view")
    assert outlet.extra == {"project": "flights", "view": "weather", "registry_version": 1}
    """
)


BREAK = textwrap.dedent(
    """
    import sys
    from e2e_ml.festaf.airflow import load
    from e2e_ml.festaf.errors import FeatureStoreError

    for folder in sys.argv[1:]:
        try:
            load(folder)
        except FeatureStoreError as error:
            print(error)
    """
)


def look(script: str, home: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Load projects' DAGs in a process of its own, with an Airflow that has nothing of this machine's."""
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", script, *map(str, folders)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_view_with_a_schedule_becomes_a_dag(tmp_path: Path) -> None:
    project(tmp_path / "flights", weather(), plane())
    done = look(LOOK, tmp_path / "airflow", tmp_path / "flights")
    assert done.returncode == 0, done.stderr


def test_a_broken_registry_is_a_sentence(tmp_path: Path) -> None:
    project(tmp_path / "once", weather(schedule="@once"))
    project(tmp_path / "cron", weather(schedule="every day"))
    project(tmp_path / "json")
    (tmp_path / "json" / "registry.json").write_text("{")
    (tmp_path / "none").mkdir()
    done = look(BREAK, tmp_path / "airflow", *(tmp_path / name for name in ("once", "cron", "json", "none")))
    once, cron, json_, none = done.stdout.splitlines()[-4:]
    assert once.startswith("weather has event times, so it is made interval by interval, and @once has none.")
    assert cron.startswith("weather: 'every day' is no schedule: write five cron fields")
    assert "is not JSON at line 1" in json_
    assert none.endswith("Run `e2e-ml festaf apply` in it first.")
