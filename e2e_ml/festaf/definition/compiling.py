"""Definitions all together: the records of views and services, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeGuard, cast

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.classes import DefinitionClass, Definitions, FeatureService, FeatureView, OnDemandView
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.naming import snake_case


@dataclass(frozen=True, slots=True)
class Compiled:
    """Views and services as records, in the order of their definitions; each knows itself, none when it was seen."""

    views: tuple[model.FeatureView, ...]
    on_demand: tuple[model.OnDemandView, ...]
    services: tuple[model.FeatureService, ...]


def compile_definitions(definitions: Definitions) -> Compiled:
    """Records of all views and services of a module, or of an iterable of classes. Raises DefinitionError."""
    classes = list(_classes(definitions))
    on_demand = {v.__record__.name: v.__record__ for v in _distinct(c for c in classes if issubclass(c, OnDemandView))}
    views = {v.__record__.name: v.__record__ for v in _distinct(c for c in classes if issubclass(c, FeatureView))}
    both = {**views, **on_demand}
    for record in on_demand.values():
        if record.name in views:
            raise DefinitionError(f"A feature view and an on-demand view are both called {record.name}. Rename one.")
        read = [name.partition(".")[0] for f in record.features for name in f.inputs if "." in name]
        _check_there(record.name, read, both)
    services: dict[str, model.FeatureService] = {}
    for service in _distinct(c for c in classes if issubclass(c, FeatureService)):
        record, hidden = service.__record__, service.__target__
        if record.name in views or record.name in on_demand:
            raise DefinitionError(f"{service.__name__} is called like the feature view {record.name}. Rename one.")
        target = [record.target.view] if record.target else []
        _check_there(service.__name__, [*(name.partition(".")[0] for name in record.features), *target], both)
        if hidden is not None and record.target is not None:
            view = views[record.target.view]
            views[view.name] = view.model_copy(update={"features": (*view.features, hidden)})
        services[record.name] = record
    _check_sources(views.values())
    return Compiled(tuple(views.values()), tuple(on_demand.values()), tuple(services.values()))


def _check_there(reader: str, names: Iterable[str], views: Mapping[str, model.View]) -> None:
    for name in names:
        if name not in views:
            raise DefinitionError(f"{reader} reads the view {name}, which is not among the definitions. Add it.")


def _classes(definitions: Definitions) -> Iterator[DefinitionClass]:
    if isinstance(definitions, ModuleType):
        for value in vars(definitions).values():
            if (
                isinstance(value, type)
                and issubclass(value, FeatureView | OnDemandView | FeatureService)
                and "__record__" in vars(value)
            ):
                yield value
        return
    if isinstance(definitions, str) or not isinstance(definitions, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionError(
            "Definitions are a module, or a list of view and service classes such as [HourlyWeather], "
            f"not {definitions!r}."
        )
    for value in definitions:
        if not _is_definition(value):
            raise DefinitionError(f"{value!r} is neither a view nor a feature service.")
        yield value


def _is_definition(value: object) -> TypeGuard[DefinitionClass]:
    return isinstance(value, type) and issubclass(value, FeatureView | OnDemandView | FeatureService)


def _distinct(classes: Iterator[Any]) -> Iterator[Any]:
    """The classes without repetition. Raises DefinitionError when two are called alike."""
    seen: dict[str, type] = {}
    for each in classes:
        name = snake_case(each.__name__)
        if seen.setdefault(name, each) is not each:
            raise DefinitionError(
                f"{each.__module__}.{each.__qualname__} and {seen[name].__module__}.{seen[name].__qualname__} are both "
                f"called {name}. Rename one."
            )
    yield from seen.values()


def _check_sources(views: Any) -> None:
    sources: dict[str, model.FeatureView] = {}
    for view in cast("Sequence[model.FeatureView]", views):
        other = sources.setdefault(view.source.name, view)
        if other.source != view.source:
            raise DefinitionError(
                f"{view.name} and {other.name} have different sources called {view.source.name}: {view.source.uri} and "
                f"{other.source.uri}. Tell them apart with name=."
            )
