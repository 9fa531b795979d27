"""Airflow as a managed service: api-server, scheduler and DAG processor, kept lean, with a login of its own."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from e2e_ml.credentials import CredentialError
from e2e_ml.stack.component import Command
from e2e_ml.stack.mlflow import client_environment
from e2e_ml.stack.ports import LOOPBACK
from e2e_ml.stack.recipe import Layout, Probe, StackError, local_client, python
from e2e_ml.stack.service import Login
from e2e_ml.stack.state import read_json, write_json
from e2e_ml.workspace import Attached

_USER = "admin"
_KEY = "festaf.token"  # the name under which the key of the feature store's server is kept
_AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


class AirflowRecipe:
    name = "airflow"
    title = "Airflow"

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._home = layout.folder(self.name)
        self._url = layout.url(self.name)

    def prepare(self) -> Sequence[tuple[str, Command]]:
        self._layout.workspace.dags.mkdir(parents=True, exist_ok=True)
        write_json(self._passwords, {_USER: self._password})
        if self._migrated() == _version() and self._database.exists():
            return ()
        sentence = "upgrading Airflow's database" if self._database.exists() else "creating Airflow's database"
        return ((sentence, self._command("airflow-migrate", "db", "migrate")),)

    def prepared(self) -> None:
        write_json(self._marker, {"airflow": _version()})

    def commands(self) -> Sequence[Command]:
        port = str(self._layout.port(self.name))
        return (
            self._command("airflow-api-server", "api-server", "--host", LOOPBACK, "--port", port, "--workers", "1"),
            # The log servers would listen on all interfaces; the LocalExecutor's logs are read from the disk.
            self._command("airflow-scheduler", "scheduler", "--skip-serve-logs"),
            self._command("airflow-dag-processor", "dag-processor"),
        )

    def probe(self, since: float) -> Probe:
        try:
            with local_client() as client:
                health: dict[str, Any] = client.get(f"{self._url}/api/v2/monitor/health").raise_for_status().json()
                waiting = _waiting(health, since)
                if waiting is not None:
                    return waiting
                version = client.get(f"{self._url}/api/v2/version").raise_for_status().json().get("version")
        except (httpx.HTTPError, ValueError):
            return Probe(False, "waiting for Airflow's API to answer", 0.5)
        return Probe(True, "Scheduler and DAG processor are healthy.", 1.0, version)

    def login(self) -> Login | None:
        with local_client() as client:
            return token_login(client, self._url, _USER, self._password)

    @property
    def _password(self) -> str:
        return self._layout.secrets.password("airflow.password")

    @property
    def _passwords(self) -> Path:
        return self._home / "simple_auth_manager_passwords.json"

    @property
    def _database(self) -> Path:
        return self._home / "airflow.db"

    @property
    def _marker(self) -> Path:
        return self._home / "migrated.json"

    def _migrated(self) -> str | None:
        return read_json(self._marker).get("airflow")

    def _command(self, name: str, *arguments: str) -> Command:
        return Command(name, python("-m", "airflow", *arguments), self._environment(), self._home)

    def _environment(self) -> dict[str, str]:
        """Airflow's settings, and what tasks find in their environment: MLflow, the feature store, the workspace."""
        workspace, secrets = self._layout.workspace, self._layout.secrets
        airflow = {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(workspace.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key("airflow.fernet"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__AUTH_MANAGER": _AUTH_MANAGER,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{quote(str(self._database))}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "e2e_ml.stack.airflow_database.ARGS",
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__API__SECRET_KEY": secrets.password("airflow.api_secret"),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.password("airflow.jwt_secret"),
            # A DAG file that is new or changed is seen within seconds.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "600",
            # What ran when the stack was stopped is noticed, and retried, soon after the next start: default 300 s.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90",
            # What a scheduler that was killed had in hand is taken up by the next one: default 300 s.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            # How soon a worker sees that its task is over, where it missed the moment: default 5 s.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "SCARF_ANALYTICS": "false",
        }
        tasks = {
            "FESTAF_PROJECT": str(workspace.festaf_project),
            # What a task of festaf's leaves its notes with.
            "AIRFLOW_CONN_FESTAF_AIRFLOW": json.dumps(
                {"conn_type": "http", "host": self._url, "login": _USER, "password": self._password}
            ),
            "E2E_ML_WORKSPACE": str(workspace.root),
            **client_environment(self._layout),
            **self._events(),
        }
        return self._layout.environment({**airflow, **tasks})

    def _events(self) -> dict[str, str]:
        """Where run events of OpenLineage go: to the feature store's server, which keeps them for the workbench. Who
        has a receiver of their own keeps it, and then none of our secrets is sent there."""
        if os.environ.get("OPENLINEAGE_URL"):
            return {}
        setting = self._layout.setting("festaf")
        try:
            attached = isinstance(setting, Attached)
            key = setting.secret(self._layout.workspace.root) if attached else self._layout.secrets.password(_KEY)
        except CredentialError:  # the feature store says so; Airflow runs without it
            key = None
        if key is None:
            return {}
        return {
            "OPENLINEAGE_URL": self._layout.url("festaf"),
            "OPENLINEAGE_ENDPOINT": "api/v1/lineage",
            "OPENLINEAGE_API_KEY": key,
            "OPENLINEAGE_NAMESPACE": os.environ.get("OPENLINEAGE_NAMESPACE") or self._layout.workspace.name,
        }


def token_login(client: httpx.Client, url: str, user: str, password: str) -> Login | None:
    """Get Airflow's token for a name and a password: APIs take it as a header, pages as the `_token` cookie."""
    try:
        answer = client.post(f"{url}/auth/token", json={"username": user, "password": password}).raise_for_status()
        token = answer.json()["access_token"]
    except (httpx.HTTPError, ValueError, KeyError):
        return None
    return bearer(token)


def bearer(token: str) -> Login:
    return Login(headers={"Authorization": f"Bearer {token}"}, cookies={"_token": token})


def _waiting(health: dict[str, Any], since: float) -> Probe | None:
    """What is still awaited; None when all is healthy. A heartbeat from before this start counts for nothing."""
    waits = (
        ("scheduler", "latest_scheduler_heartbeat", "waiting for the scheduler's first heartbeat", 0.75),
        ("dag_processor", "latest_dag_processor_heartbeat", "waiting for the DAG processor's first heartbeat", 0.9),
    )
    for part, field, sentence, progress in waits:
        found: dict[str, Any] = health.get(part) or {}
        beat: str | None = found.get(field)
        if found.get("status") != "healthy" or not beat or datetime.fromisoformat(beat).timestamp() < since:
            return Probe(False, sentence, progress)
    return None


def _version() -> str:
    try:
        return importlib.metadata.version("apache-airflow-core")
    except importlib.metadata.PackageNotFoundError:
        raise StackError("Airflow is not installed here. Install it with `pip install 'e2e-ml[local]'`.") from None
