"""Historical features: what was known of each entity at the moment that is asked about. Lazy until it is converted.

The answer that a person holds is `training_set.HistoricalFeatures`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import narwhals as nw

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS
from e2e_ml.festaf.rows.engines.protocol import Engine, lookup
from e2e_ml.festaf.rows.offline import OfflineStore

Names = Literal["full", "short"]

# What is asked of a server in one question, entities as a Parquet file.
PARQUET = "application/vnd.apache.parquet"
_MOST_ROWS = 5_000_000
_MOST_BYTES = 256 << 20


class TooManyRowsError(FeatureStoreError):
    """More entities than a server takes at once."""


def check_size(rows: int, size: int) -> None:
    """Raise TooManyRowsError for more entities, or a longer file of them in bytes, than a server takes at once."""
    if rows > _MOST_ROWS or size > _MOST_BYTES:
        raise TooManyRowsError(
            f"A server takes up to {_MOST_ROWS:,} entities in {_MOST_BYTES >> 20} MiB at once. Ask for fewer rows at a "
            "time, or open the project's folder where its tables are: FeatureStore.open(folder)."
        )


def join(
    entities: Any,
    views: Sequence[tuple[FeatureView, Mapping[str, str]]],
    offline: OfflineStore,
    at: str,
    on: Engine = POLARS,
    *,
    as_known: bool = False,
) -> Any:
    """`entities`, a frame of the engine `on`, with the features of each view, `{feature: column}`, as they were at the
    time in `at`: another frame of that engine.

    as_known: what had been written by then, and no later correction. Raises FeatureStoreError.
    """
    _check_entities(nw.from_native(entities).collect_schema(), views, at, as_known=as_known)
    lookups = [lookup(view, columns, at, as_known=as_known) for view, columns in views]
    return on.history(entities, lookups, offline)


def names(frame: Any) -> list[str]:
    """The columns of a frame of any engine."""
    return nw.from_native(frame).collect_schema().names()


def select(frame: Any, columns: Sequence[str]) -> Any:
    """These columns of a frame of any engine, in this order."""
    return nw.from_native(frame).select(columns).to_native()


def _check_entities(
    found: nw.Schema, views: Sequence[tuple[FeatureView, Mapping[str, str]]], at: str, *, as_known: bool
) -> None:
    has = f"They have {', '.join(found.names()) or 'no column'}."
    for view, _ in views:
        if absent := [key.name for key in view.entities if key.name not in found]:
            raise FeatureStoreError(f"{view.name} is asked by {', '.join(absent)}, which the entities lack. {has}")
    timed = [view.name for view, _ in views if as_known or view.event_time is not None]
    if timed and at not in found:
        raise FeatureStoreError(
            f"{timed[0]} has event times: the entities need the column {at!r}, the moment to look back from. "
            f'Add it, or name it with at="...". {has}'
        )
    if timed:
        dtype = found[at]
        if not isinstance(dtype, nw.Datetime):
            raise FeatureStoreError(f"{at!r} holds {dtype}, not timestamps. Convert it to timestamps in UTC first.")
        if dtype.time_zone is None:
            raise FeatureStoreError(
                f'The times in {at!r} have no zone. Say it first, e.g. pl.col("{at}").dt.replace_time_zone("UTC").'
            )
    taken = [column for _, columns in views for column in columns.values() if column in found]
    if taken:
        raise FeatureStoreError(
            f"The entities already have a column {taken[0]!r}. Rename theirs, or ask for the other kind of names=."
        )
