"""Reading a column once its class is complete: what was said about it, and its expression with the names put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from e2e_ml.festaf import expression as ex
from e2e_ml.festaf.definition.columns import Column, Fill, Named, Remark, full_name, origin_of
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.naming import snake_case


def claim(column: Column, view: type, name: str) -> None:
    """Give the column its name. Raises DefinitionError when it has one already."""
    origin = origin_of(column)
    if origin.view is not None:
        raise DefinitionError(
            f"it is the same column as {full_name(column)}; a column has one name.", origin.place, name
        )
    origin.view, origin.name = view, name


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
    types: Mapping[str, DataType]  # of the columns that the expression reads, by the names that it gives them
    fill_null: ex.Literal | None = None  # of a column of the source; else it is in the expression


def definition_of(column: Column, view: type, *, others: bool = False) -> Definition:
    """Read a member of `view`, or an expression over its members, once they are claimed. Raises DefinitionError.

    `others` allows columns of other views, which the expression calls by their full names: `hourly_weather.temp`.
    """
    reader = _Reader(view, others)
    remarks: list[Remark] = []
    fills: list[ex.Literal] = []
    root = column
    while (note := origin_of(root).note) is not None and (root is column or not origin_of(root).view):
        if isinstance(note, Fill):
            fills.insert(0, note.value)
        else:
            remarks.insert(0, note)
        root = _noted_by(root)
    origin = origin_of(root)
    if origin.build is None and (root is column or not origin.view):
        return Definition(tuple(remarks), None, {}, fills[0] if fills else None)
    if any(isinstance(remark, Named) for remark in remarks):
        raise DefinitionError("a source has no name for what is computed. Take .named() off.", origin.place)
    if fills and origin.outermost:
        raise DefinitionError(f"{_SCALED} Fill what is missing before it is scaled.", origin.place)
    expression = reader.operand(root) if origin.name and root is not column else reader.built(root)
    if origin.outermost and (not ex.is_row_level(expression) or ex.is_python(expression)):
        raise DefinitionError("it scales a window or a function. Give that a line of its own.", origin.place)
    for value in fills:
        expression = ex.Apply("fill_null", (expression, value))
    return Definition(tuple(remarks), expression, reader.types)


_SCALED = "nothing is computed from a scaled feature: it is what a model reads."


def _noted_by(column: Column) -> Column:
    return next(o for o in origin_of(column).operands if isinstance(o, Column))


def _is_outermost(column: Column) -> bool:
    while origin_of(column).note is not None:
        column = _noted_by(column)
    return origin_of(column).outermost


@dataclass(frozen=True, slots=True)
class _Reader:
    """Builds the expressions of one view's members."""

    view: type
    others: bool
    types: dict[str, DataType] = field(default_factory=dict[str, DataType])

    def operand(self, column: Column) -> ex.Expression:
        """The expression of an operand: its name where it has one."""
        origin = origin_of(column)
        if _is_outermost(column):
            raise DefinitionError(f"{_SCALED} Compute from what it scales.")
        if origin.name:
            return self._named(column, origin.name)
        if origin.build is None:
            raise DefinitionError(
                f"it reads a {type(column).__name__}() that has no name. Give that column a line of its own.",
                origin.place,
            )
        if origin.note is None:
            return self.built(column)
        if isinstance(origin.note, Fill):
            return ex.Apply("fill_null", (self.built(column), origin.note.value))
        raise DefinitionError(
            "a part of its expression is described or constrained, but has no name. Give that part a line of its own.",
            origin.place,
        )

    def _named(self, column: Column, name: str) -> ex.Expression:
        view = origin_of(column).view
        if view is not None and view is not self.view:
            if not self.others:
                raise DefinitionError(
                    f"it reads {full_name(column)}, a column of another view. An expression reads its own view's "
                    "columns; features of several views are combined in an fs.OnDemandView."
                )  # at the reader's place, not at the column's
            name = f"{snake_case(view.__name__)}.{name}"
        self.types[name] = column.dtype
        return ex.Column(name)

    def built(self, column: Column) -> ex.Expression:
        origin = origin_of(column)
        operands = [o if isinstance(o, ex.Literal) else self.operand(o) for o in origin.operands]
        if origin.build is None:
            return operands[0]
        try:
            return origin.build(*operands)
        except DefinitionError as error:
            raise DefinitionError(error.sentence, origin.place) from None
