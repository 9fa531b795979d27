"""Any tree survives JSON and printing; and any arithmetic, comparison and logic equals what plain Python computes."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import (
    AGGREGATES,
    Apply,
    Cast,
    Column,
    Expression,
    Literal,
    Python,
    Window,
    from_json,
    literal,
    to_json,
)
from e2e_ml.festaf.expression.compile_narwhals import polars_dtype, to_polars
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.expression.printing_sql import to_sql

# --- any tree ----------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "wind_speed"]).map(Column)
constants = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.dates(),
    # The first and the last days have no instant in UTC for every zone.
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones()),  # noqa: DTZ001
    st.timedeltas(),
    st.decimals(-(10**12), 10**12, places=4),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3).map(tuple),
).map(literal)
scalars = st.sampled_from(["int8", "float64", "string", "category", "date", "decimal(12, 2)", "embedding(3)"])
dtypes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        inner.map(lambda of: f"list({of})"), st.tuples(inner, inner).map(lambda of: f"struct(a: {of[0]}, b_2: {of[1]})")
    ),
    max_leaves=4,
)


@st.composite
def windows(draw: st.DrawFn, inner: st.SearchStrategy[Expression]) -> Expression:
    aggregate = draw(st.sampled_from(AGGREGATES))
    width = draw(st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=4000)))
    return Window(
        draw(inner),
        aggregate,
        width,
        rows=draw(st.none() | st.integers(1, 99)) if width is None else None,
        by=tuple(draw(st.lists(st.sampled_from(["a", "b"]), unique=True))),
        quantile=draw(st.floats(0, 1)) if aggregate == "quantile" else None,
    )


functions = st.builds(
    lambda function, dtype, args: Python("features.wind", function, "0" * 64, dtype, tuple(args)),
    st.sampled_from(["chill", "gust"]),
    dtypes,
    st.lists(names, min_size=1, max_size=3),
)


def nodes(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def applications(name: str) -> st.SearchStrategy[Expression]:
        operation = OPERATIONS[name]
        most = 4 if operation.most is None else operation.most
        return st.lists(inner, min_size=operation.least, max_size=most).map(lambda args: Apply(name, tuple(args)))

    return st.one_of(
        st.sampled_from(sorted(OPERATIONS)).flatmap(applications),
        st.builds(Cast, inner, dtypes),
        windows(inner),
    )


trees: st.SearchStrategy[Expression] = st.recursive(st.one_of(names, constants, functions), nodes, max_leaves=12)


@given(trees)
def test_json_keeps_a_tree(tree: Expression) -> None:
    assert from_json(json.loads(json.dumps(to_json(tree)))) == tree


@given(trees)
def test_printed_code_is_python_that_says_the_same(tree: Expression) -> None:
    printed = to_python(tree)
    assert _read(ast.parse(printed, mode="eval").body) == _folded(tree), printed


def _folded(tree: Expression) -> Expression:
    """As Python's parser sees it, for which -3 is an operation on 3, and is_in's constants a list."""
    match tree:
        case Literal(value) if isinstance(value, int | float) and str(value).startswith("-"):
            return Apply("neg", (literal(-value) if value != -(2**63) else Column("2**63"),))
        case Apply(op, args):
            return Apply(op, tuple(_folded(arg) for arg in args))
        case Cast(arg, dtype):
            return Cast(_folded(arg), dtype)
        case Window(arg):
            return replace(tree, arg=_folded(arg))
        case _:
            return tree


_SYMBOLS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.BitAnd: "&",
    ast.BitOr: "|", ast.USub: "-", ast.Invert: "~", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=",
    ast.Gt: ">", ast.GtE: ">=", ast.Pow: "**",
}  # fmt: skip


def _named(form: str, operator: object) -> str:
    symbol = _SYMBOLS[type(operator)]
    return next(o.name for o in OPERATIONS.values() if o.form == form and o.symbol == symbol)


def _read(node: ast.expr) -> Expression:
    match node:
        case ast.Name(id=name):
            return Column(name)
        case ast.Constant(value=value):
            assert isinstance(value, bool | int | float | str)
            return Column("2**63") if value == 2**63 and isinstance(value, int) else literal(value)
        case ast.UnaryOp(op=operator, operand=operand):
            return Apply(_named("prefix", operator), (_read(operand),))
        case ast.BinOp(left=left, op=operator, right=right):
            return Apply(_named("infix", operator), (_read(left), _read(right)))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return Apply(_named("infix", operator), (_read(left), _read(right)))
        case ast.Call(func=ast.Name(id="date"), args=args):
            return literal(date(*map(_number, args)))
        case ast.Call(func=ast.Name(id="datetime"), args=args):
            year, month, day, *rest = map(_number, args)
            return literal(datetime(year, month, day, *rest, tzinfo=UTC))
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=str(value))]):
            return literal(Decimal(value))
        case ast.Call(func=ast.Name(id="timedelta"), keywords=parts):
            return literal(_timedelta(parts))
        case ast.List(elts=elements):
            return literal(tuple(float(ast.literal_eval(element)) for element in elements))
        case ast.Call(func=ast.Attribute(value=receiver, attr="cast"), args=[dtype]):
            return Cast(_read(receiver), _dtype(dtype))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="fs"), attr="python"), args=[function, dtype, *args]):
            module, _, name = ast.unparse(function).rpartition(".")
            return Python(module, name, "0" * 64, _dtype(dtype), tuple(map(_read, args)))
        case ast.Call(func=ast.Attribute(value=chain, attr="otherwise" | "otherwise_null"), args=args):
            return Apply("when", (*_cases(chain), *map(_read, args)))
        case ast.Call(func=ast.Attribute(value=ast.Call() as aggregate, attr="over"), args=args, keywords=keywords):
            return _window(aggregate, args, {k.arg: k.value for k in keywords})
        case ast.Call(func=ast.Attribute(value=receiver, attr="map"), args=[ast.Dict() as pairs], keywords=default):
            each = [_read(v) for pair in zip(pairs.keys, pairs.values, strict=True) for v in pair if v is not None]
            return Apply("map", (_read(receiver), *each, *(_read(keyword.value) for keyword in default)))
        case ast.Call(func=ast.Attribute(value=receiver, attr=method), args=args):
            listed = args[0].elts if OPERATIONS[method].most is None and isinstance(args[0], ast.List) else args
            return Apply(method, (_read(receiver), *map(_read, listed)))
        case _:
            raise AssertionError(ast.dump(node))


def _cases(chain: ast.expr) -> list[Expression]:
    match chain:
        case ast.Call(func=ast.Attribute(value=ast.Call() as condition, attr="then"), args=[value]):
            assert isinstance(condition.func, ast.Attribute)
            return [*_cases(condition.func.value), _read(condition.args[0]), _read(value)]
        case ast.Name(id="fs"):
            return []
        case _:
            raise AssertionError(ast.dump(chain))


def _window(aggregate: ast.Call, args: list[ast.expr], keywords: dict[str | None, ast.expr]) -> Expression:
    assert isinstance(aggregate.func, ast.Attribute)
    width = [_timedelta(arg.keywords) for arg in args if isinstance(arg, ast.Call)]
    by = keywords.get("by")
    return Window(
        _read(aggregate.func.value),
        aggregate.func.attr,  # pyright: ignore[reportArgumentType]
        width[0] if width else None,
        rows=_number(keywords["rows"]) if "rows" in keywords else None,
        by=tuple(each.id for each in by.elts if isinstance(each, ast.Name)) if isinstance(by, ast.List) else (),
        quantile=ast.literal_eval(aggregate.args[0]) if aggregate.args else None,
    )


def _timedelta(parts: list[ast.keyword]) -> timedelta:
    return timedelta(**{part.arg or "": _number(part.value) for part in parts})


def _dtype(node: ast.expr) -> DataType:
    """`fs.List(fs.Int8())` as the registry spells it."""
    match node:
        case ast.Attribute(attr=name):
            return name.lower()
        case ast.Call(func=ast.Attribute(attr="List"), args=[of]):
            return f"list({_dtype(of)})"
        case ast.Call(func=ast.Attribute(attr="Struct"), keywords=fields):
            return f"struct({', '.join(f'{each.arg}: {_dtype(each.value)}' for each in fields)})"
        case ast.Call(func=ast.Attribute(attr=name), args=args):
            return name.lower() + (f"({', '.join(str(_number(arg)) for arg in args)})" if args else "")
        case _:
            raise AssertionError(ast.dump(node))


def _number(node: ast.expr) -> int:
    value = ast.literal_eval(node)
    assert isinstance(value, int)
    return value


# --- against plain Python ----------------------------------------------------------------------------------------

TYPES: dict[str, DataType] = {"i": "int64", "j": "int32", "x": "float64", "y": "float64", "p": "bool", "q": "bool"}
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-50, 50),
        st.none() | st.integers(-3, 3),
        st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.5, math.nan, math.inf, -math.inf]),
        st.none() | st.sampled_from([0.0, 1.5, 3.0, math.nan, math.inf]),
        st.none() | st.booleans(),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def infix(*ops: str, left: st.SearchStrategy[Expression], right: st.SearchStrategy[Expression]) -> Any:
    return st.builds(lambda op, a, b: Apply(op, (a, b)), st.sampled_from(ops), left, right)


numbers: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from([Column("i"), Column("j"), Column("x"), Column("y"), literal(2), literal(0), literal(-1.5)]),
    lambda inner: st.one_of(
        infix("add", "sub", "mul", "div", "floordiv", "mod", left=inner, right=inner),
        st.builds(lambda a: Apply("neg", (a,)), inner),
        st.builds(lambda a, v: Apply("fill_null", (a, literal(v))), inner, st.just(1)),
    ),
    max_leaves=4,
)
truths: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(
        st.sampled_from([Column("p"), Column("q")]),
        infix("eq", "ne", "lt", "le", "gt", "ge", left=numbers, right=numbers),
        st.builds(lambda a: Apply("is_null", (a,)), numbers),
    ),
    lambda inner: st.one_of(
        infix("and", "or", "eq", "ne", left=inner, right=inner), st.builds(lambda a: Apply("not", (a,)), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(numbers, truths), ROWS)
def test_polars_computes_what_python_does(expression: Expression, rows: list[tuple[Any, ...]]) -> None:
    schema = {"i": pl.Int64, "j": pl.Int32, "x": pl.Float64, "y": pl.Float64, "p": pl.Boolean, "q": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    got = frame.with_columns(to_polars(expression, TYPES).alias("r"))["r"]
    assert got.dtype == polars_dtype(infer(expression, TYPES))
    wanted = [_oracle(expression, dict(zip(TYPES, row, strict=True))) for row in rows]
    assert [_shown(v) for v in got.to_list()] == [_shown(v) for v in wanted], to_python(expression)


def _shown(value: Any) -> str:
    return "0.0" if value == 0 and isinstance(value, float) else repr(value)


def _floored(a: Any, b: Any) -> tuple[Any, Any]:
    """Quotient and remainder: Python's own for integers, by the formula of the table for floats."""
    if b == 0:
        return None, None
    if isinstance(a, int) and isinstance(b, int):
        return divmod(a, b)
    quotient = a / b
    floor = math.floor(quotient) if math.isfinite(quotient) else quotient
    return float(floor), a - b * float(floor)


def _oracle(expression: Expression, row: dict[str, Any]) -> Any:
    """The table's words, read by a person: null for what is not known, IEEE 754 for the rest."""
    match expression:
        case Column(name):
            return row[name]
        case Literal(value):
            return value
        case Apply("is_null", (arg,)):
            return _oracle(arg, row) is None
        case Apply("fill_null", (arg, value)):
            found = _oracle(arg, row)
            filled = _oracle(value, row) if found is None else found
            return float(filled) if infer(arg, TYPES) == "float64" else filled
        case Apply("and" | "or" as op, args):
            decisive = op == "or"
            values = [_oracle(arg, row) for arg in args]
            return decisive if decisive in values else (None if None in values else not decisive)
        case Apply(op, args):
            values = [_oracle(arg, row) for arg in args]
            if any(value is None for value in values):
                return None
            result = _PYTHON[op](*values)
            return float(result) if result is not None and infer(expression, TYPES) == "float64" else result
        case _:
            raise AssertionError(expression)


_PYTHON: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: None if b == 0 else a / b,
    "floordiv": lambda a, b: _floored(a, b)[0],
    "mod": lambda a, b: _floored(a, b)[1],
    "neg": lambda a: -a,
    "not": lambda a: not a,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


# --- against SQL -------------------------------------------------------------------------------------------------

SQL_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-50, 50),
        st.none() | st.integers(-3, 3),
        st.none() | st.sampled_from([0.0, 1.5, -2.5, 1e10]),
        st.none() | st.sampled_from([0.0, 1.5, 3.0]),
        st.none() | st.booleans(),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(st.one_of(numbers, truths), SQL_ROWS)
def test_duckdb_computes_the_printed_sql_to_the_same(expression: Expression, rows: list[tuple[Any, ...]]) -> None:
    schema = {"i": pl.Int64, "j": pl.Int32, "x": pl.Float64, "y": pl.Float64, "p": pl.Boolean, "q": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    wanted = frame.with_columns(to_polars(expression, TYPES).alias("r"))["r"].to_list()
    sql = to_sql(expression, TYPES)
    with duckdb.connect() as connection:
        connection.register("it", frame.with_row_index("row_").to_arrow())
        got = [value for (value,) in connection.execute(f"SELECT {sql} AS r FROM it ORDER BY row_").fetchall()]
    # SQL has no NaN in mind, and its whole numbers have the width that they need.
    pairs = [(a, b) for a, b in zip(got, wanted, strict=True) if not (isinstance(b, float) and math.isnan(b))]
    real = infer(expression, TYPES) == "float64"  # a constant alone is a decimal to SQL
    assert [_shown(float(a) if real and a is not None else a) for a, _ in pairs] == [_shown(b) for _, b in pairs], sql
