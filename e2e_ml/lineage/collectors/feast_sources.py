"""What a data source of Feast is and where its rows lie: pure functions of its record in the registry."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from e2e_ml.lineage.collectors.feast_registry import DataSource, TableOptions

_STREAM_KAFKA, _STREAM_KINESIS, _REQUEST, _PUSH = 3, 4, 7, 9  # DataSource.SourceType
_LONGEST = 300  # characters of a query that stands for a table


def format_of(source: DataSource) -> str | None:
    """The word for its kind: "parquet", "delta", "kafka", "push", "request", "bigquery", "postgresql", ..."""
    if source.file is not None:
        return "delta" if source.file.format and source.file.format.delta else "parquet"
    if source.spark is not None:
        return source.spark.file_format or "spark"
    kinds = {_STREAM_KAFKA: "kafka", _STREAM_KINESIS: "kinesis", _REQUEST: "request", _PUSH: "push"}
    if source.type in kinds:
        return kinds[source.type]
    found = next((name for name, table in _tables(source).items() if table is not None), None)
    return found or source.class_type.rpartition(".")[2].removesuffix("Source").lower() or None


def uri_of(source: DataSource) -> str | None:
    """Its path, table or topic as it is written there; of a query its beginning."""
    if source.file is not None:
        return source.file.uri or None
    if source.kafka is not None:
        return source.kafka.topic or None
    if source.kinesis is not None:
        return source.kinesis.stream or None
    if source.spark is not None:
        return source.spark.path or source.spark.table or _query(source.spark.query)
    for name, table in _tables(source).items():
        if table is not None:
            return _full_table(name, table) or _query(table.query)
    told = _configuration(source)
    keys = ("table", "table_ref", "path", "materialization_path", "collection")
    return next((str(told[key]) for key in keys if told.get(key)), None) or _query(str(told.get("query") or ""))


def place_of(source: DataSource, folder: Path | None) -> str | None:
    """Where its rows lie, as an absolute URI; None where that is not told. `folder`: what paths are relative to."""
    if source.file is not None or (source.spark is not None and source.spark.path):
        return _file(uri_of(source) or "", folder)
    if source.kafka is not None and source.kafka.servers and source.kafka.topic:
        return f"kafka://{source.kafka.servers.partition(',')[0].strip()}/{quote(source.kafka.topic)}"
    if source.bigquery is not None and len(parts := re.split(r"[.:]", source.bigquery.table)) == 3:
        return f"bigquery://{'/'.join(parts)}"
    return None


def columns_of(source: DataSource) -> list[str]:
    """The columns that its own record names: those that come with a request."""
    return [field.name for field in source.request.schema] if source.request else []


def source_name(source: DataSource, view: str) -> str:
    """Its name; a source may have none where a view alone knows it."""
    return source.name or uri_of(source) or f"{view}_source"


def _tables(source: DataSource) -> Mapping[str, TableOptions | None]:
    return {
        "bigquery": source.bigquery,
        "redshift": source.redshift,
        "snowflake": source.snowflake,
        "trino": source.trino,
        "athena": source.athena,
    }


def _full_table(warehouse: str, table: TableOptions) -> str:
    if not table.table:
        return ""
    # Athena's third and fourth options are its database and its catalog.
    before = (table.database, table.schema) if warehouse in ("redshift", "snowflake", "athena") else ()
    return ".".join(part for part in (*before, table.table) if part)


def _query(query: str) -> str | None:
    words = " ".join(query.split())
    return (words if len(words) <= _LONGEST else f"{words[:_LONGEST]}...") or None


def _configuration(source: DataSource) -> Mapping[str, Any]:
    try:
        told: Any = json.loads(source.custom.configuration) if source.custom else {}
    except ValueError:
        return {}
    return cast(Mapping[str, Any], told) if isinstance(told, dict) else {}


def _file(uri: str, folder: Path | None) -> str | None:
    if urlsplit(uri).scheme:
        return uri
    if not uri or (folder is None and not Path(uri).is_absolute()):
        return None
    return Path(os.path.normpath((folder or Path("/")) / uri)).as_uri()
