"""The catalog in real Chromium: search as you type, tabs, wishes, trying a view, light and dark; and that its pages ask
nothing of any other host and have nothing to complain about."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from pytestqt.qtbot import QtBot

from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.festaf.wishes import Wishes
from tests.festaf_server import CatalogServer, run_server

WAIT = 60_000  # ms, on a machine with much else to do

DEFINITIONS = '''
from datetime import UTC, datetime, timedelta

from e2e_ml import festaf as fs


class Weather(fs.FeatureView):
    """Weather at the airport hour by hour."""

    source = fs.csv("weather.csv", timezone="UTC")
    owner = fs.Owner("weather-team", "weather@example.com")
    schedule = "@daily"
    start = datetime(2013, 1, 1, tzinfo=UTC)

    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()

    temp = fs.Float64().bounds(-40, 20).describe("Air temperature.")
    wind_speed = fs.Float64().required()
    freezing = temp <= 0
    wind_mean_6h = wind_speed.mean().over(timedelta(hours=6))


class AtTheGate(fs.OnDemandView):
    """What is known at the gate."""

    scheduled_hour = fs.Int32().request()
    is_night = (scheduled_hour < 6) | (scheduled_hour > 21)
    cold_night = is_night & Weather.freezing


class Delay(fs.FeatureService):
    """Will it be late?"""

    features = [Weather.temp, Weather.wind_mean_6h, AtTheGate.cold_night]
'''


class Asked(QWebEngineUrlRequestInterceptor):
    """Every address that a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[QUrl] = []

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:  # noqa: N802 - Qt's name
        self.urls.append(info.requestUrl())


class LoudPage(QWebEnginePage):
    """A page whose every word to the console is kept."""

    def __init__(self, profile: QWebEngineProfile, parent: QWebEngineView) -> None:
        super().__init__(profile, parent)
        self.said: list[str] = []

    def javaScriptConsoleMessage(  # noqa: N802 - Qt's name
        self, level: QWebEnginePage.JavaScriptConsoleMessageLevel, message: str, line: int, source: str
    ) -> None:
        self.said.append(f"{message} ({source}:{line})")


class Browser:
    """A view on the catalog, driven as a person does: by keys, clicks and what is to be seen."""

    def __init__(self, qtbot: QtBot, base: str) -> None:
        self._qtbot = qtbot
        self.base = base
        self.view = QWebEngineView()
        self.profile = QWebEngineProfile()  # off the record: nothing is left, nothing is known from before
        self.asked = Asked()
        self.profile.setUrlRequestInterceptor(self.asked)
        self.page = LoudPage(self.profile, self.view)
        self.view.setPage(self.page)
        self.view.resize(900, 800)
        self.view.show()
        qtbot.waitExposed(self.view)

    def open(self, path: str) -> None:
        with self._qtbot.waitSignal(self.page.loadFinished, timeout=WAIT):
            self.view.load(QUrl(self.base + path))
        self.wait("document.readyState === 'complete'")
        self.view.setFocus()

    def js(self, script: str) -> Any:
        told: list[Any] = []
        self.page.runJavaScript(script, 0, told.append)
        self._qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
        return told[0]

    def wait(self, condition: str) -> None:
        """Until a condition holds in the page, whichever page that is by then."""
        self._qtbot.waitUntil(lambda: self.js(f"Boolean({condition})") is True, timeout=WAIT)

    def text(self, selector: str) -> str:
        return str(self.js(f"document.querySelector({selector!r})?.innerText ?? ''"))

    def see(self, selector: str, text: str) -> None:
        """Until an element shows a text: keys and scripts reach the page by ways of their own."""
        self.wait(f"document.querySelector({selector!r})?.innerText.includes({text!r})")

    def type(self, text: str) -> None:
        target = self.view.focusProxy()
        assert target is not None
        QTest.keyClicks(target, text)

    def press(self, key: Qt.Key) -> None:
        target = self.view.focusProxy()
        assert target is not None
        QTest.keyClick(target, key)

    def path(self) -> str:
        return self.page.url().path()

    def close(self) -> None:
        # View, then page, then profile: an order that the engine insists on.
        self.view.hide()
        self.page.deleteLater()
        self.view.deleteLater()
        self._qtbot.wait(50)
        self.profile.deleteLater()
        self._qtbot.wait(50)


Open = Callable[[str], Browser]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogServer]:
    folder = tmp_path_factory.mktemp("catalog")
    project = folder / "airport"
    project.mkdir()
    (project / "features.py").write_text(DEFINITIONS)
    rows = [f"JFK,2013-01-{1 + h // 24:02}T{h % 24:02}:00:00,{h - 30},{h}" for h in range(48)]
    (project / "weather.csv").write_text("\n".join(["origin,observed_at,temp,wind_speed", *rows]) + "\n")
    store = FeatureStore.open(project, "airport")
    store.apply(store.plan(load_definitions(project)), by="ada")
    for day in (1, 2):
        store.load("weather", datetime(2013, 1, day, tzinfo=UTC), datetime(2013, 1, day + 1, tzinfo=UTC))
    running = run_server(project, folder / "log")
    yield running
    running.stop()


@pytest.fixture
def browse(qtbot: QtBot, catalog: CatalogServer) -> Iterator[Open]:
    """Open a page in a browser of its own. In the end: no other host was asked, and the console is empty."""
    opened: list[Browser] = []

    def open_(path: str) -> Browser:
        browser = Browser(qtbot, catalog.url)
        opened.append(browser)
        browser.open(path)
        return browser

    yield open_
    said = [line for browser in opened for line in browser.page.said]
    asked = {url.toString() for browser in opened for url in browser.asked.urls}
    for browser in opened:
        browser.close()
    assert said == []
    assert asked
    assert {url for url in asked if not url.startswith(catalog.url + "/")} == set()


def test_search_as_you_type_by_keyboard_alone(browse: Open) -> None:
    browser = browse("/")
    browser.type("/")
    browser.wait("document.activeElement.id === 'q'")
    browser.type("wind")
    browser.wait("document.querySelectorAll('#hits .hit').length === 2 && document.querySelector('#hits mark')")
    browser.see("#hits [aria-selected=true]", "weather.wind_speed")
    browser.press(Qt.Key.Key_Down)
    browser.see("#hits [aria-selected=true]", "weather.wind_mean_6h")
    browser.press(Qt.Key.Key_Down)
    browser.see("#hits [aria-selected=true]", "weather.wind_speed")  # behind the last comes the first
    browser.press(Qt.Key.Key_Escape)
    browser.wait("document.querySelector('#hits').hidden")
    browser.type("_m")
    browser.wait("document.querySelectorAll('#hits .hit').length === 1")
    browser.press(Qt.Key.Key_Return)
    browser.wait("location.pathname === '/views/weather/features/wind_mean_6h'")


def test_the_tabs_of_an_expression_by_keyboard_and_kept_for_the_next_page(browse: Open) -> None:
    browser = browse("/views/weather/features/freezing")
    shown = "[...document.querySelectorAll('[role=tabpanel]')].filter((p) => !p.hidden).map((p) => p.id).join()"
    assert browser.js(shown) == "as-python"
    browser.js("document.querySelector('#tab-python').focus()")
    browser.press(Qt.Key.Key_Left)
    browser.wait(f"{shown} === 'as-tree'")
    assert browser.js("document.activeElement.id") == "tab-tree"
    assert browser.js("document.querySelector('#as-tree svg').getBoundingClientRect().width") > 100
    browser.press(Qt.Key.Key_Home)
    browser.wait(f"{shown} === 'as-python'")
    browser.press(Qt.Key.Key_Right)
    browser.wait(f"{shown} !== 'as-python'")
    chosen = browser.js(shown)
    browser.open("/views/weather/features/wind_mean_6h")
    browser.wait(f"{shown} === {chosen!r}")


def test_a_wish_out_of_an_empty_search_and_a_vote_for_it(browse: Open, catalog: CatalogServer) -> None:
    browser = browse("/")
    browser.js("document.querySelector('#q').focus()")
    browser.type("zebra stripes")
    browser.wait("document.querySelector('#hits .wish')")
    browser.press(Qt.Key.Key_Return)
    browser.wait("location.pathname === '/wishes' && document.querySelector('#wish-name')")
    assert browser.js("document.querySelector('#wish-name').value") == "zebra stripes"
    browser.js("document.querySelector('#wish-why').focus()")
    browser.type("Zoos ask for it.")
    browser.wait("document.querySelector('#wish-why').value === 'Zoos ask for it.'")
    browser.js("document.querySelector('#wish-by').value = 'ada'")
    browser.js("document.querySelector('#new form').requestSubmit()")
    browser.wait("/^[/]wishes[/][0-9]+$/.test(location.pathname)")
    assert "zebra stripes" in browser.text("h1")
    assert "Zoos ask for it." in browser.text("main")
    browser.js("document.querySelector('#vote-by').value = 'grace'")
    browser.js("document.querySelector('#join').click()")
    browser.wait("document.querySelectorAll('main .rows .name').length === 2")
    (wish,) = Wishes(catalog.project).all()
    assert [(vote.by, vote.why) for vote in wish.votes] == [("ada", "Zoos ask for it."), ("grace", "")]
    browser.open("/wishes")
    browser.wait("document.querySelector('#wish-by').value === 'grace'")  # who wrote last writes again


def test_a_view_computed_when_asked_is_tried(browse: Open) -> None:
    browser = browse("/views/at_the_gate")
    assert browser.js("document.querySelectorAll('form.ask input, form.ask select').length") == 2
    browser.js("document.querySelector('[name=\"ask.origin\"]').value = 'JFK'")
    browser.js("document.querySelector('[name=\"ask.scheduled_hour\"]').focus()")
    browser.type("late")
    browser.press(Qt.Key.Key_Return)
    browser.wait("document.querySelector('.wrong')")
    assert browser.text(".wrong") == "Write a whole number."
    browser.js("document.querySelector('[name=\"ask.scheduled_hour\"]').select()")
    browser.js("document.querySelector('[name=\"ask.scheduled_hour\"]').focus()")
    browser.type("23")
    browser.press(Qt.Key.Key_Return)
    browser.wait("document.querySelector('table.answer')")
    rows = browser.js("[...document.querySelectorAll('table.answer tbody tr')].map((r) => r.innerText).join('; ')")
    assert rows == "at_the_gate.is_night\ttrue; at_the_gate.cold_night\tfalse"


PAGES = (
    "/", "/views/weather", "/views/weather/features/temp", "/views/weather/features/freezing", "/views/at_the_gate",
    "/services/delay", "/entities/origin", "/wishes", "/search?q=wind", "/search?q=nothing_like_it", "/views/nope",
    "/api",
)  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "width", "ground"), [("dark", 480, "rgb(23, 28, 35)"), ("light", 1100, "rgb(255, 255, 255)")]
)
def test_pages_fit_and_can_be_read(catalog: CatalogServer, scheme: str, width: int, ground: str) -> None:
    command = [sys.executable, "-m", "tests.desktop.page_facts", scheme, str(width), *(catalog.url + p for p in PAGES)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    facts = dict(zip(PAGES, json.loads(told.stdout), strict=True))
    assert {(each["dark"], each["ground"]) for each in facts.values()} == {(scheme == "dark", ground)}
    assert {path: each["needs"] for path, each in facts.items() if each["needs"] > each["width"]} == {}
    assert {path: each["faint"] for path, each in facts.items() if each["faint"]} == {}


def test_every_control_has_a_name(browse: Open) -> None:
    browser = browse("/views/weather")
    nameless = (
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]"
        ".filter((e) => !(e.innerText?.trim() || e.labels?.length || e.title || e.ariaLabel))"
        ".map((e) => e.outerHTML).join()"
    )
    for path in ("/views/weather", "/views/at_the_gate", "/wishes", "/views/weather/features/temp"):
        browser.open(path)
        assert browser.js(nameless) == ""
