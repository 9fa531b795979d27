"""Any tree survives JSON and printing; and any arithmetic, comparison and logic equals what plain Python computes."""

from __future__ import annotations

import ast
import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.festaf.expression import (
    AGGREGATES,
    Apply,
    Cast,
    Column,
    Expression,
    Literal,
    Window,
    from_json,
    literal,
    to_json,
)
from e2e_ml.festaf.expression.compile_narwhals import to_narwhals
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.model import DataType

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
).map(literal)
widths = st.timedeltas(timedelta(microseconds=1), timedelta(days=4000))


def nodes(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def applications(name: str) -> st.SearchStrategy[Expression]:
        operation = OPERATIONS[name]
        most = 4 if operation.most is None else operation.most
        return st.lists(inner, min_size=operation.least, max_size=most).map(lambda args: Apply(name, tuple(args)))

    return st.one_of(
        st.sampled_from(sorted(OPERATIONS)).flatmap(applications),
        st.builds(Cast, inner, st.sampled_from(["int32", "float64", "string"])),
        st.builds(Window, inner, st.sampled_from(AGGREGATES), widths),
    )


trees: st.SearchStrategy[Expression] = st.recursive(st.one_of(names, constants), nodes, max_leaves=12)


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
        case Window(arg, aggregate, width):
            return Window(_folded(arg), aggregate, width)
        case _:
            return tree


_SYMBOLS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.BitAnd: "&",
    ast.BitOr: "|", ast.USub: "-", ast.Invert: "~", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=",
    ast.Gt: ">", ast.GtE: ">=",
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
        case ast.Call(func=ast.Attribute(value=receiver, attr="cast"), args=[ast.Attribute(attr=name)]):
            return Cast(_read(receiver), name.lower())  # pyright: ignore[reportArgumentType]
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Attribute(value=receiver, attr=aggregate)),
                attr="over",
            ),
            args=[ast.Call(keywords=parts)],
        ):
            width = timedelta(**{part.arg or "": _number(part.value) for part in parts})
            return Window(_read(receiver), aggregate, width)  # pyright: ignore[reportArgumentType]
        case ast.Call(func=ast.Attribute(value=receiver, attr=method), args=args):
            rest = args[0].elts if method == "is_in" and isinstance(args[0], ast.List) else args
            return Apply(method, (_read(receiver), *map(_read, rest)))
        case _:
            raise AssertionError(ast.dump(node))


def _number(node: ast.expr) -> int:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    return node.value


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
    compiled = to_narwhals(expression, TYPES).alias("r")
    got = nw.from_native(frame.with_columns(pl.lit(0).alias("_"))).with_columns(compiled).to_native()["r"].to_list()
    wanted = [_oracle(expression, dict(zip(TYPES, row, strict=True))) for row in rows]
    assert [_shown(v) for v in got] == [_shown(v) for v in wanted], to_python(expression)


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
