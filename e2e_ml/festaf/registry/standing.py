"""Who stands on what: from a feature to the features that read it, and to the services that use any of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from e2e_ml.festaf import model

_KEPT: Final = 4


class Standing:
    """The readers of every feature of a registry, by full names, found once. Make it with `standing`."""

    def __init__(self, registry: model.Registry) -> None:
        self._registry = registry
        self._readers: dict[str, list[str]] = {}
        self._services: dict[str, list[int]] = {}
        self._hidden: set[str] = set()
        for view in registry.all_views():
            for feature in view.features:
                full = f"{view.name}.{feature.name}"
                if feature.hidden:
                    self._hidden.add(full)
                for name in feature.inputs:
                    self._readers.setdefault(name if "." in name else f"{view.name}.{name}", []).append(full)
        for number, service in enumerate(registry.services):
            for full in used_by(service):
                self._services.setdefault(full, []).append(number)

    def on(self, names: Iterable[str]) -> tuple[str, ...]:
        """The features that read any of these, directly or not and hidden ones left out, then the services."""
        given = list(names)
        reached = self.reached(given)
        features = [name for name in reached[len(given) :] if name not in self._hidden]
        numbers = sorted({number for name in reached for number in self._services.get(name, ())})
        return (*features, *(self._registry.services[number].name for number in numbers))

    def reached(self, names: Iterable[str]) -> list[str]:
        """These features, and behind them those that read any of them, directly or not."""
        waiting = list(names)
        known = set(waiting)
        for name in waiting:  # grows as it goes
            for reader in self._readers.get(name, ()):
                if reader not in known:
                    known.add(reader)
                    waiting.append(reader)
        return waiting


_made: list[tuple[model.Registry, Standing]] = []


def standing(registry: model.Registry) -> Standing:
    """Who stands on what in it; kept for the registries asked about last."""
    for known, found in _made:
        if known is registry:
            return found
    found = Standing(registry)
    _made[:] = [(registry, found), *_made[: _KEPT - 1]]
    return found


def used_by(service: model.FeatureService) -> tuple[str, ...]:
    """The full names of what a service reads, its target's among them."""
    target = service.target
    return (*service.features, *([f"{target.view}.{target.feature}"] if target else []))


def dependents(registry: model.Registry, view: str, feature: str) -> tuple[str, ...]:
    """Who reads a feature: features, of other views too, directly or not, then the services that use any of them."""
    return standing(registry).on([f"{view}.{feature}"])


def services_on(registry: model.Registry, view: str) -> tuple[str, ...]:
    """Who reads any feature of the view from outside of it: features of on-demand views, then services."""
    record = registry.any_view(view)
    if record is None:
        return ()
    found = standing(registry).on(f"{view}.{feature.name}" for feature in record.features)
    return tuple(name for name in found if not name.startswith(f"{view}."))
