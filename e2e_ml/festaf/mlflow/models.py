"""Models with their features: stored in MLflow with their contract, and loaded with it."""

# MLflow and scikit-learn carry types by half.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import polars as pl
from pydantic import ValidationError

from e2e_ml.festaf import run_tags
from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.mlflow.library import mlflow_library

METADATA = "festaf"  # the contract's place in a model's own metadata
_MODELS_KEPT = 8


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
    mlflow_library()
    library = flavor or ("pyfunc" if _is_pyfunc(model) else type(model).__module__.partition(".")[0])
    log_it = _logging_of(library)
    frame: Any = fitted_on.to_pandas() if isinstance(fitted_on, pl.DataFrame) else fitted_on
    if not hasattr(frame, "columns"):
        raise FeatureStoreError(
            f"fitted_on is a {type(fitted_on).__name__}: give a Polars or pandas frame, whose columns say which "
            "feature is which, and fit the model on it."
        )
    agreed = _agreed(contract, [str(column) for column in frame.columns])
    options = {**_defaults(library, model, frame, options), **options}
    options["metadata"] = {**options.get("metadata", {}), METADATA: agreed.model_dump(mode="json")}
    log_it = partial(log_it, python_model=model) if library == "pyfunc" else partial(log_it, model)
    try:
        logged = log_it(name=name, registered_model_name=registered_model_name, **options)
    except mlflow_library().MlflowException as error:
        if strange := _untrusted(model, options):
            raise FeatureStoreError(
                f"skops loads {', '.join(strange)} from nobody unasked: who forges such a file can crash its reader. "
                f"Where you trust whoever can write to this MLflow, log it with skops_trusted_types={strange}."
            ) from error
        raise
    if registered_model_name and logged.registered_model_version:
        _tag_version(registered_model_name, str(logged.registered_model_version), agreed)
    return logged


def _logging_of(flavor: str) -> Callable[..., Any]:
    """`mlflow.<flavor>.log_model`."""
    try:
        return importlib.import_module(f"mlflow.{flavor}").log_model
    except (ModuleNotFoundError, AttributeError):
        raise FeatureStoreError(
            f'MLflow stores no models of {flavor} by that name. Say which kind it is: flavor="pytorch", or "pyfunc" '
            "for one of your own."
        ) from None


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
    client = mlflow_library().MlflowClient()
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
    library = mlflow_library()
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
