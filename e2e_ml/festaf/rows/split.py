"""Rows to learn from in parts: which of them train, which choose between models, and which tell how good the best is.

Both ways are decided by the rows alone, so that a split is the same tomorrow: by time, or by a hash of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError

_MISSING = "\0"  # in the place of a missing key; no key's text is so


def check_shares(**shares: float | None) -> list[float]:
    """Those that are given. Raises FeatureStoreError where they are no shares, or leave nothing to train on."""
    given = {name: share for name, share in shares.items() if share is not None}
    for name, share in given.items():
        if not 0 < share < 1:
            raise FeatureStoreError(f"{name}={share} is no share: give a number between 0 and 1, such as 0.2.")
    if sum(given.values()) >= 1:
        told = " and ".join(f"{name}={share}" for name, share in given.items())
        raise FeatureStoreError(f"{told} leave nothing to train on: their sum must be below 1.")
    return list(given.values())


def by_time(frame: pl.DataFrame, at: str, shares: Sequence[float]) -> list[pl.DataFrame]:
    """The earliest rows, then for each of `shares` about that share of later ones. No moment is in two parts.

    Raises FeatureStoreError where there are fewer moments than parts.
    """
    times = frame[at].drop_nulls().sort()
    moments, parts = times.unique(maintain_order=True), len(shares) + 1
    if len(moments) < parts:
        raise FeatureStoreError(f"There are fewer than {parts} moments to split by time: ask for more rows.")
    starts: list[int] = []  # of each part but the first, as places among the moments
    for place, kept in enumerate(list(accumulate(shares[::-1]))[::-1]):
        wanted = min(round(len(times) * (1 - kept)), len(times) - 1)
        least = starts[-1] + 1 if starts else 1
        most = len(moments) - len(shares) + place  # a moment is left for each part behind it
        starts.append(min(max(int((moments < times[wanted]).sum()), least), most))
    edges = [pl.lit(True), *(pl.col(at) >= moments[start] for start in starts)]
    return [frame.filter(first, ~after) for first, after in pairwise([*edges, pl.lit(False)])]


def by_keys(frame: pl.DataFrame, keys: Sequence[str], shares: Sequence[float]) -> list[pl.DataFrame]:
    """The rows that are left, then for each of `shares` about that share of the keys, with all of their rows.

    Where a key goes is told by a hash of its text: it stays there whatever the order of the rows is, on any machine,
    and when others come. Raises FeatureStoreError where a part has no row.
    """
    distinct = frame.select(keys).unique()
    # From the last part on: a validation part that is taken besides leaves the test as it was.
    bounds = list(accumulate(shares[::-1]))
    last = len(shares)
    parts = [next((last - i for i, bound in enumerate(bounds) if place < bound), 0) for place in _places(distinct)]
    numbered = distinct.with_columns(pl.Series("__part", parts, dtype=pl.Int8))
    of_row = frame.select(keys).join(numbered, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    found = [frame.filter(of_row["__part"] == part) for part in range(last + 1)]
    if not all(map(len, found)):
        raise FeatureStoreError(
            f"{len(distinct)} different keys are too few to split into these parts: one has no row. Ask for more rows."
        )
    return found


def _places(keys: pl.DataFrame) -> list[float]:
    """A number in [0, 1) for each row, evenly spread."""
    texts = ("\x1f".join(_MISSING if value is None else str(value) for value in row) for row in keys.iter_rows())
    return [int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48 for text in texts]
