"""Windows on the Arrow memory of a pandas frame, in numpy. What they mean is said in `windows`.

Rows are put in order within their groups, so that each window is a run of neighbours; those without a value are left
out, and it is a run still. Two structures answer what is asked of runs, for all rows at once and in n log n:

- `_folded` puts a run together from blocks of 1, 2, 4, ... neighbours. Nothing is ever taken away from a running sum,
  so that a window's sum loses nothing to what came before it, and NaN and infinity end with the window;
- `_Wavelet` tells the nth smallest of a run, and how many of it are below a bound.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow import compute

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.windows import Order, Window

Column: TypeAlias = Any  # a pyarrow.ChunkedArray, and Table one of pyarrow's: it says too little of its types
Table: TypeAlias = Any
Numbers: TypeAlias = npt.NDArray[Any]
_ARROW = cast(Any, compute)
_EARLIEST = -(2**63)


def windows_of(table: Table, windows: Sequence[Window], order: Order) -> Table:
    """A column for each window, in the order of the table's rows, which need not be sorted."""
    added: dict[str, Column] = {}
    for group in dict.fromkeys(window.group for window in windows):
        rows = _ordered(table, group, order)
        back = np.empty_like(rows.place)
        back[rows.place] = np.arange(len(back))
        for window in windows:
            if window.group == group:
                column = table.column(window.value).take(pa.array(rows.place))
                added[window.output] = _windowed(window, column, rows).take(pa.array(back))
    return pa.table({window.output: added[window.output] for window in windows})


# --- rows in order -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in the order of their groups and within them. `place` is where each was; its group, and its peers at the
    same time, reach from one position to before another. `time` is in microseconds; None in a view without times."""

    place: Numbers
    group: tuple[Numbers, Numbers]
    peers: tuple[Numbers, Numbers]
    time: Numbers | None

    def seen(self, window: Window) -> tuple[Numbers, Numbers]:
        """The positions from which, and before which, each row sees."""
        here, (first, end) = np.arange(len(self.place)), self.group
        if window.over.rows is not None:
            return np.maximum(first, here + 1 - min(window.over.rows, len(here))), here + 1
        if self.time is None:
            return first, end
        if window.over.width is None:
            return first, self.peers[1]
        return self._first_after(self.time - window.microseconds), self.peers[1]

    def _first_after(self, moment: Numbers) -> Numbers:
        """The first of each row's group that is later than the row's moment, which the row itself is: by halving."""
        time = cast(Numbers, self.time)
        low, high = self.group[0].copy(), np.arange(len(time))
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) // 2
            later = time[middle] > moment
            low, high = np.where(later, low, middle + 1), np.where(later, middle, high)
        return high


def _ordered(table: Table, group: Sequence[str], order: Order) -> _Rows:
    codes = np.zeros(len(table), np.int64)
    for name in group:
        each = _codes(table.column(name))
        codes = pd.factorize(codes * (each.max(initial=0) + 1) + each)[0]
    times = [_micros(table.column(name)) for name in order.columns]
    place = np.lexsort((*reversed(times), codes))
    time = times[0][place] if order.event_time else None
    changes = np.diff(codes[place], prepend=-1) != 0
    peers = changes if time is None else changes | (np.diff(time, prepend=_EARLIEST) != 0)
    return _Rows(place, _runs(changes), _runs(peers), time)


def _runs(begins: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """For each position, where its run begins and before which position it ends."""
    first = np.flatnonzero(begins)
    size = np.diff(first, append=len(begins))
    return np.repeat(first, size), np.repeat(first + size, size)


def _codes(column: Column) -> Numbers:
    """A number for each different value. Null is one, NaN is one, and there is one zero."""
    if pa.types.is_floating(column.type):
        column = _ARROW.add(column, pa.scalar(0.0, column.type))
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64)


def _micros(column: Column) -> Numbers:
    """Microseconds since 1970; null is the earliest of all."""
    micros = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    return micros.fill_null(_EARLIEST).to_numpy()


# --- a window's values -------------------------------------------------------------------------------------------


def _windowed(window: Window, column: Column, rows: _Rows) -> Column:
    """The window's values of a column that is in the order of the rows."""
    aggregate = window.over.aggregate
    since = aggregate == "time_since_last"
    there = column.fill_null(False) if since and window.takes == "bool" else column.is_valid()
    places = np.flatnonzero(there.to_numpy())
    before = np.concatenate(([0], np.cumsum(there.to_numpy())))
    low, high = rows.seen(window)
    start, end = before[low], before[rows.peers[0] if since else high]  # among those that are there
    some = end > start + (aggregate == "std")
    first, last = start[some], end[some]
    match aggregate:
        case "count":
            return _column(end - start, start >= 0, pa.int64())
        case "distinct":
            found = _distinct(_codes(column.drop_null()), start, end)
            return _column(found, start >= 0, pa.int64())
        case "first":
            return column.take(_column(places[first], some, pa.int64()))
        case "last":
            return column.take(_column(places[last - 1], some, pa.int64()))
        case "time_since_last":
            time = cast(Numbers, rows.time)
            return _column(time[some] - time[places[last - 1]], some, pa.duration("us"))
        case "min" | "max":
            found = _folded(_exact(column), first, last, np.minimum if aggregate == "min" else np.maximum)
            return _column(found, some, column.type)
        case "sum":
            values = _real(column) if pa.types.is_floating(column.type) else _exact(column)
            gives = column.type if pa.types.is_duration(column.type) else _arrow_type(window.gives)
            return _column(_folded(values, first, last, np.add), some, gives)
        case "mean":
            found = _folded(_real(column), first, last, np.add) / (last - first)
        case "std":
            found = _deviation(_real(column), first, last)
        case "quantile":
            found = _quantile(_real(column), first, last, window.over.quantile or 0.0)
    return _column(found, some, pa.float64())


def _deviation(values: Numbers, first: Numbers, last: Numbers) -> Numbers:
    """The sample standard deviation, of parts that are joined as T. Chan and others have it (1979): no squares are
    taken of what is not a difference."""

    def joined(left: Numbers, right: Numbers) -> Numbers:
        (size, mean, squares), (more, other, others) = left, right
        share, apart = more / (size + more), other - mean
        return np.array([size + more, mean + apart * share, squares + others + apart**2 * size * share])

    finite = np.where(np.isfinite(values), values, np.nan)
    size, _, squares = _folded(np.array([np.ones_like(finite), finite, np.zeros_like(finite)]), first, last, joined)
    return np.sqrt(squares / (size - 1))


def _quantile(values: Numbers, first: Numbers, last: Numbers, share: float) -> Numbers:
    different, rank = np.unique(values, return_inverse=True)
    tree = _Wavelet(rank, len(different))
    place = share * (last - first - 1)
    low, high = (different[tree.nth(first, last, near(place).astype(np.int64))] for near in (np.floor, np.ceil))
    nans = np.concatenate(([0], np.cumsum(np.isnan(values))))
    with np.errstate(invalid="ignore", over="ignore"):
        endless = np.isinf(low) | np.isinf(high)
        between = np.where(endless, low + high, low + (high - low) * (place - np.floor(place)))
    return np.where(nans[last] > nans[first], np.nan, between)


def _distinct(codes: Numbers, first: Numbers, last: Numbers) -> Numbers:
    """How many values of a run have no equal before them in it."""
    order = np.argsort(codes, kind="stable")
    again = np.flatnonzero(np.diff(codes[order]) == 0)
    earlier = np.zeros(len(codes), np.int64)  # one more than where the same value stood before; 0: nowhere
    earlier[order[again + 1]] = order[again] + 1
    return _Wavelet(earlier, len(codes) + 1).below(first, last, first + 1)


# --- runs of neighbours ------------------------------------------------------------------------------------------


def _folded(values: Numbers, first: Numbers, last: Numbers, join: Callable[[Any, Any], Numbers]) -> Numbers:
    """`join` of all values from one position to before another; none of these runs is empty. The last axis counts."""
    blocks, size = values, 1  # at each position, the block of that many values that begins there
    found, at, left = values[..., first], first + 1, last - first - 1
    with np.errstate(all="ignore"):
        while size <= left.max(initial=0):
            mine = np.flatnonzero(left & size)
            found[..., mine] = join(found[..., mine], blocks[..., at[mine]])
            at[mine] += size
            blocks, size = join(blocks[..., :-size], blocks[..., size:]), 2 * size
    return found


class _Wavelet:
    """A wavelet matrix of whole numbers from 0 to below `limit`: for each bit, from the highest on, how many numbers
    before each position have a 0 there; then those with a 0 are put before those with a 1, in their order."""

    def __init__(self, numbers: Numbers, limit: int) -> None:
        self._levels: list[tuple[int, Numbers]] = []
        for bit in reversed(range(limit.bit_length())):
            zero = numbers >> bit & 1 == 0
            self._levels.append((bit, np.concatenate(([0], np.cumsum(zero)))))
            numbers = np.concatenate((numbers[zero], numbers[~zero]))

    def nth(self, first: Numbers, last: Numbers, n: Numbers) -> Numbers:
        """The number that stands at place n, from 0, when those from `first` to before `last` are sorted."""
        found = np.zeros_like(n)
        for bit, zeros in self._levels:
            low, high = zeros[first], zeros[last]
            one = n >= high - low
            n = np.where(one, n - (high - low), n)
            found |= one.astype(np.int64) << bit
            first, last = np.where(one, zeros[-1] + first - low, low), np.where(one, zeros[-1] + last - high, high)
        return found

    def below(self, first: Numbers, last: Numbers, bound: Numbers) -> Numbers:
        """How many of the numbers from `first` to before `last` are less than the bound, itself below the limit."""
        found = np.zeros_like(bound)
        for bit, zeros in self._levels:
            low, high = zeros[first], zeros[last]
            one = bound >> bit & 1 == 1
            found += np.where(one, high - low, 0)
            first, last = np.where(one, zeros[-1] + first - low, low), np.where(one, zeros[-1] + last - high, high)
        return found


# --- from Arrow to numpy and back --------------------------------------------------------------------------------


def _exact(column: Column) -> Numbers:
    """The values that are there: floats as they are, decimals as Python's whole numbers, all else in 64 bits."""
    there, dtype = column.drop_null(), column.type
    if pa.types.is_floating(dtype):
        return there.to_numpy()
    if pa.types.is_decimal(dtype):
        wide = there.cast(pa.decimal128(38, dtype.scale)).combine_chunks()
        words = np.frombuffer(wide.buffers()[1] or b"", np.int64)[2 * wide.offset :][: 2 * len(wide)].reshape(-1, 2)
        return words[:, 1].astype(object) * 2**64 + words[:, 0].astype(np.uint64).astype(object)
    return (there.cast(pa.int32()) if pa.types.is_date32(dtype) else there).cast(pa.int64()).to_numpy()


def _real(column: Column) -> Numbers:
    values = _exact(column)
    if pa.types.is_decimal(column.type):
        values = values / 10**column.type.scale
    return values.astype(np.float64)


def _column(found: Numbers, some: Numbers, dtype: Any) -> Column:
    """`found` where there is some value, and null elsewhere, as a column of the type."""
    values = np.zeros(len(some), found.dtype)
    values[some] = found
    if values.dtype != object:
        made = pa.array(values, mask=~some, from_pandas=False)
        return pa.chunked_array([made.cast(pa.int32()) if pa.types.is_date32(dtype) else made]).cast(dtype, safe=False)
    held = some & (np.abs(values) < 10**38)
    words = b"".join(int(value).to_bytes(16, "little", signed=True) for value in np.where(held, values, 0))
    decimals = pa.Array.from_buffers(dtype, len(values), [None, pa.py_buffer(words)])
    return pa.chunked_array([_ARROW.if_else(pa.array(held.astype(bool)), decimals, pa.scalar(None, dtype))])


def _arrow_type(dtype: DataType) -> Any:
    return cast(Any, pl.Series(dtype=polars_type(dtype))).to_arrow().type
