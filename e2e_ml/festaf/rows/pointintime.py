"""Point-in-time joins: what they mean, and the Polars kernel. Which stored row did an entity have at a moment?

For a row that asks (keys, t): the newest stored row of those keys with t - ttl <= event time <= t, both ends in; among
equal event times the one created last; among equal created times the one stored last. Nothing later than t, ever. As
known at t: of those rows only that had been created by t. A null key or time matches nothing; a null created time
counts as the earliest. Rows without event times: the one created last, else the one stored last.

How it is made fast, and small:

- Keys and times alone are sorted and joined, to pairs of row numbers; the values of those rows only are fetched.
- The sort by event and created time is two stable sorts by one column each: half the time of one by both.
- What had been created by t: let a row appear at the later of its two times. The row to take at t is then the best of
  all that have appeared, a running maximum, and the newest entry of that is what a join by time finds.
- A large table is matched in parts by its keys' hashes, one after the other, so that memory is bounded by a part's keys
  and times; values stream through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

import polars as pl

ASKED = "__festaf_asked"  # the number of the row that asks
STORED = "__festaf_stored"  # the number of the stored row
TIME = "__festaf_time"
_RANK = "__festaf_rank"
_EVENT = "__festaf_event"
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
PART = 6_000_000  # stored rows whose keys and times are held at once: some 250 MB with one key


@dataclass(frozen=True, slots=True)
class Match:
    """What makes a stored row the answer. `at` names the asked moment, `created_time` is None where there is none."""

    keys: tuple[str, ...]
    at: str
    event_time: str | None
    created_time: str | None = None
    ttl: timedelta | None = None
    as_known: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """The columns by which the last stored row is the best one, before the order of storing."""
        return tuple(name for name in (self.event_time, self.created_time) if name)

    @property
    def timeless(self) -> bool:
        """Whether one row of each entity answers every moment."""
        return self.event_time is None and not self.as_known


def match(asked: pl.LazyFrame, stored: pl.LazyFrame, by: Match, parts: int = 1) -> pl.DataFrame:
    """The pairs (ASKED, STORED) of rows that belong together, in no order; a row without an answer is left out.

    `asked` has ASKED, the keys and `by.at`, unless it is timeless; `stored` has STORED, the keys and `by.order`. Keys
    have equal types on both sides; times are Datetime of one unit and zone. Neither need be sorted.
    """
    times = [] if by.timeless else [pl.col(by.at).alias(TIME)]
    left = asked.select(ASKED, *by.keys, *times).drop_nulls().collect()
    right = stored.select(*by.keys, *by.order, STORED)
    found = [
        _matched(left.lazy().filter(_in_part(by.keys, part, parts)), right.filter(_in_part(by.keys, part, parts)), by)
        for part in range(parts)
    ]
    return pl.concat(found)


def _in_part(keys: Sequence[str], part: int, parts: int) -> pl.Expr:
    if parts == 1:
        return pl.lit(True)
    hashed = reduce(lambda seen, key: seen * 31 + key, (pl.col(key).hash() for key in keys))
    return hashed % parts == part


def _matched(asked: pl.LazyFrame, stored: pl.LazyFrame, by: Match) -> pl.DataFrame:
    keys = list(by.keys)
    needed = [*keys, *([by.event_time] if by.event_time else [])]
    # In streams, so that of a large table only this part is ever held.
    rows = stored.drop_nulls(needed).collect(engine="streaming").lazy()
    for column in reversed(by.order):
        rows = rows.sort(column, maintain_order=True, nulls_last=False)
        if column == by.created_time and not by.as_known:
            rows = rows.drop(column)
    if by.timeless:
        newest = rows.select(*keys, STORED).unique(keys, keep="last", maintain_order=True)
        return asked.join(newest, on=keys).select(ASKED, STORED).collect()
    event = by.event_time or str(by.created_time)
    if not by.as_known:
        rows = rows.select(*keys, pl.col(event).alias(TIME), STORED)
        found = _asof(asked.sort(TIME), rows, keys, by.ttl)
        return found.select(ASKED, STORED).drop_nulls().collect()
    # Numbers in the order of being the best: the running maximum of them is the best so far.
    rows = rows.with_row_index(_RANK)
    appears = pl.max_horizontal(event, str(by.created_time)).fill_null(_EARLIEST).alias(TIME)
    seen = (
        rows.select(*keys, appears, pl.col(_RANK))
        .sort(TIME, maintain_order=True, nulls_last=False)
        .with_columns(pl.col(_RANK).cum_max().over(keys))
    )
    found = _asof(asked.sort(TIME), seen, keys, None).select(ASKED, TIME, _RANK).drop_nulls()
    best = found.join(rows.select(_RANK, STORED, pl.col(event).alias(_EVENT)), on=_RANK)
    if by.ttl is not None:
        best = best.filter(pl.col(_EVENT) >= pl.col(TIME) - by.ttl)
    return best.select(ASKED, STORED).collect()


def _asof(asked: pl.LazyFrame, rows: pl.LazyFrame, keys: list[str], ttl: timedelta | None) -> pl.LazyFrame:
    """The last of equal times is taken. Both sides are sorted by TIME; Polars cannot see that with `by`."""
    return asked.join_asof(rows, on=TIME, by=keys, strategy="backward", tolerance=ttl, check_sortedness=False)


def fetch(matches: pl.DataFrame, values: pl.LazyFrame, columns: Mapping[str, str], rows: int) -> pl.DataFrame:
    """The matched rows' values for each of `rows` rows that asked, in their order; null where nothing matched.

    `columns` maps a column of `values`, which has STORED, to its name here.
    """
    wanted = values.select(STORED, *(pl.col(old).alias(new) for old, new in columns.items()))
    found = wanted.join(matches.lazy(), on=STORED).drop(STORED).collect(engine="streaming")
    # Measured on a million rows: placing by number takes as long as a join and a sort, and no second copy.
    place = pl.zeros(0, pl.UInt32, eager=True).extend_constant(None, rows)
    place = place.scatter(found[ASKED], pl.int_range(len(found), dtype=pl.UInt32, eager=True))
    return found.select(pl.col(name).gather(place) for name in columns.values())
