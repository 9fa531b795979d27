"""`e2e-ml lineage ...`: questions to the lifecycle on the command line. Here is what its verbs share.

A verb reads the index of a workspace and asks no service; `refresh` alone does, and stands with the services.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, ParamSpec, cast

import click

from e2e_ml.lineage.files import index_file, open_index
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Walk
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind, Ref
from e2e_ml.workspace import Workspace, WorkspaceError

P = ParamSpec("P")
MARKS = {Evidence.DECLARED: "──", Evidence.OBSERVED: "╌╌", Evidence.INFERRED: "··"}


def workspace_option(verb: Callable[P, None]) -> Callable[P, None]:
    """`--workspace PATH`: the folder with workbench.yaml."""
    path: Any = click.Path(exists=True, path_type=Path)
    help_ = "The workspace; this folder unless said."
    return click.option("--workspace", "-w", type=path, default=".", help=help_)(verb)


def json_option(verb: Callable[P, None]) -> Callable[P, None]:
    """`--json`: the answer as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(verb)


def opened(path: Path) -> Workspace:
    try:
        return Workspace.load(path)
    except WorkspaceError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def index_of(path: Path) -> Generator[Index]:
    """The index of the workspace at `path`, which has to have been read before."""
    workspace = opened(path)
    if not index_file(workspace).exists():
        raise click.ClickException(
            f"Nothing of {workspace.root} has been read yet. Open it in the window, or run `e2e-ml lineage refresh`."
        )
    try:
        index = open_index(workspace)
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(
            f"{index_file(workspace)} cannot be used: {getattr(error, 'strerror', None) or error}. Look at who owns it "
            "and whether there is room, or move it away and run `e2e-ml lineage refresh`."
        ) from None
    try:
        yield index
    finally:
        index.close()


@contextmanager
def snapshot_of(path: Path) -> Generator[Graph]:
    """The graph of the workspace at `path`, for a verb that only asks."""
    with index_of(path) as index:
        yield index.graph()


def found(graph: Graph, text: str) -> Ref:
    """The thing that `text` names: by its URI, as `view.feature`, or by a name that no other thing has."""
    try:
        ref = Ref.parse(text)
    except ValueError:
        return _by_name(graph, text)
    if ref not in graph:
        raise click.ClickException(f"{ref} is not in the lifecycle. `e2e-ml lineage search WORD` looks for names.")
    return ref


def _called(graph: Graph, ref: Ref) -> str:
    """What people call it: a run has an id and a name."""
    node = graph.get(ref)
    return node.title if node is not None else ref.name


def _by_name(graph: Graph, text: str) -> Ref:
    view, _, feature = text.partition(".")
    named = [
        ref
        for ref in dict.fromkeys((*graph.search(text, limit=1_000), *graph.search(feature or text, limit=1_000)))
        if text in (ref.name, ".".join(ref.keys), _called(graph, ref))
        or (ref.kind is Kind.FEATURE and ref.keys == (view, feature))
    ]
    # A feature's view, a run's DAG: what holds others goes before what is held.
    if len({ref for ref in named if ref.kind not in _PARTS}) == 1:
        return next(ref for ref in named if ref.kind not in _PARTS)
    if len(named) == 1:
        return named[0]
    if not named:
        near = graph.search(text, limit=5)
        hint = " Do you mean " + ", ".join(map(str, near)) + "?" if near else ""
        raise click.ClickException(f"Nothing is called {text!r}.{hint}")
    some = "\n".join(f"  {ref}  ({ref.kind})" for ref in named[:10])
    raise click.ClickException(f"Several things are called {text!r}; say which:\n{some}")


_PARTS = (Kind.TASK, Kind.DAG_RUN, Kind.TASK_INSTANCE, Kind.COLUMN, Kind.ASSET, Kind.LOGGED_MODEL)


def as_json(value: Any) -> Any:
    """Any answer as JSON: things by their URIs, times as ISO 8601, durations in seconds; no walks."""
    match value:
        case Ref():
            return str(value)
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(as_json(key)): as_json(each) for key, each in cast(Mapping[Any, Any], value).items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(each) for each in cast(Iterable[Any], value)]
        case _ if is_dataclass(value):
            told = {field.name: getattr(value, field.name) for field in fields(value)}
            return {name: as_json(each) for name, each in told.items() if not isinstance(each, Walk)}
        case _:
            return value


def echo_json(value: Any) -> None:
    click.echo(json.dumps(as_json(value), ensure_ascii=False, indent=2))


def title(graph: Graph, ref: Ref) -> str:
    """A thing for a person: its kind, and what it is called within what holds it."""
    node = graph.get(ref)
    name = node.title if node is not None else ref.name
    if ref.kind in (Kind.FEATURE, Kind.COLUMN):
        name = ".".join(ref.keys)
    elif ref.kind in (Kind.MODEL_VERSION, Kind.ALIAS):
        name = f"{ref.keys[0]} {'v' if ref.kind is Kind.MODEL_VERSION else '@'}{ref.keys[1]}"
    elif ref.kind is Kind.TASK_INSTANCE:
        index = "" if ref.keys[3] == "-1" else f" [{ref.keys[3]}]"
        name = f"{ref.keys[0]}.{ref.keys[2]}{index} of {ref.keys[1]}"
    elif ref.kind in (Kind.DAG_RUN, Kind.TASK):
        name = f"{ref.keys[0]} {ref.keys[1]}"
    gone = f", gone since {node.gone_since:%d %B %Y}" if node is not None and node.gone_since else ""
    return f"{name} ({ref.kind}{gone})"


def evidence(edge: Edge) -> str:
    score = f" {edge.score:.2f}" if edge.evidence is Evidence.INFERRED else ""
    return f"{edge.evidence}{score}" + (f": {edge.reason}" if edge.reason else "")
