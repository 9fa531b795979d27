"""Cases as answers of Airflow's and MLflow's REST APIs, read by the real collectors.

A file in `answers/` is YAML, one document a case: `airflow` and `mlflow` hold the items that the lists of their APIs
are made of, in the fields of those APIs; `sources` the text of DAGs, `files` artifacts by what their address holds.
Feature stores and the truth are told as in `cases`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import httpx
import yaml

from e2e_ml.lineage.collectors import Collector
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.graph import Node
from e2e_ml.refs import Ref
from tests.corpus.cases import AIRFLOW, HERE, MLFLOW, Case, case_of

Answer = Callable[[httpx.Request], httpx.Response]
_LISTS = {  # path -> the key of its items
    r"/api/v2/dags": "dags",
    r"/api/v2/dags/[^/]+/dagRuns": "dag_runs",
    r"/api/v2/dags/[^/]+/dagRuns/[^/]+/taskInstances": "task_instances",
    r"/api/v2/dags/[^/]+/dagVersions": "dag_versions",
    r"/api/v2/assets": "assets",
    r"/api/v2/assets/events": "asset_events",
}
_MLFLOW = "/api/2.0/mlflow/"
_SEARCHES = {
    "experiments/search": "experiments",
    "runs/search": "runs",
    "logged-models/search": "models",
    "registered-models/search": "registered_models",
    "model-versions/search": "model_versions",
}


def cases() -> Iterator[Case]:
    for file in sorted((HERE / "answers").glob("*.yaml")):
        for told in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            yield _case(told)


def _case(told: Mapping[str, Any]) -> Case:
    plain = case_of({key: told[key] for key in ("case", "stores", "truth", "also") if key in told})
    facts: dict[Ref, dict[str, Any]] = {node.ref: dict(node.facts) for node in plain.nodes}
    links = set(plain.told)
    answers: list[tuple[Any, str, Answer]] = [
        (AirflowCollector, AIRFLOW, _airflow(told.get("airflow") or {})),
        (MlflowCollector, MLFLOW, _mlflow(told.get("mlflow") or {})),
    ]
    for make, instance, answer in answers:
        connection = Connection(instance, lambda: "http://service")
        collector: Collector = make(connection, httpx.MockTransport(_dated(answer)))
        for batch in collector.collect({}):
            for record in batch.records:
                facts.setdefault(record.node.ref, {}).update(record.node.facts)
                links |= {(edge.upstream, edge.relation, edge.downstream) for edge in record.edges}
        collector.close()
    nodes = tuple(Node(ref, each) for ref, each in facts.items())
    return Case(plain.name, nodes, plain.true, plain.also, frozenset(links))


def _dated(answer: Answer) -> Answer:
    def answered(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        response.headers["date"] = formatdate(usegmt=True)
        return response

    return answered


def _airflow(told: Mapping[str, Any]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        for pattern, key in _LISTS.items():
            if re.fullmatch(pattern, path):
                items = told.get(key) or []
                first, most = (
                    int(request.url.params.get(name, default)) for name, default in (("offset", 0), ("limit", 50))
                )
                return httpx.Response(200, json={key: items[first : first + most], "total_entries": len(items)})
        if found := re.fullmatch(r"/api/v2/dags/([^/]+)(?:/details)?", path):
            dags = [dag for dag in told["dags"] if dag["dag_id"] == unquote(found[1])]
            return httpx.Response(200, json=dags[0]) if dags else httpx.Response(404)
        if found := re.fullmatch(r"/api/v2/dags/([^/]+)/dagRuns/([^/]+)/taskInstances/([^/]+)/xcomEntries(/.+)?", path):
            return _xcoms(told.get("xcoms") or [], *(unquote(part or "") for part in found.groups()))
        if found := re.fullmatch(r"/api/v2/dagSources/([^/]+)", path):
            return httpx.Response(200, json={"content": (told.get("sources") or {}).get(unquote(found[1]), "")})
        return httpx.Response(404)

    return answer


def _xcoms(told: list[dict[str, Any]], dag_id: str, run_id: str, task_id: str, key: str) -> httpx.Response:
    """The XComs of a DAG run, without their values, or one of them."""
    of_run = [x for x in told if (x["dag_id"], x["run_id"]) == (dag_id, run_id)]
    if task_id == "~":
        listed = [{k: v for k, v in x.items() if k != "value"} for x in of_run]
        return httpx.Response(200, json={"xcom_entries": listed, "total_entries": len(listed)})
    found = [x for x in of_run if (x["task_id"], x["key"]) == (task_id, key.removeprefix("/"))]
    return httpx.Response(200, json=found[0]) if found else httpx.Response(404)


def _mlflow(told: Mapping[str, Any]) -> Answer:
    files: Mapping[str, str] = told.get("files") or {}

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(_MLFLOW)
        if key := _SEARCHES.get(path):
            asked = json.loads(request.content or b"{}")
            deleted = asked.get("run_view_type") == "DELETED_ONLY"
            return httpx.Response(200, json={key: [] if deleted else told.get(key) or []})
        if path == "registered-models/get":
            named = [m for m in told.get("registered_models") or [] if m["name"] == request.url.params["name"]]
            return httpx.Response(200, json={"registered_model": named[0]}) if named else httpx.Response(404)
        for place, text in files.items():  # an artifact, however it is asked for
            owner, _, name = place.partition("/")
            if owner in str(request.url) and name in unquote(str(request.url)):
                return httpx.Response(200, text=text)
        return httpx.Response(404)

    return answer
