"""The DAGs that a registry compiles to, and what is added to those of others: what Airflow is told, before anything
runs."""

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
from e2e_ml.festaf.model import TaskRef
from tests.unit.festaf.worlds import feature, plane, project, weather

# "temp" + 32 is a number, and the feature is said to be a bool.
_SUM = feature("freezing", "bool", Apply("add", (Column("temp"), literal(32))))
FREEZING = [feature("temp").model_dump(mode="json"), _SUM.model_dump(mode="json")]

LOOK = textwrap.dedent(
    """
    import os
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
    # Where a task is run, its DAG alone is made.
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "festaf.flights.weather"
    assert list(load(sys.argv[1])) == ["festaf.flights.weather"]
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "another"
    assert load(sys.argv[1]) == {}
    """
)


PRODUCE = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from airflow.sdk import DAG, Asset, task
    from airflow.providers.standard.operators.bash import BashOperator
    from e2e_ml.airflow_policy import dag_policy
    from e2e_ml.festaf.airflow import asset, produces
    from e2e_ml.festaf.errors import FeatureStoreError

    project, legacy = sys.argv[1], Asset("legacy")
    with DAG("own") as dag:

        @produces("weather", project=project)
        @task(outlets=legacy, retries=5)
        def load(data_interval_start=None) -> dict[str, int]:
            "Loads."

        load()
        produces("weather", project=project)(BashOperator(task_id="copy", bash_command="true"))
        made = task(lambda: None).override(task_id="untouched")()
    weather = asset(project, "weather")
    assert dag.task_dict["load"].outlets == [legacy, weather]
    assert (dag.task_dict["load"].retries, dag.task_dict["load"].doc_md) == (5, "Loads.")
    assert dag.task_dict["copy"].outlets == [weather]
    assert dag.task_dict["untouched"].outlets == []

    with DAG("legacy") as dag:
        first, second = (BashOperator(task_id=name, bash_command="true") for name in ("first", "second"))
        first >> second
    dag_policy(dag)
    dag_policy(dag)  # twice is once
    assert list(dag.task_dict) == ["first", "second", "festaf__gauge"]
    assert dag.task_dict["first"].downstream_task_ids == {"second", "festaf__gauge"}
    assert dag.task_dict["festaf__gauge"].outlets == [asset(project, "gauge")]
    with DAG("gone") as dag:
        BashOperator(task_id="only", bash_command="true")
    dag_policy(dag)
    assert list(dag.task_dict) == ["only"]

    for wrong in (lambda: produces("tide", project=project), lambda: produces("weather", project=project)(print)):
        try:
            wrong()
        except FeatureStoreError as error:
            print(error)
    """
)


BREAK = textwrap.dedent(
    """
    import sys
    from e2e_ml.festaf.airflow import load
    from e2e_ml.festaf.errors import FeatureStoreError

    for folder in sys.argv[1:]:
        print("FOLDER", folder)
        try:
            for name, dag in sorted(load(folder).items()):
                print(name, sorted(dag.tags), list(dag.task_dict), dag.description)
        except FeatureStoreError as error:
            print(error)
    """
)


def look(script: str, home: Path, *folders: Path, policy: str = "") -> subprocess.CompletedProcess[str]:
    """Load projects' DAGs in a process of its own, with an Airflow that has nothing of this machine's."""
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    environment["FESTAF_PROJECT"] = policy
    command = [sys.executable, "-c", script, *map(str, folders)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_view_with_a_schedule_becomes_a_dag(tmp_path: Path) -> None:
    project(tmp_path / "flights", weather(), plane())
    done = look(LOOK, tmp_path / "airflow", tmp_path / "flights")
    assert done.returncode == 0, done.stderr


def test_tasks_of_other_dags_make_views(tmp_path: Path) -> None:
    project(
        tmp_path / "flights",
        weather(),
        weather(name="gauge", schedule=None, produced_by=TaskRef(dag_id="legacy", task_id="first")),
        weather(name="gone", schedule=None, produced_by=TaskRef(dag_id="gone", task_id="moved")),
    )
    policy = f"{tmp_path / 'flights'}:{tmp_path / 'nowhere'}"
    done = look(PRODUCE, tmp_path / "airflow", tmp_path / "flights", policy=policy)
    assert done.returncode == 0, done.stderr
    assert "gone is produced by moved of gone, which has no such task." in done.stderr + done.stdout
    unknown, misplaced = [line for line in done.stdout.splitlines() if line.startswith(("There is", "produces("))]
    assert "no feature view 'tide'" in unknown
    assert misplaced.startswith("produces('weather') stands above @task, or is called on an operator, not on <built-in")


WRONG = "festaf.flights.weather ['ml:broken', 'ml:feature'] ['definition'] weather makes no DAG: "
SCHEDULES = {
    "once": ("@once", "weather has event times, so it is made interval by interval, and @once has none."),
    "cron": ("every day", "weather: 'every day' is no schedule: write five cron fields"),
}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a field of another type": ({"entities": "origin"}, "entities: "),
    "a field that is none": ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    "an expression that does not fit": ({"features": FREEZING}, "weather.freezing.expression: "),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What loading each of these projects prints, by the project's folder; one process for all."""
    root = tmp_path_factory.mktemp("broken")
    for name, (schedule, _) in SCHEDULES.items():
        project(root / name, weather(schedule=schedule), weather(name="gauge"))
    for name, (change, _) in CHANGES.items():
        project(root / name, weather(), weather(name="gauge"))
        file = root / name / "registry.json"
        data = json.loads(file.read_text())
        next(view for view in data["views"] if view["name"] == "weather").update(change)
        file.write_text(json.dumps(data))
    project(root / "json")
    (root / "json" / "registry.json").write_text("{")
    (root / "none").mkdir()
    folders = [root / name for name in (*SCHEDULES, *CHANGES, "json", "none")]
    done = look(BREAK, root / "airflow", *folders)
    assert done.returncode == 0, done.stderr
    _, *parts = done.stdout.split("FOLDER ")
    return {Path(part.splitlines()[0]).name: part.splitlines()[1:] for part in parts}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_view_that_makes_no_dag_says_why_and_leaves_the_others_alone(name: str, told: dict[str, list[str]]) -> None:
    gauge, wrong = told[name]
    assert gauge.startswith("festaf.flights.gauge ['ml:feature'] ['extract', ")
    assert wrong.startswith(f"{WRONG}{SCHEDULES[name][1]}")


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_view_in_the_registry_breaks_its_own_dag_alone(name: str, told: dict[str, list[str]]) -> None:
    gauge, wrong = told[name]
    assert gauge.startswith("festaf.flights.gauge ['ml:feature'] ['extract', ")
    assert wrong.startswith(WRONG)
    assert f"{name}/registry.json: {CHANGES[name][1]}" in wrong


def test_a_registry_that_is_none_is_a_sentence(told: dict[str, list[str]]) -> None:
    (json_,), (none,) = told["json"], told["none"]
    assert "is not JSON at line 1" in json_
    assert "Restore it from version control" in json_
    assert none.endswith("Run `e2e-ml festaf apply` in it first.")
