"""What an apply would do, before it does: the difference between a registry and definitions, and who stands on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.classes import Definitions
from e2e_ml.festaf.definition.compiling import Compiled, compile_definitions
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry import renaming
from e2e_ml.festaf.registry.carrying import carried_over, comparable
from e2e_ml.festaf.registry.differing import definition, details
from e2e_ml.festaf.registry.marks import marked
from e2e_ml.festaf.registry.standing import Standing, dependents, services_on, standing, used_by

__all__ = ["Definitions", "Plan", "dependents", "plan", "services_on"]

_SIGNS = {"add": "+", "change": "~", "rename": "→", "remove": "-"}
_DROPPED = "learned parameters: dropped, for what is scaled has changed; learn them again"


class Plan(model.Record):
    """The registry as it would be, and the way there. `registry.apply` makes it so."""

    project: str
    base_version: int  # the version it was planned from; an apply to any other is refused
    at: datetime
    changes: tuple[model.Change, ...]
    warnings: tuple[str, ...] = ()  # sentences; they keep nobody from applying
    views: tuple[model.FeatureView, ...]
    on_demand: tuple[model.OnDemandView, ...] = ()
    services: tuple[model.FeatureService, ...]

    @property
    def is_empty(self) -> bool:
        return not self.changes

    def __str__(self) -> str:
        """The plan for people: a line for each change, its details and who stands on it below."""
        lines: list[str] = []
        for change in self.changes:
            lines.append(f"{_SIGNS[change.action]} {change.kind} {change.name}")
            lines += [f"    {detail}" for detail in change.details]
            lines += [f"    affects {', '.join(change.impact)}"] if change.impact else []
            lines += [f"    runs in {', '.join(change.dags)}"] if change.dags else []
        lines += [*([""] if lines and self.warnings else []), *(f"! {warning}" for warning in self.warnings)]
        if self.is_empty:
            return "\n".join([*lines, f"{self.project}: the registry is as defined, nothing to apply."])
        counts = {action: sum(c.action == action for c in self.changes) for action in _SIGNS}
        summary = ", ".join(f"{count} to {action}" for action, count in counts.items() if count)
        return "\n".join([*lines, "", f"{self.project}: {summary}."])


def plan(registry: model.Registry, definitions: Definitions, now: datetime | None = None) -> Plan:
    """Compare. The definitions are all there shall be: what they leave out is removed.

    Raises DefinitionError where the definitions do not fit together.
    """
    return of_records(registry, compile_definitions(definitions), (now or datetime.now(UTC)).astimezone(UTC))


def again(registry: model.Registry, sent: Plan) -> Plan:
    """A plan that somebody else made of this registry, made here of the records in it: what they say of changes is not
    taken for granted. Where another version has been applied since, it is left as it is, for `apply` to refuse."""
    if (registry.version, registry.project) != (sent.base_version, sent.project):
        return sent
    records = (*sent.views, *sent.on_demand, *sent.services)
    features = [f for view in (*sent.views, *sent.on_demand) for f in view.features]
    tables = [view.table for view in sent.views]
    for name in (*(each.name for each in (*records, *features)), *(f.column for f in features), *tables):
        if not name.isidentifier():  # views and columns of tables are called so: it is a part of paths
            raise FeatureStoreError(f"The plan names something {name!r}, and names are such as hourly_weather.")
    return of_records(registry, Compiled(sent.views, sent.on_demand, sent.services), sent.at)


def of_records(registry: model.Registry, compiled: Compiled, at: datetime) -> Plan:
    """The plan of definitions as records."""
    renames = renaming.find(registry, compiled)
    before = renaming.renamed(registry, renames)
    after = carried_over(before, compiled, at)
    return Plan(
        project=registry.project,
        base_version=registry.version,
        at=at,
        changes=tuple(_Changes(before, after, renames).all()),
        warnings=tuple(_warnings(after)),
        views=after.views,
        on_demand=after.on_demand,
        services=after.services,
    )


# --- changes -----------------------------------------------------------------------------------------------------


class _Changes:
    """The lines of a plan. `before` is the registry with the new names."""

    def __init__(self, before: model.Registry, after: model.Registry, renames: renaming.Renames) -> None:
        self._before, self._after = before, after
        self._standing: tuple[Standing, Standing] = (standing(before), standing(after))
        self._was = {
            **{new: old for old, new in renames.views.items()},
            **{new: old for old, new in renames.features.items()},
        }
        self._services_were = {new: old for old, new in renames.services.items()}

    def all(self) -> Iterator[model.Change]:
        yield from self._views(self._before.views, self._after.views, "feature view")
        yield from self._views(self._before.on_demand, self._after.on_demand, "on-demand view")
        yield from self._services()

    def _views(
        self, before: Sequence[model.View], after: Sequence[model.View], kind: model.RecordKind
    ) -> Iterator[model.Change]:
        old, new = {v.name: v for v in before}, {v.name: v for v in after}
        for name, view in new.items():
            if name not in old:
                yield model.Change(
                    action="add",
                    kind=kind,
                    name=name,
                    details=(_contents(view),),
                    dags=self._dags(view),
                    after=definition(view),
                )
            elif old[name] is not view:
                yield from self._changed_view(old[name], view, kind)
                yield from self._features(old[name], view)
        for name, view in old.items():
            if name not in new:
                yield model.Change(
                    action="remove",
                    kind=kind,
                    name=name,
                    details=(_contents(view),),
                    impact=services_on(self._before, name),
                    dags=self._dags(view),
                    before=definition(view),
                )

    def _changed_view(self, old: model.View, new: model.View, kind: model.RecordKind) -> Iterator[model.Change]:
        said = details(old, new, skip="features")
        if not said and _reordered(old, new):
            said = ("order of features",)
        was = self._was.get(new.name)
        if not said and was is None:
            return
        yield model.Change(
            action="change" if was is None else "rename",
            kind=kind,
            name=new.name,
            details=said if was is None else (f"from {was}", *said),
            impact=_union(services_on(self._before, new.name), services_on(self._after, new.name)),
            dags=self._dags(new),
            before=_without_features(old, was),
            after=_without_features(new),
        )

    def _features(self, old_view: model.View, new_view: model.View) -> Iterator[model.Change]:
        for new in new_view.features:
            full = f"{new_view.name}.{new.name}"
            if not old_view.has(new.name):
                yield self._feature(
                    "add", new_view, full, (f"{new.dtype}: {new.code or 'from the source'}", *marked(new)), None, new
                )
                continue
            old = old_view.feature(new.name)
            if old is new:
                continue
            said = details(old, new, skip="expression") or details(old, new)
            said = (*said, _DROPPED) if old.learned and new.learned is None else said
            was = self._was.get(full)
            if was is not None:
                former = old.model_copy(update={"name": was.partition(".")[2]})
                told = (f"from {former.name}", *said, *_read_from(new_view, new))
                yield self._feature("rename", new_view, full, told, former, new)
            elif said:
                yield self._feature("change", new_view, full, said, old, new)
        for old in old_view.features:
            if not new_view.has(old.name):
                yield self._feature("remove", new_view, f"{new_view.name}.{old.name}", (), old, None)

    def _feature(
        self,
        action: Any,
        view: model.View,
        full: str,
        said: tuple[str, ...],
        old: model.Feature | None,
        new: model.Feature | None,
    ) -> model.Change:
        return model.Change(
            action=action,
            kind="feature",
            name=full,
            details=said,
            impact=_union(*(each.on([full]) for each in self._standing)),
            dags=self._dags(view),
            before=old and definition(old),
            after=new and definition(new),
        )

    def _services(self) -> Iterator[model.Change]:
        for new in self._after.services:
            old = self._before.service(new.name)
            if old is None:
                target = f", target {new.target.code}" if new.target else ""
                said: tuple[str, ...] = (f"features: {', '.join(new.features)}{target}",)
                yield model.Change(
                    action="add", kind="feature service", name=new.name, details=said, after=definition(new)
                )
                continue
            if old is new:
                continue
            said = details(comparable(old, new), new)
            was = self._services_were.get(new.name)
            if was is None and not said:
                continue
            yield model.Change(
                action="change" if was is None else "rename",
                kind="feature service",
                name=new.name,
                details=said if was is None else (f"from {was}", *said),
                before={**definition(old), "name": was or old.name},
                after=definition(new),
            )
        for old in self._before.services:
            if self._after.service(old.name) is None:
                yield model.Change(action="remove", kind="feature service", name=old.name, before=definition(old))

    def _dags(self, view: model.View) -> tuple[str, ...]:
        made_by = dag_id(self._after.project, view) if isinstance(view, model.FeatureView) else None
        return (made_by,) if made_by else ()


def _read_from(view: model.View, feature: model.Feature) -> tuple[str, ...]:
    """Where a renamed column is read from by now: the source does not follow by itself."""
    if feature.expression is not None or not isinstance(view, model.FeatureView) or feature.name in view.source_columns:
        return ()
    return (f'read from the source\'s column {feature.name}; else say .named("...")',)


def _without_features(view: model.View, name: str | None = None) -> dict[str, Any]:
    data = {key: value for key, value in definition(view).items() if key != "features"}
    return {**data, "name": name} if name else data


def _contents(view: model.View) -> str:
    visible = [" ".join((f.name, *(f"[{mark}]" for mark in marked(f)))) for f in view.features if not f.hidden]
    return f"{len(visible)} feature{'s' if len(visible) != 1 else ''}: {', '.join(visible)}"


def _reordered(old: model.View, new: model.View) -> bool:
    before, after = [f.name for f in old.features], [f.name for f in new.features]
    return before != after and sorted(before) == sorted(after)


def _union(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))


# --- warnings ----------------------------------------------------------------------------------------------------


def _warnings(registry: model.Registry) -> Iterator[str]:
    """Who still uses what is deprecated."""
    for view in registry.on_demand:
        for full in dict.fromkeys(name for f in view.features for name in f.inputs if "." in name):
            if why := deprecation(registry, full):
                yield f"on-demand view {view.name} uses {full}, which is deprecated: {why}"
    for service in registry.services:
        for full in used_by(service):
            if why := deprecation(registry, full):
                yield f"feature service {service.name} uses {full}, which is deprecated: {why}"


def deprecation(registry: model.Registry, full: str) -> str | None:
    """Why a feature is not to be used any more, for itself or for its view; None where it may be."""
    name, _, feature = full.partition(".")
    view = registry.any_view(name)
    if view is None or not view.has(feature):
        return None
    return view.feature(feature).deprecated or view.deprecated
