"""What stands in the body of a feature view: columns, and what is computed from them. `types` gives them their types.

A column does not know its name while the class body runs, so that an expression refers to column objects;
`definition_of` puts the names in when the class is complete. Every method gives a new object and changes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Self, TypeVar
from typing import Literal as OneOf

from e2e_ml.festaf import expression as ex
from e2e_ml.festaf.definition.places import DefinitionError, Place, here, refuse
from e2e_ml.festaf.expression.operations import apply_type, cast_type, window_type
from e2e_ml.festaf.model import Constraint, DataType

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.types import Bool, Int64

Role = OneOf["entity", "event time", "created time"]
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


Remark = Describe | Tag | Constraint | Role
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
    view: type | None = None
    name: str | None = None


class Column:
    """A column of the source, or what is computed from columns. Its subclasses, the types, hold the operations."""

    dtype: ClassVar[DataType]
    classes: ClassVar[dict[DataType, type[Column]]] = {}

    __slots__ = ("_origin",)

    def __init__(self) -> None:
        if type(self) not in self.classes.values():
            raise refuse(f"{type(self).__name__} is a family of types: write one of {_names(self.classes.values())}.")
        self._origin = Origin(here())

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "dtype" in cls.__dict__:
            Column.classes[cls.dtype] = cls

    # --- what every type has ---

    def describe(self, text: str) -> Self:
        """Say what it is, with its unit: the text that people find it by."""
        return noted(self, Describe(" ".join(text.split())))

    def tags(self, *names: str) -> Self:
        """Words to find it by."""
        return noted(self, Tag(names))

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
        return Aggregation(self, "count")

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


_OPERATORS = {
    "+": ("__add__", "__radd__"), "-": ("__sub__", "__rsub__"), "*": ("__mul__", "__rmul__"),
    "/": ("__truediv__", "__rtruediv__"), "//": ("__floordiv__", "__rfloordiv__"), "%": ("__mod__", "__rmod__"),
    "**": ("__pow__", "__rpow__"), "@": ("__matmul__", "__rmatmul__"), "&": ("__and__", "__rand__"),
    "|": ("__or__", "__ror__"), "^": ("__xor__", "__rxor__"), "<": ("__lt__",), "<=": ("__le__",), ">": ("__gt__",),
    ">=": ("__ge__",), "-x": ("__neg__",), "~": ("__invert__",),
}  # fmt: skip

for _symbol, _methods in _OPERATORS.items():
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


def _operand(value: object) -> Column | ex.Literal:
    if isinstance(value, Aggregation):
        raise refuse(f"{value.aggregate}() needs the width of its window: .over(timedelta(...)).")
    return value if isinstance(value, Column) else constant(value)


def make(op: str, *values: object) -> Any:
    """The column that an operation gives, its type as the table of operations says. Raises DefinitionError."""
    operands = tuple(_operand(value) for value in values)
    shapes = [o if isinstance(o, ex.Literal) else ex.Column("_") for o in operands]
    try:
        given = apply_type(op, shapes, [o.dtype for o in operands])
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None
    return computed(Column.classes[given], lambda *args: ex.Apply(op, args), *operands)


def computed(type_: type[C], build: Callable[..., ex.Expression], *operands: Column | ex.Literal) -> C:
    """A column of this type whose expression is built from those of its operands."""
    result = type_()
    origin = origin_of(result)
    origin.build, origin.operands = build, operands
    return result


def noted(column: C, note: Note) -> C:
    """A copy of the column with something said about it."""
    result = computed(type(column), _same, column)
    origin_of(result).note = note
    return result


def cast(column: Column, type_: type[C]) -> C:
    """The column converted. Raises DefinitionError where the conversion is not offered."""
    try:
        cast_type(column.dtype, type_.dtype)
    except ex.ExpressionError as error:
        raise refuse(str(error)) from None
    return computed(type_, partial(ex.Cast, dtype=type_.dtype), column)


class Aggregation(Generic[C]):
    """An aggregate that still needs its window: `.over(timedelta(hours=6))`."""

    __slots__ = ("_column", "aggregate")

    def __init__(self, column: Column, aggregate: ex.Aggregate) -> None:
        self._column = column
        self.aggregate: ex.Aggregate = aggregate

    def over(self, width: timedelta) -> C:
        """Over the rows of the same entity in (t - width, t], where t is the row's own time."""
        if not isinstance(width, timedelta) or width <= timedelta():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(f"A window is a positive timedelta, such as timedelta(hours=6), not {width!r}.")
        try:
            dtype = window_type(self.aggregate, self._column.dtype)
        except ex.ExpressionError as error:
            raise refuse(str(error)) from None
        build = partial(ex.Window, aggregate=self.aggregate, width=width)
        return computed(Column.classes[dtype], build, self._column)  # pyright: ignore[reportReturnType]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownOperationError(f"{self.aggregate}() needs the width of its window before {name}.", here())


def _without_window(self: Aggregation[Any], *other: object) -> NoReturn:
    raise refuse(f"{self.aggregate}() needs the width of its window: .over(timedelta(...)).")


for _method in (method for methods in _OPERATORS.values() for method in methods):
    setattr(Aggregation, _method, _without_window)


# --- reading, once the class is complete -------------------------------------------------------------------------


def origin_of(column: Column) -> Origin:
    """Where a column comes from; not among its own names, which people complete."""
    return column._origin  # pyright: ignore[reportPrivateUsage]


def claim(column: Column, view: type, name: str) -> None:
    """Give the column its name. Raises DefinitionError when it has one already."""
    origin = origin_of(column)
    if origin.view is not None:
        raise DefinitionError(
            f"it is the same column as {full_name(column)}; a column has one name.", origin.place, name
        )
    origin.view, origin.name = view, name


def full_name(column: Column) -> str:
    """`HourlyWeather.temp`, for messages."""
    origin = origin_of(column)
    return f"{origin.view.__name__}.{origin.name}" if origin.view else "an expression without a name"


def leaves(column: Column) -> Iterator[Column]:
    """The named columns that an expression without a name stands on; the column itself when it has one."""
    if origin_of(column).view:
        yield column
        return
    for operand in origin_of(column).operands:
        if isinstance(operand, Column):
            yield from leaves(operand)


@dataclass(frozen=True, slots=True)
class Definition:
    """A member of a view, read: what was remarked about it and, where it is computed, how."""

    remarks: tuple[Remark, ...]
    expression: ex.Expression | None  # None: a column of the source
    fill_null: ex.Literal | None = None  # of a column of the source; else it is in the expression


def definition_of(column: Column, view: type) -> Definition:
    """Read a member of `view`, or an expression over its members, once they are claimed. Raises DefinitionError."""
    remarks: list[Remark] = []
    fills: list[ex.Literal] = []
    root = column
    while (note := origin_of(root).note) is not None and (root is column or not origin_of(root).view):
        if isinstance(note, Fill):
            fills.insert(0, note.value)
        else:
            remarks.insert(0, note)
        root = next(o for o in origin_of(root).operands if isinstance(o, Column))
    origin = origin_of(root)
    if origin.build is None and (root is column or not origin.view):
        return Definition(tuple(remarks), None, fills[0] if fills else None)
    expression = _built(root, view) if root is column else _expression(root, view)
    for value in fills:
        expression = ex.Apply("fill_null", (expression, value))
    return Definition(tuple(remarks), expression)


def _expression(column: Column, view: type) -> ex.Expression:
    """The expression of an operand: its name where it has one."""
    origin = origin_of(column)
    if origin.name:
        if origin.view is not view:
            raise DefinitionError(
                f"it reads {full_name(column)}, a column of another view. An expression reads its own view's columns; "
                "features of several views meet in a feature service."
            )  # at the reader's place, not at the column's
        return ex.Column(origin.name)
    if origin.build is None:
        raise DefinitionError(
            f"it reads a {type(column).__name__}() that has no name. Give that column a line of its own.", origin.place
        )
    if origin.note is None:
        return _built(column, view)
    if isinstance(origin.note, Fill):
        return ex.Apply("fill_null", (_built(column, view), origin.note.value))
    raise DefinitionError(
        "a part of its expression is described or constrained, but has no name. Give that part a line of its own.",
        origin.place,
    )


def _built(column: Column, view: type) -> ex.Expression:
    origin = origin_of(column)
    build = origin.build or _same
    return build(*(o if isinstance(o, ex.Literal) else _expression(o, view) for o in origin.operands))
