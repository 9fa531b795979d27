"""Historical features: what was known of each entity at the moment that is asked about. Lazy until it is converted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, cast

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows import pointintime as pit
from e2e_ml.festaf.rows.compute import compute_on_read
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type

Names = Literal["full", "short"]
_AT = "__festaf_at"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a training set. `input` holds the features' columns alone, `target` what is to be predicted."""

    frame: pl.DataFrame
    input: pl.DataFrame
    target: pl.Series | None


class HistoricalFeatures:
    """The asked rows, in their order and with their columns, and behind them a column for each feature.

    features: the full names, `view.feature`, in order. columns: their names here. target: the target's column, None
    where the service has none. registry_version: the definitions that it was computed by.
    """

    def __init__(
        self,
        frame: pl.LazyFrame,
        *,
        columns: Mapping[str, str],
        target: str | None,
        at: str | None,
        registry_version: int,
        service: str | None,
    ) -> None:
        self._frame = frame
        self._at = at
        self.features = tuple(columns)
        self.columns = tuple(columns.values())
        self.target = target
        self.registry_version = registry_version
        self.service = service

    def lazy(self) -> pl.LazyFrame:
        """The plan, to go on with in Polars before anything is read."""
        return self._frame

    def to_polars(self) -> pl.DataFrame:
        """Compute it. Raises FeatureStoreError for keys that are not of their type."""
        try:
            return self._frame.collect()
        except pl.exceptions.InvalidOperationError as error:
            reason = str(error).split("\n\n")[0]
            raise FeatureStoreError(f"The entities' keys do not fit the views' types: {reason}.") from error

    def to_pandas(self) -> Any:
        """As a pandas.DataFrame. Needs pandas and pyarrow."""
        return cast(Any, self.to_polars()).to_pandas()

    def to_arrow(self) -> Any:
        """As a pyarrow.Table. Needs pyarrow."""
        return cast(Any, self.to_polars()).to_arrow()

    def split(self, test: float = 0.2, by: Literal["time"] = "time") -> tuple[Part, Part]:
        """Train and test: the latest rows, about a share `test` of them, are the test; no moment is in both.

        Rows whose target is missing teach and tell nothing; they are in neither.
        """
        if by != "time" or self._at is None:
            raise FeatureStoreError("A split is by time: ask for views with times, and name the column with at=.")
        if not 0 < test < 1:
            raise FeatureStoreError(f"test={test} is no share: give a number between 0 and 1, such as 0.2.")
        frame = self.to_polars()
        if self.target is not None:
            frame = frame.drop_nulls(self.target)
        times = frame[self._at].drop_nulls().sort()
        if times.n_unique() < 2:
            raise FeatureStoreError("There are fewer than two moments to split by: ask for more rows.")
        cut = times[round(len(times) * (1 - test))] if round(len(times) * (1 - test)) < len(times) else times[-1]
        if cut == times[0]:
            cut = times.filter(times > cut)[0]
        late = frame[self._at] >= cut
        return self._part(frame.filter(~late)), self._part(frame.filter(late))

    def _part(self, frame: pl.DataFrame) -> Part:
        target = frame[self.target] if self.target is not None else None
        return Part(frame, frame.select(self.columns), target)


def entities_frame(entities: Any) -> pl.LazyFrame:
    """Any frame that narwhals knows, as Polars. Raises FeatureStoreError for anything else."""
    if isinstance(entities, pl.LazyFrame):
        return entities
    try:
        known = nw.from_native(entities)
    except TypeError as error:
        raise FeatureStoreError(
            f"Entities are a data frame (Polars, pandas, Arrow, ...), not a {type(entities).__name__}."
        ) from error
    eager = known.collect() if isinstance(known, nw.LazyFrame) else known
    return eager.to_polars().lazy()


def join(
    entities: pl.LazyFrame,
    views: Sequence[tuple[FeatureView, Mapping[str, str]]],
    offline: OfflineStore,
    at: str,
) -> pl.LazyFrame:
    """`entities` with the features of each view, `{feature: column}`, as they were known at the time in `at`."""
    found = entities.collect_schema()
    _check_entities(found, views, at)
    asked = entities.with_row_index(pit.ASKED)
    if at in found:
        asked = asked.with_columns(pl.col(at).dt.convert_time_zone("UTC").cast(TIMESTAMP).alias(_AT))
    answer = entities.with_row_index(pit.ASKED)
    for view, columns in views:
        answer = answer.join(_of_view(asked, view, columns, offline), on=pit.ASKED, how="left", maintain_order="none")
    # Sorted once at the end: measured on a million rows, a join that keeps the order takes four times as long.
    return answer.sort(pit.ASKED).drop(pit.ASKED)


def _of_view(asked: pl.LazyFrame, view: FeatureView, columns: Mapping[str, str], offline: OfflineStore) -> pl.LazyFrame:
    keys = [key.name for key in view.entities]
    typed = asked.with_columns(pl.col(key.name).cast(polars_type(key.dtype)) for key in view.entities)
    stored = offline.scan(view).with_row_index(pit.STORED)
    if view.event_time is None:
        matches = pit.match_current(typed, stored, keys=keys)
    else:
        ttl = None if view.ttl_seconds is None else timedelta(seconds=view.ttl_seconds)
        matches = pit.match(
            typed, stored, keys=keys, at=_AT, event_time=view.event_time, created_time=view.created_time, ttl=ttl
        )
    return pit.fetch(matches, compute_on_read(view, stored, columns), columns)


def _check_entities(found: pl.Schema, views: Sequence[tuple[FeatureView, Mapping[str, str]]], at: str) -> None:
    has = f"They have {', '.join(found.names()) or 'no column'}."
    for view, _ in views:
        if absent := [key.name for key in view.entities if key.name not in found]:
            raise FeatureStoreError(f"{view.name} is asked by {', '.join(absent)}, which the entities lack. {has}")
    timed = [view.name for view, _ in views if view.event_time is not None]
    if timed and at not in found:
        raise FeatureStoreError(
            f"{timed[0]} has event times: the entities need the column {at!r}, the moment to look back from. "
            f'Add it, or name it with at="...". {has}'
        )
    if timed:
        dtype = found[at]
        if not isinstance(dtype, pl.Datetime):
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
