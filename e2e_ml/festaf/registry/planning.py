"""What an apply would do, before it does: the difference between a registry and definitions, and who stands on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.classes import Definitions
from e2e_ml.festaf.definition.compiling import compile_definitions
from e2e_ml.festaf.naming import rule

Named = TypeVar("Named", model.Feature, model.FeatureView, model.FeatureService)

_BOOKKEEPING = frozenset({"first_seen", "changed_at", "version"})
_SHOWN = 100  # characters of a value in a line of a plan


class Plan(model.Record):
    """The registry as it would be, and the way there. `registry.apply` makes it so."""

    project: str
    base_version: int  # the version it was planned from; an apply to any other is refused
    at: datetime
    changes: tuple[model.Change, ...]
    views: tuple[model.FeatureView, ...]
    services: tuple[model.FeatureService, ...]

    @property
    def is_empty(self) -> bool:
        return not self.changes

    def __str__(self) -> str:
        """The plan for people: a line for each change, its details and who stands on it below."""
        if self.is_empty:
            return f"{self.project}: the registry is as defined, nothing to apply."
        lines: list[str] = []
        for change in self.changes:
            lines.append(f"{_SIGNS[change.action]} {change.kind} {change.name}")
            lines += [f"    {detail}" for detail in change.details]
            lines += [f"    affects {', '.join(change.impact)}"] if change.impact else []
        counts = {action: sum(c.action == action for c in self.changes) for action in _SIGNS}
        summary = ", ".join(f"{count} to {action}" for action, count in counts.items() if count)
        return "\n".join([*lines, "", f"{self.project}: {summary}."])


_SIGNS = {"add": "+", "change": "~", "remove": "-"}


def plan(registry: model.Registry, definitions: Definitions, now: datetime | None = None) -> Plan:
    """Compare. The definitions are all there shall be: what they leave out is removed.

    Raises DefinitionError where the definitions do not fit together.
    """
    at = (now or datetime.now(UTC)).astimezone(UTC)
    compiled = compile_definitions(definitions)
    old_views = {v.name: v for v in registry.views}
    old_services = {s.name: s for s in registry.services}
    views = tuple(_carried_view(old_views.get(v.name), v, at) for v in compiled.views)
    services = tuple(_carried(old_services.get(s.name), s, at) for s in compiled.services)
    after = registry.model_copy(update={"views": views, "services": services})
    changes = (*_view_changes(registry, after), *_service_changes(old_services, {s.name: s for s in services}))
    return Plan(
        project=registry.project,
        base_version=registry.version,
        at=at,
        changes=changes,
        views=views,
        services=services,
    )


# --- carrying over when it was first seen and last changed -------------------------------------------------------


def _carried_view(old: model.FeatureView | None, new: model.FeatureView, at: datetime) -> model.FeatureView:
    known = {f.name: f for f in old.features} if old else {}
    features = tuple(_carried(known.get(f.name), f, at) for f in new.features)
    return _carried(old, new.model_copy(update={"features": features}), at)


def _carried(old: Named | None, new: Named, at: datetime) -> Named:
    if old is None:
        return new.model_copy(update={"first_seen": at, "changed_at": at})
    if _definition(old) == _definition(new):
        return old
    update: dict[str, Any] = {"first_seen": old.first_seen, "changed_at": at}
    if not isinstance(old, model.Feature):
        update["version"] = old.version + 1
    return new.model_copy(update=update)


def _definition(record: model.Record) -> dict[str, Any]:
    """What was defined, as JSON values: the record without what an apply notes about it."""
    return json.loads(record.model_dump_json(), object_hook=_without_bookkeeping)


def _without_bookkeeping(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key not in _BOOKKEEPING}


# --- changes -----------------------------------------------------------------------------------------------------


def _view_changes(before: model.Registry, after: model.Registry) -> Iterator[model.Change]:
    old, new = {v.name: v for v in before.views}, {v.name: v for v in after.views}
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old:
            yield model.Change(action="add", kind="feature view", name=name, details=(_contents(new[name]),))
        elif name not in new:
            stand = services_on(before, name)
            yield model.Change(
                action="remove", kind="feature view", name=name, details=(_contents(old[name]),), impact=stand
            )
        else:
            details = _details(old[name], new[name], skip="features")
            if not details and _reordered(old[name], new[name]):
                details = ("order of features",)
            if details:
                stand = _union(services_on(before, name), services_on(after, name))
                yield model.Change(action="change", kind="feature view", name=name, details=details, impact=stand)
            yield from _feature_changes(before, after, old[name], new[name])


def _feature_changes(
    before: model.Registry, after: model.Registry, old_view: model.FeatureView, new_view: model.FeatureView
) -> Iterator[model.Change]:
    old, new = {f.name: f for f in old_view.features}, {f.name: f for f in new_view.features}
    for name in (*new, *(name for name in old if name not in new)):
        full = f"{new_view.name}.{name}"
        impact = _union(dependents(before, old_view.name, name), dependents(after, new_view.name, name))
        if name not in old:
            feature = new[name]
            details = (f"{feature.dtype}: {feature.code or 'from the source'}",)
            yield model.Change(action="add", kind="feature", name=full, details=details, impact=impact)
        elif name not in new:
            yield model.Change(action="remove", kind="feature", name=full, impact=impact)
        elif details := _details(old[name], new[name], skip="expression") or _details(old[name], new[name]):
            yield model.Change(action="change", kind="feature", name=full, details=details, impact=impact)


def _service_changes(
    old: Mapping[str, model.FeatureService], new: Mapping[str, model.FeatureService]
) -> Iterator[model.Change]:
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old:
            target = f", target {target.code}" if (target := new[name].target) else ""
            details: tuple[str, ...] = (f"features: {', '.join(new[name].features)}{target}",)
            yield model.Change(action="add", kind="feature service", name=name, details=details)
        elif name not in new:
            yield model.Change(action="remove", kind="feature service", name=name)
        elif details := _details(old[name], new[name]):
            yield model.Change(action="change", kind="feature service", name=name, details=details)


def _contents(view: model.FeatureView) -> str:
    visible = [f.name for f in view.features if not f.hidden]
    return f"{len(visible)} feature{'s' if len(visible) != 1 else ''}: {', '.join(visible)}"


def _reordered(old: model.FeatureView, new: model.FeatureView) -> bool:
    before, after = [f.name for f in old.features], [f.name for f in new.features]
    return before != after and sorted(before) == sorted(after)


def _details(old: model.Record, new: model.Record, skip: str = "") -> tuple[str, ...]:
    """What differs, field by field: `expression: temp <= 32 -> temp <= 30`. `skip` is told elsewhere."""
    before, after = _definition(old), _definition(new)
    differing = [field for field in after if field != skip and before[field] != after[field]]
    if "code" in differing and "inputs" in differing:
        differing.remove("inputs")  # the expressions show it
    return tuple(line for field in differing for line in _difference(field, before[field], after[field]))


def _difference(field: str, before: Any, after: Any) -> list[str]:
    """Lines for one field: a record's differing fields one by one, of a list what came and went."""
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        names = [name for name in new if old[name] != new[name]]
        return [line for name in names for line in _difference(f"{field} {name}", old[name], new[name])]
    if isinstance(before, list) and isinstance(after, list):
        told_before, told_after = _items(cast("list[Any]", before)), _items(cast("list[Any]", after))
        came = [f"+ {item}" for item in told_after if item not in told_before]
        went = [f"- {item}" for item in told_before if item not in told_after]
        return [f"{_WORDS.get(field, field)}: {', '.join(came + went) or 'in another order'}"]
    return [f"{_WORDS.get(field, field)}: {_shown(before)} -> {_shown(after)}"]


_WORDS = {"code": "expression", "dtype": "type", "ttl_seconds": "ttl in seconds", "fill_null": "nulls filled with"}


def _items(values: list[Any]) -> list[str]:
    """The items of a list in words: the rules of constraints, the names of keys, or what they are."""
    return [_item(value) for value in values]


def _item(value: Any) -> str:
    if isinstance(value, dict) and "rule" in value:
        return rule(model.Constraint.model_validate(value))
    return _shown(value)


def _shown(value: Any) -> str:
    if value in (None, "", {}):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# --- who stands on it --------------------------------------------------------------------------------------------


def dependents(registry: model.Registry, view: str, feature: str) -> tuple[str, ...]:
    """Who reads a feature: features of its view, directly or not, then the services that use any of them."""
    record = registry.view(view)
    if record is None:
        return ()
    reached = [feature]
    for name in reached:  # grows as it goes: the features that read what was reached
        reached += [f.name for f in record.features if name in f.inputs and f.name not in reached]
    visible = [f"{view}.{name}" for name in reached[1:] if record.has(name) and not record.feature(name).hidden]
    names = {f"{view}.{name}" for name in reached}
    return (*visible, *(s.name for s in registry.services if _uses(s, names)))


def services_on(registry: model.Registry, view: str) -> tuple[str, ...]:
    """The services that read any feature of the view."""
    record = registry.view(view)
    names = {f"{view}.{f.name}" for f in record.features} if record else set[str]()
    return tuple(s.name for s in registry.services if _uses(s, names))


def _uses(service: model.FeatureService, names: set[str]) -> bool:
    target = service.target
    return not names.isdisjoint(service.features) or (target is not None and f"{target.view}.{target.feature}" in names)


def _union(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))
