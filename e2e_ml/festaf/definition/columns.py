"""What stands in the body of a feature view: columns, and what is computed from them. `types` gives them their types.

A column does not know its name while the class body runs, so that an expression refers to column objects; `reading`
puts the names in when the class is complete. Every method gives a new object and changes none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar
from typing import Literal as OneOf

from e2e_ml.festaf import dtypes
from e2e_ml.festaf import expression as ex
from e2e_ml.festaf.definition.places import DefinitionError, Place, here, refuse
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression.operations import OPERATIONS, apply_type, cast_type
from e2e_ml.festaf.model import Constraint

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.aggregation import Aggregation
    from e2e_ml.festaf.definition.types import Bool, Duration, Int64

Role = OneOf["entity", "event time", "created time", "request"]
C = TypeVar("C", bound="Column")


@dataclass(frozen=True, slots=True)
class Fill:
    value: ex.Literal


@dataclass(frozen=True, slots=True)
class Describe:
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What the source calls it."""

    text: str


@dataclass(frozen=True, slots=True)
class RenamedFrom:
    """What it was called when it was last applied."""

    name: str


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Why it is to be used no more, and what instead."""

    why: str


Remark = Describe | Tag | Constraint | Named | RenamedFrom | Deprecated | Role
Note = Fill | Remark


@dataclass(slots=True)
class Origin:
    """Where a column comes from. It is one of three things: a column of the source (no `build`); an operation on
    `operands`; or a copy of its one operand, with a `note` about it. A view that holds it gives it `view` and `name`.
    """

    place: Place
    build: Callable[..., ex.Expression] | None = None
    operands: tuple[Column | ex.Literal, ...] = ()
    note: Note | None = None
    outermost: bool = False  # nothing is computed from it
    view: type | None = None
    name: str | None = None


class Column:
    """A column of the source, or what is computed from columns. Its subclasses, the types, hold the operations.

    >>> price, pieces = fs.Decimal(8, 2), fs.Int32()
    >>> (price * pieces).dtype, (price / pieces).dtype, (price > 10).dtype
    ('decimal(38, 2)', 'float64', 'bool')

    `kind` is the word before the parenthesis in the type's name, the same for all columns of a class; `dtype` is the
    whole of it: `decimal(12, 2)`.
    """

    kind: ClassVar[str] = ""
    classes: ClassVar[dict[str, type[Column]]] = {}  # by kind

    dtype: DataType
    _origin: Origin

    __slots__ = ("_origin", "dtype")

    def __init__(self) -> None:
        if type(self) is not self.classes.get(self.kind):
            raise refuse(f"{type(self).__name__} is a family of types: write one of {_names(self.classes.values())}.")
        self._declare(self.kind)

    def _declare(self, dtype: DataType) -> None:
        self.dtype = dtype
        self._origin = Origin(here())

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in cls.__dict__:
            Column.classes[cls.kind] = cls

    # --- what every type has ---

    def describe(self, text: str) -> Self:
        """Say what it is, with its unit: the text that people find it by."""
        return noted(self, Describe(" ".join(text.split())))

    def tags(self, *names: str) -> Self:
        """Words to find it by."""
        return noted(self, Tag(names))

    def named(self, text: str) -> Self:
        """What the source calls it, where that differs or is no name in Python: `.named("Air Temp (F)")`."""
        return noted(self, Named(_word("named", text)))

    def renamed_from(self, name: str) -> Self:
        """What it was called until now, so that its history and its values go on under the new name."""
        return noted(self, RenamedFrom(_word("renamed_from", name)))

    def deprecated(self, why: str) -> Self:
        """Still there, to be used no more: say what to use instead, as in `.deprecated("use wind_mean_6h")`."""
        return noted(self, Deprecated(" ".join(_word("deprecated", why).split())))

    def request(self) -> Self:
        """In an on-demand view: a value that comes with the request."""
        return noted(self, "request")

    def required(self) -> Self:
        """A missing value breaks the contract; `validate` reports it."""
        return noted(self, Constraint(rule="required"))

    def is_null(self) -> Bool:
        """Whether the value is missing; never missing itself."""
        return make("is_null", self)

    def is_not_null(self) -> Bool:
        """Whether there is a value; never missing itself."""
        return make("is_not_null", self)

    def count(self) -> Aggregation[Int64]:
        """How many values that are not missing: `.count().over(timedelta(days=1))`."""
        return aggregated(self, "count")

    def first(self) -> Aggregation[Self]:
        """The first value that is not missing, by event time, created time and the order of storing."""
        return aggregated(self, "first")

    def last(self) -> Aggregation[Self]:
        """The last value that is not missing, by event time, created time and the order of storing."""
        return aggregated(self, "last")

    def time_since_last(self) -> Aggregation[Duration]:
        """How long ago, seen from the row's time, the newest row strictly before it had a value; for a Bool: was true.
        Missing where there was none."""
        return aggregated(self, "time_since_last")

    # --- what it must not be ---

    def __bool__(self) -> NoReturn:
        raise refuse(
            "An expression is neither true nor false here: write & for and, | for or, ~ for not, and no chains."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {full_name(self)}>"

    __hash__ = object.__hash__

    if not TYPE_CHECKING:
        # Only what a type has exists: these say so in a sentence. The type checker does not see them, so that it
        # reports the same statements.

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownOperationError(
                f"a {type(self).__name__} has no {name}. It has: {', '.join(operations_of(type(self)))}.", here()
            )


class UnknownOperationError(DefinitionError, AttributeError):
    """An operation that the column's type lacks."""


def _refused(symbol: str) -> Callable[..., NoReturn]:
    def operator(self: Column, *other: object) -> NoReturn:
        if not other:
            raise refuse(f"{symbol} of a {_kind(self)} has no meaning.")
        raise refuse(f"{_kind(self)} {symbol} {_kind(other[0])} has no meaning.")

    return operator


OPERATORS = {
    "+": ("__add__", "__radd__"), "-": ("__sub__", "__rsub__"), "*": ("__mul__", "__rmul__"),
    "/": ("__truediv__", "__rtruediv__"), "//": ("__floordiv__", "__rfloordiv__"), "%": ("__mod__", "__rmod__"),
    "**": ("__pow__", "__rpow__"), "@": ("__matmul__", "__rmatmul__"), "&": ("__and__", "__rand__"),
    "|": ("__or__", "__ror__"), "^": ("__xor__", "__rxor__"), "<": ("__lt__",), "<=": ("__le__",), ">": ("__gt__",),
    ">=": ("__ge__",), "-x": ("__neg__",), "~": ("__invert__",),
}  # fmt: skip

for _symbol, _methods in OPERATORS.items():
    for _method in _methods:
        setattr(Column, _method, _refused(_symbol.removesuffix("x")))


def operations_of(type_: type[Column]) -> list[str]:
    """The names of a type's methods, for messages and documentation."""
    return sorted(n for n in dir(type_) if not n.startswith("_") and callable(getattr(type_, n, None)))


def _names(types: Any) -> str:
    return ", ".join(t.__name__ for t in types)


def _kind(value: object) -> str:
    return type(value).__name__ if isinstance(value, Column) else repr(value)


def _same(operand: ex.Expression) -> ex.Expression:
    return operand


# --- building ----------------------------------------------------------------------------------------------------


def constant(value: object) -> ex.Literal:
    """A Python constant as a node. Raises DefinitionError."""
    if value is None:
        raise refuse("None is no constant: ask with is_null() or is_not_null().")
    try:
        return ex.literal(value)  # pyright: ignore[reportArgumentType]  # it refuses other types itself
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None


def _word(method: str, text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise refuse(f"{method} takes a text, not {text!r}.")
    return text


def _operand(value: object) -> Column | ex.Literal:
    from e2e_ml.festaf.definition.aggregation import Aggregation

    if isinstance(value, Aggregation):
        raise refuse(f"{value.aggregate}() needs its window: .over(timedelta(...)).")
    return value if isinstance(value, Column) else constant(value)


def make(op: str, *values: object) -> Any:
    """The column that an operation gives, its type as the table of operations says. Raises DefinitionError."""
    operands = tuple(_operand(value) for value in values)
    shapes = [o if isinstance(o, ex.Literal) else ex.Column("_") for o in operands]
    try:
        given = apply_type(op, shapes, [o.dtype for o in operands])
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None
    result = computed(given, lambda *args: ex.Apply(op, args), *operands)
    origin_of(result).outermost = OPERATIONS[op].outermost
    return result


def column_of(dtype: DataType) -> Any:
    """A column of the type of this name."""
    type_ = Column.classes[dtypes.kind(dtype)]
    result = type_.__new__(type_)
    result._declare(dtype)  # pyright: ignore[reportPrivateUsage]
    return result


def computed(dtype: DataType, build: Callable[..., ex.Expression], *operands: Column | ex.Literal) -> Any:
    """A column of this type whose expression is built from those of its operands."""
    result = column_of(dtype)
    origin = origin_of(result)
    origin.build, origin.operands = build, operands
    return result


def noted(column: C, note: Note) -> C:
    """A copy of the column with something said about it."""
    result = computed(column.dtype, _same, column)
    origin_of(result).note = note
    return result


def dtype_of(wanted: type[Column] | Column) -> DataType:
    """The type that a person names: `fs.Int32`, or `fs.Decimal(12, 2)`. Raises DefinitionError."""
    if isinstance(wanted, Column):
        return wanted.dtype
    if not isinstance(wanted, type) or not issubclass(wanted, Column):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refuse(f"a type is named as fs.Int32 or fs.Decimal(12, 2), not {wanted!r}.")
    if not dtypes.is_valid(wanted.kind):
        raise refuse(f"{wanted.__name__} alone is no type. Say of what: fs.Decimal(12, 2), fs.List(fs.Int64()).")
    return wanted.kind


def cast(column: Column, wanted: type[C] | C) -> C:
    """The column converted. Raises DefinitionError where the conversion is not offered."""
    dtype = dtype_of(wanted)
    try:
        cast_type(column.dtype, dtype)
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None
    return computed(dtype, partial(ex.Cast, dtype=dtype), column)


def aggregated(column: Column, aggregate: ex.Aggregate, quantile: float | None = None) -> Any:
    """The aggregate of a column, which still needs its window."""
    from e2e_ml.festaf.definition.aggregation import Aggregation

    return Aggregation[Any](column, aggregate, quantile)


def origin_of(column: Column) -> Origin:
    """Where a column comes from; not among its own names, which people complete."""
    return column._origin  # pyright: ignore[reportPrivateUsage]


def full_name(column: Column) -> str:
    """`HourlyWeather.temp`, for messages."""
    origin = origin_of(column)
    return f"{origin.view.__name__}.{origin.name}" if origin.view else "an expression without a name"
