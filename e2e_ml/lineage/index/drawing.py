"""From what the sources tell to one graph: the strongest claim for each edge, what people said of it, and what is left
of things that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from e2e_ml.lineage.adjacency import CLAIM, Adjacency, Claims, Mask, strongest
from e2e_ml.lineage.graph import EVIDENCE_NUMBERS, RELATION_NUMBERS, Evidence, Graph
from e2e_ml.lineage.index.names import NumberedNames
from e2e_ml.lineage.judgements import Judgement, Verdict

Told = dict[tuple[int, int], bytes]  # number of the thing and of the source -> packed claims
LIKELY = 0.8  # the score from which an inferred edge is drawn and followed; below, it is a candidate


def draw(names: NumberedNames, told: Told, judgements: Iterable[Judgement], reason: Callable[[str], int]) -> Graph:
    """`reason` gives the number of what people said."""
    claims = np.frombuffer(b"".join(told.values()), CLAIM)
    claims = strongest(_judged(claims, judgements, names, reason), _rank)
    size = len(names.uris)
    kinds = np.frombuffer(bytes(names.kinds), np.uint8).copy()
    gone = np.zeros(size, np.bool_)
    gone[list(names.gone)] = True
    told_of = np.zeros(size, np.bool_)
    told_of[[thing for thing, _ in told]] = True
    likely = (claims["evidence"] != EVIDENCE_NUMBERS[Evidence.INFERRED]) | (claims["score"] >= LIKELY * 1000)
    drawn, candidates = claims[likely], claims[~likely]
    shown = _standing(drawn, gone, names)
    if not shown.all():
        drawn = drawn[shown[drawn["up"]] & shown[drawn["down"]]]
        candidates = candidates[shown[candidates["up"]] & shown[candidates["down"]]]
    # What no source has told of is there as the end of an edge alone.
    told_of[drawn["up"]] = told_of[drawn["down"]] = True
    kinds[~(shown & told_of)] = 0
    return Graph(names, kinds, Adjacency(drawn, size), Adjacency(candidates, size))


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
            said, seen = reason(judgement.sentence), int(judgement.at.timestamp())
            added.append((up, down, said, seen, 1000, relation, EVIDENCE_NUMBERS[Evidence.DECLARED]))
    return np.concatenate([claims[kept], np.array(added, CLAIM)]) if added or not kept.all() else claims


def _standing(claims: Claims, gone: Mask, names: NumberedNames) -> Mask:
    """What is there, and what is gone but lies upstream of, or contains, something that is there."""
    shown = ~gone
    if not gone.any():
        return shown
    above = claims[gone[claims["up"]]]
    parents = np.frombuffer(names.parents, np.int64)
    child = np.flatnonzero(gone[parents] & (parents > 0))
    while True:
        before = int(np.count_nonzero(shown))
        shown[above["up"][shown[above["down"]]]] = True
        shown[parents[child[shown[child]]]] = True
        if int(np.count_nonzero(shown)) == before:
            return shown
