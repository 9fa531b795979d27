"""What MLflow is told of features, and asked of models: the only module of festaf that imports MLflow, and late.

    with mlflow.start_run():
        data.log()                                        # the dataset, its features, the registry's version
        data.log_model(model, name="delay", registered_model_name="flight-delay")
    store.predict("models:/flight-delay@champion", keys)  # `festaf.scoring`, which loads models here

Telling a run what it stands on never makes it fail: what goes wrong is logged, and the run goes on. A model without its
contract cannot be asked, so that `log_model` and `load` raise.
"""

# MLflow and scikit-learn carry types by half.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

import polars as pl
from pydantic import ValidationError

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.errors import FeatureStoreError

log = logging.getLogger(__name__)

METADATA = "festaf"  # the contract's place in a model's own metadata
_CONTEXT = "mlflow.data.context"
# The libraries whose models MLflow stores each by `mlflow.<library>.log_model(model, name=...)`.
_FLAVORS = ("catboost", "keras", "lightgbm", "prophet", "pyfunc", "sklearn", "spacy", "statsmodels", "xgboost")
_MODELS_KEPT = 8


# --- telling a run what it is trained on -------------------------------------------------------------------------


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
    _mlflow()
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
    active = _mlflow().active_run()
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
    client = _mlflow().MlflowClient()
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
    _mlflow().MlflowClient().log_inputs(run_id, [given])


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


# --- storing a model with its features ---------------------------------------------------------------------------


def log_model(
    contract: Contract,
    model: Any,
    fitted_on: Any,
    *,
    name: str,
    registered_model_name: str | None = None,
    flavor: str | None = None,
    **options: Any,
) -> Any:
    """Log a model together with its features, so that `store.predict` can ask it by entity keys alone.

    fitted_on: rows as the model was given them, a Polars or pandas frame with the features' columns, all or some. Their
    types and which of them may be missing become the model's signature; when it is asked, values are handed over as
    these types. flavor: which of MLflow's it is, found by the model's library unless said. options: more for MLflow's
    `log_model`, such as pyfunc_predict_fn="predict_proba". scikit-learn's models are stored by skops, which runs no
    code when one is loaded; what is made of trees needs skops_trusted_types, and the error says which. Gives MLflow's
    ModelInfo. Raises FeatureStoreError.
    """
    _mlflow()
    library = flavor or ("pyfunc" if _is_pyfunc(model) else type(model).__module__.partition(".")[0])
    if library not in _FLAVORS:
        raise FeatureStoreError(
            f"MLflow stores no models of {library} in a way that is known here. Say which one with flavor=: "
            f"{', '.join(_FLAVORS)}."
        )
    frame: Any = fitted_on.to_pandas() if isinstance(fitted_on, pl.DataFrame) else fitted_on
    if not hasattr(frame, "columns"):
        raise FeatureStoreError(
            f"fitted_on is a {type(fitted_on).__name__}: give a Polars or pandas frame, whose columns say which "
            "feature is which, and fit the model on it."
        )
    agreed = _agreed(contract, [str(column) for column in frame.columns])
    options = {**_defaults(library, model, frame, options), **options}
    options["metadata"] = {**options.get("metadata", {}), METADATA: agreed.model_dump(mode="json")}
    log_it = importlib.import_module(f"mlflow.{library}").log_model
    subject: dict[str, Any] = {"python_model": model} if library == "pyfunc" else {}
    given: tuple[Any, ...] = () if subject else (model,)
    try:
        logged = log_it(*given, **subject, name=name, registered_model_name=registered_model_name, **options)
    except _mlflow().MlflowException as error:
        if strange := _untrusted(model, options):
            raise FeatureStoreError(
                f"skops loads {', '.join(strange)} from nobody unasked: who forges such a file can crash its reader. "
                f"Where you trust whoever can write to this MLflow, log it with skops_trusted_types={strange}."
            ) from error
        raise
    if registered_model_name and logged.registered_model_version:
        _tag_version(registered_model_name, str(logged.registered_model_version), agreed)
    return logged


def _untrusted(model: Any, options: Mapping[str, Any]) -> list[str]:
    """What of a scikit-learn model has to be trusted by name; most often the trees' own arrays."""
    if options.get("serialization_format") != "skops":
        return []
    skops = _quietly("skops.io")
    trusted = options.get("skops_trusted_types") or []
    return [name for name in skops.get_untrusted_types(data=skops.dumps(model)) if name not in trusted]


def _is_pyfunc(model: Any) -> bool:
    from mlflow.pyfunc import PythonModel

    return isinstance(model, str | PythonModel) or (callable(model) and type(model).__name__ == "function")


def _agreed(contract: Contract, columns: list[str]) -> Contract:
    known = {feature.column for feature in contract.features}
    if strange := [column for column in columns if column not in known]:
        raise FeatureStoreError(
            f"The model was fitted on {', '.join(strange)}, which the training set does not have: when it is asked, "
            "nobody could say their values. Make them features, or compute them inside the model."
        )
    return contract.narrowed(columns)


def _defaults(library: str, model: Any, frame: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    from mlflow.models import infer_signature

    found: dict[str, Any] = {}
    predict = getattr(model, options.get("pyfunc_predict_fn", "predict"), None)
    if "signature" not in options:
        scored = None if predict is None or library == "pyfunc" else predict(frame.head(5))
        found["signature"] = infer_signature(frame, scored)
    if "input_example" not in options:
        found["input_example"] = frame.head(5)
    if library == "sklearn" and options.get("serialization_format", "skops") == "skops":
        found["serialization_format"] = "skops"
        found["skops_trusted_types"] = ["numpy.dtype"]  # the name of a number's type, and no code
        # Said rather than found out: MLflow would load the model in another process to see what it imports.
        needs = {"scikit-learn": "sklearn", "skops": "skops", "pandas": "pandas", "numpy": "numpy"}
        found["pip_requirements"] = [f"{name}=={_quietly(module).__version__}" for name, module in needs.items()]
        _quietly("skops.io")
    return found


def _quietly(module: str) -> Any:
    """Import in silence: skops looks for a name in every loaded module, and in an Airflow task hundreds of old modules
    answer each look with a warning. (skops 0.16, `skops.io._utils.whichmodule`.)"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def _tag_version(model: str, version: str, contract: Contract) -> None:
    client = _mlflow().MlflowClient()
    tags = {
        run_tags.PROJECT: contract.project,
        run_tags.FEATURE_SERVICE: contract.service,
        run_tags.REGISTRY_VERSION: str(contract.registry_version),
    }
    for tag, value in tags.items():
        if value is not None:
            client.set_model_version_tag(model, version, tag, value)


# --- loading a model with its features ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """A model and what it has agreed on. `uri` is that of this very version, "" where a loaded model was handed in."""

    uri: str
    contract: Contract
    pyfunc: Any

    def predict(self, features: pl.DataFrame) -> pl.DataFrame:
        """A column for each thing foretold, a row for each row of `features`, which has the contract's columns.

        One thing is called `prediction`, several `prediction_0`, `prediction_1`, ..., or as the model calls them.
        Raises FeatureStoreError where a value is missing that the model was never without.
        """
        given = features.select(_as_fitted(features, column) for column in self._inputs())
        found: Any = self.pyfunc.predict(given.to_pandas())
        if hasattr(found, "columns"):
            return pl.DataFrame({str(name): list(found[name]) for name in found.columns})
        if getattr(found, "ndim", 1) == 2:
            return pl.DataFrame({f"prediction_{i}": found[:, i] for i in range(found.shape[1])})
        return pl.DataFrame({"prediction": list(found)}, strict=False)

    def _inputs(self) -> list[tuple[str, str | None, bool]]:
        """The columns of the model's input: name, MLflow's word for the type, and whether each row had a value."""
        schema = self.pyfunc.metadata.get_input_schema()
        if schema is None or not schema.has_input_names():
            return [(feature.column, None, False) for feature in self.contract.features]
        return [(i.name, getattr(i.type, "name", None), not _may_be_missing(i)) for i in schema.inputs]


def _may_be_missing(column: Any) -> bool:
    """A column that had missing values is optional; of numbers, NaN is one: only text and dates tell by `required`."""
    return not column.required or getattr(column.type, "name", "") in ("double", "float", "string", "datetime")


_TYPES: Mapping[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "string": pl.String(),
}


def _as_fitted(features: pl.DataFrame, column: tuple[str, str | None, bool]) -> pl.Expr:
    name, dtype, always = column
    if always and features[name].null_count():
        raise FeatureStoreError(
            f"{name} is missing in {features[name].null_count()} of {features.height} rows, and the model takes "
            f"{dtype} values alone. Train it on floats, which may be missing, or fill_null the feature."
        )
    value = pl.col(name)
    if dtype == "datetime":
        return value.cast(pl.Datetime("us"))
    return value.cast(_TYPES[dtype]) if dtype is not None and dtype in _TYPES else value


def load(model: Any) -> Model:
    """A model by its URI (`models:/flight-delay@champion`, `models:/flight-delay/3`, `runs:/<id>/<name>`), or one that
    `mlflow.pyfunc.load_model` gave. A version is loaded once; an alias is looked up each time, so that a promotion is
    seen. Raises FeatureStoreError for one that is not there, or that was logged without its features.
    """
    library = _mlflow()
    if not isinstance(model, str):
        return Model("", _contract_of(model, "The model"), model)
    try:
        return _loaded(_version(library, model), library.get_tracking_uri(), library.get_registry_uri())
    except (library.MlflowException, OSError) as error:
        raise FeatureStoreError(
            f"The model {model} could not be loaded: {str(error).splitlines()[0].rstrip('.')}. Check its name, and "
            "that MLFLOW_TRACKING_URI is the server that has it."
        ) from error


def _version(library: Any, uri: str) -> str:
    """The URI of the version that an alias or `latest` stands for now; other URIs stay."""
    path = uri.removeprefix("models:/")
    client = library.MlflowClient()
    if uri.startswith("models:/") and "@" in path:
        name, _, alias = path.rpartition("@")
        return f"models:/{name}/{client.get_model_version_by_alias(name, alias).version}"
    if uri.startswith("models:/") and path.endswith("/latest"):
        name = path.removesuffix("/latest")
        versions = [int(version.version) for version in client.search_model_versions(f"name='{name}'")]
        return f"models:/{name}/{max(versions, default='latest')}"
    return uri


@lru_cache(maxsize=_MODELS_KEPT)
def _loaded(uri: str, tracking: str, registry: str) -> Model:
    """The servers' addresses are part of the key alone: the same name is another model elsewhere."""
    _quietly("mlflow.pyfunc")
    from mlflow import pyfunc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # skops, see `_quietly`
        found = pyfunc.load_model(uri)
    return Model(uri, _contract_of(found, f"The model {uri}"), found)


def _contract_of(pyfunc: Any, what: str) -> Contract:
    try:
        told = (pyfunc.metadata.metadata or {})[METADATA]
        return Contract.model_validate(told)
    except (AttributeError, KeyError, TypeError):
        raise FeatureStoreError(
            f"{what} was logged without its features. Log it with data.log_model(model, ...), where data is what "
            "store.historical gave."
        ) from None
    except ValidationError as error:
        raise FeatureStoreError(f"{what} tells of its features in a form that is not known: {error}.") from None


def _mlflow() -> Any:
    try:
        import mlflow
    except ModuleNotFoundError:
        raise FeatureStoreError("MLflow is not installed here. Install it: pip install mlflow.") from None
    return mlflow
