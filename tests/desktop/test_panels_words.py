"""Words of the panels: tables, no Qt."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.desktop.panels import words

NOW = datetime(2026, 11, 21, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"), (-29, "just now"), (20, "in a moment"), (-31, "1 min ago"), (-89, "1 min ago"),
        (-12 * 60, "12 min ago"), (48 * 60, "in 48 min"), (-59.4 * 60, "59 min ago"), (-59.6 * 60, "1 h ago"),
        (-23.6 * 3600, "1 d ago"), (10 * 3600, "in 10 h"), (3 * 86400, "in 3 d"), (-6.9 * 86400, "7 d ago"),
        (-8 * 86400, "13 Nov"), (-400 * 86400, "17 Oct 2025"),
    ],
)  # fmt: skip
def test_relative(seconds: float, said: str) -> None:
    assert words.relative(NOW + timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.42, "0.4 s"), (2.0, "2 s"), (9.2, "9 s"), (59.7, "1 min"), (80, "1 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (3 * 86400 + 4 * 3600, "3 d 4 h"), (-1, "–"), (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_duration(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (336776, "336,776"), (0.74127, "0.741"), (0.0, "0.000"), (12.5, "12.500"), (80789.0, "80,789.0"),
        (0.0001, "1.00e-04"), (-0.5, "-0.500"), (3e12, "3.00e+12"), (math.nan, "nan"), (True, "True"), ("x", "x"),
    ],
)  # fmt: skip
def test_number(value: object, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("n", "noun", "said"),
    [(1, "feature", "1 feature"), (1204, "node", "1,204 nodes"), (2, "entity", "2 entities"), (3, "day", "3 days")],
)
def test_count(n: int, noun: str, said: str) -> None:
    assert words.count(n, noun) == said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ((21, 13), (21, 14), "13:00–14:00"),
        ((20, 13), (20, 14), "20 Nov 13:00–14:00"),
        ((20, 0), (21, 0), "20 Nov – 21 Nov"),
        ((20, 6), (21, 6), "20 Nov 06:00 – 21 Nov 06:00"),
    ],
)
def test_interval(start: tuple[int, int], end: tuple[int, int], said: str) -> None:
    first, last = (datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in (start, end))
    assert words.interval(first, last, NOW) == said


@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        ("scheduled__2026-11-21T13:00:00+00:00", "scheduled 13:00"),
        ("asset_triggered__2026-11-21T13:00:00+00:00", "by asset 14:00"),
        ("backfill__2013-03-01T00:00:00+00:00", "backfill 1 Mar 2013"),
        ("manual__2026-11-20T09:30:00+00:00_x7", "manual 14:00"),
        ("my own run", "my own run"),
        ("Odd Kind__1", "Odd Kind__1"),
    ],
)
def test_run_label(run_id: str, said: str) -> None:
    assert words.run_label(run_id, NOW.replace(minute=0), NOW) == said


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-11-21T14:12:00+00:00", NOW), ("2026-11-21T14:12:00", NOW), ("2026-11-21T15:12:00+01:00", NOW),
        ("yesterday", None), (None, None), (12, None), ("", None),
    ],
)  # fmt: skip
def test_moment(value: object, read: datetime | None) -> None:
    assert words.moment(value) == read


@given(st.text(min_size=0, max_size=80), st.integers(0, 90))
def test_elide_middle_keeps_both_ends_and_the_limit(text: str, limit: int) -> None:
    cut = words.elide_middle(text, limit)
    assert len(cut) <= limit or cut == text
    if len(text) <= limit:
        assert cut == text
    elif limit > 2:
        head, _, tail = cut.partition("…") if "…" not in text else (cut[: limit // 2], "…", cut[limit // 2 + 1 :])
        assert text.startswith(head)
        assert text.endswith(tail)


def test_first_sentence_is_cut_at_a_word() -> None:
    assert words.first_sentence("One. Two.") == "One."
    assert words.first_sentence("alpha beta gamma", 11) == "alpha beta …"
