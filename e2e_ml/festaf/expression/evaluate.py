"""Row-level expressions in plain Python, a row at a time: for the few rows of an online answer, where making a plan for
an engine would take longer than computing, and to hold the engines against.

Values are those of Python: a date, an aware datetime in UTC, a timedelta, a Decimal, a list for a list and for an
embedding, a dict for a struct; None is null. The meanings are those of `operations`; `evaluate_numbers` has numbers,
`evaluate_text` texts, times and lists.
"""

# Values are of any type here: `operations` has checked what the operands hold.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import evaluate_numbers, evaluate_text
from e2e_ml.festaf.expression.evaluate_numbers import alike_of, conversion, itself
from e2e_ml.festaf.expression.operations import apply_type, cast_type
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, ExpressionError, Literal, Python, Window

Row = Mapping[str, Any]
Evaluate = Callable[[Row], Any]
Function = Callable[..., Any]  # of values, none of them null
Types = Sequence[DataType]


def evaluator(expression: Expression, columns: Mapping[str, DataType]) -> Evaluate:
    """What computes the expression of a row that has these columns, as values of their types.

    Raises ExpressionError for an expression without meaning, and for one that is not row-level or is a function of the
    project's own.
    """
    return _compile(expression, columns)[0]


def _compile(expression: Expression, columns: Mapping[str, DataType]) -> tuple[Evaluate, DataType]:
    match expression:
        case Column(name):
            if name not in columns:
                raise ExpressionError(f"There is no column {name!r} in the view.")
            return operator.itemgetter(name), columns[name]
        case Literal(value, dtype):
            return lambda _: value, dtype
        case Cast(arg, dtype):
            operand, given = _compile(arg, columns)
            convert = conversion(given, cast_type(given, dtype))
            return _strict(convert, [operand]), dtype
        case Apply(op, args):
            compiled = [_compile(arg, columns) for arg in args]
            types = [dtype for _, dtype in compiled]
            dtype = apply_type(op, args, types)
            operands = [operand for operand, _ in compiled]
            if op in _LAZY:
                return _LAZY[op](operands, types, dtype), dtype
            return _strict(_function(op, types, dtype, args), operands), dtype
        case Window() | Python():
            raise ExpressionError("A window and a function see many rows: they are not computed row by row.")


def _function(op: str, types: Types, dtype: DataType, args: Sequence[Expression]) -> Function:
    build = _FUNCTIONS.get(op) or evaluate_numbers.FUNCTIONS.get(op) or evaluate_text.FUNCTIONS.get(op)
    if build is None:
        raise ExpressionError(f"There is no way to compute {op!r} row by row.")
    constants = [arg.value for arg in args[1:] if isinstance(arg, Literal)]
    return build(types, dtype, constants)


def _strict(function: Function, operands: Sequence[Evaluate]) -> Evaluate:
    """Of null, null."""
    if len(operands) == 1:
        (only,) = operands

        def of_one(row: Row) -> Any:
            value = only(row)
            return None if value is None else function(value)

        return of_one
    if len(operands) == 2:
        first, second = operands

        def of_two(row: Row) -> Any:
            left = first(row)
            if left is None:
                return None
            right = second(row)
            return None if right is None else function(left, right)

        return of_two

    def of_many(row: Row) -> Any:
        values = [operand(row) for operand in operands]
        return None if None in values else function(*values)

    return of_many


# --- comparison and choice ---------------------------------------------------------------------------------------


def _comparison(compare: Callable[[Any, Any], bool]) -> Any:
    def build(types: Types, dtype: DataType, _: Sequence[Any]) -> Function:
        alike = alike_of(types)
        return compare if alike is itself else lambda a, b: compare(float(a), float(b))

    return build


def _is_in(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    pairs = [(alike_of([types[0], given]), value) for given, value in zip(types[1:], constants, strict=True)]
    return lambda value, *_: any(alike(value) == alike(other) for alike, other in pairs)


def _ordinal(types: Types, dtype: DataType, constants: Sequence[Any]) -> Function:
    places = {value: place for place, value in enumerate(constants)}
    return lambda value, *_: places.get(value)


def _and(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    left, right = operands

    def both(row: Row) -> bool | None:
        a = left(row)
        if a is False:
            return False
        b = right(row)
        return False if b is False else None if a is None or b is None else True

    return both


def _or(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    left, right = operands

    def either(row: Row) -> bool | None:
        a = left(row)
        if a is True:
            return True
        b = right(row)
        return True if b is True else None if a is None or b is None else False

    return either


def _is_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    (only,) = operands
    return lambda row: only(row) is None


def _is_not_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    (only,) = operands
    return lambda row: only(row) is not None


def _fill_null(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    value, other = operands[0], _converted(operands[1], types[1], dtype)

    def filled(row: Row) -> Any:
        given = value(row)
        return other(row) if given is None else given

    return filled


def _converted(operand: Evaluate, given: DataType, wanted: DataType) -> Evaluate:
    return operand if given == wanted else _strict(conversion(given, wanted), [operand])


def _when(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    values = [_converted(operand, given, dtype) for operand, given in zip(operands, types, strict=True)]
    pairs = list(zip(operands[:-1:2], values[1::2], strict=False))
    otherwise = values[-1] if len(values) % 2 else None

    def chosen(row: Row) -> Any:
        for condition, value in pairs:
            if condition(row):
                return value(row)
        return None if otherwise is None else otherwise(row)

    return chosen


def _map(operands: Sequence[Evaluate], types: Types, dtype: DataType) -> Evaluate:
    values = [_converted(operand, given, dtype) for operand, given in zip(operands, types, strict=True)]
    nothing: Row = {}
    table = {key(nothing): value(nothing) for key, value in zip(operands[1::2], values[2::2], strict=False)}
    default = values[-1](nothing) if len(values) % 2 == 0 else None
    subject = operands[0]

    def mapped(row: Row) -> Any:
        key = subject(row)
        return None if key is None else table.get(key, default)

    return mapped


_LAZY: Mapping[str, Callable[[Sequence[Evaluate], Types, DataType], Evaluate]] = {
    "and": _and,
    "or": _or,
    "is_null": _is_null,
    "is_not_null": _is_not_null,
    "fill_null": _fill_null,
    "when": _when,
    "map": _map,
}

_FUNCTIONS: Mapping[str, Callable[[Types, DataType, Sequence[Any]], Function]] = {
    "eq": _comparison(operator.eq),
    "ne": _comparison(operator.ne),
    "lt": _comparison(operator.lt),
    "le": _comparison(operator.le),
    "gt": _comparison(operator.gt),
    "ge": _comparison(operator.ge),
    "is_in": _is_in,
    "not": lambda types, dtype, constants: operator.not_,
    "is_nan": lambda types, dtype, constants: math.isnan,
    "ordinal": _ordinal,
}
