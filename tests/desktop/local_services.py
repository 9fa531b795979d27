"""A stack and a reader that a test holds in its hands; the pages are served by `local_pages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from e2e_ml.lineage.graph import Graph
from e2e_ml.stack.service import Listener, Login, State, Status


class LocalService:
    """A service whose pages a test serves, and whose state a test sets."""

    managed = True

    def __init__(self, name: str, title: str, url: str) -> None:
        self.name, self.title, self.url = name, title, url
        self.login_answer: Login | None = None
        self.started = 0
        self._status = self.in_state(State.STOPPED)

    def in_state(self, state: State, sentence: str = "", log_tail: tuple[str, ...] = ()) -> Status:
        return Status(
            self.name,
            state,
            datetime.now(UTC),
            sentence or f"{self.title} is {state.value}.",
            url=self.url,
            version="1.2.3",
            log_tail=log_tail,
        )

    def status(self) -> Status:
        return self._status

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        pass

    def login(self) -> Login | None:
        return self.login_answer


class LocalStack:
    def __init__(self, urls: Mapping[str, str]) -> None:
        titles = {"airflow": "Airflow", "festaf": "Feature store", "mlflow": "MLflow"}
        self.services = {name: LocalService(name, titles[name], url) for name, url in urls.items()}
        self.listeners: list[Listener] = []

    def start(self) -> None:
        for name in self.services:
            self.tell(name, State.UP)

    def stop(self) -> None:
        pass

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tell(self, name: str, state: State, sentence: str = "", log_tail: tuple[str, ...] = ()) -> None:
        service = self.services[name]
        service._status = service.in_state(state, sentence, log_tail)
        for listener in list(self.listeners):
            listener(service.status())


class FixedReader:
    """A reader whose graph a test replaces."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._listeners: list[Callable[[Graph], None]] = []
        self.refreshed = 0
        self.unread: set[str] = set()

    def graph(self) -> Graph:
        return self._graph

    def read_at(self) -> datetime | None:
        return datetime.now(UTC)

    def has_read(self, service: str) -> bool:
        return service not in self.unread

    def subscribe(self, listener: Callable[[Graph], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self) -> None:
        pass

    def refresh_now(self) -> None:
        self.refreshed += 1

    def stop(self) -> None:
        pass

    def replace(self, graph: Graph) -> None:
        self._graph = graph
        for listener in list(self._listeners):
            listener(graph)
