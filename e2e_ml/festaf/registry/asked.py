"""What a person asks the store for, by name, class or column, found in the registry: features and their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from e2e_ml.festaf.definition.columns import Column, origin_of
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Feature, FeatureService, FeatureView, Registry
from e2e_ml.festaf.naming import answer_column, snake_case

Names = Literal["full", "short"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Features in the order asked, each once, the name of each in an answer, and the target's, if there is one."""

    features: tuple[tuple[FeatureView, Feature], ...]
    target: tuple[FeatureView, Feature] | None = None
    service: str | None = None

    def columns(self, names: Names) -> dict[str, str]:
        """`{full name: column}`: `view__feature`, or with names="short" the feature alone where no other has it."""
        both = [*self.features, *([self.target] if self.target else [])]
        taken = Counter(feature.name for _, feature in both)
        taken.update({key.name for view, _ in both for key in view.entities})
        return {
            f"{view.name}.{feature.name}": feature.name
            if names == "short" and taken[feature.name] == 1
            else answer_column(view.name, feature.name)
            for view, feature in both
        }

    def by_view(self, columns: dict[str, str], *, target: bool = True) -> list[tuple[FeatureView, dict[str, str]]]:
        """Each view with `{feature: column}`, in the order asked."""
        grouped: dict[str, tuple[FeatureView, dict[str, str]]] = {}
        for view, feature in [*self.features, *([self.target] if self.target and target else [])]:
            grouped.setdefault(view.name, (view, {}))[1][feature.name] = columns[f"{view.name}.{feature.name}"]
        return list(grouped.values())


def find(registry: Registry, what: Any) -> Asked:
    """`what` is a service or view (its name or class), a feature (full name or column), or several views or features.

    Raises FeatureStoreError for a name that the registry does not have.
    """
    name = name_of(what)
    if name is None:
        if not isinstance(what, Iterable):
            raise FeatureStoreError(f"{what!r} names no service, view or feature.")
        found = dict.fromkeys(each for item in cast("Iterable[Any]", what) for each in _features(registry, item))
        if not found:
            raise FeatureStoreError(
                'No feature was asked for. Name a service, or features such as "hourly_weather.temp".'
            )
        return Asked(_with_records(registry, found))
    service = registry.service(name)
    if service is not None:
        return _service(registry, service)
    return Asked(_with_records(registry, dict.fromkeys(_features(registry, name))))


def view_named(registry: Registry, what: Any) -> FeatureView:
    """A view, by its name or class. Raises FeatureStoreError."""
    name = name_of(what) or repr(what)
    found = registry.view(name)
    if found is None:
        raise FeatureStoreError(f"There is no feature view {name!r}. {_known(registry)}")
    return found


def name_of(what: Any) -> str | None:
    """The registry's name for a name, a class or a column of a class; None for anything else."""
    if isinstance(what, str):
        return what
    if isinstance(what, type):
        return snake_case(what.__name__)
    if isinstance(what, Column):
        origin = origin_of(what)
        return f"{snake_case(origin.view.__name__)}.{origin.name}" if origin.view else None
    if isinstance(what, FeatureView | FeatureService):
        return what.name
    return None


def names_of(what: Any) -> tuple[str | None, ...]:
    """`name_of` of each of several; raises FeatureStoreError for what is not one or several."""
    name = name_of(what)
    if name is not None:
        return (name,)
    if not isinstance(what, Iterable):
        raise FeatureStoreError(f"{what!r} names no service, view or feature.")
    return tuple(name_of(item) for item in cast("Iterable[Any]", what))


def _service(registry: Registry, service: FeatureService) -> Asked:
    target = None
    if service.target is not None:
        view = view_named(registry, service.target.view)
        target = (view, view.feature(service.target.feature))
    return Asked(_with_records(registry, dict.fromkeys(service.features)), target, service.name)


def _features(registry: Registry, what: Any) -> list[str]:
    """The full names of what one item stands for."""
    name = name_of(what)
    if name is None:
        raise FeatureStoreError(f"{what!r} names no view or feature.")
    if "." in name:
        return [name]
    view = view_named(registry, name)
    return [f"{view.name}.{feature.name}" for feature in view.features if not feature.hidden]


def _with_records(registry: Registry, names: Iterable[str]) -> tuple[tuple[FeatureView, Feature], ...]:
    records: list[tuple[FeatureView, Feature]] = []
    for full in names:
        view_name, _, feature = full.partition(".")
        view = view_named(registry, view_name)
        if not view.has(feature):
            has = ", ".join(f.name for f in view.features if not f.hidden)
            raise FeatureStoreError(f"{view.name} has no feature {feature!r}. It has {has}.")
        records.append((view, view.feature(feature)))
    return tuple(records)


def _known(registry: Registry) -> str:
    views = ", ".join(v.name for v in registry.views) or "none; apply definitions first"
    services = ", ".join(s.name for s in registry.services)
    return f"The views are {views}." + (f" The services are {services}." if services else "")
