"""Learning the parameters of scaled features: what has to be computed for it, and how the history tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from e2e_ml.festaf import model
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import from_json, to_json
from e2e_ml.festaf.expression.scaling import unscaled
from e2e_ml.festaf.registry.asked import Asked
from e2e_ml.festaf.registry.differing import definition
from e2e_ml.festaf.registry.marks import is_scaled
from e2e_ml.festaf.registry.standing import dependents


def scaled_in(asked: Asked) -> dict[str, str]:
    """`{full name: how it is scaled}` of the scaled features that are asked for. Raises FeatureStoreError for none."""
    found = {f"{v.name}.{f.name}": f.expression["op"] for v, f in asked.computed if f.expression and is_scaled(f)}
    if not found:
        raise FeatureStoreError(
            "Nothing that is asked for is scaled, so there is nothing to learn. Scale a feature with .standard_scale() "
            "or .min_max_scale() in a line of its own."
        )
    return found


def unscaled_of(asked: Asked) -> Asked:
    """The question for what the scaled features scale, under the names that they have."""
    without = tuple(_unscaled(view, feature) for view, feature in asked.computed)
    features = tuple(new for new, (_, old) in zip(without, asked.computed, strict=True) if is_scaled(old))
    return replace(asked, features=features, target=None, computed=without)


def _unscaled(view: model.AnyView, feature: model.Feature) -> tuple[model.AnyView, model.Feature]:
    if not is_scaled(feature):
        return view, feature
    plain = feature.model_copy(update={"expression": to_json(unscaled(from_json(feature.expression)))})
    features = tuple(plain if f.name == feature.name else f for f in view.features)
    return view.model_copy(update={"features": features}), plain


def differing(registry: model.Registry, learned: Mapping[str, model.Learned]) -> dict[str, model.Learned]:
    """Those whose numbers are not those that the registry has already."""
    found: dict[str, model.Learned] = {}
    for full, each in learned.items():
        before = _feature(registry, full).learned
        if before is None or (before.parameters, before.rows) != (each.parameters, each.rows):
            found[full] = each
    return found


def changes(registry: model.Registry, learned: Mapping[str, model.Learned]) -> tuple[model.Change, ...]:
    """What the history says of it."""
    return tuple(_change(registry, full, each) for full, each in learned.items())


def words(learned: model.Learned) -> str:
    """`mean=55.2, std=17.8 on 26115 rows`."""
    numbers = ", ".join(f"{name}={value:.6g}" for name, value in learned.parameters.items())
    return f"{numbers} on {learned.rows} rows"


def _change(registry: model.Registry, full: str, learned: model.Learned) -> model.Change:
    name, _, feature_name = full.partition(".")
    feature = _feature(registry, full)
    return model.Change(
        action="learn",
        kind="feature",
        name=full,
        details=(f"learned {words(learned)}",),
        impact=dependents(registry, name, feature_name),
        before=definition(feature),
        after=definition(feature.model_copy(update={"learned": learned})),
    )


def _feature(registry: model.Registry, full: str) -> model.Feature:
    """A feature that was asked for, and so is there."""
    name, _, feature = full.partition(".")
    view = registry.any_view(name)
    if view is None:
        raise KeyError(full)
    return view.feature(feature)
