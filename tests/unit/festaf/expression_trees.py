"""Random row-level expressions that have a meaning, and rows for them: numbers, truths, text, times and dates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, ExpressionError, literal
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.rows.polars_types import polars_type

Trees = st.SearchStrategy[Expression]
TYPES: dict[str, DataType] = {
    "i": "int64", "j": "int32", "b": "int8", "x": "float64", "y": "float64", "h": "float32", "p": "bool", "q": "bool",
    "s": "string", "t": "timestamp", "d": "date",
}  # fmt: skip


def _columns(*names: str) -> Trees:
    return st.sampled_from([Column(name) for name in names])


def _apply(ops: Sequence[str], *args: Trees) -> Trees:
    return st.builds(lambda op, *args: Apply(op, args), st.sampled_from(ops), *args)


def _constants(*values: Any) -> Trees:
    return st.sampled_from([literal(value) for value in values])


_words = _constants("", "a", "%", "_", ".", "ß", "1", "2013-02-28")
_zones = _constants("America/New_York", "Asia/Kolkata", "UTC")
_parts = ["year", "quarter", "month", "week", "day", "weekday", "day_of_year"]
_clock = ["hour", "minute", "second"]

texts: Trees = st.recursive(
    st.one_of(_columns("s"), _words),
    lambda inner: st.one_of(
        _apply(["add"], inner, inner),
        _apply(["upper", "lower", "strip"], inner),
        _apply(["replace"], inner, _constants("a", ".", "ß"), _words),
        _apply(["slice"], inner, _constants(0, 1), _constants(1, 4)),
        _apply(["fill_null"], inner, _words),
        st.builds(Cast, _columns("i", "j", "b", "p"), st.just("string")),
        _apply(["when"], _columns("p", "q"), inner, inner),
    ),
    max_leaves=3,
)
numbers: Trees = st.recursive(
    st.one_of(
        _columns("i", "j", "b", "x", "y", "h"),
        _constants(2, 0, -1, -1.5, 0.5, 1e300),
        _apply(_parts, _columns("t", "d")),
        _apply([*_parts, *_clock], _columns("t"), _zones),
        _apply(["length"], texts),
    ),
    lambda inner: st.one_of(
        _apply(["add", "sub", "mul", "div", "floordiv", "mod"], inner, inner),
        _apply(["neg", "abs", "sign", "floor", "ceil", "round", "sqrt"], inner),
        _apply(["fill_null"], inner, _constants(1)),
        _apply(["clip"], inner, _constants(-2, 0.5), _constants(3, 7.5)),
        _apply(["bucketize"], inner, _constants(-1), _constants(0.5), _constants(4)),
        _apply(["when"], _columns("p", "q"), inner, inner),
        st.builds(Cast, inner, st.sampled_from(["int8", "int32", "int64", "float32", "float64"])),
        st.builds(Cast, texts, st.sampled_from(["int16", "int64", "float64"])),
        st.builds(Cast, _columns("p"), st.sampled_from(["int64", "float64"])),
    ),
    max_leaves=4,
)
_order = ["eq", "ne", "lt", "le", "gt", "ge"]
truths: Trees = st.recursive(
    st.one_of(
        _columns("p", "q"),
        _apply(_order, numbers, numbers),
        _apply(_order, texts, texts),
        _apply(_order, _columns("d"), st.one_of(_columns("d"), _constants(date(2013, 1, 1)), st.builds(
            Cast, texts, st.just("date")))),
        _apply(_order, _columns("t"), _constants(datetime(2013, 1, 1, tzinfo=UTC))),
        _apply(["is_null", "is_not_null"], st.one_of(numbers, texts, _columns("t"))),
        _apply(["is_nan"], numbers),
        _apply(["is_in"], numbers, _constants(0, 2.5), _constants(-1)),
        _apply(["contains", "starts_with", "ends_with"], texts, _words),
    ),
    lambda inner: st.one_of(
        _apply(["and", "or", "eq", "ne"], inner, inner), _apply(["not"], inner), _apply(["fill_null"], inner,
        _constants(True))
    ),
    max_leaves=4,
)  # fmt: skip
moments: Trees = st.one_of(
    _apply(["truncate"], _columns("t"), _constants("hour", "day")),
    _apply(["date"], _columns("t"), _zones),
    _apply(["add", "sub"], _columns("t", "d"), _constants(timedelta(hours=5, microseconds=1))),
    _apply(["sub"], _columns("t"), _constants(datetime(2013, 1, 1, tzinfo=UTC))),
    st.builds(Cast, _columns("d"), st.just("timestamp")),
    st.builds(Cast, texts, st.just("date")),
)


def _means(expression: Expression) -> bool:
    try:
        infer(expression, TYPES)
    except ExpressionError:
        return False
    return True


def trees(least: int, most: int) -> st.SearchStrategy[list[Expression]]:
    each = st.one_of(numbers, truths, texts, moments).filter(_means)
    return st.lists(each, min_size=least, max_size=most, unique=True)


_floats = st.sampled_from([0.0, -0.0, 0.5, 1.5, -2.5, 1e16, 1e308, math.nan, math.inf, -math.inf]) | st.floats(-99, 99)


def _row(whole: st.SearchStrategy[int], small: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Any, ...]]:
    values = (
        whole, small, st.integers(-128, 127), _floats, _floats, st.floats(-99, 99, width=32), st.booleans(),
        st.booleans(), st.sampled_from(["", "a", "A.1", "ß", " %_ ", "12", "-1.5e3", "2013-02-28", "2013-02-29"]),
        st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),  # noqa: DTZ001
        st.dates(date(1950, 1, 1), date(2050, 1, 1)),
    )  # fmt: skip
    return st.tuples(*(st.none() | each for each in values))


def frames(*, wide: bool = False, least: int = 1, most: int = 12) -> st.SearchStrategy[pl.DataFrame]:
    """wide: with integers that overflow."""
    whole = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**53 + 1]) if wide else st.nothing()
    small = st.integers(-(2**31), 2**31 - 1) if wide else st.nothing()
    row = _row(st.integers(-99, 99) | whole, st.integers(-3, 3) | small)
    schema = {name: polars_type(dtype) for name, dtype in TYPES.items()}
    return st.lists(row, min_size=least, max_size=most).map(
        lambda data: pl.DataFrame(data, schema=schema, orient="row").with_row_index("row_")
    )
