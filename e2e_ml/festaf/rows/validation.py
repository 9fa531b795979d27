"""Which rows break a view's constraints: each rule with the rows it was checked on, how many break it, and some.

Constraints are checked on what is stored, so after nulls were filled. A null breaks `required` alone; NaN lies within
no bounds; `unique` looks at the rows that are checked together: those of one interval when it is written, all of them
when a view is validated.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS
from e2e_ml.festaf.expression.patterns import to_portable
from e2e_ml.festaf.model import Constraint, Feature, FeatureView, IntervalStats, Record, RuleCount
from e2e_ml.festaf.naming import rule

EXAMPLES = 5


class Violation(Record):
    """One broken constraint. `examples` are up to five rows: keys, event time and value; times as ISO 8601 text."""

    feature: str
    rule: str
    value: Any = None
    count: int
    examples: tuple[dict[str, Any], ...] = ()

    @property
    def words(self) -> str:
        """The rule as people read it: "temp: upper_bound 130"."""
        return f"{self.feature}: {self.rule}" + ("" if self.value is None else f" {self.value}")

    def shown(self, most: int = 3) -> str:
        """The first examples: "origin=JFK, temp=150.0; ..."."""
        return "; ".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in self.examples[:most])

    def __str__(self) -> str:
        rows = f"{self.count:,} row{'s' if self.count > 1 else ''}"
        return f"{self.words}, broken by {rows}" + (f", such as {self.shown(1)}" if self.examples else "")


class Checked(Record):
    """What came of checking rows: every constraint with its counts, and the broken ones with examples."""

    rows: int
    checks: tuple[RuleCount, ...] = ()
    broken: tuple[Violation, ...] = ()

    def sentence(self, view: str) -> str:
        """The verdict for people. Nothing was found wrong where nothing was looked at, which is said."""
        if not self.checks:
            return f"{view} has no constraints."
        if not self.rows:
            return f"{view} has no rows, so there is nothing to check. Load an interval of it first."
        if not self.broken:
            return f"Every constraint of {view} holds in its {self.rows:,} rows."
        return f"{len(self.broken)} of the {len(self.checks)} constraints of {view} are broken."


def check(view: FeatureView, rows: pl.LazyFrame) -> Checked:
    """Check every constraint of the view's features that `rows` has, in the order of the definition.

    One pass counts, streaming; a pass more for each broken rule finds its examples.
    """
    present = set(rows.collect_schema().names())
    rules = [(f, c, _broken(f, c)) for f in view.features if f.name in present for c in f.constraints]
    counted = rows.select(
        pl.len().alias("rows"), *(broken.sum().alias(str(i)) for i, (_, _, broken) in enumerate(rules))
    ).collect(engine="streaming")
    total, *counts = counted.row(0)
    checks: list[RuleCount] = []
    found: list[Violation] = []
    for (feature, constraint, broken), count in zip(rules, counts, strict=True):
        named: dict[str, Any] = {"feature": feature.name, "rule": constraint.rule, "value": constraint.value}
        checks.append(RuleCount(**named, checked=total, broken=count))
        if count:
            shown = [k.name for k in view.entities] + [t for t in (view.event_time, feature.name) if t]
            examples = rows.filter(broken).select(shown).head(EXAMPLES).collect(engine="streaming").to_dicts()
            found.append(Violation(**named, count=count, examples=tuple(map(_as_json, examples))))
    return Checked(rows=total, checks=tuple(checks), broken=tuple(found))


def violations(view: FeatureView, rows: pl.LazyFrame) -> tuple[Violation, ...]:
    """Every broken constraint of the view's features that `rows` has, in the order of the definition."""
    return check(view, rows).broken


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    match value:
        case date() | datetime():
            return value.isoformat()
        case timedelta() | Decimal():
            return str(value)
        case _:
            return value


def _broken(feature: Feature, constraint: Constraint) -> pl.Expr:
    """True for a row that breaks it, never null."""
    column = pl.col(feature.name)
    nan = column.is_nan() if feature.dtype in FLOATS else pl.lit(False)
    match constraint.rule:
        case "required":
            return column.is_null()
        case "unique":
            return column.is_duplicated() & column.is_not_null()
        case "accepted_values":
            accepted = [_constant(value, feature.dtype) for value in constraint.value]
            return (~_text(column, feature).is_in(accepted)).fill_null(False)
        case "lower_bound":
            return ((column < _constant(constraint.value, feature.dtype)) | nan).fill_null(False)
        case "upper_bound":
            return ((column > _constant(constraint.value, feature.dtype)) | nan).fill_null(False)
        case "above":
            return ((column <= _constant(constraint.value, feature.dtype)) | nan).fill_null(False)
        case "below":
            return ((column >= _constant(constraint.value, feature.dtype)) | nan).fill_null(False)
        case "min_length":
            return (_length(column, feature) < constraint.value).fill_null(False)
        case "max_length":
            return (_length(column, feature) > constraint.value).fill_null(False)
        case "matches":
            return (~_text(column, feature).str.contains(f"^(?:{to_portable(constraint.value)})$")).fill_null(False)


def _text(column: pl.Expr, feature: Feature) -> pl.Expr:
    return column.cast(pl.String) if feature.dtype == "category" else column


def _length(column: pl.Expr, feature: Feature) -> pl.Expr:
    return column.list.len() if dtypes.kind(feature.dtype) == "list" else _text(column, feature).str.len_chars()


def _constant(value: Any, dtype: str) -> Any:
    """A rule's value in the feature's type: JSON has times as ISO 8601, decimals as text, durations in seconds."""
    match dtypes.kind(dtype):
        case "timestamp":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case "duration":
            return timedelta(seconds=value)
        case "decimal":
            return Decimal(str(value))
        case _:
            return value


def fatal(view: FeatureView, found: Iterable[Violation]) -> tuple[Violation, ...]:
    """Those that stop a write: missing required values, and all of them where the view says `on_broken = "fail"`.

    Other rows that break a rule are written, and marked in the ledger.
    """
    return tuple(v for v in found if v.rule == "required" or view.on_broken == "fail")


# --- as text ------------------------------------------------------------------------------------------------------


def table(found: Iterable[Violation]) -> str:
    """The violations as a plain-text table, for logs and terminals."""
    lines = ((violation.words, f"{violation.count:,}", violation.shown()) for violation in found)
    return columns([("constraint", "rows", "examples"), *lines], right=(1,))


def trend_table(trend: Iterable[IntervalStats]) -> str:
    """A line for each interval that was checked: its rows, how often it was written, and what broke in it."""
    lines = [("interval", "rows", "writes", "broken")]
    for point in trend:
        when = f"{point.start:%Y-%m-%d %H:%M}" if point.start else f"as of {point.written_at:%Y-%m-%d %H:%M}"
        broken = [
            f"{check.feature} {rule(Constraint.model_validate({'rule': check.rule, 'value': check.value}))}: "
            f"{check.broken:,}"
            for check in point.checks
            if check.broken
        ]
        lines.append((when, f"{point.rows:,}", str(point.writes), "; ".join(broken)))
    return columns(lines, right=(1, 2))


def columns(lines: Sequence[tuple[str, ...]], right: Container[int] = ()) -> str:
    """Lines of cells, padded so that each column stands straight; those named in `right` end together."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            f"{cell:>{width}}" if i in right else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
