"""Views whose features are stored: Feast's batch, stream and label views as one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e_ml.lineage.collectors.feast_registry import (
    Aggregation,
    DataSource,
    Field,
    Function,
    Interval,
    LabelView,
    StreamView,
    Transformation,
    View,
    ViewSpec,
)


@dataclass(frozen=True, slots=True)
class PlainView:
    """A view whose features are stored: what batch, stream and label views have in common."""

    project: str
    name: str
    description: str
    owner: str
    tags: Mapping[str, str]
    entities: Sequence[str]
    columns: Sequence[Field]  # its keys, with their types
    features: Sequence[Field]
    sources: Sequence[tuple[DataSource, str]]  # with what it is to the view
    ttl: float | None
    event_time: str
    parents: Sequence[ViewSpec]
    code: str
    aggregations: Sequence[Aggregation]
    created: datetime | None
    updated: datetime | None
    version: int | None
    intervals: Sequence[Interval]


def of_batch(view: View) -> PlainView:
    spec, meta = view.spec, view.meta
    return PlainView(
        spec.project, spec.name, spec.description, spec.owner, spec.tags, spec.entities, spec.entity_columns,
        spec.features, _fed_by(spec.batch_source, spec.stream_source), spec.ttl,
        _event_time(spec.batch_source, spec.stream_source), spec.source_views, code_of(spec.transformation), (),
        meta.created, meta.updated, meta.version,
        meta.intervals,
    )  # fmt: skip


def of_stream(view: StreamView) -> PlainView:
    spec, meta = view.spec, view.meta
    features = sorted(spec.features, key=lambda feature: feature.name)  # Feast keeps them in no order of its own
    return PlainView(
        spec.project, spec.name, spec.description, spec.owner, spec.tags, spec.entities, spec.entity_columns,
        features, _fed_by(spec.batch_source, spec.stream_source), spec.ttl,
        spec.timestamp_field or _event_time(spec.batch_source, spec.stream_source), (),
        code_of(spec.transformation, spec.function), spec.aggregations,
        meta.created, meta.updated, meta.version,
        meta.intervals,
    )  # fmt: skip


def of_label(view: LabelView) -> PlainView:
    spec, meta = view.spec, view.meta
    return PlainView(
        spec.project, spec.name, spec.description, spec.owner, spec.tags, spec.entities, spec.entity_columns,
        spec.features, _fed_by(spec.source, None), spec.ttl, _event_time(spec.source, None), (), "", (),
        meta.created, meta.updated, None, (),
    )  # fmt: skip


def _fed_by(source: DataSource | None, stream: DataSource | None) -> list[tuple[DataSource, str]]:
    """The sources of a view: its own first, then what pushes or streams into it, then the rows behind that."""
    found = [(source, "the view's source")] if source else []
    found += [(stream, "the view's stream source")] if stream else []
    behind = [each.batch_source for each, _ in found if each.batch_source]
    names = {each.name for each, _ in found}
    found += [(each, "the batch source behind the view's source") for each in behind if each.name not in names]
    return found


def _event_time(source: DataSource | None, stream: DataSource | None) -> str:
    return next((each.timestamp_field for each in (source, stream) if each and each.timestamp_field), "")


def code_of(transformation: Transformation | None, function: Function | None = None) -> str:
    found = (transformation.function if transformation else None, function)
    return next((each.body_text for each in found if each and each.body_text), "")


def aggregated(aggregation: Aggregation) -> str:
    """The feature that an aggregation gives, as Feast calls it."""
    window = f"_{int(aggregation.window)}s" if aggregation.window else ""
    return aggregation.name or f"{aggregation.function}_{aggregation.column}{window}"
