"""The lineage drawing: what it shows, how it folds, and that its boxes can be clicked and walked."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.panels.lineage_items import TieItem
from e2e_ml.desktop.panels.lineage_page import EMPTY, LineagePage
from e2e_ml.desktop.panels.lineage_view import ORIGIN, LineageView
from e2e_ml.desktop.panels.neighbourhood import OPENED, Detail, Fan, Fold, label, neighbourhood
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights
from tests.desktop.panels import Desk, desk

GRAPH = flights.flights()
V = [flights.CHAMPION, refs.model_version("local", "flight-delay", 2), refs.model_version("local", "flight-delay", 1)]
NIGHTLY = refs.run("local", flights.RUNS[3][0])


def build(qtbot: QtBot, *, large: bool, size: tuple[int, int]) -> tuple[Desk, LineageView]:
    made = desk()
    made.focus.set(flights.GUSTY, "test")
    view = LineageView(made.lifecycle, made.focus, made.appearance, large=large, clock=lambda: flights.NOW)
    qtbot.addWidget(view)
    view.resize(*size)
    view.show()
    view.refresh()
    return made, view


@pytest.fixture
def large(qtbot: QtBot) -> tuple[Desk, LineageView]:
    return build(qtbot, large=True, size=(1200, 480))


def test_a_feature_from_its_source_to_its_versions(large: tuple[Desk, LineageView]) -> None:
    _, view = large
    chain = [
        refs.source("flights", "weather"), flights.view_ref("hourly_weather"),
        flights.feature_ref("hourly_weather", "visib"), flights.GUSTY, flights.SERVICE,
        refs.run("local", flights.RUNS[0][0]), flights.CHAMPION, refs.registered_model("local", "flight-delay"),
    ]  # fmt: skip
    xs = [view.node(ref).place.x for ref in chain]
    assert xs == sorted(xs)
    assert flights.dag_ref("festaf.flights.hourly_weather") in view.shown.keys
    assert flights.feature_ref("hourly_weather", "temp") not in view.shown.keys  # a sibling is no ancestor
    assert view.node(flights.GUSTY).face.focus
    assert [ref for ref in V if view.node(ref).face.star] == [flights.CHAMPION]


def test_what_a_longer_path_says_is_not_drawn_twice() -> None:
    shown = neighbourhood(GRAPH, flights.GUSTY, Detail())
    ends = {(tie.upstream, tie.downstream) for tie in shown.ties}
    assert (flights.feature_ref("hourly_weather", "visib"), flights.GUSTY) in ends
    assert (flights.view_ref("hourly_weather"), flights.GUSTY) not in ends


def test_inferred_links_are_dashed_and_say_why(large: tuple[Desk, LineageView]) -> None:
    _, view = large
    items = [item for item in view.scene().items() if isinstance(item, TieItem)]
    dashed = [item for item in items if item.pen().style() == Qt.PenStyle.CustomDashLine]
    assert [(item.tie.upstream, item.tie.downstream) for item in dashed] == [(flights.SERVICE, NIGHTLY)]
    assert dashed[0].toolTip().endswith("inferred 0.91, 10 of 11 columns match flight_delay")


def test_a_click_on_a_box_moves_the_focus(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    made, view = large
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.centre_of(flights.SERVICE))
    assert made.moves[-1] == (flights.SERVICE, ORIGIN)
    assert view.node(flights.SERVICE).face.focus


def test_the_keys_walk_the_lines(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    made, view = large
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(view, key)
    walked = [item.face.key for item in (view.node(k) for k in view.shown.keys) if item.under_keys]
    assert len(walked) == 1
    assert isinstance(walked[0], Ref)
    assert walked[0].kind is Kind.MODEL_VERSION
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert made.focus.current is not None
    assert made.focus.current.kind is Kind.RUN


def test_zoom_stays_within_bounds_and_fit_gives_it_back(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    _, view = large
    fitted = view.transform().m11()
    for _ in range(40):
        qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.transform().m11() == pytest.approx(2.5)
    qtbot.keyClick(view, Qt.Key.Key_0)
    assert view.transform().m11() == pytest.approx(fitted)


def wide(n: int) -> Graph:
    """A view with `n` features that one service asks for."""
    view, service = refs.feature_view("p", "wide"), refs.feature_service("p", "all")
    features = [refs.feature("p", "wide", f"f{i:03d}") for i in range(n)]
    edges = [Edge(view, f, Relation.CONTAINS, Evidence.DECLARED) for f in features]
    edges += [Edge(f, service, Relation.FEEDS, Evidence.DECLARED) for f in features]
    return graph_of([Node(view), Node(service), *(Node(f) for f in features)], edges)


def test_a_big_fan_folds_and_opens_on_a_click(qtbot: QtBot, large: tuple[Desk, LineageView]) -> None:
    made, view = large
    made.lifecycle.replace(wide(20))
    made.focus.set(refs.feature_service("p", "all"), "test")
    fold = next(key for key in view.shown.keys if isinstance(key, Fold))
    assert fold.text == "+13 more"
    assert sum(isinstance(k, Ref) and k.kind is Kind.FEATURE for k in view.shown.keys) == 7
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.centre_of(fold))
    assert sum(isinstance(k, Ref) and k.kind is Kind.FEATURE for k in view.shown.keys) == 20
    assert made.focus.current == refs.feature_service("p", "all")


def test_a_fold_keeps_the_lines_of_what_it_holds() -> None:
    shown = neighbourhood(wide(20), refs.feature_service("p", "all"), Detail())
    fold = next(key for key in shown.keys if isinstance(key, Fold))
    assert fold.fan == Fan(Kind.FEATURE, False, 1)
    ends = {(tie.upstream, tie.downstream) for tie in shown.ties}
    assert (refs.feature_view("p", "wide"), fold) in ends
    assert (fold, refs.feature_service("p", "all")) in ends


def test_a_fold_keeps_its_line_though_one_that_it_holds_leads_there_another_way() -> None:
    graph, service = wide(20), refs.feature_service("p", "all")
    made_of_one = refs.feature("p", "gate", "cold")
    edges = [edge for node in graph.nodes() for edge in graph.downstream(node.ref)]
    edges.append(Edge(refs.feature("p", "wide", "f000"), made_of_one, Relation.FEEDS, Evidence.DECLARED))
    edges.append(Edge(made_of_one, service, Relation.FEEDS, Evidence.DECLARED))
    shown = neighbourhood(graph_of([*graph.nodes(), Node(made_of_one)], edges), service, Detail(up=1))
    assert made_of_one in shown.keys
    fold = next(key for key in shown.keys if isinstance(key, Fold))
    assert (fold, service) in {(tie.upstream, tie.downstream) for tie in shown.ties}


def test_a_cycle_is_drawn_and_not_followed_for_ever() -> None:
    a, b, c = (refs.feature_view("p", name) for name in "abc")
    ties = [(a, b), (b, c), (c, a), (b, a)]
    graph = graph_of([Node(r) for r in (a, b, c)], [Edge(x, y, Relation.FEEDS, Evidence.DECLARED) for x, y in ties])
    shown = neighbourhood(graph, a, Detail())
    assert set(shown.keys) == {a, b, c}
    reached = {a}
    for _ in range(3):
        reached |= {t.downstream for t in shown.ties if t.upstream in reached}
    assert reached == {a, b, c}


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
    focused = [view.node(key) for key in view.shown.keys if view.node(key).face.focus]
    assert len(focused) == 1
    assert view.viewport().rect().contains(view.centre_of(focused[0].face.key))
    assert view.height() <= 232


def test_labels_are_the_short_names() -> None:
    assert label(GRAPH, flights.CHAMPION) == "v3"
    assert label(GRAPH, flights.dag_ref("festaf.flights.plane")) == "plane"
    assert label(GRAPH, refs.source("flights", "weather")) == "weather.csv"
    assert label(GRAPH, refs.run("local", flights.RUNS[0][0])) == "boosted-trees"


def test_a_drawing_out_of_sight_waits_until_it_is_shown(large: tuple[Desk, LineageView]) -> None:
    made, view = large
    view.hide()
    made.focus.set(flights.SERVICE, "test")
    assert not view.node(flights.SERVICE).face.focus
    view.show()
    assert view.node(flights.SERVICE).face.focus


def test_a_fan_of_thousands_opens_step_by_step() -> None:
    graph, view = flights.flights(extra_features=3000), flights.view_ref("telemetry")
    fan = Fan(Kind.FEATURE, True, 1)
    for times in (0, 1, 2):
        shown = neighbourhood(graph, view, Detail(fan=8), [fan] * times)
        features = [key for key in shown.keys if isinstance(key, Ref) and key.kind is Kind.FEATURE]
        folds = [key for key in shown.keys if isinstance(key, Fold)]
        assert len(features) == 7 + OPENED * times
        assert [len(fold.refs) for fold in folds] == [3000 - len(features)]


def test_the_large_page_says_what_it_shows_and_goes_back_on_escape(qtbot: QtBot) -> None:
    made = desk()
    page = LineagePage(made.lifecycle, made.focus, made.appearance, clock=lambda: flights.NOW)
    qtbot.addWidget(page)
    page.resize(1000, 600)
    page.show()
    assert page.title.text() == EMPTY
    made.focus.set(flights.TRAIN_RUN, "test")
    assert page.title.text() == "Lineage of by asset 12:37"
    assert flights.TRAIN in page.view.shown.keys
    with qtbot.waitSignal(page.closed):
        qtbot.keyClick(page.view, Qt.Key.Key_Escape)
    with qtbot.waitSignal(page.closed):
        page.back.click()
