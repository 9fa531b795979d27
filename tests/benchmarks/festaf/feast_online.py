"""Feast's online stores and its server on the rows of `rows_world`, each in processes of Feast's own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.festaf.rows_world import FEATURES
from tests.benchmarks.festaf.table import GIB
from tests.feast_environment import feast_python

MEMORY = 14 * GIB  # what Feast may take of the machine
_HERE = Path(__file__).parent
_RUN = _HERE / "feast_online_run.py"

# A question by keys and the number of rounds: the rows, and the median in milliseconds.
Ask = Callable[[list[int], int], tuple[list[dict[str, Any]], float]]


class FeastError(Exception):
    """Feast did not do what it was asked; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Took:
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Repository:
    """A feature repository on the project's rows."""

    folder: Path
    rows: Path

    @classmethod
    def make(cls, project: Path, online: Mapping[str, Any]) -> Repository:
        """Beside the rows of `project`. online: the section of feature_store.yaml; `${NAME}` in it is an environment
        variable, so that no password stands in a file."""
        folder = project / f"feast_{online['type']}"
        folder.mkdir(exist_ok=True)
        settings = {
            "project": "bench",
            "provider": "local",
            "registry": str(folder / "registry.db"),
            "offline_store": {"type": "duckdb"},
            "online_store": dict(online),
            "entity_key_serialization_version": 3,
        }
        (folder / "feature_store.yaml").write_text(json.dumps(settings))  # which is YAML too
        return cls(folder, project / "rows.parquet")

    def materialize(self) -> Took:
        """Define the view and bring its rows online, once. Raises FeastError."""
        done = subprocess.run(self._command("materialize"), check=False, capture_output=True, text=True)
        if done.returncode:
            raise FeastError(done.stderr[-2000:])
        return Took(**json.loads(done.stdout))

    @contextmanager
    def reader(self) -> Iterator[Ask]:
        """What asks Feast's Python API, in one process for many questions."""
        process = subprocess.Popen(
            self._command("read"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        given, said = process.stdin, process.stdout

        def ask(keys: list[int], rounds: int) -> tuple[list[dict[str, Any]], float]:
            print(json.dumps([keys, rounds]), file=given, flush=True)
            answer = json.loads(said.readline())
            return answer["rows"], answer["milliseconds"]

        try:
            yield ask
        finally:
            given.close()
            process.terminate()
            process.wait(30)
            said.close()

    def serve(self, port: int) -> list[str]:
        """The command of its feature server: one worker, as ours has, which is not ended after a thousand requests."""
        program = str(_python().with_name("feast"))
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--max-requests", "0"]
        return [program, "--chdir", str(self.folder), "serve", *options]

    def _command(self, work: str) -> list[str]:
        python = [str(_python()), str(_RUN), work, str(self.folder), str(self.rows)]
        return ["prlimit", f"--data={MEMORY}", *python]


def sqlite_of(project: Path) -> dict[str, Any]:
    """The online store in a SQLite file of its own."""
    return {"type": "sqlite", "path": str(project / "feast_sqlite" / "online.db")}


def request(port: int, keys: list[int]) -> bytes:
    """The question for these keys to its server, as HTTP has it."""
    body = orjson.dumps({"features": [f"things:{name}" for name in FEATURES], "entities": {"id": keys}})
    head = f"POST /get-online-features HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def rows_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of its server's answer, by short names."""
    names, columns = answer["metadata"]["feature_names"], [result["values"] for result in answer["results"]]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _python() -> Path:
    return feast_python(_HERE / "feast_redis.lock")
