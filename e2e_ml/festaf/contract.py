"""What a model and the feature store have agreed on: which features it is given, by which names, and what each means.

A contract is made when a training set is, travels with the model, and is held against the registry before the model is
asked. What a feature means is told by its fingerprint: equal ones are computed alike from like columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

from e2e_ml.festaf.model import Feature, FeatureView, OnDemandView, Record, Registry, View


class ContractFeature(Record):
    """A feature as a model knows it. `name` is the full one, `column` its name in the model's input."""

    name: str
    column: str
    dtype: str
    fingerprint: str


class Contract(Record):
    """The features of a model, in the order of its input; where they are from, and what it foretells."""

    schema_version: int = 1
    project: str
    service: str | None = None
    registry_version: int
    features: tuple[ContractFeature, ...]
    target: str | None = None  # the target's column in the training set
    at: str | None = None  # the column with the moment that each row was asked as of
    keys: tuple[str, ...] = ()  # the columns that each row was asked by

    @classmethod
    def of(
        cls,
        registry: Registry,
        columns: Mapping[str, str],
        *,
        service: str | None = None,
        target: str | None = None,
        at: str | None = None,
        keys: Sequence[str] = (),
    ) -> Self:
        """The contract on features of this registry; `columns` are their columns in the training set by full name."""
        meaning = _Meaning(registry)
        features = (
            ContractFeature(
                name=name, column=column, dtype=meaning.feature(name)[1].dtype, fingerprint=meaning.fingerprint(name)
            )
            for name, column in columns.items()
        )
        return cls(
            project=registry.project,
            service=service,
            registry_version=registry.version,
            features=tuple(features),
            target=target,
            at=at,
            keys=tuple(keys),
        )

    def narrowed(self, columns: Sequence[str]) -> Self:
        """The contract on those columns alone, in their order. Raises KeyError for one that it does not have."""
        by_column = {feature.column: feature for feature in self.features}
        return self.model_copy(update={"features": tuple(by_column[column] for column in columns)})

    def current_names(self, registry: Registry) -> dict[str, str]:
        """`{full name in this registry: the model's column}`, a renamed feature under its new name.

        Only of a contract without `misfits`.
        """
        meaning = _Meaning(registry)
        return {meaning.current_name(feature.name) or feature.name: feature.column for feature in self.features}

    def misfits(self, registry: Registry) -> list[str]:
        """Why a model with this contract must not be asked with this registry, a clause a reason; empty: it fits.

        A feature that was removed, that has another type, or that is computed from something else or otherwise. What
        does not change values (descriptions, owners, tags, constraints, where rows are kept) does not matter.
        """
        if registry.project != self.project:
            return [f"its features are of the project {self.project}, and this is {registry.project}"]
        if self.service is not None and not _knows_service(registry, self.service):
            return [f"the feature service {self.service} {_gone(registry, self.service)}"]
        meaning = _Meaning(registry)
        found = (self._misfit(feature, meaning, registry) for feature in self.features)
        return [reason for reason in found if reason is not None]

    def _misfit(self, feature: ContractFeature, meaning: _Meaning, registry: Registry) -> str | None:
        name = meaning.current_name(feature.name)
        if name is None:
            return f"{feature.name} {_gone(registry, feature.name)}"
        dtype = meaning.feature(name)[1].dtype
        if dtype != feature.dtype:
            return f"{name} is {dtype} now, and was {feature.dtype}"
        if meaning.fingerprint(name) != feature.fingerprint:
            return f"{name} was redefined{_when(registry, name, self.registry_version)}"
        return None


class _Meaning:
    """Features of one registry by their full names, and their fingerprints."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, str] = {}

    def feature(self, full: str) -> tuple[View, Feature]:
        """The view and the feature of that name. Raises KeyError."""
        view_name, _, name = full.partition(".")
        view = self._registry.any_view(view_name)
        if view is None:
            raise KeyError(full)
        return view, view.feature(name)

    def current_name(self, full: str) -> str | None:
        """The full name that a feature has by now; None when it is gone."""
        view_name, _, name = full.partition(".")
        views = [v for v in (*self._registry.views, *self._registry.on_demand) if view_name in (v.name, v.renamed_from)]
        for view in sorted(views, key=lambda v: v.name != view_name):
            named = [f for f in view.features if name in (f.name, f.renamed_from)]
            for feature in sorted(named, key=lambda f: f.name != name):
                return f"{view.name}.{feature.name}"
        return None

    def fingerprint(self, full: str) -> str:
        if full not in self._known:
            view, feature = self.feature(full)
            self._known[full] = _digest(self._definition(view, feature))
        return self._known[full]

    def _definition(self, view: View, feature: Feature) -> Mapping[str, Any]:
        """All that decides the feature's values, without its own name, so that a new name is no new meaning."""
        keys = [[key.name, key.dtype] for key in view.entities] if isinstance(view, FeatureView) else []
        told: dict[str, Any] = {"dtype": feature.dtype, "keys": keys, "fill_null": feature.fill_null}
        if feature.expression is None:
            return {**told, "column": _source_column(view, feature.renamed_from or feature.name)}
        learned = feature.learned.parameters if feature.learned else None
        return {**told, "learned": learned, "expression": self._resolved(view, feature.expression)}

    def _resolved(self, view: View, node: Any) -> Any:
        """The tree with what each name stands for in the name's place."""
        if isinstance(node, list):
            return [self._resolved(view, each) for each in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        fields = cast("dict[str, Any]", node)
        if fields.get("op") == "column":
            return {"op": "column", "of": self._named(view, fields["name"])}
        resolved = {key: value if key == "value" else self._resolved(view, value) for key, value in fields.items()}
        if "by" in fields:
            resolved["by"] = [self._named(view, name) for name in fields["by"]]
        return resolved

    def _named(self, view: View, name: str) -> str:
        if "." in name:
            return self.fingerprint(name)
        if view.has(name):
            return self.fingerprint(f"{view.name}.{name}")
        if isinstance(view, OnDemandView):
            return f"request {name}"
        return f"source {_source_column(view, name)}"


def _source_column(view: View, name: str) -> str:
    return view.source_columns.get(name, name) if isinstance(view, FeatureView) else name


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _knows_service(registry: Registry, name: str) -> bool:
    return any(name in (service.name, service.renamed_from) for service in registry.services)


def _gone(registry: Registry, name: str) -> str:
    """Since when something is not there, as far as the history tells."""
    for applied in reversed(registry.history):
        for change in applied.changes:
            if change.action == "remove" and change.name in (name, name.partition(".")[0]):
                return f"was removed in version {applied.version} ({applied.by}, {applied.at:%Y-%m-%d})"
    return "is not in the registry"


def _when(registry: Registry, name: str, since: int) -> str:
    """The versions after `since` in which a feature itself was changed, as far as the history tells."""
    versions = [a for a in registry.history if a.version > since and any(c.name == name for c in a.changes)]
    return f" in version {versions[-1].version} ({versions[-1].by}, {versions[-1].at:%Y-%m-%d})" if versions else ""
