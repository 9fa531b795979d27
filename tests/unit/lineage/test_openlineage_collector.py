"""Events as the graph that is made of them: datasets, columns, DAGs, task instances, and what is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors import openlineage as module
from e2e_ml.lineage.collectors.http import Api, Connection
from e2e_ml.lineage.collectors.openlineage import OpenLineageCollector
from e2e_ml.lineage.graph import FACTS, Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.openlineage.inbox import Inbox
from e2e_ml.openlineage.server import create_app
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage.batches import batch
from tests.unit.openlineage.samples import recorded, run_event

RAW, CLEAN = refs.dataset("file", "/data/raw.csv"), refs.dataset("s3://lake", "clean")


class Through(httpx.BaseTransport):
    """Requests straight into an application, without a port."""

    def __init__(self, path: Path) -> None:
        self._client = TestClient(create_app(path, key="key"), base_url="http://127.0.0.1")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._client.get(str(request.url), headers=dict(request.headers))
        return httpx.Response(answer.status_code, content=answer.content, request=request)


class World:
    """An inbox behind its real server, a collector that reads it, and the index that it fills."""

    def __init__(self, path: Path, airflow: str | None = "local", **headers: str) -> None:
        self.path = path
        self.inbox = Inbox(path)
        self.index = Index(None)
        self.batches = 0
        headers = headers or {"authorization": "Bearer key"}
        connection = Connection("local", lambda: "http://127.0.0.1", lambda: {k: v for k, v in headers.items() if v})
        self.collector = OpenLineageCollector(connection, airflow)
        api = Api("The inbox of OpenLineage events", connection, Through(path))
        self.collector._api = api  # pyright: ignore[reportPrivateUsage]

    def send(self, *events: Mapping[str, Any]) -> None:
        self.inbox.append(events)

    def visit(self) -> Graph:
        cursor = self.index.cursor(self.collector.name)
        for read in self.collector.collect(cursor):
            self.batches += 1
            self.index.upsert(self.collector.name, json_like(read))
        return self.index.graph()

    def graph(self, *events: Mapping[str, Any]) -> Graph:
        self.send(*events)
        return self.visit()


def json_like(batch: Any) -> Any:
    json.dumps(batch.cursor)  # it is kept as JSON
    return batch


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "events.db")


def edges(graph: Graph) -> set[tuple[Ref, Relation, Ref]]:
    return {(e.upstream, e.relation, e.downstream) for ref in graph.refs() for e in graph.downstream(ref)}


def edge(graph: Graph, up: Ref, down: Ref) -> Edge:
    (found,) = (e for e in graph.downstream(up) if e.downstream == down)
    return found


def facts(graph: Graph, ref: Ref) -> Mapping[str, Any]:
    node = graph.get(ref)
    assert node is not None, f"{ref} is not there"
    return node.facts


def dataset(namespace: str, name: str, **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


def schema(*columns: str) -> dict[str, Any]:
    return {"fields": [{"name": name, "type": "double"} for name in columns]}


def lineage(**columns: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    transformed = [{"type": "DIRECT", "subtype": "TRANSFORMATION"}]
    fields = {
        name: {
            "inputFields": [
                {"namespace": n, "name": d, "field": f, "transformations": transformed} for n, d, f in inputs
            ]
        }
        for name, inputs in columns.items()
    }
    return {"fields": fields}


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


def airflow(job: str = "trains.fit", run: str = "r1", index: int | None = None, **changes: Any) -> dict[str, Any]:
    dag_id, _, task_id = job.rpartition(".")
    facet = {
        "dag": {"dag_id": dag_id},
        "dagRun": {"run_id": run},
        "task": {"task_id": task_id},
        "taskInstance": {"try_number": 1, **({"map_index": index} if index is not None else {})},
    }
    number = abs(hash((job, run, index))) % 10**12
    run_id = f"00000000-0000-7000-8000-{number:012d}"
    return run_event(
        **{
            "run": {"runId": run_id, "facets": {"airflow": facet}},
            "job": {"namespace": "default", "name": job},
            **changes,
        }
    )


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
