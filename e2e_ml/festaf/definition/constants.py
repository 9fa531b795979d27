"""The constants of a definition, checked against the column that they are given to. All raise DefinitionError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from e2e_ml.festaf.definition.columns import Column, constant, noted
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.expression import ExpressionError, Literal, to_json
from e2e_ml.festaf.expression.operations import apply_type
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


def fitting(column: Column, value: object, what: str) -> Literal:
    """The constant in the column's type. Raises DefinitionError where it does not fit."""
    given = constant(value)
    try:
        apply_type("fill_null", [given, given], [column.dtype, given.dtype])
    except ExpressionError:
        raise refuse(f"{what} of a {type(column).__name__} takes no {value!r}.") from None
    if column.dtype == "int32" and not -(2**31) <= int(str(given.value)) < 2**31:
        raise refuse(f"{value!r} does not fit into an Int32.")
    return constant(float(value)) if column.dtype.startswith("float") else given  # pyright: ignore[reportArgumentType]


def accepted(column: C, values: Sequence[object]) -> C:
    """The column with the rule that these are all the values it takes."""
    rule = "accepted_values"
    accepted = (fitting(column, value, rule) for value in distinct(values, rule))
    return noted(column, Constraint(rule=rule, value=[to_json(value)["value"] for value in accepted]))


def ordered(column: Column, lower: object, upper: object) -> None:
    """Check that bounds are bounds of the column, and that some value lies between them."""
    low, high = (fitting(column, value, "bounds").value for value in (lower, upper))
    if low > high:  # pyright: ignore[reportOperatorIssue]  # both are of the column's type
        raise refuse(f"its bounds are the wrong way round: {lower!r} is above {upper!r}.")
