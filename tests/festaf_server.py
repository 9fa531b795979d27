"""The feature store's real server, as a subprocess on a free port, for tests of its API and of its pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import free_port

TOKEN = "a token of the tests"


@dataclass
class CatalogServer:
    url: str
    project: Path
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=60)

    def json(self, path: str) -> Any:
        return self.get(path).raise_for_status().json()

    def page(self, path: str) -> str:
        """The page, once the numbers on it are counted."""
        for _ in range(100):
            text = self.get(path).raise_for_status().text
            if "data-pending" not in text:
                return text
        pytest.fail(f"The numbers of {path} are not counted.")

    def stop(self) -> None:
        """End it; nothing that it did may have failed in a way that nobody foresaw."""
        self.process.terminate()
        self.process.wait(30)
        log = self.log.read_text()
        assert "Traceback" not in log, f"The server's log ends with\n{log[-6000:]}"


def run_server(project: Path, log: Path, token: str | None = TOKEN, options: Sequence[str] = ()) -> CatalogServer:
    """The server, once it answers. Whoever asks for it stops it."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if k != "FESTAF_TOKEN"} | (
        {"FESTAF_TOKEN": token} if token else {}
    )
    command = [sys.executable, "-c", "from e2e_ml.cli import main; main()", "festaf", "serve", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--project", str(project), "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = CatalogServer(f"http://127.0.0.1:{port}", project, process, log)
    deadline = time.monotonic() + 120
    while True:
        try:
            server.get("/health").raise_for_status()
            return server
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"The server did not start:\n{log.read_text()}")
            time.sleep(0.1)
