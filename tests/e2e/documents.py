"""Documentation as a program: the blocks of a Markdown page, run in their order as a reader would.

A page is read so:

- A block whose first line is a comment with a file's name (`# features.py`) is that file, and is written.
- ```python is run in one Python for the whole page, ```sh in a shell, both in the reader's folder.
- ```text behind one of them is what it prints; `...` stands for anything, and alone in a line for
  any lines. Without it, what is printed does not matter.
- A shell block that starts `e2e-ml festaf serve` is a server, and runs until the page ends. Its port is another one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "resources" / "docs"
BIN = Path(sys.executable).parent
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w/.-]+\.(?:py|yaml|csv))\n")
_PORT = "8787"

# The page's Python: blocks come as lines of JSON, what each prints goes back as one.
_READER = """
import contextlib, io, json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        block = json.loads(line)
        try:
            exec(compile("\\n" * block["line"] + block["code"], block["page"], "exec"), names)
            failed = None
        except BaseException:
            failed = traceback.format_exc()
    print(json.dumps({"said": said.getvalue(), "failed": failed}), file=sys.__stdout__, flush=True)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block, with the line of the page that it begins in."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in _BLOCK.finditer(text)]


class DocumentationError(AssertionError):
    """A block that does not do what the page says."""


def run(page: Path, folder: Path) -> None:
    """Do what the page says, in the folder. Raises DocumentationError at the first block that does otherwise."""
    found = blocks(page)
    with _reader(folder) as session:
        for i, block in enumerate(found):
            follows = found[i + 1] if i + 1 < len(found) else None
            if block.file is not None:
                place = folder / block.file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(block.text.partition("\n")[2].lstrip("\n"))
                continue
            if block.language not in ("python", "sh"):
                continue
            said = session.python(page, block) if block.language == "python" else session.shell(page, block)
            if follows is not None and follows.language == "text" and not like(said, follows.text):
                raise DocumentationError(f"{page.name}:{follows.line} says\n{follows.text}\nand it printed\n{said}")


def like(said: str, expected: str) -> bool:
    """Whether what was printed is what the page shows, but for space at the ends of lines."""
    shown = (
        r"(.*\n)*?.*" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*")
        for line in _lines(expected)
    )
    pattern = "\n".join(shown)
    return re.fullmatch(pattern, "\n".join(_lines(said))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]


class _Session:
    def __init__(self, folder: Path, environment: dict[str, str], python: subprocess.Popen[str]) -> None:
        self._folder, self._environment, self._python = folder, environment, python
        self._servers: list[subprocess.Popen[bytes]] = []
        self._port = _free_port()

    def python(self, page: Path, block: Block) -> str:
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        code = block.text.replace(_PORT, self._port)
        self._python.stdin.write(json.dumps({"code": code, "line": block.line, "page": page.name}) + "\n")
        self._python.stdin.flush()
        answer = json.loads(self._python.stdout.readline() or '{"failed": "Python has ended.", "said": ""}')
        if answer["failed"]:
            raise DocumentationError(f"{page.name}:{block.line} failed:\n{answer['failed']}")
        return answer["said"]

    def shell(self, page: Path, block: Block) -> str:
        text = block.text.replace(_PORT, self._port)
        if text.startswith("e2e-ml festaf serve"):
            self._serve(text)
            return ""
        ended = subprocess.run(
            ["bash", "-eu", "-c", text], cwd=self._folder, env=self._environment, capture_output=True, text=True
        )
        if ended.returncode:
            raise DocumentationError(f"{page.name}:{block.line} failed:\n{text}\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def _serve(self, text: str) -> None:
        command = ["e2e-ml", *text.split()[1:]]
        if "--port" not in command:
            command += ["--port", self._port]
        with (self._folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._servers.append(server)
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                if server.poll() is not None:
                    break
                time.sleep(0.1)
        raise DocumentationError(f"The server did not start: {(self._folder / 'server.log').read_text()}")

    def end(self) -> None:
        for server in self._servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


@contextmanager
def _reader(folder: Path) -> Iterator[_Session]:
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLFLOW", "FESTAF"))},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "COLUMNS": "120",
        "OMP_NUM_THREADS": "1",
    }
    python = subprocess.Popen(
        [sys.executable, "-c", _READER],
        cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    session = _Session(folder, environment, python)
    try:
        yield session
    finally:
        session.end()
        python.communicate(timeout=30)


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def copied(folder: Path, into: Path) -> Path:
    """A reader's own copy of an example."""
    shutil.copytree(folder, into)
    return into
