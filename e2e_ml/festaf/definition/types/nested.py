"""What holds several values: lists, vectors and structs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.definition.columns import Column, dtype_of, make, noted, origin_of
from e2e_ml.festaf.definition.constants import length
from e2e_ml.festaf.definition.places import refuse
from e2e_ml.festaf.definition.types.base import Equatable, Fillable
from e2e_ml.festaf.definition.types.numbers import Floating, Integer
from e2e_ml.festaf.model import Constraint

if TYPE_CHECKING:
    from e2e_ml.festaf.definition.types.logic import Bool
    from e2e_ml.festaf.definition.types.numbers import Float32, Float64, Int64

E_co = TypeVar("E_co", bound=Column, covariant=True)
F = TypeVar("F", bound=Column)
OtherT = TypeVar("OtherT")


def _element(of: object) -> dtypes.DataType:
    if isinstance(of, Column) and origin_of(of).operands:
        raise refuse("the type of what is held stands there alone, such as fs.List(fs.Float64()).")
    return dtype_of(of)  # pyright: ignore[reportArgumentType]  # it refuses what is no type itself


class List(Fillable["List[E_co]"], Generic[E_co]):
    """Any number of values of one type, in order: `fs.List(fs.String())`."""

    kind: ClassVar[str] = "list"

    def __init__(self, of: E_co | type[E_co]) -> None:
        self._declare(dtypes.list_of(_element(of)))

    def length(self) -> Int64:
        """How many elements, missing ones counted."""
        return make("length", self)

    def get(self, place: int) -> E_co:
        """The element at the place, from 0; missing beyond the end."""
        return make("get", self, place)

    def contains(self: List[Equatable[Any, OtherT]], value: OtherT) -> Bool:
        """Whether one of the elements is `value`, a constant."""
        return make("contains", self, value)

    @overload
    def sum(self: List[Integer]) -> Int64: ...
    @overload
    def sum(self: List[Floating]) -> Float64: ...
    def sum(self) -> Any:
        """The sum of its elements; 0 of none."""
        return make("sum", self)

    def mean(self: List[Integer] | List[Floating]) -> Float64:
        """The mean of its elements; missing of none."""
        return make("mean", self)

    def min(self: List[Integer] | List[Floating]) -> E_co:
        """The least element; missing of none."""
        return make("min", self)

    def max(self: List[Integer] | List[Floating]) -> E_co:
        """The greatest element; missing of none."""
        return make("max", self)

    def min_length(self, least: int) -> Self:
        """A shorter list breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="min_length", value=length(least, "min_length")))

    def max_length(self, most: int) -> Self:
        """A longer list breaks the contract; a missing one does not."""
        return noted(self, Constraint(rule="max_length", value=length(most, "max_length")))


class Embedding(Fillable["Embedding"]):
    """A vector of `size` real numbers of 32 bits: `fs.Embedding(384)`. What is computed of it has 64."""

    kind: ClassVar[str] = "embedding"

    def __init__(self, size: int) -> None:
        try:
            self._declare(dtypes.embedding(size))
        except (dtypes.TypeNameError, TypeError) as error:
            raise refuse(str(error)) from None

    def get(self, place: int) -> Float32:
        """The number at the place, from 0; missing beyond the end."""
        return make("get", self, place)

    def dot(self, other: Embedding | Sequence[float]) -> Float64:
        """The dot product with another vector as long, or with a constant one."""
        return make("dot", self, _vector(other))

    def cosine_similarity(self, other: Embedding | Sequence[float]) -> Float64:
        """The cosine of the angle to another vector as long, or to a constant one; missing for a vector of zeros."""
        return make("cosine_similarity", self, _vector(other))

    def l2_norm(self) -> Float64:
        """Its length: the root of the sum of squares."""
        return make("l2_norm", self)


def _vector(other: Embedding | Sequence[float]) -> Embedding | tuple[float, ...]:
    return other if isinstance(other, Embedding) else tuple(other)


class Struct(Fillable["Struct[E_co]"], Generic[E_co]):
    """Named fields, as a JSON object has them: `fs.Struct(lat=fs.Float64(), lon=fs.Float64())`."""

    kind: ClassVar[str] = "struct"

    def __init__(self, **fields: E_co) -> None:
        try:
            self._declare(dtypes.struct({name: _element(of) for name, of in fields.items()}))
        except dtypes.TypeNameError as error:
            raise refuse(str(error)) from None

    @overload
    def field(self, name: str) -> E_co: ...
    @overload
    def field(self, name: str, of: type[F] | F) -> F: ...
    def field(self, name: str, of: object = None) -> Any:
        """A field of it: `place.field("lat")`. Where fields are of several types, an editor knows which this is when
        it is told: `place.field("name", fs.String)`."""
        result = make("field", self, name)
        if of is not None and result.dtype != _element(of):
            raise refuse(f"the field {name} is a {result.dtype}, not a {_element(of)}.")
        return result
