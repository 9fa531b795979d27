"""An expression as the Python that a person would have written, with no more parentheses than it needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from e2e_ml.festaf.dtypes import DataType, parse
from e2e_ml.festaf.expression.operations import OPERATIONS
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, Literal, Python, Scalar, Window

# Python's own precedence, loosest first. Comparisons chain in Python, so that their operands must bind more tightly.
_COMPARISON, _OR, _AND, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(8)
_PRECEDENCE = {
    "==": _COMPARISON, "!=": _COMPARISON, "<": _COMPARISON, "<=": _COMPARISON, ">": _COMPARISON, ">=": _COMPARISON,
    "|": _OR, "&": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT,
    "**": _POWER,
}  # fmt: skip


def to_python(expression: Expression) -> str:
    """The expression as Python: `(wind_speed > 25) & (visib < 3)`."""
    return _print(expression)[0]


def _print(expression: Expression) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match expression:
        case Column(name):
            return name, _ATOM
        case Literal(value):
            negative = isinstance(value, int | float) and str(value).startswith("-")
            return print_value(value), _UNARY if negative else _ATOM
        case Cast(arg, dtype):
            return f"{_receiver(arg)}.cast({print_type(dtype)})", _ATOM
        case Python(module, function, _, dtype, args):
            given = [f"{module}.{function}", print_type(dtype), *(_print(arg)[0] for arg in args)]
            return f"fs.python({', '.join(given)})", _ATOM
        case Window():
            return f"{_receiver(expression.arg)}.{_aggregation(expression)}", _ATOM
        case Apply(op, args):
            operation = OPERATIONS[op]
            if operation.form == "infix":
                mine = _PRECEDENCE[operation.symbol]
                left = _within(args[0], mine + (mine in (_COMPARISON, _POWER)))
                right = _within(args[1], _UNARY if mine == _POWER else mine + 1)
                return f"{left} {operation.symbol} {right}", mine
            if operation.form == "prefix":
                # -(3) is an operation on a constant, -3 a constant.
                constant = isinstance(args[0], Literal)
                inner = f"({_print(args[0])[0]})" if constant else _within(args[0], _UNARY)
                return f"{operation.symbol}{inner}", _UNARY
            if operation.form == "when":
                return _choice(args), _ATOM
            given = _mapping(args[1:]) if op == "map" else ", ".join(_print(arg)[0] for arg in args[1:])
            if operation.most is None and op != "map":
                given = f"[{given}]"
            return f"{_receiver(args[0])}.{operation.symbol}({given})", _ATOM


def _choice(args: Sequence[Expression]) -> str:
    texts = [_print(arg)[0] for arg in args]
    last = len(texts) - len(texts) % 2
    cases = ".".join(f"when({c}).then({v})" for c, v in zip(texts[0:last:2], texts[1:last:2], strict=True))
    return f"fs.{cases}.{f'otherwise({texts[last]})' if last < len(texts) else 'otherwise_null()'}"


def _mapping(args: Sequence[Expression]) -> str:
    texts = [_print(arg)[0] for arg in args]
    last = len(texts) - len(texts) % 2
    pairs = ", ".join(f"{key}: {value}" for key, value in zip(texts[0:last:2], texts[1:last:2], strict=True))
    return f"{{{pairs}}}" + (f", default={texts[last]}" if last < len(texts) else "")


def print_type(dtype: DataType, *, made: bool = False) -> str:
    """A type as Python: `fs.Int32`, `fs.Decimal(12, 2)`. `made`: as a column is declared, `fs.Int32()`."""
    parsed = parse(dtype)
    name = f"fs.{parsed.kind.capitalize()}"
    match parsed.kind:
        case "decimal":
            return f"{name}({parsed.precision}, {parsed.scale})"
        case "list":
            return f"{name}({print_type(parsed.element, made=True)})"
        case "embedding":
            return f"{name}({parsed.size})"
        case "struct":
            fields = (f"{field}={print_type(of, made=True)}" for field, of in parsed.fields.items())
            return f"{name}({', '.join(fields)})"
        case _:
            return f"{name}()" if made else name


def _aggregation(window: Window) -> str:
    over = [print_value(window.width)] if window.width is not None else []
    over += [f"rows={window.rows}"] if window.rows is not None else []
    over += [f"by=[{', '.join(window.by)}]"] if window.by else []
    quantile = "" if window.quantile is None else print_value(window.quantile)
    return f"{window.aggregate}({quantile}).over({', '.join(over)})"


def _within(expression: Expression, least: int) -> str:
    text, precedence = _print(expression)
    return text if precedence >= least else f"({text})"


def _receiver(expression: Expression) -> str:
    """What stands before the dot of a method: a constant would read as a decimal point there."""
    return f"({_print(expression)[0]})" if isinstance(expression, Literal) else _within(expression, _ATOM)


def print_value(value: Scalar | timedelta) -> str:
    """A constant or a width as Python."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            parts = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
            while len(parts) > 3 and not parts[-1]:
                parts.pop()
            return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
        case date():
            return f"date({value.year}, {value.month}, {value.day})"
        case timedelta():
            hours, rest = divmod(value.seconds, 3600)
            minutes, seconds = divmod(rest, 60)
            parts = {"days": value.days, "hours": hours, "minutes": minutes, "seconds": seconds}
            parts["microseconds"] = value.microseconds
            return f"timedelta({', '.join(f'{unit}={count}' for unit, count in parts.items() if count)})"
        case Decimal():
            return f'Decimal("{value:f}")'
        case tuple():
            return repr(list(value))
        case _:
            return repr(value)
