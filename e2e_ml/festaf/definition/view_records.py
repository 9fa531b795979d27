"""The classes of views as records, with every check that needs neither data nor other definitions.

Records are made with the time of the epoch; `planning` puts in when each was first seen and last changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Literal as OneOf

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.class_body import ClassBody
from e2e_ml.festaf.definition.classes import FeatureView, OnDemandView, Task
from e2e_ml.festaf.definition.columns import Column, Deprecated, Describe, Named, RenamedFrom, Tag, full_name, origin_of
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.definition.reading import Definition, claim, definition_of, leaves
from e2e_ml.festaf.definition.sources import Source
from e2e_ml.festaf.expression import Window, columns, is_row_level, to_json, walk
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.expression.printing_sql import Rows, to_sql
from e2e_ml.festaf.expression.scaling import is_scaled

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ABOUT = ("owner", "purpose", "tags", "deprecated", "renamed_from")  # options that every view has
_VIEW_OPTIONS = (
    "source", "schedule", "start", "end", "produced_by", "ttl", "lateness", "on_broken", *_ABOUT,
)  # fmt: skip
_ON_DEMAND_OPTIONS = _ABOUT


def view_record(view: type[FeatureView]) -> model.FeatureView:
    """Read a feature view's class. Raises DefinitionError."""
    body = ClassBody(view, _VIEW_OPTIONS, FeatureView)
    members = dict(body.members())
    for name, column in members.items():
        claim(column, view, name)
    read = {name: read_member(column, view, name) for name, column in members.items()}
    roles = {name: _role(definition) for name, definition in read.items()}
    entities = [name for name, role in roles.items() if role == "entity"]
    if not entities:
        raise body.error("it has no key. Say what its rows are about: origin = fs.Entity(fs.String()).")
    event_time = _only_one(body, roles, "event time")
    rows = Rows(tuple(entities), event_time, _only_one(body, roles, "created time"))
    features = [feature(name, members[name].dtype, d, rows) for name, d in read.items() if roles[name] is None]
    if not features:
        raise body.error("it has no features. Add one, such as temp = fs.Float64().")
    for name, definition in read.items():
        _check_role(members[name], name, definition, roles[name])
        if event_time is None and needs_times(definition):
            raise DefinitionError(
                "a window needs times, and the view has none. Add observed_at = fs.EventTime().",
                origin_of(members[name]).place,
                name,
            )
    times = {name for name, role in roles.items() if role in ("event time", "created time")}
    for name, definition in read.items():
        expression = definition.expression
        if expression is not None and is_scaled(expression) and not times.isdisjoint(columns(expression)):
            raise DefinitionError(
                "what is scaled is computed when it is read, and the view's times are not there then. Give what is "
                "taken of the time a line of its own, and scale that.",
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
        source=model.Source(**asdict(source)),
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
        source_columns=_source_columns(read),
        tags=body.tags(),
        deprecated=body.text("deprecated") or None,
        renamed_from=body.text("renamed_from") or None,
        module=view.__module__,
        first_seen=EPOCH,
        changed_at=EPOCH,
    )


def read_member(column: Column, view: type, name: str, *, others: bool = False) -> Definition:
    """What a member of a view's class says, with the names put in. Raises DefinitionError, with its place."""
    try:
        return definition_of(column, view, others=others)
    except DefinitionError as error:
        # The place of the operand that is at fault, else of the member that holds it; under the member's name.
        place = replace(error.place or origin_of(column).place, owner=view.__name__)
        raise DefinitionError(error.sentence, place, name) from None


def needs_times(definition: Definition) -> bool:
    """Whether it looks at a stretch of time or at the latest rows. A window without an end takes all rows there are."""
    nodes = () if definition.expression is None else walk(definition.expression)
    return any(isinstance(n, Window) and (n.width is not None or n.rows is not None) for n in nodes)


def _source_columns(read: dict[str, Definition]) -> dict[str, str]:
    said = {name: [r.text for r in d.remarks if isinstance(r, Named)] for name, d in read.items()}
    return {name: texts[-1] for name, texts in said.items() if texts}


def _role(definition: Definition) -> str | None:
    return next((remark for remark in definition.remarks if isinstance(remark, str)), None)


def _check_role(column: Column, name: str, definition: Definition, role: str | None) -> None:
    if role is None:
        return
    place = origin_of(column).place
    if role == "request":
        raise DefinitionError("a view with a source gets no request: ask for it in an fs.OnDemandView.", place, name)
    if definition.expression is not None:
        raise DefinitionError(f"an {role} is a column of the source, it is not computed.", place, name)
    if definition.fill_null is not None or any(isinstance(r, model.Constraint) for r in definition.remarks):
        raise DefinitionError(f"an {role} is always required, and takes no other rule.", place, name)
    if any(isinstance(r, RenamedFrom) for r in definition.remarks):
        raise DefinitionError(
            f"an {role} is not renamed: the stored rows are found by it. Keep its name, and say with .named() what the "
            "source calls it.",
            place,
            name,
        )


def _only_one(body: ClassBody, roles: dict[str, str | None], role: str) -> str | None:
    names = [name for name, each in roles.items() if each == role]
    if len(names) > 1:
        raise body.error(f"it has {len(names)} {role}s, {' and '.join(names)}. A view has one.", names[1])
    return names[0] if names else None


def feature(
    name: str, dtype: model.DataType, definition: Definition, rows: Rows | None = None, *, hidden: bool = False
) -> model.Feature:
    """The record of a feature. `rows`: what its windows go by; `hidden`: it has no name of its own."""
    expression = definition.expression
    return model.Feature(
        name=name,
        dtype=dtype,
        description=_description(definition),
        expression=None if expression is None else to_json(expression),
        code=None if expression is None else to_python(expression),
        sql=None if expression is None else to_sql(expression, definition.types, rows),
        inputs=() if expression is None else columns(expression),
        fill_null=None if definition.fill_null is None else to_json(definition.fill_null)["value"],
        constraints=_constraints(definition),
        tags=tuple(dict.fromkeys(t for r in definition.remarks if isinstance(r, Tag) for t in r.names)),
        deprecated=next((r.why for r in reversed(definition.remarks) if isinstance(r, Deprecated)), None),
        renamed_from=next((r.name for r in reversed(definition.remarks) if isinstance(r, RenamedFrom)), None),
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


def _span(body: ClassBody, option: str, event_time: str | None, *, empty: str, untimed: str) -> float | None:
    """An option that is a span of event times, in seconds. `empty` and `untimed` say why one is refused."""
    span = body.get(option, timedelta)
    if span is None:
        return None
    if span <= timedelta():
        raise body.error(empty.format(span), option)
    if event_time is None:
        raise body.error(untimed, option)
    return span.total_seconds()


def _ttl(body: ClassBody, event_time: str | None) -> float | None:
    empty, untimed = "a row that counts for {} never counts.", "a time to live needs times, and the view has none."
    return _span(body, "ttl", event_time, empty=empty, untimed=untimed)


def _lateness(body: ClassBody, event_time: str | None) -> float | None:
    empty, untimed = "rows that are {} late are not late.", "late rows need times to be late by, and the view has none."
    return _span(body, "lateness", event_time, empty=empty, untimed=untimed)


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


# --- on-demand views ---------------------------------------------------------------------------------------------


def on_demand_record(view: type[OnDemandView]) -> model.OnDemandView:
    """Read an on-demand view's class. Raises DefinitionError."""
    body = ClassBody(view, _ON_DEMAND_OPTIONS, OnDemandView)
    members = dict(body.members())
    for name, column in members.items():
        claim(column, view, name)
    read = {name: read_member(column, view, name, others=True) for name, column in members.items()}
    for name, definition in read.items():
        if reason := _not_on_demand(members[name], definition):
            raise DefinitionError(reason, replace(origin_of(members[name]).place, owner=view.__name__), name)
    requested = [name for name, definition in read.items() if _role(definition) == "request"]
    features = [feature(n, members[n].dtype, d) for n, d in read.items() if n not in requested]
    if not features:
        raise body.error("it has no features. Compute one, such as is_night = (scheduled_hour < 6).")
    return model.OnDemandView(
        name=body.name,
        description=body.description,
        purpose=body.text("purpose"),
        owner=body.owner(),
        request=tuple(
            model.Key(name=name, dtype=members[name].dtype, description=_description(read[name])) for name in requested
        ),
        features=tuple(features),
        tags=body.tags(),
        deprecated=body.text("deprecated") or None,
        renamed_from=body.text("renamed_from") or None,
        module=view.__module__,
        first_seen=EPOCH,
        changed_at=EPOCH,
    )


def _not_on_demand(column: Column, definition: Definition) -> str | None:
    """Why a member has no place in an on-demand view, as a sentence; None where it has."""
    role, expression = _role(definition), definition.expression
    if role == "request":
        if expression is not None:
            return "what a request brings is not computed."
        if definition.fill_null is not None or any(isinstance(r, model.Constraint) for r in definition.remarks):
            return "what a request brings takes no rule. Fill or check it where it is used, in a line of its own."
        return None
    if role is not None:
        return f"an on-demand view has no rows of its own, and so no {role}. It is asked by the keys of what it reads."
    if expression is None:
        return "a column of an on-demand view comes with the request: write .request() behind it, or compute it."
    if not is_row_level(expression):
        return "a window needs rows, and an on-demand view sees one. Put it into the feature view that is read."
    for read in _reads(column):
        view, name = view_of(read), origin_of(read).name or ""
        if origin_of(read).view is origin_of(column).view:
            continue
        if view is None:
            return f"it reads {full_name(read)}, which did not become a feature."
        if not view.__record__.has(name):
            kind = "a value of its request" if issubclass(view, OnDemandView) else "a key or a time"
            return f"it reads {full_name(read)}, {kind}. Take it from the request: {name} = fs....request()."
    return None


def _reads(column: Column) -> Iterator[Column]:
    """The named columns that a member reads."""
    for operand in origin_of(column).operands:
        if isinstance(operand, Column):
            yield from leaves(operand)


def view_of(column: Column) -> type[FeatureView | OnDemandView] | None:
    """The view that a column stands in, once the view is one: a class that failed its checks holds no record."""
    view = origin_of(column).view
    if view is None or not issubclass(view, FeatureView | OnDemandView):
        return None
    return view if "__record__" in view.__dict__ else None
