"""The tags of an Airflow task on an MLflow run, from the environment and from the modules a task has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from e2e_ml import airflow_policy
from e2e_ml.lineage.run_context import VARIABLES, AirflowTaskContext

TASK = {
    "AIRFLOW_CTX_DAG_ID": "train",
    "AIRFLOW_CTX_TASK_ID": "fit",
    "AIRFLOW_CTX_DAG_RUN_ID": "manual__1",
    "AIRFLOW_CTX_TRY_NUMBER": "2",
}
TAGS = {
    "airflow.dag_id": "train",
    "airflow.task_id": "fit",
    "airflow.dag_run_id": "manual__1",
    "airflow.try_number": "2",
}


@pytest.fixture(autouse=True)
def no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    for module in ("airflow.sdk.definitions.context", "airflow.sdk.configuration", "airflow.configuration"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def in_task(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {**TASK, **more}.items():
        monkeypatch.setenv(name, value)


def test_outside_a_task_there_is_no_context() -> None:
    assert not AirflowTaskContext().in_context()


def test_a_null_logical_date_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    in_task(monkeypatch)
    assert AirflowTaskContext().in_context()
    assert AirflowTaskContext().tags() == TAGS


def test_what_a_deployment_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    in_task(
        monkeypatch,
        AIRFLOW_CTX_MAP_INDEX="4",
        AIRFLOW_CTX_LOGICAL_DATE="2026-11-21T00:00:00+00:00",
        AIRFLOW__API__BASE_URL="http://127.0.0.1:8080/",
    )
    assert AirflowTaskContext().tags() == {
        **TAGS,
        "airflow.map_index": "4",
        "airflow.logical_date": "2026-11-21T00:00:00+00:00",
        "airflow.base_url": "http://127.0.0.1:8080",
    }


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    module = ModuleType(name)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(
    ("instance", "index"),
    [
        (SimpleNamespace(dag_id="train", task_id="fit", map_index=3), "3"),
        (SimpleNamespace(dag_id="train", task_id="fit", map_index=-1), "-1"),
        (SimpleNamespace(dag_id="other", task_id="fit", map_index=3), None),  # not this task's context
        (SimpleNamespace(), None),
        (None, None),
    ],
)
def test_the_map_index_comes_from_the_running_task(
    monkeypatch: pytest.MonkeyPatch, instance: object, index: str | None
) -> None:
    in_task(monkeypatch)
    loaded(monkeypatch, "airflow.sdk.definitions.context", get_current_context=lambda: {"ti": instance})
    assert AirflowTaskContext().tags().get("airflow.map_index") == index


def test_the_base_url_comes_from_the_loaded_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    in_task(monkeypatch)
    loaded(monkeypatch, "airflow.configuration", conf=SimpleNamespace(get=lambda *_, **__: "http://airflow:8080/"))
    loaded(monkeypatch, "airflow.sdk.configuration", conf=None)
    assert AirflowTaskContext().tags()["airflow.base_url"] == "http://airflow:8080"


def test_nothing_that_goes_wrong_reaches_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    in_task(monkeypatch)

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("an Airflow to come")

    loaded(monkeypatch, "airflow.sdk.definitions.context", get_current_context=explode)
    loaded(monkeypatch, "airflow.configuration", conf=SimpleNamespace(get=explode))
    assert AirflowTaskContext().tags() == TAGS
    monkeypatch.setattr("e2e_ml.lineage.run_context._tags", explode)
    assert AirflowTaskContext().tags() == {}


@pytest.mark.parametrize(
    ("context", "variables"),
    [
        ({"ti": SimpleNamespace(map_index=3)}, {"map_index": "3"}),
        ({"ti": SimpleNamespace(map_index=-1)}, {"map_index": "-1"}),
        ({"ti": SimpleNamespace()}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_task_leaves_its_map_index_to_the_programs_that_it_starts(
    context: object, variables: dict[str, str] | None
) -> None:
    assert airflow_policy.get_airflow_context_vars(context) == variables


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from e2e_ml.lineage.run_context import AirflowTaskContext\n"
        "print(AirflowTaskContext().in_context(), AirflowTaskContext().tags())\n"
        "own = set(sys.stdlib_module_names) | {'e2e_ml'}\n"
        "print([m for m in sys.modules if m.split('.')[0] not in own])"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False {}", "['__main__']"]
