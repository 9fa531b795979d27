"""The expression tree as JSON, which is how the registry holds it. Nothing is evaluated on the way in.

    {"op": "le", "args": [{"op": "column", "name": "temp"}, {"op": "literal", "dtype": "int64", "value": 32}]}

Constants that JSON has no type for: dates and timestamps as ISO 8601, decimals as text, durations as microseconds,
vectors as lists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from e2e_ml.festaf.dtypes import DataType, TypeNameError, kind, parse
from e2e_ml.festaf.expression.operations import check_arity
from e2e_ml.festaf.expression.tree import (
    AGGREGATES,
    MAX_DEPTH,
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Literal,
    Python,
    Scalar,
    Window,
    literal,
)


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
        case Python(module, function, sha256, dtype, args):
            data = {"op": "python", "module": module, "function": function, "sha256": sha256, "dtype": dtype}
            return {**data, "args": [to_json(arg) for arg in args]}


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


def _value_to_json(value: Scalar) -> bool | int | float | str | list[float]:
    match value:
        case date():
            return value.isoformat()
        case timedelta():
            return value // timedelta(microseconds=1)
        case Decimal():
            return format(value, "f")
        case tuple():
            return list(value)
        case _:
            return value


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
        case "python":
            _only(fields, "module", "function", "sha256", "dtype", "args")
            return _read_python(fields, _read_args(fields, depth))
        case str():
            _only(fields, "args")
            args = _read_args(fields, depth)
            check_arity(op, len(args))
            return Apply(op, args)
        case _:
            raise ExpressionError(f'An expression is an object with the key "op", not {dict(fields)!r}.')


def _read_python(fields: Mapping[str, object], args: tuple[Expression, ...]) -> Python:
    module, function, sha256 = (fields[name] for name in ("module", "function", "sha256"))
    if not isinstance(module, str) or not all(part.isidentifier() for part in module.split(".")):
        raise ExpressionError(f"A function stands in a module such as features.wind, not in {module!r}.")
    if not isinstance(function, str) or not function.isidentifier():
        raise ExpressionError(f"A function is called by a name, not by {function!r}.")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ExpressionError(f"A function's source is known by its SHA-256, not by {sha256!r}.")
    if not args or not all(isinstance(arg, Column) for arg in args):
        raise ExpressionError("A function in Python takes columns, at least one.")
    return Python(module, function, sha256, _data_type(fields["dtype"]), args)


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
    result = literal(_scalar(wanted, value))
    if wanted == "float64" and result.dtype == "int64":
        result = literal(float(str(value)))  # JSON writers of other languages drop the ".0"
    if result.dtype != wanted:
        raise ExpressionError(f"{value!r} is no constant of type {wanted}, but of {result.dtype}.")
    return result


def _scalar(dtype: DataType, value: object) -> Scalar:
    """The value that a JSON value stands for. The types that JSON lacks are text, or whole microseconds."""
    try:
        match kind(dtype), value:
            case "date", str():
                return date.fromisoformat(value)
            case "timestamp", str():
                return datetime.fromisoformat(value)
            case "decimal", str():
                return Decimal(value)
            case "duration", int() if not isinstance(value, bool):
                return timedelta(microseconds=value)
            case "embedding", list():
                return tuple(cast("list[float]", value))
            case _, bool() | int() | float() | str() if kind(dtype) not in ("decimal", "duration"):
                return value
            case _:
                pass
    except (ValueError, ArithmeticError):
        form = " in the form of ISO 8601" if kind(dtype) in ("date", "timestamp") else ""
        raise ExpressionError(f"{value!r} is no {dtype}{form}.") from None
    raise ExpressionError(f"{value!r} is no constant of type {dtype}.")
