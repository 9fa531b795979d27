"""The point-in-time join against a plain Python oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.rows import pointintime as pit
from tests.unit.festaf import naive

START = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")

minutes = st.none() | st.integers(0, 12).map(lambda m: START + timedelta(minutes=m))
carriers = st.none() | st.sampled_from(["AA", "UA", ""])
numbers = st.none() | st.sampled_from([1, 2])
asked_rows = st.lists(st.tuples(carriers, numbers, minutes), max_size=12)
stored_rows = st.lists(st.tuples(carriers, numbers, minutes, minutes, st.none() | st.integers(0, 9)), max_size=20)
ttls = st.none() | st.integers(0, 6).map(lambda m: timedelta(minutes=m))


def frames(asked: list[Any], stored: list[Any]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    keys = {"carrier": pl.String, "number": pl.Int64}
    left = pl.LazyFrame(asked, schema={**keys, "t": TIME}, orient="row").with_row_index(pit.ASKED)
    right = pl.LazyFrame(
        stored, schema={**keys, "event": TIME, "made": TIME, "value": pl.Int64}, orient="row"
    ).with_row_index(pit.STORED)
    return left, right.with_columns(pl.col(pit.STORED).cast(pl.Int64).alias("number_of"))


def found(asked: list[Any], stored: list[Any], by: pit.Match, parts: int = 1) -> list[tuple[int, int | None] | None]:
    """For each row that asks, the number and the value of the stored row that it gets."""
    left, right = frames(asked, stored)
    matches = pit.match(left, right, by, parts)
    assert matches[pit.ASKED].is_unique().all()
    values = pit.fetch(matches, right, {"value": "v", "number_of": "i"}, len(asked))
    return [None if i is None else (i, v) for v, i in values.rows()]


KEYS = ("carrier", "number")


@settings(max_examples=300, deadline=None)
@given(asked_rows, stored_rows, ttls, st.sampled_from([(False, False), (True, False), (True, True)]), st.integers(1, 3))
def test_join_gives_the_newest_row_known_at_the_time(
    asked: list[Any], stored: list[Any], ttl: timedelta | None, mode: tuple[bool, bool], parts: int
) -> None:
    created, as_known = mode
    by = pit.Match(KEYS, "t", "event", "made" if created else None, ttl, as_known)
    wanted = naive.match(
        [((c, n), t) for c, n, t in asked],
        [((c, n), event, made if created else None) for c, n, event, made, _ in stored],
        ttl,
        known=as_known,
    )
    assert found(asked, stored, by, parts) == [None if i is None else (i, stored[i][4]) for i in wanted]


@settings(max_examples=100, deadline=None)
@given(asked_rows, stored_rows, st.booleans(), st.integers(1, 3))
def test_rows_without_times_give_the_row_created_last_or_else_stored_last(
    asked: list[Any], stored: list[Any], created: bool, parts: int
) -> None:
    by = pit.Match(KEYS, "t", None, "made" if created else None)
    order = sorted(range(len(stored)), key=lambda i: (created and stored[i][3] is not None, stored[i][3] or START, i))
    if not created:
        order = list(range(len(stored)))
    current = {stored[i][:2]: i for i in order if None not in stored[i][:2]}
    wanted = [current.get((c, n)) for c, n, _ in asked]
    assert found(asked, stored, by, parts) == [None if i is None else (i, stored[i][4]) for i in wanted]


@settings(max_examples=100, deadline=None)
@given(asked_rows, stored_rows)
def test_rows_without_times_as_known_are_those_created_by_then(asked: list[Any], stored: list[Any]) -> None:
    by = pit.Match(KEYS, "t", None, "made", as_known=True)
    wanted: list[int | None] = []
    for c, n, t in asked:
        known = [
            (made is not None, made or START, i)
            for i, (carrier, number, _, made, _) in enumerate(stored)
            if (carrier, number) == (c, n) and None not in (c, n, t) and (made is None or made <= t)
        ]
        wanted.append(max(known)[2] if known else None)
    assert found(asked, stored, by) == [None if i is None else (i, stored[i][4]) for i in wanted]


def test_both_ends_of_the_ttl_are_in() -> None:
    asked = [("AA", 1, START + timedelta(minutes=5)), ("AA", 1, START + timedelta(minutes=5, microseconds=1))]
    by = pit.Match(KEYS, "t", "event", ttl=timedelta(minutes=5))
    assert found(asked, [("AA", 1, START, None, 7)], by) == [(0, 7), None]


def test_a_later_correction_is_not_known_yet() -> None:
    noon, one, two = (START + timedelta(hours=h) for h in (0, 1, 2))
    stored = [("AA", 1, noon, noon, 7), ("AA", 1, noon, one, 8), ("AA", 1, one, two, 9)]
    asked = [("AA", 1, moment) for moment in (noon, one, two)]
    later, known = (pit.Match(KEYS, "t", "event", "made", as_known=known) for known in (False, True))
    assert found(asked, stored, later) == [(1, 8), (2, 9), (2, 9)]
    assert found(asked, stored, known) == [(0, 7), (1, 8), (2, 9)]
