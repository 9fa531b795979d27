"""Parts of times, and differences between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from e2e_ml.festaf.expression.compiled.casts import midnight
from e2e_ml.festaf.expression.compiled.operand import Compiler, Expr, Library, Operand, divided


def part(get: Callable[[Library, Expr], Expr]) -> Compiler:
    """A part of a time in the zone that the last operand names."""

    def compiled(operands: Sequence[Operand]) -> Expr:
        subject = operands[0].expr
        if len(operands) == 2:
            subject = subject.dt.convert_time_zone(str(operands[1].constant))
        return get(operands[0].library, subject)

    return compiled


def weekday(library: Library, time: Expr) -> Expr:
    day = time.dt.weekday()
    return library.when(day == 0).then(library.lit(7)).otherwise(day)  # Spark's Sunday, in narwhals


def quarter(library: Library, time: Expr) -> Expr:
    return (time.dt.month().cast(library.Int64()) + 2) // 3


def week(library: Library, time: Expr) -> Expr:
    """The week of ISO 8601: weeks start on Monday, and the first holds the year's first Thursday."""
    whole = library.Int64()
    year, day = time.dt.year().cast(whole), time.dt.ordinal_day().cast(whole)
    found = (day - weekday(library, time).cast(whole) + 10) // 7
    first = library.when(found > _weeks(library, year)).then(library.lit(1, whole)).otherwise(found)
    return library.when(found < 1).then(_weeks(library, year - 1)).otherwise(first)


def _weeks(library: Library, year: Expr) -> Expr:
    """53 in years that end on a Thursday, or follow one that ended on a Wednesday, else 52."""

    def last_day(of: Expr) -> Expr:
        days = of + of // 4 - of // 100 + of // 400
        return days - days // 7 * 7

    long = (last_day(year) == 4) | (last_day(year - 1) == 3)
    return library.when(long).then(library.lit(53, library.Int64())).otherwise(library.lit(52, library.Int64()))


def truncated(operands: Sequence[Operand]) -> Expr:
    return operands[0].expr.dt.truncate({"hour": "1h", "day": "1d"}[operands[1].constant])


def moment(operand: Operand) -> Expr:
    """A date as its midnight; a timestamp or a duration as it is."""
    return midnight(operand) if operand.dtype == "date" else operand.expr


def seconds_since(operands: Sequence[Operand]) -> Expr:
    return _seconds(operands[0].library, operands[0].expr - operands[1].expr)


def total_seconds(operand: Operand) -> Expr:
    return _seconds(operand.library, operand.expr)


def _seconds(library: Library, duration: Expr) -> Expr:
    return divided(library, duration.dt.total_microseconds().cast(library.Float64()), 1e6)


def days_since(operands: Sequence[Operand]) -> Expr:
    left, right = (o.expr.cast(o.library.Datetime("us")) for o in operands)
    return (left - right).dt.total_seconds() // 86_400
