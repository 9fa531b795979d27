"""The types of values, as the registry spells them: `int64`, `decimal(12, 2)`, `list(string)`, `struct(a: int64)`.

A type is text with one spelling for each meaning, so that two types are equal when their texts are. `parse` takes one
apart. What may be done with values of a type is the table in `expression.operations`.

    scalars      bool int8 int16 int32 int64 float32 float64 string category date timestamp duration
    decimal(p, s)   p digits, s of them behind the point; p at most 38
    list(T)         any number of values of T, in order
    embedding(n)    a vector of n float32
    struct(a: T, b: U)   named fields, as a JSON object has them

A category is text of a small set of values. A timestamp is a moment in UTC and a duration a span of time, both in whole
microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

DataType = str

SCALARS: tuple[DataType, ...] = (
    "bool", "int8", "int16", "int32", "int64", "float32", "float64", "string", "category", "date", "timestamp",
    "duration",
)  # fmt: skip
BITS: Mapping[DataType, int] = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
INTEGERS: frozenset[DataType] = frozenset(BITS)
FLOATS: frozenset[DataType] = frozenset({"float32", "float64"})
NUMBERS = INTEGERS | FLOATS  # and the decimals: see `is_number`
TEXTS: frozenset[DataType] = frozenset({"string", "category"})
TIMES: frozenset[DataType] = frozenset({"date", "timestamp"})
KEYS = INTEGERS | TEXTS | TIMES | {"bool", "duration"}  # and the decimals: see `is_key`

MAX_PRECISION = 38


class TypeNameError(ValueError):
    """A text that is no type's name."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A type taken apart. `kind` is the word before the parenthesis; the rest is there where the kind has it."""

    kind: str
    precision: int = 0
    scale: int = 0
    element: DataType = ""
    size: int = 0
    fields: Mapping[str, DataType] = field(default_factory=lambda: MappingProxyType({}))


def decimal(precision: int, scale: int) -> DataType:
    """`decimal(12, 2)`. Raises TypeNameError unless 0 <= scale <= precision and 1 <= precision <= 38."""
    if not (1 <= precision <= MAX_PRECISION and 0 <= scale <= precision):
        raise TypeNameError(f"a decimal has 1 to {MAX_PRECISION} digits and no more of them behind the point.")
    return f"decimal({precision}, {scale})"


def list_of(element: DataType) -> DataType:
    return f"list({element})"


def embedding(size: int) -> DataType:
    """`embedding(384)`. Raises TypeNameError for a size below 1."""
    if size < 1:
        raise TypeNameError(f"an embedding has at least one number, not {size}.")
    return f"embedding({size})"


def struct(fields: Mapping[str, DataType]) -> DataType:
    """`struct(lat: float64, lon: float64)`. Raises TypeNameError without fields, and for names that are no words."""
    if not fields:
        raise TypeNameError("a struct has at least one field.")
    for name in fields:
        if not name.isidentifier():
            raise TypeNameError(f"{name!r} is no name for a field: use letters, digits and _.")
    return f"struct({', '.join(f'{name}: {dtype}' for name, dtype in fields.items())})"


@cache
def parse(dtype: DataType) -> Parsed:
    """Take a type apart. Raises TypeNameError, with a sentence, for a text that is none, or is spelled otherwise."""
    if dtype in SCALARS:
        return Parsed(dtype)
    found = re.fullmatch(r"(\w+)\((.*)\)", dtype, re.DOTALL)
    kind, inside = (found[1], found[2]) if found else ("", "")
    match kind:
        case "decimal" if numbers := re.fullmatch(r"(\d+), (\d+)", inside):
            made = Parsed(kind, precision=int(numbers[1]), scale=int(numbers[2]))
            decimal(made.precision, made.scale)
        case "embedding" if re.fullmatch(r"[1-9]\d*", inside):
            made = Parsed(kind, element="float32", size=int(inside))
        case "list":
            parse(inside)
            made = Parsed(kind, element=inside)
        case "struct":
            made = Parsed(kind, fields=MappingProxyType(_fields(inside)))
            struct(made.fields)
        case _:
            raise TypeNameError(
                f"{dtype!r} is no type. There are {', '.join(SCALARS)}, decimal(p, s), list(T), embedding(n) and "
                "struct(name: T)."
            )
    return made


def _fields(inside: str) -> dict[str, DataType]:
    fields: dict[str, DataType] = {}
    depth = start = 0
    for i, character in enumerate(f"{inside},"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            name, _, dtype = inside[start:i].strip().partition(": ")
            if name in fields:
                raise TypeNameError(f"a struct has two fields called {name}.")
            parse(dtype)
            fields[name] = dtype
            start = i + 1
    return fields


def kind(dtype: DataType) -> str:
    """The word before the parenthesis: `decimal` of `decimal(12, 2)`; a scalar is its own."""
    return dtype.partition("(")[0]


def is_number(dtype: DataType) -> bool:
    return dtype in NUMBERS or kind(dtype) == "decimal"


def is_key(dtype: DataType) -> bool:
    """Whether values of the type are compared exactly, so that rows can be told apart by them."""
    return dtype in KEYS or kind(dtype) == "decimal"


def is_valid(dtype: DataType) -> bool:
    try:
        parse(dtype)
    except TypeNameError:
        return False
    return True
