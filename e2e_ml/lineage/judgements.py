"""What people said of inferred edges: confirmed or refused. Kept in a file of its own, which no rebuild of the index
touches.

One JSON object a line, only ever appended to: two programs that write at once lose nothing, and versions of the file
merge in git. The last word on an edge counts. A line that cannot be read is left where it is and told in the log.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from e2e_ml.lineage.graph import Edge, Relation
from e2e_ml.refs import Ref

log = logging.getLogger(__name__)


_UNREADABLE = (-1,)


class Verdict(StrEnum):
    CONFIRMED = "confirmed"  # the edge is there, whatever the rules infer from now on
    REFUSED = "refused"  # it is not, however often it is inferred
    WITHDRAWN = "withdrawn"  # nothing was said


@dataclass(frozen=True, slots=True)
class Judgement:
    upstream: Ref
    downstream: Ref
    relation: Relation
    verdict: Verdict
    by: str
    at: datetime
    reason: str = ""  # why it had been inferred

    @property
    def sentence(self) -> str:
        before = f"; inferred before: {self.reason}" if self.reason else ""
        return f"{self.verdict} by {self.by} on {self.at.astimezone(UTC):%d %B %Y}{before}"


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    upstream: str
    downstream: str
    relation: Relation
    verdict: Verdict
    by: str
    at: AwareDatetime
    reason: str = ""


class Judgements:
    """Safe to use from several threads and processes. `path` None keeps them in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._found: dict[tuple[Ref, Ref, Relation], Judgement] = {}
        self._read = b""  # of the file, in whole lines
        self._looked: tuple[int, ...] = ()  # at which file, of which size and time
        self._version = 0

    @property
    def version(self) -> int:
        """Another number whenever something was said, here or in another program."""
        with self._lock:
            self._read_on()
            return self._version

    def all(self) -> list[Judgement]:
        """What holds now, on any edge."""
        with self._lock:
            self._read_on()
            return [j for j in self._found.values() if j.verdict is not Verdict.WITHDRAWN]

    def on(self, edge: Edge) -> Judgement | None:
        """What holds now on `edge`."""
        with self._lock:
            self._read_on()
            found = self._found.get((edge.upstream, edge.downstream, edge.relation))
        return found if found and found.verdict is not Verdict.WITHDRAWN else None

    def judge(self, edge: Edge, verdict: Verdict, by: str, at: datetime | None = None) -> Judgement:
        """Write down what `by` says of `edge`. Raises OSError where the file cannot be written."""
        at = at or datetime.now(UTC)
        said = Judgement(edge.upstream, edge.downstream, edge.relation, verdict, by, at, edge.reason)
        line = _Line(
            upstream=str(said.upstream), downstream=str(said.downstream), relation=said.relation, verdict=verdict,
            by=by, at=at, reason=said.reason,
        )  # fmt: skip
        with self._lock:
            self._read_on()
            if self._path is None:
                self._take(said)
                return said
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                with suppress(OSError):  # a file system without locks: at worst there is an empty line more
                    fcntl.flock(handle, fcntl.LOCK_EX)  # who looks meanwhile finds half a line
                # A line that a crash cut short stays a line of its own.
                torn = self._path.stat().st_size > 0 and not _ends_whole(self._path)
                os.write(handle, (b"\n" if torn else b"") + line.model_dump_json().encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
            self._read_on()
        return said

    def _take(self, judgement: Judgement) -> None:
        self._found[judgement.upstream, judgement.downstream, judgement.relation] = judgement
        self._version += 1

    def _read_on(self) -> None:
        """Read what was appended since the last look; everything where the file was replaced or changed otherwise."""
        if self._path is None:
            return
        try:
            now = self._path.stat()
            looked = (now.st_ino, now.st_size, now.st_mtime_ns)
            if looked == self._looked:
                return
            text = self._path.read_bytes()
        except FileNotFoundError:
            looked, text = (), b""
        except OSError as error:
            if self._looked != _UNREADABLE:
                log.warning("What people said of edges cannot be read: %s", error)
            self._looked = _UNREADABLE
            return
        if not text.startswith(self._read):
            self._found, self._read, self._version = {}, b"", self._version + 1
        new = text[len(self._read) : text.rfind(b"\n") + 1]
        self._read += new
        self._looked = looked
        for line in filter(bytes.strip, new.splitlines()):
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        try:
            told = _Line.model_validate_json(line)
            ends = Ref.parse(told.upstream), Ref.parse(told.downstream)
            at = told.at.astimezone(UTC)
        except (ValidationError, ValueError, OverflowError) as error:
            log.warning("A line of %s is not understood and left as it is: %s", self._path, error)
            return
        self._take(Judgement(*ends, told.relation, told.verdict, told.by, at, told.reason))


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
