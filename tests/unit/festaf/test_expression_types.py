"""The operations of decimals, durations, patterns, choices, lists, vectors and structs: printing, types and values, on
Polars, as SQL in DuckDB, and on the engines that `portability` says compute them too."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import duckdb
import narwhals as nw
import polars as pl
import pytest

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import (
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Literal,
    from_json,
    literal,
    to_json,
)
from e2e_ml.festaf.expression.compile_narwhals import narwhals_dtype, polars_dtype, to_narwhals, to_polars
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.expression.patterns import check_pattern, to_portable
from e2e_ml.festaf.expression.portability import runs_on
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.expression.printing_sql import to_sql
from e2e_ml.festaf.expression.steps import RowStep
from e2e_ml.festaf.rows.engines import engine
from tests.unit.festaf import test_expression

NAN, INF = math.nan, math.inf
TYPES: dict[str, DataType] = {
    "i": "int64",
    "b": "int8",
    "x": "float64",
    "p": "bool",
    "s": "string",
    "c": "category",
    "d": "date",
    "t": "timestamp",
    "u": "timestamp",
    "z": "duration",
    "m": "decimal(10, 2)",
    "l": "list(float64)",
    "w": "list(string)",
    "e": "embedding(2)",
    "g": "embedding(2)",
    "r": "struct(a: int64, n: string)",
}
FRAME = pl.DataFrame(
    {
        "i": [-7, 7, None, 2**40],
        "b": [127, -128, None, 0],
        "x": [-7.25, 0.5, None, 2.5],
        "p": [True, False, None, True],
        "s": ["Rain.1", "a,b,,c", None, "2013-02-29"],
        "c": ["x", "y", None, "z"],
        "d": [date(2012, 12, 31), date(2021, 1, 3), None, date(1969, 12, 31)],
        "t": [datetime(2013, 1, 1, 4, 59, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 0, 0, 5, tzinfo=UTC), None,
              datetime(2013, 3, 10, 7, tzinfo=UTC)],
        "u": [datetime(2013, 1, 1, tzinfo=UTC)] * 4,
        "z": [timedelta(days=1, microseconds=5), timedelta(hours=-1), None, timedelta()],
        "m": [Decimal("1.25"), Decimal("-3.10"), None, Decimal("99.99")],
        "l": [[1.0, 2.5], [], None, [None, 3.0]],
        "w": [["a", "b"], [], None, [None, "c"]],
        "e": [[1.0, 2.0], [0.0, 0.0], None, [3.0, -4.0]],
        "g": [[2.0, 1.0], [1.0, 0.0], [1.0, 1.0], [3.0, 4.0]],
        "r": [{"a": 1, "n": "x"}, {"a": None, "n": "y"}, None, {"a": 4, "n": None}],
    },
    schema={name: polars_dtype(dtype) for name, dtype in TYPES.items()},
)  # fmt: skip
i, b, x, p, s, c, d, t, u, z, m, l, w, e, g, r = (Column(name) for name in TYPES)  # noqa: E741
HOUR = timedelta(hours=1)


def op(name: str, *args: Any) -> Apply:
    return Apply(name, tuple(a if isinstance(a, Expression) else literal(a) for a in args))


def dec(*values: str | None) -> list[Decimal | None]:
    return [None if value is None else Decimal(value) for value in values]


TABLE: list[tuple[Expression, str, DataType, list[Any]]] = [
    # decimals: exact, in 38 digits
    (op("add", m, m), "m + m", "decimal(38, 2)", dec("2.50", "-6.20", None, "199.98")),
    (op("add", m, 1), "m + 1", "decimal(38, 2)", dec("2.25", "-2.10", None, "100.99")),
    (op("sub", m, Decimal("0.005")), 'm - Decimal("0.005")', "decimal(38, 3)", dec("1.245", "-3.105", None, "99.985")),
    (op("mul", m, m), "m * m", "decimal(38, 4)", dec("1.5625", "9.6100", None, "9998.0001")),
    (op("mul", m, 0.5), "m * 0.5", "float64", [0.625, -1.55, None, 49.995]),
    (op("div", m, 2), "m / 2", "float64", [0.625, -1.55, None, 49.995]),
    (op("neg", m), "-m", "decimal(38, 2)", dec("-1.25", "3.10", None, "-99.99")),
    (op("clip", m, 0, 2), "m.clip(0, 2)", "decimal(38, 2)", dec("1.25", "0.00", None, "2.00")),
    (op("lt", m, Decimal("1.3")), 'm < Decimal("1.3")', "bool", [True, True, None, False]),
    (op("eq", m, x), "m == x", "bool", [False, False, None, False]),
    (op("fill_null", m, 7), "m.fill_null(7)", "decimal(10, 2)", dec("1.25", "-3.10", "7.00", "99.99")),
    (Cast(m, "int8"), "m.cast(fs.Int8)", "int8", [1, -3, None, 99]),
    (Cast(m, "float64"), "m.cast(fs.Float64)", "float64", [1.25, -3.1, None, 99.99]),
    (Cast(i, "decimal(5, 2)"), "i.cast(fs.Decimal(5, 2))", "decimal(5, 2)", dec("-7.00", "7.00", None, None)),
    (Cast(m, "decimal(4, 3)"), "m.cast(fs.Decimal(4, 3))", "decimal(4, 3)", dec("1.250", "-3.100", None, None)),
    # numbers
    (op("add", b, b), "b + b", "int64", [254, -256, None, 0]),
    (op("pow", x, 2), "x ** 2", "float64", [52.5625, 0.25, None, 6.25]),
    (op("pow", op("neg", x), op("neg", i)), "(-x) ** -i", "float64", [7.25**-7.0 * 7.25**14.0, -(0.5**-7), None, 0.0]),
    (op("neg", op("pow", x, 2)), "-x ** 2", "float64", [-52.5625, -0.25, None, -6.25]),
    (op("sign", x), "x.sign()", "int64", [-1, 1, None, 1]),
    (op("round", x), "x.round()", "float64", [-7.0, 0.0, None, 2.0]),
    (op("round", x, 1), "x.round(1)", "float64", [-7.2, 0.5, None, 2.5]),
    (op("exp", op("sub", x, x)), "(x - x).exp()", "float64", [1.0, 1.0, None, 1.0]),
    (op("clip", x, -1, 2.0), "x.clip(-1, 2.0)", "float64", [-1.0, 0.5, None, 2.0]),
    (op("bucketize", x, 0, 0.5, 3), "x.bucketize([0, 0.5, 3])", "int64", [0, 2, None, 2]),
    (op("is_nan", x), "x.is_nan()", "bool", [False, False, None, False]),
    # choice
    (op("when", p, i, 0), "fs.when(p).then(i).otherwise(0)", "int64", [-7, 0, 0, 2**40]),
    (op("when", p, "a"), 'fs.when(p).then("a").otherwise_null()', "string", ["a", None, None, "a"]),
    (
        op("when", op("gt", x, 1), "hot", op("gt", x, 0), "mild", "cold"),
        'fs.when(x > 1).then("hot").when(x > 0).then("mild").otherwise("cold")',
        "string",
        ["cold", "mild", "cold", "hot"],
    ),
    (op("map", c, "x", 1, "y", 2.5, 0), 'c.map({"x": 1, "y": 2.5}, default=0)', "float64", [1.0, 2.5, None, 0.0]),
    (op("map", i, 7, "seven"), 'i.map({7: "seven"})', "string", [None, "seven", None, None]),
    (op("ordinal", c, "z", "x"), 'c.ordinal(["z", "x"])', "int64", [1, None, None, 0]),
    (op("eq", c, s), "c == s", "bool", [False, False, None, False]),
    # text and patterns
    (op("add", s, "!"), 's + "!"', "string", ["Rain.1!", "a,b,,c!", None, "2013-02-29!"]),
    (op("matches", s, r"\w+\.\d"), 's.matches("\\\\w+\\\\.\\\\d")', "bool", [True, False, None, False]),
    (op("extract", s, r"(\d+)-(\d+)", 2), 's.extract("(\\\\d+)-(\\\\d+)", 2)', "string", [None, None, None, "02"]),
    (op("replace", s, "a", "$1"), 's.replace("a", "$1")', "string", ["R$1in.1", "$1,b,,c", None, "2013-02-29"]),
    (op("get", op("split", s, ","), 1), 's.split(",").get(1)', "string", [None, "b", None, None]),
    (op("split", s, ","), 's.split(",")', "list(string)", [["Rain.1"], ["a", "b", "", "c"], None, ["2013-02-29"]]),
    (op("slice", s, 1, 3), "s.slice(1, 3)", "string", ["ain", ",b,", None, "013"]),
    (Cast(op("slice", s, 0, 4), "int16"), "s.slice(0, 4).cast(fs.Int16)", "int16", [None, None, None, 2013]),
    (Cast(op("slice", s, 0, 4), "int8"), "s.slice(0, 4).cast(fs.Int8)", "int8", [None, None, None, None]),
    (Cast(op("slice", s, 5, 2), "float64"), "s.slice(5, 2).cast(fs.Float64)", "float64", [1.0, None, None, 2.0]),
    (Cast(s, "date"), "s.cast(fs.Date)", "date", [None, None, None, None]),  # no leap year
    (Cast(op("replace", s, "29", "28"), "date"), 's.replace("29", "28").cast(fs.Date)', "date",
     [None, None, None, date(2013, 2, 28)]),
    (Cast(s, "category"), "s.cast(fs.Category)", "category", ["Rain.1", "a,b,,c", None, "2013-02-29"]),
    (Cast(p, "string"), "p.cast(fs.String)", "string", ["true", "false", None, "true"]),
    # times
    (op("quarter", d), "d.quarter()", "int64", [4, 1, None, 4]),
    (op("week", d), "d.week()", "int64", [1, 53, None, 1]),
    (op("day_of_year", d), "d.day_of_year()", "int64", [366, 3, None, 365]),
    (op("second", t), "t.second()", "int64", [1, 0, None, 0]),
    (op("truncate", t, "hour"), 't.truncate("hour")', "timestamp", [
        datetime(2013, 1, 1, 4, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC), None,
        datetime(2013, 3, 10, 7, tzinfo=UTC)]),
    (op("sub", t, u), "t - u", "duration", [
        timedelta(seconds=17941), timedelta(days=-15707, seconds=82800, microseconds=5), None,
        timedelta(days=68, hours=7)]),
    (op("sub", d, date(2012, 12, 30)), "d - date(2012, 12, 30)", "duration", [
        timedelta(days=1), timedelta(days=2926), None, timedelta(days=-15705)]),
    (op("add", t, z), "t + z", "timestamp", [
        datetime(2013, 1, 2, 4, 59, 1, 5, tzinfo=UTC), datetime(1969, 12, 31, 22, 0, 0, 5, tzinfo=UTC), None,
        datetime(2013, 3, 10, 7, tzinfo=UTC)]),
    (op("add", d, HOUR), "d + timedelta(hours=1)", "timestamp", [
        datetime(2012, 12, 31, 1, tzinfo=UTC), datetime(2021, 1, 3, 1, tzinfo=UTC), None,
        datetime(1969, 12, 31, 1, tzinfo=UTC)]),
    (Cast(d, "timestamp"), "d.cast(fs.Timestamp)", "timestamp", [
        datetime(2012, 12, 31, tzinfo=UTC), datetime(2021, 1, 3, tzinfo=UTC), None,
        datetime(1969, 12, 31, tzinfo=UTC)]),
    (op("abs", z), "z.abs()", "duration", [timedelta(days=1, microseconds=5), HOUR, None, timedelta()]),
    (op("lt", z, HOUR), "z < timedelta(hours=1)", "bool", [False, True, None, True]),
    (op("total_seconds", z), "z.total_seconds()", "float64", [86400.000005, -3600.0, None, 0.0]),
    # lists, vectors, structs
    (op("length", l), "l.length()", "int64", [2, 0, None, 2]),
    (op("get", l, 1), "l.get(1)", "float64", [2.5, None, None, 3.0]),
    (op("contains", w, "c"), 'w.contains("c")', "bool", [False, False, None, True]),
    (op("sum", l), "l.sum()", "float64", [3.5, 0.0, None, 3.0]),
    (op("mean", l), "l.mean()", "float64", [1.75, None, None, 3.0]),
    (op("min", l), "l.min()", "float64", [1.0, None, None, 3.0]),
    (op("max", l), "l.max()", "float64", [2.5, None, None, 3.0]),
    (op("get", e, 1), "e.get(1)", "float32", [2.0, 0.0, None, -4.0]),
    (op("dot", e, g), "e.dot(g)", "float64", [4.0, 0.0, None, -7.0]),
    (op("dot", e, (1.0, 0.5)), "e.dot([1.0, 0.5])", "float64", [2.0, 0.0, None, 1.0]),
    (op("l2_norm", e), "e.l2_norm()", "float64", [math.sqrt(5), 0.0, None, 5.0]),
    (op("cosine_similarity", e, (3.0, 4.0)), "e.cosine_similarity([3.0, 4.0])", "float64",
     [11 / (math.sqrt(5) * 5), None, None, -7 / 25]),
    (op("field", r, "a"), 'r.field("a")', "int64", [1, None, None, 4]),
    (op("field", r, "n"), 'r.field("n")', "string", ["x", "y", None, None]),
]  # fmt: skip
IDS = [row[1] for row in TABLE]


def close(left: list[Any], right: list[Any]) -> bool:
    """Equal, but for the last bits of sums and powers."""

    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, float) and isinstance(b, float):
            return math.isclose(a, b, rel_tol=1e-14, abs_tol=1e-300)
        return type(a) is type(b) and a == b

    return len(left) == len(right) and all(map(equal, left, right))


@pytest.mark.parametrize(("expression", "code", "dtype", "values"), TABLE, ids=IDS)
def test_operation(expression: Expression, code: str, dtype: DataType, values: list[Any]) -> None:
    assert to_python(expression) == code
    assert from_json(to_json(expression)) == expression
    assert infer(expression, TYPES) == dtype
    for frame in (FRAME, FRAME.lazy()):
        result = frame.lazy().select(r_=to_polars(expression, TYPES)).collect()["r_"]
        assert result.dtype == polars_dtype(dtype)
        assert close(result.to_list(), values), result.to_list()


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    vectors = FRAME.with_columns(pl.col("e", "g").cast(pl.List(pl.Float32)))
    connection.register("it", vectors.with_row_index("row_").to_arrow())
    return connection


@pytest.mark.parametrize(("expression", "dtype", "values"), [(a, c, d) for a, _, c, d in TABLE], ids=IDS)
def test_its_sql_gives_the_same(
    expression: Expression, dtype: DataType, values: list[Any], connection: duckdb.DuckDBPyConnection
) -> None:
    sql = to_sql(expression, TYPES)
    query = f"SELECT {sql} AS r_ FROM it ORDER BY row_"
    if dtype == "duration":  # an interval of DuckDB's is no Arrow type of its own
        got = [value for (value,) in connection.execute(query).fetchall()]
    else:
        got = connection.sql(query).to_arrow_table().column("r_").to_pylist()
    if dtype == "float64":
        got = [None if value is None else float(value) for value in got]
    assert close(got, values), f"{sql}: {got}"


ALL = [(expression, TYPES, FRAME) for expression, *_ in TABLE] + [
    (expression, test_expression.TYPES, test_expression.FRAME) for expression, *_ in test_expression.TABLE
]


@pytest.mark.parametrize("name", ["pandas", "duckdb"])
def test_an_engine_computes_what_the_table_says_it_does(name: str) -> None:
    on = engine(name)
    held = {id(frame): on.frame(frame.with_row_index("row_")) for _, _, frame in ALL}
    computed = 0
    for expression, types, frame in ALL:
        if not runs_on(name, expression, types):
            continue
        step = RowStep("r_", expression, infer(expression, types))
        got = on.to_polars(on.add_expression(held[id(frame)], step, types)).sort("row_")["r_"].to_list()
        wanted = frame.select(r_=to_polars(expression, types))["r_"].to_list()
        assert test_expression.same(got, wanted), f"{to_python(expression)}: {got}, not {wanted}"
        computed += 1
    assert computed > len(ALL) / 2


def test_what_runs_on_polars_alone_says_so() -> None:
    assert not runs_on("duckdb", op("dot", e, g), TYPES)
    assert not runs_on("spark", op("sub", t, u), TYPES)
    assert not runs_on("dask", op("mul", m, m), TYPES)
    assert runs_on("polars", op("dot", e, g), TYPES)
    with pytest.raises(ExpressionError, match="Polars alone"):
        to_narwhals(op("dot", e, g), TYPES)


def test_every_operation_is_in_a_table() -> None:
    tested = {row[0].op for row in [*TABLE, *test_expression.TABLE] if isinstance(row[0], Apply)}
    assert tested == {name for name, operation in OPERATIONS.items() if not operation.outermost}


@pytest.mark.parametrize(
    "dtype", [*TYPES.values(), "list(list(int8))", "struct(a: list(decimal(4, 2)), b: embedding(3))"]
)
def test_a_type_is_the_same_to_both_libraries(dtype: DataType) -> None:
    empty = nw.from_native(pl.DataFrame(schema={"a": polars_dtype(dtype)}))
    assert empty.schema["a"] == narwhals_dtype(dtype)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (op("add", m, s), r"decimal\(10, 2\) \+ string has no meaning"),
        (op("floordiv", m, 2), "has no meaning"),
        (op("mul", Cast(m, "decimal(38, 20)"), Cast(m, "decimal(38, 20)")), "40 digits behind the point"),
        (op("add", t, u), r"timestamp \+ timestamp has no meaning"),
        (op("lt", p, p), "bool < bool has no meaning"),
        (op("lt", c, c), "category < category has no meaning"),
        (op("eq", l, l), "has no meaning"),
        (op("round", x, -1), "digits from 0 to 15"),
        (op("clip", x, 2, 1), "2 is above 1"),
        (op("bucketize", x, 1, 1), "edges that rise"),
        (op("when", i, 1, 2), "a condition that is true or false"),
        (op("when", p, 1, 0.5), "float64 does not fit int64"),
        (op("map", x, 1.0, 2), "has no meaning for float64"),
        (op("map", c, "a", 1, "a", 2), "names a value twice"),
        (op("map", c, "a", 1, "b", "x"), "of one type, not int64 and string"),
        (op("matches", s, "(?=x)"), "not read alike by all engines"),
        (op("extract", s, "(a)", 2), "to 1, not 2"),
        (op("split", s, ""), "not an empty one"),
        (op("slice", s, -1, 2), "both from 0 on"),
        (op("truncate", t, "week"), "hour or day, not 'week'"),
        (op("get", l, -1), "from 0 on"),
        (op("contains", w, 1), "has no meaning"),
        (op("sum", w), "sum has no meaning"),
        (op("dot", e, (1.0, 2.0, 3.0)), "are not"),
        (op("field", r, "lat"), "It has: a, n"),
        (Cast(x, "decimal(4, 2)"), "cannot be cast"),
        (Cast(m, "decimal(10, 1)"), "cannot be cast"),
        (Cast(s, "timestamp"), "cannot be cast"),
        (Cast(l, "string"), "but to nothing"),
    ],
)
def test_what_has_no_meaning_is_refused(expression: Expression, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        infer(expression, TYPES)


@pytest.mark.parametrize(
    ("pattern", "portable", "groups"),
    [
        (r"\d{2,3}?-(\w+)", "[0-9]{2,3}?-([0-9A-Za-z_]+)", 1),
        (r"[^\]\s]+$", r"[^\] \t\n\r\x0b\x0c]+$", 0),
        (r"(?:a|b)(c)(d)", "(?:a|b)(c)(d)", 2),
        (r"\D\/\<", r"[^0-9]\/<", 0),
    ],
)
def test_a_pattern_is_read_alike_everywhere(pattern: str, portable: str, groups: int) -> None:
    assert to_portable(pattern) == portable
    assert check_pattern(pattern) == groups


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bx",
        r"(a)\1",
        "(?i)a",
        "(?P<n>a)",
        "a++",
        "a{2}{3}",
        "a{1001}",
        "[a-z&&b]",
        r"\p{L}",
        "{",
        "[]",
        "a(",
        "[z-a]",
    ],
)
def test_a_pattern_that_is_not_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("value", "dtype", "json"),
    [
        (Decimal("-12.50"), "decimal(4, 2)", "-12.50"),
        (Decimal("1E+3"), "decimal(4, 0)", "1000"),
        (Decimal("0.05"), "decimal(2, 2)", "0.05"),
        (timedelta(hours=-1), "duration", -3_600_000_000),
        ((1, 2.5), "embedding(2)", [1.0, 2.5]),
    ],
)
def test_constants_of_the_types_that_json_lacks(value: Any, dtype: DataType, json: object) -> None:
    constant = literal(value)
    assert constant.dtype == dtype
    assert to_json(constant) == {"op": "literal", "dtype": dtype, "value": json}
    assert cast(Literal, from_json(to_json(constant))).value == constant.value


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal(1).scaleb(-39), (), (1.0, NAN), ("a",), object()])
def test_what_is_no_constant_is_refused(value: Any) -> None:
    with pytest.raises(ExpressionError):
        literal(value)
