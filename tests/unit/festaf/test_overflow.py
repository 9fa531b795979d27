"""Which whole numbers may not fit into 64 bits, and how they are taken apart."""

from __future__ import annotations

import pytest

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, columns, literal
from e2e_ml.festaf.expression.overflow import in_parts, may_overflow
from e2e_ml.festaf.expression.tree import walk

TYPES: dict[str, DataType] = {"n": "int64", "m": "int64", "i": "int32", "b": "int8", "x": "float64", "t": "timestamp"}
n, m, i, b, x, t = map(Column, TYPES)


def op(name: str, *args: Expression | int) -> Apply:
    return Apply(name, tuple(literal(arg) if isinstance(arg, int) else arg for arg in args))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (op("add", n, 1), True),
        (op("add", n, 0), True),  # the bound of int64 is that of its least
        (op("add", i, i), False),
        (op("mul", i, i), False),
        (op("mul", op("mul", i, i), b), True),
        (op("mul", op("mul", b, b), b), False),
        (op("mul", i, 2**40), True),
        (op("mul", op("hour", t), 60), False),
        (op("add", n, x), False),  # in float64
        (op("neg", n), True),
        (op("abs", i), False),
        (op("floordiv", n, 7), False),
        (op("floordiv", n, -1), True),
        (op("floordiv", n, m), True),
        (op("floordiv", i, m), False),
        (op("mod", n, 7), True),  # by way of 7 * (n // 7)
        (op("mul", op("mod", n, 7), 60), False),
        (op("div", n, m), False),
        (op("add", Cast(n, "int8"), 1), False),
        (op("gt", n, m), False),
        (op("add", 2**62, 2**62), False),  # constants are computed beforehand
        (n, False),
    ],
    ids=str,
)
def test_what_may_overflow_follows_from_types_and_constants(expression: Expression, wanted: bool) -> None:
    assert may_overflow(expression, TYPES) is wanted


def test_what_may_overflow_stands_alone_and_once() -> None:
    total = op("add", n, m)
    expression = op("when", op("gt", total, 0), op("mul", total, op("neg", n)), op("add", i, 1))
    parts, whole = in_parts(expression, TYPES, "p")
    assert parts == {"p0": total, "p1": op("neg", n), "p2": op("mul", Column("p0"), Column("p1"))}
    assert whole == op("when", op("gt", Column("p0"), 0), Column("p2"), op("add", i, 1))


def test_a_long_sum_makes_columns_and_no_long_texts() -> None:
    expression: Expression = n
    for _ in range(30):
        expression = op("add", expression, m)
    parts, whole = in_parts(expression, TYPES, "p")
    assert len(parts) == 29
    assert all(len(list(walk(each))) == 3 for each in (*parts.values(), whole))
    assert columns(whole) == ("p28", "m")


def test_what_fits_is_left_as_it_is() -> None:
    assert in_parts(op("add", i, b), TYPES, "p") == ({}, op("add", i, b))
