"""`registry.json`: reading it with every check, and writing it so that no writer undoes another's work.

The file is data. Any language can read it, by the JSON Schema that `schema` gives; nothing in it is executed. What was
read is kept as long as the file stays what it was, so that asking again costs a look at the folder.
"""

from __future__ import annotations

import fcntl
import gc
import getpass
import os
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
from pydantic import ValidationError

from e2e_ml.festaf import model
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.naming import project_name
from e2e_ml.festaf.registry import history
from e2e_ml.festaf.registry.checking import problems
from e2e_ml.festaf.registry.layout import to_text
from e2e_ml.festaf.registry.planning import Plan

FILE_NAME = "registry.json"
_LOCK_NAME = ".registry.lock"
_RESTORE = (
    "Restore it from version control; without a copy, move it away and `e2e-ml festaf apply` makes a new one of the "
    "definitions."
)
V = TypeVar("V", model.FeatureView, model.OnDemandView)
_FRESH = 100_000_000  # nanoseconds; younger than this, a file may change again without a change of its time
_KEPT = 16  # files


class RegistryError(FeatureStoreError):
    """A registry.json that cannot be read. The message names the file, the field and what is wrong with it."""


class RegistryChangedError(FeatureStoreError):
    """Somebody applied something else since the plan was made. Nothing was written: plan again."""


# --- reading -----------------------------------------------------------------------------------------------------

_Identity = tuple[int, int, int, int]
_kept: dict[str, tuple[_Identity, model.Registry]] = {}


def path_of(project: Path | str) -> Path:
    """The registry of a project folder; the path of a JSON file stays as it is."""
    path = Path(project)
    return path if path.suffix == ".json" else path / FILE_NAME


def read(project: Path | str, *, name: str | None = None) -> model.Registry:
    """The registry of a project folder. Where there is none yet it is empty, at version 0, for the project `name`:
    the folder's name unless said.

    The file is read again only when it has changed. Raises RegistryError.
    """
    key = _key(project)
    try:
        identity = _identity(os.stat(key))  # noqa: PTH116
        held = _kept.get(key)
        if held is not None and held[0] == identity:
            return held[1]
        path = Path(key)
        content = path.read_bytes()
    except FileNotFoundError:
        return model.Registry(project=project_name(name or Path(key).resolve().parent.name))
    except OSError as error:
        raise RegistryError(
            f"{path_of(project)} cannot be read: {error.strerror}. Give yourself the right to, or restore it."
        ) from None
    registry = _parsed(content, str(path), trusted=history.is_written_by_us(path, content))
    if not registry.inline:
        registry = registry.with_history(lambda: history.read(path, registry.version))
    # Of a file that was written a moment ago its time does not tell whether it was written once more since.
    if time.time_ns() - identity[1] > _FRESH:
        while len(_kept) >= _KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[key] = (identity, registry)
    return registry


def _key(project: Path | str) -> str:
    """The file by its whole name, a link as a link. Text that is one already costs nothing: that is how a store asks,
    for every row online."""
    if isinstance(project, str) and project.startswith(os.sep) and project.endswith(".json"):
        return project
    return os.path.abspath(path_of(project))  # noqa: PTH100


def _identity(stat: os.stat_result) -> _Identity:
    return stat.st_ino, stat.st_mtime_ns, stat.st_size, stat.st_dev


def parse(text: str | bytes, path: str = FILE_NAME) -> model.Registry:
    """Read a registry from its JSON text; `path` is what errors call it. Raises RegistryError."""
    return _parsed(text.encode() if isinstance(text, str) else text, path, trusted=False)


def _parsed(content: bytes, path: str, *, trusted: bool) -> model.Registry:
    """`trusted`: this program has checked what the definitions mean before it wrote them; their form is checked."""
    with _without_gc():
        try:
            registry = model.Registry.model_validate_json(content)
        except ValidationError as error:
            raise RegistryError(_unreadable(content, path, error)) from None
        if registry.schema_version > model.SCHEMA_VERSION:
            raise RegistryError(_newer(path, registry.schema_version))
        for where, sentence in () if trusted else problems(registry):
            raise RegistryError(f"{path}: {where}: {sentence} {_RESTORE}")
    return registry


@contextmanager
def _without_gc() -> Generator[None]:
    """Making ten thousand records would set off many collections that find nothing: they took half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _unreadable(content: bytes, path: str, error: ValidationError) -> str:
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError as wrong:
        return f"{path} is not JSON at line {wrong.lineno}, column {wrong.colno}. {_RESTORE}"
    version = cast("dict[str, Any]", data).get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > model.SCHEMA_VERSION:
        return _newer(path, version)
    first = error.errors()[0]
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {_field(first['loc'])}: {first['msg']}{more}. {_RESTORE}"


def _newer(path: str, version: int) -> str:
    return f"{path} has form {version}, of a newer e2e-ml; this one reads up to {model.SCHEMA_VERSION}. Upgrade it."


def _field(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the whole"


# --- writing -----------------------------------------------------------------------------------------------------


def apply(project: Path | str, plan: Plan, *, by: str | None = None, commit: str | None = None) -> model.Registry:
    """Make a plan so, and note who did it, when and from which commit. Gives the registry as it then is.

    `by` is this process's user and `commit` the folder's git commit unless said ("": none). A plan without changes
    writes nothing. Raises RegistryChangedError when the registry is not the one that was planned from, RegistryError.
    """
    path = path_of(project)
    with _writing(path):
        current = read(path, name=plan.project)
        if current.version != plan.base_version or current.project != plan.project:
            raise RegistryChangedError(_changed(path, current, plan))
        if plan.is_empty:
            return current
        after = current.model_copy(update={"views": plan.views, "on_demand": plan.on_demand, "services": plan.services})
        return _write_version(path, current, after, plan.changes, plan.at, by, commit)


def learned(
    project: Path | str,
    base: model.Registry,
    parameters: dict[str, model.Learned],
    changes: Sequence[model.Change],
    at: datetime,
    *,
    by: str | None = None,
) -> model.Registry:
    """Write what was learned for features (full names) of the registry `base`, as a version of its own.

    Raises RegistryChangedError when another version has been applied since, and RegistryError.
    """
    path = path_of(project)
    with _writing(path):
        current = read(path, name=base.project)
        if current.version != base.version:
            raise RegistryChangedError(
                f"{path} has changed while it was learned from version {base.version}: {_who(current)}. Learn again."
            )
        return _write_version(path, current, _with_learned(current, parameters), changes, at, by, None)


def _with_learned(registry: model.Registry, parameters: dict[str, model.Learned]) -> model.Registry:
    return registry.model_copy(
        update={
            "views": tuple(_learned_view(view, parameters) for view in registry.views),
            "on_demand": tuple(_learned_view(view, parameters) for view in registry.on_demand),
        }
    )


def _learned_view(view: V, parameters: dict[str, model.Learned]) -> V:
    found = [parameters.get(f"{view.name}.{f.name}") for f in view.features]
    features = tuple(
        f.model_copy(update={"learned": learned}) if learned else f
        for f, learned in zip(view.features, found, strict=True)
    )
    return view.model_copy(update={"features": features}) if any(found) else view


def _write_version(
    path: Path,
    current: model.Registry,
    after: model.Registry,
    changes: Sequence[model.Change],
    at: datetime,
    by: str | None,
    commit: str | None,
) -> model.Registry:
    """Write `after` as the version that follows `current`: its line of the history first, then itself."""
    registry = after.model_copy(
        update={"version": current.version + 1, "schema_version": model.SCHEMA_VERSION, "inline": ()}
    )
    for where, sentence in problems(registry, current.views):
        raise RegistryError(f"What was to be written is wrong, and nothing was. {where}: {sentence}")
    text = to_text(registry).encode()
    applied = model.Applied(
        version=registry.version,
        at=at,
        by=by or user(),
        commit=(commit_of(path.parent) if commit is None else commit) or None,
        changes=tuple(changes),
        writer=history.WRITER,
        sha256=history.digest(text),
    )
    history.append(path, [*current.inline, applied])
    _write(path, text)
    return registry.with_history(lambda: history.read(path, registry.version))


@contextmanager
def _writing(path: Path) -> Generator[None]:
    """Hold the project's lock; what the system refuses is said in a sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock's file stays: removing it would let two writers hold two locks.
        with (path.parent / _LOCK_NAME).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise RegistryError(
            f"{path} cannot be written: {error.strerror or error}. It is as it was. Make room, or give yourself the "
            "right to write there, then apply again."
        ) from error


def _changed(path: Path, current: model.Registry, plan: Plan) -> str:
    if current.project != plan.project:
        return f"{path} belongs to the project {current.project}, and the plan was made for {plan.project}. Plan again."
    return f"{path} has changed since the plan was made from version {plan.base_version}: {_who(current)}. Plan again."


def _who(current: model.Registry) -> str:
    last = current.history[-1] if current.history else None
    return f"{last.by} applied version {last.version} at {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else "it was reset"


def _write(path: Path, text: bytes) -> None:
    """Replace the file at once: a reader sees the old one or the new one, also after a power cut."""
    for left in path.parent.glob(f".{path.name}.*"):  # of a writer that was killed: the lock is ours
        left.unlink(missing_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp lets only the owner read; a registry is read by schedulers and servers that run as others.
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def commit_of(folder: Path) -> str | None:
    """The git commit that the folder stands on, None outside of a repository."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
