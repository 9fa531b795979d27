"""Rows from a Redis stream, pushed as they come: each is acknowledged once both stores hold it.

All consumers of a view are one group. What a consumer took and did not acknowledge, because it died, another takes over
after a while; a row that was pushed before is then pushed again, which changes nothing. An entry that is no row of the
view goes to the stream `<stream>:refused` with the reason, so that it does not hold up those behind it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from e2e_ml.festaf import settings
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.push import WrongRowsError, push

_LOG = logging.getLogger(__name__)

GROUP = "festaf"
ROW = "row"  # the field of an entry that holds the whole row, as a JSON object
REASON = "festaf.reason"  # the field that a refused entry gains
_BATCH = 1000  # entries that are pushed together
_WAIT = 1.0  # seconds to wait for entries before looking whether to stop
_TAKE_OVER = 60.0  # seconds after which an entry that another took is taken over
_Entry = tuple[bytes, dict[bytes, bytes]]


@dataclass(slots=True)
class Consumed:
    """What a consumer has done so far, in entries."""

    pushed: int = 0
    refused: int = 0


class Consumer:
    """Reads the stream that a view's source names.

    view_of: gives the view's record and the registry's version as they are now. Raises FeatureStoreError for a view
    whose rows come by no stream, and where festaf.yaml has no such connection.
    """

    def __init__(
        self, project: Path, view_of: Callable[[], tuple[FeatureView, int]], *, take_over: float = _TAKE_OVER
    ) -> None:
        view, _ = view_of()
        if view.source.format != "push" or not view.source.uri:
            raise FeatureStoreError(
                f"{view.name} has no stream to consume: its source is {view.source.format} {view.source.uri!r}. "
                'Say source = fs.redis_stream("connection", "stream").'
            )
        connection = settings.read(project).connection(view.source.connection, "redis", "rediss", "unix")
        from e2e_ml.festaf.rows.online.redis import connect

        self._project = project
        self._view_of = view_of
        self._stream = view.source.uri
        self._take_over = round(take_over * 1000)
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._redis: Any = connect(connection, project)
        self._made = False
        self.consumed = Consumed()

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; what was begun is finished. A Redis that is away is waited for."""
        import redis

        patience = 1.0
        while not stop.is_set():
            try:
                self.step()
                patience = 1.0
            except redis.RedisError as error:
                _LOG.warning("The stream %s does not answer, trying again in %.0f s: %s", self._stream, patience, error)
                stop.wait(patience)
                patience = min(patience * 2, 60.0)

    def step(self, wait: float = _WAIT) -> int:
        """Take what there is, once; gives the number of entries. Waits up to `wait` seconds for the first.

        Raises redis.RedisError where the stream does not answer, FeatureStoreError where a store cannot be written:
        what was taken stays unacknowledged.
        """
        self._make_group()
        entries = self._left_over() or self._fresh(wait)
        if entries:
            self._push(entries)
        return len(entries)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _make_group(self) -> None:
        import redis

        if self._made:
            return
        try:
            self._redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._made = True

    def _left_over(self) -> list[_Entry]:
        """Entries that were taken a while ago and not acknowledged since."""
        answer: Any = self._redis.xautoclaim(
            self._stream, GROUP, self._name, min_idle_time=self._take_over, count=_BATCH
        )
        return [entry for entry in answer[1] if entry[1]]

    def _fresh(self, wait: float) -> list[_Entry]:
        answer: Any = self._redis.xreadgroup(
            GROUP, self._name, {self._stream: ">"}, count=_BATCH, block=max(1, round(wait * 1000))
        )
        return answer[0][1] if answer else []

    def _push(self, entries: Sequence[_Entry]) -> None:
        view, version = self._view_of()
        try:
            rows = [_row(fields) for _, fields in entries]
            push(self._project, view, rows, registry_version=version)
        except WrongRowsError as error:
            if len(entries) == 1:
                self._refuse(entries[0], str(error))
                return
            for entry in entries:  # find the one that is wrong
                self._push([entry])
            return
        self._redis.xack(self._stream, GROUP, *(entry_id for entry_id, _ in entries))
        self.consumed.pushed += len(entries)

    def _refuse(self, entry: _Entry, reason: str) -> None:
        entry_id, fields = entry
        _LOG.warning("Entry %s of %s is refused: %s", entry_id.decode(), self._stream, reason)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(f"{self._stream}:refused", {**fields, REASON: reason})
            pipe.xack(self._stream, GROUP, entry_id)
            pipe.execute()
        self.consumed.refused += 1


def _row(fields: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """An entry as a row: its fields as text, or the JSON object in the field `row`."""
    try:
        text = {name.decode(): value.decode() for name, value in fields.items()}
        if set(text) != {ROW}:
            return text
        row: Any = orjson.loads(text[ROW])
    except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise WrongRowsError(f"The entry is no text, or its field {ROW!r} no JSON: {error}.") from None
    if not isinstance(row, dict):
        raise WrongRowsError(f"The entry's field {ROW!r} is no JSON object.")
    return cast("dict[str, Any]", row)
