"""Which web page shows a `Ref`, and which `Ref` a page shows: pure functions, a pair for each service.

`path(ref)` gives the path, query and fragment below the service's base URL. `ref(path, ...)` reads one back, from what
the real pages put into the address bar; a page that shows no single thing gives None. A part that has no page of its
own is shown by the page of what holds it: a column by its source's, an alias by its model's. `shown` says by which.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, quote, unquote, urlencode

from e2e_ml import refs
from e2e_ml.refs import FESTAF, Kind, Ref

# --- addresses -----------------------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)


def _parts(address: str) -> tuple[list[str], str, str]:
    """The segments of an address's path, each unquoted, its query and its fragment; scheme and host say nothing."""
    path, query, fragment = cast(re.Match[str], _ADDRESS.fullmatch(address)).groups("")
    return [unquote(segment) for segment in path.split("/") if segment], query, fragment


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _fits_a_path(keys: Collection[str]) -> bool:
    """Whether a browser takes each key as a segment of a path: `.` and `..`, quoted or not, are ways to it."""
    return not {".", ".."}.intersection(keys)


# --- festaf: the catalog pages -------------------------------------------------------------------------------------

# One row a kind: the fixed words of the path, each followed by a key of the `Ref`, in order.
_FESTAF_WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.PROJECT: (),
    Kind.FEATURE_VIEW: ("views",),
    Kind.FEATURE: ("views", "features"),
    Kind.FEATURE_SERVICE: ("services",),
    Kind.ENTITY: ("entities",),
    Kind.SOURCE: ("sources",),
    Kind.COLUMN: ("sources",),
    Kind.WISH: ("wishes",),
}


def festaf_path(ref: Ref) -> str | None:
    """The catalog page of a festaf `Ref`, e.g. `/views/hourly_weather/features/temp`; None for another service's."""
    words = _FESTAF_WORDS.get(ref.kind)
    if ref.scheme != FESTAF or words is None or not _fits_a_path(ref.keys):
        return None
    return "/" + "/".join(f"{word}/{quote(key, safe='')}" for word, key in zip(words, ref.keys, strict=False))


def festaf_ref(path: str, project: str) -> Ref | None:
    """What the catalog page at `path` shows, in `project`; None where it shows no single thing, as a search does.

    `path` may be a whole URL; query, fragment and a trailing slash say nothing here. A refused answer to a wish is
    told at the form's own address, and shows the wish.
    """
    match _parts(path)[0]:
        case []:
            return refs.project(project)
        case ["views", view]:
            return refs.feature_view(project, view)
        case ["views", view, "features", feature]:
            return refs.feature(project, view, feature)
        case ["services", service]:
            return refs.feature_service(project, service)
        case ["entities", entity]:
            return refs.entity(project, entity)
        case ["sources", *source] if source:  # a file's path, quoted or not
            return refs.source(project, "/".join(source))
        case ["wishes", number] | ["wishes", number, "votes" | "answer"] if _is_number(number):
            return refs.wish(project, number)
        case _:
            return None


# --- Airflow 3: paths of its single-page UI ------------------------------------------------------------------------

_SAFE = ":+@~,"  # what Airflow's pages leave as it is in a path; run ids are full of it


@dataclass(frozen=True, slots=True)
class Lookup:
    """The ids that some pages want and that no `Ref` carries; `lineage.questions.lookup` makes one of a graph.

    Without them an asset's page is the list filtered by its name, and a logged model or a monitor has no page.
    """

    assets: Mapping[str, int] = field(default_factory=dict[str, int])  # asset URI -> id in Airflow
    experiments: Mapping[str, str] = field(default_factory=dict[str, str])  # run or logged model id -> experiment id
    monitors: Mapping[str, str] = field(default_factory=dict[str, str])  # monitor's name -> id of the DAG that it is


NO_LOOKUP = Lookup()


def airflow_path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> str | None:
    """The page of an Airflow `Ref`, e.g. `/dags/train/runs/manual__1`; None for another service's.

    A monitor has no page of its own: its DAG's shows it, where that is known.
    """
    if ref.kind is Kind.ASSET:
        number = lookup.assets.get(ref.keys[0])
        return f"/assets/{number}" if number is not None else "/assets?" + urlencode({"name_pattern": ref.keys[0]})
    if not _fits_a_path(ref.keys):
        return None
    keys = [quote(key, safe=_SAFE) for key in ref.keys]
    match ref.kind:
        case Kind.DAG:
            return f"/dags/{keys[0]}"
        case Kind.TASK:
            return f"/dags/{keys[0]}/tasks/{keys[1]}"
        case Kind.DAG_RUN:
            return f"/dags/{keys[0]}/runs/{keys[1]}"
        case Kind.TASK_INSTANCE:
            dag, run, task, index = keys
            return f"/dags/{dag}/runs/{run}/tasks/{task}" + ("" if index == "-1" else f"/mapped/{index}")
        case Kind.MONITOR:
            dag_id = lookup.monitors.get(ref.keys[0])
            return airflow_path(refs.dag(ref.instance, dag_id)) if dag_id else None
        case _:
            return None


def airflow_ref(path: str, instance: str, lookup: Lookup = NO_LOOKUP) -> Ref | None:
    """What Airflow's page at `path` shows; None for lists and administration.

    A tab says nothing (`/dags/train/code` shows the DAG; grid, graph and Gantt chart share an address), nor does the
    query. A task group shows its DAG or DAG run, the list of a mapped task's instances shows the task. What follows
    `tasks/group/` is a task group, and `tasks/group` alone a task of that name, as in the router of Airflow's pages.
    """
    match _parts(path)[0]:
        case ["dags", dag, "runs", run, "tasks", task, "mapped", index, *_] if _is_number(index):
            return refs.task_instance(instance, dag, run, task, int(index))
        case ["dags", dag, "runs", _, "tasks", task, "mapped", *_]:
            return refs.task(instance, dag, task)
        case ["dags", dag, "runs", run, "tasks", "group", _]:
            return refs.dag_run(instance, dag, run)
        case ["dags", dag, "runs", run, "tasks", task, *_]:
            return refs.task_instance(instance, dag, run, task)
        case ["dags", dag, "runs", run, *_]:
            return refs.dag_run(instance, dag, run)
        case ["dags", dag, "tasks", "group", _, *_]:
            return refs.dag(instance, dag)
        case ["dags", dag, "tasks", task, *_]:
            return refs.task(instance, dag, task)
        case ["dags", dag, *_]:
            return refs.dag(instance, dag)
        case ["assets", number, *_] if _is_number(number):
            uri = next((uri for uri, known in lookup.assets.items() if known == int(number)), None)
            return refs.asset(instance, uri) if uri else None
        case _:
            return None


# --- MLflow: the fragment of its single page -----------------------------------------------------------------------

_TRAINING = "workflowType=machine_learning"  # without it an experiment opens on agent traces


def mlflow_path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> str | None:
    """The page of an MLflow `Ref`, e.g. `/#/models/flight-delay/versions/3`; None for another service's.

    A run whose experiment is not in `lookup` goes through MLflow's own redirect from `/#/runs/<id>`. An alias is shown
    by its model's page, beside the version that it stands for. MLflow has no page for what serves a model.
    """
    keys = [quote(key, safe="") for key in ref.keys]
    match ref.kind:
        case Kind.EXPERIMENT:
            return f"/#/experiments/{keys[0]}/runs?{_TRAINING}"
        case Kind.RUN:
            experiment = lookup.experiments.get(ref.keys[0])
            return f"/#/experiments/{quote(experiment, safe='')}/runs/{keys[0]}" if experiment else f"/#/runs/{keys[0]}"
        case Kind.LOGGED_MODEL:
            experiment = lookup.experiments.get(ref.keys[0])
            return f"/#/experiments/{quote(experiment, safe='')}/models/{keys[0]}" if experiment else None
        case Kind.REGISTERED_MODEL | Kind.ALIAS:
            return f"/#/models/{keys[0]}"
        case Kind.MODEL_VERSION:
            return f"/#/models/{keys[0]}/versions/{keys[1]}"
        case _:
            return None


def mlflow_ref(path: str, instance: str) -> Ref | None:
    """What MLflow's page at `path` shows; None for lists, administration, and what is not of a model's training.

    An experiment's tabs (runs, models, traces, ...) show the experiment, a run's tabs the run; a prompt, a trace, a
    chat session or an evaluation dataset is a thing of its own that no `Ref` names. A comparison, or the chart of a
    metric, shows what all that it compares share: the one run or version where there is one alone, else their one
    experiment or model, else nothing.
    """
    segments, query, _ = _parts(_parts(path)[2])
    match segments:
        case ["experiments", _, "runs" | "evaluation-runs", run, *_] | ["runs", run, *_]:
            return refs.run(instance, run)
        case ["experiments", _, "models", model, *_]:
            return refs.logged_model(instance, model)
        case ["experiments", experiment] | ["experiments", experiment, _] | ["experiments", experiment, "overview", _]:
            return refs.experiment(instance, experiment)
        case ["models", name, "versions", version, *_]:
            return refs.model_version(instance, name, version)
        case ["models", name, *_]:
            return refs.registered_model(instance, name)
        case ["compare-runs"] | ["compare-experiments", *_] | ["metric", *_]:
            return _of_runs(instance, _names(_said(query, "runs")), _names(_said(query, "experiments")))
        case ["compare-model-versions"]:
            return _of_versions(instance, _said(query, "name"), _names(_said(query, "runs")))
        case _:
            return None


def _of_runs(instance: str, runs: list[str], experiments: list[str]) -> Ref | None:
    if len(runs) == 1:
        return refs.run(instance, runs[0])
    return refs.experiment(instance, experiments[0]) if len(experiments) == 1 else None


def _of_versions(instance: str, quoted_name: object, versions: list[str]) -> Ref | None:
    """The page unquotes the name once more than the rest of its query: here that is `quoted_name`."""
    if not isinstance(quoted_name, str) or not quoted_name:
        return None
    name = unquote(quoted_name)
    return (
        refs.model_version(instance, name, versions[0]) if len(versions) == 1 else refs.registered_model(instance, name)
    )


def _said(query: str, name: str) -> object:
    """What a query says in JSON under `name`; None where it says nothing that can be read."""
    try:
        return json.loads(parse_qs(query).get(name, ["null"])[0])
    except (ValueError, RecursionError):
        return None


def _names(value: object) -> list[str]:
    """The different non-empty strings of a list, or among the keys of an object."""
    if not isinstance(value, list | dict):
        return []
    return list(dict.fromkeys(v for v in cast(Collection[object], value) if isinstance(v, str) and v))


# --- the front: any service ----------------------------------------------------------------------------------------


def path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> tuple[str, str] | None:
    """The service (`airflow`, `festaf` or `mlflow`) and the path of the page that shows `ref`; None where none does.

    A project of Feast, a dataset and its columns have no page among ours.
    """
    match ref.scheme:
        case "airflow":
            page = airflow_path(ref, lookup)
        case "mlflow":
            page = mlflow_path(ref, lookup)
        case "festaf":
            page = festaf_path(ref)
        case _:
            page = None
    return (ref.scheme, page) if page is not None else None


def ref(service: str, path: str, instance: str, lookup: Lookup = NO_LOOKUP) -> Ref | None:
    """What the page of `service` at `path` shows, where `instance` is the connection's name or the project.

    Raises ValueError for a service that is none of the three.
    """
    match service:
        case "airflow":
            return airflow_ref(path, instance, lookup)
        case "mlflow":
            return mlflow_ref(path, instance)
        case "festaf":
            return festaf_ref(path, instance)
        case _:
            raise ValueError(f"{service!r} is no service with pages; they are airflow, festaf and mlflow.")


def shown(thing: Ref, lookup: Lookup = NO_LOOKUP) -> Ref | None:
    """What the page that shows `thing` is a page of: itself, or what holds it; None where no page shows it alone."""
    page = path(thing, lookup)
    return ref(*page, thing.instance, lookup) if page is not None else None
