"""An online store under the names that things had when their rows were first written: a rename leaves rows as they are.

The stores themselves know one name for each view and feature. Where the registry says that another is stored, they are
given a view that is called so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.online.protocol import OnlineStore, Reader


class AsStored:
    """Any online store, asked by today's names."""

    def __init__(self, store: OnlineStore) -> None:
        self._store = store

    @property
    def waits(self) -> bool:
        return self._store.waits

    def reader(self, view: FeatureView, features: Sequence[str]) -> Reader:
        return self._store.reader(_stored(view), [view.feature(name).column for name in features])

    def replace_interval(
        self,
        view: FeatureView,
        newest: pl.DataFrame,
        start: datetime,
        end: datetime,
        older: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> int:
        stored = _stored(view)
        if stored is view:
            return self._store.replace_interval(view, newest, start, end, older)
        return self._store.replace_interval(
            stored, _renamed(view, newest), start, end, lambda keys: _renamed(view, older(keys))
        )

    def replace_all(self, view: FeatureView, newest: pl.DataFrame) -> int:
        return self._store.replace_all(_stored(view), _renamed(view, newest))

    def upsert(self, view: FeatureView, newest: pl.DataFrame) -> None:
        self._store.upsert(_stored(view), _renamed(view, newest))

    def count(self, view: FeatureView) -> int:
        return self._store.count(_stored(view))


def _stored(view: FeatureView) -> FeatureView:
    """The view as it is called in the stores; itself where nothing was renamed."""
    if view.table == view.name and all(feature.stored_as is None for feature in view.features):
        return view
    features = tuple(f.model_copy(update={"name": f.column}) if f.stored_as else f for f in view.features)
    return view.model_copy(update={"name": view.table, "features": features})


def _renamed(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    names = {f.name: f.column for f in view.features if f.stored_as and f.name in rows.columns}
    return rows.rename(names) if names else rows
