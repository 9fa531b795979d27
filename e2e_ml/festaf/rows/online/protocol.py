"""What an online store does. A row carries its event time and created time, and an older one never overwrites a newer.

A write is seen whole or not at all, also when the writer dies. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import polars as pl

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import stored_features
from e2e_ml.festaf.rows.online.values import StoredKey

# (key, event time or None, a mark of the store's own, the value of each asked feature)
Found = Sequence[Any]
FIRST_VALUE = 3


class Reader(Protocol):
    def __call__(self, keys: Sequence[StoredKey], again: bool = False, /) -> Mapping[StoredKey, Found]:
        """What is found of the keys, as one moment saw them; a key that is not stored is not in it.

        again: this thread has read from the store a moment ago, and what has happened to its file since need not be
        seen. That spares a look at the file, though not at what is in it.
        """
        ...


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class OnlineStore(Protocol):
    @property
    def waits(self) -> bool:
        """Whether a read waits for a network: a server then reads in a thread."""
        ...

    def reader(self, view: FeatureView, features: Sequence[str]) -> Reader:
        """What reads these features of the view, for many calls from any thread. Keys are as `values.KeyForm` makes
        them; more than a thousand may be asked at once."""
        ...

    def replace_interval(
        self,
        view: FeatureView,
        newest: pl.DataFrame,
        start: datetime,
        end: datetime,
        older: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> int:
        """Bring a view with times up to date with [start, end); gives the number of rows that are now of it.

        `newest` holds the newest row in the interval of each entity, with the columns of the offline table. Where a row
        of this interval was served that the interval no longer has, `older` is asked with the keys and gives the newest
        rows from before `start`.
        """
        ...

    def replace_all(self, view: FeatureView, newest: pl.DataFrame) -> int:
        """Make `newest`, one row for each entity, all that is served of the view; gives their number."""
        ...

    def upsert(self, view: FeatureView, newest: pl.DataFrame) -> None:
        """Serve `newest`, one row for each entity, where it is not older than what is served."""
        ...

    def count(self, view: FeatureView) -> int:
        """How many entities of the view are served."""
        ...


def served_types(view: FeatureView) -> dict[str, DataType]:
    """The features that are kept online: those that are stored, but for intermediate ones."""
    return {feature.name: feature.dtype for feature in stored_features(view) if not feature.hidden}


def microseconds(time: datetime) -> int:
    return (time - EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
