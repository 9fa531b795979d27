"""Which rows break a view's constraints: each rule with the number of rows and some of them.

Constraints are checked on what is stored, so after nulls were filled. A null breaks `required` alone; NaN lies within
no bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import polars as pl

from e2e_ml.festaf.expression.operations import FLOATS
from e2e_ml.festaf.model import Constraint, Feature, FeatureView, Record

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


def violations(view: FeatureView, rows: pl.LazyFrame) -> tuple[Violation, ...]:
    """Every broken constraint of the view's features that `rows` has, in the order of the definition."""
    present = set(rows.collect_schema().names())
    rules = [(f.name, c, _broken(f, c)) for f in view.features if f.name in present for c in f.constraints]
    if not rules:
        return ()
    counts = rows.select(broken.sum().alias(str(i)) for i, (_, _, broken) in enumerate(rules)).collect().row(0)
    found: list[Violation] = []
    for (feature, constraint, broken), count in zip(rules, counts, strict=True):
        if count:
            shown = [k.name for k in view.entities] + [t for t in (view.event_time, feature) if t]
            examples = map(_as_json, rows.filter(broken).select(shown).head(EXAMPLES).collect().to_dicts())
            found.append(
                Violation(
                    feature=feature, rule=constraint.rule, value=constraint.value, count=count, examples=tuple(examples)
                )
            )
    return tuple(found)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: v.isoformat() if isinstance(v, date | datetime) else v for name, v in row.items()}


def _broken(feature: Feature, constraint: Constraint) -> pl.Expr:
    """True for a row that breaks it, never null."""
    column = pl.col(feature.name)
    nan = column.is_nan() if feature.dtype in FLOATS else pl.lit(False)
    match constraint.rule:
        case "required":
            return column.is_null()
        case "accepted_values":
            return (~column.is_in(list(constraint.value))).fill_null(False)
        case "lower_bound":
            return ((column < constraint.value) | nan).fill_null(False)
        case "upper_bound":
            return ((column > constraint.value) | nan).fill_null(False)


def fatal(found: Iterable[Violation]) -> tuple[Violation, ...]:
    """Those that stop a write: missing required values. Rows beyond bounds are written, and marked in the ledger."""
    return tuple(v for v in found if v.rule == "required")


def table(found: Iterable[Violation]) -> str:
    """The violations as a plain-text table, for logs and terminals."""
    lines = [("constraint", "rows", "examples")]
    for violation in found:
        examples = "; ".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in violation.examples[:3])
        lines.append((violation.words, str(violation.count), examples))
    widths = [max(len(line[i]) for line in lines) for i in range(2)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c}" for a, b, c in lines)
