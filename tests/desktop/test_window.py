"""The window as a person uses it: stages, palette, folding, themes, sessions; and bad states said in sentences."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from e2e_ml.desktop import actions, app, session
from e2e_ml.desktop.canvas import Layout
from e2e_ml.desktop.operations import Control, Operations
from e2e_ml.desktop.palette import entries
from e2e_ml.desktop.panels.explorer import UNREAD
from e2e_ml.desktop.stages import STAGES
from e2e_ml.desktop.theme import DARK
from e2e_ml.desktop.trouble import Trouble
from e2e_ml.desktop.window import Window
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind
from e2e_ml.stack.service import State
from e2e_ml.workspace import Workspace, WorkspaceError
from tests.desktop.conftest import end
from tests.desktop.lifecycles import CHAMPION, GUSTY, TRAIN_RUN, TRAIN_TASK, dag_ref, flights
from tests.desktop.local_services import FixedReader, LocalStack

Open = Callable[[Graph], Workbench]


def test_every_action_names_a_method_and_no_two_share_a_key() -> None:
    keys = [QKeySequence(action.shortcut).toString() for action in actions.ACTIONS if action.shortcut]
    assert len(keys) == len(set(keys))
    assert all(keys)
    assert len({action.id for action in actions.ACTIONS}) == len(actions.ACTIONS)
    for action in actions.ACTIONS:
        assert callable(getattr(Window, action.call)), action.id
        assert action.menu, action.id


def test_every_action_can_be_done(open_workbench: Open) -> None:
    window = open_workbench(flights()).window
    for action in actions.ACTIONS:
        if action.id not in ("quit", "view.outside"):  # one ends the test, one opens the tester's browser
            window.act(action)
    assert "Ctrl+K" in actions.markdown()


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_a_stage_shows_its_panels_and_its_leading_view(open_workbench: Open, stage: str) -> None:
    window = open_workbench(flights()).window
    window.rail.buttons[stage].click()
    value = next(s for s in STAGES if s.name == stage)
    assert window.explorer.stage == stage
    assert window.rail.buttons[stage].isChecked()
    if value.promise is None:
        assert window.middle.currentWidget() is window.canvas
        assert window.canvas.leading == value.leading
    else:
        assert window.middle.currentWidget() is window.promise
        assert window.promise.widget() is not None


def test_the_lineage_takes_the_middle_and_gives_it_back(qtbot: QtBot, open_workbench: Open) -> None:
    window = open_workbench(flights()).window
    window.inspector.expand_button.click()
    assert window.middle.currentWidget() is window.lineage
    window.lineage.bar.back.click()
    assert window.middle.currentWidget() is window.canvas
    window.toggle_lineage()
    window.lead("airflow")  # whoever asks for a view sees it
    assert window.middle.currentWidget() is window.canvas
    window.show_stage("Serving")
    window.toggle_lineage()
    window.toggle_lineage()
    assert window.middle.currentWidget() is window.promise


def test_a_tour_and_a_log_are_asked_for(qtbot: QtBot, open_workbench: Open) -> None:
    window = open_workbench(flights()).window
    tour = next(action for action in actions.ACTIONS if action.id == "tour")
    with qtbot.waitSignal(window.tour_requested):
        window.act(tour)
    window.toggle_services()
    with qtbot.waitSignal(window.services.closed):
        window.services.close_button.click()
    assert window.side.currentWidget() is window.inspector


def test_an_empty_list_is_no_news_before_its_service_was_read(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(graph_of())
    reader = workbench.reader
    assert isinstance(reader, FixedReader)
    reader.unread = {"festaf"}
    workbench.start()
    workbench.window.explorer.show_stage("Data")
    workbench.window.explorer.show_stage("Features")
    assert workbench.window.explorer.empty.text() == UNREAD
    reader.unread.clear()
    reader.replace(reader.graph())  # read, and nothing was there
    qtbot.waitUntil(lambda: workbench.window.explorer.empty.text().startswith("No features yet."))


def test_a_service_that_comes_up_is_read_at_once(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    reader, stack = workbench.reader, workbench.stack
    assert isinstance(reader, FixedReader)
    assert isinstance(stack, LocalStack)
    workbench.start()
    qtbot.waitUntil(lambda: reader.refreshed == len(stack.services))
    stack.tell("mlflow", State.UP)  # no news
    stack.tell("mlflow", State.FAILED)
    stack.tell("mlflow", State.UP)
    qtbot.waitUntil(lambda: reader.refreshed == len(stack.services) + 1)


def test_crumbs_call_a_dag_run_as_people_do(open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    workbench.focus.set(TRAIN_RUN, "test")
    assert workbench.window.top.place.text.startswith("flights.train / by asset ")
    workbench.focus.set(TRAIN_TASK, "test")
    assert re.fullmatch(r"flights\.train / by asset .* / train", workbench.window.top.place.text)


def test_the_palette_finds_and_goes(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    window = workbench.window
    window.show_palette()
    qtbot.keyClicks(window.palette_box.field, "gusty")
    assert window.palette_box.shown[0].target == GUSTY
    qtbot.keyClick(window.palette_box.field, Qt.Key.Key_Return)
    assert workbench.focus.current == GUSTY
    assert not window.palette_box.isVisible()
    window.show_palette()
    qtbot.keyClicks(window.palette_box.field, "delay_mean")
    assert window.palette_box.shown[0].title.startswith("delay_mean")
    window.show_palette()
    qtbot.keyClicks(window.palette_box.field, "zzzzzz")
    assert window.palette_box.shown == []
    assert not window.palette_box.nothing.isHidden()
    qtbot.keyClick(window.palette_box.field, Qt.Key.Key_Escape)
    assert not window.palette_box.isVisible()


def test_the_palette_offers_things_of_every_kind_and_actions() -> None:
    kinds = {entry.kind for entry in entries(flights(), actions.ACTIONS)}
    wanted = {Kind.FEATURE, Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE, Kind.DAG, Kind.RUN, Kind.MODEL_VERSION}
    assert {str(kind) for kind in wanted} | {"action"} <= kinds


def test_a_dag_or_a_model_chosen_in_a_panel_is_looked_at_in_its_owners_view(open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    canvas = workbench.window.canvas
    workbench.focus.set(dag_ref("flights.train"), "lineage")
    assert canvas.leading == "airflow"
    workbench.focus.set(CHAMPION, "lineage")
    assert canvas.leading == "mlflow"
    workbench.focus.set(GUSTY, "lineage")
    assert canvas.leading == "mlflow"  # a feature has a page in each
    assert workbench.window.top.place.text == "flights / hourly_weather / gusty"


def test_maximise_go_round_and_fold(qtbot: QtBot, open_workbench: Open) -> None:
    window = open_workbench(flights()).window
    window.resize(1600, 960)
    window.canvas.lead("airflow")
    window.toggle_maximised()
    assert [s for s, v in window.web.items() if v.isVisible()] == ["airflow"]
    window.next_view()
    assert [s for s, v in window.web.items() if v.isVisible()] == ["festaf"]
    window.toggle_maximised()
    assert all(view.isVisible() for view in window.web.values())
    before = window.canvas.width()
    window.toggle_inspector()
    qtbot.waitUntil(lambda: window.canvas.width() > before)
    window.toggle_services()
    assert window.services.isVisible()
    window.toggle_services()
    assert window.inspector.isVisible()


def test_the_window_is_as_it_was_left(qtbot: QtBot, open_workbench: Open, tmp_path: Path) -> None:
    first = open_workbench(flights())
    first.window.show_stage("Pipelines")
    first.focus.set(GUSTY, "test")
    first.window.canvas.set_layout(Layout.COLUMNS)
    first.window.canvas.lead("mlflow")
    first.window.web["mlflow"].zoom_by(2)
    first.window.web["airflow"].chrome.pin_button.setChecked(True)
    first.window.toggle_explorer()
    folded = first.window.explorer.isVisible()
    first.window.use_theme("dark")
    zoom = first.window.web["mlflow"].own_zoom
    end(qtbot, first)
    second = open_workbench(flights())
    window = second.window
    assert window.stage == "Pipelines"
    assert second.focus.current == GUSTY
    assert window.canvas.layout_kind is Layout.COLUMNS
    assert window.canvas.leading == "mlflow"
    assert window.web["mlflow"].own_zoom == zoom != 1.0
    assert window.web["airflow"].is_pinned
    assert window.explorer.isVisible() is folded
    assert second.appearance.theme is DARK
    window.use_theme("system")


@pytest.mark.parametrize("text", ["", "{", '{"version": 7}', '{"share": "wide"}', "\xff\x00"])
def test_a_damaged_session_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / session.FILE_NAME).write_text(text, encoding="latin-1")
    assert session.load(tmp_path) == session.Session()


def test_a_session_is_for_its_owner_alone(tmp_path: Path) -> None:
    session.save(tmp_path, session.Session(stage="Models"))
    assert session.load(tmp_path).stage == "Models"
    assert (tmp_path / session.FILE_NAME).stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == [session.FILE_NAME]


def test_the_theme_changes_while_the_window_is_open(open_workbench: Open) -> None:
    window = open_workbench(flights()).window
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    window.use_theme("dark")
    assert DARK.panel in application.styleSheet()
    assert "@" not in re.sub(r"/\*.*?\*/", "", application.styleSheet(), flags=re.DOTALL)  # every token has its value
    window.use_theme("light")
    assert DARK.panel not in application.styleSheet()
    window.use_theme("system")


def test_a_first_start_looks_at_a_feature(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(graph_of())
    workbench.start()
    assert workbench.focus.current is None
    workbench.reader.replace(flights())  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: workbench.focus.current is not None)
    assert workbench.focus.current is not None
    assert workbench.focus.current.kind is Kind.FEATURE


def test_an_invalid_workspace_is_said_in_a_window_and_can_be_mended(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "workbench.yaml"
    file.write_text("version: 1\nname: x\nservices: {mlflow: {url: ftp://nowhere}}\n", encoding="utf-8")
    with pytest.raises(WorkspaceError) as caught:
        Workspace.load(tmp_path)
    trouble = Trouble(caught.value, lambda: Workspace.load(tmp_path))
    qtbot.addWidget(trouble)
    assert trouble.file.text() == str(file)
    assert trouble.sentences.text().startswith("Line 3, services.mlflow.url\nThis is no URL with http:// or https://")
    trouble.try_again()
    assert trouble.workspace is None
    file.write_text("version: 1\nname: x\n", encoding="utf-8")
    trouble.try_again()
    assert trouble.workspace is not None
    assert trouble.workspace.name == "x"


@pytest.mark.parametrize(("root", "off"), [(True, True), (False, False)])
def test_the_sandbox_is_off_for_root_alone_and_that_is_said(root: bool, off: bool) -> None:
    environ: dict[str, str] = {"QTWEBENGINE_CHROMIUM_FLAGS": "--mine"}
    said: list[str] = []
    app.prepare_environment(environ, root=root, say=said.append)
    assert (environ.get("QTWEBENGINE_DISABLE_SANDBOX") == "1") is off
    assert bool(said) is off
    assert environ["QTWEBENGINE_CHROMIUM_FLAGS"].startswith("--mine ")
    assert "sandbox" not in environ["QTWEBENGINE_CHROMIUM_FLAGS"]


def test_operations_succeed_fail_report_and_are_cancelled(qtbot: QtBot) -> None:
    operations = Operations()
    heard: list[object] = []
    operations.run("Adding", lambda: 1 + 1).success(heard.append).start()
    qtbot.waitUntil(lambda: heard == [2])
    operations.run("Dividing", lambda: 1 // 0).failure(lambda error: heard.append(type(error))).start()
    qtbot.waitUntil(lambda: heard == [2, ZeroDivisionError])

    told: list[tuple[str, float | None]] = []

    def work(control: Control) -> str:
        control.report("half", 0.5)
        while not control.cancelled:
            pass
        return "never heard"

    operations.changed.connect(lambda: told.extend((o.text, o.fraction) for o in operations.running))
    running = operations.run_watched("Waiting", work).success(heard.append).start()
    qtbot.waitUntil(lambda: ("half", 0.5) in told)
    running.cancel()
    qtbot.waitUntil(lambda: not operations.running)
    assert heard == [2, ZeroDivisionError]
    assert operations.close()


class Listener(QObject):
    def __init__(self, heard: list[object]) -> None:
        super().__init__()
        self._heard = heard

    def hear(self, outcome: object) -> None:
        self._heard.append(outcome)


def test_who_is_gone_is_not_told(qtbot: QtBot) -> None:
    operations, heard = Operations(), list[object]()
    here, gone, begun = Listener(heard), Listener(heard), threading.Event()
    operations.run("Late", lambda: begun.wait(30)).success(gone.hear).start()
    operations.run("In vain", lambda: begun.wait(30) and 1 // 0).failure(gone.hear).start()
    delete(gone)
    begun.set()
    qtbot.waitUntil(lambda: not operations.running)
    operations.run("In time", lambda: 1).success(here.hear).start()
    qtbot.waitUntil(lambda: heard == [1])
    assert operations.close()


def test_a_window_may_close_while_a_panel_is_still_to_be_filled_in(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    workbench.window.toggle_loose_ends()
    assert not workbench.window.loose_ends.sections
    workbench.window.hide()
    workbench.close()
    qtbot.wait(200)  # what would be told to a widget that is gone is an error of the event loop, which fails the test
    workbench.dispose()
