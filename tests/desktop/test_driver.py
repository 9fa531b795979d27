"""The driver with real pages: wherever it is sent, and however soon it is sent elsewhere, it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.web.driver import Driver
from e2e_ml.desktop.web.page import Page
from e2e_ml.desktop.web.profile import Connection
from tests.desktop.local_pages import Pages

WAIT = 60_000  # ms, on a machine with much else to do

Drive = Callable[[str], tuple[Driver, Page]]


@pytest.fixture
def drive(qtbot: QtBot, pages: Pages, tmp_path: Path) -> Iterator[Drive]:
    """A driver of the page of a service, and the page."""
    owner, made = QObject(), list[tuple[Page, Connection]]()

    def make(service: str) -> tuple[Driver, Page]:
        connection = Connection(service, "local", tmp_path / service, dark=False, parent=owner)
        connection.enter(pages.url, None)
        page = Page(connection, owner)
        made.append((page, connection))
        return Driver(page, connection, page), page

    yield make
    for page, connection in made:
        page.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        connection.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def arrives(qtbot: QtBot, driver: Driver, page: Page, path: str) -> None:
    """Its address is `path`, and the page that is there says so."""
    seen: list[object] = []

    def is_there() -> bool:
        page.runJavaScript("document.body ? document.body.innerText : ''", seen.append)
        return driver.path == path and bool(seen) and f"at {path}" in str(seen[-1])

    qtbot.waitUntil(is_there, timeout=WAIT)
    qtbot.waitUntil(lambda: not driver.driving, timeout=WAIT)
    assert is_there()


@pytest.mark.parametrize(
    ("service", "first", "second"),
    [
        ("mlflow", "/#/experiments", "/#/models/flight-delay"),
        ("airflow", "/dags", "/dags/train"),
        ("festaf", "/", "/views/hourly_weather"),
    ],
)
def test_a_second_way_that_is_asked_for_at_once_is_gone(
    qtbot: QtBot, drive: Drive, service: str, first: str, second: str
) -> None:
    driver, page = drive(service)
    driver.go(first)
    driver.go(second)
    arrives(qtbot, driver, page, second)


@pytest.mark.parametrize("pause", [0, 5, 40])
def test_a_page_that_is_fetched_anew_goes_to_the_last_that_was_asked_for(
    qtbot: QtBot, drive: Drive, pages: Pages, pause: int
) -> None:
    driver, page = drive("mlflow")
    driver.go("/#/experiments")
    arrives(qtbot, driver, page, "/#/experiments")
    before = len([path for path, _ in pages.requests if path == "/"])
    driver.forget()
    driver.go("/#/models/a")
    qtbot.wait(pause)
    driver.go("/#/models/b")
    arrives(qtbot, driver, page, "/#/models/b")
    assert len([path for path, _ in pages.requests if path == "/"]) > before
