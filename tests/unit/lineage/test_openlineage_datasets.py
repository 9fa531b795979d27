"""What events tell of a dataset and its columns, and when they are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.graph import FACTS, Graph, Node, Relation
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage.batches import batch
from tests.unit.lineage.openlineage_world import CLEAN, RAW, World, dataset, edges, facts, lineage, schema
from tests.unit.openlineage.samples import run_event


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "events.db")


def test_what_is_known_of_a_dataset(world: World) -> None:
    metrics = {"rowCount": 3, "columnMetrics": {"temp": {"nullCount": 1, "min": -3.5}}}
    checks = {
        "assertions": [
            {"assertion": "not_null", "success": False, "column": "temp"},
            {"assertion": "row_count", "success": True},
        ]
    }
    output = dataset(
        *("s3://lake", "clean"),
        schema={"fields": [{"name": "temp", "type": "double", "description": "in F"}]},
        ownership={"owners": [{"name": "ann"}, {"name": "bob"}]},
        documentation={"description": "Clean rows."},
        dataQualityMetrics=metrics,
        dataQualityAssertions=checks,
    )
    graph = world.graph(run_event(outputs=[output]))
    found = facts(graph, CLEAN)
    assert found["columns"] == ["temp"]
    assert found["owner"] == "ann, bob"
    assert found["description"] == "Clean rows."
    assert found["quality"] == {
        "at": "2026-01-02T00:00:00+00:00",
        "rows": 3,
        "columns": {"temp": {"null_count": 1, "min": -3.5}},
        "assertions": [
            {"assertion": "not_null", "success": False, "column": "temp"},
            {"assertion": "row_count", "success": True},
        ],
        "failed": 1,
    }
    assert facts(graph, refs.column("s3://lake", "clean", "temp")) == {
        "dtype": "double",
        "description": "in F",
        "quality": {"null_count": 1, "min": -3.5},
    }
    for node in graph.nodes():
        assert set(node.facts) <= {*FACTS[node.ref.kind]}
    # A later run that tells less leaves the rest as it was.
    later = world.graph(run_event(eventTime="2026-01-03T00:00:00Z"))
    assert facts(later, CLEAN) == {**found, "last_written": "2026-01-03T00:00:00+00:00"}


def test_quality_of_an_input_is_the_inputs(world: World) -> None:
    given = {
        **dataset("file", "/data/raw.csv"),
        "inputFacets": {"dataQualityMetrics": {"rowCount": 9, "columnMetrics": {}}},
    }
    graph = world.graph(run_event(inputs=[given]))
    assert facts(graph, RAW)["quality"]["rows"] == 9
    assert "quality" not in facts(graph, CLEAN)


def test_a_feature_views_dataset_stands_for_it_and_its_columns_are_features(world: World) -> None:
    output = dataset(
        *("festaf://flights", "weather"),
        schema=schema("temp", "freezing"),
        columnLineage=lineage(freezing=[("file", "/data/raw.csv", "temp")]),
        symlinks={"identifiers": [{"namespace": "file", "name": "/store/offline/weather", "type": "LOCATION"}]},
    )
    graph = world.graph(run_event(outputs=[output]))
    named, place = refs.dataset("festaf://flights", "weather"), refs.dataset("file", "/store/offline/weather")
    view, feature = refs.feature_view("flights", "weather"), refs.feature("flights", "weather", "freezing")
    assert edges(graph) == {
        (RAW, Relation.FEEDS, named),
        (named, Relation.STANDS_FOR, view),
        (named, Relation.STANDS_FOR, place),
        (refs.column("file", "/data/raw.csv", "temp"), Relation.FEEDS, feature),
    }
    assert facts(graph, named)["uri"] == str(view)
    assert facts(graph, place)["uri"] == "file:///store/offline/weather"
    read = run_event(
        job={"namespace": "spark", "name": "report"},
        inputs=[dataset("festaf://flights", "weather")],
        outputs=[dataset("s3://lake", "report", columnLineage=lineage(x=[("festaf://flights", "weather", "temp")]))],
    )
    column = refs.column("s3://lake", "report", "x")
    assert (refs.feature("flights", "weather", "temp"), Relation.FEEDS, column) in edges(world.graph(read))


def test_what_a_feature_store_tells_of_as_well_is_gone_when_it_says_so(world: World) -> None:
    output = dataset("festaf://flights", "weather", columnLineage=lineage(temp=[("file", "/data/raw.csv", "temp")]))
    feature = refs.feature("flights", "weather", "temp")
    world.index.upsert("festaf:local", batch([Node(feature)]))
    world.graph(run_event(outputs=[output]))
    world.index.upsert("festaf:local", batch([], complete=[Kind.FEATURE]))
    assert feature not in world.index.graph()  # nothing stands on it


def test_a_dataset_that_is_dropped_is_gone(world: World) -> None:
    world.graph(run_event())
    drop = run_event(
        inputs=[], outputs=[dataset("s3://lake", "clean", lifecycleStateChange={"lifecycleStateChange": "DROP"})]
    )
    assert CLEAN not in world.graph(drop)
    assert CLEAN in world.graph(run_event(eventTime="2026-01-04T00:00:00Z"))
    renamed = dataset(
        *("s3://lake", "cleaner"),
        lifecycleStateChange={
            "lifecycleStateChange": "RENAME",
            "previousIdentifier": {"namespace": "s3://lake", "name": "clean"},
        },
    )
    graph = world.graph(run_event(outputs=[renamed]))
    assert CLEAN not in graph
    assert refs.dataset("s3://lake", "cleaner") in graph


def columns(graph: Graph, ref: Ref) -> dict[str, bool]:
    """The columns of a dataset that are seen, and whether they are still there."""
    found = (n for n in graph.nodes(Kind.COLUMN) if n.ref.parent == ref)
    return {node.ref.keys[1]: node.gone_since is None for node in found}


@pytest.mark.parametrize("pages", [1, 2])
def test_a_column_that_left_the_schema_is_gone(world: World, pages: int) -> None:
    def written(*names: str, at: str, **more: Any) -> dict[str, Any]:
        output = dataset("s3://lake", "clean", schema=schema(*names))
        return run_event(inputs=[], outputs=[output], eventTime=f"2026-01-{at}T00:00:00Z", **more)

    first, second = written("temp", "wind", at="02"), written("temp", "rain", at="03")
    if pages == 1:
        world.send(first, second)
    else:
        assert columns(world.graph(first), CLEAN) == {"temp": True, "wind": True}
        world.send(second)
    graph = world.visit()
    assert columns(graph, CLEAN) == {"temp": True, "rain": True}
    assert (CLEAN, Relation.CONTAINS, refs.column("s3://lake", "clean", "rain")) in edges(graph)
    running = written("temp", at="04", eventType="START", producer="another")  # it may yet fail
    assert columns(world.graph(running), CLEAN) == {"temp": True, "rain": True}
    assert columns(world.graph(written("temp", "wind", at="05")), CLEAN) == {"temp": True, "wind": True}
    described = {"eventTime": "2026-01-06T00:00:00Z", "dataset": dataset("s3://lake", "clean", schema=schema("wind"))}
    assert columns(world.graph(described), CLEAN) == {"wind": True}
    assert columns(world.graph(run_event(inputs=[], eventTime="2026-01-07T00:00:00Z")), CLEAN) == {"wind": True}


def test_who_reads_some_columns_of_a_dataset_takes_none_away(world: World) -> None:
    world.graph(run_event(inputs=[], outputs=[dataset("file", "/data/raw.csv", schema=schema("temp", "wind"))]))
    reads = run_event(inputs=[dataset("file", "/data/raw.csv", schema=schema("temp"))], outputs=[])
    assert columns(world.graph(reads), RAW) == {"temp": True, "wind": True}


def test_a_column_that_left_is_marked_while_others_are_made_of_it(world: World) -> None:
    made = lineage(heat=[("file", "/data/raw.csv", "temp")])
    world.graph(
        run_event(inputs=[], outputs=[dataset("file", "/data/raw.csv", schema=schema("temp", "wind"))]),
        run_event(outputs=[dataset("s3://lake", "clean", schema=schema("heat"), columnLineage=made)]),
        run_event(inputs=[], outputs=[dataset("file", "/data/raw.csv", schema=schema("rain"))]),
    )
    assert columns(world.index.graph(), RAW) == {"temp": False, "rain": True}


def test_an_event_that_comes_late_takes_no_newer_column_away(world: World) -> None:
    world.graph(
        run_event(outputs=[dataset("s3://lake", "clean", schema=schema("new"))], eventTime="2026-01-09T00:00:00Z"),
        run_event(outputs=[dataset("s3://lake", "clean", schema=schema("old"))], eventTime="2026-01-08T00:00:00Z"),
    )
    assert columns(world.index.graph(), CLEAN) == {"new": True}
