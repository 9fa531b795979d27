"""Readers of the services: each asks one service's public API what is new and yields nodes and edges.

A collector never writes to a service and keeps no state of its own but connections: where it left off is a cursor that
the index keeps. One that cannot read raises `CollectError`; the last known graph stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.refs import Kind


class CollectError(Exception):
    """A service that could not be read: a sentence with the next step."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one visit brought.

    Of the kinds in `complete` it names every node there is: one that is missing has been deleted in the service. Facts
    of these kinds replace the earlier ones; facts of the others are laid over them. An edge belongs to its downstream
    end: where that end's kind is complete, an edge that is missing is gone as well.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    complete: frozenset[Kind] = frozenset()
    cursor: Mapping[str, Any] = field(default_factory=dict[str, Any])  # JSON; handed back at the next visit


class Collector(Protocol):
    @property
    def name(self) -> str:
        """Its key in the index: the service and the instance, "airflow:local"."""
        ...

    def collect(self, cursor: Mapping[str, Any]) -> Batch:
        """What is new since `cursor`, everything where it is empty. Raises CollectError."""
        ...

    def close(self) -> None:
        """Give up its connections; a later `collect` opens them again."""
        ...
