"""The lineage drawing as widgets: what it shows, and that its boxes, lines and knobs can be clicked and walked."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold
from e2e_ml.desktop.panels.lineage.painting import knob_centre
from e2e_ml.desktop.panels.lineage.verbs import ORIGIN
from e2e_ml.desktop.panels.lineage.view import LineageView
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights
from tests.desktop.panels import Desk, desk

GRAPH = flights.flights()
V = [flights.CHAMPION, refs.model_version("local", "flight-delay", 2), refs.model_version("local", "flight-delay", 1)]
NIGHTLY = refs.run("local", flights.RUNS[3][0])
LEFT = Qt.MouseButton.LeftButton


def build(
    qtbot: QtBot, *, large: bool, size: tuple[int, int], operations: Operations | None = None
) -> tuple[Desk, LineageView]:
    made = desk()
    made.focus.set(flights.GUSTY, "test")
    view = LineageView(
        made.lifecycle, made.focus, made.appearance, large=large, clock=lambda: flights.NOW, operations=operations
    )
    qtbot.addWidget(view)
    view.resize(*size)
    with qtbot.waitExposed(view):
        view.show()
    view.refresh()
    return made, view


@pytest.fixture
def large(qtbot: QtBot) -> tuple[Desk, LineageView]:
    return build(qtbot, large=True, size=(1200, 480))


def click(qtbot: QtBot, view: LineageView, at: QPoint) -> None:
    qtbot.mouseClick(view.viewport(), LEFT, pos=at)


def press_knob(qtbot: QtBot, view: LineageView, side: Side) -> None:
    at = knob_centre(view.plan.drawing.places[side.ref], down=side.downstream)
    click(qtbot, view, view.mapFromScene(at))


def features(view: LineageView) -> int:
    return sum(isinstance(key, Ref) and key.kind is Kind.FEATURE for key in view.shown.keys)


def test_a_feature_from_its_source_to_its_versions(large: tuple[Desk, LineageView]) -> None:
    _, view = large
    chain = [
        refs.source("flights", "weather"), flights.view_ref("hourly_weather"),
        flights.feature_ref("hourly_weather", "visib"), flights.GUSTY, flights.SERVICE,
        refs.run("local", flights.RUNS[0][0]), flights.CHAMPION, refs.registered_model("local", "flight-delay"),
    ]  # fmt: skip
    xs = [view.plan.drawing.places[ref].x for ref in chain]
    assert xs == sorted(xs)
    assert flights.dag_ref("festaf.flights.hourly_weather") in view.shown.keys
    assert flights.feature_ref("hourly_weather", "temp") not in view.shown.keys  # a sibling is no ancestor
    assert view.face(flights.GUSTY).focus
    assert [ref for ref in V if view.face(ref).star] == [flights.CHAMPION]


def test_inferred_links_are_dashed_marked_and_say_why(large: tuple[Desk, LineageView]) -> None:
    _, view = large
    inferred = [n for n, line in enumerate(view.plan.lines) if line.tie.evidence is Evidence.INFERRED]
    assert [(view.sheet.line(n).tie.upstream, view.sheet.line(n).tie.downstream) for n in inferred] == [
        (flights.SERVICE, NIGHTLY)
    ]
    look = view.sheet.look
    pens = [look.line(evidence, lit=False, turned=False).dashPattern() for evidence in Evidence]
    assert len({tuple(pen) for pen in pens}) == 3
    tip = view.tip_at(view.mapFromScene(view.sheet.middle_of(inferred[0])))
    assert tip.endswith("inferred 0.91, 10 of 11 columns match flight_delay")


def test_in_the_small_drawing_a_click_on_a_box_moves_the_focus(qtbot: QtBot) -> None:
    made, view = build(qtbot, large=False, size=(316, 200))
    click(qtbot, view, view.centre_of(flights.SERVICE))
    assert made.moves[-1] == (flights.SERVICE, ORIGIN)
    assert view.face(flights.SERVICE).focus


def test_in_the_large_drawing_a_click_lights_the_ways_and_a_second_one_looks(
    qtbot: QtBot, large: tuple[Desk, LineageView]
) -> None:
    made, view = large
    moves = len(made.moves)
    click(qtbot, view, view.centre_of(flights.CHAMPION))
    assert len(made.moves) == moves
    assert view.chosen == flights.CHAMPION
    standing = view.sheet.standing
    assert standing.lit == {flights.GUSTY, flights.SERVICE, refs.run("local", flights.RUNS[0][0]), flights.CHAMPION}
    assert "gusty → flight_delay → boosted-trees → v3" in view.accessibleDescription()
    qtbot.mouseDClick(view.viewport(), LEFT, pos=view.centre_of(flights.CHAMPION))
    qtbot.mouseRelease(view.viewport(), LEFT, pos=QPoint(4, 4))  # or the next test's mouse would drag
    assert made.moves[-1] == (flights.CHAMPION, ORIGIN)
    assert view.sheet.standing.lit is None


def test_a_box_under_a_resting_mouse_lights_its_ways(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    qtbot.mouseMove(view.viewport(), view.centre_of(NIGHTLY))
    qtbot.waitUntil(lambda: view.sheet.standing.lit == {flights.GUSTY, flights.SERVICE, NIGHTLY})
    qtbot.mouseMove(view.viewport(), QPoint(3, 3))
    qtbot.waitUntil(lambda: view.sheet.standing.lit is None)


def test_the_keys_walk_the_lines(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    made, view = large
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(view, key)
    assert isinstance(view.at, Ref)
    assert view.at.kind is Kind.MODEL_VERSION
    assert view.chosen == view.at
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert made.focus.current is not None
    assert made.focus.current.kind is Kind.RUN


def test_a_key_goes_from_one_inferred_link_to_the_next(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    qtbot.keyClick(view, Qt.Key.Key_I)
    assert view.chosen_tie is not None
    assert (view.chosen_tie.upstream, view.chosen_tie.downstream) == (flights.SERVICE, NIGHTLY)


def test_a_line_can_be_clicked(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    number = next(n for n, line in enumerate(view.plan.lines) if line.tie.evidence is Evidence.INFERRED)
    click(qtbot, view, view.mapFromScene(view.sheet.middle_of(number)))
    assert view.chosen_tie == view.plan.lines[number].tie
    click(qtbot, view, QPoint(4, 4))
    assert view.chosen_tie is None


def test_zoom_stays_within_bounds_and_fit_gives_it_back(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    fitted = view.transform().m11()
    for _ in range(40):
        qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.transform().m11() == pytest.approx(2.5)
    assert view.minimap is not None
    assert view.minimap.isVisible()
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert view.transform().m11() == pytest.approx(fitted)
    assert not view.minimap.isVisible()  # all is in sight


def test_the_map_leads_there(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    view.zoom(2.5)
    assert view.minimap is not None
    for corner in (QPoint(8, 8), QPoint(view.minimap.width() - 8, view.minimap.height() - 8)):
        qtbot.mouseClick(view.minimap, LEFT, pos=corner)
        seen = view.mapToScene(view.viewport().rect()).boundingRect()
        wanted = view.minimap.at(corner.toPointF())
        assert seen.left() - 1 <= wanted.x() <= seen.right() + 1
    qtbot.keyClick(view, Qt.Key.Key_M)
    assert not view.minimap.isVisible()


def test_a_big_fan_folds_opens_on_a_click_and_folds_again(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    made, view = large
    service = refs.feature_service("p", "all")
    made.lifecycle.replace(flights.fan(20))
    made.focus.set(service, "test")
    fold = next(key for key in view.shown.keys if isinstance(key, Fold))
    assert fold.text == "+13 more features"
    assert features(view) == 7
    click(qtbot, view, view.centre_of(fold))
    assert features(view) == 20
    assert made.focus.current == service
    view.show_key(next(key for key in view.shown.keys if isinstance(key, Ref) and key.kind is Kind.FEATURE))
    qtbot.keyClick(view, Qt.Key.Key_C)  # first what lies behind it
    qtbot.keyClick(view, Qt.Key.Key_C)
    assert features(view) <= 20


def test_what_lies_behind_a_box_is_put_away_and_shown_again(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    side = Side(flights.SERVICE, True)
    view.show_key(flights.SERVICE)
    press_knob(qtbot, view, side)
    assert not any(isinstance(k, Ref) and k.kind is Kind.RUN for k in view.shown.keys)
    assert view.face(flights.SERVICE).more_down == 4
    assert "4 more things downstream" in view.tip_at(
        view.mapFromScene(knob_centre(view.plan.drawing.places[flights.SERVICE], down=True))
    )
    press_knob(qtbot, view, side)
    assert NIGHTLY in view.shown.keys
    assert view.face(flights.SERVICE).more_down == 0


def test_an_ancestors_other_children_are_shown_when_asked(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    sibling = flights.feature_ref("hourly_weather", "is_freezing")
    view.show_key(flights.view_ref("hourly_weather"))
    qtbot.keyClick(view, Qt.Key.Key_E)
    assert sibling in view.shown.keys
    view.show_key(flights.view_ref("hourly_weather"))
    qtbot.keyClick(view, Qt.Key.Key_C)
    assert sibling not in view.shown.keys


def test_the_small_drawing_tells_a_run_by_its_version(qtbot: QtBot) -> None:
    made, view = build(qtbot, large=False, size=(316, 200))
    assert flights.CHAMPION in view.shown.keys
    assert refs.run("local", flights.RUNS[0][0]) not in view.shown.keys
    assert NIGHTLY in view.shown.keys  # nothing was registered of it
    assert view.shown.hidden > 0
    made.focus.set(refs.run("local", flights.RUNS[0][0]), "test")
    assert refs.run("local", flights.RUNS[0][0]) in view.shown.keys


@pytest.mark.parametrize("ref", [n.ref for n in GRAPH.nodes()], ids=str)
def test_a_small_drawing_shows_its_focus_for_everything(qtbot: QtBot, ref: Ref) -> None:
    made, view = build(qtbot, large=False, size=(316, 200))
    made.focus.set(ref, "test")
    focused = [key for key in view.shown.keys if view.face(key).focus]
    assert len(focused) == 1
    assert view.viewport().rect().contains(view.centre_of(focused[0]))
    assert view.height() <= 232


def test_a_drawing_out_of_sight_waits_until_it_is_shown(large: tuple[Desk, LineageView]) -> None:
    made, view = large
    view.hide()
    made.focus.set(flights.SERVICE, "test")
    assert not view.face(flights.SERVICE).focus
    view.show()
    assert view.face(flights.SERVICE).focus


def test_late_and_failed_parts_say_so_in_a_word_and_a_shape(large: tuple[Desk, LineageView]) -> None:
    made, view = large
    made.focus.set(flights.SERVICE, "test")
    late, failed = view.face(flights.view_ref("carrier_delay")), view.face(flights.view_ref("route_delay"))
    assert late.loud is not None
    assert failed.loud is not None
    assert late.loud.word == "late, 12 min"
    assert failed.loud.word == "failed"
    assert late.loud.tone != failed.loud.tone  # a square and a triangle
    assert view.face(flights.view_ref("hourly_weather")).loud is None


def test_five_hundred_boxes_are_laid_out_behind_the_window(qtbot: QtBot) -> None:
    operations = Operations()
    made, view = build(qtbot, large=True, size=(1200, 700), operations=operations)
    graph, focus = flights.wide(500)
    made.lifecycle.replace(graph)
    made.focus.set(focus, "test")
    before = view.plan
    view.ask(Asked(opened=tuple(Fan(Kind.FEATURE, False, distance) for distance in range(1, 11)) * 2))
    assert view.is_laying_out
    assert view.plan is before  # until it is there, what was there stays
    qtbot.waitUntil(lambda: not view.is_laying_out, timeout=20_000)
    assert len(view.shown.keys) >= 500
    assert view.plan.focus == focus
    picture = view.grab()
    assert not picture.isNull()
    view.fit()
    assert not view.grab().isNull()  # from afar, too
    assert operations.close()
