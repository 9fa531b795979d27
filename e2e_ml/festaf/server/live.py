"""The store as the server sees it: opened once, its registry read again when the file changes, costly answers kept.

What was computed from one version of a view's definition and of its offline table is kept until either changes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

import polars as pl
from deltalake.exceptions import DeltaError
from fastapi import Request

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.freshness import Freshness, FreshnessState, freshness
from e2e_ml.festaf.model import Explanation, FeatureView, Registry, ViewStats
from e2e_ml.festaf.registry import path_of
from e2e_ml.festaf.registry.explaining import explain
from e2e_ml.festaf.rows import pipeline
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.profile import FeatureProfile, profile
from e2e_ml.festaf.rows.sources import location
from e2e_ml.festaf.rows.validation import Violation, violations
from e2e_ml.festaf.store import FeatureStore

_LOG = logging.getLogger(__name__)
# What reading a table can end in when its files and its definition disagree, or the disk does.
_UNREADABLE = (FeatureStoreError, pl.exceptions.PolarsError, DeltaError, OSError)

T = TypeVar("T")


class Live:
    """A project for the length of a server. Every method may be called from any thread.

    Raises FeatureStoreError for a folder that holds no readable project.
    """

    def __init__(self, project: Path) -> None:
        self._store = FeatureStore.open(project)
        # Asked by records of views, so that pages show what they can while the registry's file is broken.
        self._offline = pipeline.offline_store(self._store.path)
        self._kept = _Kept()
        self._registry_file = path_of(self._store.path)
        self._last: Registry | None = None
        self.trouble = ""  # why the registry cannot be read any more; the pages say it
        self.registry  # noqa: B018 - a registry that cannot be read stops the start, not the first page

    @property
    def registry(self) -> Registry:
        """The definitions as applied last; the last readable ones, where somebody has broken the file since."""
        return self._kept.get("registry", "", _file_version(self._registry_file), self._read)

    def stats(self, view: FeatureView) -> ViewStats:
        return self._of("stats", view, lambda: self._offline.stats(view))

    def intervals(self, view: FeatureView) -> tuple[WrittenInterval, ...]:
        return self._of("intervals", view, lambda: self._offline.intervals(view))

    def written_until(self, view: FeatureView) -> datetime | None:
        """The end of the newest data interval in the ledger."""
        return max((interval.end for interval in self.intervals(view) if interval.end is not None), default=None)

    def source_of(self, view: FeatureView) -> str:
        """Where the view's rows come from, as a URI that others can compare with theirs."""
        place = location(view, self._store.path)
        return place if "://" in place else Path(place).absolute().as_uri()

    def verdict(self, view: FeatureView) -> Freshness:
        """How fresh the view is now."""
        maker = view.produced_by
        try:
            return freshness(
                schedule=view.schedule,
                written_until=self.written_until(view),
                last_written=self.stats(view).last_written,
                produced_by=f"{maker.dag_id}.{maker.task_id}" if maker else None,
                end=view.end,
                now=datetime.now(UTC),
            )
        except ValueError as error:  # a schedule that only Airflow can read, such as a timetable's name
            return Freshness(FreshnessState.UNTIMED, str(error))

    def profile(self, view: FeatureView) -> tuple[FeatureProfile, ...] | str:
        """Each feature in numbers, or the sentence why the rows cannot be read."""
        return self._of("profile", view, lambda: _or_sentence(view, lambda: profile(view, self._offline.scan(view))))

    def broken(self, view: FeatureView) -> tuple[Violation, ...] | str:
        """Every broken constraint of the stored rows, or the sentence why they cannot be checked."""
        return self._of(
            "violations", view, lambda: _or_sentence(view, lambda: violations(view, self._offline.scan(view)))
        )

    def explain(self, full_name: str) -> Explanation:
        """The five answers about a feature, a view or a service. Raises FeatureStoreError for a name that is none."""
        registry = self.registry
        view = registry.view(full_name.partition(".")[0])
        return explain(registry, full_name, self.stats(view) if view else None)

    def materialize(self, view: FeatureView, start: datetime | None, end: datetime | None) -> int:
        """Bring the online store up to date with [start, end); gives how many entities it now serves from there."""
        return self._store.materialize(view.name, start, end)

    def _read(self) -> Registry:
        try:
            self._last, self.trouble = self._store.registry, ""
        except FeatureStoreError as error:
            if self._last is None:
                raise
            _LOG.warning("The registry cannot be read; its last version stays: %s", error)
            self.trouble = str(error)
        return self._last

    def _of(self, kind: str, view: FeatureView, compute: Callable[[], T]) -> T:
        log = self._offline.path(view.name) / "_delta_log"
        # Every commit is a new file in the log's folder, which changes the folder's own time.
        version = (self.registry.version, view.version, _file_version(log))
        return self._kept.get(kind, view.name, version, compute)


def live_of(request: Request) -> Live:
    return cast(Live, request.app.state.live)


def _or_sentence(view: FeatureView, compute: Callable[[], T]) -> T | str:
    try:
        return compute()
    except _UNREADABLE as error:
        _LOG.warning("The rows of %s cannot be read.", view.name, exc_info=True)
        if isinstance(error, FeatureStoreError):
            return str(error)
        return f"The stored rows of {view.name} cannot be read; the server's log says why."


def _file_version(path: Path) -> object:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


class _Kept:
    """One answer for each question, with the version it was computed from. Who asks while it is computed waits."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[object, object]] = {}
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, name: str, version: object, compute: Callable[[], T]) -> T:
        key = (kind, name)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            known = self._answers.get(key)
            if known is not None and known[0] == version:
                return cast(T, known[1])
            answer = compute()
            self._answers[key] = (version, answer)
            return answer
