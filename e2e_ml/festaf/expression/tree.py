"""The expression tree: what a definition says about a feature, as a value.

A tree is immutable, small and neutral of engine and language: five kinds of node, JSON in and JSON out, nothing that
is evaluated on the way in. What each operation means, takes and gives is the table in `operations`; how a tree is
printed for people is `printing`; how it runs is `compile_narwhals`.

    {"op": "le", "args": [{"op": "column", "name": "temp"}, {"op": "literal", "dtype": "int64", "value": 32}]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast, get_args
from typing import Literal as OneOf

from e2e_ml.festaf.dtypes import DataType, TypeNameError, parse

Scalar = bool | int | float | str | date | datetime
Aggregate = OneOf[
    "count", "sum", "mean", "std", "min", "max", "first", "last", "distinct", "quantile", "time_since_last"
]

AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)

# Far deeper than a person writes; a tree from a file that goes deeper is refused before Python's own limit is met.
MAX_DEPTH = 100


class ExpressionError(ValueError):
    """A tree that has no meaning: an operation that does not exist, or that its operands' types lack."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source or another feature, of the same view."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Build it with `literal`, which finds the type; timestamps are in UTC, numbers finite."""

    value: Scalar
    dtype: DataType

    def __eq__(self, other: object) -> bool:
        # 1, 1.0 and True are equal in Python, and three different constants here; so are 0.0 and -0.0.
        return isinstance(other, Literal) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str]:
        return self.dtype, repr(self.value)


@dataclass(frozen=True, slots=True)
class Apply:
    """A row-level operation, by its name in `operations.OPERATIONS`, on one or more operands."""

    op: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion to another type. A value that the type cannot hold becomes null."""

    arg: Expression
    dtype: DataType


@dataclass(frozen=True, slots=True)
class Window:
    """An aggregate over rows that a row may see: those of the same entity, or with `by` of the same values there.

    `width`: whose event time lies in (t - width, t]. `rows`: the last so many up to the row itself, in the order of
    event time, created time and storing. Neither: all up to t; in a view without times, all there are. Nulls are left
    out (of `rows`, they are counted). `quantile` is linear between the two nearest values.
    """

    arg: Expression
    aggregate: Aggregate
    width: timedelta | None = None
    rows: int | None = None
    by: tuple[str, ...] = ()
    quantile: float | None = None


Expression = Column | Literal | Apply | Cast | Window


def literal(value: Scalar) -> Literal:
    """A constant, with its type: int is int64, float float64, a datetime a timestamp in UTC.

    Raises ExpressionError for NaN and infinity, naive datetimes, integers beyond 64 bits and every other type.
    """
    match value:
        case bool():
            return Literal(value, "bool")
        case int():
            if not -(2**63) <= value < 2**63:
                raise ExpressionError(f"{value} does not fit into 64 bits.")
            return Literal(value, "int64")
        case float():
            if not math.isfinite(value):
                raise ExpressionError(f"{value} is no constant of an expression: use is_null or a bound.")
            return Literal(value, "float64")
        case str():
            return Literal(value, "string")
        case datetime():
            if value.utcoffset() is None:
                raise ExpressionError(f"{value!r} has no time zone: write it with tzinfo=UTC or the zone it means.")
            return Literal(value.astimezone(UTC), "timestamp")
        case date():
            return Literal(value, "date")
        case _:
            raise ExpressionError(f"{value!r} is no constant of an expression.")


def operands(expression: Expression) -> tuple[Expression, ...]:
    """The nodes directly below it."""
    match expression:
        case Apply(args=args):
            return args
        case Cast(arg=arg) | Window(arg=arg):
            return (arg,)
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The node itself and everything below it, parents first, left to right."""
    yield expression
    for operand in operands(expression):
        yield from walk(operand)


def columns(expression: Expression) -> tuple[str, ...]:
    """The names that it reads, each once, in the order in which they appear."""
    read: list[str] = []
    for node in walk(expression):
        match node:
            case Column(name):
                read.append(name)
            case Window(by=by):
                read += by
            case _:
                pass
    return tuple(dict.fromkeys(read))


def is_row_level(expression: Expression) -> bool:
    """Whether a row's value depends on that row alone: there is no window in it."""
    return not any(isinstance(node, Window) for node in walk(expression))


def to_json(expression: Expression) -> dict[str, Any]:
    """The tree as JSON values. `from_json` is its inverse."""
    match expression:
        case Column(name):
            return {"op": "column", "name": name}
        case Literal(value, dtype):
            return {"op": "literal", "dtype": dtype, "value": _value_to_json(value)}
        case Apply(op, args):
            return {"op": op, "args": [to_json(arg) for arg in args]}
        case Cast(arg, dtype):
            return {"op": "cast", "dtype": dtype, "args": [to_json(arg)]}
        case Window():
            return _window_to_json(expression)


def _window_to_json(window: Window) -> dict[str, Any]:
    """What is not said is left out, so that a reader finds just what matters."""
    data: dict[str, Any] = {"op": "window", "aggregate": window.aggregate}
    if window.quantile is not None:
        data["quantile"] = window.quantile
    if window.width is not None:
        seconds = window.width.total_seconds()
        data["seconds"] = int(seconds) if seconds.is_integer() else seconds
    if window.rows is not None:
        data["rows"] = window.rows
    if window.by:
        data["by"] = list(window.by)
    return {**data, "args": [to_json(window.arg)]}


def _value_to_json(value: Scalar) -> bool | int | float | str:
    return value.isoformat() if isinstance(value, date) else value


def from_json(data: object) -> Expression:
    """Read a tree. Raises ExpressionError, with a sentence, for anything that is not one.

    The types of the operands are not checked here: that needs the columns, see `operations.infer`.
    """
    return _read(data, depth=0)


def _read(data: object, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"The expression is nested more than {MAX_DEPTH} deep.")
    if not isinstance(data, Mapping):
        raise ExpressionError(f'An expression is an object with the key "op", not {data!r}.')
    fields = cast("Mapping[str, object]", data)
    op = fields.get("op")
    match op:
        case "column":
            _only(fields, "name")
            name = fields["name"]
            if not isinstance(name, str) or not name:
                raise ExpressionError(f"A column is named by text, not by {name!r}.")
            return Column(name)
        case "literal":
            _only(fields, "dtype", "value")
            return _read_literal(fields["dtype"], fields["value"])
        case "cast":
            _only(fields, "dtype", "args")
            (arg,) = _read_args(fields, depth, count=1)
            return Cast(arg, _data_type(fields["dtype"]))
        case "window":
            _only(fields, "aggregate", "args", optional=("quantile", "seconds", "rows", "by"))
            (arg,) = _read_args(fields, depth, count=1)
            return _read_window(fields, arg)
        case str():
            # The table knows this module's nodes, so it is imported where it is needed.
            from e2e_ml.festaf.expression.operations import check_arity

            _only(fields, "args")
            args = _read_args(fields, depth)
            check_arity(op, len(args))
            return Apply(op, args)
        case _:
            raise ExpressionError(f'An expression is an object with the key "op", not {dict(fields)!r}.')


def _read_window(fields: Mapping[str, object], arg: Expression) -> Window:
    aggregate, quantile, rows, by = (fields.get(name) for name in ("aggregate", "quantile", "rows", "by"))
    if aggregate not in AGGREGATES:
        raise ExpressionError(f"A window's aggregate is one of {', '.join(AGGREGATES)}, not {aggregate!r}.")
    if (quantile is not None) != (aggregate == "quantile"):
        raise ExpressionError('"quantile" stands with the aggregate quantile, and with no other.')
    if quantile is not None and not (isinstance(quantile, int | float) and 0 <= quantile <= 1):
        raise ExpressionError(f"A quantile lies between 0 and 1, not at {quantile!r}.")
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 1):
        raise ExpressionError(f"A window's rows are a number above 0, not {rows!r}.")
    if rows is not None and "seconds" in fields:
        raise ExpressionError("A window is so many seconds or so many rows wide, not both.")
    names = cast("list[object]", by) if isinstance(by, list) else []
    if by is not None and (not names or not all(isinstance(name, str) and name for name in names)):
        raise ExpressionError(f"A window goes by named columns, not by {by!r}.")
    return Window(
        arg,
        aggregate,
        width=_width(fields["seconds"]) if "seconds" in fields else None,
        rows=rows,
        by=tuple(map(str, names)),
        quantile=None if quantile is None else float(quantile),
    )


def _only(fields: Mapping[str, object], *names: str, optional: tuple[str, ...] = ()) -> None:
    if set(fields) - set(optional) != {"op", *names}:
        given = ", ".join(sorted(set(fields) - {"op"})) or "none"
        raise ExpressionError(f"{fields['op']!r} has exactly the keys {', '.join(names)}; given: {given}.")


def _read_args(fields: Mapping[str, object], depth: int, count: int | None = None) -> tuple[Expression, ...]:
    args = fields["args"]
    if not isinstance(args, list) or (count is not None and len(cast("list[object]", args)) != count):
        raise ExpressionError(f'"args" of {fields["op"]!r} is a list{f" of {count}" if count else ""}, not {args!r}.')
    return tuple(_read(arg, depth + 1) for arg in cast("list[object]", args))


def _data_type(name: object) -> DataType:
    if not isinstance(name, str):
        raise ExpressionError(f"A type is named by text, not by {name!r}.")
    try:
        parse(name)
    except TypeNameError as error:
        raise ExpressionError(str(error)) from None
    return name


def _width(seconds: object) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise ExpressionError(f"A window's width is a positive number of seconds, not {seconds!r}.")
    try:
        width = timedelta(seconds=seconds)
    except OverflowError:
        raise ExpressionError(f"A window of {seconds} seconds is wider than time can be counted.") from None
    if not width:
        raise ExpressionError(f"A window of {seconds} seconds is narrower than a microsecond.")
    return width


def _read_literal(dtype: object, value: object) -> Literal:
    wanted = _data_type(dtype)
    parsed: object = value
    if isinstance(value, str) and wanted in ("date", "timestamp"):
        try:
            parsed = date.fromisoformat(value) if wanted == "date" else datetime.fromisoformat(value)
        except ValueError:
            raise ExpressionError(f"{value!r} is no {wanted} in the form of ISO 8601.") from None
    if wanted == "float64" and isinstance(parsed, int) and not isinstance(parsed, bool):
        parsed = float(parsed)  # JSON writers of other languages drop the ".0"
    if not isinstance(parsed, bool | int | float | str | date):
        raise ExpressionError(f"{value!r} is no constant of type {wanted}.")
    result = literal(parsed)
    if result.dtype != wanted:
        raise ExpressionError(f"{value!r} is no constant of type {wanted}, but of {result.dtype}.")
    return result
