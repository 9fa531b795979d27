"""`registry.json`: reading it with every check, and writing it so that no writer undoes another's work.

The file is data. Any language can read it, by the JSON Schema that `json_schema` gives; nothing in it is executed.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from e2e_ml.festaf import model
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import AGGREGATES, ExpressionError, columns, from_json
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.expression.steps import column_types, in_order
from e2e_ml.festaf.naming import project_name
from e2e_ml.festaf.registry.planning import Plan

FILE_NAME = "registry.json"
_LOCK_NAME = ".registry.lock"
_RESTORE = (
    "Restore it from version control; without a copy, move it away and `e2e-ml festaf apply` makes a new one of the "
    "definitions, without the history."
)


class RegistryError(FeatureStoreError):
    """A registry.json that cannot be read. The message names the file, the field and what is wrong with it."""


class RegistryChangedError(FeatureStoreError):
    """Somebody applied something else since the plan was made. Nothing was written: plan again."""


# --- reading -----------------------------------------------------------------------------------------------------


def path_of(project: Path | str) -> Path:
    """The registry of a project folder; the path of a JSON file stays as it is."""
    path = Path(project)
    return path if path.suffix == ".json" else path / FILE_NAME


def read(project: Path | str, *, name: str | None = None) -> model.Registry:
    """The registry of a project folder. Where there is none yet it is empty, at version 0, for the project `name`:
    the folder's name unless said.

    Raises RegistryError.
    """
    path = path_of(project)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return model.Registry(project=project_name(name or path.resolve().parent.name))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RegistryError(f"{path} cannot be read: {reason}. Give yourself the right to, or restore it.") from None
    return parse(text, str(path))


def parse(text: str, path: str = FILE_NAME) -> model.Registry:
    """Read a registry from its JSON text; `path` is what errors call it. Raises RegistryError."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise RegistryError(f"{path} is not JSON{where}. {_RESTORE}") from None
    version: Any = data.get("schema_version") if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(version, int) and version > model.SCHEMA_VERSION:
        raise RegistryError(
            f"{path} has form {version}, of a newer e2e-ml; this one reads up to {model.SCHEMA_VERSION}. Upgrade it."
        )
    try:
        registry = model.Registry.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise RegistryError(f"{path}: {_field(first['loc'])}: {first['msg']}{more}. {_RESTORE}") from None
    for where, sentence in _problems(registry):
        raise RegistryError(f"{path}: {where}: {sentence} {_RESTORE}")
    return registry


def _field(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the whole"


def _problems(registry: model.Registry) -> Generator[tuple[str, str]]:
    """What the form allows and has no meaning: where, and a sentence."""
    names = [v.name for v in registry.views] + [s.name for s in registry.services]
    for name in names:
        if names.count(name) > 1:
            yield name, "There are two of that name."
    for view in registry.views:
        yield from _view_problems(view)
    views = {v.name: v for v in registry.views}
    for i, service in enumerate(registry.services):
        wanted = [(f"services[{i}].features", name) for name in service.features]
        if service.target:
            wanted.append((f"services[{i}].target", f"{service.target.view}.{service.target.feature}"))
        for where, full in wanted:
            view, _, feature = full.partition(".")
            if view not in views or not views[view].has(feature):
                yield where, f"{service.name} reads {full}, which is not in the registry."


def _view_problems(view: model.FeatureView) -> Generator[tuple[str, str]]:
    names = [key.name for key in view.entities] + [t for t in (view.event_time, view.created_time) if t]
    names += [f.name for f in view.features]
    for name in names:
        if names.count(name) > 1:
            yield view.name, f"There are two columns called {name}."
    types = column_types(view)
    expressions = {f.name: f for f in view.features if f.expression is not None}
    for name, feature in expressions.items():
        where = f"{view.name}.{name}.expression"
        try:
            expression = from_json(feature.expression)
            dtype = infer(expression, types)
        except ExpressionError as error:
            yield where, str(error)
            return
        if dtype != feature.dtype:
            yield where, f"It gives {dtype}, and the feature is said to be {feature.dtype}."
        if columns(expression) != feature.inputs:
            yield f"{view.name}.{name}.inputs", f"The expression reads {', '.join(columns(expression)) or 'nothing'}."
    try:
        in_order({name: from_json(f.expression) for name, f in expressions.items()})
    except ExpressionError as error:
        yield view.name, str(error)


# --- writing -----------------------------------------------------------------------------------------------------


def apply(project: Path | str, plan: Plan, *, by: str | None = None, commit: str | None = None) -> model.Registry:
    """Make a plan so, and note who did it, when and from which commit. Gives the registry as it then is.

    `by` is this process's user and `commit` the folder's git commit unless said. A plan without changes writes
    nothing. Raises RegistryChangedError when the registry is not the one that was planned from, and RegistryError.
    """
    path = path_of(project)
    try:
        return _apply(path, plan, by, commit)
    except OSError as error:
        raise RegistryError(
            f"{path} cannot be written: {error.strerror or error}. It is as it was. Make room, or give yourself the "
            "right to write there, then apply again."
        ) from error


def _apply(path: Path, plan: Plan, by: str | None, commit: str | None) -> model.Registry:
    with _locked(path):
        current = read(path, name=plan.project)
        if current.version != plan.base_version or current.project != plan.project:
            raise RegistryChangedError(_changed(path, current, plan))
        if plan.is_empty:
            return current
        applied = model.Applied(
            version=current.version + 1,
            at=plan.at,
            by=by or _user(),
            commit=commit or _commit(path.parent),
            changes=plan.changes,
        )
        registry = current.model_copy(
            update={
                "version": applied.version,
                "views": plan.views,
                "services": plan.services,
                "history": (*current.history, applied),
            }
        )
        _write(path, to_text(registry))
    return registry


def to_text(registry: model.Registry) -> str:
    """The registry as it stands in the file: indented JSON, so that version control shows what changed."""
    return registry.model_dump_json(indent=2) + "\n"


def _changed(path: Path, current: model.Registry, plan: Plan) -> str:
    if current.project != plan.project:
        return f"{path} belongs to the project {current.project}, and the plan was made for {plan.project}. Plan again."
    last = current.history[-1] if current.history else None
    who = f"{last.by} applied version {last.version} at {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else "it was reset"
    return f"{path} has changed since the plan was made from version {plan.base_version}: {who}. Plan again."


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the project's lock. The file stays: removing it would let two writers hold two locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / _LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """Replace the file at once: a reader sees the old one or the new one, also after a power cut."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _commit(folder: Path) -> str | None:
    """The git commit that the folder stands on, None outside of a repository."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


# --- the published form ------------------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of registry.json, expression trees included: `resources/registry.schema.json`."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.Registry.model_json_schema(),
        "title": "festaf registry",
    }
    tree = {"$ref": "#/$defs/Expression"}
    feature = schema["$defs"]["Feature"]["properties"]
    feature["expression"] = {"anyOf": [tree, {"type": "null"}], "default": None}
    schema["$defs"]["Expression"] = {
        "description": "An expression over the columns and features of its view.",
        "oneOf": [
            _node("column", name={"type": "string", "minLength": 1}),
            _node(
                "literal",
                dtype={"enum": ["bool", "int64", "float64", "string", "date", "timestamp"]},
                value={"type": ["boolean", "integer", "number", "string"]},
            ),
            _node("cast", dtype={"type": "string"}, args=_args(1, 1)),
            _WINDOW,
            *_applications(),
        ],
    }
    return schema


_WINDOW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "op": {"const": "window"},
        "aggregate": {"enum": list(AGGREGATES)},
        "quantile": {"type": "number", "minimum": 0, "maximum": 1},
        "seconds": {"type": "number", "exclusiveMinimum": 0},
        "rows": {"type": "integer", "minimum": 1},
        "by": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        "args": {"type": "array", "items": {"$ref": "#/$defs/Expression"}, "minItems": 1, "maxItems": 1},
    },
    "required": ["op", "aggregate", "args"],
    "additionalProperties": False,
}


def _applications() -> Generator[dict[str, Any]]:
    """The operations, those of as many operands together."""
    counts = dict.fromkeys((op.least, op.most) for op in OPERATIONS.values())
    for least, most in counts:
        names = [op.name for op in OPERATIONS.values() if (op.least, op.most) == (least, most)]
        yield _node(*names, args=_args(least, most))


def _node(*ops: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"op": {"const": ops[0]} if len(ops) == 1 else {"enum": list(ops)}, **fields},
        "required": ["op", *fields],
        "additionalProperties": False,
    }


def _args(least: int, most: int | None) -> dict[str, Any]:
    limits = {"minItems": least} | ({} if most is None else {"maxItems": most})
    return {"type": "array", "items": {"$ref": "#/$defs/Expression"}, **limits}
