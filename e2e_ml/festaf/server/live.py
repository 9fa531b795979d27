"""The store as the server sees it: opened once, its registry read again when the file changes, costly answers kept.

What was computed from one version of a view's definition and of its offline table is kept until either changes. What
takes long to compute is computed beside the pages: a page that comes too early says that it is being counted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from fastapi import Request

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.freshness import Freshness, FreshnessState, freshness
from e2e_ml.festaf.model import Explanation, FeatureView, IntervalStats, Registry, ViewStats
from e2e_ml.festaf.registry import path_of
from e2e_ml.festaf.registry.explaining import explain
from e2e_ml.festaf.rows import pipeline
from e2e_ml.festaf.rows.offline import Standing, WrittenInterval
from e2e_ml.festaf.rows.profile import Correlation, FeatureProfile, correlation, profile
from e2e_ml.festaf.rows.sources import location
from e2e_ml.festaf.rows.validation import Violation, violations
from e2e_ml.festaf.server.catalog import Catalog
from e2e_ml.festaf.store import FeatureStore, OnlineFeatures
from e2e_ml.festaf.wishes import Wish, suggestion

_LOG = logging.getLogger(__name__)

PATIENCE = 1.5  # seconds that a page waits for numbers about rows; later it is drawn without them

T = TypeVar("T")


class Live:
    """A project for the length of a server. Every method may be called from any thread.

    `airflow` is the address of the Airflow that runs its DAGs, for links, where that is known.

    Raises FeatureStoreError for a folder that holds no readable project.
    """

    def __init__(self, project: Path, airflow: str | None = None) -> None:
        self._store = FeatureStore.open(project)
        self.airflow = airflow
        self.wishes = self._store.wishes
        # Asked by records of views, so that pages show what they can while the registry's file is broken.
        self._offline = pipeline.offline_store(self._store.path)
        self._kept = _Kept()
        self._registry_file = path_of(self._store.path)
        self._last: Registry | None = None
        self.trouble = ""  # why the registry cannot be read any more; the pages say it
        self.catalog  # noqa: B018 - a registry that cannot be read stops the start, not the first page

    @property
    def catalog(self) -> Catalog:
        """The definitions as applied last, indexed; the last readable ones, where somebody has broken the file since.

        A page asks once and stays with what it got.
        """
        return self._kept.get("catalog", "", _file_version(self._registry_file), self._indexed)

    @property
    def store(self) -> FeatureStore:
        return self._store

    @property
    def registry(self) -> Registry:
        return self.catalog.registry

    @property
    def state(self) -> str:
        """A text that changes with every apply, write and wish: what a page compares to know that it is old."""
        catalog = self.catalog
        logs = self._kept.get(
            "logs", "", catalog, lambda: [os.fspath(self._log(view)) for view in catalog.views.values()]
        )
        seen = [_file_version(self._registry_file), _file_version(self.wishes.path), *map(_changed, logs)]
        return f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'

    def stats(self, view: FeatureView) -> ViewStats:
        return self._standing(view).stats

    def intervals(self, view: FeatureView) -> tuple[WrittenInterval, ...]:
        return self._standing(view).intervals

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
        return _judged(
            view.schedule,
            self.written_until(view),
            self.stats(view).last_written,
            f"{maker.dag_id}.{maker.task_id}" if maker else None,
            view.end,
            _now(),
        )

    def profile(self, view: FeatureView) -> tuple[FeatureProfile, ...] | str:
        """Each feature in numbers, or the sentence why the rows cannot be read."""
        return self._of("profile", view, lambda: _or_sentence(view, lambda: profile(view, self._offline.scan(view))))

    def broken(self, view: FeatureView) -> tuple[Violation, ...] | str:
        """Every broken constraint of the stored rows, or the sentence why they cannot be checked."""
        return self._of(
            "violations", view, lambda: _or_sentence(view, lambda: violations(view, self._offline.scan(view)))
        )

    def correlation(self, view: FeatureView) -> Correlation | str:
        """How the view's numbers go together, or the sentence why the rows cannot be read."""
        return self._of(
            "correlation", view, lambda: _or_sentence(view, lambda: correlation(view, self._offline.scan(view)))
        )

    def trend(self, view: FeatureView) -> tuple[IntervalStats, ...]:
        """How rules and features fared, run by run, oldest first."""
        return self._of("trend", view, lambda: self._standing(view).trend)

    def soon(self, question: Callable[[FeatureView], T], view: FeatureView) -> T | None:
        """`live.profile` or `live.broken` of a view, None where that takes longer than a page can wait.

        It is then computed on, and is there for who asks later.
        """
        answer: Future[T] = Future()

        def ask() -> None:
            try:
                answer.set_result(question(view))
            except Exception as error:  # whoever waits is told; where nobody waits any more, the next page asks again
                answer.set_exception(error)

        # A daemon: a server that stops does not wait for numbers that nobody will see.
        threading.Thread(target=ask, name=f"count {view.name}", daemon=True).start()
        try:
            return answer.result(PATIENCE)
        except TimeoutError:
            return None

    def examples(self, view: FeatureView) -> list[dict[str, Any]]:
        """A few of the keys that are stored, for who wants to try; none where they cannot be read."""

        def read() -> list[dict[str, Any]]:
            keys = [key.name for key in view.entities]
            try:
                return (
                    self._offline.scan(view)
                    .select(keys)
                    .head(200)
                    .unique(maintain_order=True)
                    .head(8)
                    .collect()
                    .to_dicts()
                )
            except Exception:  # they only help to fill a form in
                return []

        return self._of("examples", view, read)

    def online(self, what: str, row: dict[str, Any]) -> OnlineFeatures:
        """The newest features of one row, as a model would get them. Raises FeatureStoreError."""
        return self._store.online(what, [row])

    def suggestion(self, wish: Wish) -> str | None:
        """The feature, applied since, that may be what was wished for."""
        catalog = self.catalog
        if catalog.youngest is None or catalog.youngest < wish.at:
            return None
        version = (catalog, wish.status)
        return self._kept.get("suggestion", str(wish.number), version, lambda: suggestion(catalog.registry, wish))

    def explain(self, full_name: str) -> Explanation:
        """The five answers about a feature, a view or a service. Raises FeatureStoreError for a name that is none."""
        registry = self.registry
        view = registry.view(full_name.partition(".")[0])
        return explain(registry, full_name, self.stats(view) if view else None)

    def materialize(self, view: FeatureView, start: datetime | None, end: datetime | None) -> int:
        """Bring the online store up to date with [start, end); gives how many entities it now serves from there."""
        return self._store.materialize(view.name, start, end)

    def beside(self, name: str, work: Callable[[], object]) -> None:
        """Do something beside the pages, which are better for it but do without; one that fails says so itself."""

        def do() -> None:
            try:
                work()
            except Exception:
                _LOG.debug("%s failed.", name, exc_info=True)

        threading.Thread(target=do, name=name, daemon=True).start()

    def _indexed(self) -> Catalog:
        is_first = self._last is None
        catalog = Catalog(self._read())
        if not is_first:  # a server that starts does so when it is up
            # The first letter typed finds the index made.
            self.beside("index", lambda: catalog.search)
        return catalog

    def _read(self) -> Registry:
        try:
            self._last, self.trouble = self._store.registry, ""
        except FeatureStoreError as error:
            if self._last is None:
                raise
            _LOG.warning("The registry cannot be read; its last version stays: %s", error)
            self.trouble = str(error)
        return self._last

    def _standing(self, view: FeatureView) -> Standing:
        return self._of("standing", view, lambda: self._offline.standing(view))

    def _of(self, kind: str, view: FeatureView, compute: Callable[[], T]) -> T:
        version = (view.version, view.changed_at, _changed(os.fspath(self._log(view))))
        return self._kept.get(kind, view.name, version, compute)

    def _log(self, view: FeatureView) -> Path:
        return self._offline.path(view.table) / "_delta_log"


@lru_cache(maxsize=8192)
def _judged(
    schedule: str | None,
    written_until: datetime | None,
    last_written: datetime | None,
    produced_by: str | None,
    end: datetime | None,
    now: datetime,
) -> Freshness:
    """`freshness`, once for all views of one schedule that were written alike: it reads cron slowly."""
    try:
        return freshness(
            schedule=schedule,
            written_until=written_until,
            last_written=last_written,
            produced_by=produced_by,
            end=end,
            now=now,
        )
    except ValueError as error:  # a schedule that only Airflow can read, such as a timetable's name
        return Freshness(FreshnessState.UNTIMED, str(error))


def _now() -> datetime:
    """Now, to the second: as exact as any sentence about freshness."""
    now = datetime.now(UTC)
    return now - timedelta(microseconds=now.microsecond)


def live_of(request: Request) -> Live:
    return cast(Live, request.app.state.live)


def _or_sentence(view: FeatureView, compute: Callable[[], T]) -> T | str:
    try:
        return compute()
    except Exception as error:  # whatever files of many years hold: the page shows all the rest
        _LOG.warning("The rows of %s cannot be read.", view.name, exc_info=True)
        if isinstance(error, FeatureStoreError):
            return str(error)
        return f"The stored rows of {view.name} cannot be read; the server's log says why."


def _changed(log: str) -> object:
    """When a table was last written: every commit is a new file in the log's folder, and changes the folder's time."""
    try:
        return os.stat(log).st_mtime_ns  # noqa: PTH116 - a thousand of them for a page: text is faster than a Path
    except OSError:
        return None


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
