"""What jobs and tasks tell that they read and write, as edges of the graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml import refs
from e2e_ml.lineage.graph import Evidence, Relation
from e2e_ml.refs import Kind
from tests.unit.lineage.openlineage_world import (
    CLEAN,
    RAW,
    World,
    airflow,
    dataset,
    edge,
    edges,
    facts,
    lineage,
    schema,
)
from tests.unit.openlineage.samples import recorded, run_event


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "events.db")


def test_a_job_that_is_not_airflows_ties_its_datasets(world: World) -> None:
    graph = world.graph(run_event())
    assert edges(graph) == {(RAW, Relation.FEEDS, CLEAN)}
    found = edge(graph, RAW, CLEAN)
    assert found.evidence is Evidence.OBSERVED
    assert found.reason == "spark/clean reads one and writes the other"
    assert found.seen_at is not None
    assert found.seen_at.isoformat() == "2026-01-02T00:00:00+00:00"
    assert facts(graph, RAW)["uri"] == "file:///data/raw.csv"
    assert facts(graph, CLEAN) == {"uri": "s3://lake/clean", "last_written": "2026-01-02T00:00:00+00:00"}


def test_what_airflows_provider_sent(world: World) -> None:
    graph = world.graph(*recorded())
    source, target = refs.dataset("file", "/data/weather.csv"), refs.dataset("s3://lake", "weather/hourly")
    dag = refs.dag("local", "weather.hourly")
    (instance,) = graph.refs(Kind.TASK_INSTANCE)
    assert instance.keys[0] == "weather.hourly"
    assert instance.keys[2:] == ("copy", "-1")
    temp = refs.column("file", "/data/weather.csv", "temp")
    celsius = refs.column("s3://lake", "weather/hourly", "celsius")
    assert edges(graph) == {
        (source, Relation.FEEDS, target),
        (source, Relation.CONTAINS, temp),
        (temp, Relation.FEEDS, celsius),
        (dag, Relation.PRODUCES, target),
        (source, Relation.READ_BY, instance),
        (instance, Relation.PRODUCES, target),
    }
    assert edge(graph, temp, celsius).reason == (
        "the column lineage of airflow-test/weather.hourly.copy (direct transformation)"
    )
    assert facts(graph, temp) == {"dtype": "double"}


def test_without_an_airflow_its_jobs_tie_their_datasets_all_the_same(tmp_path: Path) -> None:
    graph = World(tmp_path / "events.db", airflow=None).graph(*recorded())
    assert {relation for _, relation, _ in edges(graph)} == {Relation.FEEDS, Relation.CONTAINS}


def test_a_task_that_only_reads_is_one_that_its_dag_reads_in(world: World) -> None:
    graph = world.graph(airflow(outputs=[], index=3))
    dag = refs.dag("local", "trains")
    assert edges(graph) == {
        (RAW, Relation.READ_BY, dag),
        (RAW, Relation.READ_BY, refs.task_instance("local", "trains", "r1", "fit", 3)),
    }


def test_a_task_that_has_only_begun_says_nothing_of_what_it_does_not_write(world: World) -> None:
    graph = world.graph(airflow(outputs=[], eventType="START"))
    assert (RAW, Relation.READ_BY, refs.dag("local", "trains")) not in edges(graph)


@pytest.mark.parametrize("together", [True, False])
def test_the_events_of_a_run_add_up(world: World, together: bool) -> None:
    start, middle, end = (
        run_event(eventType="START", outputs=[]),
        run_event(eventType="RUNNING", inputs=[], outputs=[]),
        run_event(inputs=[]),
    )
    if together:
        graph = world.graph(start, middle, end)
    else:
        for event in (start, middle, end):
            graph = world.graph(event)
    assert edges(graph) == {(RAW, Relation.FEEDS, CLEAN)}
    assert world.index.cursor("openlineage:local")["open"] == {}


def test_only_a_run_that_completed_has_written(world: World) -> None:
    graph = world.graph(run_event(eventType="FAIL"))
    assert "last_written" not in facts(graph, CLEAN)
    assert (RAW, Relation.FEEDS, CLEAN) in edges(graph)  # it is what the job is for


def test_an_output_that_tells_of_its_columns_is_made_of_nothing_else(world: World) -> None:
    outputs = [
        dataset("s3://lake", "one", columnLineage=lineage(a=[("file", "/one.csv", "a")])),
        dataset("s3://lake", "two"),
    ]
    graph = world.graph(run_event(inputs=[dataset("file", "/one.csv"), dataset("file", "/two.csv")], outputs=outputs))
    fed = {(u.keys[0], d.keys[0]) for u, relation, d in edges(graph) if u.kind is d.kind is Kind.DATASET}
    assert fed == {("/one.csv", "one"), ("/one.csv", "two"), ("/two.csv", "two")}


@pytest.mark.parametrize(
    ("older", "said"),
    [
        ({"transformationType": "IDENTITY"}, "the column lineage of spark/clean (identity)"),
        (
            {"transformationType": "MASKED", "transformationDescription": "md5"},
            "the column lineage of spark/clean (md5)",
        ),
        ({}, "the column lineage of spark/clean"),
    ],
)
def test_column_lineage_in_its_older_form(world: World, older: dict[str, str], said: str) -> None:
    read = {"namespace": "file", "name": "/data/raw.csv", "field": "x"}
    facet = {"fields": {"a": {"inputFields": [read], **older}}}
    graph = world.graph(run_event(outputs=[dataset("s3://lake", "clean", columnLineage=facet)]))
    up, down = refs.column("file", "/data/raw.csv", "x"), refs.column("s3://lake", "clean", "a")
    assert edge(graph, up, down).reason == said


def test_a_task_instance_that_failed_has_written_nothing(world: World) -> None:
    instance = refs.task_instance("local", "etl", "r1", "load")
    failed = edges(world.graph(airflow("etl.load", "r1", eventType="FAIL")))
    assert (RAW, Relation.READ_BY, instance) in failed
    assert (instance, Relation.PRODUCES, CLEAN) not in failed
    again = edges(world.graph(airflow("etl.load", "r1", producer="its second try")))
    assert (instance, Relation.PRODUCES, CLEAN) in again


def test_spark_that_a_task_started_is_its_dags(world: World) -> None:
    parent = {
        "run": {"runId": "0190a1b2-0000-7000-8000-000000000007"},
        "job": {"namespace": "default", "name": "etl.submit"},
        "root": {
            "run": {"runId": "0190a1b2-0000-7000-8000-000000000008"},
            "job": {"namespace": "default", "name": "etl"},
        },
    }
    spark = run_event(run={"runId": "0190a1b2-0000-7000-8000-000000000009", "facets": {"parent": parent}})
    assert {d.kind for d in world.graph(spark).refs()} == {Kind.DATASET}  # who is to know that `etl` is a DAG?
    world.graph(airflow("etl.submit", inputs=[], outputs=[], eventType="START"))
    graph = world.graph({**spark, "producer": "again"})
    assert (refs.dag("local", "etl"), Relation.PRODUCES, CLEAN) in edges(graph)


def test_a_job_event_and_a_dataset_event(world: World) -> None:
    job = {"namespace": "default", "name": "my.dag.load", "facets": {"jobType": {"integration": "AIRFLOW"}}}
    told = run_event(job=job)
    del told["run"], told["eventType"]
    about = {"eventTime": "2026-01-02T00:00:00Z", "dataset": dataset("s3://lake", "clean", schema=schema("a"))}
    graph = world.graph(told, about)
    assert (refs.dag("local", "my.dag"), Relation.PRODUCES, CLEAN) in edges(graph)
    assert (RAW, Relation.FEEDS, CLEAN) in edges(graph)
    assert facts(graph, CLEAN)["columns"] == ["a"]
    assert "last_written" not in facts(graph, CLEAN)
