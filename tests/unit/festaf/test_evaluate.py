"""Expressions a row at a time in plain Python: every operation, on every type that it takes, as Polars computes it."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.dtypes import DataType, kind, parse
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, ExpressionError, Literal, Window, literal
from e2e_ml.festaf.expression.compile_narwhals import to_polars
from e2e_ml.festaf.expression.evaluate import evaluator
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.rows.polars_types import polars_type

TYPES: tuple[DataType, ...] = (
    "bool", "int8", "int32", "int64", "float32", "float64", "decimal(12, 2)", "string", "category", "date",
    "timestamp", "duration", "list(int64)", "list(float64)", "list(string)", "embedding(3)",
    "struct(a: int64, b: string)",
)  # fmt: skip
CONSTANTS: tuple[Any, ...] = (True, 2, 0, 7.5, "a", "America/New_York", "hour", "[a-z]b*(c|d)?", Decimal("1.50"),
                              date(2013, 2, 28), datetime(2013, 2, 28, 23, 59, tzinfo=UTC), timedelta(hours=5),
                              "b")  # fmt: skip


def _valid() -> list[tuple[str, tuple[DataType, ...], tuple[Literal, ...]]]:
    """Each operation with every choice of operand types, and some of constants, that it takes."""
    found: list[tuple[str, tuple[DataType, ...], tuple[Literal, ...]]] = []
    constants = [literal(value) for value in CONSTANTS]
    for op in OPERATIONS.values():
        if op.outermost:
            continue
        counts = range(op.least, min(op.most or 4, 4) + 1)
        for count in counts:
            free = 1 if op.constants else count
            for types in product(TYPES, repeat=free):
                choices = [c for c in product(constants, repeat=count - free) if _takes(op.name, types, c)]
                found += [(op.name, types, choice) for choice in choices[:6]]
    return found


def _takes(op: str, types: tuple[DataType, ...], constants: tuple[Literal, ...]) -> bool:
    try:
        infer(_expression(op, types, constants), _columns(types))
    except ExpressionError:
        return False
    return True


def _expression(op: str, types: tuple[DataType, ...], constants: tuple[Literal, ...]) -> Expression:
    return Apply(op, (*(Column(f"c{i}") for i in range(len(types))), *constants))


def _columns(types: tuple[DataType, ...]) -> dict[str, DataType]:
    return {f"c{i}": dtype for i, dtype in enumerate(types)}


VALID = _valid()
CASTS = [(a, b) for a in TYPES for b in (*TYPES, "int16", "decimal(9, 4)", "decimal(30, 0)")]

singles = st.floats(width=32).map(float)
numbers = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.5, -2.5, math.nan, math.inf, -math.inf, 1e300]), st.floats())
texts = st.one_of(
    st.sampled_from(["", "a", "ab", "abc", " a\u00a0", "12", "-7", "1.5e3", "2013-02-28", "2013-02-30", "true", "a,b"]),
    st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cs", "Cc"]), max_size=6),
)
days = st.dates(date(1, 1, 2), date(9000, 1, 1))
# Polars knows when clocks change up to 2037.
moments = st.datetimes(datetime(1700, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000))


def values(dtype: DataType) -> st.SearchStrategy[Any]:
    match kind(dtype):
        case "bool":
            some: st.SearchStrategy[Any] = st.booleans()
        case "int8" | "int32" | "int64":
            bits = int(dtype[3:]) - 1
            ends = st.sampled_from([-(2**bits), 2**bits - 1, 0, 1, -1])
            some = st.one_of(ends, st.integers(-(2**bits), 2**bits - 1))
        case "float32":
            some = singles
        case "float64":
            some = numbers
        case "decimal":
            some = st.decimals(-(10**9), 10**9, places=parse(dtype).scale, allow_nan=False)
        case "string" | "category":
            some = texts
        case "date":
            some = days
        case "timestamp":
            some = moments
        case "duration":
            some = spans
        case "list":
            some = st.lists(values(parse(dtype).element), max_size=3)
        case "embedding":
            some = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3)
        case _:
            some = st.fixed_dictionaries({name: values(inner) for name, inner in parse(dtype).fields.items()})
    return st.one_of(some, st.none())


def by_polars(expression: Expression, types: dict[str, DataType], rows: list[dict[str, Any]]) -> list[Any]:
    frame = pl.DataFrame(
        {name: pl.Series(name, [row[name] for row in rows], polars_type(dtype)) for name, dtype in types.items()}
    )
    return frame.select(to_polars(expression, types).alias("result"))["result"].to_list()


def same(one: Any, other: Any, dtype: DataType) -> bool:
    if one is None or other is None:
        return one is None and other is None
    if isinstance(one, float):
        close = math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-300)
        return close or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b, dtype) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def check(expression: Expression, types: dict[str, DataType], rows: list[dict[str, Any]]) -> None:
    dtype = infer(expression, types)
    evaluate = evaluator(expression, types)
    wanted = by_polars(expression, types, rows)
    for row, want in zip(rows, wanted, strict=True):
        got = evaluate(row)
        assert same(got, want, dtype), f"{expression} of {row}: {got!r} here, {want!r} on Polars"


@pytest.mark.parametrize("op", [name for name, operation in OPERATIONS.items() if not operation.outermost])
def test_every_operation_is_there_and_gives_what_polars_gives(op: str) -> None:
    forms = [form for form in VALID if form[0] == op]
    assert forms, f"nothing that {op} takes was found: widen CONSTANTS"

    @settings(max_examples=max(25, 2 * len(forms)), database=None, derandomize=True, deadline=None)
    @given(st.data())
    def checked(data: st.DataObject) -> None:
        _, types, constants = data.draw(st.sampled_from(forms))
        columns = _columns(types)
        rows = data.draw(
            st.lists(st.fixed_dictionaries({n: values(t) for n, t in columns.items()}), min_size=1, max_size=8)
        )
        check(_expression(op, types, constants), columns, rows)

    checked()


@pytest.mark.parametrize(("given_type", "wanted"), CASTS)
def test_every_cast_gives_what_polars_gives(given_type: DataType, wanted: DataType) -> None:
    columns = {"c0": given_type}
    expression = Cast(Column("c0"), wanted)
    try:
        infer(expression, columns)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            evaluator(expression, columns)
        return

    @settings(max_examples=15, database=None, derandomize=True, deadline=None)
    @given(st.lists(st.fixed_dictionaries({"c0": values(given_type)}), min_size=1, max_size=8))
    def checked(rows: list[dict[str, Any]]) -> None:
        check(expression, columns, rows)

    checked()


def test_what_is_not_row_by_row_is_refused() -> None:
    with pytest.raises(ExpressionError, match="not computed row by row"):
        evaluator(Window(Column("x"), "mean"), {"x": "float64"})
    with pytest.raises(ExpressionError, match="no column 'x'"):
        evaluator(Column("x"), {})
