"""Expressions: how a feature is computed, as a value. Its tree stands here; what works on trees, each in its module:

`operations` is the table of what an expression may say, `json_form` its form in the registry; `printing` writes one as
Python and `printing_sql` as SQL; `steps` puts those of a view in order, `compile_narwhals` runs one on each engine, and
`functions` finds the project's own code behind one. Importing this loads no engine.
"""

from __future__ import annotations

from e2e_ml.festaf.expression.json_form import from_json, to_json
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
    Python,
    Scalar,
    Window,
    columns,
    is_python,
    is_row_level,
    literal,
    operands,
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
    "Python",
    "Scalar",
    "Window",
    "columns",
    "from_json",
    "is_python",
    "is_row_level",
    "literal",
    "operands",
    "to_json",
    "walk",
]
