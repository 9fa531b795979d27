"""A small Airflow in this process: its lists, paged as the real one pages them. What it answers has the form of real
answers (3.3); how it pages, filters and orders is held against the real one in tests/integration."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from typing import Any
from urllib.parse import unquote

import httpx

from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.http import Connection

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
Json = dict[str, Any]


@dataclass
class Airflow:
    """`most` items of a page; `keyset`: whether it knows `cursor`, as from 3.3 on."""

    most: int = 100
    keyset: bool = True
    now: datetime = NOW
    dags: dict[str, Json] = field(default_factory=dict[str, Json])
    versions: list[Json] = field(default_factory=list[Json])
    runs: list[Json] = field(default_factory=list[Json])
    instances: list[Json] = field(default_factory=list[Json])
    assets: list[Json] = field(default_factory=list[Json])
    events: list[Json] = field(default_factory=list[Json])
    xcoms: list[Json] = field(default_factory=list[Json])
    source: str = ""
    refuses: set[str] = field(default_factory=set[str])  # words in paths
    _numbers: Iterator[int] = field(default_factory=count)
    asked: list[str] = field(default_factory=list[str])
    before: Callable[[str], None] = lambda path: None  # called with each path, for what happens meanwhile

    def collector(self) -> AirflowCollector:
        return AirflowCollector(Connection("local", lambda: "http://airflow"), httpx.MockTransport(self.answer))

    # --- what there is ---

    def dag(self, dag_id: str, **more: Any) -> None:
        self.dags[dag_id] = {
            "dag_id": dag_id, "is_paused": False, "owners": ["ada"], "tags": [{"name": "ml:train", "dag_id": dag_id}],
            "timetable_summary": None, "next_dagrun_run_after": None, "has_import_errors": False,
            "relative_fileloc": f"{dag_id}.py", "description": None, **more,
        }  # fmt: skip
        self.version(dag_id)

    def version(self, dag_id: str) -> None:
        number = len(self.versions)
        self.versions.append({"id": f"v{number:06}", "dag_id": dag_id, "version_number": 1})

    def run(self, dag_id: str, at: datetime = NOW, state: str = "success", **more: Any) -> str:
        number = next(self._numbers)
        run_id = f"run {number:06}"
        self.runs.append({
            "id": number, "dag_id": dag_id, "dag_run_id": run_id, "state": state, "start_date": at.isoformat(),
            "end_date": at.isoformat(), "run_after": at.isoformat(), "updated_at": at.isoformat(),
            "run_type": "scheduled", **more,
        })  # fmt: skip
        self.instances.append({
            "id": f"i{number:06}", "dag_id": dag_id, "dag_run_id": run_id, "task_id": "fit", "map_index": -1,
            "state": state, "start_date": at.isoformat(), "end_date": at.isoformat(), "try_number": 1,
            "unixname": "ada", "operator_name": "@task", "updated_at": at.isoformat(),
        })  # fmt: skip
        return run_id

    def xcom(self, dag_id: str, run_id: str, value: Any, key: str = "return_value", task_id: str = "fit") -> None:
        self.xcoms.append({
            "key": key, "dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": -1, "value": value,
            "timestamp": self.now.isoformat(),
        })  # fmt: skip

    def asset(self, uri: str, **more: Any) -> None:
        number = len(self.assets) + 1
        self.assets.append({
            "id": number, "name": uri, "uri": uri, "group": "asset", "extra": {}, "scheduled_dags": [],
            "producing_tasks": [], "consuming_tasks": [], "last_asset_event": {"id": None, "timestamp": None}, **more,
        })  # fmt: skip

    def event(self, asset: int, dag_id: str, at: datetime = NOW, **extra: Any) -> None:
        record = self.assets[asset - 1]
        number = len(self.events) + 1
        self.events.append({
            "id": number, "asset_id": asset, "uri": record["uri"], "name": record["name"], "group": "asset",
            "extra": extra, "source_dag_id": dag_id, "source_task_id": "fit", "source_run_id": "run 000000",
            "source_map_index": -1, "timestamp": at.isoformat(),
        })  # fmt: skip
        record["last_asset_event"] = {"id": number, "timestamp": at.isoformat()}

    # --- answering ---

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.path).removeprefix("/api/v2")
        self.asked.append(path)
        self.before(path)
        headers = {"Date": format_datetime(self.now.astimezone(UTC), usegmt=True)}
        if any(word in path for word in self.refuses):
            return httpx.Response(403, headers=headers, json={"detail": "Forbidden"})
        found = self._at(path, request.url.params)
        if found is None:
            return httpx.Response(404, headers=headers, json={"detail": "not found"})
        return httpx.Response(200, headers=headers, json=found)

    def _at(self, path: str, query: httpx.QueryParams) -> Json | None:
        match path.strip("/").split("/"):
            case ["dags"]:
                return self._list("dags", self.dags.values(), query, "dag_id")
            case ["dags", "~", "dagVersions"]:
                return self._list("dag_versions", self.versions, query, "id")
            case ["dags", "~", "dagRuns"]:
                return self._list("dag_runs", self.runs, query, "id", keyset=self.keyset)
            case ["dags", "~", "dagRuns", "~", "taskInstances"]:
                return self._list("task_instances", self.instances, query, "id", keyset=self.keyset)
            case ["dags", dag_id, "dagRuns", run_id, "taskInstances"]:
                of = [i for i in self.instances if (i["dag_id"], i["dag_run_id"]) == (dag_id, run_id)]
                return self._list("task_instances", [i for i in of if i["state"] == query["state"]], query, "id")
            case ["dags", dag_id, "dagRuns", run_id, "taskInstances", "~", "xcomEntries"]:
                told = [{k: v for k, v in x.items() if k != "value"} for x in self._xcoms(dag_id, run_id)]
                return {"xcom_entries": told, "total_entries": len(told)}
            case ["dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries", *key]:
                found = [x for x in self._xcoms(dag_id, run_id) if (x["task_id"], x["key"]) == (task_id, "/".join(key))]
                return found[0] if found else None
            case ["dags", _, "dagRuns", _, "taskInstances", _, "logs", _]:
                error = {"exc_type": "FeatureStoreError", "exc_value": "no column 'temp'."}
                return {"content": [{"event": "Task failed", "error_detail": [error]}]}
            case ["dags", dag_id]:
                return self.dags.get(dag_id)
            case ["dags", dag_id, "details"]:
                return {**self.dags[dag_id], "doc_md": "Why."} if dag_id in self.dags else None
            case ["dags", dag_id, "tasks"] if dag_id in self.dags:
                return {"tasks": [{"task_id": "fit", "operator_name": "@task"}], "total_entries": 1}
            case ["dagSources", dag_id]:
                return {"dag_id": dag_id, "content": self.source, "version_number": 1}
            case ["assets"]:
                return self._list("assets", self.assets, query, "id")
            case ["assets", "events"]:
                wanted = query.get("asset_id")
                events = [e for e in self.events if wanted is None or e["asset_id"] == int(wanted)]
                return self._list("asset_events", events, query, "id")
            case _:
                return None

    def _xcoms(self, dag_id: str, run_id: str) -> list[Json]:
        return [x for x in self.xcoms if (x["dag_id"], x["run_id"]) == (dag_id, run_id)]

    def _list(
        self, key: str, items: Iterable[Json], query: httpx.QueryParams, name: str, *, keyset: bool = False
    ) -> Json:
        order = query.get("order_by", name)
        field, backwards = order.lstrip("-"), order.startswith("-")
        found = sorted(items, key=lambda item: (item[field], item[name]), reverse=backwards)
        for value, of in (("updated_at_gte", "updated_at"), ("timestamp_gte", "timestamp")):
            if since := query.get(value):
                found = [item for item in found if item[of] >= datetime.fromisoformat(since).isoformat()]
        limit, total = min(int(query.get("limit", 50)), self.most), len(found)
        token = query.get("cursor")
        if token is None or not keyset:
            start = int(query.get("offset", 0))
            return {key: found[start : start + limit], "total_entries": total}
        if token:
            last = tuple(json.loads(base64.b64decode(token)))
            after = (lambda at: at < last) if backwards else (lambda at: at > last)
            found = [item for item in found if after((item[field], item[name]))]
        page = found[:limit]
        end = base64.b64encode(json.dumps([page[-1][field], page[-1][name]]).encode()).decode() if page else None
        return {key: page, "total_entries": total, "next_cursor": end if len(found) > limit else None}
