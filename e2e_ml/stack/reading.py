"""Reading the lifecycle of a workspace: its index, the collectors of its services, what people said, word of news."""

from __future__ import annotations

import getpass
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from e2e_ml.lineage.collectors import Collector
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.feast import feast_collector
from e2e_ml.lineage.collectors.festaf import FestafCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.collectors.openlineage import OpenLineageCollector
from e2e_ml.lineage.files import index_file, judgements_file
from e2e_ml.lineage.graph import Edge, Graph
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.judgements import Judgement, Judgements, Verdict
from e2e_ml.lineage.refresh import Refresher, Report
from e2e_ml.stack.service import Service
from e2e_ml.workspace import Workspace

log = logging.getLogger(__name__)
INSTANCE = "local"


class Reading:
    """An index, kept fresh by collectors. Its methods may be called from any thread."""

    def __init__(self, index: Path, judgements: Path, collectors: Iterable[Collector]) -> None:
        self.trouble = ""  # why what is read is not kept until the next start, as a sentence
        self.judgements = Judgements(judgements)
        self._index = self._open(index)
        self._collectors = list(collectors)
        self._refresher = Refresher(self._index, self._collectors)
        self._started = False

    def _open(self, path: Path) -> Index:
        """The index in its file; in a folder that ends with us where that cannot be, for it is only a cache."""
        try:
            return Index(path, self.judgements)
        except (OSError, sqlite3.Error) as error:
            log.warning("The lineage index %s cannot be used: %s", path, error)
            reason = getattr(error, "strerror", None) or error
            self.trouble = (
                f"{path} cannot be used: {reason}. Move it away, or make room there; it fills again by itself."
            )
        self._instead = TemporaryDirectory(prefix="e2e-ml-")
        return Index(Path(self._instead.name) / path.name, self.judgements)

    def graph(self) -> Graph:
        return self._index.graph()

    @property
    def report(self) -> Report:
        """How each collector fares."""
        return self._refresher.report

    def read_at(self) -> datetime | None:
        """When the service that was read longest ago was last read, of those that were ever; None: none was."""
        times = [visit.visited_at for visit in self.report.values() if visit.visited_at is not None]
        return min(times, default=None)

    def has_read(self, service: str) -> bool:
        """Whether all of the service was ever read: what the graph lacks of it was not there then."""
        return any(name.startswith(f"{service}:") and visit.visited_at for name, visit in self.report.items())

    def judge(self, edge: Edge, verdict: Verdict, by: str | None = None) -> Judgement:
        """Keep what a person says of an edge. Raises OSError where that cannot be kept."""
        said = self.judgements.judge(edge, verdict, by or getpass.getuser())
        self._refresher.tell()
        return said

    def subscribe(self, listener: Callable[[Graph], None]) -> Callable[[], None]:
        return self._refresher.subscribe(lambda graph, _report: listener(graph))

    def start(self) -> None:
        self._started = True
        self._refresher.start()

    def refresh_now(self) -> None:
        self._refresher.refresh_now()

    def visit_once(self) -> Report:
        """Visit every service, one after the other, on this thread, until all that it has is read."""
        for collector in self._collectors:
            while self._refresher.visit(collector) and self._refresher.has_more(collector.name):
                pass
            collector.close()
        return self.report

    def stop(self) -> None:
        """End the collectors and close the index; waits for a request that is under way."""
        if self._started:
            self._refresher.stop()
        self._index.close()
        if self.trouble:
            self._instead.cleanup()


def reading_of(workspace: Workspace, services: Mapping[str, Service], instance: str = INSTANCE) -> Reading:
    """The reading of a workspace whose `services` stand behind a stack. Nothing is started."""

    def connection(name: str) -> Connection:
        return Connection(instance, _url(services[name]), _headers(services[name]))

    collectors: list[Collector] = [
        AirflowCollector(connection("airflow")),
        FestafCollector(connection("festaf")),
        MlflowCollector(connection("mlflow")),
        OpenLineageCollector(connection("festaf"), instance),  # the feature store's server keeps the inbox
    ]
    if workspace.services.feast is not None:
        collectors.append(feast_collector(workspace.services.feast, workspace.root, instance))
    return Reading(index_file(workspace), judgements_file(workspace), collectors)


def _url(service: Service) -> Callable[[], str | None]:
    return lambda: service.url


def _headers(service: Service) -> Callable[[], Mapping[str, str]]:
    def headers() -> Mapping[str, str]:
        login = service.login()
        return login.headers if login else {}

    return headers
