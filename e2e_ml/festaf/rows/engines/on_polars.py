"""Polars, the default engine: the kernels of `windows` and `pointintime` as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import pointintime as pit
from e2e_ml.festaf.rows.compute import OnPolars, compute_on_read, stored_schema
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type


class PolarsEngine(OnPolars):
    name = "polars"

    def frame(self, rows: Any) -> pl.LazyFrame:
        """Any frame that narwhals knows. Raises FeatureStoreError for anything else."""
        if isinstance(rows, pl.LazyFrame):
            return rows
        try:
            known = nw.from_native(rows)
        except TypeError as error:
            raise FeatureStoreError(
                f"Entities are a data frame (Polars, pandas, Arrow, ...), not a {type(rows).__name__}. "
                "Make one of it: polars.DataFrame(...)."
            ) from error
        eager = known.collect() if isinstance(known, nw.LazyFrame) else known
        return eager.to_polars().lazy()

    def history(self, entities: pl.LazyFrame, lookups: Sequence[Lookup], offline: OfflineStore) -> pl.LazyFrame:
        """Lazy: nothing is read before it is collected. Every view's table is of the version that it has now."""
        schema = dict(entities.collect_schema())
        tables = [(offline.scan(each.view), offline.stats(each.view).rows) for each in lookups]
        for each in lookups:
            stored = stored_schema(each.view)
            types = {**{f.name: polars_type(f.dtype) for f in each.view.features}, **stored}
            schema.update({column: types[feature] for feature, column in each.columns.items()})

        def joined(asked: pl.DataFrame) -> pl.DataFrame:
            numbered = asked.lazy().with_row_index(pit.ASKED)
            for each, (stored, rows) in zip(lookups, tables, strict=True):
                asked = asked.hstack(_found(numbered, len(asked), each, stored, rows))
            return asked

        # As one step over all the rows: Polars cannot push any part of a question into it.
        return entities.map_batches(
            joined, schema=schema, predicate_pushdown=False, projection_pushdown=False, slice_pushdown=False
        )

    def to_polars(self, frame: pl.LazyFrame) -> pl.DataFrame:
        try:
            return frame.collect()
        except pl.exceptions.InvalidOperationError as error:
            reason = str(error).split("\n\n")[0]
            raise FeatureStoreError(f"The entities' keys do not fit the views' types: {reason}.") from error


def _found(asked: pl.LazyFrame, asked_rows: int, each: Lookup, stored: pl.LazyFrame, rows: int) -> pl.DataFrame:
    keys = [pl.col(key.name).cast(polars_type(key.dtype)) for key in each.view.entities]
    times = [] if each.by.timeless else [pl.col(each.by.at).dt.convert_time_zone("UTC").cast(TIMESTAMP)]
    stored = stored.with_row_index(pit.STORED)
    parts = max(1, -(-rows // pit.PART))
    matches = pit.match(asked.select(pit.ASKED, *keys, *times), stored, each.by, parts)
    return pit.fetch(matches, compute_on_read(each.view, stored, each.columns), each.columns, asked_rows)


ENGINE = PolarsEngine()
