"""Every operation: how it prints, what type it gives, what it computes with missing values and NaN, and its JSON."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import (
    MAX_DEPTH,
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Literal,
    Window,
    columns,
    from_json,
    literal,
    to_json,
)
from e2e_ml.festaf.expression.compile_narwhals import to_narwhals
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.printing import to_python

NAN, INF = math.nan, math.inf
TYPES: dict[str, DataType] = {
    "i": "int64",
    "j": "int64",
    "k": "int32",
    "x": "float64",
    "y": "float64",
    "f": "float32",
    "p": "bool",
    "q": "bool",
    "s": "string",
    "d": "date",
    "t": "timestamp",
    "u": "timestamp",
}
FRAME = pl.DataFrame(
    {
        "i": [-7, 7, 0, None, 2**40],
        "j": [3, -3, 0, 1, None],
        "k": [1, 2**31 - 1, -(2**31), None, 0],
        "x": [-7.5, NAN, INF, None, 4.0],
        "y": [1.0, NAN, INF, NAN, 0.0],
        "f": [0.5, NAN, -INF, None, 3.0e9],
        "p": [True, False, True, None, None],
        "q": [True, True, None, False, None],
        "s": ["Rain.", "ain", None, "ß ", ""],
        "d": [date(2013, 1, 1), date(2012, 2, 29), None, date(1969, 12, 31), date(2013, 12, 1)],
        "t": [
            datetime(2013, 1, 1, 4, 59, tzinfo=UTC),
            datetime(2013, 7, 1, 4, 0, tzinfo=UTC),
            None,
            datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC),
            datetime(2013, 3, 10, 7, 0, tzinfo=UTC),
        ],
        "u": [datetime(2013, 1, 1, tzinfo=UTC)] * 5,
    },
    schema={
        "i": pl.Int64,
        "j": pl.Int64,
        "k": pl.Int32,
        "x": pl.Float64,
        "y": pl.Float64,
        "f": pl.Float32,
        "p": pl.Boolean,
        "q": pl.Boolean,
        "s": pl.String,
        "d": pl.Date,
        "t": pl.Datetime("us", "UTC"),
        "u": pl.Datetime("us", "UTC"),
    },
)
i, j, k, x, y, f, p, q, s, d, t, u = (Column(name) for name in TYPES)
NEW_YORK = literal("America/New_York")


def op(name: str, *args: Expression | bool | float | str | date) -> Apply:
    return Apply(name, tuple(a if isinstance(a, Expression) else literal(a) for a in args))


TABLE: list[tuple[Expression, str, DataType, list[Any]]] = [
    # arithmetic: 64 bits, null in and null out, NaN and infinity carried through
    (op("add", i, j), "i + j", "int64", [-4, 4, 0, None, None]),
    (op("add", k, k), "k + k", "int64", [2, 2**32 - 2, -(2**32), None, 0]),
    (op("add", i, x), "i + x", "float64", [-14.5, NAN, INF, None, 2.0**40 + 4]),
    (op("sub", 10, j), "10 - j", "int64", [7, 13, 10, 9, None]),
    (op("sub", x, x), "x - x", "float64", [0.0, NAN, NAN, None, 0.0]),
    (op("mul", j, -2), "j * -2", "int64", [-6, 6, 0, -2, None]),
    (op("mul", f, 2), "f * 2", "float64", [1.0, NAN, -INF, None, 6.0e9]),
    (op("div", i, j), "i / j", "float64", [-7 / 3, 7 / -3, None, None, None]),
    (op("div", i, 0), "i / 0", "float64", [None] * 5),
    (op("div", x, y), "x / y", "float64", [-7.5, NAN, NAN, None, None]),
    (op("div", 1, x), "1 / x", "float64", [1 / -7.5, NAN, 0.0, None, 0.25]),
    (op("floordiv", i, j), "i // j", "int64", [-3, -3, None, None, None]),
    (op("floordiv", x, 2), "x // 2", "float64", [-4.0, NAN, INF, None, 2.0]),
    (op("mod", i, j), "i % j", "int64", [2, -2, None, None, None]),
    (op("mod", i, 0), "i % 0", "int64", [None] * 5),
    (op("mod", x, 2), "x % 2", "float64", [0.5, NAN, NAN, None, 0.0]),
    (op("neg", i), "-i", "int64", [7, -7, 0, None, -(2**40)]),
    (op("neg", k), "-k", "int64", [-1, 1 - 2**31, 2**31, None, 0]),
    (op("abs", x), "x.abs()", "float64", [7.5, NAN, INF, None, 4.0]),
    (op("abs", k), "k.abs()", "int64", [1, 2**31 - 1, 2**31, None, 0]),
    (op("floor", x), "x.floor()", "float64", [-8.0, NAN, INF, None, 4.0]),
    (op("ceil", x), "x.ceil()", "float64", [-7.0, NAN, INF, None, 4.0]),
    (op("sqrt", x), "x.sqrt()", "float64", [None, NAN, INF, None, 2.0]),
    (op("log", y), "y.log()", "float64", [0.0, NAN, INF, NAN, None]),
    # comparison: with null it is null, with NaN it is false but for !=
    (op("eq", x, y), "x == y", "bool", [False, False, True, None, False]),
    (op("eq", y, y), "y == y", "bool", [True, False, True, False, True]),
    (op("eq", p, q), "p == q", "bool", [True, False, None, None, None]),
    (op("ne", y, 0), "y != 0", "bool", [True, True, True, True, False]),
    (op("ne", x, y), "x != y", "bool", [True, True, False, None, True]),
    (op("lt", x, y), "x < y", "bool", [True, False, False, None, False]),
    (op("lt", 0, y), "0 < y", "bool", [True, False, True, False, False]),
    (op("le", i, x), "i <= x", "bool", [False, False, True, None, False]),
    (op("le", y, y), "y <= y", "bool", [True, False, True, False, True]),
    (op("gt", y, 0), "y > 0", "bool", [True, False, True, False, False]),
    (op("gt", s, "a"), 's > "a"', "bool", [False, True, None, True, False]),
    (op("ge", f, 0.5), "f >= 0.5", "bool", [True, False, False, None, True]),
    (op("ge", d, date(2012, 12, 31)), "d >= date(2012, 12, 31)", "bool", [True, False, None, False, True]),
    (op("lt", t, u), "t < u", "bool", [False, False, None, True, False]),
    (
        op("ge", t, datetime(2013, 7, 1, 4, tzinfo=UTC)),
        "t >= datetime(2013, 7, 1, 4, tzinfo=UTC)",
        "bool",
        [False, True, None, False, False],
    ),
    (op("is_in", s, "ain", ""), 's.is_in(["ain", ""])', "bool", [False, True, None, False, True]),
    (op("is_in", y, 0, 1.0), "y.is_in([0, 1.0])", "bool", [True, False, False, False, True]),
    # three-valued logic
    (op("and", p, q), "p & q", "bool", [True, False, None, False, None]),
    (op("or", p, q), "p | q", "bool", [True, True, True, None, None]),
    (op("not", p), "~p", "bool", [False, True, False, None, None]),
    # missing values
    (op("is_null", x), "x.is_null()", "bool", [False, False, False, True, False]),
    (op("is_not_null", x), "x.is_not_null()", "bool", [True, True, True, False, True]),
    (op("fill_null", x, 1), "x.fill_null(1)", "float64", [-7.5, NAN, INF, 1.0, 4.0]),
    (op("fill_null", k, i), "k.fill_null(i)", "int32", [1, 2**31 - 1, -(2**31), None, 0]),
    # What a filler holds that the type cannot is missing, and stops nothing.
    (op("fill_null", Cast(x, "int32"), i), "x.cast(fs.Int32).fill_null(i)", "int32", [-7, 7, 0, None, 4]),
    (op("fill_null", Cast(i, "int32"), i), "i.cast(fs.Int32).fill_null(i)", "int32", [-7, 7, 0, None, None]),
    (op("fill_null", s, "?"), 's.fill_null("?")', "string", ["Rain.", "ain", "?", "ß ", ""]),
    # text: exact, by code point
    (op("contains", s, "."), 's.contains(".")', "bool", [True, False, None, False, False]),
    (op("starts_with", s, "R"), 's.starts_with("R")', "bool", [True, False, None, False, False]),
    (op("ends_with", s, "n"), 's.ends_with("n")', "bool", [False, True, None, False, False]),
    (op("lower", s), "s.lower()", "string", ["rain.", "ain", None, "ß ", ""]),
    (op("upper", s), "s.upper()", "string", ["RAIN.", "AIN", None, "SS ", ""]),
    (op("strip", s), "s.strip()", "string", ["Rain.", "ain", None, "ß", ""]),
    (op("length", s), "s.length()", "int64", [5, 3, None, 2, 0]),
    # times: parts in the zone named
    (op("year", t), "t.year()", "int64", [2013, 2013, None, 1969, 2013]),
    (op("year", t, NEW_YORK), 't.year("America/New_York")', "int64", [2012, 2013, None, 1969, 2013]),
    (op("month", d), "d.month()", "int64", [1, 2, None, 12, 12]),
    (op("day", d), "d.day()", "int64", [1, 29, None, 31, 1]),
    (op("weekday", d), "d.weekday()", "int64", [2, 3, None, 3, 7]),
    (op("hour", t), "t.hour()", "int64", [4, 4, None, 23, 7]),
    (op("hour", t, NEW_YORK), 't.hour("America/New_York")', "int64", [23, 0, None, 18, 3]),
    (op("minute", t), "t.minute()", "int64", [59, 0, None, 59, 0]),
    (
        op("date", t, NEW_YORK),
        't.date("America/New_York")',
        "date",
        [date(2012, 12, 31), date(2013, 7, 1), None, date(1969, 12, 31), date(2013, 3, 10)],
    ),
    (
        op("seconds_since", t, u),
        "t.seconds_since(u)",
        "float64",
        [17940.0, 15652800.0, None, -1356998400.5, 5900400.0],
    ),
    (op("days_since", d, date(2013, 1, 1)), "d.days_since(date(2013, 1, 1))", "int64", [0, -307, None, -15707, 334]),
    # casts: truncating, and null for what does not fit
    (Cast(x, "int32"), "x.cast(fs.Int32)", "int32", [-7, None, None, None, 4]),
    (Cast(f, "int32"), "f.cast(fs.Int32)", "int32", [0, None, None, None, None]),
    (Cast(i, "int32"), "i.cast(fs.Int32)", "int32", [-7, 7, 0, None, None]),
    (Cast(i, "string"), "i.cast(fs.String)", "string", ["-7", "7", "0", None, "1099511627776"]),
    (Cast(p, "float32"), "p.cast(fs.Float32)", "float32", [1.0, 0.0, 1.0, None, None]),
]


def evaluate(expression: Expression, frame: pl.DataFrame | pl.LazyFrame) -> pl.Series:
    result = nw.from_native(frame).select(to_narwhals(expression, TYPES).alias("r")).to_native()
    return result.lazy().collect()["r"]


def same(left: list[Any], right: list[Any]) -> bool:
    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
            return math.isnan(b)
        return type(a) is type(b) and a == b

    return len(left) == len(right) and all(map(equal, left, right))


@pytest.mark.parametrize(("expression", "code", "dtype", "values"), TABLE, ids=[row[1] for row in TABLE])
def test_operation(expression: Expression, code: str, dtype: DataType, values: list[Any]) -> None:
    assert to_python(expression) == code
    assert from_json(to_json(expression)) == expression
    assert infer(expression, TYPES) == dtype
    for frame in (FRAME, FRAME.lazy()):
        result = evaluate(expression, frame)
        assert same(result.to_list(), values), result.to_list()
        assert result.dtype == _POLARS[dtype]


@pytest.mark.parametrize(
    ("expression", "values"),
    # Arrow writes the capital of ß as one letter.
    [pytest.param(row[0], row[3], id=row[1]) for row in TABLE if row[1] != "s.upper()"],
)
def test_operation_means_the_same_on_arrow(expression: Expression, values: list[Any]) -> None:
    pytest.importorskip("pyarrow")
    result = nw.from_native(FRAME.to_arrow()).with_columns(to_narwhals(expression, TYPES).alias("r"))
    assert same(result["r"].to_list(), values)


_POLARS = {
    "bool": pl.Boolean,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "float32": pl.Float32,
    "float64": pl.Float64,
    "string": pl.String,
    "date": pl.Date,
}


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        (op("sub", i, op("sub", j, k)), "i - (j - k)"),
        (op("sub", op("sub", i, j), k), "i - j - k"),
        (op("mul", op("add", i, j), k), "(i + j) * k"),
        (op("add", op("mul", i, j), k), "i * j + k"),
        (op("div", i, op("mul", j, k)), "i / (j * k)"),
        (op("neg", op("add", i, j)), "-(i + j)"),
        (op("neg", op("neg", i)), "--i"),
        (op("neg", 3), "-(3)"),
        (op("sub", i, -3), "i - -3"),
        (op("abs", op("neg", i)), "(-i).abs()"),
        (op("fill_null", literal(1), i), "(1).fill_null(i)"),
        (op("and", op("gt", i, 1), op("not", op("lt", j, 2))), "(i > 1) & ~(j < 2)"),
        (op("or", op("and", p, q), p), "p & q | p"),
        (op("and", op("or", p, q), p), "(p | q) & p"),
        (op("eq", op("lt", i, j), p), "(i < j) == p"),
        (op("eq", op("add", i, 1), j), "i + 1 == j"),
        (op("eq", s, 'say "ß"\n'), 's == "say \\"ß\\"\\n"'),
        (Window(x, "mean", timedelta(days=1, hours=2)), "x.mean().over(timedelta(days=1, hours=2))"),
        (op("sub", x, Window(op("mul", x, 2), "max", timedelta(seconds=90))),
         "x - (x * 2).max().over(timedelta(minutes=1, seconds=30))"),
    ],
)  # fmt: skip
def test_parentheses_only_where_needed(expression: Expression, code: str) -> None:
    assert to_python(expression) == code
    assert from_json(to_json(expression)) == expression


def test_columns_in_order_of_appearance() -> None:
    assert columns(op("add", op("mul", x, i), op("mul", i, j))) == ("x", "i", "j")


def test_constants_that_python_takes_for_equal_differ() -> None:
    assert len({literal(1), literal(1.0), literal(True), literal(0.0), literal(-0.0)}) == 5
    assert op("add", i, 1) != op("add", i, 1.0)


COLUMN = {"op": "column", "name": "x"}
PYTHON = {
    "op": "python", "module": "features", "function": "f", "sha256": "0" * 64, "dtype": "int64", "args": [COLUMN],
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "is an object"),
        ({"name": "x"}, 'with the key "op"'),
        ({"op": ["add"]}, 'with the key "op"'),
        ({"op": "column"}, "exactly the keys name"),
        ({"op": "column", "name": 3}, "named by text"),
        ({"op": "column", "name": "x", "code": "import os"}, "exactly the keys name"),
        ({"op": "__import__", "args": [COLUMN]}, "no operation '__import__'"),
        ({"op": "add", "args": [COLUMN]}, "takes 2 operands, not 1"),
        ({"op": "add", "args": COLUMN}, "is a list"),
        ({"op": "is_in", "args": [COLUMN]}, "at least 2 operands"),
        ({"op": "literal", "dtype": "int32", "value": 1}, "but of int64"),
        ({"op": "literal", "dtype": "bool", "value": 1}, "but of int64"),
        ({"op": "literal", "dtype": "float64", "value": math.inf}, "no constant"),
        ({"op": "literal", "dtype": "decimal", "value": 1}, "'decimal' is no type"),
        ({"op": "literal", "dtype": "date", "value": "yesterday"}, "ISO 8601"),
        ({"op": "literal", "dtype": "timestamp", "value": "2013-01-01T00:00:00"}, "no time zone"),
        ({"op": "literal", "dtype": "int64", "value": 2**63}, "64 bits"),
        ({"op": "literal", "dtype": "string", "value": None}, "no constant"),
        ({"op": "cast", "dtype": "int", "args": [COLUMN]}, "'int' is no type"),
        ({"op": "literal", "dtype": "duration", "value": 1.5}, "no constant of type duration"),
        ({"op": "literal", "dtype": "decimal(4, 2)", "value": "1.5"}, "but of decimal"),
        ({"op": "literal", "dtype": "decimal(4, 2)", "value": "x"}, "is no decimal"),
        ({"op": "literal", "dtype": "embedding(2)", "value": ["a", 1]}, "is no vector"),
        ({"op": "window", "aggregate": "mean", "rows": 0, "args": [COLUMN]}, "number above 0"),
        ({"op": "window", "aggregate": "mean", "rows": 2, "seconds": 2, "args": [COLUMN]}, "not both"),
        ({"op": "window", "aggregate": "mean", "by": [], "args": [COLUMN]}, "named columns"),
        ({"op": "window", "aggregate": "quantile", "args": [COLUMN]}, "quantile"),
        ({"op": "window", "aggregate": "quantile", "quantile": 2, "args": [COLUMN]}, "between 0 and 1"),
        ({"op": "python", "args": [COLUMN]}, "exactly the keys"),
        ({**PYTHON, "module": "os; import x"}, "stands in a module"),
        ({**PYTHON, "function": "f()"}, "called by a name"),
        ({**PYTHON, "sha256": "0"}, "SHA-256"),
        ({**PYTHON, "args": [{"op": "literal", "dtype": "int64", "value": 1}]}, "takes columns"),
        ({"op": "window", "aggregate": "mode", "seconds": 60, "args": [COLUMN]}, "not 'mode'"),
        ({"op": "window", "aggregate": "mean", "seconds": 0, "args": [COLUMN]}, "positive number"),
        ({"op": "window", "aggregate": "mean", "seconds": True, "args": [COLUMN]}, "positive number"),
        ({"op": "window", "aggregate": "mean", "seconds": 1e300, "args": [COLUMN]}, "wider than time"),
    ],
)
def test_what_is_no_expression_is_refused(data: object, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        from_json(data)


def test_a_tree_too_deep_is_refused_in_a_sentence() -> None:
    data: dict[str, Any] = {"op": "column", "name": "p"}
    for _ in range(50_000):
        data = {"op": "not", "args": [data]}
    with pytest.raises(ExpressionError, match=f"more than {MAX_DEPTH} deep"):
        from_json(data)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (Column("nope"), "no column 'nope'"),
        (op("add", s, 1), r"string \+ int64 has no meaning"),
        (op("gt", p, q), "bool > bool has no meaning"),
        (op("eq", s, 1), "string == int64 has no meaning"),
        (op("not", i), "~ of int64 has no meaning"),
        (op("lower", i), "lower has no meaning for int64"),
        (op("contains", s, s), "takes constants"),
        (op("hour", d), "hour has no meaning for date"),
        (op("hour", t, "Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (op("year", d, "UTC"), "year of string has no meaning for date"),
        (op("fill_null", i, 0.5), "fill_null of float64 has no meaning for int64"),
        (Cast(x, "string"), "cannot be cast"),
        (Window(s, "mean", timedelta(1)), "mean of string"),
    ],
)
def test_what_has_no_meaning_is_refused(expression: Expression, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        infer(expression, TYPES)


def test_a_window_is_not_computed_row_by_row() -> None:
    with pytest.raises(ExpressionError, match="steps"):
        to_narwhals(op("add", x, Window(x, "mean", timedelta(1))), TYPES)


def test_literals_keep_their_type() -> None:
    assert literal(datetime(2013, 1, 1, 1, tzinfo=UTC)) == Literal(datetime(2013, 1, 1, 1, tzinfo=UTC), "timestamp")
    with pytest.raises(ExpressionError, match="no time zone"):
        literal(datetime(2013, 1, 1))  # noqa: DTZ001
