"""What a rule sees of the lifecycle: one thing, and what answers to a key. Every look is remembered.

A rule is a pure function of a node and a `Look`. The index asks it again when the node changes, or when what answers to
a key that it looked at does: so links keep up with a change at the cost of the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.refs import Ref


@dataclass(frozen=True, slots=True)
class Answer:
    ref: Ref
    value: Any = None  # JSON: what the answering thing gives under the key
    at: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """Something that a thing answers to. Made in `keys` alone."""

    text: str
    value: Any = None
    at: str = ""  # where the newest answers are asked for: a time as ISO 8601


class Look(Protocol):
    def __call__(self, key: str, newest: int | None = None) -> list[Answer]:
        """What answers to `key`, ordered by `Ref`; with `newest` that many at most, the newest first."""
        ...

    def instances(self, service: str) -> list[str]:
        """The instances of a service that collectors read, sorted: `look.instances("airflow") == ["local"]`."""
        ...


class Rule(Protocol):
    def __call__(self, node: Node, look: Look, /) -> Iterator[Edge]:
        """The edges that follow from `node` and from what it looks at; either end may be any thing."""
        ...
