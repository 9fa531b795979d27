"""What a person asked of the drawing, as a value: what is opened, what is closed, and what is left out. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Kind, Ref


class Fan(NamedTuple):
    """The things of one kind at one distance from the focus, on one side of it; or, `via` a thing, beside that one."""

    kind: Kind
    downstream: bool
    distance: int
    via: Ref | None = None


class Side(NamedTuple):
    """What lies on one side of a thing."""

    ref: Ref
    downstream: bool


@dataclass(frozen=True, slots=True)
class Asked:
    opened: tuple[Fan, ...] = ()  # a fan as often as it was opened
    expanded: tuple[Side, ...] = ()  # in the order in which they were: one may stand beside another's
    closed: frozenset[Side] = frozenset()
    left_out: frozenset[Kind] = frozenset()
    unbelieved: frozenset[Evidence] = frozenset()
    columns: bool = False

    def open(self, fan: Fan) -> Asked:
        return replace(self, opened=(*self.opened, fan))

    def fold(self, fan: Fan) -> Asked:
        """As it was before a fan was opened."""
        return replace(self, opened=tuple(other for other in self.opened if other != fan))

    def expand(self, side: Side) -> Asked:
        """Show what lies on a side of a thing, whether or not it was closed."""
        if side in self.closed:
            return replace(self, closed=self.closed - {side})
        return self if side in self.expanded else replace(self, expanded=(*self.expanded, side))

    def close(self, side: Side) -> Asked:
        if side in self.expanded:
            return replace(self, expanded=tuple(other for other in self.expanded if other != side))
        return replace(self, closed=self.closed | {side})

    def toggle_kind(self, kind: Kind) -> Asked:
        return replace(self, left_out=self.left_out ^ {kind})

    def toggle_evidence(self, evidence: Evidence) -> Asked:
        return replace(self, unbelieved=self.unbelieved ^ {evidence})

    def toggle_columns(self) -> Asked:
        return replace(self, columns=not self.columns)

    def about_another(self) -> Asked:
        """For another focus: what was opened is forgotten, what is left out stays so."""
        return replace(self, opened=(), expanded=(), closed=frozenset())

    def unfiltered(self) -> Asked:
        return replace(self, left_out=frozenset(), unbelieved=frozenset())
