"""Pushed rows beside a source: which of them stay when an interval is loaded, and how they are told apart.

A stored row that was pushed carries the moment of its push in the table's column PUSHED, which is null in a row that a
source brought and absent from a table into which nothing was pushed. Readers of features never see it.

A load replaces what came from the source. A pushed row stays until the source holds a row of the same keys and event
time; where rows have created times, until that row was created then or later. So nothing that was pushed is lost, and
nothing is counted twice once the source has caught up.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import stored_features
from e2e_ml.festaf.rows.offline import PUSHED, OfflineStore
from e2e_ml.festaf.rows.polars_types import TIMESTAMP

_CREATED = "__festaf_created"
_FOUND = "__festaf_found"


def identity(view: FeatureView) -> list[str]:
    """What a stored row is known by: its keys, its event time and its created time."""
    return [*_place(view), *([view.created_time] if view.created_time else [])]


def source_columns(view: FeatureView) -> list[str]:
    """The stored columns that are as the source has them: keys, times, and the features that nothing computes."""
    return [*identity(view), *(feature.name for feature in stored_features(view) if feature.expression is None)]


def stored(offline: OfflineStore, view: FeatureView, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """The stored rows of [start, end) that were pushed, with PUSHED; None leaves an end open.

    Raises FeatureStoreError where a snapshot's rows are no longer of the defined types.
    """
    # Rows from before the view had its present keys can be nobody's.
    rows = offline.pushed(view).filter(pl.col(name).is_not_null() for name in _place(view))
    try:
        return within(view, rows, start, end).collect()
    except pl.exceptions.PolarsError as error:
        raise FeatureStoreError(
            f"{view.name}: rows that were pushed do not fit its definition any more: {str(error).splitlines()[0]}. "
            f"Give the feature a new name, or remove {offline.path(view.table)}, load again and push them again."
        ) from error


def within(view: FeatureView, rows: pl.LazyFrame, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
    """The rows whose event time lies in [start, end); all, in a view without times."""
    if view.event_time is None:
        return rows
    event = pl.col(view.event_time)
    return rows.filter(*([event >= start] if start else []), *([event < end] if end else []))


def beside(view: FeatureView, rows: pl.DataFrame, pushed: pl.DataFrame) -> pl.DataFrame:
    """`rows` with those of the pushed ones, with PUSHED, that stay beside them.

    rows: a source's, or already some of the pushed ones among them. One that was pushed again since takes its place.
    """
    ours = rows.filter(pl.col(PUSHED).is_null()) if PUSHED in rows.columns else rows
    staying = _staying(view, pushed, ours)
    if staying.is_empty():
        return rows
    if PUSHED in rows.columns:
        staying = staying.join(rows, on=[*identity(view), PUSHED], how="anti", nulls_equal=True)
        again = rows.join(staying, on=identity(view), how="semi", nulls_equal=True)
        again = again.filter(pl.col(PUSHED).is_not_null())
        rows = rows.join(again, on=[*identity(view), PUSHED], how="anti", nulls_equal=True)
    else:
        rows = rows.with_columns(pl.lit(None, TIMESTAMP).alias(PUSHED))
    columns = [*(name for name in rows.columns if name in staying.columns)]
    return pl.concat([rows.select(columns), staying.select(pl.col(n).cast(rows.schema[n]) for n in columns)])


def marked(view: FeatureView, computed: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """`computed` with the PUSHED of the rows that it was computed from, where these have one."""
    if PUSHED not in rows.columns:
        return computed
    marks = rows.filter(pl.col(PUSHED).is_not_null()).select(*identity(view), PUSHED)
    return computed.join(marks, on=identity(view), how="left", nulls_equal=True, maintain_order="left")


def _staying(view: FeatureView, pushed: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    if pushed.is_empty() or ours.is_empty():
        return pushed
    place, created = _place(view), view.created_time
    held = ours.select(pl.col(n).cast(pushed.schema[n]) for n in identity(view)).with_columns(
        pl.lit(True).alias(_FOUND)
    )
    latest = held.group_by(place).agg(
        pl.col(_FOUND).first(), *([pl.col(created).max().alias(_CREATED)] if created else [])
    )
    both = pushed.join(latest, on=place, how="left", nulls_equal=True, maintain_order="left")
    stays = pl.col(_FOUND).is_null()
    if created:  # a row without a created time is the earliest
        later = pl.col(_CREATED).is_null() | (pl.col(created) > pl.col(_CREATED))
        stays = stays | (pl.col(created).is_not_null() & later)
    return both.filter(stays).select(pushed.columns)


def _place(view: FeatureView) -> list[str]:
    return [*(key.name for key in view.entities), *([view.event_time] if view.event_time else [])]
