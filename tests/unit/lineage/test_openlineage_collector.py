"""The inbox is read page by page: what is remembered, what is passed over, and what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors import openlineage as module
from e2e_ml.lineage.collectors.http import Api, Connection
from e2e_ml.lineage.graph import Graph, Relation
from e2e_ml.refs import Kind
from tests.unit.lineage.openlineage_world import CLEAN, RAW, Through, World, airflow, dataset, edges, lineage, schema
from tests.unit.openlineage.samples import recorded, run_event


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "events.db")


def test_an_inbox_that_wants_a_token_where_none_is_given_leaves_the_events_out(tmp_path: Path) -> None:
    world = World(tmp_path / "events.db", authorization="")
    world.send(run_event())
    (batch,) = world.collector.collect({"after": 0})
    assert batch.cursor == {"after": 0}
    assert "OpenLineage events are left out" in batch.left_out
    assert len(world.visit()) == 0
    assert world.index.visited_at("openlineage:local") is None
    other = World(tmp_path / "events.db", authorization="Bearer another")  # that is a mistake, and no choice
    with pytest.raises(CollectError, match="refuses the login"):
        other.visit()


def test_only_the_newest_task_instances_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_INSTANCES", 3)
    graph = world.graph(*(airflow("etl.load", f"r{n}") for n in range(5)))
    assert sorted(ref.keys[1] for ref in graph.refs(Kind.TASK_INSTANCE)) == ["r2", "r3", "r4"]
    graph = world.graph(airflow("etl.load", "r5"))
    assert sorted(ref.keys[1] for ref in graph.refs(Kind.TASK_INSTANCE)) == ["r3", "r4", "r5"]
    assert (refs.dag("local", "etl"), Relation.PRODUCES, CLEAN) in edges(graph)


def test_pages_are_batches_and_nothing_is_read_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    world.send(*(run_event(outputs=[dataset("s3://lake", f"t{n}")]) for n in range(25)))
    assert world.visit().count(Kind.DATASET) == 26
    assert world.batches == 3
    cursor = world.index.cursor("openlineage:local")
    assert cursor["after"] == 25
    assert not world.index.upsert("openlineage:local", next(world.collector.collect(cursor)))
    world.graph(run_event(outputs=[dataset("s3://lake", "another")]))
    assert world.batches == 4


SOME = st.sampled_from(
    [
        run_event(eventType="START", outputs=[]),
        run_event(inputs=[]),
        run_event(eventType="FAIL", outputs=[dataset("s3://lake", "other", schema=schema("a", "b"))]),
        run_event(outputs=[dataset("s3://lake", "clean", columnLineage=lineage(a=[("file", "/data/raw.csv", "x")]))]),
        airflow("etl.load", "r1"),
        airflow("etl.load", "r2", outputs=[]),
        airflow("etl.load", "r3", eventType="START", outputs=[]),
        airflow("etl.load", "r3", inputs=[]),
        {"no": "event"},
        *recorded(),
    ]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(SOME, max_size=12), size=st.integers(1, 4))
def test_the_graph_is_the_same_however_its_pages_are_cut(
    events: list[dict[str, Any]], size: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[Graph] = []
    for page in (200, size):
        monkeypatch.setattr(module, "PAGE", page)
        world = World(tmp_path_factory.mktemp("world") / "events.db")
        graphs.append(world.graph(*({**event, "producer": f"{n}"} for n, event in enumerate(events))))
        world.inbox.close()
    one, two = graphs
    assert edges(one) == edges(two)
    assert {node.ref: node.facts for node in one.nodes()} == {node.ref: node.facts for node in two.nodes()}


def test_an_inbox_that_was_made_anew_is_read_from_its_start(world: World) -> None:
    world.graph(*(run_event(producer=f"{n}") for n in range(5)))
    world.inbox.close()
    for path in world.path.parent.iterdir():
        path.unlink()
    graph = world.graph(run_event(outputs=[dataset("s3://lake", "of the new one")]))
    assert refs.dataset("s3://lake", "of the new one") in graph


def test_an_older_copy_of_an_inbox_is_read_from_its_start(world: World) -> None:
    world.send(run_event())
    world.inbox.close()
    older = world.path.read_bytes()
    world.graph(*(run_event(producer=f"{n}") for n in range(5)))
    world.inbox.close()
    for path in world.path.parent.iterdir():
        path.unlink()
    world.path.write_bytes(older)
    graph = world.graph(run_event(outputs=[dataset("s3://lake", "since then")]))
    assert refs.dataset("s3://lake", "since then") in graph


def test_an_empty_inbox_is_a_visit_that_succeeded(world: World) -> None:
    assert len(world.visit()) == 0
    assert world.index.visited_at("openlineage:local") is not None
    assert edges(world.graph(run_event())) == {(RAW, Relation.FEEDS, CLEAN)}


def test_events_that_cannot_be_read_are_passed_over(world: World) -> None:
    graph = world.graph({"no": "event"}, run_event(outputs=[dataset("n", "t", schema={"fields": 3})]), run_event())
    assert edges(graph) == {(RAW, Relation.FEEDS, CLEAN)}


def test_a_column_without_a_name_is_passed_over(world: World) -> None:
    columns: Any = lineage(**{"": [("file", "/data/raw.csv", "temp")]})
    graph = world.graph(run_event(outputs=[dataset("s3://lake", "clean", columnLineage=columns)]))
    assert edges(graph) == {(RAW, Relation.FEEDS, CLEAN)}


def test_a_wrong_key_is_a_sentence(tmp_path: Path) -> None:
    world = World(tmp_path / "events.db")
    connection = Connection("local", lambda: "http://127.0.0.1", lambda: {"authorization": "Bearer wrong"})
    world.collector._api = Api("The inbox", connection, Through(world.path))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(CollectError, match="refuses the login"):
        world.visit()
