"""A small MLflow in this process: its searches, paged as the real one pages them. What it answers has the form of real
answers (3.17); how it pages, filters and orders is held against the real one in tests/integration."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx

from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector

NOW = 1_795_000_000  # seconds since 1970
Json = dict[str, Any]
_CLAUSE = re.compile(r"(?:attributes\.)?(\w+) ?(>=|<=|<|=) ?'?\"?([^'\"]*)['\"]?")
_COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt, "=": operator.eq}


@dataclass
class Mlflow:
    now: float = NOW
    experiments: list[Json] = field(default_factory=list[Json])
    runs: list[Json] = field(default_factory=list[Json])
    logged_models: list[Json] = field(default_factory=list[Json])
    models: dict[str, Json] = field(default_factory=dict[str, Json])
    versions: list[Json] = field(default_factory=list[Json])
    artifacts: dict[str, str] = field(default_factory=dict[str, str])  # of a run or a version
    asked: list[str] = field(default_factory=list[str])
    before: Callable[[str], None] = lambda path: None

    def collector(self) -> MlflowCollector:
        return MlflowCollector(Connection("lab", lambda: "http://mlflow"), httpx.MockTransport(self.answer))

    # --- what there is; times are seconds since 1970 ---

    def experiment(self, name: str, at: float = NOW) -> None:
        number = str(len(self.experiments))
        self.experiments.append({
            "experiment_id": number, "name": name, "lifecycle_stage": "active", "last_update_time": int(at * 1000),
        })  # fmt: skip

    def run(self, at: float = NOW, *, status: str = "FINISHED", **tags: str) -> str:
        run_id = f"{len(self.runs):032x}"
        self.runs.append({
            "info": {
                "run_id": run_id, "experiment_id": "0", "run_name": run_id, "status": status,
                "start_time": int(at * 1000), "lifecycle_stage": "active",
                **({} if status == "RUNNING" else {"end_time": int(at * 1000) + 1}),
            },
            "data": {"tags": [{"key": k.replace("__", "."), "value": v} for k, v in tags.items()]},
            "inputs": {},
        })  # fmt: skip
        return run_id

    def model(self, name: str, at: float = NOW) -> None:
        self.models[name] = {"name": name, "last_updated_timestamp": int(at * 1000), "aliases": []}

    def version(self, name: str, at: float = NOW) -> str:
        number = str(1 + max((int(v["version"]) for v in self.versions if v["name"] == name), default=0))
        run_id = self.runs[0]["info"]["run_id"]
        self.versions.append({
            "name": name, "version": number, "creation_timestamp": int(at * 1000), "run_id": run_id,
            "last_updated_timestamp": int(at * 1000), "source": "models:/m-1",
        })  # fmt: skip
        self.models[name]["last_updated_timestamp"] = int(at * 1000)
        return number

    def alias(self, name: str, alias: str, version: str) -> None:
        """Sets no time, as in MLflow."""
        others = [a for a in self.models[name]["aliases"] if a["alias"] != alias]
        self.models[name]["aliases"] = [*others, {"alias": alias, "version": version}]

    def delete_version(self, name: str, version: str, at: float = NOW) -> None:
        self.versions = [v for v in self.versions if (v["name"], v["version"]) != (name, version)]
        self.models[name]["last_updated_timestamp"] = int(at * 1000)

    # --- answering ---

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/2.0/mlflow/")
        self.asked.append(path)
        self.before(path)
        headers = {"Date": format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)}
        query: Json = dict(request.url.params) if request.method == "GET" else json.loads(request.content)
        if path.endswith("get-artifact"):
            text = self.artifacts.get(query.get("run_uuid") or f"{query['name']}/{query['version']}")
            return httpx.Response(200 if text else 404, headers=headers, text=text or "")
        return httpx.Response(200, headers=headers, json=self._search(path, query))

    def _search(self, path: str, query: Json) -> Json:
        match path.split("/")[0]:
            case "experiments":
                stages = ("active", "deleted") if query["view_type"] == "ALL" else ("active",)
                found = [e for e in self.experiments if e["lifecycle_stage"] in stages]
                return _page("experiments", found, query, "last_update_time")
            case "runs":
                stage = "deleted" if query.get("run_view_type") == "DELETED_ONLY" else "active"
                found = [{**r["info"], **r} for r in self.runs if r["info"]["lifecycle_stage"] == stage]
                return _page("runs", found, query, "start_time")
            case "logged-models":
                return _page("models", [{**m["info"], **m} for m in self.logged_models], query, "creation_timestamp")
            case "registered-models":
                return _page("registered_models", self.models.values(), query, "name")
            case _:
                return _page("model_versions", self.versions, query, "name")


def _page(key: str, items: Iterable[Json], query: Json, by: str) -> Json:
    order = query.get("order_by", by)
    order = order[0] if isinstance(order, list) else order
    if isinstance(order, dict):
        name, backwards = order["field_name"], not order["ascending"]
    else:
        name, backwards = order.split()[0].removeprefix("attributes."), order.endswith("DESC")
    clauses = [_CLAUSE.fullmatch(clause) for clause in query.get("filter", "").split(" and ") if clause]
    found = [item for item in items if all(clause and _holds(item, *clause.groups()) for clause in clauses)]
    found.sort(key=lambda item: item.get(name) or 0, reverse=backwards)
    start, most = int(query.get("page_token") or 0), int(query.get("max_results", 100))
    following = {"next_page_token": str(start + most)} if start + most < len(found) else {}
    return {key: found[start : start + most], **following}


def _holds(item: Json, name: str, sign: str, wanted: str) -> bool:
    value = item.get(name, item.get(f"{name}_ms"))
    if value is None:
        return False
    return _COMPARE[sign](value, type(value)(wanted))
