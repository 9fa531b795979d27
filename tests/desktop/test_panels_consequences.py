"""What a change touches, what is late upstream, what sets versions apart, what hangs loose: said, and shown."""

from __future__ import annotations

from datetime import UTC, datetime

from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.panels import consequences
from e2e_ml.desktop.panels.consequences import Line
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Ref
from tests.desktop import lifecycles as flights
from tests.desktop.conftest import Open

NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
SOURCE = refs.source("p", "raw")
VIEW, WORN = refs.feature_view("p", "drives"), refs.feature_view("p", "worn")
KM, AGE = refs.feature("p", "drives", "km"), refs.feature("p", "worn", "age")
LOAD, IDLE = refs.dag("a", "load"), refs.dag("a", "idle")
OLD, NEW = refs.run("m", "old"), refs.run("m", "new")
MODEL = refs.registered_model("m", "eta")
V1, V2 = refs.model_version("m", "eta", 1), refs.model_version("m", "eta", 2)


def text(lines: list[Line]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


def lifecycle() -> Graph:
    start = {OLD: "2026-11-01T00:00:00Z", NEW: "2026-11-20T00:00:00Z"}
    nodes = [
        Node(SOURCE),
        Node(VIEW, {"owner": "fleet", "owner_email": "fleet@example.com", "dag_id": "load", "schedule": "@daily"}),
        Node(WORN),
        Node(KM, {"changed_at": "2026-11-10T00:00:00Z"}),
        Node(AGE),
        Node(refs.feature("p", "drives", "idle_minutes")),
        Node(LOAD, {"last_state": "failed", "last_reason": "extract failed: no column 'km'.", "owner": "ops"}),
        Node(IDLE),
        Node(OLD, {"start": start[OLD], "params": {"depth": "3"}, "inputs": [{"name": "train", "digest": "aa"}]}),
        Node(NEW, {"start": start[NEW], "params": {"depth": "5"}, "inputs": [{"name": "train", "digest": "bb"}]}),
        Node(MODEL, {"aliases": {"champion": "2"}}),
        Node(V1, {"run_id": "old"}),
        Node(V2, {"run_id": "new", "tags": {"serving.endpoint": "eta-live"}}),
    ]
    ties = [
        (SOURCE, VIEW, Relation.FEEDS), (VIEW, KM, Relation.CONTAINS), (WORN, AGE, Relation.CONTAINS),
        (VIEW, refs.feature("p", "drives", "idle_minutes"), Relation.CONTAINS),
        (KM, OLD, Relation.TRAINS), (KM, NEW, Relation.TRAINS), (AGE, NEW, Relation.TRAINS),
        (OLD, V1, Relation.LOGGED), (NEW, V2, Relation.LOGGED),
        (V1, MODEL, Relation.VERSION_OF), (V2, MODEL, Relation.VERSION_OF),
    ]  # fmt: skip
    return graph_of(nodes, [Edge(up, down, relation, Evidence.DECLARED) for up, down, relation in ties])


def test_one_thing_stands_and_several_stand() -> None:
    feature = refs.feature("p", "drives", "idle_minutes")
    service = refs.feature_service("p", "eta")
    graph = graph_of([Node(feature), Node(service)], [Edge(feature, service, Relation.FEEDS, Evidence.DECLARED)])
    assert text(consequences.if_it_changes(graph, feature)).startswith("1 feature service stands on it")


def test_a_change_names_what_is_in_use_and_whom_to_tell() -> None:
    said = text(consequences.if_it_changes(lifecycle(), SOURCE))
    assert "2 features, 2 runs, 2 model versions, 1 endpoint stand on it" in said
    assert "In use: eta v2 (champion)" in said
    assert "Tell fleet" in said
    assert "ops" not in said, "who makes it is upstream of it"


def test_nothing_is_said_of_what_nothing_stands_on() -> None:
    assert consequences.if_it_changes(lifecycle(), MODEL) == []


def test_the_first_that_failed_upstream_is_named_with_its_reason() -> None:
    said = text(consequences.upstream_trouble(lifecycle(), V2, NOW))
    assert said.startswith("First load")
    assert "no column 'km'" in said
    assert "worn" in said, "no pipeline makes it"


def test_a_feature_does_not_repeat_what_its_pipeline_says() -> None:
    assert "load" not in text(consequences.upstream_trouble(lifecycle(), KM, NOW))


def test_two_versions_are_set_apart_by_features_definitions_data_and_settings() -> None:
    graph = lifecycle()
    assert consequences.compared_with(graph, V1) == V2, "the champion"
    assert consequences.compared_with(graph, V2) == V1, "the one before"
    said = text(consequences.difference(graph, V1, V2))
    assert "Added age" in said
    assert "Redefined in between km" in said
    assert "train aa → bb" in said
    assert "depth 3 → 5" in said


def test_loose_ends_are_listed_under_what_they_are() -> None:
    lists = dict(consequences.loose_ends(lifecycle()))
    unmade, unused, unread, unknown = (text(lines) for lines in lists.values())
    assert "worn carries eta" in unmade
    assert "drives.idle_minutes" in unused
    assert "km" not in unused
    assert unread == "Everything that is made is read."
    assert "idle" in unknown


def test_the_inspector_tells_them_and_the_page_at_the_right_opens_and_closes(
    qtbot: QtBot, open_workbench: Open
) -> None:
    workbench = open_workbench(flights.flights())
    window = workbench.window
    feature: Ref = flights.GUSTY
    workbench.focus.set(feature, "test")
    follows = window.inspector.follows
    assert not follows.trouble.isVisibleTo(window)
    assert not follows.comparison.isVisibleTo(window)
    assert "flight-delay v3 (champion)" in follows.touched.plain
    window.toggle_loose_ends()
    qtbot.waitUntil(lambda: bool(window.loose_ends.sections), timeout=10_000)
    heading = "Features that no model uses"
    assert "is_freezing" in window.loose_ends.sections[heading][1].plain
    window.toggle_loose_ends()
    assert window.side.currentWidget() is window.inspector
