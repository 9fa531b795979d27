"""The DAGs that a registry compiles to: what Airflow is told, before anything runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from e2e_ml.festaf.expression import Apply, Column, literal
from tests.unit.festaf.worlds import feature, plane, project, weather

# "temp" + 32 is a number, and the feature is said to be a bool.
_SUM = feature("freezing", "bool", Apply("add", (Column("temp"), literal(32))))
FREEZING = [feature("temp").model_dump(mode="json"), _SUM.model_dump(mode="json")]

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
            for name, dag in sorted(load(folder).items()):
                print(name, sorted(dag.tags), list(dag.task_dict), dag.description)
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


def broken(folder: Path, home: Path) -> list[str]:
    done = look(BREAK, home, folder)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


WRONG = "festaf.flights.weather ['ml:broken', 'ml:feature'] ['definition'] weather makes no DAG: "


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("@once", "weather has event times, so it is made interval by interval, and @once has none."),
        ("every day", "weather: 'every day' is no schedule: write five cron fields"),
    ],
)
def test_a_view_that_makes_no_dag_says_why_and_leaves_the_others_alone(
    schedule: str, sentence: str, tmp_path: Path
) -> None:
    project(tmp_path / "flights", weather(schedule=schedule), weather(name="gauge"))
    gauge, wrong = broken(tmp_path / "flights", tmp_path / "airflow")
    assert gauge.startswith("festaf.flights.gauge ['ml:feature'] ['extract', ")
    assert wrong.startswith(f"{WRONG}{sentence}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"entities": "origin"}, "entities: ", id="a field of another type"),
        pytest.param({"colour": "red"}, "colour: Extra inputs are not permitted", id="a field that is none"),
        pytest.param({"features": FREEZING}, "weather.freezing.expression: ", id="an expression that does not fit"),
    ],
)
def test_a_wrong_view_in_the_registry_breaks_its_own_dag_alone(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    project(tmp_path / "flights", weather(), weather(name="gauge"))
    file = tmp_path / "flights" / "registry.json"
    data = json.loads(file.read_text())
    next(view for view in data["views"] if view["name"] == "weather").update(change)
    file.write_text(json.dumps(data))
    gauge, wrong = broken(tmp_path / "flights", tmp_path / "airflow")
    assert gauge.startswith("festaf.flights.gauge ['ml:feature'] ['extract', ")
    assert wrong.startswith(f"{WRONG}{file}: {sentence}")


def test_a_registry_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    project(tmp_path / "json")
    (tmp_path / "json" / "registry.json").write_text("{")
    (tmp_path / "none").mkdir()
    (json_,) = broken(tmp_path / "json", tmp_path / "airflow")
    (none,) = broken(tmp_path / "none", tmp_path / "airflow")
    assert "is not JSON at line 1" in json_
    assert "Restore it from version control" in json_
    assert none.endswith("Run `e2e-ml festaf apply` in it first.")
