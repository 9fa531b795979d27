"""The explorer as a person uses it: real widgets, a graph shaped like the demo's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.panels import tree
from e2e_ml.desktop.panels.explorer import ORIGIN, Explorer
from e2e_ml.desktop.panels.row_delegate import row_left
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights
from tests.desktop.panels import Desk, desk

NOW = flights.NOW


@pytest.fixture
def seat(qtbot: QtBot) -> tuple[Desk, Explorer]:
    made = desk()
    explorer = Explorer(made.lifecycle, made.focus, made.appearance, clock=lambda: NOW)
    qtbot.addWidget(explorer)
    explorer.resize(280, 900)
    explorer.show()
    return made, explorer


def listed(explorer: Explorer) -> list[str]:
    """What a person can see or scroll to: every row whose branches are open."""
    found: list[str] = []
    index = explorer.model.index(0, 0)
    while index.isValid():
        found.append(str(index.data()))
        index = explorer.tree.indexBelow(index)
    return found


def at(explorer: Explorer, ref: Ref) -> QModelIndex:
    index = explorer.model.index_of(ref)
    assert index.isValid(), f"{ref} is not listed"
    return index


def follows(qtbot: QtBot, explorer: Explorer) -> None:
    qtbot.waitUntil(lambda: not explorer.is_behind)


def shown(explorer: Explorer, ref: Ref) -> tree.Shown:
    found = explorer.model.shown_at(at(explorer, ref))
    assert found is not None
    return found


def click(qtbot: QtBot, explorer: Explorer, ref: Ref, x: int | None = None) -> None:
    rect = explorer.tree.visualRect(at(explorer, ref))
    point = rect.center() if x is None else QPoint(x, rect.center().y())
    qtbot.mouseClick(explorer.tree.viewport(), Qt.MouseButton.LeftButton, pos=point)


def test_features_are_listed_under_their_views_and_services(seat: tuple[Desk, Explorer]) -> None:
    _, explorer = seat
    rows = listed(explorer)
    assert rows[0] == "Views"
    place = rows.index("hourly_weather")
    assert rows[place + 1 : place + 7] == ["temp", "wind_speed", "visib", "gusty", "is_freezing", "wind_mean_6h"]
    assert rows[rows.index("Services") + 1] == "flight_delay"
    assert explorer.search.placeholderText() == "Filter 19 features"


def test_what_only_the_lineage_of_columns_tells_of_is_listed_as_no_feature(seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    old, key = made.lifecycle.graph, flights.feature_ref("hourly_weather", "origin")
    column = refs.column("file", "/data/weather.parquet", "origin")
    edges = [edge for node in old.nodes() for edge in old.downstream(node.ref)]
    edges += [Edge(column, key, Relation.FEEDS, Evidence.OBSERVED)]
    made.lifecycle.replace(graph_of([*old.nodes(), Node(column), Node(key)], edges))
    assert key in made.lifecycle.graph
    rows = listed(explorer)
    assert "temp" in rows
    assert "origin" not in rows


@pytest.mark.parametrize(
    ("view", "mark", "chip", "right"),
    [
        ("hourly_weather", "fresh, 12 min", None, ""),
        ("carrier_delay", "late, 12 min", "late, 12 min", ""),
        ("route_delay", "failed", "failed", ""),
        ("plane", None, None, "no time"),
        ("runway_in_use", "no pipeline", "no pipeline", ""),
    ],
)
def test_a_view_says_how_it_stands(
    seat: tuple[Desk, Explorer], view: str, mark: str | None, chip: str | None, right: str
) -> None:
    _, explorer = seat
    row = shown(explorer, flights.view_ref(view))
    if mark is not None:
        assert row.mark is not None
        assert row.mark.word == mark
    assert (row.chip.word if row.chip else None) == chip
    assert row.right == right


def test_search_narrows_as_one_types_and_gives_the_tree_back(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    _, explorer = seat
    before = listed(explorer)
    qtbot.keyClicks(explorer.search, "weather wind")
    assert listed(explorer) == ["Views", "hourly_weather", "wind_speed", "wind_mean_6h"]
    qtbot.keyClick(explorer.search, Qt.Key.Key_Escape)
    assert listed(explorer) == before


def test_search_finds_by_owner_and_tag(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    _, explorer = seat
    qtbot.keyClicks(explorer.search, "ML-Team")
    assert listed(explorer) == ["Services", "flight_delay"]


def test_a_search_without_answer_says_so(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    _, explorer = seat
    qtbot.keyClicks(explorer.search, "zeppelin")
    assert explorer.empty.isVisible()
    assert "zeppelin" in explorer.empty.text()


def test_enter_in_the_search_goes_to_the_first_find(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    qtbot.keyClicks(explorer.search, "mean_14d")
    qtbot.keyClick(explorer.search, Qt.Key.Key_Return)
    assert made.focus.current == flights.feature_ref("route_delay", "delay_mean_14d")


def test_a_click_moves_the_focus_once(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    click(qtbot, explorer, flights.feature_ref("hourly_weather", "temp"))
    assert made.moves == [(flights.feature_ref("hourly_weather", "temp"), ORIGIN)]


def test_the_focus_selects_without_an_echo(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.focus.set(flights.GUSTY, "airflow")
    follows(qtbot, explorer)
    assert explorer.selected() == flights.GUSTY
    assert explorer.tree.selectionModel().isSelected(at(explorer, flights.GUSTY))
    qtbot.wait(250)  # longer than the pause after keys: an echo would have come
    assert made.moves == [(flights.GUSTY, "airflow")]


def test_a_focus_that_is_not_listed_selects_what_holds_it_or_nothing(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.focus.set(flights.feature_ref("hourly_weather", "never_heard_of"), "palette")
    follows(qtbot, explorer)
    assert explorer.selected() == flights.view_ref("hourly_weather")
    made.focus.set(flights.CHAMPION, "palette")
    follows(qtbot, explorer)
    assert explorer.selected() is None


def test_arrow_keys_drive_the_focus_after_a_pause(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.focus.set(flights.feature_ref("hourly_weather", "temp"), "palette")
    follows(qtbot, explorer)
    explorer.tree.setFocus()
    for _ in range(3):
        qtbot.keyClick(explorer.tree, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: made.focus.current == flights.GUSTY)
    assert [origin for _, origin in made.moves] == ["palette", ORIGIN]


def test_the_chevron_folds_without_moving_the_focus(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    view = flights.view_ref("hourly_weather")
    click(qtbot, explorer, view, row_left(1) + 5)
    assert not explorer.tree.isExpanded(at(explorer, view))
    assert "gusty" not in listed(explorer)
    assert made.moves == []


def test_a_focus_from_elsewhere_opens_the_branch(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    explorer.tree.collapse(at(explorer, flights.view_ref("hourly_weather")))
    made.focus.set(flights.GUSTY, "mlflow")
    follows(qtbot, explorer)
    assert explorer.tree.isExpanded(at(explorer, flights.view_ref("hourly_weather")))


def test_a_new_graph_keeps_expansion_and_selection(seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.focus.set(flights.feature_ref("plane", "seats"), "palette")
    explorer.tree.collapse(at(explorer, flights.view_ref("hourly_weather")))
    old = made.lifecycle.graph
    added = Node(flights.view_ref("a_new_view"), {"event_time": "at"})
    made.lifecycle.replace(graph_of([*old.nodes(), added], [e for n in old.nodes() for e in old.downstream(n.ref)]))
    assert "a_new_view" in listed(explorer)
    assert not explorer.tree.isExpanded(at(explorer, flights.view_ref("hourly_weather")))
    assert explorer.tree.isExpanded(at(explorer, flights.view_ref("plane")))
    assert explorer.selected() == flights.feature_ref("plane", "seats")
    assert made.moves == [(flights.feature_ref("plane", "seats"), "palette")]


def test_a_graph_with_the_same_rows_resets_nothing(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    with qtbot.assertNotEmitted(explorer.model.modelReset):
        made.lifecycle.replace(flights.flights())


def test_pipelines_with_their_runs(seat: tuple[Desk, Explorer]) -> None:
    _, explorer = seat
    explorer.show_stage("Pipelines")
    rows = listed(explorer)
    assert rows[:2] == ["DAGs", "flights.train"]
    assert "festaf.flights" in rows
    assert "hourly_weather" in rows
    late = at(explorer, flights.dag_ref("festaf.flights.carrier_delay"))
    told = explorer.model.shown_at(late)
    assert told is not None
    assert told.chip is not None
    assert told.chip.word == "late, 12 min"
    newest = explorer.model.shown_at(explorer.model.index(0, 0, late))
    assert newest is not None
    assert newest.text == "scheduled 14:00"
    assert newest.right == "9 s"


@pytest.mark.parametrize(
    ("stage", "ref", "right", "chip"),
    [
        ("Experiments", refs.run("local", flights.RUNS[0][0]), "0.741", None),
        ("Models", flights.CHAMPION, "0.741", "champion"),
        ("Data", refs.entity("flights", "carrier"), "string", None),
    ],
)
def test_other_stages(seat: tuple[Desk, Explorer], stage: str, ref: Ref, right: str, chip: str | None) -> None:
    _, explorer = seat
    explorer.show_stage(stage)
    row = shown(explorer, ref)
    assert row.right == right
    assert (row.chip.word if row.chip else None) == chip


@pytest.mark.parametrize("stage", list(tree.STAGES))
def test_an_empty_stage_says_what_would_fill_it(seat: tuple[Desk, Explorer], stage: str) -> None:
    made, explorer = seat
    made.lifecycle.replace(graph_of())
    explorer.show_stage(stage)
    assert explorer.empty.isVisible()
    assert explorer.empty.text() == tree.STAGES[stage].empty


def test_every_listed_kind_belongs_to_the_stage_that_lists_it() -> None:
    graph = flights.flights()

    def kinds(rows: tuple[tree.Row, ...]) -> set[Kind]:
        return {row.ref.kind for row in rows if row.ref} | {k for row in rows for k in kinds(row.children)}

    for stage in tree.STAGES.values():
        for kind in kinds(stage.build(graph)):
            assert tree.stage_for(kind) == stage.name


def test_thousands_of_features_are_found_by_typing(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.lifecycle.replace(flights.flights(extra_features=5000))
    qtbot.waitUntil(lambda: explorer.search.placeholderText() == "Filter 5,019 features")
    qtbot.keyClicks(explorer.search, "sensor_0421")
    assert listed(explorer) == ["Views", "telemetry", *(f"sensor_0421{i}" for i in range(10))]


def test_a_long_list_is_made_beside_what_else_there_is_to_do(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.lifecycle.replace(flights.flights(extra_features=5000))
    assert "telemetry" not in listed(explorer)
    made.focus.set(flights.GUSTY, "airflow")
    qtbot.waitUntil(lambda: explorer.selected() == flights.GUSTY)
    assert "telemetry" not in listed(explorer)
    follows(qtbot, explorer)
    assert "telemetry" in listed(explorer)
    assert explorer.selected() == flights.GUSTY


def test_while_a_stage_is_listed_nothing_of_another_is_shown(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    explorer.show_stage("Data")
    made.lifecycle.replace(flights.flights(extra_features=5000))
    explorer.show_stage("Features")
    assert explorer.empty.text() == "Listing 5,019 features …"
    assert explorer.empty.isVisible()
    follows(qtbot, explorer)
    assert explorer.tree.isVisible()
    assert listed(explorer)[0] == "Views"


def test_a_list_that_is_still_being_made_gives_way_to_a_newer_one(qtbot: QtBot, seat: tuple[Desk, Explorer]) -> None:
    made, explorer = seat
    made.lifecycle.replace(flights.flights(extra_features=5000))
    made.lifecycle.replace(flights.flights())
    with qtbot.assertNotEmitted(explorer.model.modelReset, wait=200):
        pass
    assert "telemetry" not in listed(explorer)


def test_what_a_row_shows_grows_old_by_itself(qtbot: QtBot) -> None:
    made, now = desk(), [NOW]
    explorer = Explorer(made.lifecycle, made.focus, made.appearance, clock=lambda: now[0])
    qtbot.addWidget(explorer)
    before = shown(explorer, flights.view_ref("hourly_weather")).mark
    now[0] += timedelta(days=3)
    with qtbot.assertNotEmitted(explorer.model.modelReset):
        explorer.tick.timeout.emit()
    after = shown(explorer, flights.view_ref("hourly_weather")).mark
    assert before is not None
    assert after is not None
    assert (before.word, after.word) == ("fresh, 12 min", "late, 3 days")


def test_narrowing_keeps_what_stands_below_a_row_found_by_itself() -> None:
    def tell(_now: datetime) -> tree.Shown:
        return tree.Shown("x")

    leaf = tree.Row("leaf", tell, flights.GUSTY, search="leaf")
    row = tree.Row("row", tell, flights.view_ref("x"), search="winter", children=(leaf,))
    heading = tree.Row("winter", tell, children=(row,))
    assert tree.narrow([heading], "winter") == (heading,)
    assert tree.narrow([heading], "leaf") == (heading,)
    assert tree.narrow([replace(heading, children=(leaf,))], "winter") == ()
