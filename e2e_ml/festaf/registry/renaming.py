"""Renames: what a definition says it was called before is found in the registry, and called anew there.

A rename is a change of names alone. The registry as it would be with the new names is compared with the definitions, so
that a plan shows what else has changed and nothing more; and what is stored stays where it is: `stored_as` says under
what name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.compiling import Compiled
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.expression import from_json
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.naming import snake_case, target_name

V = TypeVar("V", model.FeatureView, model.OnDemandView)


@dataclass(frozen=True, slots=True)
class Renames:
    """`{old: new}` of views (both kinds), of features by full names, and of services."""

    views: dict[str, str] = field(default_factory=dict[str, str])
    features: dict[str, str] = field(default_factory=dict[str, str])
    services: dict[str, str] = field(default_factory=dict[str, str])

    def full(self, name: str) -> str:
        """The full name of a feature by now."""
        if name in self.features:
            return self.features[name]
        view, _, feature = name.partition(".")
        return f"{self.views.get(view, view)}.{feature}"

    def __bool__(self) -> bool:
        return bool(self.views or self.features or self.services)


def find(registry: model.Registry, compiled: Compiled) -> Renames:
    """What the definitions rename. Raises DefinitionError where the old name is still defined, or renamed twice.

    A rename that was applied before, or of something that was never applied, is none.
    """
    found = Renames()
    views: tuple[model.View, ...] = (*compiled.views, *compiled.on_demand)
    found.views.update(_pairs(views, [v.name for v in registry.all_views()], ""))
    found.services.update(_pairs(compiled.services, [s.name for s in registry.services], ""))
    was = {new: old for old, new in found.views.items()}
    for view in views:
        old_view = registry.any_view(was.get(view.name, view.name))
        if old_view is None:
            continue
        pairs = _pairs(view.features, [f.name for f in old_view.features], f"{view.name}.")
        for old, new in found.services.items():  # a target that was written in its service is called after it
            if old_view.has(target_name(old)) and view.has(target_name(new)):
                pairs[target_name(old)] = target_name(new)
        found.features.update({f"{old_view.name}.{old}": f"{view.name}.{new}" for old, new in pairs.items()})
    return found


def _pairs(
    records: Iterable[model.View | model.Feature | model.FeatureService], known: Iterable[str], owner: str
) -> dict[str, str]:
    given = list(records)
    defined, applied = {r.name for r in given}, set(known)
    pairs: dict[str, str] = {}
    for record in given:
        if record.renamed_from is None or record.name in applied:
            continue
        old = record.renamed_from if isinstance(record, model.Feature) else snake_case(record.renamed_from)
        if old in defined:
            raise DefinitionError(
                f"{owner}{record.name} is renamed from {old}, which is still defined. Take one of the two out."
            )
        if old in pairs:
            raise DefinitionError(f"{owner}{record.name} and {owner}{pairs[old]} are both renamed from {old}.")
        if old in applied:
            pairs[old] = record.name
    return pairs


def renamed(registry: model.Registry, renames: Renames) -> model.Registry:
    """The registry with the new names everywhere, and what is stored where it was."""
    if not renames:
        return registry
    views = {view.name: view for view in (_feature_view(view, renames) for view in registry.views)}
    return registry.model_copy(
        update={
            "views": tuple(views.values()),
            "on_demand": tuple(_view(view, renames) for view in registry.on_demand),
            "services": tuple(_service(service, renames, views) for service in registry.services),
        }
    )


def _feature_view(view: model.FeatureView, renames: Renames) -> model.FeatureView:
    name = renames.views.get(view.name, view.name)
    made = _view(view, renames)
    columns = {f.name: new.name for f, new in zip(view.features, made.features, strict=True)}
    return made.model_copy(
        update={
            "stored_as": view.table if view.table != name else None,
            "source_columns": {columns.get(own, own): text for own, text in view.source_columns.items()},
            "features": tuple(_stored(old, new) for old, new in zip(view.features, made.features, strict=True)),
        }
    )


def _stored(old: model.Feature, new: model.Feature) -> model.Feature:
    stored_as = old.column if old.column != new.name else None
    return new if stored_as == new.stored_as else new.model_copy(update={"stored_as": stored_as})


def _view(view: V, renames: Renames) -> V:
    names = {
        f.name: renames.features[f"{view.name}.{f.name}"].partition(".")[2]
        for f in view.features
        if f"{view.name}.{f.name}" in renames.features
    }
    features = tuple(_feature(f, names, renames) for f in view.features)
    name = renames.views.get(view.name, view.name)
    return view.model_copy(update={"name": name, "features": features})


def _feature(feature: model.Feature, names: Mapping[str, str], renames: Renames) -> model.Feature:
    def called(name: str) -> str:
        return renames.full(name) if "." in name else names.get(name, name)

    update: dict[str, Any] = {"name": names.get(feature.name, feature.name)}
    inputs = tuple(called(name) for name in feature.inputs)
    if inputs != feature.inputs:
        tree = {name: new for name, new in zip(feature.inputs, inputs, strict=True) if name != new}
        expression = _tree(feature.expression, tree)
        update |= {"inputs": inputs, "expression": expression, "code": to_python(from_json(expression))}
    return feature.model_copy(update=update)


def _tree(node: Any, names: Mapping[str, str]) -> Any:
    """An expression's JSON with columns called otherwise."""
    if isinstance(node, list):
        return [_tree(each, names) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    data = cast("dict[str, Any]", node)
    if data.get("op") == "literal":
        return data
    if data.get("op") == "column":
        return {**data, "name": names.get(data["name"], data["name"])}
    by = {"by": [names.get(name, name) for name in data["by"]]} if "by" in data else {}
    return {**data, **by, "args": _tree(data["args"], names)}


def _service(
    service: model.FeatureService, renames: Renames, views: Mapping[str, model.FeatureView]
) -> model.FeatureService:
    target = service.target
    if target is not None:
        view, _, name = renames.full(f"{target.view}.{target.feature}").partition(".")
        feature = views[view].feature(name)
        code = feature.code if feature.hidden and feature.code else target.code
        target = target.model_copy(update={"view": view, "feature": name, "code": code})
    return service.model_copy(
        update={
            "name": renames.services.get(service.name, service.name),
            "features": tuple(renames.full(full) for full in service.features),
            "target": target,
        }
    )
