"""The classes of feature services as records, with every check that needs no other definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.class_body import ClassBody
from e2e_ml.festaf.definition.classes import FeatureService, FeatureView, OnDemandView
from e2e_ml.festaf.definition.columns import Column, full_name, origin_of
from e2e_ml.festaf.definition.reading import leaves
from e2e_ml.festaf.definition.view_records import EPOCH, feature, needs_times, read_member, view_of
from e2e_ml.festaf.expression.printing_sql import Rows
from e2e_ml.festaf.naming import target_name

_OPTIONS = ("features", "target", "owner", "purpose", "tags", "deprecated", "renamed_from")


def service_record(service: type[FeatureService]) -> tuple[model.FeatureService, model.Feature | None]:
    """Read a feature service's class, and the hidden feature of a target written in it. Raises DefinitionError."""
    body = ClassBody(service, _OPTIONS, FeatureService)
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
        deprecated=body.text("deprecated") or None,
        renamed_from=body.text("renamed_from") or None,
        first_seen=EPOCH,
        changed_at=EPOCH,
    )
    return record, hidden


def _chosen(body: ClassBody, item: object) -> str:
    if not isinstance(item, Column):
        raise body.error(f"{item!r} is no feature. List features, such as HourlyWeather.temp.", "features")
    view, name = view_of(item), origin_of(item).name
    if view is None or name is None:
        raise body.error("it lists an expression without a name: give it one in its view.", "features")
    if not view.__record__.has(name):
        raise body.error(f"{full_name(item)} is {_no_feature(view)}, and comes along by itself.", "features")
    return f"{view.__record__.name}.{name}"


def _target(body: ClassBody) -> tuple[model.Target | None, model.Feature | None]:
    column = body.get("target", Column)
    if column is None:
        return None, None
    views = list(dict.fromkeys(view_of(leaf) for leaf in leaves(column)))
    if len(views) != 1 or views[0] is None:
        named = " and ".join(view.__name__ for view in views if view) or "none"
        raise body.error(f"a target is computed from the columns of one view; this one reads {named}.", "target")
    if not issubclass(views[0], FeatureView):
        raise body.error(f"{views[0].__name__} is computed on demand. A target is of a view with a source.", "target")
    record, name = views[0].__record__, origin_of(column).name
    if name is not None:
        if not record.has(name):
            raise body.error(f"{full_name(column)} is a key or a time, which no model predicts.", "target")
        return model.Target(view=record.name, feature=name, code=f"{views[0].__name__}.{name}"), None
    definition = read_member(column, views[0], "target")
    if record.event_time is None and needs_times(definition):
        raise body.error(f"a window needs times, and {views[0].__name__} has none.", "target")
    rows = Rows(tuple(key.name for key in record.entities), record.event_time, record.created_time)
    hidden = feature(target_name(body.name), column.dtype, definition, rows, hidden=True)
    return model.Target(view=record.name, feature=hidden.name, code=hidden.code or ""), hidden


def _no_feature(view: type[FeatureView | OnDemandView]) -> str:
    return "a key or a time" if issubclass(view, FeatureView) else "a value of the request"
