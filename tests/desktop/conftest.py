"""Real widgets, real pages: an application without a screen, and a small server of pages on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if os.geteuid() == 0:  # the engine's sandbox cannot work as root; a person's run says so, tests just switch it off
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

import pytest
from pytestqt.qtbot import QtBot

from e2e_ml.desktop.web import driver
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph
from tests.desktop.local_pages import Pages
from tests.desktop.local_services import FixedReader, LocalStack


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as server:
        yield server


Open = Callable[[Graph], Workbench]


@pytest.fixture
def open_workbench(qtbot: QtBot, pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a workbench over a graph; its pages come from `pages`, its state is in `tmp_path`."""
    monkeypatch.setattr(driver, "SETTLE", 400)  # local pages redirect at once
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
        end(qtbot, workbench)


def end(qtbot: QtBot, workbench: Workbench) -> None:
    """End a workbench in the order of `app`: pages before profiles."""
    if not workbench.closed:
        workbench.window.hide()
        workbench.close()
        qtbot.wait(50)
        workbench.dispose()
