"""From definitions to records: reading the classes that `classes` gives, with every check that needs no data.

Records are made with the time of the epoch; `planning` puts in when each was first seen and last changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, TypeGuard, cast
from typing import Literal as OneOf

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.class_body import ClassBody
from e2e_ml.festaf.definition.classes import Definitions, FeatureService, FeatureView, Source, Task
from e2e_ml.festaf.definition.columns import Column, Describe, Tag, full_name, origin_of
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.definition.reading import Definition, claim, definition_of, leaves
from e2e_ml.festaf.expression import columns, is_row_level, to_json
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.naming import snake_case, target_name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_VIEW_OPTIONS = (
    "source", "owner", "purpose", "schedule", "start", "end", "produced_by", "ttl", "lateness", "on_broken", "tags",
)  # fmt: skip
_SERVICE_OPTIONS = ("features", "target", "owner", "purpose", "tags")


# --- views -------------------------------------------------------------------------------------------------------


def view_record(view: type[FeatureView]) -> model.FeatureView:
    """Read a feature view's class. Raises DefinitionError."""
    body = ClassBody(view, _VIEW_OPTIONS, FeatureView)
    members = dict(body.members())
    for name, column in members.items():
        claim(column, view, name)
    read = {name: _read(column, view, name) for name, column in members.items()}
    roles = {name: _role(definition) for name, definition in read.items()}
    entities = [name for name, role in roles.items() if role == "entity"]
    if not entities:
        raise body.error("it has no key. Say what its rows are about: origin = fs.Entity(fs.String()).")
    event_time = _only_one(body, roles, "event time")
    features = [_feature(name, members[name].dtype, d) for name, d in read.items() if roles[name] is None]
    if not features:
        raise body.error("it has no features. Add one, such as temp = fs.Float64().")
    for name, definition in read.items():
        _check_role(members[name], name, definition, roles[name])
        if event_time is None and definition.expression is not None and not is_row_level(definition.expression):
            raise DefinitionError(
                "a window needs times, and the view has none. Add observed_at = fs.EventTime().",
                origin_of(members[name]).place,
                name,
            )
    source = body.get("source", Source)
    if source is None:
        raise body.error('it has no source. Say where its rows come from: source = fs.csv("data/weather.csv").')
    schedule, produced_by = _pipeline(body)
    start, end = body.time("start"), body.time("end")
    if start and end and start >= end:
        raise body.error(f"it ends at {end} before it starts at {start}.", "end")
    return model.FeatureView(
        name=body.name,
        description=body.description,
        purpose=body.text("purpose"),
        owner=body.owner(),
        source=model.Source(name=source.name, format=source.format, uri=source.uri, timezone=source.timezone),
        entities=tuple(
            model.Key(name=name, dtype=members[name].dtype, description=_description(read[name])) for name in entities
        ),
        event_time=event_time,
        event_time_description=_description(read[event_time]) if event_time else "",
        created_time=_only_one(body, roles, "created time"),
        ttl_seconds=_ttl(body, event_time),
        schedule=schedule,
        start=start,
        end=end,
        produced_by=produced_by,
        lateness_seconds=_lateness(body, event_time),
        on_broken=_on_broken(body),
        features=tuple(features),
        tags=body.tags(),
        module=view.__module__,
        first_seen=EPOCH,
        changed_at=EPOCH,
    )


def _read(column: Column, view: type, name: str) -> Definition:
    try:
        return definition_of(column, view)
    except DefinitionError as error:
        # The place of the operand that is at fault, else of the member that holds it; under the member's name.
        place = replace(error.place or origin_of(column).place, owner=view.__name__)
        raise DefinitionError(error.sentence, place, name) from None


def _role(definition: Definition) -> str | None:
    return next((remark for remark in definition.remarks if isinstance(remark, str)), None)


def _check_role(column: Column, name: str, definition: Definition, role: str | None) -> None:
    if role is None:
        return
    place = origin_of(column).place
    if definition.expression is not None:
        raise DefinitionError(f"an {role} is a column of the source, it is not computed.", place, name)
    if definition.fill_null is not None or any(isinstance(r, model.Constraint) for r in definition.remarks):
        raise DefinitionError(f"an {role} is always required, and takes no other rule.", place, name)


def _only_one(body: ClassBody, roles: dict[str, str | None], role: str) -> str | None:
    names = [name for name, each in roles.items() if each == role]
    if len(names) > 1:
        raise body.error(f"it has {len(names)} {role}s, {' and '.join(names)}. A view has one.", names[1])
    return names[0] if names else None


def _feature(name: str, dtype: model.DataType, definition: Definition, *, hidden: bool = False) -> model.Feature:
    expression = definition.expression
    return model.Feature(
        name=name,
        dtype=dtype,
        description=_description(definition),
        expression=None if expression is None else to_json(expression),
        code=None if expression is None else to_python(expression),
        inputs=() if expression is None else columns(expression),
        fill_null=None if definition.fill_null is None else to_json(definition.fill_null)["value"],
        constraints=_constraints(definition),
        tags=tuple(dict.fromkeys(t for r in definition.remarks if isinstance(r, Tag) for t in r.names)),
        first_seen=EPOCH,
        changed_at=EPOCH,
        hidden=hidden,
    )


def _description(definition: Definition) -> str:
    """The last one said."""
    return next((r.text for r in reversed(definition.remarks) if isinstance(r, Describe)), "")


def _constraints(definition: Definition) -> tuple[model.Constraint, ...]:
    """One for each rule, the last one said."""
    return tuple({r.rule: r for r in definition.remarks if isinstance(r, model.Constraint)}.values())


def _ttl(body: ClassBody, event_time: str | None) -> float | None:
    ttl = body.get("ttl", timedelta)
    if ttl is None:
        return None
    if ttl <= timedelta():
        raise body.error(f"a row that counts for {ttl} never counts.", "ttl")
    if event_time is None:
        raise body.error("a time to live needs times, and the view has none.", "ttl")
    return ttl.total_seconds()


def _lateness(body: ClassBody, event_time: str | None) -> float | None:
    lateness = body.get("lateness", timedelta)
    if lateness is None:
        return None
    if lateness <= timedelta():
        raise body.error(f"rows that are {lateness} late are not late.", "lateness")
    if event_time is None:
        raise body.error("late rows need times to be late by, and the view has none.", "lateness")
    return lateness.total_seconds()


def _on_broken(body: ClassBody) -> OneOf["warn", "fail"]:
    said = body.text("on_broken") or "warn"
    if said not in ("warn", "fail"):
        raise body.error(f'{said!r} is no policy: write "warn" or "fail".', "on_broken")
    return said


def _pipeline(body: ClassBody) -> tuple[str | None, model.TaskRef | None]:
    schedule = body.get("schedule", str)
    produced_by = body.get("produced_by", Task)
    if schedule is not None and produced_by is not None:
        raise body.error("either festaf makes its DAG (schedule) or an existing one does (produced_by).", "schedule")
    if schedule is not None:
        from e2e_ml.festaf.freshness import expected

        try:
            expected(schedule, EPOCH)
        except ValueError as error:
            raise body.error(str(error), "schedule") from None
    task = None if produced_by is None else model.TaskRef(dag_id=produced_by.dag_id, task_id=produced_by.task_id)
    return schedule, task


# --- services ----------------------------------------------------------------------------------------------------


def service_record(service: type[FeatureService]) -> tuple[model.FeatureService, model.Feature | None]:
    """Read a feature service's class, and the hidden feature of a target written in it. Raises DefinitionError."""
    body = ClassBody(service, _SERVICE_OPTIONS, FeatureService)
    for name, _ in body.members():
        raise body.error("a service takes features of views, and has none of its own. Give it to a view.", name)
    names = tuple(_chosen(body, item) for item in cast("Sequence[object]", body.get("features", list, tuple) or ()))
    if not names:
        raise body.error("it has no features. List those that the model needs.", "features")
    for name in names:
        if names.count(name) > 1:
            raise body.error(f"it names {name} twice.", "features")
    target, hidden = _target(body)
    record = model.FeatureService(
        name=body.name,
        description=body.description,
        purpose=body.text("purpose"),
        owner=body.owner(),
        features=names,
        target=target,
        tags=body.tags(),
        first_seen=EPOCH,
        changed_at=EPOCH,
    )
    return record, hidden


def _chosen(body: ClassBody, item: object) -> str:
    if not isinstance(item, Column):
        raise body.error(f"{item!r} is no feature. List features, such as HourlyWeather.temp.", "features")
    view, name = _view_of(item), origin_of(item).name
    if view is None or name is None:
        raise body.error("it lists an expression without a name: give it one in its view.", "features")
    if not view.__record__.has(name):
        raise body.error(f"{full_name(item)} is a key or a time, and comes along by itself.", "features")
    return f"{view.__record__.name}.{name}"


def _target(body: ClassBody) -> tuple[model.Target | None, model.Feature | None]:
    column = body.get("target", Column)
    if column is None:
        return None, None
    views = list(dict.fromkeys(_view_of(leaf) for leaf in leaves(column)))
    if len(views) != 1 or views[0] is None:
        named = " and ".join(view.__name__ for view in views if view) or "none"
        raise body.error(f"a target is computed from the columns of one view; this one reads {named}.", "target")
    record, name = views[0].__record__, origin_of(column).name
    if name is not None:
        if not record.has(name):
            raise body.error(f"{full_name(column)} is a key or a time, which no model predicts.", "target")
        return model.Target(view=record.name, feature=name, code=f"{views[0].__name__}.{name}"), None
    definition = _read(column, views[0], "target")
    if definition.expression is not None and record.event_time is None and not is_row_level(definition.expression):
        raise body.error(f"a window needs times, and {views[0].__name__} has none.", "target")
    hidden = _feature(target_name(body.name), column.dtype, definition, hidden=True)
    return model.Target(view=record.name, feature=hidden.name, code=hidden.code or ""), hidden


def _view_of(column: Column) -> type[FeatureView] | None:
    view = origin_of(column).view
    # A view whose class failed its checks has claimed its columns and holds no record.
    return view if view is not None and issubclass(view, FeatureView) and "__record__" in view.__dict__ else None


# --- all together ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compiled:
    """Views and services as records, in the order of their definitions; each knows itself, none when it was seen."""

    views: tuple[model.FeatureView, ...]
    services: tuple[model.FeatureService, ...]


def compile_definitions(definitions: Definitions) -> Compiled:
    """Records of all views and services of a module, or of an iterable of classes. Raises DefinitionError."""
    classes = list(_classes(definitions))
    views = {v.__record__.name: v.__record__ for v in _distinct(c for c in classes if issubclass(c, FeatureView))}
    services: dict[str, model.FeatureService] = {}
    for service in _distinct(c for c in classes if issubclass(c, FeatureService)):
        record, hidden = service.__record__, service.__target__
        if record.name in views:
            raise DefinitionError(f"{service.__name__} is called like the feature view {record.name}. Rename one.")
        needed = [
            *(name.partition(".")[0] for name in record.features),
            *([record.target.view] if record.target else []),
        ]
        for name in needed:
            if name not in views:
                raise DefinitionError(
                    f"{service.__name__} reads the feature view {name}, which is not among the definitions. Add it."
                )
        if hidden is not None and record.target is not None:
            view = views[record.target.view]
            views[view.name] = view.model_copy(update={"features": (*view.features, hidden)})
        services[record.name] = record
    _check_sources(views.values())
    return Compiled(tuple(views.values()), tuple(services.values()))


def _classes(definitions: Definitions) -> Iterator[type[FeatureView] | type[FeatureService]]:
    if isinstance(definitions, ModuleType):
        for value in vars(definitions).values():
            if (
                isinstance(value, type)
                and issubclass(value, FeatureView | FeatureService)
                and "__record__" in vars(value)
            ):
                yield value
        return
    for value in definitions:
        if not _is_definition(value):
            raise DefinitionError(f"{value!r} is neither a feature view nor a feature service.")
        yield value


def _is_definition(value: object) -> TypeGuard[type[FeatureView] | type[FeatureService]]:
    return isinstance(value, type) and issubclass(value, FeatureView | FeatureService)


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
