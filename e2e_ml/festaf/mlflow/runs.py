"""What an MLflow run is told of the features and the rows that it is trained on."""

# MLflow and scikit-learn carry types by half.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import polars as pl

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.festaf.mlflow.library import mlflow_library

log = logging.getLogger(__name__)

_CONTEXT = "mlflow.data.context"


def log_training_set(
    frame: Any,
    *,
    project: str,
    features: Sequence[str],
    service: str | None = None,
    registry_version: int | None = None,
    name: str | None = None,
    target: str | None = None,
    run_id: str | None = None,
    context: str = "training",
) -> bool:
    """Tell an MLflow run, the active one unless `run_id` says, which features it is trained on, and on which rows.

    `HistoricalFeatures.log` calls it; call it yourself for rows of another feature store. `frame` is a pandas or Polars
    frame or an Arrow table, with `target` among its columns where given. `features` are full names, `weather.temp` or
    Feast's `weather:temp`. The dataset's source is the feature service's URI, else the project's. Several calls for one
    run add up. Returns whether everything was written. Raises FeatureStoreError without MLflow, and nothing else.
    """
    mlflow_library()
    retrieval: dict[str, Any] = {
        "project": project,
        "feature_service": service,
        "registry_version": registry_version,
        "features": [run_tags.full_name(f) for f in features],
    }
    source = str(refs.feature_service(project, service) if service else refs.project(project))
    title = name or service or project
    named = _attempt("the features", lambda: _log_retrieval(_run(run_id), retrieval))
    shown = _attempt("the training set", lambda: _log_input(_run(run_id), frame, source, title, target, context))
    return named and shown


def _run(run_id: str | None) -> str:
    active = mlflow_library().active_run()
    if run_id is None and active is None:
        raise RuntimeError("no run is active; call it inside `with mlflow.start_run():`, or give run_id=")
    return run_id or active.info.run_id


def _attempt(what: str, write: Callable[[], None]) -> bool:
    try:
        write()
    except Exception as error:
        log.warning("The MLflow run does not say %s: %s. The run itself goes on.", what, error)
        return False
    return True


def _log_retrieval(run_id: str, retrieval: Mapping[str, Any]) -> None:
    client = mlflow_library().MlflowClient()
    retrievals = [*_earlier(client, run_id), retrieval]
    features = dict.fromkeys(f for r in retrievals for f in r["features"])
    tags = {
        run_tags.PROJECT: _joined(r["project"] for r in retrievals),
        run_tags.FEATURE_SERVICE: _joined(r["feature_service"] for r in retrievals),
        run_tags.FEATURE_REFS: run_tags.feature_refs_tag(features),
        run_tags.FEATURE_COUNT: str(len(features)),
        run_tags.REGISTRY_VERSION: _joined(r["registry_version"] for r in retrievals),
    }
    for tag, value in tags.items():
        if value:
            client.set_tag(run_id, tag, value)
    whole = {"schema_version": run_tags.FEATURES_SCHEMA_VERSION, "retrievals": retrievals}
    client.log_dict(run_id, whole, run_tags.FEATURES_FILE)


def _joined(values: Iterable[object]) -> str:
    return ",".join(dict.fromkeys(str(v) for v in values if v is not None))


def _earlier(client: Any, run_id: str) -> list[Mapping[str, Any]]:
    """The retrievals that this run has told of before."""
    if run_tags.FEATURE_COUNT not in client.get_run(run_id).data.tags:
        return []
    from mlflow import artifacts

    try:
        content: Any = artifacts.load_dict(f"runs:/{run_id}/{run_tags.FEATURES_FILE}")
        return cast(list[Mapping[str, Any]], content["retrievals"])
    except Exception:  # another program's tags: there is no list of ours to add to
        return []


def _log_input(run_id: str, frame: Any, source: str, name: str, target: str | None, context: str) -> None:
    from mlflow import data
    from mlflow.entities import DatasetInput, InputTag

    library: Any = data  # its builders carry no types
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pyarrow":
        frame, kind = pl.DataFrame(frame), "polars"
    build = library.from_polars if kind == "polars" else library.from_pandas
    dataset = build(frame, source=_asset_source()(source), targets=target, name=name)
    given = DatasetInput(dataset._to_mlflow_entity(), [InputTag(_CONTEXT, context)])
    mlflow_library().MlflowClient().log_inputs(run_id, [given])


@cache
def _asset_source() -> Any:
    """A dataset source that is an asset's URI: MLflow's own know the schemes of storage alone, and refuse any other."""
    from mlflow.data.dataset_source import DatasetSource

    class AssetSource(DatasetSource):
        def __init__(self, uri: str) -> None:
            self.uri = uri

        @staticmethod
        def _get_source_type() -> str:
            return "asset"

        def load(self, **_: Any) -> Any:
            """An asset has a name, not a place: open the feature store and ask for the rows there."""
            raise NotImplementedError(
                f"{self.uri} is read through its feature store: FeatureStore.open(...).historical(...)."
            )

        @staticmethod
        def _can_resolve(raw_source: Any) -> bool:
            return isinstance(raw_source, str) and raw_source.startswith("festaf://")

        @classmethod
        def _resolve(cls, raw_source: str) -> Any:
            return cls(raw_source)

        def to_dict(self) -> dict[Any, Any]:
            return {"uri": self.uri}

        @classmethod
        def from_dict(cls, source_dict: dict[Any, Any]) -> Any:
            return cls(source_dict["uri"])

    return AssetSource
