"""Bad input as a person gives it: the program says in a sentence what to do next, and nothing is lost.

Every test runs the real `e2e-ml` as a subprocess on a workspace that a person has broken. Airflow is left out: the
workspaces attach to addresses where nothing listens, and start the feature store and MLflow alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import PROGRAM, without_display

NOWHERE = {"url": "http://127.0.0.1:9"}  # nobody listens on the discard port
PATIENCE = 120.0  # seconds, for a machine with much else to do

FEATURES = '''
from e2e_ml import festaf as fs


class Station(fs.FeatureView):
    """A weather station."""

    source = fs.csv("stations.csv")
    station = fs.Entity(fs.String())
    temp = fs.Float64()
    warm = temp > 70
'''


@dataclass(frozen=True)
class Answer:
    code: int
    text: str


def run(*arguments: str | Path) -> Answer:
    """What `e2e-ml` answers. It is a failure if that holds a traceback."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env=without_display(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return Answer(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one feature view, applied, and its rows."""
    root = tmp_path_factory.mktemp("applied")
    (root / "features.py").write_text(FEATURES)
    (root / "stations.csv").write_text("station,temp\nJFK,71.5\nLGA,50\n")
    assert run("festaf", "apply", "--project", root, "--name", "bad").code == 0
    return root


LayOut = Callable[..., Path]


@pytest.fixture
def lay_out(applied: Path, tmp_path: Path) -> Iterator[LayOut]:
    """Makes a workspace of the project; a service that is not given is elsewhere, and down. Stops what runs there."""
    root = tmp_path / "bad"

    def make(**services: object) -> Path:
        shutil.copytree(applied, root)
        chosen = {**dict.fromkeys(("airflow", "mlflow", "festaf"), NOWHERE), **services}
        (root / "workbench.yaml").write_text(f"version: 1\nname: bad\nservices: {json.dumps(chosen)}\n")
        return root

    yield make
    if (root / ".e2e-ml" / "owner.lock").exists():
        run("down", root)


@pytest.fixture
def workspace(lay_out: LayOut) -> Path:
    return lay_out()


# --- workbench.yaml --------------------------------------------------------------------------------------------------

BROKEN = [
    ("version: 1\nname: [x\nservices: {", "line 3: This is not YAML", "not closed or not indented"),
    ("version: 1\nname: x\nservces: {}\n", "line 3: servces: ", "Did you mean 'services'?"),
    ("version: 1\nname: 5\n", "line 2: name: ", "This must be a text."),
    ("version: 1\nname: x\nservices: {mlflow: {url: 'http://x', credential: hunter2}}\n", "credential: ", "env:NAME"),
]


@pytest.mark.parametrize(("text", "place", "step"), BROKEN, ids=["syntax", "unknown key", "wrong type", "credential"])
def test_every_verb_says_what_is_wrong_with_a_workbench_yaml(workspace: Path, text: str, place: str, step: str) -> None:
    (workspace / "workbench.yaml").write_text(text)
    for verb in (["up"], ["status"], ["doctor"], ["open"], ["demo", "--no-window", "--workspace"]):
        answer = run(*verb, workspace)
        assert answer.code == 1, verb
        assert f"{workspace / 'workbench.yaml'}" in answer.text, verb
        assert place in answer.text, verb
        assert step in answer.text, verb
        assert "hunter2" not in answer.text
    assert (workspace / "workbench.yaml").read_text() == text


# --- definitions, registry and data ----------------------------------------------------------------------------------

WRONG = [
    ('temp.contains("x")', "Station.warm: a Float64 has no contains. It has: "),
    ("tmp > 70", "Station.warm: there is nothing called tmp here. Did you mean temp?"),
    ("(temp > 70", "it is not Python: '(' was never closed."),
]


@pytest.mark.parametrize(("expression", "sentence"), WRONG, ids=["type", "missing column", "syntax"])
def test_a_broken_definition_changes_nothing(workspace: Path, expression: str, sentence: str) -> None:
    before = (workspace / "registry.json").read_bytes()
    (workspace / "features.py").write_text(FEATURES.replace("temp > 70", expression))
    answer = run("festaf", "apply", "--project", workspace)
    assert answer.code == 1
    assert "features.py:11: " in answer.text
    assert sentence in answer.text
    assert (workspace / "registry.json").read_bytes() == before
    assert "warm" in run("festaf", "list", "--project", workspace).text  # what was applied before is still there


def test_a_missing_data_column_is_named_and_the_rows_that_were_there_stay(workspace: Path) -> None:
    assert run("festaf", "materialize", "station", "--load", "--project", workspace).code == 0
    (workspace / "stations.csv").write_text("station,temperature\nJFK,80\n")
    answer = run("festaf", "materialize", "station", "--load", "--project", workspace)
    assert answer.code == 1
    assert "the source stations.csv has no column 'temp'. It has station, temperature." in answer.text
    assert "Add the column to the data, or take it out of the definition." in answer.text
    kept = json.loads(run("festaf", "online", "station", "--row", '{"station": "JFK"}', "--project", workspace).text)
    assert kept["station__temp"] == 71.5


@pytest.mark.parametrize("text", ["", "{ cut", "[]", '{"project": 5}'])
def test_a_broken_registry_is_left_as_it_is(workspace: Path, text: str) -> None:
    (workspace / "registry.json").write_text(text)
    for verb in ("list", "apply"):
        answer = run("festaf", verb, "--project", workspace)
        assert answer.code == 1
        assert "Restore it from version control" in answer.text
    assert (workspace / "registry.json").read_text() == text


# --- the program's own folder ----------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_to_is_named(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".e2e-ml").write_text("a file where the folder should be")
    for verb in (["up"], ["status"], ["doctor"]):
        answer = run(*verb, workspace)
        assert answer.code == 1
        assert f"{workspace / '.e2e-ml'} cannot be used" in answer.text
    (tmp_path / "file").write_text("")
    answer = run("demo", "--no-window", "--workspace", tmp_path / "file" / "demo")
    assert answer.code == 1
    assert "Choose another folder" in answer.text


def test_damaged_state_is_made_anew(workspace: Path) -> None:
    state = workspace / ".e2e-ml"
    state.mkdir(mode=0o700)
    for name in ("ports.json", "components.json", "stack.json", "secrets.json"):
        (state / name).write_text('{"services": 3, "cut": [')
    answer = run("status", workspace)
    assert answer.code == 1  # nothing answers; it is said of each service
    assert answer.text.count("Check services.") == 3


# --- services --------------------------------------------------------------------------------------------------------


def status(root: Path, service: str) -> dict[str, object]:
    return json.loads(run("status", root, "--json").text)["services"][service]


def wait_for(root: Path, service: str, state: str) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE
    while (found := status(root, service))["state"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return found


def test_an_occupied_port_is_told_with_its_holder(lay_out: LayOut) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        root = lay_out(festaf={"managed": True, "port": port})
        sentence = f"Port {port} is taken by process {os.getpid()}"
        for verb in ("up", "doctor"):
            answer = run(verb, root)
            assert answer.code == 1
            assert sentence in answer.text
            assert (
                "Stop it, or change or remove services.festaf.port in workbench.yaml, and start again." in answer.text
            )
    run("up", root)
    assert wait_for(root, "festaf", "up")["url"] == f"http://127.0.0.1:{port}"


def test_a_service_that_dies_says_so_and_comes_back_with_its_data(lay_out: LayOut) -> None:
    root = lay_out(mlflow={"managed": True})
    run("up", root)
    found = wait_for(root, "mlflow", "up")
    login = ("admin", json.loads((root / ".e2e-ml" / "secrets.json").read_text())["mlflow.password"])
    with httpx.Client(base_url=str(found["url"]), auth=login, trust_env=False) as client:
        client.post("/api/2.0/mlflow/experiments/create", json={"name": "kept"}).raise_for_status()

    pids = found["pids"]
    assert isinstance(pids, list)
    os.kill(int(pids[0]), signal.SIGKILL)
    dead = wait_for(root, "mlflow", "starting")
    assert "was ended by signal 9" in str(dead["sentence"])
    assert "It is started again (1 of 3)." in str(dead["sentence"])
    assert dead["log_tail"]

    assert wait_for(root, "mlflow", "up")["url"] == found["url"]
    with httpx.Client(base_url=str(found["url"]), auth=login, trust_env=False) as client:
        kept = client.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "kept"})
        assert kept.is_success, kept.text


def test_a_service_that_cannot_read_its_files_says_what_its_log_says(lay_out: LayOut) -> None:
    root = lay_out(festaf={"managed": True})
    (root / "registry.json").write_text("{ cut")
    answer = run("up", root)
    assert answer.code == 1
    assert "registry.json is not JSON at line 1" in answer.text
    assert "Mend that, then start it again" in answer.text
