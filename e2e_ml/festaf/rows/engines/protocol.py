"""What an engine can do, and the questions that are put to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import Kernels
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.pointintime import Match


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is asked of one view: `columns` maps a feature to its name in the answer, `by` says which row has it."""

    view: FeatureView
    columns: Mapping[str, str]
    by: Match


def lookup(view: FeatureView, columns: Mapping[str, str], at: str, *, as_known: bool = False) -> Lookup:
    """The question for a view's features at the time in `at`.

    Raises FeatureStoreError for `as_known` of a view that does not say when its rows were written.
    """
    if as_known and view.created_time is None:
        raise FeatureStoreError(
            f"What was known of {view.name} at a moment cannot be said: its rows do not tell when they were written. "
            "Give it a column fs.CreatedTime(), or ask without as_known."
        )
    ttl = None if view.ttl_seconds is None or view.event_time is None else timedelta(seconds=view.ttl_seconds)
    keys = tuple(key.name for key in view.entities)
    return Lookup(view, columns, Match(keys, at, view.event_time, view.created_time, ttl, as_known))


class Engine(Kernels, Protocol):
    """Frames are the engine's own: a polars.LazyFrame, a pandas.DataFrame with Arrow types, a DuckDB relation, a Dask
    or a Spark DataFrame. Nothing is brought to this process before a `to_...` but what the engine itself does so."""

    name: str

    def frame(self, rows: Any) -> Any:
        """Rows of any kind as a frame of this engine; one of its own stays where it is."""
        ...

    def history(self, entities: Any, lookups: Sequence[Lookup], offline: OfflineStore) -> Any:
        """`entities`, a frame of this engine, with the features that they had at the asked times. Their rows, their
        order and their columns stay; what has no answer is null."""
        ...

    def to_polars(self, frame: Any) -> pl.DataFrame:
        """Compute it, in order."""
        ...
