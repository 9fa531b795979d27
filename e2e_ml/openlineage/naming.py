"""A dataset's name by OpenLineage's naming as one URI, and back; and the ids of runs as Airflow's provider makes them.

("file", "/data/weather.csv")                  file:///data/weather.csv
("s3://lake", "weather/hourly")                s3://lake/weather/hourly
("postgres://db:5432", "flights.public.rain")  postgres://db:5432/flights.public.rain
("festaf://flights", "weather")                festaf://flights/weather, the feature view's own name
("bigquery", "project.set.table")              bigquery:project.set.table
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote
from uuid import UUID

FESTAF = "festaf://"
_AUTHORITY = re.compile(r"^([a-z][a-z0-9+.-]*)://([^/?#]*)/*(.*)$", re.IGNORECASE | re.DOTALL)
_PATH_SIGNS = "/!$&'()*+,;=:@~"  # what stands in a path as it is (RFC 3986)


def uri_of(namespace: str, name: str) -> str:
    """The URI of a dataset: `scheme:[//authority]path`. A file's is written as `Path.as_uri()` writes it."""
    if _is_files(namespace):
        host = namespace[len("file://") :].strip("/")
        return f"file://{host}/{quote(name.lstrip('/'), safe=_PATH_SIGNS)}"
    if "://" in namespace:
        return f"{namespace.rstrip('/')}/{name.lstrip('/')}"
    return f"{namespace}:{name}"


def of_uri(uri: str) -> tuple[str, str]:
    """The namespace and the name of the dataset at a URI, or at a path. Raises ValueError for what names no dataset."""
    found = _AUTHORITY.match(uri)
    if found is None:
        if uri.startswith("/"):
            return "file", uri
        namespace, colon, name = uri.partition(":")
        if namespace.lower() == "file" and name.startswith("/"):
            return "file", unquote(name)
        if not colon or not namespace or not name or namespace.isspace():
            raise ValueError(f"{uri!r} names no dataset: write it as scheme://authority/path.")
        return namespace, name
    scheme, authority, path = found.group(1).lower(), found.group(2), found.group(3)
    if scheme == "file":
        return f"file://{authority}" if authority not in ("", "localhost") else "file", f"/{unquote(path)}"
    if not path:
        raise ValueError(f"{uri!r} names a place and no dataset in it: say which, behind a slash.")
    return f"{scheme}://{authority}", path


def _is_files(namespace: str) -> bool:
    return namespace == "file" or namespace.startswith("file://")


def task_run_id(
    namespace: str, dag_id: str, task_id: str, try_number: int, map_index: int, logical_date: datetime
) -> UUID:
    """The id of a task instance's run. The same as apache-airflow-providers-openlineage makes, so that what two senders
    tell of one task instance is of one run."""
    return static_id(logical_date, f"{namespace}.{dag_id}.{task_id}.{try_number}.{map_index}")


def dag_run_id(namespace: str, dag_id: str, clear_number: int, logical_date: datetime) -> UUID:
    """The id of a DAG run's run, as Airflow's provider makes it."""
    return static_id(logical_date, f"{namespace}.{dag_id}.{clear_number}")


def static_id(instant: datetime, data: str) -> UUID:
    """A UUID of version 7 (RFC 9562) of the instant, with a hash where others have chance."""
    moment = instant.astimezone(UTC)
    digest = hashlib.sha1(moment.isoformat().encode() + data.encode(), usedforsecurity=False).digest()
    milliseconds = int(moment.timestamp() * 1000)
    number = (milliseconds & (2**48 - 1)) << 80 | int.from_bytes(digest) >> 84
    number = number & ~(0xF000 << 64) | 7 << 76
    return UUID(int=number & ~(0xC000 << 48) | 0x8000 << 48)
