"""The types of columns, each with just the operations that mean something for it.

A type checker sees the same: `sex.lower_bound(0)` on a String is an error in the editor, and a sentence when it runs.
What each operation means, with missing values and NaN, is written in `operations`.
"""

from __future__ import annotations

from e2e_ml.festaf.definition.types.logic import Bool, when
from e2e_ml.festaf.definition.types.nested import Embedding, List, Struct
from e2e_ml.festaf.definition.types.numbers import Decimal, Float32, Float64, Int8, Int16, Int32, Int64
from e2e_ml.festaf.definition.types.text import Category, String
from e2e_ml.festaf.definition.types.times import Date, Duration, Timestamp

__all__ = [
    "Bool",
    "Category",
    "Date",
    "Decimal",
    "Duration",
    "Embedding",
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "List",
    "String",
    "Struct",
    "Timestamp",
    "when",
]
