"""Fuzzy find: which names a few typed letters mean, and in which order. Pure, fast for ten thousand names."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

_BOUNDARIES = frozenset(" ._-/:#")


@dataclass(frozen=True, slots=True)
class Match:
    index: int  # into the names
    score: float
    places: tuple[int, ...]  # the letters that matched


def score(query: str, name: str) -> tuple[float, tuple[int, ...]] | None:
    """How well the words of `query` fit `name` (both in lower case); None when one does not.

    A whole run of letters beats scattered ones, the beginning of a word beats its middle, a short name a long one.
    """
    total = 0.0
    places: list[int] = []
    for word in query.split():
        found = _word(word, name)
        if found is None:
            return None
        total += found[0]
        places += found[1]
    return total - len(name) * 0.05, tuple(sorted(set(places)))


def _word(word: str, name: str) -> tuple[float, Sequence[int]] | None:
    at = name.find(word)
    if at >= 0:
        # Prefer the occurrence that begins a word.
        best, here = at, at
        while here >= 0:
            if _begins(name, here):
                best = here
                break
            here = name.find(word, here + 1)
        begins = _begins(name, best)
        ends = best + len(word) == len(name) or name[best + len(word)] in _BOUNDARIES
        early = max(0.0, 6 - 0.5 * best)  # a thing's own name comes before the name of what contains it
        total = 10.0 * len(word) + (12 if begins else 0) + (8 if begins and ends else 0) + early
        return total, range(best, best + len(word))
    return _initials(word, name) or _strewn(word, name)


def _initials(word: str, name: str) -> tuple[float, Sequence[int]] | None:
    """Letters that each begin a word: `cdm` for carrier_delay.delay_mean."""
    places: list[int] = []
    at = -1
    for letter in word:
        at = next((i for i in range(at + 1, len(name)) if name[i] == letter and _begins(name, i)), -1)
        if at < 0:
            return None
        places.append(at)
    return 4.0 * len(word), places


def _begins(name: str, at: int) -> bool:
    return at == 0 or name[at - 1] in _BOUNDARIES


def _strewn(word: str, name: str) -> tuple[float, Sequence[int]] | None:
    places: list[int] = []
    at, total = -1, 0.0
    for letter in word:
        there = name.find(letter, at + 1)
        if there < 0:
            return None
        total += 5 if there == at + 1 and places else 4 if _begins(name, there) else 1
        at = there
        places.append(there)
    # Letters strewn over a name, or from the middle of a word on, are chance and no match.
    return (total, places) if _begins(name, places[0]) and places[-1] - places[0] <= 3 * len(word) + 2 else None


def best(query: str, names: Sequence[str], limit: int = 60, weights: Sequence[float] | None = None) -> list[Match]:
    """The best matches of `query` among `names` (lower case), best first; without a query the first names."""
    if not query.strip():
        return [Match(i, 0.0, ()) for i in range(min(limit, len(names)))]
    words = query.lower()
    found = (
        Match(index, got[0] + (weights[index] if weights else 0.0), got[1])
        for index, name in enumerate(names)
        if (got := score(words, name)) is not None
    )
    return heapq.nsmallest(limit, found, key=lambda match: (-match.score, match.index))
