"""The page around the drawing: search, filters, the card and what can be said in it, and pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels.lineage.judging import Judging, judging_of
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold
from e2e_ml.desktop.panels.lineage.page import EMPTY, LineagePage
from e2e_ml.desktop.theme import DARK
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Edge, Evidence, Graph
from e2e_ml.lineage.judgements import Judgements, Verdict
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights
from tests.desktop.panels import Desk, desk

NIGHTLY = refs.run("local", flights.RUNS[3][0])


@pytest.fixture
def page(qtbot: QtBot) -> tuple[Desk, LineagePage]:
    made = desk()
    page = LineagePage(made.lifecycle, made.focus, made.appearance, clock=lambda: flights.NOW)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    return made, page


def kinds(page: LineagePage) -> set[Kind]:
    return {key.kind for key in page.view.shown.keys}


def buttons(page: LineagePage) -> dict[str, QPushButton]:
    return {b.text(): b for b in page.card.findChildren(QPushButton) if b.isVisible()}


def test_it_says_what_it_shows_and_goes_back_on_escape(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    assert shown.bar.title.text() == EMPTY
    assert not shown.filters.isVisible()
    made.focus.set(flights.TRAIN_RUN, "test")
    assert shown.bar.title.text() == "Lineage of by asset 12:37"
    assert flights.TRAIN in shown.view.shown.keys
    with qtbot.waitSignal(shown.closed):
        qtbot.keyClick(shown.view, Qt.Key.Key_Escape)
    with qtbot.waitSignal(shown.closed):
        shown.bar.back.click()


def test_escape_first_puts_away_the_card_and_the_search(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    shown.view.select(flights.CHAMPION)
    assert shown.card.isVisible()
    qtbot.keyClick(shown.view, Qt.Key.Key_Escape)
    assert not shown.card.isVisible()
    qtbot.keyClick(shown.view, Qt.Key.Key_Slash)
    assert shown.bar.search.hasFocus()
    qtbot.keyClicks(shown.bar.search, "v3")
    qtbot.keyClick(shown.bar.search, Qt.Key.Key_Escape)
    assert shown.bar.search.text() == ""
    assert shown.isVisible()


def test_a_search_dims_the_rest_and_enter_goes_round(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    shown.do("search")
    qtbot.keyClicks(shown.bar.search, "logistic")
    runs = {refs.run("local", flights.RUNS[1][0]), refs.run("local", flights.RUNS[2][0])}
    assert shown.view.sheet.standing.found == runs
    assert shown.bar.found.text() == f"2 of {len(shown.view.shown.keys)}"
    visited = []
    for _ in range(3):
        qtbot.keyClick(shown.bar.search, Qt.Key.Key_Return)
        visited.append(shown.view.at)
    assert set(visited) == runs
    assert visited[0] == visited[2]
    shown.bar.search.setText("no such thing")
    qtbot.keyClick(shown.bar.search, Qt.Key.Key_Return)
    assert "Ctrl+K" in shown.hint.text()
    shown.bar.search.clear()
    assert shown.view.sheet.standing.found is None


def test_a_kind_that_is_left_out_is_bridged_and_its_chip_keeps_the_number(
    qtbot: QtBot, page: tuple[Desk, LineagePage]
) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    chip = shown.filters.chips[Kind.RUN]
    assert chip.number == 4
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert Kind.RUN not in kinds(shown)
    assert (chip.number, chip.isChecked()) == (4, False)
    ends = {(t.upstream, t.downstream) for t in shown.view.shown.ties}
    assert (flights.SERVICE, flights.CHAMPION) in ends
    shown.do("unfilter")
    assert Kind.RUN in kinds(shown)


def test_evidence_that_is_not_believed_takes_away_what_it_alone_ties(
    qtbot: QtBot, page: tuple[Desk, LineagePage]
) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    assert NIGHTLY in shown.view.shown.keys
    qtbot.mouseClick(shown.filters.chips[Evidence.INFERRED], Qt.MouseButton.LeftButton)
    assert NIGHTLY not in shown.view.shown.keys
    assert flights.CHAMPION in shown.view.shown.keys
    made.focus.set(flights.SERVICE, "test")
    assert NIGHTLY not in shown.view.shown.keys  # a filter stays when the focus goes on


def test_a_thing_that_stands_alone_says_so(page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(refs.dag("local", "nobody.knows"), "test")
    assert shown.hint.isVisible()
    assert "Nothing is known" in shown.hint.text()
    made.focus.set(flights.GUSTY, "test")
    assert not shown.hint.isVisible()


def test_an_inferred_link_is_confirmed_in_its_card_and_can_be_taken_back(
    qtbot: QtBot, page: tuple[Desk, LineagePage], tmp_path: Path
) -> None:
    made, shown = page
    made.focus.set(flights.SERVICE, "test")
    judgements = Judgements(tmp_path / "judgements.jsonl")
    shown.view.verbs.next_doubt()
    assert not buttons(shown).keys() & {"Confirm", "Refuse"}  # nobody keeps what is said
    shown.judge_by(judging_of(judgements, "ada"))
    with qtbot.waitSignal(shown.judged):
        buttons(shown)["Confirm"].click()
    assert [(j.verdict, j.by, j.downstream) for j in judgements.all()] == [(Verdict.CONFIRMED, "ada", NIGHTLY)]
    assert "Confirmed by ada" in shown.card.content.links[0][1][0].why  # pyright: ignore[reportOptionalMemberAccess]
    assert set(buttons(shown)) == {"Withdraw"}
    qtbot.keyClick(shown.view, Qt.Key.Key_U)
    shown.do("withdraw")
    assert judgements.all() == []


def test_what_was_refused_is_told_at_its_ends_and_can_be_taken_back(
    qtbot: QtBot, page: tuple[Desk, LineagePage]
) -> None:
    made, shown = page
    made.focus.set(flights.SERVICE, "test")
    judgements = Judgements(None)
    shown.judge_by(judging_of(judgements, "ada"))
    shown.view.verbs.next_doubt()
    shown.do("refuse")
    assert judgements.all()[0].verdict is Verdict.REFUSED
    shown.view.select(flights.SERVICE)
    content = shown.card.content
    assert content is not None
    headings = {heading: told for heading, told, _ in content.links}
    assert [said.edge.downstream for said in headings["Refused by a person"]] == [NIGHTLY]
    assert headings["Refused by a person"][0].verdicts == (Verdict.WITHDRAWN,)


def test_candidates_stand_in_the_card_as_perhaps(page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    graph, run = flights.with_candidate()
    made.lifecycle.replace(graph)
    made.focus.set(flights.SERVICE, "test")
    said: list[tuple[Edge, Verdict]] = []
    shown.judge_by(Judging(lambda edge, verdict: said.append((edge, verdict))))
    shown.view.select(flights.SERVICE)
    assert run not in shown.view.shown.keys
    content = shown.card.content
    assert content is not None
    perhaps = next(told for heading, told, _ in content.links if heading == "Perhaps")
    assert [edge.edge.downstream for edge in perhaps] == [run]
    assert "0.55" in perhaps[0].why
    shown.card.judged.emit(perhaps[0].edge, Verdict.CONFIRMED)
    assert [(edge.downstream, verdict) for edge, verdict in said] == [(run, Verdict.CONFIRMED)]


def test_what_cannot_be_written_down_is_said(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, _ = page
    operations = Operations()
    shown = LineagePage(made.lifecycle, made.focus, made.appearance, clock=lambda: flights.NOW, operations=operations)
    qtbot.addWidget(shown)
    shown.resize(1000, 600)
    shown.show()
    made.focus.set(flights.SERVICE, "test")

    def full(edge: Edge, verdict: Verdict) -> None:
        raise OSError(28, "No space left on device")

    shown.judge_by(Judging(full))
    shown.view.verbs.next_doubt()
    shown.do("confirm")
    qtbot.waitUntil(lambda: "No space left on device" in shown.hint.text())
    assert operations.close()


def test_columns_stand_inside_their_source_when_asked(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.lifecycle.replace(flights.with_columns())
    made.focus.set(flights.GUSTY, "test")
    source = refs.source("flights", "weather")
    assert not shown.view.face(source).rows
    qtbot.keyClick(shown.view, Qt.Key.Key_L)
    assert shown.bar.columns.isChecked()
    assert [row.name for row in shown.view.face(source).rows][:2] == ["visib", "wind_speed"]
    column = refs.source_column("flights", "weather", "visib")
    lines = [line for line in shown.view.plan.lines if line.start == column]
    assert [line.tie.downstream for line in lines] == [flights.feature_ref("hourly_weather", "visib")]
    made.focus.set(column, "test")
    assert shown.view.plan.focus == source
    assert [row.name for row in shown.view.face(source).rows if row.focus] == ["visib"]


@pytest.mark.parametrize("theme", [None, DARK])
def test_the_drawing_is_saved_with_its_title_and_its_legend(
    page: tuple[Desk, LineagePage], tmp_path: Path, theme: object
) -> None:
    made, shown = page
    if theme is DARK:
        made.appearance.force(DARK)
    made.focus.set(flights.GUSTY, "test")
    root = ET.parse(shown.export(tmp_path / "gusty.svg")).getroot()  # noqa: S314 - our own
    texts = " ".join("".join(element.itertext()) for element in root.iter())
    for word in ("Lineage of gusty", "As of 21 November 2026", "inferred", "flight_delay", "AUC 0.741"):
        assert word in texts
    picture = QImage(str(shown.export(tmp_path / "gusty.png")))
    width, height = shown.picture().size
    assert (picture.width(), picture.height()) == (round(width * 2), round(height * 2))
    assert picture.text("Title") == "Lineage of gusty"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gusty.png", "gusty.svg"]


def test_a_picture_of_another_format_is_refused(page: tuple[Desk, LineagePage], tmp_path: Path) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        shown.export(tmp_path / "gusty.jpg")


def test_every_action_of_the_drawing_is_known_to_the_page(page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    mine = [action for action in ACTIONS if action.menu == "Lineage"]
    assert {action.where for action in mine} == {"lineage", "drawing"}
    own = {"search", "confirm", "refuse", "withdraw", "unfilter", "svg", "png"}
    for action in mine:
        assert action.args[0] in own or shown.view.verbs.do(action.args[0]), action.id


def test_a_key_typed_into_the_search_is_a_letter(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    before = shown.view.asked
    shown.bar.search.setFocus()
    qtbot.keyClicks(shown.bar.search, "lec")
    assert shown.bar.search.text() == "lec"
    assert shown.view.asked == before


def test_what_is_chosen_is_told_to_who_cannot_see(page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.SERVICE, "test")
    shown.view.select(flights.view_ref("route_delay"))
    said = shown.view.accessibleDescription()
    assert said.startswith("route_delay, feature view, failed")
    assert "route_delay → " in said
    for chip in shown.filters.chips.values():
        assert not chip.isVisible() or chip.accessibleName()
    names: list[Ref] = [key for key in shown.view.shown.keys if isinstance(key, Ref)]
    assert names
    assert shown.view.accessibleName().startswith("Lineage of flight_delay: ")


def test_the_card_of_an_ancestor_offers_its_other_children(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.GUSTY, "test")
    sibling = flights.feature_ref("hourly_weather", "is_freezing")
    shown.view.select(flights.view_ref("hourly_weather"))
    buttons(shown)["Show 3 more downstream"].click()
    assert sibling in shown.view.shown.keys
    assert "Show 3 more downstream" not in buttons(shown)


def test_the_card_folds_again_what_was_opened(qtbot: QtBot, page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.lifecycle.replace(flights.fan(20))
    made.focus.set(refs.feature_service("p", "all"), "test")
    shown.view.verbs.look_at(next(key for key in shown.view.shown.keys if isinstance(key, Fold)))
    assert len(shown.view.shown.keys) == 22
    shown.view.select(refs.feature("p", "wide", "f001"))
    buttons(shown)["Show fewer features"].click()
    assert len(shown.view.shown.keys) == 10


def test_a_link_that_was_judged_stays_chosen_when_the_graph_tells_of_it(page: tuple[Desk, LineagePage]) -> None:
    made, shown = page
    made.focus.set(flights.SERVICE, "test")
    shown.view.verbs.next_doubt()
    index_of_it = shown.view.chosen_tie
    assert index_of_it is not None
    made.lifecycle.replace(flights.flights())
    shown.view.refresh()
    assert shown.view.chosen_tie is not None
    assert shown.view.chosen_tie.downstream == NIGHTLY
    assert shown.card.isVisible()


def test_in_the_window_a_key_of_the_drawing_counts_once_and_only_there(
    qtbot: QtBot, open_workbench: Callable[[Graph], Workbench]
) -> None:
    workbench = open_workbench(flights.with_columns())
    window, focus = workbench.window, workbench.focus
    focus.set(flights.GUSTY, "test")
    window.act(next(action for action in ACTIONS if action.id == "lineage.fit"))
    assert window.lineage.isVisible()  # what is done in the drawing shows it first
    qtbot.waitUntil(window.lineage.view.hasFocus)
    qtbot.keyClick(window.lineage.view, Qt.Key.Key_L)
    assert window.lineage.view.asked.columns
    qtbot.keyClick(window.lineage.view, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.lineage.bar.search.hasFocus)
    qtbot.keyClicks(window.lineage.bar.search, "lf")
    assert window.lineage.bar.search.text() == "lf"
    assert window.lineage.view.asked.columns
