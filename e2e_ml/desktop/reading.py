"""How the window reads the lifecycle: the index, the collectors of a workspace's services, and word of news."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.festaf import FestafCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.refresh import Refresher
from e2e_ml.stack.service import Service

log = logging.getLogger(__name__)
INDEX_NAME = "lineage.sqlite"
_COLLECTORS = {"airflow": AirflowCollector, "festaf": FestafCollector, "mlflow": MlflowCollector}


class Reading:
    """The index of a workspace, kept fresh from its services. Its methods may be called from any thread."""

    def __init__(self, state: Path, services: Mapping[str, Service], instances: Mapping[str, str]) -> None:
        self.trouble = ""  # why what is read is not kept until the next start, as a sentence
        self._index = self._open(state / INDEX_NAME)
        collectors = [
            make(Connection(instances[name], _url(services[name]), _headers(services[name])))
            for name, make in _COLLECTORS.items()
        ]
        self._refresher = Refresher(self._index, collectors)
        self._started = False

    def _open(self, path: Path) -> Index:
        """The index in its file; in a folder that ends with us where that cannot be, for it is only a cache."""
        try:
            return Index(path)
        except (OSError, sqlite3.Error) as error:
            log.warning("The lineage index %s cannot be used: %s", path, error)
            reason = getattr(error, "strerror", None) or error
            self.trouble = (
                f"{path} cannot be used: {reason}. Move it away, or make room there; it fills again by itself."
            )
        self._instead = TemporaryDirectory(prefix="e2e-ml-")
        return Index(Path(self._instead.name) / INDEX_NAME)

    def graph(self) -> Graph:
        return self._refresher.graph

    def read_at(self) -> datetime | None:
        """When the service that was read longest ago was last read, of those that were ever; None: none was."""
        times = [visit.visited_at for visit in self._refresher.report.values() if visit.visited_at is not None]
        return min(times, default=None)

    def has_read(self, service: str) -> bool:
        """Whether the service was ever read: what the graph holds of it is all there was then."""
        report = self._refresher.report
        return any(name.startswith(f"{service}:") and visit.visited_at for name, visit in report.items())

    def subscribe(self, listener: Callable[[Graph], None]) -> Callable[[], None]:
        return self._refresher.subscribe(lambda graph, _report: listener(graph))

    def start(self) -> None:
        self._started = True
        self._refresher.start()

    def refresh_now(self) -> None:
        self._refresher.refresh_now()

    def stop(self) -> None:
        """End the collectors and close the index; waits for a request that is under way."""
        if self._started:
            self._refresher.stop()
        self._index.close()
        if self.trouble:
            self._instead.cleanup()


def _url(service: Service) -> Callable[[], str | None]:
    return lambda: service.url


def _headers(service: Service) -> Callable[[], Mapping[str, str]]:
    def headers() -> Mapping[str, str]:
        login = service.login()
        return login.headers if login else {}

    return headers
