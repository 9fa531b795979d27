"""Messages of Protocol Buffers: what each type of a field is read from, and what it is where it is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from e2e_ml.lineage.collectors.feast_wire import WireError, at, message, read, written


@message
class Leaf:
    name: str = at(1)


@message
class Tree:
    text: str = at(1)
    number: int = at(2)
    flag: bool = at(3)
    data: bytes = at(4)
    moment: datetime | None = at(5)
    span: float | None = at(6)
    maybe: int | None = at(7)
    held: Leaf = at(8)
    one: Tree | None = at(9)
    texts: tuple[str, ...] = at(10)
    many: tuple[Leaf, ...] = at(11)
    pairs: Mapping[str, str] = at(12)
    by_key: Mapping[str, Leaf] = at(13)


NOTHING = Tree(
    text="", number=0, flag=False, data=b"", moment=None, span=None, maybe=None, held=Leaf(name=""), one=None, texts=(),
    many=(), pairs={}, by_key={},
)  # fmt: skip


def leaf(name: str) -> bytes:
    return written(1, name.encode())


def entry(key: str, value: bytes) -> bytes:
    return written(1, key.encode()) + written(2, value)


def test_what_is_not_there_is_empty_or_none() -> None:
    assert read(Tree, b"") == NOTHING


def test_each_type_is_read() -> None:
    seconds = b"\x08\x02\x10\x80\xca\xb5\xee\x01"  # 2 and 500,000,000 billionths
    content = b"".join((
        written(1, "é".encode()), b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x18\x01", written(4, b"\0\xff"),
        written(5, seconds), written(6, seconds), b"\x38\x00", written(8, leaf("h")), written(9, written(1, b"inner")),
        written(10, b"b"), written(10, b"a"), written(11, leaf("x")), written(11, leaf("y")),
        written(12, entry("b", b"2")), written(12, entry("a", b"1")), written(12, written(1, b"c")),
        written(13, entry("k", leaf("v"))), written(13, written(1, b"none")),
        written(99, b"of a newer version"), b"\x0d....",  # and field 1 as a number of another kind
    ))  # fmt: skip
    tree = read(Tree, content)
    assert (tree.text, tree.number, tree.flag, tree.data) == ("é", -1, True, b"\0\xff")
    assert (tree.moment, tree.span) == (datetime(1970, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC), 2.5)
    assert (tree.maybe, tree.held.name) == (0, "h")
    assert tree.one is not None
    assert (tree.one.text, tree.one.one) == ("inner", None)
    assert (tree.texts, [each.name for each in tree.many]) == (("b", "a"), ["x", "y"])
    assert list(tree.pairs.items()) == [("a", "1"), ("b", "2"), ("c", "")]
    assert tree.by_key == {"k": Leaf(name="v"), "none": Leaf(name="")}


def test_a_time_that_nobody_set_is_none() -> None:
    assert read(Tree, written(5, b"")).moment is None
    assert read(Tree, written(6, b"")).span == 0.0


@pytest.mark.parametrize(
    "content", [b"\x0a\x05ab", b"\x0a", b"\xff" * 11, b"\x02\x00", b"\x0a\x01\xff", b"\x0b"], ids=repr
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(WireError):
        read(Tree, content)


def test_messages_in_messages_have_an_end() -> None:
    content = b""
    for _ in range(60):
        content = written(9, content)
    with pytest.raises(WireError, match="without end"):
        read(Tree, content)
