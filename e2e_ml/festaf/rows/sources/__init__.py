"""Reading a view's source with Polars: its columns, typed, times in UTC, missing values filled, one data interval.

`files` reads CSV, Parquet and Delta, `sql` a database, `http` what a server answers; `typing` brings what they give,
and what somebody holds in memory, into the definition's types. Files are read lazily: only the asked columns and, where
the format has statistics, the asked times are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.sources import files
from e2e_ml.festaf.rows.sources.typing import Origin, conformed, of_records

__all__ = ["conform", "location", "read", "scan"]


def location(view: FeatureView, project: Path) -> str:
    """Where the source lies: a path below the project folder, or the URI as it is where it names a scheme."""
    source = view.source
    match source.format:
        case "sql" | "push":
            return f"{source.format}://{source.connection or ''}/{quote(source.uri, safe='.')}"
        case "http":
            return source.uri
        case _:
            return files.location(source, project)


def scan(view: FeatureView, project: Path, start: datetime | None = None, end: datetime | None = None) -> pl.LazyFrame:
    """The source's columns that the view reads, in order, for rows whose event time lies in [start, end).

    A view without times gives its whole source. Raises FeatureStoreError for a source that is not there, a column that
    it lacks, and times without a zone where the source names none. Values that do not fit their type are found on
    `read`.
    """
    origin = _origin(view)
    opened = _open(origin, project, start, end)
    if isinstance(opened, pl.LazyFrame):
        frame = conformed(origin, opened, _schema(view, opened))
    else:
        frame = of_records(origin, opened, exact=False).lazy()
    if view.event_time is not None:
        time = pl.col(view.event_time)
        if start is not None:
            frame = frame.filter(time >= start)
        if end is not None:
            frame = frame.filter(time < end)
    return frame


def conform(view: FeatureView, given: object, place: str = "the given rows") -> pl.DataFrame:
    """Rows that somebody holds in memory, as `scan` gives those of a source: any frame that narwhals knows, or rows as
    JSON has them. `place` is what errors call them.

    Raises FeatureStoreError for what is neither, a column that is lacking and data of the wrong type.
    """
    origin = Origin(view, place)
    if isinstance(given, Mapping):
        given = [cast("Mapping[str, Any]", given)]
    if isinstance(given, list | tuple):
        rows = cast("Sequence[object]", given)
        if not all(isinstance(row, Mapping) for row in rows):
            raise origin.refuse('rows are objects: {"origin": "JFK", "temp": 39.0}.')
        return of_records(origin, cast("Sequence[Mapping[str, Any]]", rows), exact=True)
    try:
        frame: Any = cast("Any", nw).from_native(given)
    except TypeError:
        raise FeatureStoreError(
            f"{view.name}: {type(given).__name__} is no frame. Give a Polars, pandas or PyArrow frame of its rows."
        ) from None
    lazy: pl.LazyFrame = nw.to_native(frame.lazy().collect("polars")).lazy()
    return _collected(origin, conformed(origin, lazy, lazy.collect_schema()))


def read(view: FeatureView, frame: pl.LazyFrame) -> pl.DataFrame:
    """Load what `scan` gave. Raises FeatureStoreError, with the column and the value, for data of the wrong type."""
    return _collected(_origin(view), frame)


def _origin(view: FeatureView) -> Origin:
    return Origin(view, f"the source {view.source.uri}")


def _open(
    origin: Origin, project: Path, start: datetime | None, end: datetime | None
) -> pl.LazyFrame | Sequence[Mapping[str, Any]]:
    view = origin.view
    match view.source.format:
        case "sql":
            from e2e_ml.festaf.rows.sources.sql import query

            return query(view, project, start, end).lazy()
        case "http":
            from e2e_ml.festaf.rows.sources.http import fetch

            return fetch(view, project)
        case "push":
            raise origin.refuse("its rows are pushed, so that there is nothing to load. Use push, or consume a stream.")
        case _:
            return files.scan(view, project)


def _collected(origin: Origin, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n\n")[0].strip()
        raise origin.refuse(f"{origin.place} could not be read: {reason}. Correct the data or the types.") from error


def _schema(view: FeatureView, frame: pl.LazyFrame) -> pl.Schema:
    try:
        return frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FeatureStoreError(
            f"{view.name}: {view.source.uri} is no readable {view.source.format} file: {str(error).splitlines()[0]}."
        ) from error
