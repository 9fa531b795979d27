"""Sources that are files: CSV, Parquet and Delta tables, in the project folder or where a URI says."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView, Source

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def location(source: Source, project: Path) -> str:
    return source.uri if _SCHEME.match(source.uri) else str(project / source.uri)


def scan(view: FeatureView, project: Path) -> pl.LazyFrame:
    """The file as it is. Raises FeatureStoreError where it is not there."""
    place = location(view.source, project)
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
        case _:
            return pl.scan_delta(place)
