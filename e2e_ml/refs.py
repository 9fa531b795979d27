"""`Ref`: the one name of anything in the lifecycle, as a URI. It is parsed and printed only here.

    festaf://flights/hourly_weather#temp
    airflow://local/dags/festaf.flights.hourly_weather
    mlflow://local/models/flight-delay/versions/3

The part after `://` is the instance: the feature store's project, or the name of the Airflow or MLflow connection.
Which web page shows a `Ref` is the business of `routes`, not of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit


class Kind(StrEnum):
    """What a `Ref` names. The values are the words that people read."""

    PROJECT = "project"
    SOURCE = "source"
    ENTITY = "entity"
    FEATURE_VIEW = "feature view"
    FEATURE = "feature"
    FEATURE_SERVICE = "feature service"
    WISH = "wish"
    DAG = "DAG"
    TASK = "task"
    DAG_RUN = "DAG run"
    TASK_INSTANCE = "task instance"
    ASSET = "asset"
    EXPERIMENT = "experiment"
    RUN = "run"
    LOGGED_MODEL = "logged model"
    REGISTERED_MODEL = "registered model"
    MODEL_VERSION = "model version"


# One row a kind: scheme and path template. A segment in braces is a key; `#{}` stands for the fragment.
_TEMPLATES: dict[Kind, tuple[str, str]] = {
    Kind.PROJECT: ("festaf", ""),
    Kind.SOURCE: ("festaf", "sources/{}"),
    Kind.ENTITY: ("festaf", "entities/{}"),
    Kind.FEATURE_VIEW: ("festaf", "{}"),
    Kind.FEATURE: ("festaf", "{}#{}"),
    Kind.FEATURE_SERVICE: ("festaf", "services/{}"),
    Kind.WISH: ("festaf", "wishes/{}"),
    Kind.DAG: ("airflow", "dags/{}"),
    Kind.TASK: ("airflow", "dags/{}/tasks/{}"),
    Kind.DAG_RUN: ("airflow", "dags/{}/runs/{}"),
    Kind.TASK_INSTANCE: ("airflow", "dags/{}/runs/{}/tasks/{}/{}"),
    Kind.ASSET: ("airflow", "assets/{}"),
    Kind.EXPERIMENT: ("mlflow", "experiments/{}"),
    Kind.RUN: ("mlflow", "runs/{}"),
    Kind.LOGGED_MODEL: ("mlflow", "logged-models/{}"),
    Kind.REGISTERED_MODEL: ("mlflow", "models/{}"),
    Kind.MODEL_VERSION: ("mlflow", "models/{}/versions/{}"),
}


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of one thing: its kind, the instance it lives in, and the keys that tell it from others of its kind.

    Equal names are equal `Ref`s, so a `Ref` serves as a dictionary key. `str(ref)` and `Ref.parse` are inverses.
    """

    kind: Kind
    instance: str
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        expected = _TEMPLATES[self.kind][1].count("{}")
        if len(self.keys) != expected:
            raise ValueError(f"A {self.kind} is named by {expected} keys, not by {len(self.keys)}: {self.keys!r}.")
        if not self.instance or not all(self.keys):
            raise ValueError(f"A {self.kind} needs an instance and keys that are not empty: {self!r}.")

    @property
    def scheme(self) -> str:
        """The service it belongs to: `festaf`, `airflow` or `mlflow`."""
        return _TEMPLATES[self.kind][0]

    @property
    def name(self) -> str:
        """The short name: its last key that is not a map index, else the instance."""
        if self.kind is Kind.TASK_INSTANCE:
            return self.keys[2]
        return self.keys[-1] if self.keys else self.instance

    @property
    def parent(self) -> Ref | None:
        """What contains it: a feature's view, a run's DAG, a version's model; None at the top."""
        i, k = self.instance, self.keys
        match self.kind:
            case Kind.FEATURE:
                return feature_view(i, k[0])
            case Kind.FEATURE_VIEW | Kind.FEATURE_SERVICE | Kind.ENTITY | Kind.SOURCE | Kind.WISH:
                return project(i)
            case Kind.TASK | Kind.DAG_RUN:
                return dag(i, k[0])
            case Kind.TASK_INSTANCE:
                return dag_run(i, k[0], k[1])
            case Kind.MODEL_VERSION:
                return registered_model(i, k[0])
            case _:
                return None

    def __str__(self) -> str:
        scheme, template = _TEMPLATES[self.kind]
        path = template.format(*(quote(key, safe="") for key in self.keys))
        return f"{scheme}://{quote(self.instance, safe='')}" + (f"/{path}" if path else "")

    @classmethod
    def parse(cls, uri: str) -> Ref:
        """Read a `Ref` from its URI. Raises ValueError, with a sentence, for anything else."""
        # urlsplit lower-cases nothing but the scheme; the instance keeps its case in netloc.
        parts = urlsplit(uri)
        segments = [s for s in parts.path.split("/") if s] if parts.path not in ("", "/") else []
        if parts.fragment:
            segments = [*segments[:-1], f"{segments[-1]}#{parts.fragment}"] if segments else []
        for kind, (scheme, template) in _TEMPLATES.items():
            if scheme == parts.scheme and (keys := _match(template, segments)) is not None:
                return cls(kind, unquote(parts.netloc), keys)
        raise ValueError(f"{uri!r} names nothing in the lifecycle. A name looks like festaf://project/view#feature.")


def _match(template: str, segments: list[str]) -> tuple[str, ...] | None:
    wanted = template.split("/") if template else []
    if len(wanted) != len(segments):
        return None
    keys: list[str] = []
    for want, got in zip(wanted, segments, strict=True):
        if want == "{}#{}":
            view, hash_, feature = got.partition("#")
            if not hash_:
                return None
            keys += [unquote(view), unquote(feature)]
        elif want == "{}":
            if "#" in got:
                return None
            keys.append(unquote(got))
        elif want != got:
            return None
    return tuple(keys)


def project(name: str) -> Ref:
    return Ref(Kind.PROJECT, name)


def source(project: str, name: str) -> Ref:
    return Ref(Kind.SOURCE, project, (name,))


def entity(project: str, name: str) -> Ref:
    return Ref(Kind.ENTITY, project, (name,))


def feature_view(project: str, view: str) -> Ref:
    return Ref(Kind.FEATURE_VIEW, project, (view,))


def feature(project: str, view: str, feature: str) -> Ref:
    return Ref(Kind.FEATURE, project, (view, feature))


def feature_service(project: str, service: str) -> Ref:
    return Ref(Kind.FEATURE_SERVICE, project, (service,))


def wish(project: str, number: str | int) -> Ref:
    """A feature that somebody wished for, by its number."""
    return Ref(Kind.WISH, project, (str(number),))


def dag(instance: str, dag_id: str) -> Ref:
    return Ref(Kind.DAG, instance, (dag_id,))


def task(instance: str, dag_id: str, task_id: str) -> Ref:
    return Ref(Kind.TASK, instance, (dag_id, task_id))


def dag_run(instance: str, dag_id: str, run_id: str) -> Ref:
    return Ref(Kind.DAG_RUN, instance, (dag_id, run_id))


def task_instance(instance: str, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Ref:
    """`map_index` is -1 for a task that is not mapped, as in Airflow."""
    return Ref(Kind.TASK_INSTANCE, instance, (dag_id, run_id, task_id, str(map_index)))


def asset(instance: str, uri: str) -> Ref:
    return Ref(Kind.ASSET, instance, (uri,))


def experiment(instance: str, experiment_id: str) -> Ref:
    return Ref(Kind.EXPERIMENT, instance, (experiment_id,))


def run(instance: str, run_id: str) -> Ref:
    return Ref(Kind.RUN, instance, (run_id,))


def logged_model(instance: str, model_id: str) -> Ref:
    return Ref(Kind.LOGGED_MODEL, instance, (model_id,))


def registered_model(instance: str, name: str) -> Ref:
    return Ref(Kind.REGISTERED_MODEL, instance, (name,))


def model_version(instance: str, name: str, version: str | int) -> Ref:
    return Ref(Kind.MODEL_VERSION, instance, (name, str(version)))
