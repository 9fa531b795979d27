"""What a managed service consists of: its recipe, and the layout (addresses, secrets, folders) that recipes share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from e2e_ml.stack.component import Command
from e2e_ml.stack.ports import LOOPBACK, PortMemory, is_free, occupied_sentence
from e2e_ml.stack.service import Login
from e2e_ml.stack.state import Secrets
from e2e_ml.workspace import Attached, Managed, Workspace

NAMES = ("airflow", "festaf", "mlflow")


class StackError(Exception):
    """A service cannot start or go on. The message is a sentence with the next step, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at a starting or running service told."""

    healthy: bool
    sentence: str
    progress: float | None = None
    version: str | None = None


class Recipe(Protocol):
    """How one managed service is made, started, looked at and logged in to. No method but `login` may wait for long."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def prepare(self) -> Sequence[tuple[str, Command]]:
        """Write what the service reads; what has to run before it, each with a sentence. Raises StackError."""
        ...

    def prepared(self) -> None:
        """All of `prepare` ran well: remember what need not be done again."""
        ...

    def commands(self) -> Sequence[Command]:
        """The components that make up the service."""
        ...

    def probe(self, since: float) -> Probe:
        """Ask the service how it is; `since` is the POSIX time at which its components were started."""
        ...

    def login(self) -> Login | None: ...


class Layout:
    """Where the services of one workspace live: chosen once for each owner, so that they can name one another."""

    def __init__(self, workspace: Workspace, *, owner: bool) -> None:
        """The owner chooses ports that are free; another program takes those that the owner chose."""
        self.workspace = workspace
        self.secrets = Secrets(workspace.state)
        memory = PortMemory(workspace.state)
        choose = memory.port if owner else memory.last
        self._ports = {name: choose(name, s.port) for name in NAMES if isinstance(s := self.setting(name), Managed)}

    def setting(self, service: str) -> Managed | Attached:
        return getattr(self.workspace.services, service)

    def port(self, service: str) -> int:
        return self._ports[service]

    def url(self, service: str) -> str:
        setting = self.setting(service)
        return setting.url if isinstance(setting, Attached) else f"http://{LOOPBACK}:{self.port(service)}"

    def check_port(self, service: str) -> None:
        """Raises StackError where another program listens on the service's port."""
        if not is_free(port := self.port(service)):
            pinned = isinstance(s := self.setting(service), Managed) and s.port is not None
            raise StackError(occupied_sentence(port, f"services.{service}.port" if pinned else None))

    def folder(self, service: str) -> Path:
        folder = self.workspace.state / service
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a component: this program's, without what would lead the services astray."""
        mine = {key: value for key, value in os.environ.items() if not _misleads(key)}
        for key in ("NO_PROXY", "no_proxy"):
            mine[key] = ",".join(filter(None, (mine.get(key), LOOPBACK, "localhost")))
        return {**mine, "DO_NOT_TRACK": "1", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", **more}


def _misleads(variable: str) -> bool:
    """A person's Airflow connections and variables are welcome; every other setting of the services is ours."""
    if variable.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_")):
        return False
    return variable.startswith(
        ("AIRFLOW_", "_AIRFLOW_", "MLFLOW_", "_MLFLOW_", "FESTAF_", "QT", "PYTHONPATH", "PYTHONHOME")
    )


def python(*arguments: str) -> tuple[str, ...]:
    """Run this environment's Python; -P keeps the working folder from being imported from."""
    return (sys.executable, "-P", *arguments)


def local_client() -> httpx.Client:
    """A client for services on this machine: never through a proxy."""
    return httpx.Client(trust_env=False, timeout=10.0)
