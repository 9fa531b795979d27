"""Which web page shows a `Ref`, and which `Ref` a page shows: pure functions, a pair for each service.

`path(ref)` gives the path, query and fragment below the service's base URL. `ref(path, ...)` reads one back, from what
the real pages put into the address bar; a page that shows no single thing gives None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from e2e_ml import refs
from e2e_ml.refs import Kind, Ref

# --- festaf: the catalog pages -------------------------------------------------------------------------------------

# One row a kind: the fixed words of the path, each followed by a key of the `Ref`, in order.
_FESTAF_WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.PROJECT: (),
    Kind.FEATURE_VIEW: ("views",),
    Kind.FEATURE: ("views", "features"),
    Kind.FEATURE_SERVICE: ("services",),
    Kind.ENTITY: ("entities",),
    Kind.SOURCE: ("sources",),
    Kind.WISH: ("wishes",),
}


def festaf_path(ref: Ref) -> str | None:
    """The catalog page of a festaf `Ref`, e.g. `/views/hourly_weather/features/temp`; None for another service's."""
    words = _FESTAF_WORDS.get(ref.kind)
    if words is None:
        return None
    return "/" + "/".join(f"{word}/{quote(key, safe='')}" for word, key in zip(words, ref.keys, strict=True))


def festaf_ref(path: str, project: str) -> Ref | None:
    """What the catalog page at `path` shows, in `project`; None where it shows no single thing, as a search does.

    `path` may be a whole URL; query, fragment and a trailing slash say nothing here.
    """
    segments = urlsplit(path).path.strip("/").split("/") if urlsplit(path).path.strip("/") else []
    words, keys = tuple(segments[::2]), tuple(unquote(key) for key in segments[1::2])
    kind = next((kind for kind, wanted in _FESTAF_WORDS.items() if wanted == words), None)
    if kind is None or len(keys) != len(words) or not all(keys):
        return None
    return Ref(kind, project, keys)


# --- Airflow 3: paths of its single-page UI ------------------------------------------------------------------------

_SAFE = ":+@~,"  # what Airflow's pages leave as it is in a path; run ids are full of it


@dataclass(frozen=True, slots=True)
class Lookup:
    """The numeric ids that some pages want and that no `Ref` carries; `lineage.questions.lookup` makes one of a graph.

    Without them an asset's page is the list filtered by its name, and a logged model has no page.
    """

    assets: Mapping[str, int] = field(default_factory=dict[str, int])  # asset URI -> id in Airflow
    experiments: Mapping[str, str] = field(default_factory=dict[str, str])  # run or logged model id -> experiment id


NO_LOOKUP = Lookup()


def airflow_path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> str | None:
    """The page of an Airflow `Ref`, e.g. `/dags/train/runs/manual__1`; None for another service's."""
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
        case Kind.ASSET:
            number = lookup.assets.get(ref.keys[0])
            return f"/assets/{number}" if number is not None else "/assets?" + urlencode({"name_pattern": ref.keys[0]})
        case _:
            return None


def airflow_ref(path: str, instance: str, lookup: Lookup = NO_LOOKUP) -> Ref | None:
    """What Airflow's page at `path` shows; None for lists and administration.

    A tab says nothing (`/dags/train/code` shows the DAG), nor does the query. A task group shows its DAG or DAG run,
    the list of a mapped task's instances shows the task.
    """
    segments = [unquote(s) for s in urlsplit(path).path.split("/") if s]
    match segments:
        case ["dags", dag, "runs", run, "tasks", "group", _, *_] | ["dags", dag, "runs", run, "tasks", "group"]:
            return refs.dag_run(instance, dag, run)
        case ["dags", dag, "runs", run, "tasks", task, "mapped", index, *_] if _is_index(index):
            return refs.task_instance(instance, dag, run, task, int(index))
        case ["dags", dag, "runs", _, "tasks", task, "mapped", *_]:
            return refs.task(instance, dag, task)
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
        case ["assets", number, *_] if number.isdecimal():
            uri = next((uri for uri, known in lookup.assets.items() if known == int(number)), None)
            return refs.asset(instance, uri) if uri else None
        case _:
            return None


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal()


# --- MLflow: the fragment of its single page -----------------------------------------------------------------------

_TRAINING = "workflowType=machine_learning"  # without it an experiment opens on agent traces


def mlflow_path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> str | None:
    """The page of an MLflow `Ref`, e.g. `/#/models/flight-delay/versions/3`; None for another service's.

    A run whose experiment is not in `lookup` goes through MLflow's own redirect from `/#/runs/<id>`.
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
        case Kind.REGISTERED_MODEL:
            return f"/#/models/{keys[0]}"
        case Kind.MODEL_VERSION:
            return f"/#/models/{keys[0]}/versions/{keys[1]}"
        case _:
            return None


def mlflow_ref(path: str, instance: str) -> Ref | None:
    """What MLflow's page at `path` shows; None for its start page, lists of models, comparisons and prompts.

    An experiment's tabs (runs, models, traces, ...) show the experiment, a run's tabs the run. The chart of a metric
    shows the run where there is one alone.
    """
    inner = urlsplit(urlsplit(path).fragment)
    match [unquote(s) for s in inner.path.split("/") if s]:
        case ["experiments", _, "runs" | "evaluation-runs", run, *_] | ["runs", run, *_]:
            return refs.run(instance, run)
        case ["experiments", _, "models", model, *_]:
            return refs.logged_model(instance, model)
        case ["experiments", experiment, *_]:
            return refs.experiment(instance, experiment)
        case ["models", name, "versions" | "version", version, *_]:
            return refs.model_version(instance, name, version)
        case ["models", name, *_]:
            return refs.registered_model(instance, name)
        case ["metric", *_]:
            runs = _names(parse_qs(inner.query).get("runs", [""])[0])
            return refs.run(instance, runs[0]) if len(runs) == 1 else None
        case _:
            return None


def _names(text: str) -> list[str]:
    """The non-empty strings of a JSON list; nothing for anything else."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return []
    return [v for v in cast(list[object], value) if isinstance(v, str) and v] if isinstance(value, list) else []


# --- the front: any service ----------------------------------------------------------------------------------------


def path(ref: Ref, lookup: Lookup = NO_LOOKUP) -> tuple[str, str] | None:
    """The service (`airflow`, `festaf` or `mlflow`) and the path of the page that shows `ref`; None where none does."""
    match ref.scheme:
        case "airflow":
            page = airflow_path(ref, lookup)
        case "mlflow":
            page = mlflow_path(ref, lookup)
        case _:
            page = festaf_path(ref)
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
