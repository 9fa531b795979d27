"""Polars, the default engine: the kernels of `windows` and `pointintime` as they stand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import narwhals as nw
import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import pointintime as pit
from e2e_ml.festaf.rows.compute import OnPolars, compute_on_read, stored_schema
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type

_AT_ONCE = 2
# Whether this thread waits for Polars, so that others may work for it. One of Polars' own threads must not wait for
# others: they would wait for it.
_thread = threading.local()


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
            numbered, height = asked.lazy().with_row_index(pit.ASKED), len(asked)

            def found(each: Lookup, table: tuple[pl.LazyFrame, int]) -> pl.DataFrame:
                return _found(numbered, height, each, *table)

            for columns in _each(found, lookups, tables):
                asked = asked.hstack(columns)
            return asked

        # As one step over all the rows: Polars cannot push any part of a question into it.
        return entities.map_batches(
            joined, schema=schema, predicate_pushdown=False, projection_pushdown=False, slice_pushdown=False
        )

    def to_polars(self, frame: pl.LazyFrame) -> pl.DataFrame:
        _thread.waits = True
        try:
            return frame.collect()
        except pl.exceptions.InvalidOperationError as error:
            reason = str(error).split("\n\n")[0]
            raise FeatureStoreError(f"The entities' keys do not fit the views' types: {reason}.") from error
        finally:
            _thread.waits = False


def _each(
    found: Callable[[Lookup, tuple[pl.LazyFrame, int]], pl.DataFrame],
    lookups: Sequence[Lookup],
    tables: Sequence[tuple[pl.LazyFrame, int]],
) -> Iterator[pl.DataFrame]:
    """What is found of each view, two of them at a time: much of what one takes keeps a single core busy.

    One alone, too, takes a fifth less on a thread of its own than on the one that waits for the whole.
    """
    if not getattr(_thread, "waits", False):
        yield from map(found, lookups, tables)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(found, lookups, tables)


def _found(asked: pl.LazyFrame, asked_rows: int, each: Lookup, stored: pl.LazyFrame, rows: int) -> pl.DataFrame:
    keys = [pl.col(key.name).cast(polars_type(key.dtype)) for key in each.view.entities]
    times = [] if each.by.timeless else [pl.col(each.by.at).dt.convert_time_zone("UTC").cast(TIMESTAMP)]
    stored = stored.with_row_index(pit.STORED)
    parts = max(1, -(-rows // pit.PART))
    matches = pit.match(asked.select(pit.ASKED, *keys, *times), stored, each.by, parts)
    return pit.fetch(matches, compute_on_read(each.view, stored, each.columns), each.columns, asked_rows)


ENGINE = PolarsEngine()
