"""The inspector tells what the graph knows, and its names move the focus."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.panels.answers import QUESTIONS, five_answers
from e2e_ml.desktop.panels.code_box import CodeBox
from e2e_ml.desktop.panels.inspector import ORIGIN, Inspector
from e2e_ml.desktop.panels.uses_table import CELL, LINK, METRIC, MODEL, RUN
from e2e_ml.desktop.theme import DARK
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights
from tests.desktop.panels import Desk, desk

NOW = flights.NOW
DAG_RUN = refs.dag_run("local", "festaf.flights.route_delay", f"scheduled__{flights.ago(12)}")
BOOSTED = refs.run("local", flights.RUNS[0][0])


@pytest.fixture
def seat(qtbot: QtBot) -> tuple[Desk, Inspector]:
    made = desk()
    inspector = Inspector(made.lifecycle, made.focus, made.appearance, clock=lambda: NOW)
    qtbot.addWidget(inspector)
    inspector.resize(348, 894)
    inspector.show()
    return made, inspector


def said(inspector: Inspector, question: str) -> str:
    code = inspector.answers.codes[question]
    shown = code.text() + "\n" if code.isVisible() else ""
    return shown + inspector.answers.labels[question].plain


def cells(inspector: Inspector) -> list[list[str]]:
    model = inspector.table.uses
    return [[str(model.index(r, c).data()) for c in range(model.columnCount())] for r in range(model.rowCount())]


def test_the_five_answers_of_a_feature(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    assert inspector.title.text() == "gusty"
    assert inspector.kind.plain == "feature · bool in hourly_weather"
    assert inspector.chip.sign is not None
    assert inspector.chip.sign.word == "fresh, 12 min"
    assert said(inspector, "Who") == "weather-team\nweather-team@example.com"
    assert said(inspector, "What") == "Gusty.\nfrom weather.csv: wind_speed, visib"
    assert said(inspector, "When") == ("since 3 Jan · written 12 min ago\nhourly · next run in 48 min")
    assert said(inspector, "How") == "(wind_speed > 25) & (visib < 3)\n"
    assert said(inspector, "Why") == (
        "Wind and visibility at the origin explain most winter delays.\nAsked for by flight_delay"
    )


def test_what_uses_it(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    assert cells(inspector) == [
        ["boosted-trees", "v3", "0.741", "declared"],
        ["logistic", "v2", "0.702", "declared"],
        ["nightly-check", "–", "0.733", "inferred"],
        ["logistic-first-try", "v1", "0.688", "declared"],
    ]
    model = inspector.table.uses
    assert model.headerData(METRIC, Qt.Orientation.Horizontal) == "AUC"
    tip = model.index(2, LINK).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "inferred 0.91: 10 of 11 columns match flight_delay"
    cell = model.index(0, MODEL).data(CELL)
    assert cell.sign.word == "champion"


def test_its_pipeline(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.feature_ref("route_delay", "delay_mean_14d"), "test")
    card = inspector.cards[0]
    assert card.isVisible()
    assert not inspector.cards[1].isVisible()
    assert list(card.name.links.values()) == [flights.dag_ref("festaf.flights.route_delay")]
    assert card.chip.sign is not None
    assert card.chip.sign.word == "failed"
    assert card.line.plain == "last run 1 d ago, took 9 s · next run in 10 h"
    assert [run.sign.word for run in card.strip.runs] == [*["success"] * 8, "failed", *["success"] * 4, "failed"]


def test_a_view_without_a_pipeline_says_so_loudly(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.view_ref("runway_in_use"), "test")
    assert inspector.chip.sign is not None
    assert inspector.chip.sign.word == "no pipeline"
    assert inspector.no_pipeline.isVisible()
    assert "Nobody is named" in said(inspector, "Who")
    assert "No purpose is told" in said(inspector, "Why")


GATE = flights.view_ref("at_the_gate")
COLD = flights.feature_ref("at_the_gate", "cold_start")
OPEN, MADE = refs.wish("flights", 1), refs.wish("flights", 2)


def with_gate_and_wishes() -> Graph:
    """The lifecycle with an on-demand view over two views, and two wishes."""
    graph = flights.flights()
    shared = {"on_demand": True, "owner": "gate-team", "first_seen": "2026-01-03T09:00:00+00:00"}
    gate = Node(GATE, {**shared, "request": ["scheduled_departure"], "features": ["cold_start"], "purpose": "Frost."})
    inputs = ["scheduled_departure", "hourly_weather.is_freezing", "route_delay.delay_mean_14d"]
    cold = Node(
        COLD,
        {**shared, "dtype": "bool", "inputs": inputs, "request": ["scheduled_departure"], "expression": "a & b",
         "marks": ["python features.encode"], "deprecated": "Use gusty."},
    )  # fmt: skip
    open_ = Node(OPEN, {"name": "crew on duty", "status": "open", "created": flights.ago(90),
                        "votes": [{"by": "ada", "why": "Hours run out."}, {"by": "ben", "why": ""}]})  # fmt: skip
    made = Node(MADE, {"name": "de-icing", "status": "made", "created": flights.ago(90), "answered_at": flights.ago(5),
                       "answered_by": "ben", "answer": "The frost says it.", "feature": "at_the_gate.cold_start",
                       "votes": [{"by": "ada", "why": ""}]})  # fmt: skip
    read = [flights.feature_ref("hourly_weather", "is_freezing"), flights.feature_ref("route_delay", "delay_mean_14d")]
    edges = [edge for node in graph.nodes() for edge in graph.downstream(node.ref)]
    edges += [Edge(view.parent or view, GATE, Relation.FEEDS, Evidence.DECLARED) for view in read]
    edges += [Edge(feature, COLD, Relation.FEEDS, Evidence.DECLARED) for feature in read]
    edges += [Edge(GATE, COLD, Relation.CONTAINS, Evidence.DECLARED)]
    edges += [Edge(COLD, flights.SERVICE, Relation.FEEDS, Evidence.DECLARED)]
    return graph_of([*graph.nodes(), gate, cold, open_, made], edges)


def test_what_is_on_demand_and_of_which_no_time_is_known_has_no_empty_line() -> None:
    gate = Node(refs.feature_view("flights", "gate"), {"on_demand": True})
    answers = {answer.question: answer.text for answer in five_answers(graph_of([gate]), gate.ref, NOW)}
    assert answers["When"] == "computed when it is asked for"


def test_what_is_on_demand_needs_no_pipeline_and_says_what_it_is_computed_from(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.lifecycle.replace(with_gate_and_wishes())
    made.focus.set(COLD, "test")
    assert inspector.kind.plain == "feature · bool in at_the_gate"
    assert said(inspector, "What") == (
        "Deprecated: Use gusty.\n"
        "from scheduled_departure of the request and hourly_weather.is_freezing, route_delay.delay_mean_14d"
    )
    assert said(inspector, "When") == "since 3 Jan\ncomputed when it is asked for"
    assert said(inspector, "How") == "a & b\npython features.encode"
    assert said(inspector, "Why").endswith("Asked for by flight_delay")
    assert inspector.no_pipeline.isVisible()
    assert inspector.no_pipeline.plain == "Computed when it is asked for: it needs no pipeline of its own."
    assert inspector.pipeline.heading.text() == "Pipelines of what it reads (2)"
    made.focus.set(GATE, "test")
    assert inspector.kind.plain == "on-demand view in flights"
    assert said(inspector, "What") == "from scheduled_departure of the request and hourly_weather, route_delay"
    assert inspector.table.uses.rowCount() == 4
    made.focus.set(flights.GUSTY, "test")
    assert not inspector.no_pipeline.isVisible()
    assert inspector.pipeline.heading.text() == "Pipeline"


def test_what_is_on_demand_is_as_good_as_what_it_reads(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    graph = with_gate_and_wishes()
    made.lifecycle.replace(graph)
    made.focus.set(COLD, "test")
    assert inspector.chip.sign is not None
    assert inspector.chip.sign.word == "route_delay failed"
    alone = [n for n in graph.nodes() if n.ref == GATE]
    made.lifecycle.replace(graph_of(alone))
    made.focus.set(GATE, "test")
    assert inspector.chip.sign.word == "on demand"


def test_a_wish_says_who_wants_it_why_and_what_became_of_it(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.lifecycle.replace(with_gate_and_wishes())
    made.focus.set(OPEN, "test")
    assert (inspector.title.text(), inspector.kind.plain) == ("crew on duty", "wish in flights")
    assert said(inspector, "Who") == "Wanted by ada, ben"
    assert said(inspector, "When") == "wished 2 h ago"
    assert "Nobody has answered it yet" in said(inspector, "How")
    assert said(inspector, "Why") == "Hours run out. (ada)"
    assert inspector.no_pipeline.plain == "A wish has no pipeline."
    made.focus.set(MADE, "test")
    assert said(inspector, "How") == "It is at_the_gate.cold_start\nThe frost says it.\nsays ben"
    assert COLD in inspector.answers.labels["How"].links.values()
    assert said(inspector, "Why") == "No reason is told."


@pytest.mark.parametrize("width", [320, 352, 420])
@pytest.mark.parametrize("feature", ["delay_mean_30d", "flights_7d"])
def test_no_line_of_an_answer_is_cut_beside_long_code(
    qtbot: QtBot, seat: tuple[Desk, Inspector], feature: str, width: int
) -> None:
    made, inspector = seat
    inspector.resize(width, 894)
    made.focus.set(flights.feature_ref("carrier_delay", feature), "test")
    qtbot.wait(20)
    for label in inspector.answers.labels.values():
        if label.isVisible():
            assert label.height() >= label.heightForWidth(label.width()), label.plain
    code = inspector.answers.codes["How"]
    assert code.document().size().height() <= code.height()
    assert code.horizontalScrollBar().maximum() == 0


def test_code_breaks_before_a_chained_call_and_is_copied_as_it_is(qtbot: QtBot) -> None:
    first, second = "arr_delay.mean()", ".over(timedelta(days=30))"
    code = CodeBox()
    qtbot.addWidget(code)
    code.resize(code.fontMetrics().horizontalAdvance(second) + 40, 40)
    code.setText(first + second)
    code.show()
    layout = code.document().firstBlock().layout()
    lines = [layout.lineAt(i) for i in range(layout.lineCount())]
    text = code.document().firstBlock().text()
    shown = [text[line.textStart() : line.textStart() + line.textLength()] for line in lines]
    assert [line.replace("\u200b", "") for line in shown] == [first, second]
    code.selectAll()
    code.copy()
    assert QGuiApplication.clipboard().text() == code.text() == first + second


def test_what_is_known_alike_of_every_link_is_said_once(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    assert not inspector.table.isColumnHidden(LINK)
    assert inspector.evidence.text() == ""
    graph = made.lifecycle.graph
    known = [n for n in graph.nodes() if n.ref != refs.run("local", flights.RUNS[3][0])]
    edges = [e for n in known for e in graph.downstream(n.ref) if e.downstream.name != flights.RUNS[3][0]]
    made.lifecycle.replace(graph_of(known, edges))
    assert inspector.table.isColumnHidden(LINK)
    assert inspector.evidence.text() == "all declared"
    tip = inspector.table.uses.index(0, RUN).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith("declared: tag feast.feature_service")


def test_links_move_the_focus(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    why = inspector.answers.labels["Why"]
    why.linkActivated.emit(str(why.links["flight_delay"]))
    assert made.moves[-1] == (flights.SERVICE, ORIGIN)
    assert inspector.title.text() == "flight_delay"


def test_a_link_is_clicked_where_it_is_drawn(qtbot: QtBot, seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    name = inspector.cards[0].name
    qtbot.mouseClick(name, Qt.MouseButton.LeftButton, pos=QPoint(20, name.height() // 2))
    assert made.focus.current == flights.dag_ref("festaf.flights.hourly_weather")


@pytest.mark.parametrize(("column", "ref"), [(RUN, BOOSTED), (MODEL, flights.CHAMPION)])
def test_the_table_leads_to_runs_and_versions(
    qtbot: QtBot, seat: tuple[Desk, Inspector], column: int, ref: Ref
) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    rect = inspector.table.visualRect(inspector.table.uses.index(0, column))
    qtbot.mouseClick(inspector.table.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert made.moves[-1] == (ref, ORIGIN)


def test_a_shape_of_the_strip_opens_its_run(qtbot: QtBot, seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.view_ref("route_delay"), "test")
    strip = inspector.cards[0].strip
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(13 * 15 + 4, 8))
    assert made.focus.current == DAG_RUN
    assert inspector.title.text() == "scheduled 14:00"
    assert said(inspector, "How") == "Begun by its schedule"
    assert said(inspector, "When") == "started 12 min ago · took 9 s"


@pytest.mark.parametrize(
    ("ref", "question", "words"),
    [
        (flights.view_ref("carrier_delay"), "What", "from flights.csv · one row per carrier"),
        (flights.view_ref("carrier_delay"), "When", "was due 12 min ago"),
        (flights.view_ref("carrier_delay"), "How", "3 features: arr_delay, delay_mean_30d, flights_7d"),
        (flights.SERVICE, "What", "10 features of 5 views"),
        (flights.SERVICE, "How", "target = flights.arr_delay > 15"),
        (flights.SERVICE, "How", "and 4 more"),
        (flights.SERVICE, "Why", "4 runs and flight-delay stand on it"),
        (refs.source("flights", "flights"), "Who", "ops-analytics, who owns carrier_delay"),
        (refs.source("flights", "flights"), "What", "data/flights.csv · 4 columns"),
        (refs.source("flights", "flights"), "How", "Read by carrier_delay, route_delay"),
        (refs.entity("flights", "origin"), "What", "The key of hourly_weather, runway_in_use"),
        (flights.TRAIN, "When", "5 assets · last run 2 h ago"),
        (flights.TRAIN, "What", "Makes boosted-trees, logistic, logistic-first-try"),
        (DAG_RUN, "Why", "Its DAG makes route_delay"),
        (BOOSTED, "Who", "ada"),
        (BOOSTED, "How", "Learned from flight_delay\nStarted by flights.train, by asset 12:37"),
        (BOOSTED, "Why", "AUC 0.741\nRegistered as flight-delay v3"),
        (flights.CHAMPION, "What", "Version 3 of flight-delay, champion"),
        (flights.CHAMPION, "Why", "It is the champion of flight-delay"),
        (refs.registered_model("local", "flight-delay"), "What", "3 versions"),
        (refs.registered_model("local", "flight-delay"), "Why", "v3 is champion"),
        (refs.experiment("local", "1"), "What", "4 runs"),
        (refs.project("flights"), "Who", "ada"),
    ],
)
def test_every_kind_answers(seat: tuple[Desk, Inspector], ref: Ref, question: str, words: str) -> None:
    made, inspector = seat
    made.focus.set(ref, "test")
    assert words in said(inspector, question)


def every_ref() -> list[Ref]:
    return [node.ref for node in flights.flights().nodes()]


def test_nothing_in_the_graph_or_outside_it_leaves_a_question_without_words() -> None:
    graph = flights.flights()
    strangers = [
        refs.task("local", "x", "y"), refs.task_instance("local", "x", "r", "y"), refs.asset("local", "s3://a"),
        refs.logged_model("local", "m-1"), refs.feature("p", "v", "f"), refs.dag_run("local", "x", "r"),
    ]  # fmt: skip
    for ref in [*every_ref(), *strangers]:
        told = five_answers(graph, ref, NOW)
        assert [answer.question for answer in told] == list(QUESTIONS)
        assert all(answer.text or answer.code for answer in told), ref


@pytest.mark.parametrize("ref", [flights.GUSTY, flights.SERVICE, flights.CHAMPION, flights.view_ref("hourly_weather")])
def test_the_five_answers_are_seen_without_scrolling(seat: tuple[Desk, Inspector], ref: Ref) -> None:
    made, inspector = seat
    made.focus.set(ref, "test")
    QGuiApplication.processEvents()
    for part in (inspector.answers, inspector.lineage):  # what a change touches, and who uses it, come after them
        bottom = part.mapTo(inspector, QPoint(0, part.height())).y()
        assert 0 < bottom <= 894
    assert inspector.area.verticalScrollBar().value() == 0


def test_a_long_name_is_cut_and_told_whole_by_its_tooltip(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.feature_ref("route_delay", flights.LONG), "test")
    inspector.grab()
    assert inspector.title.toolTip() == flights.LONG
    assert inspector.title.width() < 348


def test_times_tell_the_exact_moment(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    tips = {span.text: span.tip for line in inspector.answers.labels["When"].lines for span in line if span.tip}
    assert tips["12 min ago"] == "Sat 21 Nov 2026, 14:00:00 UTC"
    assert tips["in 48 min"] == "Sat 21 Nov 2026, 15:00:00 UTC"


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (flights.GUSTY, "hourly_weather.gusty"),
        (BOOSTED, flights.RUNS[0][0]),
        (flights.CHAMPION, "models:/flight-delay/3"),
        (flights.TRAIN, "flights.train"),
    ],
)
def test_ids_can_be_copied(qtbot: QtBot, seat: tuple[Desk, Inspector], ref: Ref, text: str) -> None:
    made, inspector = seat
    made.focus.set(ref, "test")
    qtbot.mouseClick(inspector.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == text
    assert inspector.copy_button.text() == "Copied"


def test_a_new_graph_is_told_at_once(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    old = made.lifecycle.graph
    node = old.get(flights.GUSTY)
    assert node is not None
    changed = Node(flights.GUSTY, {**node.facts, "purpose": "Because storms."}, gone_since=NOW)
    edges: list[Edge] = [e for n in old.nodes() for e in old.downstream(n.ref)]
    made.lifecycle.replace(graph_of([*(n for n in old.nodes() if n.ref != flights.GUSTY), changed], edges))
    assert said(inspector, "Why").startswith("Because storms.")
    assert "deleted just now" in inspector.kind.plain


def test_nothing_in_focus_is_a_friendly_page(seat: tuple[Desk, Inspector]) -> None:
    _, inspector = seat
    assert inspector.empty.isVisible()
    assert "who made it" in inspector.empty.text()


def test_markup_in_a_name_is_shown_not_obeyed(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    ref = refs.feature("flights", "v", "f")
    made.lifecycle.replace(graph_of([Node(ref, {"description": "<b>x</b> & y.", "owner": '<a href="http://x">o</a>'})]))
    made.focus.set(ref, "test")
    label: QLabel = inspector.answers.labels["What"]
    assert "&lt;b&gt;x&lt;/b&gt; &amp; y." in label.text()
    assert "http://x" not in inspector.answers.labels["Who"].links
    assert '<a href="http' not in inspector.answers.labels["Who"].text()


def test_links_follow_the_theme(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    made.appearance.force(DARK)
    assert DARK.accent in inspector.answers.labels["Why"].text()


def test_open_large_is_asked_for(qtbot: QtBot, seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    made.focus.set(flights.GUSTY, "test")
    with qtbot.waitSignal(inspector.expand_requested):
        qtbot.mouseClick(inspector.expand_button, Qt.MouseButton.LeftButton)


def test_a_long_metric_leaves_room_for_the_runs_names(seat: tuple[Desk, Inspector]) -> None:
    made, inspector = seat
    name = "validation_mean_average_precision_at_ten"
    nodes = [
        replace(n, facts={**n.facts, "metrics": {name: 0.741}}) if n.ref.kind is Kind.RUN else n
        for n in made.lifecycle.graph.nodes()
    ]
    edges = [edge for node in nodes for edge in made.lifecycle.graph.downstream(node.ref)]
    made.lifecycle.replace(graph_of(nodes, edges))
    made.focus.set(flights.GUSTY, "test")
    table = inspector.table
    assert name in str(table.uses.headerData(METRIC, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole))
    assert table.columnWidth(METRIC) <= 60
    assert table.columnWidth(RUN) >= 75
