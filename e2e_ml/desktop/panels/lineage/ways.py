"""The ways between two things of a drawing: which boxes and lines lie on one, and the shortest in words. No Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from e2e_ml.desktop.panels.lineage.neighbourhood import Key, Tie

TOLD = 5  # ways that are told in words
_STEPS = 4000  # looked at to find them


@dataclass(frozen=True, slots=True)
class Ways:
    keys: frozenset[Key] = frozenset()
    ties: frozenset[tuple[Key, Key]] = frozenset()
    told: tuple[tuple[Key, ...], ...] = ()  # the shortest first, in the direction of the flow
    more: bool = False  # there are others

    def __bool__(self) -> bool:
        return bool(self.ties)

    def sentences(self, name: Callable[[Key], str]) -> list[str]:
        found = [" \N{RIGHTWARDS ARROW} ".join(map(name, way)) for way in self.told]
        return [*found, "and other ways"] if self.more else found


def between(ties: Sequence[Tie], one: Key, other: Key) -> Ways:
    """All ways along the lines from one thing to another, or back; where there is none, a shortest against them."""
    if one == other:
        return Ways(frozenset((one,)))
    down: dict[Key, list[Key]] = {}
    up: dict[Key, list[Key]] = {}
    for tie in ties:
        down.setdefault(tie.upstream, []).append(tie.downstream)
        up.setdefault(tie.downstream, []).append(tie.upstream)
    for start, end in ((one, other), (other, one)):
        after = reached(down, start)
        if end in after:
            return _along(ties, down, start, end, after & reached(up, end))
    return _against(down, up, one, other)


def reached(beside: Mapping[Key, Iterable[Key]], start: Key) -> set[Key]:
    """`start`, and all that lies behind it; a cycle ends the walk."""
    found, waiting = {start}, [start]
    while waiting:
        for there in beside.get(waiting.pop(), ()):
            if there not in found:
                found.add(there)
                waiting.append(there)
    return found


def _along(ties: Sequence[Tie], down: Mapping[Key, list[Key]], start: Key, end: Key, on: set[Key]) -> Ways:
    told: list[tuple[Key, ...]] = []
    waiting: deque[tuple[Key, ...]] = deque([(start,)])
    steps = 0
    while waiting and len(told) <= TOLD and steps < _STEPS:
        way = waiting.popleft()
        steps += 1
        if way[-1] == end:
            told.append(way)
            continue
        waiting.extend((*way, there) for there in down.get(way[-1], ()) if there in on and there not in way)
    lines = frozenset((t.upstream, t.downstream) for t in ties if t.upstream in on and t.downstream in on)
    return Ways(frozenset(on), lines, tuple(told[:TOLD]), len(told) > TOLD or bool(waiting))


def _against(down: Mapping[Key, list[Key]], up: Mapping[Key, list[Key]], one: Key, other: Key) -> Ways:
    came: dict[Key, tuple[Key, bool]] = {}
    waiting, seen = deque([one]), {one}
    while waiting and other not in seen:
        here = waiting.popleft()
        for there, along in [*((k, True) for k in down.get(here, ())), *((k, False) for k in up.get(here, ()))]:
            if there not in seen:
                seen.add(there)
                came[there] = here, along
                waiting.append(there)
    if other not in seen:
        return Ways()
    way, lines = [other], set[tuple[Key, Key]]()
    while way[-1] != one:
        before, along = came[way[-1]]
        lines.add((before, way[-1]) if along else (way[-1], before))
        way.append(before)
    return Ways(frozenset(way), frozenset(lines), (tuple(reversed(way)),))
