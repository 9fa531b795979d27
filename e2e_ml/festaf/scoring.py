"""A model asked by entity keys alone: its own features are fetched, under the names and types that it was fitted on.

With a time in each row they are looked up as they were known then, else as they stand in the online store now. A model
that the registry no longer fits is not asked: a wrong answer looks like a right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import polars as pl

from e2e_ml.festaf import mlflow
from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Registry
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS

Missing = Literal["refuse", "pass"]
Why = Mapping[str, str]


class Store(Protocol):
    """What is needed of a feature store."""

    @property
    def registry(self) -> Registry: ...

    def historical(self, what: Any, entities: Any, at: str = ...) -> Any: ...

    def online(self, what: Any, rows: Sequence[Mapping[str, Any]]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model foretells for each asked row, in the order asked.

    keys: the rows as they were asked. features: what the model was given. predictions: a column for each thing that it
    foretells, `prediction` where it is one. missing: for each row why an online value is missing, by the model's
    column. model: the URI of the version that was asked, "" for a model handed over.
    """

    keys: pl.DataFrame
    features: pl.DataFrame
    predictions: pl.DataFrame
    missing: tuple[Why, ...]
    model: str

    def to_polars(self, features: bool = False) -> pl.DataFrame:
        """The asked rows with the predictions behind them, and with `features` the model's input in between."""
        between = [self.features] if features else []
        return pl.concat([self.keys, *between, self.predictions], how="horizontal")

    def to_pandas(self, features: bool = False) -> Any:
        return cast(Any, self.to_polars(features)).to_pandas()

    def to_dicts(self) -> list[dict[str, Any]]:
        return self.to_polars().to_dicts()


def predict(store: Store, model: Any, keys: Any, at: str, missing: Missing) -> Predictions:
    """See `FeatureStore.predict`."""
    asked = _asked(keys)
    loaded = mlflow.load(model)
    _refuse_misfits(loaded, store.registry)
    names = loaded.contract.current_names(store.registry)
    if at in asked.columns:
        features, why = _historical(store, asked, at, names)
    else:
        features, why = _online(store, asked, names)
    given = features.select(feature.column for feature in loaded.contract.features)
    if missing == "refuse":
        _refuse_missing(store.registry, names, asked, given, why)
    predictions = loaded.predict(given)
    if taken := [name for name in predictions.columns if name in asked.columns]:
        raise FeatureStoreError(f"The asked rows already have a column {taken[0]!r}, as the answer has. Rename theirs.")
    return Predictions(asked, given, predictions, why, loaded.uri)


def _asked(keys: Any) -> pl.DataFrame:
    if isinstance(keys, Mapping):
        keys = [keys]
    if isinstance(keys, Sequence) and not isinstance(keys, str):
        rows = cast("Sequence[Mapping[str, Any]]", keys)
        if not rows:
            raise FeatureStoreError('Nothing was asked: give a row of keys, such as {"origin": "JFK"}.')
        return pl.DataFrame(rows, infer_schema_length=None)
    return POLARS.frame(keys).collect()


def _refuse_misfits(model: mlflow.Model, registry: Registry) -> None:
    reasons = model.contract.misfits(registry)
    if not reasons:
        return
    named = f"The model {model.uri}" if model.uri else "The model"
    raise FeatureStoreError(
        f"{named} does not fit the registry any more: {'; '.join(reasons)}. It learned from version "
        f"{model.contract.registry_version}{_commit(model.contract, registry)}, and this is version "
        f"{registry.version}. Train it anew, or open a store with the definitions of that version to go on with it."
    )


def _commit(contract: Contract, registry: Registry) -> str:
    found = [a.commit for a in registry.history if a.version == contract.registry_version and a.commit]
    return f" (commit {found[0][:10]})" if found and registry.project == contract.project else ""


def _historical(
    store: Store, asked: pl.DataFrame, at: str, names: Mapping[str, str]
) -> tuple[pl.DataFrame, tuple[Why, ...]]:
    found = store.historical(list(names), asked, at=at)
    columns = dict(zip(found.features, found.columns, strict=True))
    return found.to_polars().select(pl.col(columns[full]).alias(column) for full, column in names.items()), ()


def _online(store: Store, asked: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, tuple[Why, ...]]:
    found = store.online(list(names), asked.to_dicts())
    columns = dict(zip(found.features, found.columns, strict=True))
    features = pl.DataFrame(
        {column: [row[columns[full]] for row in found.rows] for full, column in names.items()}, strict=False
    )
    why = tuple({names[f]: row[c] for f, c in columns.items() if c in row} for row in found.missing)
    return features, why


def _refuse_missing(
    registry: Registry, names: Mapping[str, str], asked: pl.DataFrame, given: pl.DataFrame, why: Sequence[Why]
) -> None:
    """A feature that its view requires must be there; any other may be missing, as it may have been in training."""
    required = [(full, column) for full, column in names.items() if _is_required(registry, full)]
    for full, column in required:
        if not given[column].null_count():
            continue
        first = given[column].is_null().arg_true()[0]
        row = ", ".join(f"{name}={value}" for name, value in asked.row(first, named=True).items())
        because = f" ({why[first][column]})" if why and column in why[first] else ""
        raise FeatureStoreError(
            f"{full} is required, and missing{because} in {given[column].null_count()} of {asked.height} rows, first "
            f'for {row}. Load what is missing, leave these rows out, or ask with missing="pass" to have them scored so.'
        )


def _is_required(registry: Registry, full: str) -> bool:
    view, _, name = full.partition(".")
    found = registry.any_view(view)
    return found is not None and any(c.rule == "required" for c in found.feature(name).constraints)
