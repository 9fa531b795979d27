"""Every rule on the types that take it: what breaks it, what does not, and how that is told."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import polars as pl
import pytest

from e2e_ml.festaf.model import Constraint, IntervalStats, RuleCount
from e2e_ml.festaf.naming import rule as words
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.validation import Checked, check, fatal, table, trend_table
from tests.unit.festaf.worlds import T0, feature, weather

NOON, LATER = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=UTC)


def checked(dtype: str, values: list[Any], rule: str, value: Any = None, **view: Any) -> Checked:
    constraint = Constraint.model_validate({"rule": rule, "value": value})
    record = weather(features=(feature("x", dtype, constraints=(constraint,)),), **view)
    keys = {"origin": [f"K{i}" for i in range(len(values))], "observed_at": [NOON] * len(values)}
    schema = {"origin": pl.String(), "observed_at": pl.Datetime("us", "UTC"), "x": polars_type(dtype)}
    return check(record, pl.LazyFrame({**keys, "x": values}, schema=schema))


@pytest.mark.parametrize(
    ("rule", "value", "dtype", "holds", "breaks"),
    [
        ("required", None, "string", ["", "a"], [None]),
        ("required", None, "float64", [0.0, math.nan], [None]),
        ("lower_bound", 2, "int32", [2, 3, None], [1]),
        ("lower_bound", 2.0, "float64", [2.0, math.inf, None], [1.9, math.nan]),
        ("upper_bound", 2, "int64", [2, 1, None], [3]),
        ("above", 2, "int32", [3, None], [2, 1]),
        ("above", 2.0, "float32", [2.5, None], [2.0, math.nan]),
        ("below", 2.0, "float64", [1.0, None], [2.0, math.nan]),
        ("lower_bound", "1.50", "decimal(12, 2)", [Decimal("1.50"), None], [Decimal("1.49")]),
        ("upper_bound", NOON.isoformat(), "timestamp", [NOON, None], [LATER]),
        ("lower_bound", "2026-01-01", "date", [date(2026, 1, 1), None], [date(2025, 12, 31)]),
        ("upper_bound", 60.0, "duration", [timedelta(minutes=1), None], [timedelta(minutes=2)]),
        ("accepted_values", ["rain", "snow"], "string", ["rain", None], ["Rain", ""]),
        ("accepted_values", ["rain", "snow"], "category", ["snow", None], ["sun"]),
        ("accepted_values", [1, 2], "int8", [1, 2, None], [3]),
        ("min_length", 2, "string", ["ab", "äö", None], ["a", "ä", ""]),
        ("max_length", 2, "string", ["äö", "", None], ["abc"]),
        ("min_length", 1, "list(int64)", [[1], None], [[]]),
        ("max_length", 1, "list(string)", [["a"], [], None], [["a", "b"]]),
        ("matches", "[A-Z]{3}|none", "string", ["JFK", "none", None], ["JFKX", "jfk", "a none", ""]),
        ("matches", "[A-Z]{3}", "category", ["JFK", None], ["JF"]),
        ("matches", r"\d+", "string", ["12", None], ["١٢", "1a", "12\n"]),
        ("unique", None, "string", ["a", "b", None, None], []),
        ("unique", None, "int64", [], [1, 1]),
        ("unique", None, "list(int64)", [[1], [2]], [[3], [3]]),
    ],
)
def test_what_breaks_a_rule(rule: str, value: Any, dtype: str, holds: list[Any], breaks: list[Any]) -> None:
    assert checked(dtype, holds, rule, value).broken == ()
    found = checked(dtype, holds + breaks, rule, value)
    (count,) = found.checks
    assert (count.feature, count.rule, count.value) == ("x", rule, value)
    assert (count.checked, count.broken) == (len(holds) + len(breaks), len(breaks))
    assert sum(violation.count for violation in found.broken) == len(breaks)
    for violation in found.broken:
        assert [row["origin"] for row in violation.examples] == [
            f"K{i}" for i in range(len(holds), len(holds) + len(breaks))
        ]
        assert violation.examples[0]["observed_at"] == "2026-01-01T12:00:00+00:00"
        violation.model_dump_json()


def test_every_rule_of_the_registry_is_checked_and_has_words() -> None:
    rules = get_args(Constraint.model_fields["rule"].annotation)
    said = {words(Constraint(rule=rule, value=["a"] if rule == "accepted_values" else 1)) for rule in rules}
    assert len(said) == len(rules) == 10


def test_five_examples_and_the_whole_count() -> None:
    (broken,) = checked("int64", [9] * 50, "upper_bound", 1).broken
    assert (broken.count, len(broken.examples)) == (50, 5)
    assert table([broken]).splitlines()[1].startswith("x: upper_bound 1    50  origin=K0, observed_at=2026-01-01T12")


@pytest.mark.parametrize(
    ("rule", "policy", "stops"),
    [("required", "warn", 1), ("required", "fail", 1), ("unique", "warn", 0), ("unique", "fail", 1)],
)
def test_what_stops_a_write(rule: str, policy: str, stops: int) -> None:
    values = [None] if rule == "required" else ["a", "a"]
    found = checked("string", values, rule, on_broken=policy)
    assert len(fatal(weather(on_broken=policy), found.broken)) == stops


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "weather has no rows, so there is nothing to check. Load an interval of it first."),
        ([1, 2], "Every constraint of weather holds in its 2 rows."),
        ([1, 3], "1 of the 1 constraints of weather are broken."),
    ],
)
def test_the_verdict_is_a_sentence(values: list[int], sentence: str) -> None:
    assert checked("int64", values, "upper_bound", 2).sentence("weather") == sentence


def test_a_view_without_constraints_has_none_to_hold() -> None:
    found = check(weather(features=(feature("temp"),)), pl.LazyFrame({"temp": [1.0]}))
    assert found.sentence("weather") == "weather has no constraints."


def test_a_trend_is_a_line_an_interval() -> None:
    checks = (RuleCount(feature="temp", rule="upper_bound", value=130, checked=36, broken=3),)
    point = IntervalStats(start=T0, end=T0 + timedelta(days=1), rows=36, written_at=T0, writes=2, checks=checks)
    snapshot = IntervalStats(start=None, end=None, rows=1200, written_at=T0)
    assert trend_table([point, snapshot]).splitlines() == [
        "interval                 rows  writes  broken",
        "2013-01-01 00:00           36       2  temp at most 130: 3",
        "as of 2013-01-01 00:00  1,200       1",
    ]
