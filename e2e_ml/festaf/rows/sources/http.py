"""Sources that a web server answers: JSON, newline-delimited JSON, CSV or Parquet, fetched whole.

The answer's kind is told by its address, else by its content type. A credential of the connection is sent as a bearer
token, to the named host alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import polars as pl

from e2e_ml.festaf import settings
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView

LIMIT = 1 << 30  # bytes of an answer
_PATIENCE = 30.0  # seconds without a byte
_REDIRECTS = 5
_KINDS = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_CONTENT_TYPES = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}


def fetch(view: FeatureView, project: Path) -> pl.LazyFrame | Sequence[Mapping[str, Any]]:
    """What the server answers: a frame of CSV and Parquet, rows of JSON. Raises FeatureStoreError."""
    url = view.source.uri
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise FeatureStoreError(
            f"{view.name}: a source on the web needs the package httpx: install e2e-ml[connections]."
        ) from error
    headers = {"accept": "application/json, text/csv, application/vnd.apache.parquet;q=0.9"}
    if view.source.connection is not None:
        connection = settings.read(project).connection(view.source.connection, "https", "http")
        if _host(connection.url) != _host(url):
            raise FeatureStoreError(
                f"{view.name}: {url} is not at {connection.url}, where the connection {view.source.connection} leads."
            )
        if (secret := connection.secret(project)) is not None:
            headers["authorization"] = f"Bearer {secret}"
    try:
        with (
            httpx.Client(timeout=_PATIENCE, follow_redirects=True, max_redirects=_REDIRECTS) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise FeatureStoreError(
                    f"{view.name}: {url} answers {answer.status_code} {answer.reason_phrase}. "
                    "Correct the address or the credential, or try again later."
                )
            content = _content(view, answer.iter_bytes())
            kind = _KINDS.get(PurePosixPath(urlsplit(url).path).suffix) or _CONTENT_TYPES.get(
                answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FeatureStoreError(
            f"{view.name}: {url} could not be fetched: {str(error) or type(error).__name__}. Try again later."
        ) from None
    return _parsed(view, content, kind)


def _content(view: FeatureView, chunks: Any) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > LIMIT:
            raise FeatureStoreError(
                f"{view.name}: {view.source.uri} answers more than {LIMIT} bytes. Put it into a file or a database."
            )
    return bytes(content)


def _parsed(view: FeatureView, content: bytes, kind: str | None) -> pl.LazyFrame | Sequence[Mapping[str, Any]]:
    try:
        match kind:
            case "csv":
                return pl.read_csv(io.BytesIO(content), infer_schema=False).lazy()
            case "parquet":
                return pl.read_parquet(io.BytesIO(content)).lazy()
            case "ndjson":
                rows: Any = [orjson.loads(line) for line in content.splitlines() if line.strip()]
            case "json":
                rows = orjson.loads(content)
            case _:
                raise FeatureStoreError(
                    f"{view.name}: what {view.source.uri} answers names no format. "
                    "Let its address end in .json, .ndjson, .csv or .parquet, or its content type say it."
                )
    except (pl.exceptions.PolarsError, orjson.JSONDecodeError) as error:
        raise FeatureStoreError(
            f"{view.name}: what {view.source.uri} answers is no {kind}: {str(error).splitlines()[0]}."
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[Any]", rows)):
        raise FeatureStoreError(f"{view.name}: {view.source.uri} answers JSON that is no list of objects.")
    return cast("list[Mapping[str, Any]]", rows)


def _host(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
