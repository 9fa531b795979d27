"""MLflow as a managed service: the tracking server and model registry on SQLite, behind its own basic login."""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import httpx

from e2e_ml.stack.component import Command
from e2e_ml.stack.ports import LOOPBACK
from e2e_ml.stack.recipe import Layout, Probe, StackError, local_client, python
from e2e_ml.stack.service import Login
from e2e_ml.stack.state import write_private
from e2e_ml.workspace import Attached

_USER = "admin"
_PASSWORD = "mlflow.password"  # noqa: S105 - the name under which it is kept


class MlflowRecipe:
    name = "mlflow"
    title = "MLflow"

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._home = layout.folder(self.name)
        self._url = layout.url(self.name)

    def prepare(self) -> Sequence[tuple[str, Command]]:
        if importlib.util.find_spec("mlflow") is None or importlib.util.find_spec("flask_wtf") is None:
            raise StackError("MLflow's server is not installed here. Install it with `pip install 'e2e-ml[local]'`.")
        if not self._layout.secrets.knows(_PASSWORD):
            # MLflow keeps the password with which its users were first made: a new one needs new users.
            self._users.unlink(missing_ok=True)
        write_private(self._config, _CONFIG.format(users=quote(str(self._users)).replace("%", "%%")))
        return ()

    def prepared(self) -> None:
        pass

    def commands(self) -> Sequence[Command]:
        command = python(
            *("-m", "e2e_ml.stack.mlflow_server", "--host", LOOPBACK, "--port", str(self._layout.port(self.name))),
            *("--store", f"sqlite:///{quote(str(self._home / 'mlflow.db'))}"),
            *("--artifacts", (self._home / "artifacts").as_uri()),
        )
        return (Command("mlflow", command, self._environment(), self._home),)

    def probe(self, since: float) -> Probe:
        try:
            with local_client() as client:
                client.get(f"{self._url}/health").raise_for_status()
                login = self.login()
                answer = client.get(f"{self._url}/version", headers=login.headers)
                if answer.status_code == HTTPStatus.UNAUTHORIZED:
                    raise StackError(
                        f"MLflow refuses the password of this workspace. Delete {self._users} and start it again."
                    )
                version = answer.raise_for_status().text.strip()
        except httpx.HTTPError:
            return Probe(False, "waiting for MLflow to answer", 0.5)
        return Probe(True, "Tracking server and model registry answer.", 1.0, version)

    def login(self) -> Login:
        return basic_login(_USER, self._layout.secrets.password(_PASSWORD))

    @property
    def _users(self) -> Path:
        return self._home / "users.db"

    @property
    def _config(self) -> Path:
        return self._home / "basic_auth.ini"

    def _environment(self) -> dict[str, str]:
        secrets = self._layout.secrets
        return self._layout.environment(
            {
                "MLFLOW_AUTH_CONFIG_PATH": str(self._config),
                "MLFLOW_AUTH_ADMIN_USERNAME": _USER,
                "MLFLOW_AUTH_ADMIN_PASSWORD": secrets.password(_PASSWORD),
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.password("mlflow.flask"),
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            }
        )


# The password check hashes slowly on purpose, and a page asks dozens of times: remember a good answer for a minute.
_CONFIG = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{users}
auth_cache_ttl_seconds = 60
"""


def basic_login(user: str, password: str) -> Login:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Login(headers={"Authorization": f"Basic {encoded}"}, cookies={}, basic=(user, password))


def client_environment(layout: Layout) -> dict[str, str]:
    """What an MLflow client in a task reads: address and credential, of the managed or the attached server."""
    found = {"MLFLOW_TRACKING_URI": layout.url("mlflow"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    setting = layout.setting("mlflow")
    if isinstance(setting, Attached):
        secret = setting.secret(layout.workspace.root)
        if secret is None:
            return found
        user, colon, password = secret.partition(":")
        if not colon:
            return {**found, "MLFLOW_TRACKING_TOKEN": secret}
    else:
        user, password = _USER, layout.secrets.password(_PASSWORD)
    return {**found, "MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
