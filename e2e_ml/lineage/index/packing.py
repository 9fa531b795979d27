"""What a record claims of edges, packed as `adjacency.CLAIM`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from e2e_ml.lineage.adjacency import seconds
from e2e_ml.lineage.graph import EVIDENCE_NUMBERS, RELATION_NUMBERS, Edge
from e2e_ml.refs import Ref

_PACKED = struct.Struct("<IHIIIIHBB")
Key = tuple[int, int, int]  # upstream, downstream, relation
Said = tuple[int, int, int, int]  # evidence, score, reason, seen


def claims(
    edges: Iterable[Edge], number: Callable[[Ref], int], reason: Callable[[str], int], now: datetime
) -> dict[Key, Said]:
    """`edges` in numbers; of those that say the same the strongest. An edge that tells no time is seen `now`."""
    found: dict[Key, Said] = {}
    for edge in edges:
        key = (number(edge.upstream), number(edge.downstream), RELATION_NUMBERS[edge.relation])
        seen = seconds(edge.seen_at or now)
        said = (EVIDENCE_NUMBERS[edge.evidence], round(edge.score * 1000), reason(edge.reason), seen)
        if key not in found or (-said[0], said[1]) > (-found[key][0], found[key][1]):
            found[key] = said
    return found


def pack(thing: int, source: int, claims: Mapping[Key, Said], kept: bytes | None) -> bytes:
    """Sorted and packed. What `kept` says in the same words keeps the time at which it was seen first."""
    before = unpack(kept) if kept else {}
    parts: list[bytes] = []
    for key in sorted(claims):
        evidence, score, reason, seen = claims[key]
        if key in before and before[key][:3] == (evidence, score, reason):
            seen = before[key][3]
        parts.append(_PACKED.pack(thing, source, key[0], key[1], reason, seen, score, key[2], evidence))
    return b"".join(parts)


def unpack(packed: bytes) -> dict[Key, Said]:
    rows = _PACKED.iter_unpack(packed)
    return {
        (up, down, rel): (evidence, score, reason, seen) for _, _, up, down, reason, seen, score, rel, evidence in rows
    }


def joined(kept: bytes, claims: Mapping[Key, Said]) -> dict[Key, Said]:
    """`claims` laid over what is kept."""
    return {**unpack(kept), **claims}
