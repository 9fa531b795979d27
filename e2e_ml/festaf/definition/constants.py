"""The constants of a definition, checked against the column that they are given to. All raise DefinitionError."""

from __future__ import annotations

import decimal
from collections.abc import Sequence, Sized
from datetime import timedelta
from typing import Any, TypeVar

from e2e_ml.festaf.definition.columns import Column, constant, noted
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.dtypes import Parsed, parse
from e2e_ml.festaf.expression import ExpressionError, Literal, to_json
from e2e_ml.festaf.expression.operations import apply_type
from e2e_ml.festaf.expression.patterns import check_pattern
from e2e_ml.festaf.model import Constraint

C = TypeVar("C", bound=Column)
ValueT = TypeVar("ValueT")


def zone(timezone: str) -> tuple[str, ...]:
    """The operand that names a zone: none for UTC."""
    return () if timezone == "UTC" else (timezone,)


def distinct(values: Sequence[ValueT], what: str) -> list[ValueT]:
    """The values, at least one and none of them twice."""
    given = list(values)
    if isinstance(values, str) or not given:
        raise refuse(f'{what} takes a list of at least one value, such as ["rain", "snow"], not {values!r}.')
    if len(set(map(repr, given))) != len(given):
        raise refuse(f"{what} names a value twice: {given!r}.")
    return given


def size(values: Sized, what: str) -> None:
    """Check that there is at least one value."""
    if isinstance(values, str) or not len(values):
        raise refuse(f"{what} takes at least one value, not {values!r}.")


def fitting(column: Column, value: object, what: str) -> Literal:
    """The constant in the column's type. Raises DefinitionError where it does not fit."""
    given = constant(value)
    try:
        apply_type("fill_null", [given, given], [column.dtype, given.dtype])
    except ExpressionError:
        raise refuse(f"{what} of a {type(column).__name__} takes no {value!r}.") from None
    number = given.value
    match parse(column.dtype):
        case Parsed(kind="float32" | "float64"):
            return constant(float(number))  # pyright: ignore[reportArgumentType]  # a number, for it fits
        case Parsed(kind="int8" | "int16" | "int32" as kind) if not _holds(int(kind[3:]), number):
            raise refuse(f"{value!r} does not fit into an {type(column).__name__}.")
        case Parsed(kind="decimal", precision=digits, scale=scale):
            exact = decimal.Decimal(str(number))
            if abs(exact) >= 10 ** (digits - scale):
                raise refuse(f"{value!r} does not fit into a {column.dtype}.")
            return constant(exact.quantize(decimal.Decimal(1).scaleb(-scale)))
        case _:
            return given


def _holds(bits: int, number: object) -> bool:
    return isinstance(number, int) and -(2 ** (bits - 1)) <= number < 2 ** (bits - 1)


def as_rule(value: Literal) -> Any:
    """A constant as a constraint holds it: as JSON, a duration in seconds."""
    if isinstance(value.value, timedelta):
        return value.value.total_seconds()
    return to_json(value)["value"]


def bound(column: Column, value: object, what: str) -> Any:
    """A bound of the column, as its constraint holds it."""
    return as_rule(fitting(column, value, what))


def accepted(column: C, values: Sequence[object]) -> C:
    """The column with the rule that these are all the values it takes."""
    rule = "accepted_values"
    accepted = (fitting(column, value, rule) for value in distinct(values, rule))
    return noted(column, Constraint(rule=rule, value=[as_rule(value) for value in accepted]))


def ordered(column: Column, lower: object, upper: object) -> None:
    """Check that bounds are bounds of the column, and that some value lies between them."""
    low, high = (fitting(column, value, "bounds").value for value in (lower, upper))
    if low > high:  # pyright: ignore[reportOperatorIssue]  # both are of the column's type
        raise refuse(f"its bounds are the wrong way round: {lower!r} is above {upper!r}.")


def length(value: object, what: str) -> int:
    """A length that a rule allows."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise refuse(f"{what} takes a length from 0 on, not {value!r}.")
    return value


def pattern(text: object) -> str:
    """A regular expression of the kind that all engines read alike."""
    try:
        check_pattern(text)
    except ExpressionError as error:
        raise refuse(str(error)) from None
    return str(text)
