"""Dask: pandas in partitions, on threads, processes or a cluster. Nothing runs before it is asked.

What belongs together is brought into one partition by a hash of its keys; there it is pandas' work. The hash is ours,
so that both sides of a join agree on it whatever their types are to pandas. At the end rows go back to where they were.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd
import polars as pl

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression.steps import PythonStep, RowStep
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import stored_schema
from e2e_ml.festaf.rows.engines.on_pandas import ENGINE as PANDAS
from e2e_ml.festaf.rows.engines.on_pandas import Frame, arrow, arrow_typed, from_polars, to_polars
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.pointintime import ASKED, STORED
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.windows import Order, Window

Frames = Any  # a dask.dataframe.DataFrame, which says too little of its types to check them
_ROW, _PART = "__festaf_row", "__festaf_part"
_PARTITION = 1 << 40  # a row's number is its partition's times this, and its place there
_SMALL = 1_000_000  # rows that are not worth a partition of their own


class DaskEngine:
    name = "dask"

    def frame(self, rows: Any) -> Frames:
        if isinstance(rows, dd.DataFrame):
            return _each(rows, _typed)
        frame = PANDAS.frame(rows)
        return _each(dd.from_pandas(frame, npartitions=max(1, len(frame) // _SMALL), sort=False), _typed)

    def history(self, entities: Frames, lookups: Sequence[Lookup], offline: OfflineStore) -> Frames:
        answer = _numbered(entities, ASKED)
        for each in lookups:
            stored = _stored(each.view, offline)
            parts = max(entities.npartitions, stored.npartitions)
            types = {key.name: polars_type(key.dtype) for key in each.view.entities}
            answer = dd.map_partitions(
                _joined,
                _together(answer, types, parts),
                _together(stored, types, parts),
                each=each,
                align_dataframes=False,
                meta=PANDAS.joined(answer._meta, stored._meta, each),
            )
        return _in_order(answer, ASKED, entities.npartitions)

    def to_polars(self, frame: Frames) -> pl.DataFrame:
        return to_polars(_typed(frame.compute()))

    def add_expression(self, rows: Frames, step: RowStep, types: Mapping[str, DataType]) -> Frames:
        return _each(rows, PANDAS.add_expression, step=step, types=dict(types))

    def add_windows(self, rows: Frames, windows: Sequence[Window], order: Order) -> Frames:
        parts = rows.npartitions
        rows = _numbered(rows, _ROW)
        for group in dict.fromkeys(window.group for window in windows):
            mine = [window for window in windows if window.group == group]
            rows = _each(_together(rows, dict.fromkeys(group), parts), _windowed, windows=mine, order=order)
        return _in_order(rows, _ROW, parts)

    def add_python(self, rows: Frames, step: PythonStep, project: Path) -> Frames:
        """A call for each partition, and one for no rows, whose type has to be right too."""
        return _each(rows, PANDAS.add_python, step=step, project=project)


def _each(frame: Frames, work: Any, **more: Any) -> Frames:
    """`work` on each partition, of which it makes another pandas frame."""
    return frame.map_partitions(work, meta=work(frame._meta, **more), **more)


def _typed(rows: Frame) -> Frame:
    return arrow_typed(arrow(rows))


def _numbered(frame: Frames, name: str) -> Frames:
    """With the number of each row, which rises from row to row."""
    return frame.map_partitions(_number, name=name, meta=_number(frame._meta, name=name))


def _number(rows: Frame, name: str, partition_info: Mapping[str, int] | None = None) -> Frame:
    first = (partition_info["number"] if partition_info else 0) * _PARTITION
    return rows.assign(**{name: pd.RangeIndex(first, first + len(rows))}).astype({name: "int64"})


def _together(frame: Frames, types: Mapping[str, pl.DataType | None], parts: int) -> Frames:
    """Rows with equal values in the columns of `types`, in these types, come into one of `parts` partitions."""
    hashed = _each(frame, _hashed, types=dict(types), parts=parts)
    return _each(hashed.shuffle(on=_PART, npartitions=parts), _without_part)


def _hashed(rows: Frame, types: Mapping[str, pl.DataType | None], parts: int) -> Frame:
    columns = [pl.col(name) if dtype is None else pl.col(name).cast(dtype) for name, dtype in types.items()]
    part = to_polars(rows[list(types)]).select(pl.struct(columns).hash(0) % parts).to_series().cast(pl.Int64)
    return rows.assign(**{_PART: part.to_numpy()}).astype({_PART: "int64"})


def _without_part(rows: Frame) -> Frame:
    return rows.drop(columns=_PART).reset_index(drop=True)


def _joined(asked: Frame, stored: Frame, each: Lookup) -> Frame:
    return PANDAS.joined(asked, stored.sort_values(STORED).reset_index(drop=True), each)


def _windowed(rows: Frame, windows: Sequence[Window], order: Order) -> Frame:
    return PANDAS.add_windows(rows.sort_values(_ROW).reset_index(drop=True), windows, order)


def _in_order(frame: Frames, number: str, parts: int) -> Frames:
    """Back in the order, and in the partitions, that the numbers say."""
    divisions = [part * _PARTITION for part in range(parts + 1)]
    ordered = frame.set_index(number, divisions=divisions)
    return _each(ordered, _without_index)


def _without_index(rows: Frame) -> Frame:
    return rows.sort_index().reset_index(drop=True)


def _stored(view: FeatureView, offline: OfflineStore) -> Frames:
    """The view's offline table, a partition for each of its files, with STORED."""
    meta = _number(from_polars(pl.DataFrame(schema=stored_schema(view))), STORED)
    files = offline.files(view)
    if not files.uris:
        return dd.from_pandas(meta, npartitions=1)
    read = partial(_read, view=view, columns=dict(files.columns))
    return dd.from_map(read, files.uris, range(len(files.uris)), meta=meta)


def _read(file: str, number: int, view: FeatureView, columns: Mapping[str, str]) -> Frame:
    frame = pl.scan_parquet(file)
    found = frame.collect_schema()
    rows = frame.select(
        (pl.col(columns[name]).cast(dtype) if columns.get(name) in found else pl.lit(None, dtype)).alias(name)
        for name, dtype in stored_schema(view).items()
    )
    return _number(from_polars(rows.collect()), STORED, {"number": number})


ENGINE = DaskEngine()
