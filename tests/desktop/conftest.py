"""Real widgets, real pages: an application without a screen, and a small server of pages on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if os.geteuid() == 0:  # the engine's sandbox cannot work as root; a person's run says so, tests just switch it off
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph
from e2e_ml.stack.service import Listener, Login, State, Status
from tests.desktop.pages import Pages


@pytest.fixture(scope="session")
def qapp_cls() -> type[QApplication]:
    return QApplication


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as server:
        yield server


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

    def graph(self) -> Graph:
        return self._graph

    def read_at(self) -> datetime | None:
        return datetime.now(UTC)

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


Open = Callable[[Graph], Workbench]


@pytest.fixture
def open_workbench(qtbot: QtBot, pages: Pages, tmp_path: Path) -> Iterator[Open]:
    """Open a workbench over a graph; its pages come from `pages`, its state is in `tmp_path`."""
    opened: list[Workbench] = []

    def open_(graph: Graph) -> Workbench:
        stack = LocalStack(dict.fromkeys(("airflow", "festaf", "mlflow"), pages.url))
        instances = {"airflow": "local", "festaf": "flights", "mlflow": "local"}
        workbench = Workbench(
            "flights", tmp_path, stack, FixedReader(graph), instances, questions.counterparts, questions.lookup
        )
        opened.append(workbench)
        workbench.open()
        return workbench

    yield open_
    for workbench in opened:
        close(qtbot, workbench)


def close(qtbot: QtBot, workbench: Workbench) -> None:
    """End a workbench in the order of `app`: pages before profiles."""
    if not workbench.closed:
        workbench.window.hide()
        workbench.close()
        qtbot.wait(50)
        workbench.dispose()
