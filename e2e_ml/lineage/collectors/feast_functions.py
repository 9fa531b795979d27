"""What the features of an on-demand view are made of: read from the source of its function, which is never run."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_ml.festaf.feast.bodies import NotAnExpressionError, expressions, function_of


@dataclass(frozen=True, slots=True)
class Made:
    """How a feature is computed: its code, and the columns that it reads by name; `exact`: of this feature alone."""

    code: str
    columns: tuple[str, ...]
    exact: bool


def made_of(code: str, columns: Sequence[str]) -> tuple[Mapping[str, Made], Made]:
    """Feature -> how it is made, where that is plain; and how the others are.

    A function that is more than arithmetic tells the columns that it names. One that names none may read all.
    """
    whole = _whole(code, columns)
    plain = {column: column for column in columns if column.isidentifier()}
    try:
        told = expressions(code, plain)
    except NotAnExpressionError:
        return {}, whole
    return {feature: Made(text, _names(text, columns), exact=True) for feature, text in told.items()}, whole


def _whole(code: str, columns: Sequence[str]) -> Made:
    try:
        function = function_of(code)
    except NotAnExpressionError:
        return Made(code.strip(), tuple(columns), exact=False)
    texts = {node.value for each in function.body for node in ast.walk(each) if isinstance(node, ast.Constant)}
    named = tuple(column for column in columns if column in texts)
    source = ast.get_source_segment(textwrap.dedent(code), function)
    return Made((source or code).strip(), named or tuple(columns), exact=False)


def _names(expression: str, columns: Sequence[str]) -> tuple[str, ...]:
    used = {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}
    return tuple(column for column in columns if column in used)
