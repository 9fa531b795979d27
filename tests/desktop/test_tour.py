"""The guided tour on real widgets and local pages: what it says, and that it fails for what is not on screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSize
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.tour import evidence, gallery, player
from e2e_ml.desktop.tour.callout import MARGIN, Callout, place
from e2e_ml.desktop.tour.guide import guide
from e2e_ml.desktop.tour.player import Player, TourError
from e2e_ml.desktop.tour.story import (
    Enlarge,
    Expectation,
    ExplorerShows,
    FocusIs,
    Follow,
    InspectorSays,
    LineageDraws,
    NotReadyError,
    PageSays,
    PaletteOffers,
    Search,
    Step,
    tell,
)
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.index.given import graph_of
from tests.desktop.lifecycles import flights

Open = Callable[[Graph], Workbench]
VIEW = refs.feature_view("flights", "hourly_weather")
GUSTY = refs.feature("flights", "hourly_weather", "gusty")
FREEZING = refs.feature("flights", "hourly_weather", "is_freezing")
SERVICE = refs.feature_service("flights", "flight_delay")
FIRST = Step(
    "first", "A view", "Its page.", "festaf", "Features",
    (PageSays("festaf", ("at /views/hourly_weather",)), ExplorerShows(VIEW), InspectorSays(("hourly_weather", "Who"))),
    focus=VIEW,
)  # fmt: skip
LINEAGE = Step("second", "Its lineage", "Drawn.", "lineage", "Features", (LineageDraws((GUSTY, SERVICE)),), focus=GUSTY)
LARGE = replace(LINEAGE, name="large", act=Enlarge())
CLICK = Step(
    "third", "A click", "In the page.", "festaf", "Features", (FocusIs(FREEZING), ExplorerShows(FREEZING)),
    focus=VIEW, act=Follow("festaf", "/features/is_freezing"),
)  # fmt: skip
PALETTE = Step(
    "fourth", "By name", "Found.", "palette", "Features", (PaletteOffers(GUSTY),), focus=GUSTY, act=Search("gusty")
)


@pytest.fixture
def workbench(open_workbench: Open) -> Workbench:
    opened = open_workbench(flights())
    opened.start()
    return opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "LOOK_EVERY", 30)
    monkeypatch.setattr(player, "STEADY", 2)
    monkeypatch.setattr(player, "WITHIN", 20_000)


def played(qtbot: QtBot, workbench: Workbench, steps: list[Step], folder: Path) -> TourError | None:
    tour = Player(workbench, steps, folder)
    with qtbot.waitSignal(tour.finished, timeout=60_000) as ended:
        tour.start()
    (error,) = ended.args or (None,)
    return error


def test_a_tour_that_is_seen_is_pictured(qtbot: QtBot, workbench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert played(qtbot, workbench, [FIRST, LINEAGE, LARGE, CLICK, PALETTE], folder) is None
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["01-first.png", "02-second.png", "03-large.png", "04-third.png", "05-fourth.png", "index.html"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in names[:-1])


@pytest.mark.parametrize(
    ("expected", "missing"),
    [
        (PageSays("festaf", ("at /views/hourly_weather", "no such words")), "'no such words' on the page of"),
        (InspectorSays(("no such words",)), "'no such words' in the inspector"),
        (ExplorerShows(SERVICE), f"{SERVICE} in the explorer"),
        (LineageDraws((GUSTY, refs.run("local", "none"))), "mlflow://local/runs/none in the lineage"),
        (PaletteOffers(GUSTY), f"{GUSTY} in the palette"),
        (FocusIs(GUSTY), f"the focus on {GUSTY}"),
    ],
)
def test_what_is_not_on_screen_fails_the_tour(
    qtbot: QtBot,
    workbench: Workbench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expected: Expectation,
    missing: str,
) -> None:
    monkeypatch.setattr(player, "WITHIN", 1500)
    error = played(qtbot, workbench, [replace(FIRST, expects=(expected,)), LINEAGE], tmp_path)
    assert missing in str(error)
    assert "“A view”" in str(error)
    assert (tmp_path / "failed.png").exists()
    assert not (tmp_path / "index.html").exists()


def test_a_link_that_is_not_there_fails_the_tour(
    qtbot: QtBot, workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "WITHIN", 1500)
    error = played(qtbot, workbench, [replace(CLICK, act=Follow("festaf", "/nowhere"))], tmp_path)
    assert "a link to /nowhere" in str(error)


def test_a_person_goes_on_and_back(qtbot: QtBot, workbench: Workbench) -> None:
    tour = Player(workbench, [FIRST, LINEAGE])
    tour.start()
    callout = workbench.window.findChild(Callout)
    assert callout is not None
    callout.next_requested.emit()
    assert tour.step is LINEAGE
    assert workbench.focus.current == GUSTY
    callout.back_requested.emit()
    callout.back_requested.emit()
    assert tour.step is FIRST
    callout.next_requested.emit()
    with qtbot.waitSignal(tour.finished) as ended:
        callout.next_requested.emit()
    assert ended.args == [None]
    assert not callout.isVisible()


ROOM = QRect(0, 0, 1600, 960)
BUBBLE = QSize(344, 170)


@pytest.mark.parametrize(
    ("anchor", "where"),
    [
        (QRect(80, 40, 250, 900), QPoint(80 + 249 + MARGIN, 939 - 170 - 8)),  # right of the explorer, low
        (QRect(1250, 40, 350, 900), QPoint(1250 - MARGIN - 344, 939 - 170 - 8)),  # left of the inspector, low
        (QRect(1260, 500, 330, 120), QPoint(1260 - MARGIN - 344, 559 - 85)),  # level with the lineage
        (QRect(480, 56, 640, 400), QPoint(799 - 172, 455 + MARGIN)),  # below the palette
        (QRect(100, 40, 1500, 400), QPoint(849 - 172, 439 + MARGIN)),  # below what is wide
    ],
)
def test_the_bubble_stands_beside_what_it_tells_of(anchor: QRect, where: QPoint) -> None:
    found = place(anchor, BUBBLE, ROOM)
    assert found == where
    assert ROOM.contains(QRect(found, BUBBLE))
    assert not QRect(found, BUBBLE).intersects(anchor)


def test_the_bubble_stands_inside_what_fills_the_window() -> None:
    assert ROOM.contains(QRect(place(ROOM, BUBBLE, ROOM), BUBBLE))


def test_the_story_is_told_of_what_the_graph_holds() -> None:
    steps = tell(flights())
    assert len(steps) >= 10
    assert len({step.name for step in steps}) == len(steps)
    assert all(step.expects for step in steps)
    champion = refs.model_version("local", "flight-delay", 3)
    assert any(step.focus == champion for step in steps)


def test_the_story_tells_of_what_is_on_demand_where_there_is_something() -> None:
    gate = refs.feature_view("flights", "at_the_gate")
    assert not [step for step in tell(flights()) if step.focus == gate]
    told = flights()
    edges = [edge for node in told.nodes() for edge in told.downstream(node.ref)]
    (step,) = [s for s in tell(graph_of([*told.nodes(), Node(gate)], edges)) if s.focus == gate]
    assert ExplorerShows(gate) in step.expects


def test_the_story_is_not_told_before_the_demo_has_run() -> None:
    with pytest.raises(NotReadyError, match="run the demo first"):
        tell(graph_of())


def test_the_page_of_pictures_quotes_what_it_shows(tmp_path: Path) -> None:
    page = gallery.write(tmp_path, [replace(FIRST, title="a < b", text='"quoted" & more')]).read_text()
    assert "a &lt; b" in page
    assert "&quot;quoted&quot; &amp; more" in page
    assert "{" not in page.split("</style>")[1]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("temp &lt; 32", "temp < 32"),
        ('<a href="x">weather</a> desk', "weather desk"),
        ("a<br>b", "ab"),
        ("a < b", "a < b"),
    ],
)
def test_the_words_of_a_label(text: str, plain: str) -> None:
    assert evidence.plain(text) == plain


def test_a_person_asks_for_the_tour_from_the_menu(qtbot: QtBot, workbench: Workbench) -> None:
    workbench.window.tour_requested.connect(lambda: guide(workbench))
    workbench.window.act(next(action for action in ACTIONS if action.id == "tour"))
    qtbot.waitUntil(lambda: workbench.window.findChild(Callout) is not None, timeout=10_000)


def test_where_the_demo_is_not_the_tour_says_so(qtbot: QtBot, open_workbench: Open) -> None:
    empty = open_workbench(graph_of())
    empty.start()
    guide(empty)
    qtbot.waitUntil(lambda: "run the demo first" in evidence.text_of(empty.window.notices), timeout=10_000)
