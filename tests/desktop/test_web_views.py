"""Web views with real pages: state, login, driving, crashes; and the focus both ways, without echoes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtWebEngineCore import QWebEnginePage
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.follow import PAUSE
from e2e_ml.desktop.web.policy import origin
from e2e_ml.desktop.web.view import WebView
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Ref, dag_run, feature, feature_view, source
from e2e_ml.stack.service import Login, State
from tests.desktop.lifecycles import CHAMPION, GUSTY, dag_ref, flights, plus
from tests.desktop.local_pages import Pages
from tests.desktop.local_services import FixedReader, LocalStack

Open = Callable[[Graph], Workbench]

WAIT = 60_000  # ms, on a machine with much else to do
DAG = dag_ref("festaf.flights.hourly_weather")


def start(qtbot: QtBot, workbench: Workbench) -> None:
    """Bring the local services up and wait until each view shows its page."""
    workbench.start()
    for view in workbench.window.web.values():
        qtbot.waitUntil(lambda view=view: view.showing_page, timeout=WAIT)
    settle(qtbot, workbench)


def settle(qtbot: QtBot, workbench: Workbench) -> None:
    qtbot.wait(PAUSE + 50)
    qtbot.waitUntil(lambda: not any(v.driver.driving for v in workbench.window.web.values()), timeout=WAIT)


def click(view: WebView, path: str) -> None:
    """What a click inside a single-page application does to the address."""
    view.driver.touched()
    view.page.runJavaScript(f"go({path!r})")


def is_at(view: WebView, ref: Ref) -> bool:
    return view.ref == ref


def test_choosing_a_feature_turns_every_view_to_it(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    workbench.focus.set(GUSTY, "test")
    web = workbench.window.web
    qtbot.waitUntil(lambda: is_at(web["festaf"], GUSTY) and is_at(web["airflow"], DAG), timeout=WAIT)
    qtbot.waitUntil(lambda: web["mlflow"].ref is not None, timeout=WAIT)
    mlflow = web["mlflow"].ref
    assert mlflow is not None
    assert mlflow.keys == ("flight-delay", "3")  # the champion
    texts: list[str] = []
    web["airflow"].dom_text(texts.append)
    qtbot.waitUntil(lambda: bool(texts), timeout=WAIT)
    assert "at /dags/festaf.flights.hourly_weather" in texts[0]


def test_what_is_chosen_before_the_services_are_up_is_shown_once_they_are(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    workbench.focus.set(GUSTY, "test")
    start(qtbot, workbench)
    web = workbench.window.web
    qtbot.waitUntil(lambda: is_at(web["festaf"], GUSTY) and is_at(web["airflow"], DAG), timeout=WAIT)


def test_a_first_reading_that_goes_on_leads_a_view_again_and_later_news_do_not(
    qtbot: QtBot, open_workbench: Open
) -> None:
    workbench = open_workbench(flights())
    reader, airflow = workbench.reader, workbench.window.web["airflow"]
    assert isinstance(reader, FixedReader)
    reader.unread = {"airflow"}
    start(qtbot, workbench)
    weather, fetch = source("flights", "weather"), dag_ref("flights.fetch")
    workbench.focus.set(weather, "test")
    qtbot.waitUntil(lambda: is_at(airflow, DAG), timeout=WAIT)  # what reads it is all that is known
    reader.unread.clear()
    reader.replace(plus([Node(fetch)], [Edge(fetch, weather, Relation.PRODUCES, Evidence.OBSERVED, "it wrote it")]))
    qtbot.waitUntil(lambda: is_at(airflow, fetch), timeout=WAIT)
    settle(qtbot, workbench)
    reader.replace(flights())
    qtbot.wait(1000)
    assert is_at(airflow, fetch)


def test_a_click_in_a_page_moves_the_focus_and_the_others_but_not_the_page_itself(
    qtbot: QtBot, open_workbench: Open, pages: Pages
) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    web = workbench.window.web
    moves: list[tuple[Ref, str]] = []
    workbench.focus.changed.connect(lambda ref, origin: moves.append((ref, origin)))
    click(web["airflow"], "/dags/festaf.flights.carrier_delay/code")
    other = dag_ref("festaf.flights.carrier_delay")
    qtbot.waitUntil(lambda: workbench.focus.current == other, timeout=WAIT)
    carrier = feature_view("flights", "carrier_delay")
    qtbot.waitUntil(lambda: is_at(web["festaf"], carrier), timeout=WAIT)
    settle(qtbot, workbench)
    qtbot.wait(1000)
    assert moves == [(other, "airflow")]  # no echo from the views that were turned
    assert web["airflow"].driver.path == "/dags/festaf.flights.carrier_delay/code"  # its tab was not lost


def test_a_redirect_of_our_own_way_does_not_move_the_focus(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    moved = feature_view("flights", "moved")  # the server sends it elsewhere
    workbench.focus.set(moved, "test")
    festaf = workbench.window.web["festaf"]
    qtbot.waitUntil(lambda: is_at(festaf, feature_view("flights", "elsewhere")), timeout=WAIT)
    qtbot.wait(1000)
    assert workbench.focus.current == moved


def test_a_pinned_view_stays_and_follows_again_when_it_is_let_go(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    web = workbench.window.web
    before = web["airflow"].driver.path
    web["airflow"].chrome.pin_button.setChecked(True)
    workbench.focus.set(GUSTY, "test")
    qtbot.waitUntil(lambda: is_at(web["festaf"], GUSTY), timeout=WAIT)
    settle(qtbot, workbench)
    assert web["airflow"].driver.path == before
    web["airflow"].chrome.pin_button.setChecked(False)
    qtbot.waitUntil(lambda: is_at(web["airflow"], DAG), timeout=WAIT)


def test_back_and_forward_of_the_focus_lead_the_views(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    festaf = workbench.window.web["festaf"]
    other = feature("flights", "hourly_weather", "temp")
    workbench.focus.set(GUSTY, "test")
    workbench.focus.set(other, "test")
    qtbot.waitUntil(lambda: is_at(festaf, other), timeout=WAIT)
    workbench.window.focus_back()
    qtbot.waitUntil(lambda: is_at(festaf, GUSTY), timeout=WAIT)
    workbench.window.focus_forward()
    qtbot.waitUntil(lambda: is_at(festaf, other), timeout=WAIT)


def test_a_view_says_how_its_service_is_until_it_is_up_and_when_it_dies(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(graph_of())
    airflow = workbench.window.web["airflow"]
    assert isinstance(workbench.stack, LocalStack)
    stack = workbench.stack
    start(qtbot, workbench)
    stack.tell("airflow", State.FAILED, "The scheduler ended with code 1. Look at its log.", ("line one", "line two"))
    qtbot.waitUntil(lambda: not airflow.showing_page, timeout=WAIT)
    assert airflow.placeholder.headline.text() == "Airflow has failed"
    assert "scheduler ended" in airflow.placeholder.sentence.text()
    assert "line two" in airflow.placeholder.log_text
    assert not airflow.placeholder.button.isHidden()
    airflow.placeholder.button.click()
    qtbot.waitUntil(lambda: stack.services["airflow"].started == 1, timeout=WAIT)
    stack.tell("airflow", State.UP)
    qtbot.waitUntil(lambda: airflow.showing_page, timeout=WAIT)


def test_a_crashed_page_is_friendly_and_comes_back(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(graph_of())
    start(qtbot, workbench)
    festaf = workbench.window.web["festaf"]
    status = QWebEnginePage.RenderProcessTerminationStatus
    festaf.page.renderProcessTerminated.emit(status.NormalTerminationStatus, 0)  # a discarded page is no crash
    assert festaf.showing_page
    festaf.page.renderProcessTerminated.emit(status.CrashedTerminationStatus, 9)
    assert not festaf.showing_page
    assert "crashed" in festaf.placeholder.headline.text()
    festaf.placeholder.button.click()
    qtbot.waitUntil(lambda: festaf.showing_page, timeout=WAIT)


def test_cookies_of_the_login_are_there_with_the_first_request(
    qtbot: QtBot, open_workbench: Open, pages: Pages
) -> None:
    workbench = open_workbench(graph_of())
    assert isinstance(workbench.stack, LocalStack)
    workbench.stack.services["airflow"].login_answer = Login({}, {"_token": "abc"})
    start(qtbot, workbench)
    first = next(headers for path, headers in pages.requests if path == "/dags")
    assert "_token=abc" in first.get("Cookie", "")
    # Another view on the same host does not see them: cookies ignore ports, profiles do not.
    others = [headers for path, headers in pages.requests if path == "/"]
    assert others
    assert all("_token" not in headers.get("Cookie", "") for headers in others)


def test_a_password_is_given_to_its_own_origin(qtbot: QtBot, open_workbench: Open, pages: Pages) -> None:
    pages.password = ("ada", "secret")
    workbench = open_workbench(graph_of())
    assert isinstance(workbench.stack, LocalStack)
    stack = workbench.stack
    stack.services["mlflow"].login_answer = Login({}, {}, basic=("ada", "secret"))
    stack.services["airflow"].login_answer = Login({}, {}, basic=("ada", "wrong"))
    workbench.start()
    web = workbench.window.web
    qtbot.waitUntil(lambda: web["mlflow"].showing_page, timeout=WAIT)
    qtbot.waitUntil(lambda: "did not accept" in web["airflow"].placeholder.headline.text(), timeout=WAIT)


def test_a_password_that_a_busy_service_refused_once_is_given_again(
    qtbot: QtBot, open_workbench: Open, pages: Pages
) -> None:
    pages.password, pages.refusals = ("ada", "secret"), 1
    workbench = open_workbench(graph_of())
    assert isinstance(workbench.stack, LocalStack)
    workbench.stack.services["mlflow"].login_answer = Login({}, {}, basic=("ada", "secret"))
    workbench.start()
    mlflow = workbench.window.web["mlflow"]
    qtbot.waitUntil(lambda: mlflow.showing_page, timeout=WAIT)
    assert pages.refusals == 0


def test_a_link_to_another_host_is_offered_and_not_followed(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(graph_of())
    start(qtbot, workbench)
    festaf = workbench.window.web["festaf"]
    before = festaf.page.url()
    festaf.page.runJavaScript("document.getElementById('away').click()")
    qtbot.waitUntil(lambda: festaf.notice.isVisible(), timeout=WAIT)
    assert "example.invalid" in festaf.notice.text.text()
    assert festaf.page.url() == before


def test_a_link_to_another_service_of_ours_is_shown_by_its_own_view(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    festaf = workbench.window.web["festaf"]
    other = "http://127.0.0.1:9"  # the local pages of a test share one origin; here Airflow has one of its own
    workbench.connections["airflow"].own = origin(other)
    festaf.page.runJavaScript(
        f"document.getElementById('away').href = '{other}/dags/festaf.flights.plane/runs/scheduled__1';"
        "document.getElementById('away').click()"
    )
    wanted = dag_run("local", "festaf.flights.plane", "scheduled__1")
    qtbot.waitUntil(lambda: workbench.focus.current == wanted, timeout=WAIT)
    assert not festaf.notice.isVisible()


@pytest.mark.parametrize("service", ["airflow", "mlflow"])
def test_pages_begin_in_the_theme_of_the_window(qtbot: QtBot, open_workbench: Open, service: str) -> None:
    workbench = open_workbench(graph_of())
    workbench.window.use_theme("dark")
    start(qtbot, workbench)
    key, dark, light = {
        "airflow": ("theme", "dark", "light"),
        "mlflow": ("_mlflow_dark_mode_toggle_enabled", "true", "false"),
    }[service]

    def stored() -> str:
        told: list[object] = []
        view = workbench.window.web[service]
        view.page.runJavaScript(f"localStorage.getItem({key!r})", told.append)
        qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
        return str(told[0])

    assert stored() == dark
    workbench.window.use_theme("light")
    qtbot.waitUntil(lambda: stored() == light, timeout=WAIT)


def test_an_address_that_changes_late_by_itself_does_not_move_the_focus(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    start(qtbot, workbench)
    airflow = workbench.window.web["airflow"]
    workbench.focus.set(GUSTY, "test")
    qtbot.waitUntil(lambda: is_at(airflow, DAG), timeout=WAIT)
    settle(qtbot, workbench)
    airflow.page.runJavaScript("go('/dags/festaf.flights.plane?run_after_lte=1')")  # nobody has touched the page
    qtbot.waitUntil(lambda: airflow.ref == dag_ref("festaf.flights.plane"), timeout=WAIT)
    qtbot.wait(600)
    assert workbench.focus.current == GUSTY


def test_a_page_named_by_a_fragment_comes_back_with_its_service(
    qtbot: QtBot, open_workbench: Open, pages: Pages
) -> None:
    workbench = open_workbench(flights())
    assert isinstance(workbench.stack, LocalStack)
    start(qtbot, workbench)
    mlflow = workbench.window.web["mlflow"]
    workbench.focus.set(CHAMPION, "test")
    qtbot.waitUntil(lambda: is_at(mlflow, CHAMPION), timeout=WAIT)
    settle(qtbot, workbench)
    before = len(pages.requests)
    workbench.stack.tell("mlflow", State.FAILED)
    qtbot.waitUntil(lambda: not mlflow.showing_page, timeout=WAIT)
    workbench.stack.tell("mlflow", State.UP)
    qtbot.waitUntil(lambda: mlflow.showing_page, timeout=WAIT)
    assert is_at(mlflow, CHAMPION)
    assert len(pages.requests) > before  # it was fetched, not only shown again
