"""What training code calls so that its MLflow run names the features and the data that it was made of.

    with mlflow.start_run():
        log_training_set(train, project="flights", service="flight_delay", features=names, registry_version=7,
                         name="flight-delay-train", target="is_late")

It writes Feast's own tags and a list of its own, `features.json`, since a tag is cut at 8,000 characters. MLflow is
imported inside the functions. A link is worth less than the run: what fails here is logged and swallowed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from e2e_ml import refs

log = logging.getLogger(__name__)

PROJECT = "feast.project"
FEATURE_SERVICE = "feast.feature_service"
FEATURE_REFS = "feast.feature_refs"
FEATURE_COUNT = "feast.feature_count"
REGISTRY_VERSION = "festaf.registry_version"
FEATURES_FILE = "features.json"
FEATURES_SCHEMA_VERSION = 1

TAG_LIMIT = 8_000  # characters; MLflow cuts the rest silently
TRUNCATED = "..."  # the last entry of a list that was cut, as Feast writes it


def log_training_set(
    frame: Any,
    *,
    project: str,
    features: Sequence[str],
    service: str | None = None,
    registry_version: int | None = None,
    name: str | None = None,
    target: str | None = None,
    uri: str | None = None,
) -> bool:
    """Tell the active MLflow run which features of which service it is trained on, and on which rows.

    `frame` is a pandas or Polars frame or an Arrow table, with `target` among its columns where given. `features` are
    full names, `hourly_weather.temp` or Feast's `hourly_weather:temp`. The dataset is logged under `name` in the
    context "training"; its source is `uri`, by default the feature service's (else the project's) own.

    Returns whether everything was written; never raises.
    """
    source = uri or str(refs.feature_service(project, service) if service else refs.project(project))
    told = log_features(project=project, features=features, service=service, registry_version=registry_version)
    title = name or service or project
    return _attempt("the training set", lambda: _log_input(frame, source, title, target)) and told


def log_features(
    *, project: str, features: Sequence[str], service: str | None = None, registry_version: int | None = None
) -> bool:
    """Tell the active MLflow run which features it uses. Several calls in one run add up.

    Returns whether everything was written; never raises.
    """
    retrieval: dict[str, Any] = {
        "project": project,
        "feature_service": service,
        "registry_version": registry_version,
        "features": [full_name(f) for f in features],
    }
    return _attempt("the features", lambda: _log_retrieval(retrieval))


def full_name(feature: str) -> str:
    """`view.feature` from that, from Feast's `view:feature` or from aligned's `feature_view:view:feature`."""
    parts = feature.replace(":", ".").split(".")
    if len(parts) == 3 and parts[0] == "feature_view":
        parts = parts[1:]
    return ".".join(parts)


def feature_refs_tag(features: Iterable[str], limit: int = TAG_LIMIT) -> str:
    """Feast's list, `view:feature,view:feature`, of at most `limit` characters; a cut list ends with `...`."""
    names = [full_name(f).replace(".", ":", 1) for f in features]
    whole = ",".join(names)
    if len(whole) <= limit:
        return whole
    kept, length = list[str](), len(TRUNCATED)
    for feature in names:
        length += len(feature) + 1
        if length > limit:
            break
        kept.append(feature)
    return ",".join([*kept, TRUNCATED])


def read_feature_refs(tag: str) -> tuple[tuple[str, ...], bool]:
    """The full names in a tag `feast.feature_refs`, and whether the list was cut.

    A name that Feast or MLflow cut in the middle is left out.
    """
    cut = tag.endswith(TRUNCATED) or len(tag) >= TAG_LIMIT
    names = [part.strip() for part in tag.removesuffix(TRUNCATED).split(",")]
    if cut and names and not tag.removesuffix(TRUNCATED).endswith(","):
        names = names[:-1]
    return tuple(full_name(n) for n in names if ":" in n or "." in n), cut


def _attempt(what: str, write: Callable[[], None]) -> bool:
    try:
        write()
    except Exception as error:
        log.warning("The MLflow run does not say %s: %s. The run itself goes on.", what, error)
        return False
    return True


def _log_retrieval(retrieval: Mapping[str, Any]) -> None:
    import mlflow

    active = mlflow.active_run()
    if active is None:
        raise RuntimeError("no run is active; call it inside `with mlflow.start_run():`")
    retrievals = [*_earlier(active.info.run_id), retrieval]
    features = dict.fromkeys(f for r in retrievals for f in r["features"])
    tags = {
        PROJECT: _joined(r["project"] for r in retrievals),
        FEATURE_SERVICE: _joined(r["feature_service"] for r in retrievals),
        FEATURE_REFS: feature_refs_tag(features),
        FEATURE_COUNT: str(len(features)),
        REGISTRY_VERSION: _joined(r["registry_version"] for r in retrievals),
    }
    mlflow.set_tags({tag: value for tag, value in tags.items() if value})
    mlflow.log_dict({"schema_version": FEATURES_SCHEMA_VERSION, "retrievals": retrievals}, FEATURES_FILE)


def _joined(values: Iterable[object]) -> str:
    return ",".join(dict.fromkeys(str(v) for v in values if v is not None))


def _earlier(run_id: str) -> list[Mapping[str, Any]]:
    """The retrievals that this run has told of before."""
    import mlflow
    from mlflow import artifacts

    if FEATURE_COUNT not in mlflow.get_run(run_id).data.tags:
        return []
    try:
        content: Any = artifacts.load_dict(f"runs:/{run_id}/{FEATURES_FILE}")
        return cast(list[Mapping[str, Any]], content["retrievals"])
    except Exception:  # another program's tags: there is no list of ours to add to
        return []


def _log_input(frame: Any, source: str, name: str, target: str | None) -> None:
    import mlflow
    from mlflow import data

    from e2e_ml.lineage.dataset_source import AssetSource

    library: Any = data  # its builders carry no types
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pyarrow":
        import polars as pl

        frame, kind = pl.DataFrame(frame), "polars"
    build = library.from_polars if kind == "polars" else library.from_pandas
    mlflow.log_input(build(frame, source=AssetSource(source), targets=target, name=name), context="training")
