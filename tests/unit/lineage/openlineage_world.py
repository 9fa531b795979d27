"""An inbox of OpenLineage events behind its real server, the graph that is made of them, and events to send."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from e2e_ml import refs
from e2e_ml.lineage.collectors.http import Api, Connection
from e2e_ml.lineage.collectors.openlineage import OpenLineageCollector
from e2e_ml.lineage.graph import Edge, Graph, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.openlineage.inbox import Inbox
from e2e_ml.openlineage.server import create_app
from e2e_ml.refs import Ref
from tests.unit.openlineage.samples import run_event

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
