"""Starting, dying and ending of real services: what is told, and that nothing is left.

Services that a test does not need are attached to a port where nobody listens, so that each test starts one program.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from click.testing import CliRunner

from e2e_ml.cli import main
from e2e_ml.stack import Service, Stack, State, Status, restarts
from e2e_ml.stack.component import Ledger
from e2e_ml.stack.ports import LOOPBACK, is_free
from e2e_ml.workspace import Workspace
from tests.integration.conftest import alive, until

NOWHERE = {"url": "http://127.0.0.1:9"}


def workspace(folder: Path, **services: Any) -> Workspace:
    return Workspace.create(
        folder / "workspace", "tests", dict.fromkeys(("airflow", "mlflow", "festaf"), NOWHERE) | services
    )


def is_(service: Service, state: State) -> None:
    until(lambda: service.status().state is state, what=f"{service.status()}")


def run(*arguments: str) -> tuple[int, str]:
    """A verb of the command line, as a program of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from e2e_ml.cli import main; main()", *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that owns an Airflow, in a workspace of its own."""
    opened = workspace(tmp_path, airflow={"managed": True})
    opened.dags.mkdir()
    (opened.dags / "long.py").write_text(LONG_DAG)
    process = subprocess.Popen([sys.executable, "-m", "e2e_ml.stack.background", str(opened.root)])
    yield process
    process.kill()
    process.wait()


LONG_DAG = """
import os, subprocess, time
from pathlib import Path
from airflow.sdk import dag, task

@dag(dag_id="long", schedule=None, is_paused_upon_creation=False)
def long():
    @task
    def sleep():
        below = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        Path(os.environ["E2E_ML_WORKSPACE"], "pids").write_text(f"{os.getpid()} {below.pid}")
        time.sleep(1000)
    sleep()

long()
"""


PRINT_CONNECTION = """
from airflow import settings
connection = settings.engine.raw_connection()
print(type(connection.dbapi_connection).__module__)
connection.close()
"""


def test_airflow_lives_on_without_its_scheduler_and_nothing_outlives_its_owner(
    owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    opened = Workspace.load(tmp_path / "workspace")
    with Stack(opened) as second:
        second.follow()
        airflow = second.services["airflow"]
        is_(airflow, State.UP)
        login = airflow.login()
        assert login is not None

        api_server, scheduler, dag_processor = airflow.status().pids
        warden = psutil.Process(api_server).parent()  # Airflow's own processes write a title over their environment
        assert warden is not None
        told = subprocess.check_output([sys.executable, "-c", PRINT_CONNECTION], env=warden.environ(), text=True)
        assert told.split()[-1] == "e2e_ml.stack.airflow_database"
        os.kill(scheduler, signal.SIGKILL)

        def another_schedules() -> bool:
            now = airflow.status()  # the dead one is missing for a moment before its place is taken
            return now.state is State.UP and len(now.pids) == 3 and scheduler not in now.pids

        until(another_schedules)
        assert airflow.status().pids[::2] == (api_server, dag_processor)

        with httpx.Client(base_url=f"{airflow.url}/api/v2", headers=dict(login.headers), trust_env=False) as client:
            until(lambda: client.get("/dags/long").status_code == 200, what="the DAG was not seen")
            client.post("/dags/long/dagRuns", json={"logical_date": None}).raise_for_status()
        task = opened.root / "pids"
        until(lambda: task.exists() and len(task.read_text().split()) == 2, what="the task did not start")
        processes = psutil.Process(owner.pid).children(recursive=True)
        assert {int(pid) for pid in task.read_text().split()} <= {p.pid for p in processes}
        port = httpx.URL(str(airflow.url)).port
        assert port is not None
        assert not is_free(port)

        owner.kill()
        owner.wait()

        until(lambda: not alive(processes), 60, f"left over: {alive(processes)}")
        assert is_free(port)
        is_(airflow, State.STOPPED)


def test_a_component_that_dies_comes_back(tmp_path: Path) -> None:
    with Stack(workspace(tmp_path, mlflow={"managed": True})) as stack:
        mlflow = stack.services["mlflow"]
        others = set(psutil.Process().children(recursive=True))
        stack.start()
        is_(mlflow, State.UP)
        before = mlflow.status()
        processes = [p for p in psutil.Process().children(recursive=True) if p not in others]
        assert {p.pid for p in processes} >= set(before.pids)
        news: list[Status] = []
        stack.subscribe(news.append)

        os.kill(before.pids[0], signal.SIGKILL)

        until(lambda: mlflow.status().state is State.UP and mlflow.status().pids != before.pids, what=f"{news}")
        assert not alive(processes)
        assert mlflow.url == before.url  # a page keeps its origin
        (pid,) = mlflow.status().pids
        assert os.getsid(pid) == os.getpgid(pid) == pid
        assert {status.state for status in news} == {State.STARTING, State.UP}
        why = "mlflow was ended by signal 9: by somebody, or because memory ran out. It is started again (1 of 3)."
        assert news[0].sentence == why
        assert news[0].pids == ()
        assert f"--- {why}" in (stack.workspace.logs / "mlflow.log").read_text().splitlines()


def test_a_component_that_always_dies_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "PAUSES", (0.0, 0.1, 0.1))
    opened = workspace(tmp_path, festaf={"managed": True})
    others = set(psutil.Process().children(recursive=True))
    with Stack(opened) as stack:
        festaf = stack.services["festaf"]
        stack.start()
        is_(festaf, State.UP)
        news: list[Status] = []
        stack.subscribe(news.append)

        (opened.root / "registry.json").write_text("{ this is no registry")
        os.kill(festaf.status().pids[0], signal.SIGKILL)

        is_(festaf, State.FAILED)
        for number in (1, 2, 3):
            assert any(f"It is started again ({number} of 3)." in status.sentence for status in news)
        status = festaf.status()
        assert "It had been started again 3 times within 10 minutes. Mend that, then start it again" in status.sentence
        assert status.log_tail[-1][:40] in status.sentence
        assert status.pids == ()
        left = [p for p in psutil.Process().children(recursive=True) if p not in others]
        until(lambda: not alive(left), 30, f"left over: {alive(left)}")  # a warden ends behind its component

        (opened.root / "registry.json").unlink()
        festaf.start()
        is_(festaf, State.UP)


def test_a_stop_while_it_waits_to_be_started_again_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "PAUSES", (1000.0,))
    others = set(psutil.Process().children(recursive=True))
    with Stack(workspace(tmp_path, festaf={"managed": True})) as stack:
        festaf = stack.services["festaf"]
        stack.start()
        is_(festaf, State.UP)
        os.kill(festaf.status().pids[0], signal.SIGKILL)
        is_(festaf, State.STARTING)
    assert festaf.status().state is State.STOPPED
    left = [p for p in psutil.Process().children(recursive=True) if p not in others]
    until(lambda: not alive(left), 30, f"left over: {alive(left)}")  # a warden ends behind its component
    assert Ledger(stack.workspace.state).records() == []


def test_an_occupied_port_is_told_with_its_holder(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with Stack(workspace(tmp_path, festaf={"managed": True, "port": port})) as stack:
            festaf = stack.services["festaf"]
            stack.start()
            is_(festaf, State.FAILED)
            sentence = festaf.status().sentence
            assert f"Port {port} is taken by process {os.getpid()}" in sentence
            assert "services.festaf.port" in sentence

            server.close()
            festaf.start()
            is_(festaf, State.UP)


def test_a_service_that_cannot_start_says_the_last_line_of_its_log(tmp_path: Path) -> None:
    opened = workspace(tmp_path, festaf={"managed": True})
    (opened.root / "registry.json").write_text("{ this is no registry")
    with Stack(opened) as stack:
        festaf = stack.services["festaf"]
        stack.start()
        is_(festaf, State.FAILED)
        assert festaf.status().log_tail[-1][:40] in festaf.status().sentence


def test_a_stop_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    others = set(psutil.Process().children(recursive=True))
    with Stack(workspace(tmp_path, mlflow={"managed": True})) as stack:
        stack.start()
        until(lambda: stack.services["mlflow"].status().pids)
        processes = [p for p in psutil.Process().children(recursive=True) if p not in others]
        assert processes
    assert not alive(processes)
    assert stack.services["mlflow"].status().state is State.STOPPED


def test_an_attached_service_that_is_not_there_is_unreachable_with_a_sentence(tmp_path: Path) -> None:
    with Stack(workspace(tmp_path)) as stack:
        stack.start()
        for service in stack.services.values():
            is_(service, State.UNREACHABLE)
            assert f"services.{service.name}.url" in service.status().sentence
            assert not service.managed


def test_attached_services_answer_with_their_credentials(
    running_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = json.loads((running_stack.workspace.state / "secrets.json").read_text())
    monkeypatch.setenv("AIRFLOW_LOGIN", f"admin:{secrets['airflow.password']}")
    (tmp_path / "mlflow").write_text(f"admin:{secrets['mlflow.password']}")
    monkeypatch.setenv("WRONG", "admin:wrong")
    url = {name: service.url for name, service in running_stack.services.items()}
    with Stack(
        workspace(
            tmp_path,
            airflow={"url": url["airflow"], "credential": "env:AIRFLOW_LOGIN"},
            mlflow={"url": url["mlflow"], "credential": f"file:{tmp_path / 'mlflow'}"},
            festaf={"url": url["festaf"]},
        )
    ) as stack:
        stack.start()
        for service in stack.services.values():
            is_(service, State.UP)
            assert service.status().version == running_stack.services[service.name].status().version
        login = stack.services["airflow"].login()
        assert login is not None
        assert set(login.cookies) == {"_token"}
    refused = {"url": url["mlflow"], "credential": "env:WRONG"}
    with Stack(workspace(tmp_path / "other", mlflow=refused)) as stack:
        stack.start()
        is_(stack.services["mlflow"], State.UNREACHABLE)
        assert "refuses the credential. Check env:WRONG" in stack.services["mlflow"].status().sentence


def test_up_status_logs_doctor_and_down(running_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = json.loads((running_stack.workspace.state / "secrets.json").read_text())
    monkeypatch.setenv("MLFLOW_LOGIN", f"admin:{secrets['mlflow.password']}")
    airflow = {"url": running_stack.services["airflow"].url}
    mlflow = {"url": running_stack.services["mlflow"].url, "credential": "env:MLFLOW_LOGIN"}
    opened = workspace(tmp_path, festaf={"managed": True}, airflow=airflow, mlflow=mlflow)
    root = str(opened.root)

    registry = opened.root / "registry.json"
    registry.write_text("{ this is no registry")
    try:
        code, said = run("up", root)
        assert code == 1
        assert "Feature store  failed" in said
        assert run("status", root)[0] == 1

        registry.unlink()
        code, said = run("up", root)  # what failed is started again
        assert (code, said.splitlines()[0].startswith("Already running")) == (0, True), said

        code, said = run("status", root, "--json")
        told = json.loads(said)
        assert (code, told["owner"]["kind"], told["services"]["festaf"]["state"]) == (0, "background", "up")
        assert httpx.get(f"{told['services']['festaf']['url']}/health", trust_env=False).is_success

        assert "Uvicorn running" in run("logs", "festaf", root)[1]
        assert "Feature store: up at" in run("doctor", root)[1]

        os.kill(told["services"]["festaf"]["pids"][0], signal.SIGKILL)
        until(lambda: "It is started again (1 of 3)." in run("status", root)[1])
    finally:
        code, said = run("down", root)
    assert (code, said) == (0, "Stopped.\n")
    assert run("status", root)[0] == 1
    assert run("down", root) == (0, "Nothing is running.\n")


def test_a_verb_on_a_broken_workspace_prints_sentences(tmp_path: Path) -> None:
    (tmp_path / "workbench.yaml").write_text("version: 1\nname: x\nservices: {airflw: {}}\n")
    for verb in ("up", "down", "status"):
        result = CliRunner().invoke(main, [verb, str(tmp_path)])
        assert result.exit_code == 1
        assert "line 3: services.airflw: This is not known here. Did you mean 'airflow'?" in result.output
    result = CliRunner().invoke(main, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert "problem workspace: " in result.output
