"""Whole numbers that may not fit into 64 bits, for engines that refuse them where `operations` wraps round.

Each number has a bound that follows from types and constants, so that what cannot overflow is left as it is. What can
is taken out into columns of its own: wrapping round names its operands more than once, and operations in operations
would make a text that doubles with each of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ml.festaf.dtypes import BITS, INTEGERS, DataType
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, Literal, columns

LIMIT = 2**63  # of int64, whose numbers are below it, and at or above what is as far below zero
_SMALL = frozenset(
    {"year", "quarter", "month", "week", "day", "weekday", "day_of_year", "hour", "minute", "second",
     "days_since", "length", "sign", "bucketize", "ordinal"}
)  # fmt: skip


def may_overflow(expression: Expression, types: Mapping[str, DataType]) -> bool:
    """Whether its outermost operation may give what does not fit into int64, or need such on its way.

    `types` are those of the columns that it reads.
    """
    return isinstance(expression, Apply) and bool(columns(expression)) and _reach(expression, types) >= LIMIT


def in_parts(
    expression: Expression, types: Mapping[str, DataType], prefix: str
) -> tuple[dict[str, Expression], Expression]:
    """The expression over columns to be added first, in order, so that what may overflow stands alone in each.

    Their names are the prefix and a number.
    """
    known, parts, names = dict(types), dict[str, Expression](), dict[Expression, str]()

    def column(part: Expression) -> Expression:
        if not columns(part) or isinstance(part, Column):
            return part
        if part not in names:
            names[part] = f"{prefix}{len(parts)}"
            parts[names[part]] = part
            known[names[part]] = infer(part, known)
        return Column(names[part])

    def taken_out(node: Expression) -> Expression:
        match node:
            case Apply(op, args):
                below = [taken_out(arg) for arg in args]
                below = [column(arg) if may_overflow(arg, known) else arg for arg in below]
                made = Apply(op, tuple(below))
                return Apply(op, tuple(map(column, below))) if may_overflow(made, known) else made
            case Cast(arg, dtype):
                below = taken_out(arg)
                return Cast(column(below) if may_overflow(below, known) else below, dtype)
            case _:
                return node

    whole = taken_out(expression)
    return parts, whole


def _reach(expression: Apply, types: Mapping[str, DataType]) -> int:
    """How far from zero what the operation computes may lie, of whole numbers; 0 for what is none of its own."""
    if infer(expression, types) != "int64":
        return 0
    bounds = [_bound(arg, types) for arg in expression.args]
    match expression.op:
        case "add" | "sub":
            return bounds[0] + bounds[1]
        case "mul":
            return bounds[0] * bounds[1]
        case "neg" | "abs":
            return bounds[0]
        case "floordiv":
            divisor = expression.args[1]
            return 0 if isinstance(divisor, Literal) and divisor.value != -1 else bounds[0]
        case "mod":  # by way of the divisor times the quotient
            return bounds[0] + bounds[1]
        case _:
            return 0


def _bound(expression: Expression, types: Mapping[str, DataType]) -> int:
    """How far from zero it may lie."""
    dtype = infer(expression, types)
    of_type = 2 ** (BITS[dtype] - 1) if dtype in INTEGERS else LIMIT
    match expression:
        case Literal(int() as value):
            return abs(value)
        case Apply(op) if op in _SMALL:
            return 2**32
        case Apply("floordiv", (dividend, _)) if dtype == "int64":
            return _bound(dividend, types)
        case Apply("mod", (_, divisor)) if dtype == "int64":
            return _bound(divisor, types)
        case Apply():
            return min(_reach(expression, types) or LIMIT, of_type)
        case _:
            return of_type
