"""Answers to who asks by key: for each asked row the newest values, or why one is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.online.protocol import FIRST_VALUE, OnlineStore, microseconds
from e2e_ml.festaf.rows.online.values import KeyForm, StoredKey

Missing = Literal["absent", "expired"]


class Question:
    """Features of some views under their columns' names, prepared once and asked many times, from any thread."""

    def __init__(self, store: OnlineStore, views: Sequence[tuple[FeatureView, Mapping[str, str]]]) -> None:
        self.waits = store.waits
        self._parts = [_Part(store, view, named) for view, named in views]

    def answer(
        self, rows: Sequence[Mapping[str, Any]], at: datetime, *, again: bool = False
    ) -> tuple[list[dict[str, Any]], list[dict[str, Missing]]]:
        """Each asked row with the features' columns, in the order asked, and `{column: why}` where one is missing.

        `at` is the moment that a time to live counts from. again: as `Reader` has it. Raises FeatureStoreError for rows
        without a key.
        """
        answered = [dict(row) for row in rows]
        missing: list[dict[str, Missing]] = [{} for _ in rows]
        now = microseconds(at)
        for part in self._parts:
            part.fill(rows, answered, missing, now, again)
        return answered, missing


class _Part:
    """What is asked of one view."""

    def __init__(self, store: OnlineStore, view: FeatureView, named: Mapping[str, str]) -> None:
        self._form = KeyForm(view.name, view.entities)
        self._read = store.reader(view, tuple(named))
        self._columns = tuple(named.values())
        self._nothing = dict.fromkeys(self._columns)
        self._ttl = None if view.ttl_seconds is None else round(view.ttl_seconds * 1_000_000)

    def fill(
        self,
        rows: Sequence[Mapping[str, Any]],
        answered: list[dict[str, Any]],
        missing: list[dict[str, Missing]],
        now: int,
        again: bool,
    ) -> None:
        keys = self._form.of(rows)
        known = [key for key in keys if key is not None] if None in keys else cast("Sequence[StoredKey]", keys)
        found = self._read(known, again)
        columns, oldest = self._columns, None if self._ttl is None else now - self._ttl
        for key, answer, why in zip(keys, answered, missing, strict=True):
            row = None if key is None else found.get(key)
            if row is not None and (oldest is None or row[1] is None or row[1] >= oldest):
                answer.update(zip(columns, row[FIRST_VALUE:], strict=True))
            else:
                answer.update(self._nothing)
                why.update(dict.fromkeys(columns, "absent" if row is None else "expired"))
