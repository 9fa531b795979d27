"""Parts of times, and differences between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import narwhals as nw

from e2e_ml.festaf.expression.compiled.casts import midnight
from e2e_ml.festaf.expression.compiled.operand import Compiler, Operand


def part(get: Callable[[nw.Expr], nw.Expr]) -> Compiler:
    """A part of a time in the zone that the last operand names."""

    def compiled(operands: Sequence[Operand]) -> nw.Expr:
        subject = operands[0].expr
        if len(operands) == 2:
            subject = subject.dt.convert_time_zone(str(operands[1].constant))
        return get(subject)

    return compiled


def weekday(time: nw.Expr) -> nw.Expr:
    day = time.dt.weekday()
    return nw.when(day == 0).then(nw.lit(7)).otherwise(day)  # Spark's Sunday, in narwhals


def quarter(time: nw.Expr) -> nw.Expr:
    return (time.dt.month().cast(nw.Int64()) + 2) // 3


def week(time: nw.Expr) -> nw.Expr:
    """The week of ISO 8601: weeks start on Monday, and the first holds the year's first Thursday."""
    year, day = time.dt.year().cast(nw.Int64()), time.dt.ordinal_day().cast(nw.Int64())
    found = (day - weekday(time).cast(nw.Int64()) + 10) // 7
    this, last = _weeks(year), _weeks(year - 1)
    return nw.when(found < 1).then(last).otherwise(nw.when(found > this).then(nw.lit(1)).otherwise(found))


def _weeks(year: nw.Expr) -> nw.Expr:
    """53 in years that end or start on a Thursday, else 52."""

    def last_day(of: nw.Expr) -> nw.Expr:
        days = of + of // 4 - of // 100 + of // 400
        return days - days // 7 * 7

    return nw.when((last_day(year) == 4) | (last_day(year - 1) == 3)).then(nw.lit(53)).otherwise(nw.lit(52))


def truncated(operands: Sequence[Operand]) -> nw.Expr:
    return operands[0].expr.dt.truncate({"hour": "1h", "day": "1d"}[operands[1].constant])


def moment(operand: Operand) -> nw.Expr:
    """A date as its midnight; a timestamp or a duration as it is."""
    return midnight(operand.expr) if operand.dtype == "date" else operand.expr


def seconds_since(operands: Sequence[Operand]) -> nw.Expr:
    return (operands[0].expr - operands[1].expr).dt.total_microseconds() / 1e6


def days_since(operands: Sequence[Operand]) -> nw.Expr:
    left, right = (o.expr.cast(nw.Datetime("us")) for o in operands)
    return (left - right).dt.total_seconds() // 86_400


def total_seconds(operand: Operand) -> nw.Expr:
    return operand.expr.dt.total_microseconds() / 1e6
