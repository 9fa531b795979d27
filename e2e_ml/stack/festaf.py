"""The feature store's server as a managed service: `e2e-ml festaf serve` on the workspace's project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from e2e_ml.festaf.settings import TOKEN_VARIABLE
from e2e_ml.stack.component import Command
from e2e_ml.stack.recipe import Layout, Probe, StackError, local_client, python
from e2e_ml.stack.service import Login


class FestafRecipe:
    name = "festaf"
    title = "Feature store"

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._home = layout.folder(self.name)
        self._url = layout.url(self.name)

    def prepare(self) -> Sequence[tuple[str, Command]]:
        project = self._layout.workspace.festaf_project
        if not project.is_dir():
            raise StackError(
                f"There is no folder {project} for the feature store. Make it, or change services.festaf.project "
                "in workbench.yaml, then start again."
            )
        return ()

    def prepared(self) -> None:
        pass

    def commands(self) -> Sequence[Command]:
        options = (
            *("--project", str(self._layout.workspace.festaf_project), "--port", str(self._layout.port(self.name))),
            *("--airflow", self._layout.url("airflow")),  # a view's runs are links
        )
        # The command through its module, for a script need not be on PATH.
        command = python("-c", "from e2e_ml.cli import main; main(prog_name='e2e-ml')", "festaf", "serve", *options)
        environment = self._layout.environment(
            {TOKEN_VARIABLE: self._token, "E2E_ML_WORKSPACE": str(self._layout.workspace.root)}
        )
        return (Command("festaf", command, environment, self._home, grace=4.0),)

    def probe(self, since: float) -> Probe:
        try:
            with local_client() as client:
                answer = client.get(f"{self._url}/health", headers=self.login().headers)
                if answer.status_code >= 500:
                    answer.raise_for_status()
                about: Any = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        except (httpx.HTTPError, ValueError):
            return Probe(False, "waiting for the feature store to answer", 0.5)
        return Probe(True, "The catalog and its API answer.", 1.0, about.get("version"))

    def login(self) -> Login:
        return Login(headers={"Authorization": f"Bearer {self._token}"}, cookies={})

    @property
    def _token(self) -> str:
        return self._layout.secrets.password("festaf.token")
