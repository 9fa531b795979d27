"""The online store: the newest row of each entity, read by key in microseconds.

`protocol` says what a store does; `sqlite` and `redis` do it, and one suite of tests holds both to it. `values` says
how keys and values are kept, and `serving` makes an answer of what a reader finds. `as_stored` lets
renamed views and features keep their rows. Which store a project uses says its `festaf.yaml`.
"""

from __future__ import annotations

from pathlib import Path

from e2e_ml.festaf import settings
from e2e_ml.festaf.rows.online.as_stored import AsStored
from e2e_ml.festaf.rows.online.protocol import Found, OnlineStore, Reader
from e2e_ml.festaf.rows.online.sqlite import SqliteStore

__all__ = ["Found", "OnlineStore", "Reader", "open_store"]


def open_store(project: Path, file: Path) -> OnlineStore:
    """The project's online store: Redis where festaf.yaml says so, else SQLite in `file`.

    Nothing is opened before the first read or write. Raises FeatureStoreError for settings that cannot be read.
    """
    online = settings.read(project).online
    if online is None:
        return AsStored(SqliteStore(file))
    from e2e_ml.festaf.rows.online.redis import RedisStore, connect

    return AsStored(RedisStore(connect(online, project), settings.project_of(project)))
