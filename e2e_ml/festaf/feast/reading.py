"""What a Feast repository holds, as records: told by `export`, which runs in the person's own Feast environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.feast import export

_PATIENCE = 600.0  # seconds: Feast imports slowly, and looks into its sources for types


class FeastError(FeatureStoreError):
    """A Feast repository that cannot be read. The message says what to do next."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Type(_Told):
    """`type` is Feast's word, such as Int64; Array and Set have `of`, a Struct has `fields`."""

    type: str
    of: Type | None = None
    fields: dict[str, Type] = {}


class Field(_Told):
    name: str
    type: Type
    description: str = ""
    tags: dict[str, str] = {}
    vector_length: int = 0


class Key(_Told):
    """An entity by its join key; None where neither the repository nor its source tells the type."""

    name: str
    entity: str
    type: Type | None
    description: str = ""


class Source(_Told):
    type: str
    name: str
    timestamp_field: str = ""
    created_timestamp_column: str = ""
    field_mapping: dict[str, str] = {}  # what the source calls it -> what Feast does
    table: str = ""
    query: str = ""
    path: str = ""
    format: str = ""
    structs: dict[str, list[str]] = {}  # columns that are structs of text in a Parquet file


class Stream(_Told):
    type: str
    name: str


class Aggregation(_Told):
    column: str
    function: str
    seconds: float | None
    name: str = ""


class _Described(_Told):
    name: str
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}


class View(_Described):
    kind: str
    keys: tuple[Key, ...]
    features: tuple[Field, ...]
    ttl_seconds: float | None
    source: Source | None
    stream: Stream | None
    online: bool = True
    enabled: bool = True
    version: str = "latest"
    derived_from: tuple[str, ...] = ()
    code: str = ""
    aggregations: tuple[Aggregation, ...] = ()
    columns: dict[str, Type] = {}  # what the source has, where its features are computed of it
    conflict_policy: str = ""
    inference: str | None = None


class Projection(_Told):
    """Some features of a view, which a service may call otherwise (`alias`) and ask by other keys (`join_key_map`)."""

    view: str
    alias: str = ""
    join_key_map: dict[str, str] = {}
    features: tuple[str, ...] = ()  # none: all


class OnDemand(_Described):
    reads: tuple[Projection, ...]
    request: tuple[Field, ...]
    features: tuple[Field, ...]
    mode: str
    code: str
    stored: bool = False
    inference: str | None = None


class Service(_Described):
    reads: tuple[Projection, ...]
    logged: bool = False


class Repository(_Told):
    feast: str
    project: str
    description: str = ""
    offline_store: dict[str, str] = {}
    online_store: dict[str, str] = {}
    views: tuple[View, ...]
    on_demand: tuple[OnDemand, ...]
    services: tuple[Service, ...]
    others: tuple[str, ...] = ()


def read(repository: Path, python: Path | None = None) -> Repository:
    """What stands in a Feast repository, as its own Feast tells it: `python`, else that of the `feast` command.

    The repository's modules run in that process, as `feast apply` runs them; nothing is applied. Raises FeastError.
    """
    if not (repository / "feature_store.yaml").is_file():
        raise FeastError(f"There is no feature_store.yaml in {repository}. Give the folder of a Feast repository.")
    program = (python or _python_of_feast()).absolute()  # a symbolic link is what makes it an environment's
    with tempfile.TemporaryDirectory(prefix="festaf-") as folder:
        answer = Path(folder) / "answer.json"
        command = [str(program), "-I", str(Path(export.__file__).resolve()), str(repository), str(answer)]
        quiet = {**os.environ, "FEAST_USAGE": "False", "PYTHONWARNINGS": "ignore"}
        try:
            done = subprocess.run(
                command, env=quiet, capture_output=True, text=True, check=False, timeout=_PATIENCE, cwd=folder
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FeastError(f"{program} could not be run: {error}. Name Feast's Python with --python.") from error
        if done.returncode == export.NO_FEAST:
            raise FeastError(
                f"{program} has no Feast. Name the Python of the environment that `feast apply` runs in: --python PATH."
            )
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise FeastError(f"Feast stopped while it read {repository}: {last}. Does `feast apply` work there?")
        return _parsed(json.loads(answer.read_text(encoding="utf-8")), repository)


def _parsed(told: dict[str, Any], repository: Path) -> Repository:
    if "error" in told:
        raise FeastError(f"Feast cannot read {repository}: {told['error']}. Make `feast apply` work there first.")
    try:
        return Repository.model_validate(told)
    except ValidationError as error:
        raise FeastError(f"Feast told of {repository} what is not understood: {error}.") from error


def _python_of_feast() -> Path:
    command = shutil.which("feast")
    beside = Path(command).absolute().parent / "python" if command else None
    return beside if beside is not None and beside.exists() else Path(sys.executable)
