"""A Feast project as `feast init` makes it, with its own MLflow integration, and a model that it trained.

    with feast_world(folder) as world:
        collector = feast_collector(Feast(registry=str(world.registry)), folder)

Feast runs in its own environment; MLflow is the workbench's, without a login, on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.feast_environment import feast_python
from tests.servers import free_port

PROJECT, SERVICE = "drivers", "driver_activity_v1"
_PATIENCE = 240.0  # seconds, for a machine with much else to do: MLflow imports a great deal
_HERE = Path(__file__).parent
_QUIET = {"PYTHONWARNINGS": "ignore", "FEAST_USAGE": "False", "MLFLOW_DISABLE_TELEMETRY": "true"}
_SETTINGS = """
mlflow:
  enabled: true
  tracking_uri: {url}
  log_operations: true
"""


@dataclass(frozen=True, slots=True)
class FeastWorld:
    repository: Path  # the folder with feature_store.yaml
    registry: Path
    mlflow_url: str
    run_id: str  # of the run that trained on SERVICE
    prediction_id: str  # of the run that asked the model
    alone_id: str  # of a run that named two features, and no service
    model: str
    version: str


@contextlib.contextmanager
def feast_world(folder: Path) -> Iterator[FeastWorld]:
    """A trained project; MLflow runs until the end."""
    with mlflow_server(folder / "mlflow") as url:
        yield trained_project(folder, url)


def trained_project(folder: Path, mlflow_url: str) -> FeastWorld:
    """`feast init`, `feast apply`, `feast materialize-incremental`, and a training that MLflow is told of."""
    run_feast(folder, "init", PROJECT)
    repository = folder / PROJECT / "feature_repo"
    with (repository / "feature_store.yaml").open("a") as settings:
        settings.write(_SETTINGS.format(url=mlflow_url))
    run_feast(repository, "apply")
    run_feast(repository, "materialize-incremental", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
    answer = folder / "trained.json"
    _run([str(feast_python()), str(_HERE / "feast_training.py"), str(repository), str(answer)], folder)
    told = json.loads(answer.read_text())
    return FeastWorld(
        repository,
        repository / "data" / "registry.db",
        mlflow_url,
        told["run"],
        told["prediction"],
        told["alone"],
        told["model"],
        told["version"],
    )


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """MLflow's tracking server and model registry without a login; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder.as_uri(),
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def healthy() -> bool:
        with contextlib.suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=5) as client:
            return client.get(f"{url}/health").is_success
        return False

    with _running(command, folder / "log", healthy, quiet):
        yield url


@contextlib.contextmanager
def registry_server(repository: Path) -> Iterator[str]:
    """Feast's own registry server on loopback; its address, as workbench.yaml has it."""
    port = free_port()
    command = [str(feast_python()), str(_HERE / "feast_registry_server.py"), str(repository), str(port)]

    def listens() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with _running(command, repository.parent / "registry-server.log", listens):
        yield f"grpc://127.0.0.1:{port}"


def run_feast(folder: Path, *arguments: str) -> None:
    """`feast` with `arguments`, in a folder."""
    _run([str(feast_python().with_name("feast")), *arguments], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {**os.environ, **_QUIET}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@contextlib.contextmanager
def _running(
    command: Sequence[str], log: Path, ready: Callable[[], bool], settings: dict[str, str] | None = None
) -> Iterator[None]:
    """A server with its children, ended as a group."""
    environment = {**os.environ, **_QUIET, **(settings or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            assert process.poll() is None, f"{command[0]} has ended:\n{log.read_text(errors='replace')}"
            assert time.monotonic() < deadline, f"{command[0]} is not up:\n{log.read_text(errors='replace')}"
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
