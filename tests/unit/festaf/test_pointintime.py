"""The point-in-time join against a plain Python oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.rows import pointintime as pit

START = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")

minutes = st.none() | st.integers(0, 12).map(lambda m: START + timedelta(minutes=m))
carriers = st.none() | st.sampled_from(["AA", "UA", ""])
numbers = st.none() | st.sampled_from([1, 2])
asked_rows = st.lists(st.tuples(carriers, numbers, minutes), max_size=12)
stored_rows = st.lists(st.tuples(carriers, numbers, minutes, minutes, st.none() | st.integers(0, 9)), max_size=20)
ttls = st.none() | st.integers(0, 6).map(lambda m: timedelta(minutes=m))


def oracle(asked: list[Any], stored: list[Any], ttl: timedelta | None, *, created: bool) -> list[int | None]:
    """For each row that asks, the number of the stored row it gets: the definition, word by word."""
    answer: list[int | None] = []
    for carrier, number, t in asked:
        best: tuple[Any, ...] | None = None
        for i, (c, n, event, made, _) in enumerate(stored):
            if None in (carrier, number, t, event) or (c, n) != (carrier, number) or event > t:
                continue
            if ttl is not None and event < t - ttl:
                continue
            rank = (event, (made is not None, made or START) if created else 0, i)
            best = rank if best is None else max(best, rank)
        answer.append(None if best is None else best[-1])
    return answer


def frames(asked: list[Any], stored: list[Any]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    keys = {"carrier": pl.String, "number": pl.Int64}
    left = pl.LazyFrame(asked, schema={**keys, "t": TIME}, orient="row").with_row_index(pit.ASKED)
    right = pl.LazyFrame(
        stored, schema={**keys, "event": TIME, "made": TIME, "value": pl.Int64}, orient="row"
    ).with_row_index(pit.STORED)
    return left, right


@settings(max_examples=300, deadline=None)
@given(asked_rows, stored_rows, ttls, st.booleans())
def test_join_gives_the_newest_row_known_at_the_time(
    asked: list[Any], stored: list[Any], ttl: timedelta | None, created: bool
) -> None:
    left, right = frames(asked, stored)
    matches = pit.match(
        left,
        right,
        keys=["carrier", "number"],
        at="t",
        event_time="event",
        created_time="made" if created else None,
        ttl=ttl,
    )
    found = pit.fetch(matches, right, {"value": "v", pit.STORED: "i"}).collect()
    wanted = oracle(asked, stored, ttl, created=created)
    got = dict(zip(found[pit.ASKED], zip(found["i"], found["v"], strict=True), strict=True))
    assert got == {row: (i, stored[i][4]) for row, i in enumerate(wanted) if i is not None}
    assert len(found) == len(got)


@settings(max_examples=100, deadline=None)
@given(asked_rows, stored_rows)
def test_rows_without_times_give_the_row_stored_last(asked: list[Any], stored: list[Any]) -> None:
    left, right = frames(asked, stored)
    found = pit.match_current(left, right, keys=["carrier", "number"]).collect()
    current = {(c, n): i for i, (c, n, *_) in enumerate(stored) if None not in (c, n)}
    wanted = {row: current[(c, n)] for row, (c, n, _) in enumerate(asked) if (c, n) in current}
    assert dict(zip(found[pit.ASKED], found[pit.STORED], strict=True)) == wanted


def test_both_ends_of_the_ttl_are_in() -> None:
    left, right = frames(
        [("AA", 1, START + timedelta(minutes=5)), ("AA", 1, START + timedelta(minutes=5, microseconds=1))],
        [("AA", 1, START, None, 7)],
    )
    found = pit.match(
        left, right, keys=["carrier", "number"], at="t", event_time="event", ttl=timedelta(minutes=5)
    ).collect()
    assert found[pit.ASKED].to_list() == [0]
