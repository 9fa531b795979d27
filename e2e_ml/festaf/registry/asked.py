"""What a person asks the store for, by name, class or column, found in the registry: features and their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from e2e_ml.festaf.definition.columns import Column, origin_of
from e2e_ml.festaf.errors import FeatureStoreError, warn
from e2e_ml.festaf.model import AnyView, Feature, FeatureService, FeatureView, OnDemandView, Registry, View
from e2e_ml.festaf.naming import answer_column, inner_column, snake_case
from e2e_ml.festaf.registry.marks import is_scaled

Names = Literal["full", "short"]


Part = tuple[AnyView, Feature]
Stored = tuple[FeatureView, Feature]


@dataclass(frozen=True, slots=True)
class Asked:
    """Features in the order asked, each once, the name of each in an answer, and the target's, if there is one.

    `computed` are those of them that no store holds (features of on-demand views, and scaled ones), and what they read
    of that kind, each behind what it reads; `needed` are the stored features that these read in the end.
    """

    features: tuple[Part, ...]
    target: Stored | None = None
    service: str | None = None
    computed: tuple[Part, ...] = ()
    needed: tuple[Stored, ...] = ()

    def columns(self, names: Names) -> dict[str, str]:
        """`{full name: column}`: `view__feature`, or with names="short" the feature alone where no other has it."""
        both = self._answered(target=True)
        taken = Counter(feature.name for _, feature in both)
        taken.update({key for view, _ in (*both, *self.needed, *self.computed) for key in _keys(view)})
        return {
            f"{view.name}.{feature.name}": feature.name
            if names == "short" and taken[feature.name] == 1
            else answer_column(view.name, feature.name)
            for view, feature in both
        }

    def by_view(self, columns: dict[str, str], *, target: bool = True) -> list[tuple[FeatureView, dict[str, str]]]:
        """What is fetched: each feature view with `{feature: column}`, in the order asked.

        What is fetched only to be computed from has the column `naming.inner_column`.
        """
        computed = {_full(*part) for part in self.computed}
        grouped: dict[str, tuple[FeatureView, dict[str, str]]] = {}
        for view, feature in (*self._answered(target=target), *self.needed):
            full = _full(view, feature)
            if isinstance(view, FeatureView) and full not in computed:
                column = columns.get(full) or inner_column(full)
                grouped.setdefault(view.name, (view, {}))[1][feature.name] = column
        return list(grouped.values())

    def read_columns(self, columns: dict[str, str]) -> dict[str, str]:
        """The column of every feature that is fetched or computed, the inner ones too, by full name."""
        inner = (_full(*part) for part in (*self.computed, *self.needed))
        return {**{full: inner_column(full) for full in inner}, **columns}

    def _answered(self, *, target: bool) -> tuple[Part, ...]:
        return (*self.features, *([self.target] if self.target and target else []))


def _full(view: View, feature: Feature) -> str:
    return f"{view.name}.{feature.name}"


def _keys(view: AnyView) -> tuple[str, ...]:
    return tuple(key.name for key in (view.entities if isinstance(view, FeatureView) else view.request))


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
        return _asked(registry, found)
    service = registry.service(name)
    if service is not None:
        return _service(registry, service)
    return _asked(registry, _features(registry, name))


def view_named(registry: Registry, what: Any) -> FeatureView:
    """A view, by its name or class. Raises FeatureStoreError."""
    name = name_of(what) or repr(what)
    found = registry.view(name)
    if found is None:
        if registry.any_view(name) is not None:
            raise FeatureStoreError(f"{name} is computed on demand, and has no rows of its own. Name a feature view.")
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
    if isinstance(what, View | FeatureService):
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
    _warn(service.name, service.deprecated)
    return _asked(registry, service.features, target, service.name)


def _features(registry: Registry, what: Any) -> list[str]:
    """The full names of what one item stands for."""
    name = name_of(what)
    if name is None:
        raise FeatureStoreError(f"{what!r} names no view or feature.")
    if "." in name:
        return [name]
    view = _any_view(registry, name)
    return [f"{view.name}.{feature.name}" for feature in view.features if not feature.hidden]


def _any_view(registry: Registry, name: str) -> AnyView:
    found = registry.any_view(name)
    if found is None:
        raise FeatureStoreError(f"There is no feature view {name!r}. {_known(registry)}")
    return found


def _part(registry: Registry, full: str) -> Part:
    view_name, _, feature = full.partition(".")
    view = _any_view(registry, view_name)
    if not view.has(feature):
        has = ", ".join(f.name for f in view.features if not f.hidden)
        raise FeatureStoreError(f"{view.name} has no feature {feature!r}. It has {has}.")
    return view, view.feature(feature)


def _asked(registry: Registry, names: Iterable[str], target: Stored | None = None, service: str | None = None) -> Asked:
    features = tuple(_part(registry, full) for full in dict.fromkeys(names))
    for view, feature in features:
        _warn(_full(view, feature), feature.deprecated or view.deprecated)
    computed: dict[str, Part] = {}
    needed: dict[str, Stored] = {}
    for part in (*features, *([target] if target else [])):
        _expand(registry, part, computed, needed)
    return Asked(features, target, service, tuple(computed.values()), tuple(needed.values()))


def _expand(registry: Registry, part: Part, computed: dict[str, Part], needed: dict[str, Stored]) -> None:
    """Put what is computed on read into `computed`, behind what it reads, and what that is fetched from into `needed`.

    The registry holds no circles.
    """
    view, feature = part
    full = _full(view, feature)
    if full in computed or not is_on_read(view, feature):
        return
    for name in feature.inputs:
        if "." not in name and not view.has(name):
            continue  # a value of the request, or a key
        read = _part(registry, name if "." in name else f"{view.name}.{name}")
        if is_on_read(*read):
            _expand(registry, read, computed, needed)
        elif isinstance(read[0], FeatureView):
            needed[_full(*read)] = (read[0], read[1])
    computed[full] = part


def is_on_read(view: View, feature: Feature) -> bool:
    """Whether a feature is computed whenever it is asked for, and in no store."""
    return isinstance(view, OnDemandView) or is_scaled(feature)


class DeprecatedFeatureWarning(DeprecationWarning):
    """Something that was asked for is deprecated. The message says what to use instead."""


def _warn(name: str, why: str | None) -> None:
    """Python shows a warning once for each place that asks, unless it was told otherwise."""
    if why is not None:
        warn(f"{name} is deprecated: {why}", DeprecatedFeatureWarning)


def _known(registry: Registry) -> str:
    views = _some([v.name for v in registry.all_views()]) or "none; apply definitions first"
    services = _some([s.name for s in registry.services])
    return f"The views are {views}." + (f" The services are {services}." if services else "")


def _some(names: list[str], most: int = 30) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
