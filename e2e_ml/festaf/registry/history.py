"""The history of a registry: a line of JSON for each apply, in `registry.history.jsonl` beside `registry.json`.

It has a file of its own because it only grows, and nobody who reads a feature wants to wait for it. The two agree at
every moment, also after a kill or a power cut: the line of version n is on the disk before the registry of version n
takes the old one's place, and a line of a version that the registry does not have (yet) tells of an apply that never
was. So of several lines of one version the last one counts, a line without its end is cut off by the next apply, and
nothing is ever taken out of the file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from e2e_ml import __version__
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Applied, Change

WRITER = f"e2e-ml {__version__}"
_END = re.compile(rb'"writer":"([^"]*)","sha256":"([0-9a-f]{64})"}\n\Z')


class HistoryError(FeatureStoreError):
    """A history that cannot be read. The definitions are not touched by it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one thing: what an apply did to it. `before` and `after` are its definitions, as the registry has
    them; None: there was none, or there is none any more."""

    version: int
    at: datetime
    by: str
    commit: str | None
    action: str  # add, change, rename, remove or learn
    name: str  # as it was called by this apply
    details: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def path_of(registry: Path) -> Path:
    """The history of the registry at this path."""
    return registry.with_suffix(".history.jsonl")


def read(registry: Path, version: int) -> tuple[Applied, ...]:
    """The applies up to this version of the registry, newest last. Raises HistoryError."""
    path = path_of(registry)
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    found: dict[int, Applied] = {}
    for number, line in enumerate(lines[:-1], 1):  # after the last line's end there is nothing, or a torn line
        try:
            applied = Applied.model_validate_json(line)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise HistoryError(f"{path}, line {number}: {reason}. Restore it from version control.") from None
        if applied.version <= version:
            found[applied.version] = applied
    return tuple(found[v] for v in sorted(found))


def append(registry: Path, applies: Sequence[Applied]) -> None:
    """Write them behind the others, and wait until they are on the disk. The registry's lock is held by the caller."""
    path = path_of(registry)
    with path.open("ab") as file:
        end = _whole_lines(path)
        file.truncate(end)
        try:
            file.write(b"".join(applied.model_dump_json().encode() + b"\n" for applied in applies))
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise


def is_written_by_us(registry: Path, text: bytes) -> bool:
    """Whether `text` is, to the byte, what this version of the program checked and wrote as the last apply."""
    path = path_of(registry)
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 512))
            end = _END.search(file.read())
    except OSError:
        return False
    return bool(end) and end[1].decode() == WRITER and end[2].decode() == digest(text)


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _whole_lines(path: Path) -> int:
    """The length of the file without a line that was torn while it was written."""
    with path.open("rb") as file:
        size = end = os.fstat(file.fileno()).st_size
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return min(size, start + found + 1)
            end = start
    return 0


# --- one thing's history -----------------------------------------------------------------------------------------


def entries(applies: Sequence[Applied], name: str) -> tuple[Entry, ...]:
    """What happened to a view, a feature (`view.feature`) or a service, newest last.

    A view's history has that of its features in it; a feature that came with its view begins with it. Names are
    followed through renames.
    """
    found: list[Entry] = []
    for applied in reversed(applies):
        for change in reversed(applied.changes):
            entry = _entry(applied, change, name)
            if entry is None:
                continue
            found.append(entry)
            if change.action == "rename" and change.before is not None:
                name = _former(change, name)
    return tuple(reversed(found))


def _former(change: Change, name: str) -> str:
    """What `name` was called before the rename of itself, or of the view that it is in."""
    old = str((change.before or {})["name"])
    if change.kind == "feature":
        return f"{change.name.partition('.')[0]}.{old}" if name == change.name else name
    view, dot, feature = name.partition(".")
    return f"{old}{dot}{feature}" if view == change.name else name


def _entry(applied: Applied, change: Change, name: str) -> Entry | None:
    view, _, feature = name.partition(".")
    before, after, details = change.before, change.after, change.details
    if change.name != name:
        if change.name.partition(".")[0] == name:  # a feature of the view that is asked about
            pass
        elif change.name == view and change.action in ("add", "remove", "rename"):
            before, after = _part(before, feature), _part(after, feature)
            if change.action != "rename" and before is None and after is None:
                return None
            details = () if change.action != "rename" else details
        else:
            return None
    return Entry(
        applied.version, applied.at, applied.by, applied.commit, change.action, change.name, details, before, after
    )


def _part(view: dict[str, Any] | None, feature: str) -> dict[str, Any] | None:
    features: list[dict[str, Any]] = (view or {}).get("features", [])
    return next((each for each in features if each["name"] == feature), None)
