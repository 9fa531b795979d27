"""All claims in memory, as one array. Those of a record are replaced together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from e2e_ml.lineage.adjacency import CLAIM, Claims


class AllClaims:
    def __init__(self, packed: Iterable[bytes] = ()) -> None:
        self._claims: Claims = np.frombuffer(b"".join(packed), CLAIM)
        self._new: dict[tuple[int, int], bytes] = {}

    def put(self, thing: int, source: int, packed: bytes) -> None:
        """What `source` claims about `thing` from now on."""
        self._new[thing, source] = packed

    def all(self) -> Claims:
        if self._new:
            things = self._claims["thing"]
            last = max(thing for thing, _ in self._new)
            touched = np.zeros(max(last, int(things.max(initial=0))) + 1, np.bool_)
            touched[[thing for thing, _ in self._new]] = True
            kept = ~touched[things]
            # Of the few things that were touched, claims of other sources stay.
            for place in np.flatnonzero(~kept).tolist():
                thing, source = self._claims[place]["thing"], self._claims[place]["source"]
                kept[place] = (int(thing), int(source)) not in self._new
            new = np.frombuffer(b"".join(self._new.values()), CLAIM)
            self._claims = np.concatenate([self._claims[kept], new])
            self._new = {}
        return self._claims
