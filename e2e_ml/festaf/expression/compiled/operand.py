"""A compiled operand, the types as an engine has them, and numbers in the type of their arithmetic.

narwhals says things as Polars does, so that one compiler serves both: each function builds its expression with the
`library` that its operands came with. What narwhals lacks is there on Polars alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any, TypeAlias

import narwhals as nw

from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, MAX_PRECISION, DataType, kind, parse
from e2e_ml.festaf.expression.rules import number
from e2e_ml.festaf.expression.tree import ExpressionError

Library: TypeAlias = Any  # the module narwhals, or polars
Expr: TypeAlias = nw.Expr  # or polars.Expr, which has the same methods

_NAMES: dict[DataType, str] = {
    "bool": "Boolean",
    "int8": "Int8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "string": "String",
    "category": "String",
    "date": "Date",
}


def library_dtype(library: Library, dtype: DataType) -> Any:
    """The library's type of a column: timestamps are microseconds in UTC, a category is text, an embedding an array."""
    parsed = parse(dtype)
    match parsed.kind:
        case "timestamp":
            return library.Datetime("us", "UTC")
        case "duration":
            return library.Duration("us")
        case "decimal":
            return library.Decimal(parsed.precision, parsed.scale)
        case "list":
            return library.List(library_dtype(library, parsed.element))
        case "embedding":
            return library.Array(library.Float32(), parsed.size)
        case "struct":
            return library.Struct({name: library_dtype(library, of) for name, of in parsed.fields.items()})
        case _:
            return getattr(library, _NAMES[dtype])()


@dataclass(frozen=True, slots=True)
class Operand:
    """A compiled operand, and what the compiler must know of it."""

    library: Library
    expr: Expr
    dtype: DataType
    constant: Any = None

    def wide(self) -> Expr:
        return self.expr.cast(self.library.Int64())

    def real(self) -> Expr:
        if self.library is nw and self.dtype == "int64":
            return self.expr / 1  # Arrow refuses to cast one that is no exact float; divided, it is rounded
        return self.expr.cast(self.library.Float64())

    def exact(self, scale: int) -> Expr:
        """As a decimal of the widest kind."""
        if isinstance(self.constant, int):
            return self.decimal(self.constant, scale)
        return self.expr.cast(self.library.Decimal(MAX_PRECISION, scale))

    def whole(self, value: int) -> Expr:
        """A whole number as a constant."""
        return self.library.lit(value, self.library.Int64())

    def decimal(self, value: int, scale: int) -> Expr:
        """A whole number as a constant of the widest kind of decimals."""
        return self.library.lit(Decimal(value), self.library.Decimal(MAX_PRECISION, scale))

    @property
    def may_be_nan(self) -> bool:
        return self.dtype in FLOATS and self.constant is None


Compiler = Callable[[Sequence[Operand]], Expr]


def one(compute: Callable[[Operand], Expr]) -> Compiler:
    return lambda operands: compute(operands[0])


def same_number(operands: Sequence[Operand]) -> list[Expr]:
    """Numbers in the type of their arithmetic, so that no engine's own rule for mixed types is asked."""
    dtype = number([o.dtype for o in operands]) or ""
    if dtype in INTEGERS:
        return [o.wide() for o in operands]
    if kind(dtype) == "decimal":
        return [o.exact(parse(dtype).scale) for o in operands]
    return [o.real() for o in operands]


def same_type(operands: Sequence[Operand]) -> list[Expr]:
    """The operands in one type: that of their arithmetic for numbers, their own for others."""
    if number([o.dtype for o in operands]) is None:
        return [o.expr for o in operands]
    return same_number(operands)


def is_nan(operands: Sequence[Operand]) -> Expr | None:
    """Whether any of them is NaN; None where none can be."""
    nans = [o.real().is_nan() for o in operands if o.may_be_nan]
    return reduce(lambda a, b: a | b, nans) if nans else None


def divided(library: Library, real: Expr, constant: float) -> Expr:
    """By a constant, as a column that is null with the dividend: Polars multiplies by the reciprocal of a constant,
    which is off by one bit."""
    return real / library.when(~real.is_null()).then(library.lit(constant, library.Float64()))


def polars_alone(operand: Operand) -> Any:
    """The operand's expression, as Polars has it. Raises ExpressionError on narwhals."""
    if operand.library is nw:
        raise ExpressionError("This operation runs on Polars alone: `portability.runs_on` tells beforehand.")
    return operand.expr
