"""Freshness against schedule, by tables: what was written, when it is looked at, and the verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from e2e_ml.festaf.freshness import FreshnessState, brief, expected, freshness


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


FRESH, LATE, NEVER = FreshnessState.FRESH, FreshnessState.LATE, FreshnessState.NEVER


@pytest.mark.parametrize(
    ("schedule", "until", "now", "state", "label"),
    [
        ("@hourly", "2026-01-01 12:00", "2026-01-01 12:12", FRESH, "fresh, 12 min"),
        # Six minutes of grace: the run of 12:00 may still be at work.
        ("@hourly", "2026-01-01 11:00", "2026-01-01 12:05", FRESH, "fresh, 65 min"),
        ("@hourly", "2026-01-01 11:00", "2026-01-01 12:42", LATE, "late, 42 min"),
        # Late since the first interval that is missing, not since the newest.
        ("@hourly", "2026-01-01 07:00", "2026-01-01 12:30", LATE, "late, 4 h"),
        ("@daily", "2026-01-01 00:00", "2026-01-01 23:59", FRESH, "fresh, 24 h"),
        ("@daily", "2026-01-01 00:00", "2026-01-02 00:59", FRESH, "fresh, 25 h"),
        ("@daily", "2026-01-01 00:00", "2026-01-02 01:01", LATE, "late, 61 min"),
        ("@weekly", "2026-01-04 00:00", "2026-01-09 00:00", FRESH, "fresh, 5 days"),
        ("@quarterly", "2026-01-01 00:00", "2026-03-31 00:00", FRESH, "fresh, 3 months"),
        ("*/5 * * * *", "2026-01-01 12:00", "2026-01-01 12:05:30", FRESH, "fresh, 6 min"),
        ("*/5 * * * *", "2026-01-01 12:00", "2026-01-01 12:07", LATE, "late, 2 min"),
        ("30 6 * * 1-5", "2026-01-02 06:30", "2026-01-04 12:00", FRESH, "fresh, 2 days"),  # a weekend
        ("@hourly", None, "2026-01-01 12:12", NEVER, "never written"),
        ("@once", "2026-01-01 12:00", "2026-03-01 12:00", FreshnessState.UNTIMED, "written"),
        ("@once", None, "2026-03-01 12:00", NEVER, "never written"),
        (None, "2026-01-01 12:00", "2026-01-01 12:12", FreshnessState.NO_PIPELINE, "no pipeline"),
        (None, None, "2026-01-01 12:12", FreshnessState.NO_PIPELINE, "no pipeline"),
    ],
)
def test_verdicts(schedule: str | None, until: str | None, now: str, state: FreshnessState, label: str) -> None:
    verdict = freshness(schedule=schedule, written_until=at(until) if until else None, now=at(now))
    assert (verdict.state, verdict.label) == (state, label)
    assert verdict.sentence.endswith(".")


def test_an_existing_dags_view_is_not_judged_by_a_schedule_we_do_not_know() -> None:
    now = at("2026-01-01 12:00")
    verdict = freshness(schedule=None, written_until=now - timedelta(hours=3), now=now, produced_by="legacy.load")
    assert verdict.state is FreshnessState.UNTIMED
    assert verdict.sentence == "Written 3 h ago by legacy.load."
    unwritten = freshness(schedule=None, written_until=None, now=now, produced_by="legacy.load")
    assert unwritten.state is NEVER
    assert "legacy.load" in unwritten.sentence


def test_a_view_with_an_end_is_complete_and_never_late() -> None:
    ended = at("2014-01-01 00:00")
    verdict = freshness(schedule="@daily", written_until=ended, now=at("2026-01-01 00:00"), end=ended)
    assert verdict.state is FreshnessState.COMPLETE
    short = freshness(schedule="@daily", written_until=ended - timedelta(days=1), now=at("2026-01-01 00:00"), end=ended)
    assert short.state is LATE


def test_the_time_of_writing_stands_in_where_no_interval_is_known() -> None:
    now = at("2026-01-01 12:30")
    assert freshness(schedule="@hourly", written_until=None, last_written=now, now=now).state is FRESH


@pytest.mark.parametrize(
    ("written", "expected_holes"),
    [
        ([], []),
        ([(0, 1), (1, 2)], []),
        ([(2, 3), (0, 1)], [(1, 2)]),  # in any order
        ([(0, 4), (1, 2), (6, 7), (9, 10)], [(4, 6), (7, 9)]),
        ([(0, 2), (1, 3)], []),
    ],
)
def test_what_was_never_written_is_told(written: list[tuple[int, int]], expected_holes: list[tuple[int, int]]) -> None:
    def hours(spans: list[tuple[int, int]]) -> list[tuple[datetime, datetime]]:
        return [(at("2026-01-01") + timedelta(hours=a), at("2026-01-01") + timedelta(hours=b)) for a, b in spans]

    until = at("2026-01-01 10:00")
    verdict = freshness(schedule="@hourly", written_until=until, now=until, written=hours(written))
    assert list(verdict.holes) == hours(expected_holes)
    assert verdict.state is FRESH
    assert ("Never written: " in verdict.sentence) == bool(expected_holes)
    if len(expected_holes) == 2:
        assert verdict.sentence.endswith(
            "Never written: 2026-01-01 04:00 to 2026-01-01 06:00 and 1 more. Backfill the DAG over it."
        )


def test_other_zones_are_the_same_moments() -> None:
    zone = timezone(timedelta(hours=-5))
    verdict = freshness(
        schedule="@hourly",
        written_until=datetime(2026, 1, 1, 7, tzinfo=zone),
        now=datetime(2026, 1, 1, 7, 12, tzinfo=zone),
    )
    assert verdict.label == "fresh, 12 min"
    assert verdict.next_at == at("2026-01-01 13:00")


@pytest.mark.parametrize("schedule", ["hourly", "* * *", "61 * * * *", "@often"])
def test_a_schedule_that_is_none_is_refused_with_the_forms_that_are(schedule: str) -> None:
    with pytest.raises(ValueError, match="is no schedule: write five cron fields or one of @hourly"):
        expected(schedule, at("2026-01-01"))


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="now has no time zone"):
        freshness(schedule="@daily", written_until=None, now=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=4), "4 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=3), "3 days"),
        (timedelta(days=90), "3 months"),
        (timedelta(days=4700), "13 years"),
    ],
)
def test_durations_in_one_unit(span: timedelta, text: str) -> None:
    assert brief(span) == text
