"""`Ref`: the one name of anything in the lifecycle, as a URI. It is parsed and printed only here.

    festaf://flights/hourly_weather#temp
    airflow://local/dags/festaf.flights.hourly_weather
    mlflow://local/models/flight-delay/versions/3
    dataset://s3%3A%2F%2Flake/weather%2Fhourly#temp

The part after `://` is the instance: the feature store's project, the name of the Airflow or MLflow connection, or a
dataset's namespace as OpenLineage has it. A project of Feast has the same kinds as one of festaf, under `feast://`.
Which web page shows a `Ref` is the business of `routes`, not of this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit


class Kind(StrEnum):
    """What a `Ref` names. The values are the words that people read."""

    PROJECT = "project"
    SOURCE = "source"
    DATASET = "dataset"
    COLUMN = "column"
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
    ALIAS = "alias"
    ENDPOINT = "endpoint"
    MONITOR = "monitor"

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and a `Ref` is hashed thousands of times


FESTAF, FEAST, AIRFLOW, MLFLOW, DATASET = "festaf", "feast", "airflow", "mlflow", "dataset"
FEATURE_STORES = (FESTAF, FEAST)

# Kind -> the path below the instance. A segment in braces is a key; `#{}` stands for the fragment.
_FEATURE_STORE = {
    Kind.PROJECT: "",
    Kind.SOURCE: "sources/{}",
    Kind.COLUMN: "sources/{}#{}",
    Kind.ENTITY: "entities/{}",
    Kind.FEATURE_VIEW: "{}",
    Kind.FEATURE: "{}#{}",
    Kind.FEATURE_SERVICE: "services/{}",
}
_TEMPLATES: dict[str, dict[Kind, str]] = {
    FESTAF: {**_FEATURE_STORE, Kind.WISH: "wishes/{}"},
    FEAST: _FEATURE_STORE,
    AIRFLOW: {
        Kind.DAG: "dags/{}",
        Kind.TASK: "dags/{}/tasks/{}",
        Kind.DAG_RUN: "dags/{}/runs/{}",
        Kind.TASK_INSTANCE: "dags/{}/runs/{}/tasks/{}/{}",
        Kind.ASSET: "assets/{}",
        Kind.MONITOR: "monitors/{}",
    },
    MLFLOW: {
        Kind.EXPERIMENT: "experiments/{}",
        Kind.RUN: "runs/{}",
        Kind.LOGGED_MODEL: "logged-models/{}",
        Kind.REGISTERED_MODEL: "models/{}",
        Kind.MODEL_VERSION: "models/{}/versions/{}",
        Kind.ALIAS: "models/{}/aliases/{}",
        Kind.ENDPOINT: "endpoints/{}",
    },
    DATASET: {Kind.DATASET: "{}", Kind.COLUMN: "{}#{}"},
}
# The scheme of a kind where none is said: a feature store's kinds are festaf's.
_SCHEME = {kind: scheme for scheme, forms in reversed(_TEMPLATES.items()) for kind in forms}
_KEYS = {(scheme, kind): t.count("{}") for scheme, forms in _TEMPLATES.items() for kind, t in forms.items()}


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of one thing: its kind, the instance it lives in, and the keys that tell it from others of its kind.

    Equal names are equal `Ref`s, so a `Ref` serves as a dictionary key. `str(ref)` and `Ref.parse` are inverses.
    """

    kind: Kind
    instance: str
    keys: tuple[str, ...] = ()
    scheme: str = ""  # the service it belongs to; where it is left out, the one that the kind is usual in
    _hash: int = field(default=0, init=False, repr=False, compare=False)  # asked for thousands of times a drawing

    def __post_init__(self) -> None:
        if not self.scheme:
            object.__setattr__(self, "scheme", _SCHEME[self.kind])
        expected = _KEYS.get((self.scheme, self.kind))
        if expected is None:
            raise ValueError(f"There is no {self.kind} under {self.scheme}://.")
        if len(self.keys) != expected:
            raise ValueError(f"A {self.kind} is named by {expected} keys, not by {len(self.keys)}: {self.keys!r}.")
        if not self.instance or not all(self.keys):
            raise ValueError(f"A {self.kind} needs an instance and keys that are not empty: {self!r}.")
        object.__setattr__(self, "_hash", hash((self.kind, self.instance, self.keys, self.scheme)))

    def __hash__(self) -> int:
        return self._hash

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
                return feature_view(i, k[0], self.scheme)
            case Kind.COLUMN if self.scheme == DATASET:
                return dataset(i, k[0])
            case Kind.COLUMN:
                return source(i, k[0], self.scheme)
            case Kind.FEATURE_VIEW | Kind.FEATURE_SERVICE | Kind.ENTITY | Kind.SOURCE | Kind.WISH:
                return project(i, self.scheme)
            case Kind.TASK | Kind.DAG_RUN:
                return dag(i, k[0])
            case Kind.TASK_INSTANCE:
                return dag_run(i, k[0], k[1])
            case Kind.MODEL_VERSION | Kind.ALIAS:
                return registered_model(i, k[0])
            case _:
                return None

    def __str__(self) -> str:
        path = _TEMPLATES[self.scheme][self.kind].format(*map(_quoted, self.keys))
        return f"{self.scheme}://{_quoted(self.instance)}" + (f"/{path}" if path else "")

    @classmethod
    def parse(cls, uri: str) -> Ref:
        """Read a `Ref` from its URI. Raises ValueError, with a sentence, for anything else."""
        # urlsplit lower-cases nothing but the scheme; the instance keeps its case in netloc.
        parts = urlsplit(uri)
        segments = [s for s in parts.path.split("/") if s] if parts.path not in ("", "/") else []
        if parts.fragment:
            segments = [*segments[:-1], f"{segments[-1]}#{parts.fragment}"] if segments else []
        for kind, template in _TEMPLATES.get(parts.scheme, {}).items():
            if (keys := _match(template, segments)) is not None:
                return cls(kind, unquote(parts.netloc), keys, parts.scheme)
        raise ValueError(f"{uri!r} names nothing in the lifecycle. A name looks like festaf://project/view#feature.")

    @classmethod
    def stored(cls, kind: Kind, uri: str) -> Ref:
        """`parse` for a URI that `str(ref)` gave, several times as fast: nothing is checked."""
        scheme, _, rest = uri.partition("://")
        instance, _, path = rest.partition("/")
        path, _, fragment = path.partition("#")
        segments = path.split("/")
        keys = [segments[place] for place in _KEY_PLACES[scheme, kind]]
        if fragment:
            keys.append(fragment)
        if "%" in uri:
            instance, keys = unquote(instance), [unquote(key) for key in keys]
        ref = object.__new__(cls)
        put_kind, put_instance, put_keys, put_scheme, put_hash = _PUT
        put_kind(ref, kind)
        put_instance(ref, instance)
        put_keys(ref, tuple(keys))
        put_scheme(ref, scheme)
        put_hash(ref, hash((kind, instance, ref.keys, scheme)))
        return ref


_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch  # what `quote` leaves as it is, and nearly every key is made of


def _quoted(text: str) -> str:
    return text if _plain(text) else quote(text, safe="")


_KEY_PLACES = {
    (scheme, kind): [place for place, part in enumerate(template.split("/")) if part.startswith("{}")]
    for scheme, forms in _TEMPLATES.items()
    for kind, template in forms.items()
}
# The slots themselves: a `Ref` is frozen, and its own way of being filled costs more than all the rest of `stored`.
_PUT = tuple(Ref.__dict__[name].__set__ for name in ("kind", "instance", "keys", "scheme", "_hash"))


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


def project(name: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.PROJECT, name, (), scheme)


def source(project: str, name: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.SOURCE, project, (name,), scheme)


def source_column(project: str, source: str, column: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.COLUMN, project, (source, column), scheme)


def entity(project: str, name: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.ENTITY, project, (name,), scheme)


def feature_view(project: str, view: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.FEATURE_VIEW, project, (view,), scheme)


def feature(project: str, view: str, feature: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.FEATURE, project, (view, feature), scheme)


def feature_service(project: str, service: str, scheme: str = FESTAF) -> Ref:
    return Ref(Kind.FEATURE_SERVICE, project, (service,), scheme)


def wish(project: str, number: str | int) -> Ref:
    """A feature that somebody wished for, by its number."""
    return Ref(Kind.WISH, project, (str(number),))


def dataset(namespace: str, name: str) -> Ref:
    """A dataset by OpenLineage's naming: `("s3://lake", "weather/hourly")`, `("file", "/data/weather.csv")`."""
    return Ref(Kind.DATASET, namespace, (name,))


def column(namespace: str, dataset: str, column: str) -> Ref:
    return Ref(Kind.COLUMN, namespace, (dataset, column), DATASET)


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


def alias(instance: str, name: str, alias: str) -> Ref:
    """An alias of a registered model."""
    return Ref(Kind.ALIAS, instance, (name, alias))


def endpoint(instance: str, name: str) -> Ref:
    """What serves a model, as the tags of its versions in the MLflow `instance` name it."""
    return Ref(Kind.ENDPOINT, instance, (name,))


def monitor(instance: str, name: str) -> Ref:
    """What watches features, models or endpoints, as an asset of the Airflow `instance` names it."""
    return Ref(Kind.MONITOR, instance, (name,))
