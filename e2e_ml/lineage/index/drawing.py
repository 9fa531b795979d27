"""From what the sources tell to one graph: the strongest claim for each edge, what people said of it, and what is left
of things that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from e2e_ml.lineage.adjacency import CLAIM, Adjacency, Claims, Mask, Numbers, seconds, strongest
from e2e_ml.lineage.graph import EVIDENCE_NUMBERS, RELATION_NUMBERS, Evidence, Graph
from e2e_ml.lineage.index.names import NumberedNames
from e2e_ml.lineage.judgements import Judgement, Verdict

LIKELY = 0.8  # the score from which an inferred edge is drawn and followed; below, it is a candidate


def draw(
    names: NumberedNames,
    claims: Claims,
    contents: Callable[[Iterable[int]], list[tuple[int, int]]],
    judgements: Iterable[Judgement],
    reason: Callable[[str], int],
) -> Graph:
    """`contents` gives the things that lie in others, each with the one it lies in; `reason` the number of a text."""
    claims = _judged(claims, judgements, names, reason)
    chosen = strongest(claims, _rank)
    likely = (claims["evidence"] != EVIDENCE_NUMBERS[Evidence.INFERRED]) | (claims["score"] >= LIKELY * 1000)
    likely = likely[chosen]
    drawn, candidates = chosen[likely], chosen[~likely]
    size = len(names.uris)
    kinds = np.frombuffer(bytes(names.kinds), np.uint8).copy()
    if names.gone:
        gone = _mask(size, names.gone)
        hidden = gone & ~_standing(claims[drawn], gone, _unseen(size, names, claims, drawn), _held(names, contents))
        drawn = drawn[~(hidden[claims["up"][drawn]] | hidden[claims["down"][drawn]])]
        candidates = candidates[~(hidden[claims["up"][candidates]] | hidden[claims["down"][candidates]])]
        kinds[hidden] = 0
    kinds[_unseen(size, names, claims, drawn)] = 0
    return Graph(names, kinds, Adjacency(claims, drawn, size), Adjacency(claims, candidates, size))


def _rank(claims: Claims) -> npt.NDArray[np.int64]:
    """Declared before observed before inferred, then by score, then the newest."""
    evidence = claims["evidence"].astype(np.int64)
    score = claims["score"].astype(np.int64)
    return (((2 - evidence) << 11 | score) << 32) | claims["seen"].astype(np.int64)


def _judged(
    claims: Claims, judgements: Iterable[Judgement], names: NumberedNames, reason: Callable[[str], int]
) -> Claims:
    """Without the inferred edges that a person refused, and with those confirmed as declared ones."""
    added: list[tuple[int, ...]] = []
    kept = np.ones(len(claims), np.bool_)
    for judgement in judgements:
        up, down = names.number(judgement.upstream), names.number(judgement.downstream)
        if up is None or down is None:
            continue  # kept for when its ends are there again
        relation = RELATION_NUMBERS[judgement.relation]
        if judgement.verdict is Verdict.REFUSED:
            inferred = claims["evidence"] == EVIDENCE_NUMBERS[Evidence.INFERRED]
            kept &= ~(inferred & (claims["up"] == up) & (claims["down"] == down) & (claims["relation"] == relation))
        else:
            said, seen = reason(judgement.sentence), seconds(judgement.at)
            added.append((0, 0, up, down, said, seen, 1000, relation, EVIDENCE_NUMBERS[Evidence.DECLARED]))
    return np.concatenate([claims[kept], np.array(added, CLAIM)]) if added or not kept.all() else claims


def _mask(size: int, numbers: Iterable[int]) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[list(numbers)] = True
    return mask


def _unseen(size: int, names: NumberedNames, claims: Claims, drawn: Numbers) -> Mask:
    """What no source tells of is there as the end of an edge alone: the things at no edge any more."""
    untold = _mask(size, names.untold)
    untold[claims["up"][drawn]] = untold[claims["down"][drawn]] = False
    return untold


def _held(names: NumberedNames, contents: Callable[[Iterable[int]], list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """What lies in things that are gone, through those in between that no source tells of."""
    found = contents(names.gone)
    inner = [number for number, _ in found if number in names.untold]
    while inner:
        more = contents(inner)
        found += more
        inner = [number for number, _ in more if number in names.untold]
    return found


def _standing(claims: Claims, gone: Mask, unseen: Mask, contents: list[tuple[int, int]]) -> Mask:
    """What is there, and what is gone but lies upstream of, or contains, something that is there."""
    shown = ~(gone | unseen)
    above = claims[gone[claims["up"]]]
    inner, outer = np.array(contents, np.int64).reshape(-1, 2).T
    while True:
        before = int(np.count_nonzero(shown))
        shown[above["up"][shown[above["down"]]]] = True
        shown[outer[shown[inner]]] = True
        if int(np.count_nonzero(shown)) == before:
            return shown
