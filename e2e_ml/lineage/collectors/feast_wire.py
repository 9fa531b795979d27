"""Protocol Buffers as they are written down: read into dataclasses whose fields say their numbers.

    @dataclass(frozen=True, slots=True)
    class Entity:
        name: str = text(1)
        tags: Mapping[str, str] = pairs(8)

    read(Entity, data)

Fields that a dataclass does not name are skipped, so a message may have more of them than are declared. The format:
https://protobuf.dev/programming-guides/encoding. A few kilobytes of reading spare the window the protobuf package,
and its quarrels about the version that generated code wants.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_DEEPEST = 40  # levels of messages in messages; Feast's own have ten
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = "wire"


class WireError(ValueError):
    """Bytes that are no message, or a part of one."""


@dataclass(frozen=True, slots=True)
class _Wire:
    """How a field is found, and how its value is read: from a number or from bytes, at a depth."""

    number: int
    kind: int
    read: Callable[[Any, int], Any]
    several: type[list[Any]] | type[dict[str, Any]] | None = None  # where it may stand several times


# --- the fields of a message -----------------------------------------------------------------------------------------


def text(number: int) -> str:
    return _field(_Wire(number, _BYTES, _text), "")


def texts(number: int) -> tuple[str, ...]:
    return _field(_Wire(number, _BYTES, _text, list), ())


def data(number: int) -> bytes:
    return _field(_Wire(number, _BYTES, lambda value, _: bytes(value)), b"")


def whole(number: int) -> int:
    return _field(_Wire(number, _VARINT, _signed), 0)


def maybe(number: int) -> int | None:
    """A whole number that may be absent, which is not 0."""
    return _field(_Wire(number, _VARINT, _signed), None)


def flag(number: int) -> bool:
    return _field(_Wire(number, _VARINT, lambda value, _: bool(value)), False)


def present(number: int) -> bool:
    """Whether a message stands there; what it holds is not read."""
    return _field(_Wire(number, _BYTES, lambda value, _: True), False)


def moment(number: int) -> datetime | None:
    """A google.protobuf.Timestamp; its zero stands for a time that nobody set."""
    return _field(_Wire(number, _BYTES, lambda value, depth: _moment(read(_Seconds, value, depth))), None)


def seconds(number: int) -> float | None:
    """A google.protobuf.Duration."""
    return _field(_Wire(number, _BYTES, lambda value, depth: _span(read(_Seconds, value, depth))), None)


def pairs(number: int) -> Mapping[str, str]:
    """map<string, string>"""
    return _field(_Wire(number, _BYTES, lambda value, depth: _pair(read(_Pair, value, depth)), dict), {})


def one(number: int, message: Callable[[], type[T]]) -> T | None:
    return _field(_Wire(number, _BYTES, lambda value, depth: read(message(), value, depth)), None)


def held(number: int, message: Callable[[], type[T]]) -> T:
    """A message that is expected there; where it is not, an empty one, as in Protocol Buffers' own languages."""
    wire = _Wire(number, _BYTES, lambda value, depth: read(message(), value, depth))
    return dataclasses.field(default_factory=lambda: message()(), metadata={_KEY: wire})


def many(number: int, message: Callable[[], type[T]]) -> tuple[T, ...]:
    return _field(_Wire(number, _BYTES, lambda value, depth: read(message(), value, depth), list), ())


def by_key(number: int, message: Callable[[], type[T]]) -> Mapping[str, T]:
    """map<string, message>"""

    def entry(value: Any, depth: int) -> tuple[str, T]:
        held = read(_Entry, value, depth)
        return held.key, read(message(), held.value, depth + 1)

    return _field(_Wire(number, _BYTES, entry, dict), {})


def _field(wire: _Wire, default: Any) -> Any:
    if wire.several is dict:
        return dataclasses.field(default_factory=dict[str, Any], metadata={_KEY: wire})
    return dataclasses.field(default=default, metadata={_KEY: wire})


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


def read(message: type[T], content: bytes | memoryview, depth: int = 0) -> T:
    """The message in `content`. Raises WireError."""
    if depth > _DEEPEST:
        raise WireError("it holds messages in messages without end")
    fields, values = _fields(message), dict[str, Any]()
    for number, kind, value in parts(content):
        name, wire = fields.get(number, ("", None))
        if wire is None or wire.kind != kind:
            continue
        told = wire.read(value, depth + 1)
        if wire.several is list:
            values.setdefault(name, []).append(told)
        elif wire.several is dict:
            values.setdefault(name, {}).update((told,))
        else:
            values[name] = told
    return message(**{name: _kept(value) for name, value in values.items()})


def _kept(value: Any) -> Any:
    """A list as a tuple, and a map by its keys, for it is written in any order."""
    if isinstance(value, list):
        return tuple(cast(list[Any], value))
    return dict(sorted(cast(dict[str, Any], value).items())) if isinstance(value, dict) else value


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


@cache
def _fields(message: type[Any]) -> Mapping[int, tuple[str, _Wire]]:
    wires = ((f.name, cast(_Wire, f.metadata[_KEY])) for f in dataclasses.fields(message))
    return {wire.number: (name, wire) for name, wire in wires}


def _text(value: Any, _: int) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("it holds a text that is not UTF-8") from None


def _signed(value: Any, _: int) -> int:
    number = int(value) & 0xFFFF_FFFF_FFFF_FFFF
    return number - (1 << 64) if number >> 63 else number


@dataclass(frozen=True, slots=True)
class _Seconds:
    seconds: int = whole(1)
    nanos: int = whole(2)


@dataclass(frozen=True, slots=True)
class _Pair:
    key: str = text(1)
    value: str = text(2)


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str = text(1)
    value: bytes = data(2)


def _pair(pair: _Pair) -> tuple[str, str]:
    return pair.key, pair.value


def _span(span: _Seconds) -> float:
    return span.seconds + span.nanos / 1e9


def _moment(since: _Seconds) -> datetime | None:
    if not since.seconds and not since.nanos:
        return None
    try:
        return _EPOCH + timedelta(seconds=since.seconds, microseconds=since.nanos // 1000)
    except OverflowError:
        raise WireError("it holds a time that no calendar has") from None
