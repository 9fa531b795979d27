"""Sources in a database: a table or a query, read through a connection of festaf.yaml, only the rows of the interval.

PostgreSQL is read as Arrow by its ADBC driver, SQLite by Python's own. Everything runs in a transaction that reads.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl

from e2e_ml.festaf import settings
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import source_columns
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.settings import Connection, without_secrets

_CONNECT_SECONDS = 10
_MARGIN = timedelta(days=2)  # of naive times and dates: no zone and no change of clocks is further from UTC


def query(view: FeatureView, project: Path, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """The columns that the view reads, under their names in the database, at least for the rows of [start, end).

    Raises FeatureStoreError for a connection that is not there or refuses, and for a query that fails.
    """
    connection = settings.read(project).connection(view.source.connection, "postgresql", "sqlite")
    names = [view.source_columns.get(column.name, column.name) for column in source_columns(view)]
    relation = _relation(view.source.uri)
    if connection.scheme == "sqlite":
        # In double quotes SQLite takes a column that is not there for a text.
        chosen = ", ".join(f"[{name}]" for name in names)
        return _sqlite(view, connection, project, f"SELECT {chosen} FROM {relation}", names)  # noqa: S608 - quoted
    statement = f"SELECT {', '.join(map(_quoted, names))} FROM {relation}"  # noqa: S608 - quoted
    time = view.event_time and view.source_columns.get(view.event_time, view.event_time)
    return _postgres(view, connection, project, statement, time, start, end)


def _relation(source: str) -> str:
    """A table by its name, `schema.table`, or a query as a table."""
    text = source.strip().rstrip(";")
    if any(sign.isspace() for sign in text):
        return f"(\n{text}\n) AS source"
    return ".".join(map(_quoted, text.split(".")))


def _quoted(name: str) -> str:
    return name if name.startswith('"') and name.endswith('"') else '"' + name.replace('"', '""') + '"'


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def _postgres(
    view: FeatureView,
    connection: Connection,
    project: Path,
    statement: str,
    time: str | None,
    start: datetime | None,
    end: datetime | None,
) -> pl.DataFrame:
    try:
        dbapi: Any = import_module("adbc_driver_postgresql.dbapi")
    except ModuleNotFoundError as error:
        raise FeatureStoreError(
            f"{view.name}: a source in PostgreSQL needs the package {error.name}: install e2e-ml[connections]."
        ) from error
    secret = connection.secret(project)
    try:
        with dbapi.connect(_address(connection, secret)) as db, db.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            if time is not None and (start or end):
                cursor.execute(f"{statement} LIMIT 0")
                kind = cursor.fetch_arrow_table().schema.field(time).type
                statement, bounds = _within(view, statement, time, kind, start, end)
                cursor.execute(statement, bounds)
            else:
                cursor.execute(statement)
            return _frame(cursor.fetch_arrow_table())
    except dbapi.Error as error:
        said = without_secrets(str(error)).splitlines()[0]
        said = said.replace(secret, "***") if secret else said
        raise FeatureStoreError(
            f"{view.name}: its source in {view.source.connection} could not be read: {said}. "
            "Correct the definition, or the connection in festaf.yaml."
        ) from None


def _address(connection: Connection, secret: str | None) -> str:
    parts = urlsplit(connection.url)
    user, at, host = parts.netloc.rpartition("@")
    if secret is not None:
        user, at = f"{user}:{quote(secret, safe='')}", "@"
    waits = f"{parts.query}&" if parts.query else ""
    if "connect_timeout" not in waits:
        waits += f"connect_timeout={_CONNECT_SECONDS}"
    return parts._replace(netloc=f"{user}{at}{host}", query=waits.rstrip("&")).geturl()


def _within(
    view: FeatureView, statement: str, time: str, kind: Any, start: datetime | None, end: datetime | None
) -> tuple[str, tuple[datetime, ...]]:
    """The statement for rows around the interval, with the values of its places. What is read of a column without
    zone reaches further than the interval: it is cut exactly once its times are in UTC."""
    text = str(kind)
    aware = text.startswith("timestamp") and "tz=" in text
    if not aware and not text.startswith(("timestamp", "date")):
        return statement, ()
    margin = timedelta() if aware else _MARGIN
    bounds: list[datetime] = []
    conditions: list[str] = []
    for moment, sign, apart in ((start, ">=", -margin), (end, "<", margin)):
        if moment is not None:
            try:
                utc = moment.astimezone(UTC) + apart
            except OverflowError:
                continue  # at the end of all time
            if not aware:
                utc = utc.astimezone(ZoneInfo(view.source.timezone or "UTC")).replace(tzinfo=None)
            bounds.append(utc)
            conditions.append(f"{_quoted(time)} {sign} ${len(bounds)}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return statement + where, tuple(bounds)


def _frame(table: Any) -> pl.DataFrame:
    """An Arrow table of the driver, with what Polars does not know as what it does: intervals as spans of time, numbers
    of any precision and UUIDs as text."""
    pa: Any = import_module("pyarrow")
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if kind == pa.month_day_nano_interval():
            columns[name] = pa.array([_span(name, value) for value in column.to_pylist()], pa.duration("us"))
        elif isinstance(kind, pa.UuidType):
            columns[name] = pa.array([_uuid_text(value) for value in column.to_pylist()], pa.string())
        elif isinstance(kind, pa.BaseExtensionType):
            columns[name] = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        else:
            columns[name] = column
    return cast("pl.DataFrame", cast("Any", pl).from_arrow(pa.table(columns)))


def _uuid_text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _span(name: str, value: Any) -> timedelta | None:
    if value is None:
        return None
    if value.months:
        raise FeatureStoreError(
            f"{name!r} holds an interval of months, whose length is not known. Store days or hours."
        )
    return timedelta(days=value.days, microseconds=value.nanoseconds // 1000)


# --- SQLite ------------------------------------------------------------------------------------------------------


def _sqlite(view: FeatureView, connection: Connection, project: Path, statement: str, names: list[str]) -> pl.DataFrame:
    path = project / unquote(urlsplit(connection.url).path).removeprefix("/")
    if connection.url.startswith("sqlite:////"):
        path = Path(unquote(urlsplit(connection.url).path)[1:])
    if not path.is_file():
        raise FeatureStoreError(f"{view.name}: there is no database {path}. Put it there, or correct festaf.yaml.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(statement).fetchall()
    except sqlite3.DatabaseError as error:
        raise FeatureStoreError(
            f"{view.name}: its source in {view.source.connection} could not be read: {error}. Correct the definition."
        ) from None
    # A column of SQLite may hold values of several types: what is not all numbers is read as text.
    return pl.DataFrame([_series(name, [row[i] for row in rows]) for i, name in enumerate(names)])


def _series(name: str, values: list[Any]) -> pl.Series:
    kinds: set[type] = {type(value) for value in values if value is not None}
    if kinds <= {int}:
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64)
    return pl.Series(name, [v if v is None or isinstance(v, str) else str(v) for v in values], pl.String)
