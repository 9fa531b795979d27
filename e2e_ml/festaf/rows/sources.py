"""Reading a view's source with Polars: its columns, typed, times in UTC, missing values filled, one data interval.

It is read lazily, so that only the asked columns and, where the format has statistics, the asked times are loaded.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.operations import INTEGERS
from e2e_ml.festaf.expression.steps import SourceColumn, source_columns
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_OFFSET = re.compile(r"(Z|[+-]\d\d:?(\d\d)?)$")


def location(view: FeatureView, project: Path) -> str:
    """Where the source lies: a path below the project folder, or the URI as it is where it names a scheme."""
    uri = view.source.uri
    return uri if _SCHEME.match(uri) else str(project / uri)


def scan(view: FeatureView, project: Path, start: datetime | None = None, end: datetime | None = None) -> pl.LazyFrame:
    """The source's columns that the view reads, in order, for rows whose event time lies in [start, end).

    A view without times gives its whole source. Raises FeatureStoreError for a source that is not there, a column that
    it lacks, and times without a zone where the source names none. Values that do not fit their type are found on
    `read`.
    """
    frame = _conformed(view, _open(view, project))
    if view.event_time is not None:
        time = pl.col(view.event_time)
        if start is not None:
            frame = frame.filter(time >= start)
        if end is not None:
            frame = frame.filter(time < end)
    return frame


def conform(view: FeatureView, given: object) -> pl.DataFrame:
    """Rows that somebody holds in memory, any frame that narwhals knows, as `scan` gives those of a source.

    Raises FeatureStoreError for what is no frame, a column that it lacks and data of the wrong type.
    """
    try:
        frame: Any = nw.from_native(cast(Any, given))
    except TypeError:
        raise FeatureStoreError(
            f"{view.name}: {type(given).__name__} is no frame. Give a Polars, pandas or PyArrow frame of its rows."
        ) from None
    return read(view, _conformed(view, nw.to_native(frame.lazy().collect("polars")).lazy()))


def _conformed(view: FeatureView, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The view's columns, in its types; rows without an event time are left out."""
    found = _schema(view, frame)
    columns = source_columns(view)
    if absent := [c.name for c in columns if c.name not in found]:
        raise FeatureStoreError(
            f"{view.name}: the source {view.source.uri} has no column {', '.join(map(repr, absent))}. "
            f"It has {', '.join(found.names())}. Add the column to the data, or take it out of the definition."
        )
    frame = frame.select(_typed(view, frame, c, found[c.name]).alias(c.name) for c in columns)
    return frame if view.event_time is None else frame.filter(pl.col(view.event_time).is_not_null())


def read(view: FeatureView, frame: pl.LazyFrame) -> pl.DataFrame:
    """Load what `scan` gave. Raises FeatureStoreError, with the column and the value, for data of the wrong type."""
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n\n")[0].strip()
        raise FeatureStoreError(
            f"{view.name}: the source {view.source.uri} could not be read: {reason}. Correct the data or the types."
        ) from error


def _open(view: FeatureView, project: Path) -> pl.LazyFrame:
    place = location(view, project)
    if not _SCHEME.match(place) and not any(c in place for c in "*?[") and not Path(place).exists():
        raise FeatureStoreError(
            f"{view.name}: its source {view.source.uri} is not there (looked at {place}). "
            "Put the data there, or correct the definition."
        )
    match view.source.format:
        case "csv":
            # As text: the definition says the types, guessing from the first rows would not.
            return pl.scan_csv(place, infer_schema=False)
        case "parquet":
            return pl.scan_parquet(place)
        case "delta":
            return pl.scan_delta(place)


def _schema(view: FeatureView, frame: pl.LazyFrame) -> pl.Schema:
    try:
        return frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FeatureStoreError(
            f"{view.name}: {view.source.uri} is no readable {view.source.format} file: {str(error).splitlines()[0]}."
        ) from error


def _typed(view: FeatureView, frame: pl.LazyFrame, column: SourceColumn, found: pl.DataType) -> pl.Expr:
    value = pl.col(column.name)
    wanted = polars_type(column.dtype)
    if column.dtype == "timestamp":
        value = _utc(view, frame, column.name, found)
    elif column.dtype == "bool" and found == pl.String:
        text = value.str.strip_chars().str.to_lowercase()
        known = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
        value = text.replace_strict(known, return_dtype=pl.Boolean)
    elif column.dtype == "date" and found == pl.String:
        value = value.str.to_date("%Y-%m-%d")
    elif column.dtype in INTEGERS and found.is_float():
        value = _whole(view, frame, column.name).cast(wanted)
    elif found != wanted:
        value = value.cast(wanted)
    return value if column.fill_null is None else value.fill_null(pl.lit(column.fill_null).cast(wanted))


def _whole(view: FeatureView, frame: pl.LazyFrame, name: str) -> pl.Expr:
    """Integers that were stored as floats, which is how pandas stores integers when some are missing."""
    value = pl.col(name).fill_nan(None)
    broken = frame.select(value.filter(value != value.floor()).head(1)).collect().to_series().to_list()
    if broken:
        raise FeatureStoreError(
            f"{view.name}: {name!r} of {view.source.uri} holds {broken[0]}, and is defined as an integer. "
            "Define it as fs.Float64(), or round it in the source."
        )
    return value


def _utc(view: FeatureView, frame: pl.LazyFrame, name: str, found: pl.DataType) -> pl.Expr:
    """A column of times in UTC. Text is ISO 8601; all of a column's values carry an offset, or none does."""
    value = pl.col(name)
    if isinstance(found, pl.String):
        # One value tells whether the column carries offsets: it is not read whole for that.
        sample = frame.select(value.drop_nulls().head(1)).collect().to_series().to_list()
        text = value.str.strip_chars().str.replace(" ", "T", literal=True, n=1)
        if sample and _OFFSET.search(str(sample[0])[10:]):
            return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
        days = text.str.len_chars() == 10
        text = pl.when(days).then(text + "T00:00:00").otherwise(text)
        minutes = text.str.len_chars() == 16
        text = pl.when(minutes).then(text + ":00").otherwise(text)
        return _localized(view, name, text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us"))
    if isinstance(found, pl.Datetime):
        if found.time_zone is not None:
            return value.dt.convert_time_zone("UTC").cast(TIMESTAMP)
        return _localized(view, name, value.cast(pl.Datetime("us")))
    if isinstance(found, pl.Date):
        return _localized(view, name, value.cast(pl.Datetime("us")))
    raise FeatureStoreError(
        f"{view.name}: the column {name!r} of {view.source.uri} holds {found}, not times. "
        "Store timestamps, or ISO 8601 text."
    )


def _localized(view: FeatureView, name: str, naive: pl.Expr) -> pl.Expr:
    zone = view.source.timezone
    if zone is None:
        raise FeatureStoreError(
            f"{view.name}: the times in {name!r} of {view.source.uri} have no zone. "
            'Say it in the source, timezone="America/New_York", or store them in UTC.'
        )
    ZoneInfo(zone)  # a zone that does not exist fails here, by name
    # An hour that the clocks repeat in autumn is taken as its first; one they skip in spring is an error.
    return naive.dt.replace_time_zone(zone, ambiguous="earliest").dt.convert_time_zone("UTC")
