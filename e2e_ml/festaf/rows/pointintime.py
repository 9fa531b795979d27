"""Point-in-time joins: the Polars kernel. Which stored row did an entity have at the moment that is asked about?

For a row that asks (keys, t): the newest stored row of those keys with t - ttl <= event time <= t, both ends in; among
equal event times the one created last; among equal created times the one stored last. Nothing later than t, ever.

The join is in two steps so that wide rows are never sorted: `match` finds the stored rows' numbers from keys and times
alone, `fetch` brings the values of those rows only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

ASKED = "__festaf_asked"  # the number of the row that asks
STORED = "__festaf_stored"  # the number of the stored row
_TIME = "__festaf_time"


def match(
    asked: pl.LazyFrame,
    stored: pl.LazyFrame,
    *,
    keys: Sequence[str],
    at: str,
    event_time: str,
    created_time: str | None = None,
    ttl: timedelta | None = None,
) -> pl.LazyFrame:
    """The pairs (ASKED, STORED) of rows that belong together, in no order; a row without an answer is left out.

    `asked` has ASKED, the keys and `at`; `stored` has STORED, the keys, `event_time` and perhaps `created_time`. Keys
    have equal types on both sides; `at` and `event_time` are Datetime of one unit and zone. Neither need be sorted. A
    null key or time matches nothing; a null created time counts as the earliest.
    """
    order = [event_time, *([created_time] if created_time else []), STORED]
    left = asked.select(ASKED, *keys, pl.col(at).alias(_TIME)).drop_nulls().sort(_TIME)
    # The backward join takes the last of equal event times, hence the order by created time and number.
    right = (
        stored.drop_nulls([*keys, event_time])
        .sort(order, nulls_last=False)
        .select(*keys, pl.col(event_time).alias(_TIME), STORED)
    )
    return (
        left.join_asof(
            right,
            on=_TIME,
            by=list(keys),
            strategy="backward",
            tolerance=ttl,
            check_sortedness=False,  # both sides are sorted just above; Polars cannot see that with `by`
        )
        .select(ASKED, STORED)
        .drop_nulls()
    )


def match_current(asked: pl.LazyFrame, stored: pl.LazyFrame, *, keys: Sequence[str]) -> pl.LazyFrame:
    """The pairs (ASKED, STORED) for rows without times: the row of those keys that was stored last."""
    right = stored.select(*keys, STORED).drop_nulls().group_by(keys).agg(pl.col(STORED).max())
    return asked.select(ASKED, *keys).drop_nulls().join(right, on=list(keys), how="inner").select(ASKED, STORED)


def fetch(matches: pl.LazyFrame, values: pl.LazyFrame, columns: Mapping[str, str]) -> pl.LazyFrame:
    """ASKED and the matched rows' values: `columns` maps a column of `values`, which has STORED, to its name here."""
    wanted = values.select(STORED, *(pl.col(old).alias(new) for old, new in columns.items()))
    return matches.join(wanted, on=STORED, how="inner").drop(STORED)
