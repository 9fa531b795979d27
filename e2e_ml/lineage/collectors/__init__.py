"""Readers of the services: each asks one service's public API what is new and tells it record by record.

A collector never writes to a service and keeps no state of its own but connections: where it left off is a cursor that
the index keeps. One that cannot read raises `CollectError`; the last known graph stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.refs import Kind, Ref


class CollectError(Exception):
    """A service that could not be read: a sentence with the next step."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one service tells of one thing: its facts, and the edges that its record holds, whichever ends they have.

    A record that is read again replaces the earlier one, facts and edges, unless it is `partial`: then its facts are
    laid over the earlier ones and its edges are added to them. Facts named in `keeps` were not asked for this time:
    what an earlier record told of them stays. Where `inside` is given, it is all that lies in the thing: what else the
    collector had told of in there is gone.
    """

    node: Node
    edges: tuple[Edge, ...] = ()
    partial: bool = False
    keeps: frozenset[str] = frozenset()
    inside: frozenset[Ref] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a visit, which the index takes in whole or not at all, together with the cursor behind it.

    A sweep is one reading of everything there is of some kinds, over as many batches and visits as it needs: its
    batches carry the same `sweep`, and in the last one `complete` names the kinds. What the collector had told of
    these kinds and the sweep did not name has been deleted in the service. A batch with `complete` and no `sweep` is a
    sweep by itself. What a service says that it has deleted stands in `gone`.
    """

    records: tuple[Record, ...] = ()
    cursor: Mapping[str, Any] = field(default_factory=dict[str, Any])  # JSON; handed back at the next visit
    complete: frozenset[Kind] = frozenset()
    sweep: int | None = None  # rises from sweep to sweep, e.g. the time at which it began
    gone: tuple[Ref, ...] = ()
    progress: str = ""  # for people, where there is more to come: "Reading DAG runs: 12,000 so far."
    ends: bool = True  # whether the visit ends with it, and has read what it was to read
    left_out: str = ""  # for people, what this login may not read: a sentence with the next step


class Collector(Protocol):
    @property
    def name(self) -> str:
        """Its key in the index: the service and the instance, "airflow:local"."""
        ...

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        """What is new since `cursor`, everything where it is empty, batch by batch.

        A visit that is cut short goes on behind its last batch. Raises CollectError.
        """
        ...

    def close(self) -> None:
        """Give up its connections; a later `collect` opens them again."""
        ...
