"""Edges between numbered things as sorted arrays, and walks over them: compressed sparse rows, in both directions.

Knows numbers alone; `graph` gives them names. A million edges take 28 MB, are sorted in about 0.2 s and read at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

# What is kept of an edge: whose record claims it (`thing`, `source`), its ends, `score` in thousandths, `seen` in
# seconds since 1970 (0: not known), `relation` and `evidence` by their places in their enumerations, `reason` by its
# number.
CLAIM = np.dtype(
    [
        ("thing", "<u4"), ("source", "<u2"), ("up", "<u4"), ("down", "<u4"), ("reason", "<u4"), ("seen", "<u4"),
        ("score", "<u2"), ("relation", "u1"), ("evidence", "u1"),
    ]
)  # fmt: skip

_LAST = 2**32 - 1  # of `seen`


def seconds(at: datetime) -> int:
    """A time as `seen` has it; what lies outside of 1970 to 2106 is taken for the nearest that does not."""
    return min(max(int(at.timestamp()), 1), _LAST)


Claims = npt.NDArray[Any]  # of CLAIM
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_FEW = 48  # things at one distance up to which a loop is faster than an array's overhead


class Rows:
    """One direction: for each thing the places of its edges, and the thing at each one's other end."""

    def __init__(
        self, here: Numbers, there: Numbers, relations: npt.NDArray[np.uint8], places: Numbers, n: int
    ) -> None:
        """`here` is sorted; the four have one entry an edge."""
        self.starts = np.zeros(n + 1, np.int64)
        np.cumsum(np.bincount(here, minlength=n), out=self.starts[1:])
        self.there, self.relations, self.places = there, relations, places

    def of(self, thing: int) -> Numbers:
        """The places of its edges among all claims."""
        return self.places[self.starts[thing] : self.starts[thing + 1]]

    def ends_of(self, things: Numbers) -> tuple[Numbers, Numbers]:
        """An entry for each edge of some things: the thing, and the other end."""
        at, counts = _rows(self.starts, things)
        return np.repeat(things, counts), self.there[at]


@dataclass(frozen=True)
class Reached:
    """What a walk reached, nearest first, its starts left out."""

    things: Numbers
    distances: Numbers
    by: Numbers  # the place of the edge that reached it first
    size: int  # of the graph

    @cached_property
    def places(self) -> npt.NDArray[np.int32]:
        """By the number of every thing, where among `things` it stands; -1 where it does not."""
        places = np.full(self.size, -1, np.int32)
        places[self.things] = np.arange(len(self.things))
        return places


class Adjacency:
    """The edges at `chosen` among `claims`, which are sorted by their upstream, then their downstream end."""

    def __init__(self, claims: Claims, chosen: Numbers, n: int) -> None:
        self.claims, self.size, self.edges = claims, n, len(chosen)
        up, down = claims["up"][chosen].astype(np.int64), claims["down"][chosen].astype(np.int64)
        relations = claims["relation"][chosen]
        self.down = Rows(up, down, relations, chosen, n)
        order = _order(down, n)
        self.up = Rows(down[order], up[order], relations[order], chosen[order], n)

    def walk(
        self,
        starts: Numbers,
        *,
        down: bool,
        depth: int | None = None,
        left_out: Mask | None = None,
        stop: Mask | None = None,
    ) -> Reached:
        """Everything within `depth` edges of `starts`, by the shortest ways. Cycles end the walk.

        `left_out`: relation -> whether its edges are not followed. `stop`: thing -> whether what lies behind it is not
        looked at.
        """
        rows = self.down if down else self.up
        seen = np.zeros(self.size, np.bool_)
        seen[starts] = True
        level = starts
        things: list[Numbers] = []
        ways: list[Numbers] = []
        while len(level) and (depth is None or len(things) < depth):
            step = _few if len(level) <= _FEW else _many
            level, by = step(rows, level, seen, left_out)
            things.append(level)
            ways.append(by)
            if stop is not None:
                level = level[~stop[level]]
        lengths = [len(t) for t in things]
        return Reached(
            np.concatenate(things) if things else np.empty(0, np.int64),
            np.repeat(np.arange(1, len(lengths) + 1), lengths),
            rows.places[np.concatenate(ways)] if ways else np.empty(0, np.int64),
            self.size,
        )


def _rows(starts: Numbers, things: Numbers) -> tuple[Numbers, Numbers]:
    """The rows of some things, one after the other, and how many each has."""
    first = starts[things]
    counts = starts[things + 1] - first
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(int(counts.sum())), counts


def _many(rows: Rows, level: Numbers, seen: Mask, left_out: Mask | None) -> tuple[Numbers, Numbers]:
    """The things one edge beyond `level` that were not seen yet, each with the row that leads there; marks them."""
    at, _ = _rows(rows.starts, level)
    if len(at) == 0:
        return at, at
    if left_out is not None:
        at = at[~left_out[rows.relations[at]]]
    at = at[~seen[rows.there[at]]]
    there = rows.there[at]
    # The first of several ways to a thing: written backwards, it is the one that stays, without sorting anything.
    places = np.arange(len(there))
    first = np.empty(len(seen), np.int64)
    first[there[::-1]] = places[::-1]
    once = first[there] == places
    there = there[once]
    seen[there] = True
    return there, at[once]


def _few(rows: Rows, level: Numbers, seen: Mask, left_out: Mask | None) -> tuple[Numbers, Numbers]:
    """`_many`, thing by thing; a thing with very many edges is handed back to it."""
    found: list[int] = []
    ways: list[int] = []
    skip = left_out.tolist() if left_out is not None else None
    for thing in level.tolist():
        low, high = rows.starts[thing : thing + 2].tolist()
        if high - low > 16 * _FEW:
            there, by = _many(rows, np.array([thing]), seen, left_out)
            found += there.tolist()
            ways += by.tolist()
            continue
        ends = rows.there[low:high].tolist()
        kinds = rows.relations[low:high].tolist() if skip is not None else None
        for i, other in enumerate(ends):
            if (skip is None or kinds is None or not skip[kinds[i]]) and not seen[other]:
                seen[other] = True
                found.append(other)
                ways.append(low + i)
    return np.array(found, np.int64), np.array(ways, np.int64)


def _order(first: npt.NDArray[Any], n: int, second: npt.NDArray[Any] | None = None, m: int = 1) -> Numbers:
    """The places in the order of `first` (below `n`), then of `second` (below `m`), then as they are.

    Sorting values is several times as fast as sorting places, so place and keys share one number where they fit in.
    """
    places = np.arange(len(first), dtype=np.uint64)
    shift, width = len(first).bit_length(), m.bit_length() if second is not None else 0
    if n.bit_length() + width + shift > 64:
        return np.argsort(first, kind="stable") if second is None else np.lexsort((second, first))
    key = first.astype(np.uint64)
    if second is not None:
        key = (key << np.uint64(width)) | second
    key = np.sort((key << np.uint64(shift)) | places)
    return (key & np.uint64((1 << shift) - 1)).astype(np.int64)


def strongest(claims: Claims, rank: Callable[[Claims], npt.NDArray[np.int64]]) -> Numbers:
    """The places of one claim for each pair of ends and relation, that of the greatest `rank`; sorted by upstream, then
    by downstream end."""
    up, down = np.ascontiguousarray(claims["up"]), np.ascontiguousarray(claims["down"])
    order = _order(up, int(up.max(initial=0)) + 1, down, int(down.max(initial=0)) + 1)
    up, down = up[order], down[order]
    same = (up[1:] == up[:-1]) & (down[1:] == down[:-1])
    if not same.any():
        return order
    # Few pairs have several claims: those alone are sorted by all that tells them apart, by who claims it in the end,
    # so that it does not matter in which order they were read.
    grouped = np.zeros(len(order), np.bool_)
    grouped[1:] |= same
    grouped[:-1] |= same
    where = np.flatnonzero(grouped)
    some = claims[order[where]]
    inner = np.lexsort((some["source"], some["thing"], -rank(some), some["relation"], some["down"], some["up"]))
    some = some[inner]
    order[where] = order[where][inner]
    first = np.ones(len(some), np.bool_)
    first[1:] = (
        (some["up"][1:] != some["up"][:-1])
        | (some["down"][1:] != some["down"][:-1])
        | (some["relation"][1:] != some["relation"][:-1])
    )
    keep = np.ones(len(order), np.bool_)
    keep[where] = first
    return order[keep]
