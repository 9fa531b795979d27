"""The expression tree: what a definition says about a feature, as a value.

A tree is immutable, small and neutral of engine and language: six kinds of node. What each operation means, takes and
gives is the table in `operations`; how a tree is written as JSON is `json_form`, how it is printed for people
`printing` and `printing_sql`, how it runs `compile_narwhals`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Literal as OneOf
from typing import get_args

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType

Vector = tuple[float, ...]
Scalar = bool | int | float | str | date | datetime | timedelta | Decimal | Vector
Aggregate = OneOf[
    "count", "sum", "mean", "std", "min", "max", "first", "last", "distinct", "quantile", "time_since_last"
]

AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)

_EXACT = Context(prec=2 * dtypes.MAX_PRECISION)

# Far deeper than a person writes; a tree from a file that goes deeper is refused before Python's own limit is met.
MAX_DEPTH = 100


class ExpressionError(ValueError):
    """A tree that has no meaning: an operation that does not exist, or that its operands' types lack."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source or another feature, of the same view; in an on-demand view also a feature of another
    one, by its full name: `hourly_weather.temp`."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Build it with `literal`, which finds the type; timestamps are in UTC, numbers finite."""

    value: Scalar
    dtype: DataType

    def __eq__(self, other: object) -> bool:
        # 1, 1.0 and True are equal in Python, and three different constants here; so are 0.0 and -0.0.
        return isinstance(other, Literal) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str]:
        return self.dtype, repr(self.value)


@dataclass(frozen=True, slots=True)
class Apply:
    """A row-level operation, by its name in `operations.OPERATIONS`, on one or more operands."""

    op: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion to another type. A value that the type cannot hold becomes null."""

    arg: Expression
    dtype: DataType


@dataclass(frozen=True, slots=True)
class Window:
    """An aggregate over rows that a row may see: those of the same entity, or with `by` of the same values there.

    `width`: whose event time lies in (t - width, t]. `rows`: the last so many up to the row itself, in the order of
    event time, created time and storing. Neither: all up to t; in a view without times, all there are. Nulls are left
    out (of `rows`, they are counted). `quantile` is linear between the two nearest values.
    """

    arg: Expression
    aggregate: Aggregate
    width: timedelta | None = None
    rows: int | None = None
    by: tuple[str, ...] = ()
    quantile: float | None = None


@dataclass(frozen=True, slots=True)
class Python:
    """What a function of the project's own code makes of columns: the escape hatch.

    `module` lies in the project folder, `function` is its name there, `sha256` that of its source text when the
    definition was applied, so that a function that has changed since is not taken for the one that was applied. `args`
    are columns. `functions` finds and checks it.
    """

    module: str
    function: str
    sha256: str
    dtype: DataType
    args: tuple[Expression, ...]


Expression = Column | Literal | Apply | Cast | Window | Python


def literal(value: Scalar) -> Literal:
    """A constant, with its type: int is int64, float float64, a datetime a timestamp in UTC, a Decimal a decimal of
    just its digits, a tuple of numbers an embedding.

    Raises ExpressionError for NaN and infinity, naive datetimes, integers beyond 64 bits and every other type.
    """
    match value:
        case bool():
            return Literal(value, "bool")
        case int():
            if not -(2**63) <= value < 2**63:
                raise ExpressionError(f"{value} does not fit into 64 bits.")
            return Literal(value, "int64")
        case float():
            if not math.isfinite(value):
                raise ExpressionError(f"{value} is no constant of an expression: use is_null or a bound.")
            return Literal(value, "float64")
        case str():
            return Literal(value, "string")
        case datetime():
            if value.utcoffset() is None:
                raise ExpressionError(f"{value!r} has no time zone: write it with tzinfo=UTC or the zone it means.")
            return Literal(value.astimezone(UTC), "timestamp")
        case date():
            return Literal(value, "date")
        case timedelta():
            return Literal(value, "duration")
        case Decimal():
            return _decimal(value)
        case tuple():
            return _vector(value)
        case _:
            raise ExpressionError(f"{value!r} is no constant of an expression.")


def _decimal(value: Decimal) -> Literal:
    if not value.is_finite():
        raise ExpressionError(f"{value} is no constant of an expression.")
    scale = max(0, -int(value.as_tuple().exponent))
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    try:
        dtype = dtypes.decimal(max(1, whole + scale), scale)
    except dtypes.TypeNameError as error:
        raise ExpressionError(f"{value} is no constant of an expression: {error}") from None
    return Literal(value.quantize(Decimal(1).scaleb(-scale), context=_EXACT), dtype)


def _vector(value: tuple[object, ...]) -> Literal:
    numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    if not numbers or len(numbers) != len(value) or not all(map(math.isfinite, numbers)):
        raise ExpressionError(f"{value!r} is no vector: it takes finite numbers, at least one.")
    return Literal(tuple(numbers), dtypes.embedding(len(numbers)))


def operands(expression: Expression) -> tuple[Expression, ...]:
    """The nodes directly below it."""
    match expression:
        case Apply(args=args) | Python(args=args):
            return args
        case Cast(arg=arg) | Window(arg=arg):
            return (arg,)
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The node itself and everything below it, parents first, left to right."""
    yield expression
    for operand in operands(expression):
        yield from walk(operand)


def columns(expression: Expression) -> tuple[str, ...]:
    """The names that it reads, each once, in the order in which they appear."""
    read: list[str] = []
    for node in walk(expression):
        match node:
            case Column(name):
                read.append(name)
            case Window(by=by):
                read += by
            case _:
                pass
    return tuple(dict.fromkeys(read))


def is_row_level(expression: Expression) -> bool:
    """Whether a row's value depends on that row alone: there is no window in it."""
    return not any(isinstance(node, Window) for node in walk(expression))


def is_python(expression: Expression) -> bool:
    """Whether a function of the project's own code has a part in it."""
    return any(isinstance(node, Python) for node in walk(expression))
