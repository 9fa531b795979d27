"""A page that shows no single thing: its view says so, quietly, and neither the focus nor the other views move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.breadcrumb import Breadcrumb, Remark
from e2e_ml.desktop.follow import PAUSE
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.web.view import WebView
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref, alias, feature, project, registered_model, source_column
from tests.desktop.lifecycles import CHAMPION, GUSTY, dag_ref, flights
from tests.desktop.local_services import FixedReader

Open = Callable[[Graph], Workbench]

WAIT = 60_000  # ms, on a machine with much else to do
DAG = dag_ref("festaf.flights.hourly_weather")


@pytest.fixture
def workbench(qtbot: QtBot, open_workbench: Open) -> Workbench:
    """With the focus on a feature, and every view led to it."""
    opened = open_workbench(flights())
    opened.window.resize(1600, 960)
    opened.start()
    for view in opened.window.web.values():
        qtbot.waitUntil(lambda view=view: view.showing_page, timeout=WAIT)
    look_at(qtbot, opened, GUSTY)
    qtbot.waitUntil(lambda: opened.window.web["airflow"].ref == DAG, timeout=WAIT)
    opened.window.canvas.lead("airflow")
    settle(qtbot, opened)
    return opened


def look_at(qtbot: QtBot, workbench: Workbench, ref: Ref) -> None:
    workbench.focus.set(ref, "test")
    settle(qtbot, workbench)


def settle(qtbot: QtBot, workbench: Workbench) -> None:
    qtbot.wait(PAUSE + 50)
    qtbot.waitUntil(lambda: not any(v.driver.driving for v in workbench.window.web.values()), timeout=WAIT)


def click(view: WebView, path: str) -> None:
    """What a click inside a single-page application does to the address."""
    view.driver.touched()
    view.page.runJavaScript(f"go({path!r})")


def said(view: WebView) -> str:
    """What is written beside the name of the page, in the words that it has room for."""
    remark = view.chrome.place.remark
    if remark is None:
        return ""
    assert view.chrome.place.findChildren(QWidget, "crumb")[-1].accessibleName() == remark.whole
    return remark.whole


def stray(qtbot: QtBot, view: WebView, path: str = "/connections") -> None:
    click(view, path)
    qtbot.waitUntil(lambda: view.driver.path == path and bool(said(view)), timeout=WAIT)


def places(workbench: Workbench) -> dict[str, str | None]:
    return {service: view.driver.path for service, view in workbench.window.web.items()}


def test_it_says_so_and_changes_nothing_until_the_page_is_known_again(qtbot: QtBot, workbench: Workbench) -> None:
    airflow = workbench.window.web["airflow"]
    moves: list[Ref] = []
    workbench.focus.changed.connect(lambda ref, _origin: moves.append(ref))
    before, where = places(workbench), (airflow.chrome.geometry(), airflow.engine.geometry())
    assert said(airflow) == ""
    stray(qtbot, airflow)
    assert airflow.chrome.place.text == "connections"
    assert "no single thing" in said(airflow)
    assert "the focus stays on gusty" in said(airflow)
    qtbot.wait(600)
    assert moves == []
    assert workbench.focus.current == GUSTY
    assert places(workbench) == {**before, "airflow": "/connections"}
    assert (airflow.chrome.geometry(), airflow.engine.geometry()) == where  # no jump
    assert [said(view) for service, view in workbench.window.web.items() if service != "airflow"] == ["", ""]
    assert not airflow.notice.isVisible()
    stray(qtbot, airflow, "/pools")
    assert airflow.chrome.place.text == "pools"
    click(airflow, "/dags/festaf.flights.carrier_delay")
    other = dag_ref("festaf.flights.carrier_delay")
    qtbot.waitUntil(lambda: workbench.focus.current == other, timeout=WAIT)
    assert said(airflow) == ""
    assert airflow.chrome.place.text == "festaf.flights.carrier_delay"


def test_the_way_back_of_the_page_is_no_way_to_another_thing(qtbot: QtBot, workbench: Workbench) -> None:
    airflow = workbench.window.web["airflow"]
    stray(qtbot, airflow)
    airflow.driver.touched()
    airflow.page.runJavaScript("history.back()")
    qtbot.waitUntil(lambda: airflow.ref == DAG and said(airflow) == "", timeout=WAIT)
    qtbot.wait(400)
    assert workbench.focus.current == GUSTY


@pytest.mark.parametrize("pinned", [False, True])
def test_a_click_on_it_leads_the_view_back_to_the_focus(qtbot: QtBot, workbench: Workbench, pinned: bool) -> None:
    airflow = workbench.window.web["airflow"]
    airflow.chrome.pin_button.setChecked(pinned)
    stray(qtbot, airflow)
    assert "Click to show gusty here again" in said(airflow)
    label = airflow.chrome.place.findChildren(QWidget, "crumb")[-1]
    qtbot.mouseClick(label, Qt.MouseButton.LeftButton, pos=QPoint(6, label.height() // 2))
    qtbot.waitUntil(lambda: airflow.ref == DAG and said(airflow) == "", timeout=WAIT)
    assert workbench.focus.current == GUSTY


def test_it_is_over_when_the_focus_moves(qtbot: QtBot, workbench: Workbench) -> None:
    airflow = workbench.window.web["airflow"]
    airflow.chrome.pin_button.setChecked(True)
    stray(qtbot, airflow)
    look_at(qtbot, workbench, feature("flights", "hourly_weather", "temp"))
    assert airflow.driver.path == "/connections"
    assert said(airflow) == ""


def test_news_do_not_lead_the_view_away(qtbot: QtBot, open_workbench: Open) -> None:
    opened = open_workbench(Lifecycle().graph)
    opened.start()
    airflow = opened.window.web["airflow"]
    qtbot.waitUntil(lambda: airflow.showing_page, timeout=WAIT)
    settle(qtbot, opened)
    stray(qtbot, airflow)
    assert said(airflow) == "This page shows no single thing of the lifecycle."  # there is no focus yet
    look_at(qtbot, opened, GUSTY)  # nothing is known of it yet, so no view is led
    stray(qtbot, airflow, "/pools")
    assert "gusty" in said(airflow)
    assert "Click" not in said(airflow)
    assert isinstance(opened.reader, FixedReader)
    opened.reader.replace(flights())
    qtbot.waitUntil(lambda: opened.window.web["mlflow"].ref == CHAMPION, timeout=WAIT)
    settle(qtbot, opened)
    assert airflow.driver.path == "/pools"


def test_where_we_lead_a_view_ourselves_nothing_is_said(qtbot: QtBot, open_workbench: Open) -> None:
    opened = open_workbench(Lifecycle().graph)
    opened.start()
    for view in opened.window.web.values():
        qtbot.waitUntil(lambda view=view: view.showing_page, timeout=WAIT)
    settle(qtbot, opened)
    qtbot.wait(400)
    assert [said(view) for view in opened.window.web.values()] == ["", "", ""]
    assert opened.window.web["airflow"].chrome.place.text == "dags"


def test_the_start_page_is_a_way_of_the_persons(qtbot: QtBot, workbench: Workbench) -> None:
    airflow, festaf = workbench.window.web["airflow"], workbench.window.web["festaf"]
    airflow.chrome.home.emit()
    qtbot.waitUntil(lambda: airflow.driver.path == "/dags" and "gusty" in said(airflow), timeout=WAIT)
    assert workbench.focus.current == GUSTY
    festaf.chrome.home.emit()
    qtbot.waitUntil(lambda: workbench.focus.current == project("flights"), timeout=WAIT)
    qtbot.waitUntil(lambda: festaf.ref == project("flights"), timeout=WAIT)
    assert said(airflow) == ""


@pytest.mark.parametrize(
    ("ref", "service", "page", "tab"),
    [
        (alias("local", "flight-delay", "champion"), "mlflow", "/#/models/flight-delay", "/#/models/flight-delay?x=1"),
        (source_column("flights", "a.csv", "temp"), "festaf", "/sources/a.csv", "/sources/a.csv#uses"),
    ],
)
def test_a_part_is_shown_by_what_holds_it_and_a_tab_there_keeps_the_focus(
    qtbot: QtBot, workbench: Workbench, ref: Ref, service: str, page: str, tab: str
) -> None:
    view = workbench.window.web[service]
    look_at(qtbot, workbench, ref)
    qtbot.waitUntil(lambda: view.driver.path == page, timeout=WAIT)
    settle(qtbot, workbench)
    click(view, tab)
    qtbot.waitUntil(lambda: view.driver.path == tab, timeout=WAIT)
    qtbot.wait(400)
    assert workbench.focus.current == ref
    click(view, "/#/models/another")
    if service == "mlflow":
        other = registered_model("local", "another")
        qtbot.waitUntil(lambda: workbench.focus.current == other, timeout=WAIT)


REMARK = Remark(
    ("shows no single thing; the focus stays on gusty", "focus stays on gusty", "focus stays"), "All of it."
)


@pytest.mark.parametrize(("width", "phrase"), [(700, 0), (260, 1), (190, 2), (120, 2)])
def test_it_says_as_much_as_there_is_room_for(qtbot: QtBot, width: int, phrase: int) -> None:
    place = Breadcrumb()
    qtbot.addWidget(place)
    place.resize(width, 30)
    place.show_text("connections", REMARK)
    place.show()
    label = place.findChildren(QWidget, "crumb")[-1]
    qtbot.waitUntil(lambda: label.property("text") == REMARK.phrases[phrase])
    place.grab()  # drawing an elided label is what tells its tooltip
    assert label.toolTip() == "All of it."
    assert label.geometry().right() < width
    assert place.text == "connections"


def test_in_a_narrow_pane_it_stands_alone(qtbot: QtBot, workbench: Workbench) -> None:
    airflow = workbench.window.web["airflow"]
    stray(qtbot, airflow)
    airflow.resize(300, airflow.height())
    assert airflow.chrome.place.text == ""
    assert "gusty" in said(airflow)
