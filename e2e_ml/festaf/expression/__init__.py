"""Expressions: how a feature is computed, as a value. Its tree stands here; what works on trees, each in its module:

`operations` is the table of what an expression may say, `printing` writes one as Python, `steps` puts those of a view
in order, and `compile_narwhals` runs one on every engine. Importing this loads no engine.
"""

from __future__ import annotations

from e2e_ml.festaf.expression.tree import (
    AGGREGATES,
    MAX_DEPTH,
    Aggregate,
    Apply,
    Cast,
    Column,
    Expression,
    ExpressionError,
    Literal,
    Scalar,
    Window,
    columns,
    from_json,
    is_row_level,
    literal,
    operands,
    to_json,
    walk,
)

__all__ = [
    "AGGREGATES",
    "MAX_DEPTH",
    "Aggregate",
    "Apply",
    "Cast",
    "Column",
    "Expression",
    "ExpressionError",
    "Literal",
    "Scalar",
    "Window",
    "columns",
    "from_json",
    "is_row_level",
    "literal",
    "operands",
    "to_json",
    "walk",
]
