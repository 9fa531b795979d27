"""Where a view's rows come from, as a definition says it: files, a database, the web, or whoever pushes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal as OneOf
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from e2e_ml.festaf.definition.places import refuse

_Format = OneOf["csv", "parquet", "delta", "sql", "http", "push"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. Make it with `csv`, `parquet`, `delta`, `sql`, `http`, `push` or `redis_stream`."""

    format: _Format
    uri: str
    timezone: str | None
    name: str
    connection: str | None = None


def csv(path: str, *, timezone: str | None = None, name: str | None = None) -> Source:
    """A CSV file with a header. See `parquet`."""
    return _file("csv", path, timezone, name)


def parquet(path: str, *, timezone: str | None = None, name: str | None = None) -> Source:
    """A Parquet file, or several by a pattern such as `data/*.parquet`.

    `path` is relative to the project folder, or has a scheme. `timezone` is the zone of times that name none; without
    it they are refused. `name` is what people call the source: the file's own name unless said.
    """
    return _file("parquet", path, timezone, name)


def delta(path: str, *, timezone: str | None = None, name: str | None = None) -> Source:
    """A Delta Lake table. See `parquet`."""
    return _file("delta", path, timezone, name)


def sql(connection: str, table: str, *, timezone: str | None = None, name: str | None = None) -> Source:
    """A table or a query of a database: `fs.sql("warehouse", "public.weather")`.

    `connection` is a name in the project's festaf.yaml, which holds the address and says where the password is: a
    definition holds neither. Only the rows of the interval that is loaded are asked for. See `parquet` for the rest.
    """
    if not _is_text(table):
        raise refuse('a source needs a table or a query, such as fs.sql("warehouse", "public.weather").')
    words = table.split()
    called = name or (words[0].rpartition(".")[2].strip('"') if len(words) == 1 else connection)
    return _source("sql", table.strip(), timezone, called, _connection(connection, "sql", '"public.weather"'))


def http(url: str, *, connection: str | None = None, timezone: str | None = None, name: str | None = None) -> Source:
    """What a web server answers as JSON (a list of objects, or one a line), CSV or Parquet.

    `connection` is a name in festaf.yaml with a credential for that host, sent as a bearer token. See `parquet` for the
    rest.
    """
    try:
        parts = urlsplit(str(url))
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise refuse('a source on the web needs an address, such as fs.http("https://example.com/weather.json").')
    if parts.username is not None or parts.password is not None:
        raise refuse('an address must not carry a user or password. Use a connection: fs.http(url, connection="api").')
    called = name or PurePosixPath(parts.path).name.split(".")[0] or str(parts.hostname)
    named = None if connection is None else _connection(connection, "http", '"https://..."')
    return _source("http", url, timezone, called, named)


def push(*, timezone: str | None = None, name: str | None = None) -> Source:
    """No source: rows come by `store.push`, `e2e-ml festaf push` or the server's push endpoint alone."""
    return _source("push", "", timezone, name or "push")


def redis_stream(connection: str, stream: str, *, timezone: str | None = None, name: str | None = None) -> Source:
    """A Redis stream, which `e2e-ml festaf consume` reads; rows may be pushed besides.

    `connection` is a name in festaf.yaml. An entry of the stream is a row: its fields are columns, as text, or its one
    field `row` is a JSON object.
    """
    if not _is_text(stream):
        raise refuse('a stream has a name: fs.redis_stream("events", "weather").')
    return _source("push", stream, timezone, name or stream, _connection(connection, "redis_stream", '"weather"'))


def _file(format_: OneOf["csv", "parquet", "delta"], path: str, timezone: str | None, name: str | None) -> Source:
    if not isinstance(path, str | os.PathLike) or not str(path).strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refuse(f'a source needs a path, such as fs.{format_}("data/weather").')
    called = name or Path(str(path).rstrip("/*")).name.split(".")[0] or format_
    return _source(format_, str(path), timezone, called)


def _source(format_: _Format, uri: str, timezone: str | None, name: str, connection: str | None = None) -> Source:
    if timezone is not None and timezone not in available_timezones():
        raise refuse(f"there is no time zone {timezone!r}. A zone is called like America/New_York.")
    return Source(format_, uri, timezone, name, connection)


def _connection(connection: str, made_by: str, example: str) -> str:
    if not _is_text(connection) or "://" in connection:
        raise refuse(
            f'a connection is a name in festaf.yaml, such as fs.{made_by}("warehouse", {example}); '
            "the address and the password stay there."
        )
    return connection


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
