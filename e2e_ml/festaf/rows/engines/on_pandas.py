"""pandas, with Arrow types: classic ones take NaN for null, and have no integers that may be missing.

Rows are joined by `pandas.merge_asof`; windows are in `pandas_windows`: pandas' own know neither groups with peers nor
integers of 64 bits. Expressions run on Arrow's kernels, which pandas calls for these types too, but on the columns
themselves: since its version 3 pandas takes NaN that comes of arithmetic for null.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from e2e_ml.festaf.expression.steps import PythonStep, RowStep
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import ByNarwhals, Work, apply_steps, steps_on_read
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS
from e2e_ml.festaf.rows.engines.pandas_windows import windows_of
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.pointintime import ASKED, STORED, TIME, Match
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type
from e2e_ml.festaf.rows.windows import Order, Window

Frame = Any  # a pandas.DataFrame: pandas and pyarrow say too little of their types to check them
_CODE, _RANK, _EVENT, _CREATED = "__festaf_code", "__festaf_rank", "__festaf_event", "__festaf_created"
_EARLIEST = -(2**63) + 1


class PandasEngine(ByNarwhals):
    name = "pandas"

    def frame(self, rows: Any) -> Frame:
        if isinstance(rows, pd.DataFrame):
            return arrow_typed(arrow(rows))
        return from_polars(POLARS.frame(rows).collect())

    def history(self, entities: Frame, lookups: Sequence[Lookup], offline: OfflineStore) -> Frame:
        answer = entities.reset_index(drop=True)
        for each in lookups:
            stored = from_polars(offline.scan(each.view).collect())
            answer = self.joined(answer, stored, each)
        return answer

    def joined(self, asked: Frame, stored: Frame, each: Lookup) -> Frame:
        """`asked` with the features of its rows; `stored` is in the order of storing. Both are numbered from 0."""
        stored = apply_steps(each.view, stored, steps_on_read(each.view, each.columns), self)
        matches = match(asked, stored, each.by, each.view)
        found = stored[list(each.columns)].take(matches[STORED].to_numpy())
        found = found.set_axis(list(each.columns.values()), axis=1).set_axis(matches[ASKED].to_numpy(), axis=0)
        return pd.concat([asked, found.reindex(asked.index)], axis=1)

    def to_polars(self, frame: Frame) -> pl.DataFrame:
        return to_polars(frame)

    def by_narwhals(self, rows: Frame, column: nw.Expr) -> Frame:
        added = nw.from_native(arrow(rows)).with_columns(column).to_native().drop_columns(list(rows.columns))
        return pd.concat([rows, arrow_typed(added).set_axis(rows.index, axis=0)], axis=1)

    def add_windows(self, rows: Frame, windows: Sequence[Window], order: Order) -> Frame:
        needed = [*order.columns, *(w.value for w in windows), *(name for w in windows for name in w.group)]
        added = windows_of(arrow(rows[list(dict.fromkeys(needed))]), windows, order)
        return pd.concat([rows, arrow_typed(added).set_axis(rows.index, axis=0)], axis=1)

    def through_polars(self, rows: Frame, step: RowStep | PythonStep, work: Work) -> Frame:
        column = work(to_polars(rows)).select(step.name)
        return pd.concat([rows, from_polars(column).set_axis(rows.index, axis=0)], axis=1)


def arrow_typed(table: Any) -> Frame:
    """As pandas with Arrow types: null stays null and NaN stays NaN. Text is of Arrow's large kind, as in Polars."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def arrow(frame: Frame) -> Any:
    """As an Arrow table, of the same memory; without what pandas notes there of types, whose names it cannot read."""
    return cast(Any, pa).Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def from_polars(frame: pl.DataFrame) -> Frame:
    return arrow_typed(cast(Any, frame).to_arrow())


def to_polars(frame: Frame) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(arrow(frame)))


def match(asked: Frame, stored: Frame, by: Match, view: FeatureView) -> Frame:
    """The pairs (ASKED, STORED) of row numbers that belong together, by `pandas.merge_asof`. `pointintime.match` says
    what belongs together."""
    codes = _codes(asked, stored, by, view)
    left: Frame = pd.DataFrame({_CODE: codes[: len(asked)], ASKED: np.arange(len(asked))})
    right: Frame = pd.DataFrame({_CODE: codes[len(asked) :], STORED: np.arange(len(stored))})
    right[_EVENT] = _micros(stored, by.event_time)
    right[_CREATED] = _micros(stored, by.created_time)
    if by.event_time is not None:
        right = right[right[_EVENT] > _EARLIEST]
    left, right = left[left[_CODE] >= 0], right[right[_CODE] >= 0]
    right = right.sort_values([_EVENT, _CREATED, STORED])
    if by.timeless:
        newest = right.drop_duplicates(_CODE, keep="last")
        return left.merge(newest, on=_CODE)[[ASKED, STORED]]
    left[TIME] = _micros(asked, by.at)[left[ASKED].to_numpy()]
    left = left[left[TIME] > _EARLIEST].sort_values(TIME)
    right[_RANK] = np.arange(len(right))
    if by.as_known:
        # A row appears at the later of its two times; the best of all that have appeared is a running maximum.
        right[TIME] = right[[_EVENT, _CREATED]].max(axis=1)
        seen = right[[_CODE, TIME, _RANK]].sort_values(TIME, kind="stable")
        seen[_RANK] = seen.groupby(_CODE)[_RANK].cummax()
    else:
        seen = right[[_CODE, _EVENT, _RANK]].rename(columns={_EVENT: TIME})
    # Of no rows, pandas forgets the type.
    found = (
        pd.merge_asof(left.astype("int64"), seen.astype("int64"), on=TIME, by=_CODE)
        .dropna(subset=[_RANK])
        .astype({_RANK: "int64"})
    )
    best = right.iloc[found[_RANK].to_numpy()]
    pairs: Frame = pd.DataFrame({ASKED: found[ASKED].to_numpy(), STORED: best[STORED].to_numpy()})
    if by.ttl is not None:
        pairs = pairs[found[TIME].to_numpy() - best[_EVENT].to_numpy() <= round(by.ttl.total_seconds() * 1e6)]
    return pairs


def _codes(asked: Frame, stored: Frame, by: Match, view: FeatureView) -> Any:
    """A number for each different set of keys, those of `asked` before those of `stored`; -1 where one is null."""
    types = {key.name: polars_type(key.dtype) for key in view.entities}
    both = pl.concat(
        to_polars(frame[list(by.keys)]).select(pl.col(name).cast(dtype) for name, dtype in types.items())
        for frame in (asked, stored)
    )
    code = pl.struct(pl.all()).rank("dense").cast(pl.Int64)
    known = pl.all_horizontal(pl.all().is_not_null())
    return both.select(pl.when(known).then(code).otherwise(-1)).to_series().to_numpy()


def _micros(frame: Frame, column: str | None) -> Any:
    """Microseconds since 1970; null is the earliest of all."""
    if column is None:
        return np.zeros(len(frame), np.int64)
    times = to_polars(frame[[column]]).to_series().dt.convert_time_zone("UTC").cast(TIMESTAMP)
    return times.to_physical().fill_null(_EARLIEST).to_numpy()


ENGINE = PandasEngine()
