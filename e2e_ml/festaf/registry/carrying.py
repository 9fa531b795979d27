"""What applies have noted of definitions, carried over to new ones: first seen, learned, stored under what name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.compiling import Compiled
from e2e_ml.festaf.registry.differing import details, is_same
from e2e_ml.festaf.registry.standing import standing

V = TypeVar("V", model.FeatureView, model.OnDemandView)
R = TypeVar("R", bound=model.Record)


def carried_over(before: model.Registry, compiled: Compiled, at: datetime) -> model.Registry:
    """The definitions as a registry: first seen and last changed, learned and stored as it was before."""
    taken = {view.table for view in before.views}
    views: list[model.FeatureView] = []
    for view in compiled.views:
        old = before.view(view.name)
        if old is None and view.name in taken:  # the rows of a renamed view are kept under its old name
            view = view.model_copy(update={"stored_as": _free(view.name, taken)})
            taken.add(view.table)
        views.append(_with_columns(_carried_view(old, view, at)))
    on_demand = tuple(
        _carried_view(old if isinstance(old := before.any_view(v.name), model.OnDemandView) else None, v, at)
        for v in compiled.on_demand
    )
    services = tuple(_carried_service(before, service, at) for service in compiled.services)
    after = before.model_copy(update={"views": tuple(views), "on_demand": on_demand, "services": services})
    return _without_stale(before, after, at)


def _carried_view(old: V | None, new: V, at: datetime) -> V:
    if old is None:
        features = tuple(f.model_copy(update={"first_seen": at, "changed_at": at}) for f in new.features)
        return new.model_copy(update={"first_seen": at, "changed_at": at, "features": features})
    features = tuple(_carried_feature(old, f, at) for f in new.features)
    same = (
        is_same(old, new, "features")
        and [f.name for f in old.features] == [f.name for f in features]
        and all(is_same(a, b) for a, b in zip(old.features, features, strict=True))
    )
    update: dict[str, Any] = {
        "features": features,
        "first_seen": old.first_seen,
        "changed_at": old.changed_at if same else at,
        "version": old.version if same else old.version + 1,
        "renamed_from": new.renamed_from or old.renamed_from,
    }
    if isinstance(old, model.FeatureView):
        update["stored_as"] = old.stored_as
    return _unless_equal(old, new.model_copy(update=update))


def _carried_feature(view: model.View, new: model.Feature, at: datetime) -> model.Feature:
    if not view.has(new.name):
        return new.model_copy(update={"first_seen": at, "changed_at": at})
    old = view.feature(new.name)
    update = {
        "first_seen": old.first_seen,
        "changed_at": old.changed_at if is_same(old, new) else at,
        "learned": old.learned,
        "stored_as": old.stored_as,
        "renamed_from": new.renamed_from or old.renamed_from,
    }
    return _unless_equal(old, new.model_copy(update=update))


def _carried_service(before: model.Registry, new: model.FeatureService, at: datetime) -> model.FeatureService:
    old = before.service(new.name)
    if old is None:
        return new.model_copy(update={"first_seen": at, "changed_at": at})
    same = not details(comparable(old, new), new)
    update = {
        "first_seen": old.first_seen,
        "changed_at": old.changed_at if same else at,
        "version": old.version if same else old.version + 1,
        "renamed_from": new.renamed_from or old.renamed_from,
    }
    return _unless_equal(old, new.model_copy(update=update))


def comparable(old: model.FeatureService, new: model.FeatureService) -> model.FeatureService:
    """A target that is a feature is the same when it is that feature, however its class is called by now."""
    before, after = old.target, new.target
    if before is None or after is None or (before.view, before.feature) != (after.view, after.feature):
        return old
    written_here = after.feature.startswith(f"{new.name}__")
    return old if written_here else old.model_copy(update={"target": after})


def _unless_equal(old: R, new: R) -> R:
    """The very record that was there before, where nothing is new: it is known to be right."""
    return old if old == new else new


def _without_stale(before: model.Registry, after: model.Registry, at: datetime) -> model.Registry:
    """Without the parameters of what is computed otherwise than when they were learned, here or in what it reads."""
    if not any(f.learned for view in after.all_views() for f in view.features):
        return after
    redefined = [
        f"{view.name}.{f.name}" for view in after.all_views() for f in view.features if _is_redefined(before, view, f)
    ]
    stale = set(standing(after).reached(redefined))
    views = tuple(_forgetful(before.view(v.name), v, stale, at) for v in after.views)
    on_demand = tuple(_forgetful(before.any_view(v.name), v, stale, at) for v in after.on_demand)
    return after.model_copy(update={"views": views, "on_demand": on_demand})


def _is_redefined(before: model.Registry, view: model.View, feature: model.Feature) -> bool:
    old_view = before.any_view(view.name)
    if old_view is None or not old_view.has(feature.name):
        return True
    old = old_view.feature(feature.name)
    now = (feature.expression, feature.dtype, feature.fill_null)
    return old is not feature and (old.expression, old.dtype, old.fill_null) != now


def _forgetful(old: model.AnyView | None, view: V, stale: set[str], at: datetime) -> V:
    if not any(f.learned and f"{view.name}.{f.name}" in stale for f in view.features):
        return view
    features = tuple(
        f.model_copy(update={"learned": None}) if f"{view.name}.{f.name}" in stale else f for f in view.features
    )
    update: dict[str, Any] = {"features": features}
    if old is not None and old.version == view.version:
        update |= {"version": view.version + 1, "changed_at": at}
    return view.model_copy(update=update)


def _with_columns(view: model.FeatureView) -> model.FeatureView:
    """A column of its own for a new feature that is called as another one's column is."""
    taken = [key.name for key in view.entities] + [name for name in (view.event_time, view.created_time) if name]
    columns = set(taken) | {f.stored_as for f in view.features if f.stored_as}
    if not any(f.stored_as is None and f.name in columns for f in view.features):
        return view
    columns |= {f.name for f in view.features}
    features: list[model.Feature] = []
    held = {f.stored_as for f in view.features if f.stored_as}
    for feature in view.features:
        if feature.stored_as is None and feature.name in held:
            stored_as = _free(feature.name, columns)
            columns.add(stored_as)
            features.append(feature.model_copy(update={"stored_as": stored_as}))
        else:
            features.append(feature)
    return view.model_copy(update={"features": tuple(features)})


def _free(name: str, taken: Iterable[str]) -> str:
    return next(other for number in range(2, 1_000_000) if (other := f"{name}_{number}") not in taken)
