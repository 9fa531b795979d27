"""The services panel shows each status as it comes and asks for what its buttons say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.panels.services import ServicesPanel
from e2e_ml.desktop.panels.signs import Tone
from e2e_ml.stack.service import State, Status
from tests.desktop.lifecycles import NOW
from tests.desktop.panels import desk

SINCE = NOW - timedelta(minutes=64)


@pytest.fixture
def panel(qtbot: QtBot) -> ServicesPanel:
    made = ServicesPanel(desk().appearance, clock=lambda: NOW)
    qtbot.addWidget(made)
    made.resize(420, 480)
    made.show()
    return made


def up(service: str = "airflow") -> Status:
    return Status(service, State.UP, SINCE, "It answers.", None, "http://127.0.0.1:38411", "3.3.2", (11, 12), ("line",))


def failed(service: str = "mlflow") -> Status:
    return Status(
        service, State.FAILED, SINCE, "It ended with code 1. Look at its log.", log_tail=("one", "two", "three")
    )


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_shape_and_a_word(panel: ServicesPanel, state: State) -> None:
    panel.update_status(Status("airflow", state, SINCE, "What is going on."))
    card = panel.cards["airflow"]
    assert card.state.text() == f"{state.value} for 1 h"
    assert "13:08:00 UTC" in card.state.toolTip()
    assert isinstance(card.mark.tone, Tone)


def test_a_healthy_service(panel: ServicesPanel) -> None:
    panel.update_status(up())
    card = panel.cards["airflow"]
    assert card.where.text() == "http://127.0.0.1:38411"
    assert "process 11, 12" in card.state.toolTip()
    assert card.version.text() == "3.3.2"
    assert card.stop.isVisible()
    assert not card.start.isVisible()
    assert not card.log.isVisible()


def test_a_failed_service_shows_its_last_lines_and_can_be_tried_again(panel: ServicesPanel) -> None:
    panel.update_status(failed())
    card = panel.cards["mlflow"]
    assert card.log.isVisible()
    assert card.log.toPlainText().splitlines() == ["one", "two", "three"]
    assert card.start.text() == "Try again"
    assert not card.stop.isVisible()


def test_an_attached_service_is_not_ours_to_stop(panel: ServicesPanel) -> None:
    panel.update_status(Status("airflow", State.UP, SINCE, "It answers.", url="https://airflow.example.com"))
    assert not panel.cards["airflow"].stop.isVisible()
    assert not panel.cards["airflow"].open_log.isVisible()


def test_buttons_ask(qtbot: QtBot, panel: ServicesPanel) -> None:
    panel.update_status(up())
    panel.update_status(failed())
    for signal, button, service in (
        (panel.stop_requested, panel.cards["airflow"].stop, "airflow"),
        (panel.start_requested, panel.cards["mlflow"].start, "mlflow"),
        (panel.open_log_requested, panel.cards["mlflow"].open_log, "mlflow"),
    ):
        with qtbot.waitSignal(signal) as asked:
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert asked.args == [service]


def test_cards_stand_in_the_order_of_the_panes(panel: ServicesPanel) -> None:
    for service in ("mlflow", "airflow", "festaf"):
        panel.update_status(up(service))
    QCoreApplication.processEvents()
    order = sorted(panel.cards, key=lambda name: panel.cards[name].y())
    assert order == ["airflow", "festaf", "mlflow"]


def test_progress_is_shown_while_it_starts(panel: ServicesPanel) -> None:
    panel.update_status(Status("airflow", State.STARTING, NOW, "Migrating its database.", 0.4))
    card = panel.cards["airflow"]
    assert card.progress.isVisible()
    assert card.progress.value() == 40
    assert card.state.text() == "starting"
    panel.update_status(up())
    assert not card.progress.isVisible()


def test_without_services_it_says_where_they_are_named(panel: ServicesPanel) -> None:
    assert panel.empty.isVisible()
    assert "workbench.yaml" in panel.empty.text()
    panel.update_status(up())
    assert not panel.empty.isVisible()
