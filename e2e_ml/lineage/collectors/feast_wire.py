"""Protocol Buffers as they are written down: read into dataclasses whose fields say their types and numbers.

    @message
    class Entity:
        name: str = at(1)
        tags: Mapping[str, str] = at(8)

    read(Entity, data)

Fields that a class does not name are skipped, so a message may have more of them than are declared. One that may be
absent is of a type `| None`; any other is empty then, as in Protocol Buffers' own languages: "", 0, an empty message.
`datetime | None` is a google.protobuf.Timestamp, whose zero stands for a time that nobody set, and `float | None` a
google.protobuf.Duration in seconds.

The format: https://protobuf.dev/programming-guides/encoding. A few kilobytes of reading spare the window the protobuf
package, and its quarrels about the version that generated code wants.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import NoneType
from typing import Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

T = TypeVar("T")

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_DEEPEST = 40  # levels of messages in messages; Feast's own have ten
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = "number"
_Read = Callable[[Any, int], Any]  # a value from a number or from bytes, at a depth


class WireError(ValueError):
    """Bytes that are no message, or a part of one."""


def at(number: int) -> Any:
    """A field of a message, by its number."""
    return dataclasses.field(metadata={_NUMBER: number})


@dataclass_transform(frozen_default=True, field_specifiers=(at,))
def message(cls: type[T]) -> type[T]:
    """A class of messages."""
    return dataclass(frozen=True, slots=True)(cls)


def written(number: int, content: bytes) -> bytes:
    """A field that holds a text or a message, as it is written down."""
    return _written(number << 3 | _BYTES) + _written(len(content)) + content


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


# --- reading ---------------------------------------------------------------------------------------------------------


def read(type_: type[T], content: bytes | memoryview, depth: int = 0) -> T:
    """The message of a type in `content`. Raises WireError."""
    if depth > _DEEPEST:
        raise WireError("it holds messages in messages without end")
    fields, values = _fields(type_), dict[str, Any]()
    for number, kind, value in parts(content):
        if (field := fields.get(number)) is None or field.kind != kind:
            continue
        told = field.read(value, depth + 1)
        if field.several is list:
            values.setdefault(field.name, []).append(told)
        elif field.several is dict:
            values.setdefault(field.name, {}).update((told,))
        else:
            values[field.name] = told
    return type_(**{f.name: f.kept(values[f.name]) if f.name in values else f.absent() for f in fields.values()})


@dataclass(frozen=True, slots=True)
class _Field:
    """How a field is written down, how it is read, and what it is where it is not there."""

    name: str
    kind: int
    read: _Read
    absent: Callable[[], Any]
    several: type[list[Any]] | type[dict[str, Any]] | None = None  # where it may stand several times

    def kept(self, value: Any) -> Any:
        """A list as a tuple, and a map by its keys, for it is written in any order."""
        if self.several is list:
            return tuple(value)
        return dict(sorted(value.items())) if self.several is dict else value


@cache
def _fields(type_: type[Any]) -> Mapping[int, _Field]:
    types = get_type_hints(type_)
    return {f.metadata[_NUMBER]: _field(f.name, types[f.name]) for f in dataclasses.fields(type_)}


def _field(name: str, type_: Any) -> _Field:
    options = get_args(type_)
    if get_origin(type_) is tuple:
        kind, read_one, _ = _value(options[0])
        return _Field(name, kind, read_one, tuple, list)
    if get_origin(type_) is Mapping:
        return _Field(name, _BYTES, _entries(options[1]), dict, dict)
    if NoneType in options:
        kind, read_one, _ = _value(next(each for each in options if each is not NoneType))
        return _Field(name, kind, read_one, lambda: None)
    return _Field(name, *_value(type_))


def _value(type_: type[Any]) -> tuple[int, _Read, Callable[[], Any]]:
    """The kind that values of a type are written as, how one is read, and an empty one."""
    if type_ in _VALUES:
        return *_VALUES[type_], type_
    return _BYTES, lambda value, depth: read(type_, value, depth), lambda: read(type_, b"")


def _entries(type_: type[Any]) -> _Read:
    """Reads an entry of a map from texts to values of a type: a message of a key and a value."""
    _, read_value, absent = _value(type_)

    def entry(content: Any, depth: int) -> tuple[str, Any]:
        told = {number: value for number, kind, value in parts(content) if kind == _BYTES}
        return _text(told.get(1, b""), depth), read_value(told[2], depth + 1) if 2 in told else absent()

    return entry


def parts(content: bytes | memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """The fields of a message in their order: number, kind, and a number or bytes. Raises WireError."""
    view, at = memoryview(content), 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("it has a field without a number")
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(view, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise WireError(f"it has a field of the unknown kind {kind}")
        if at + length > len(view):
            raise WireError("it ends within a field")
        yield number, kind, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise WireError("it ends within a number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise WireError("it holds a number without end")


def _text(value: Any, _: int) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("it holds a text that is not UTF-8") from None


def _signed(value: Any, _: int) -> int:
    number = int(value) & 0xFFFF_FFFF_FFFF_FFFF
    return number - (1 << 64) if number >> 63 else number


@message
class _Seconds:
    seconds: int = at(1)
    nanos: int = at(2)


def _span(content: Any, depth: int) -> float:
    span = read(_Seconds, content, depth)
    return span.seconds + span.nanos / 1e9


def _moment(content: Any, depth: int) -> datetime | None:
    since = read(_Seconds, content, depth)
    if not since.seconds and not since.nanos:
        return None
    try:
        return _EPOCH + timedelta(seconds=since.seconds, microseconds=since.nanos // 1000)
    except OverflowError:
        raise WireError("it holds a time that no calendar has") from None


_VALUES: Mapping[type[Any], tuple[int, _Read]] = {
    str: (_BYTES, _text),
    bytes: (_BYTES, lambda value, _: bytes(value)),
    int: (_VARINT, _signed),
    bool: (_VARINT, lambda value, _: bool(value)),
    datetime: (_BYTES, _moment),
    float: (_BYTES, _span),
}
