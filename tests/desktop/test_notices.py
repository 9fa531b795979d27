"""What stays in sight when something has gone wrong: the lines under the top bar, and what takes them away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from e2e_ml.desktop import session
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.notices import Notices
from e2e_ml.desktop.trouble import Trouble
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.festaf import DefinitionError
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.lineage.graph import Graph
from e2e_ml.stack.reading import Reading
from e2e_ml.stack.service import State
from e2e_ml.workspace import Workspace
from tests.desktop.lifecycles import flights
from tests.desktop.local_services import LocalStack

Open = Callable[[Graph], Workbench]
DIED = "mlflow was ended by signal 9: start it again."


def test_a_notice_stays_until_it_is_dismissed_and_comes_back_with_other_words(qtbot: QtBot) -> None:
    notices = Notices(Appearance())
    qtbot.addWidget(notices)
    notices.tell("demo", "The demo stopped", "Correct it.")
    notices.tell("demo", "The demo stopped", "Correct it.")
    line = notices.lines["demo"]
    assert (line.text.text(), line.button.isHidden(), notices.isHidden()) == ("Correct it.", True, False)

    qtbot.mouseClick(line.dismiss, Qt.MouseButton.LeftButton)
    assert notices.isHidden()
    notices.tell("demo", "The demo stopped", "Correct it.")
    assert not notices.lines
    notices.tell("demo", "The demo stopped", "Something else.")
    assert notices.lines["demo"].sentence == "Something else."


def test_the_button_of_a_notice_acts_and_takes_it_away(qtbot: QtBot) -> None:
    notices = Notices(Appearance())
    qtbot.addWidget(notices)
    acted: list[str] = []
    notices.tell("demo", "The demo stopped", "Correct it.", "Go on", lambda: acted.append("go"))
    qtbot.mouseClick(notices.lines["demo"].button, Qt.MouseButton.LeftButton)
    assert acted == ["go"]
    assert not notices.lines
    notices.take_back("demo")  # it was tried again: the same failure is news again
    notices.tell("demo", "The demo stopped", "Correct it.")
    assert "demo" in notices.lines


def test_a_service_that_dies_is_told_wherever_a_person_looks_and_starts_again(
    qtbot: QtBot, open_workbench: Open
) -> None:
    workbench = open_workbench(flights())
    workbench.start()
    stack, window = workbench.stack, workbench.window
    assert isinstance(stack, LocalStack)
    window.show_stage("Serving")  # no web view is in sight here
    stack.tell("mlflow", State.FAILED, DIED, ("its last line",))
    qtbot.waitUntil(lambda: "mlflow" in window.notices.lines)
    line = window.notices.lines["mlflow"]
    assert (line.headline, line.text.text(), line.isVisible()) == ("MLflow has failed", DIED, True)
    assert window.web["mlflow"].placeholder.sentence.text() == DIED
    assert window.web["mlflow"].placeholder.log_text == "its last line"

    started = stack.services["mlflow"].started
    qtbot.mouseClick(line.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: stack.services["mlflow"].started == started + 1)
    stack.tell("mlflow", State.UP)
    qtbot.waitUntil(lambda: not window.notices.lines)


def test_a_service_that_comes_up_again_takes_its_line_back(qtbot: QtBot, open_workbench: Open) -> None:
    workbench = open_workbench(flights())
    workbench.start()
    stack, notices = workbench.stack, workbench.window.notices
    assert isinstance(stack, LocalStack)
    stack.tell("airflow", State.FAILED, DIED)
    qtbot.waitUntil(lambda: "airflow" in notices.lines)
    stack.tell("airflow", State.UP)
    qtbot.waitUntil(lambda: "airflow" not in notices.lines)


def test_a_layout_that_cannot_be_kept_is_said_and_ends_nothing(open_workbench: Open, tmp_path: Path) -> None:
    workbench = open_workbench(flights())
    (tmp_path / session.FILE_NAME).unlink(missing_ok=True)
    (tmp_path / session.FILE_NAME).mkdir()
    workbench.save()
    assert str(tmp_path) in workbench.window.notices.lines["session"].sentence
    assert list((tmp_path / session.FILE_NAME).parent.glob(f".{session.FILE_NAME}.*")) == []


def test_an_index_that_cannot_be_used_is_kept_elsewhere_for_now(tmp_path: Path) -> None:
    (tmp_path / "lineage.sqlite").mkdir()
    opened = Reading(tmp_path / "lineage.sqlite", tmp_path / "judgements.jsonl", [])
    try:
        assert str(tmp_path / "lineage.sqlite") in opened.trouble
        assert len(opened.graph()) == 0
    finally:
        opened.stop()


def test_a_broken_definition_is_said_in_a_window_with_its_line(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "features.py"
    good = (
        "from e2e_ml import festaf as fs\n\n\nclass Station(fs.FeatureView):\n    source = fs.csv('s.csv')\n"
        "    station = fs.Entity(fs.String())\n    temp = fs.Float64()\n"
    )
    file.write_text(good + "    warm = temp.contains('x')\n", encoding="utf-8")

    def again() -> Workspace:
        load_definitions(tmp_path)
        return Workspace.create(tmp_path)

    with pytest.raises(DefinitionError) as caught:
        again()
    trouble = Trouble(caught.value, again)
    qtbot.addWidget(trouble)
    assert trouble.file.text() == str(file)
    assert trouble.sentences.text().startswith("Line 8, Station.warm\nA Float64 has no contains. It has: ")
    trouble.try_again()
    assert trouble.workspace is None
    file.write_text(good, encoding="utf-8")
    trouble.try_again()
    assert trouble.workspace is not None
