"""What is asked of Airflow: lists of its REST API v2, page by page, and single things.

apache-airflow-client makes the requests: paths, parameters, their encoding. Our own `Api` sends them, with its logins,
its patience and its sentences, and the answers stay the JSON that they are: an Airflow somewhat older or newer than
the client has states and fields that the client's models refuse, and it has to be shown all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from e2e_ml.lineage.collectors.http import Api, StatusError
from e2e_ml.lineage.collectors.visits import START, Place

LIMIT = 250  # items of a page; a server gives as many as its own `maximum_page_limit` allows, 100 unless it is changed


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the API. `names` are the fields that tell its items apart."""

    api: str  # the class of the client
    method: str
    key: str  # of the items in the answer
    names: tuple[str, ...]
    of: Mapping[str, str] = field(default_factory=dict[str, str])  # parameters of its path
    keyset: bool = False  # whether Airflow 3.3 pages it by a token that stands for the last item


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Any]
    next: Place | None  # None: this was the last one
    total: int  # of the whole list; where it is paged by a token, what the server was willing to count


_ALL_DAGS, _ALL_RUNS = {"dag_id": "~"}, {"dag_id": "~", "dag_run_id": "~"}
DAGS = Listing("DAGApi", "get_dags", "dags", ("dag_id",))
VERSIONS = Listing("DagVersionApi", "get_dag_versions", "dag_versions", ("id",), _ALL_DAGS)
RUNS = Listing("DagRunApi", "get_dag_runs", "dag_runs", ("dag_id", "dag_run_id"), _ALL_DAGS, keyset=True)
INSTANCES = Listing("TaskInstanceApi", "get_task_instances", "task_instances", ("id",), _ALL_RUNS, keyset=True)
ASSETS = Listing("AssetApi", "get_assets", "assets", ("id",))
EVENTS = Listing("AssetApi", "get_asset_events", "asset_events", ("id",))


class AirflowApi:
    def __init__(self, api: Api) -> None:
        self._api, self._sender = api, _Sender(api)
        self._client: Any = None
        self._apis: dict[str, Any] = {}

    # --- lists ---

    def page(self, listing: Listing, place: Place = START, limit: int = LIMIT, **filters: Any) -> Page:
        """The page of a list that begins at `place`."""
        try:
            return self._page(listing, place, limit, filters)
        except StatusError as error:
            if error.status != HTTPStatus.BAD_REQUEST or not place:
                raise
            return self._page(listing, START, limit, filters)  # a token of another version of Airflow

    def total(self, listing: Listing, **filters: Any) -> int:
        return int(self.call(listing.api, listing.method, **listing.of, limit=1, offset=0, **filters)["total_entries"])

    def _page(self, listing: Listing, place: Place, limit: int, filters: Mapping[str, Any]) -> Page:
        if not listing.keyset or "offset" in place:
            return self._by_offset(listing, place, limit, filters)
        token = place.get("token", "")
        answer = self.call(listing.api, listing.method, **listing.of, cursor=token, limit=limit, **filters)
        if "next_cursor" not in answer:  # before 3.3
            return _from_start(listing, answer)
        token = answer["next_cursor"]
        return Page(answer[listing.key], {"token": token} if token else None, answer["total_entries"])

    def _by_offset(self, listing: Listing, place: Place, limit: int, filters: Mapping[str, Any]) -> Page:
        """Begins with the last item of the page before. Where that has moved, others may have slipped past us, so the
        list is read again from an earlier page, at worst from its start."""
        start = max(place.get("offset", 0) - 1, 0)
        answer = self.call(listing.api, listing.method, **listing.of, offset=start, limit=limit, **filters)
        if start == 0:
            return _from_start(listing, answer)
        items, last = answer[listing.key], place.get("last")
        if last not in [_name(listing, item) for item in items]:
            back = max(start - limit, 0)
            return Page(items, {"offset": back, "last": last} if back else START, answer["total_entries"])
        return _pages_end(listing, start, answer)

    # --- single things ---

    def dag(self, dag_id: str) -> Any:
        return self.call("DAGApi", "get_dag", dag_id=dag_id)

    def details(self, dag_id: str) -> Any:
        return self.call("DAGApi", "get_dag_details", dag_id=dag_id)

    def tasks(self, dag_id: str) -> list[Any]:
        """The tasks that a DAG has now, whether they ran or not."""
        return list(self.call("TaskApi", "get_tasks", dag_id=dag_id)["tasks"])

    def source(self, dag_id: str) -> str:
        answer = self.call("DagSourceApi", "get_dag_source", dag_id=dag_id, accept="application/json")
        return str(answer.get("content") or "")

    def last_event(self, asset_id: int) -> Any:
        answer = self.call("AssetApi", "get_asset_events", asset_id=asset_id, order_by=["-timestamp"], limit=1)
        return next(iter(answer["asset_events"]), None)

    def first_failure(self, dag_id: str, run_id: str) -> Any:
        """The task instance of a run that failed first."""
        wanted = {"dag_id": dag_id, "dag_run_id": run_id, "state": ["failed"], "order_by": ["end_date"], "limit": 1}
        return next(iter(self.call("TaskInstanceApi", "get_task_instances", **wanted)["task_instances"]), None)

    def log(self, instance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The events in the log of the last try of a task instance."""
        wanted = {name: instance[name] for name in ("dag_id", "dag_run_id", "task_id")}
        answer = self.call(
            "TaskInstanceApi", "get_log", **wanted, try_number=instance.get("try_number") or 1,
            map_index=instance.get("map_index", -1), accept="application/json",
        )  # fmt: skip
        return [event for event in answer["content"] if isinstance(event, dict)]

    def xcoms(self, dag_id: str, run_id: str) -> list[Any]:
        """The XComs of a DAG run's tasks, the first page of them, without their values."""
        wanted = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": "~", "limit": LIMIT}
        return list(self.call("XComApi", "get_xcom_entries", **wanted)["xcom_entries"])

    def xcom(self, entry: Mapping[str, Any], most: int) -> Any:
        """The value of an XCom in a list, as it lies in Airflow's database: nothing is made of it there. Raises
        TooLongError for one of more than `most` bytes."""
        self._sender.most = most
        try:
            answer = self.call(
                "XComApi", "get_xcom_entry", dag_id=entry["dag_id"], dag_run_id=entry["run_id"],
                task_id=entry["task_id"], xcom_key=entry["key"], map_index=entry["map_index"], deserialize=False,
            )  # fmt: skip
        finally:
            self._sender.most = None
        return answer["value"]

    @property
    def requests(self) -> int:
        """Sent so far."""
        return self._api.requests

    def call(self, api: str, method: str, **arguments: Any) -> Any:
        """The JSON that answers a call of the client. Raises CollectError."""
        if api not in self._apis:
            self._apis[api] = self._made(api)
        return getattr(self._apis[api], f"{method}_without_preload_content")(**arguments)

    def _made(self, api: str) -> Any:
        import airflow_client.client as client  # 1.5 s: here it costs the collector's thread alone

        if self._client is None:
            self._client = client.ApiClient(client.Configuration(host=""))
            self._client.rest_client = self._sender
        return getattr(client, api)(self._client)


class _Sender:
    """In the place of the client's own sender of requests."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.most: int | None = None  # bytes of an answer

    def request(self, method: str, url: str, headers: Mapping[str, str] | None = None, **_: Any) -> _Answer:
        return _Answer(self._api.get(url, self.most))


@dataclass(frozen=True, slots=True)
class _Answer:
    response: Any  # what the client hands on unread


def _from_start(listing: Listing, answer: Mapping[str, Any]) -> Page:
    return _pages_end(listing, 0, answer)


def _pages_end(listing: Listing, start: int, answer: Mapping[str, Any]) -> Page:
    items, total = answer[listing.key], int(answer["total_entries"])
    reached = start + len(items)
    if not items or reached >= total:
        return Page(items, None, total)
    return Page(items, {"offset": reached, "last": _name(listing, items[-1])}, total)


def _name(listing: Listing, item: Mapping[str, Any]) -> str:
    return json.dumps([item[name] for name in listing.names])
