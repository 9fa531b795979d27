"""The whole stack, up: what each service answers, to whom, and what its files let others see."""

from __future__ import annotations

import json
import stat

import httpx
import psutil
import pytest

from e2e_ml.stack import Stack, State
from tests.integration.conftest import until

DAG = """
import os
from airflow.sdk import dag, task

@dag(dag_id="environment", schedule=None, is_paused_upon_creation=False)
def environment():
    @task
    def look():
        import mlflow
        mlflow.set_experiment("from a task")
        with mlflow.start_run():
            mlflow.log_param("seen", "yes")
        names = ("FESTAF_PROJECT", "E2E_ML_WORKSPACE", "MLFLOW_TRACKING_URI")
        return {name: os.environ.get(name) for name in names} | {"pythonpath": os.environ.get("PYTHONPATH")}
    look()

environment()
"""


def url(stack: Stack, name: str) -> str:
    found = stack.services[name].url
    assert found is not None
    return found


def test_every_service_tells_its_version_and_address(running_stack: Stack) -> None:
    for service in running_stack.services.values():
        status = service.status()
        assert status.version
        assert status.url
        assert status.url.startswith("http://127.0.0.1:")
        assert status.pids


def test_nothing_listens_beyond_the_loopback_interface(running_stack: Stack) -> None:
    for service in running_stack.services.values():
        for pid in service.status().pids:
            for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
                for connection in process.net_connections("inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        assert connection.laddr[0] in ("127.0.0.1", "::1"), f"{service.name}: {connection.laddr}"


@pytest.mark.parametrize(
    ("name", "path"), [("airflow", "/api/v2/dags"), ("mlflow", "/api/2.0/mlflow/experiments/get?experiment_id=0")]
)
def test_an_api_wants_the_login(running_stack: Stack, name: str, path: str) -> None:
    login = running_stack.services[name].login()
    assert login is not None
    address = url(running_stack, name) + path
    assert httpx.get(address, trust_env=False).status_code == 401
    assert httpx.get(address, headers=dict(login.headers), trust_env=False).status_code == 200


def test_airflows_pages_take_the_cookie(running_stack: Stack) -> None:
    login = running_stack.services["airflow"].login()
    assert login is not None
    with httpx.Client(base_url=url(running_stack, "airflow"), cookies=dict(login.cookies), trust_env=False) as client:
        assert client.get("/ui/auth/me").json()["username"] == "admin"


def test_mlflows_pages_ask_for_the_basic_login(running_stack: Stack) -> None:
    service = running_stack.services["mlflow"]
    login = service.login()
    assert login is not None
    assert login.basic is not None
    answer = httpx.get(url(running_stack, "mlflow"), trust_env=False)
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "<html" in httpx.get(url(running_stack, "mlflow"), auth=login.basic, trust_env=False).text


def test_no_secret_is_in_a_command_line_or_a_readable_file(running_stack: Stack) -> None:
    kept = running_stack.workspace.state / "secrets.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    secrets = json.loads(kept.read_text()).values()
    processes = psutil.Process().children(recursive=True)
    command_lines = "\n".join(" ".join(p.cmdline()) for p in processes)
    logs = "\n".join(p.read_text(errors="replace") for p in running_stack.workspace.logs.glob("*.log*"))
    for secret in secrets:
        assert secret not in command_lines
        assert secret not in logs
    for file in running_stack.workspace.state.rglob("*"):
        if file.is_file() and file.name != ".gitignore":
            assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file


def test_a_new_dag_is_seen_and_its_task_finds_mlflow_and_the_feature_store(running_stack: Stack) -> None:
    workspace = running_stack.workspace
    login = running_stack.services["airflow"].login()
    assert login is not None
    (workspace.dags / "environment.py").write_text(DAG)
    with httpx.Client(
        base_url=url(running_stack, "airflow") + "/api/v2", headers=dict(login.headers), trust_env=False, timeout=30
    ) as airflow:
        until(lambda: airflow.get("/dags/environment").status_code == 200, what="the DAG was not seen")
        run = airflow.post("/dags/environment/dagRuns", json={"logical_date": None}).raise_for_status().json()
        address = f"/dags/environment/dagRuns/{run['dag_run_id']}"
        until(lambda: airflow.get(address).json()["state"] in ("success", "failed"), what="the run did not end")
        assert airflow.get(address).json()["state"] == "success"
        found = airflow.get(f"{address}/taskInstances/look/xcomEntries/return_value").json()["value"]
    assert found == {
        "FESTAF_PROJECT": str(workspace.festaf_project),
        "E2E_ML_WORKSPACE": str(workspace.root),
        "MLFLOW_TRACKING_URI": url(running_stack, "mlflow"),
        "pythonpath": None,
    }


def test_a_second_program_uses_the_running_stack(running_stack: Stack) -> None:
    with Stack(running_stack.workspace) as second:
        second.start()
        until(lambda: all(s.status().state is State.UP for s in second.services.values()))
        assert not second.is_owner
        for name, service in second.services.items():
            assert service.status().pids == running_stack.services[name].status().pids
            assert service.url == url(running_stack, name)
        login = second.services["airflow"].login()
        assert login is not None
        assert httpx.get(
            url(second, "airflow") + "/api/v2/dags", headers=dict(login.headers), trust_env=False
        ).is_success
    assert all(s.status().state is State.UP for s in running_stack.services.values())
    assert httpx.get(url(running_stack, "mlflow") + "/health", trust_env=False).is_success
