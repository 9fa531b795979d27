"""Airflow over its REST API v2: DAGs, DAG runs, task instances, assets and their events.

Read as JSON, not through the typed client: an Airflow somewhat older or newer than that client has states and fields
that the client refuses, and it has to be shown all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.http import Api, Connection, iso, known, since
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Kind, Ref

MOST_RUNS = 1_000  # the newest DAG runs, task instances and asset events that a full visit reads
MOST_REASONS = 20  # logs that a visit reads, each of a run that failed
MOST_WORDS = 400  # characters of what a failed task said
_SENTENCES = ("FeatureStoreError", "AirflowFailException", "IngestError")  # exceptions that are sentences by themselves
FULL_EVERY = 900.0  # seconds between full visits, which alone see what was deleted
OVERLAP = 30.0  # seconds read twice, for rows that were being written during the last visit
_RUNS = "/api/v2/dags/~/dagRuns"
_INSTANCES = "/api/v2/dags/~/dagRuns/~/taskInstances"


class AirflowCollector:
    def __init__(self, connection: Connection) -> None:
        self._instance = connection.instance
        self._api = Api("Airflow", connection)

    @property
    def name(self) -> str:
        return f"airflow:{self._instance}"

    def close(self) -> None:
        self._api.close()

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        api, found = self._api, _Found(self._instance, cursor.get("writers", {}))
        dags = list(api.pages("/api/v2/dags", "dags", exclude_stale=True, order_by="dag_id"))
        now = since(api, 0)
        full = now - cursor.get("full", 0.0) >= FULL_EVERY
        for dag in dags:
            found.dag(dag)
        for asset in api.pages("/api/v2/assets", "assets", order_by="id"):
            found.asset(asset)
        new: dict[str, Any] = {} if full else {"updated_at_gte": iso(cursor["since"])}
        most = MOST_RUNS if full else None
        runs = list(api.pages(_RUNS, "dag_runs", most=most, order_by="-run_after", **new))
        for run in runs:
            found.dag_run(run)
        instances = list(api.pages(_INSTANCES, "task_instances", most=most, order_by="-start_date", **new))
        for instance in instances:
            found.task_instance(instance)
        for dag_id, run_id, instance in _failures(runs, instances):
            if reason := self._reason(dag_id, run_id, instance):
                found.failed(dag_id, run_id, f"{instance['task_id']} failed: {reason}")
        new = {} if full else {"timestamp_gte": iso(cursor["since"])}
        for event in api.pages("/api/v2/assets/events", "asset_events", most=most, order_by="-timestamp", **new):
            found.event(event)
        found.written()
        yield Batch(
            records=found.records(),
            complete=frozenset({Kind.DAG, Kind.ASSET, *_seen_whole(full, runs, instances)}),
            cursor={
                "since": now - OVERLAP,
                "full": now if full else cursor["full"],
                "writers": found.writers,
            },
        )

    def _reason(self, dag_id: str, run_id: str, instance: Mapping[str, Any]) -> str | None:
        """What the last try of a failed task instance said, as its log has it; None where it cannot be told."""
        dag, run, task = (quote(part, safe="") for part in (dag_id, run_id, instance["task_id"]))
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{instance.get('try_number') or 1}"
        try:
            answer = self._api.get(path, map_index=instance.get("map_index", -1))
            events: list[dict[str, Any]] = [event for event in answer["content"] if isinstance(event, dict)]
            errors = [event["error_detail"][0] for event in events if event.get("error_detail")]
            return _said(errors[-1]) if errors else None
        except (CollectError, LookupError, TypeError):  # a log that is gone, or of a form we do not know
            return None


def _said(error: Mapping[str, Any]) -> str:
    """An exception as its log tells it: our own errors are sentences, others need their type."""
    text = " ".join(str(error["exc_value"]).split())[:MOST_WORDS]
    return text if str(error["exc_type"]) in _SENTENCES else f"{error['exc_type']}: {text}"


def _failures(runs: list[Any], instances: list[Any]) -> list[tuple[str, str, Any]]:
    """The newest failed runs, each with the task instance that failed first."""
    failed: dict[tuple[str, str], list[Any]] = {}
    for instance in instances:
        if instance.get("state") == "failed":
            failed.setdefault((instance["dag_id"], instance["dag_run_id"]), []).append(instance)
    keys = [(run["dag_id"], run["dag_run_id"]) for run in runs if run.get("state") == "failed"]
    return [
        (dag_id, run_id, min(failed[dag_id, run_id], key=lambda i: str(i.get("end_date") or "")))
        for dag_id, run_id in keys
        if (dag_id, run_id) in failed
    ][:MOST_REASONS]


def _seen_whole(full: bool, runs: list[Any], instances: list[Any]) -> set[Kind]:
    if not full:
        return set()
    whole = {Kind.DAG_RUN} if len(runs) < MOST_RUNS else set[Kind]()
    return whole | ({Kind.TASK_INSTANCE} if len(instances) < MOST_RUNS else set())


class _Found:
    """The nodes and edges of one visit, built from the API's records."""

    def __init__(self, instance: str, writers: Mapping[str, Any]) -> None:
        self._instance = instance
        self.writers: dict[str, Any] = dict(writers)  # asset URI -> its newest event, of this visit or an earlier one
        self.nodes: dict[Ref, Node] = {}
        self.edges: dict[tuple[Ref, Ref, Relation], Edge] = {}

    def dag(self, record: Mapping[str, Any]) -> None:
        facts = {
            "description": record.get("description"),
            "owner": ", ".join(record.get("owners") or ()),
            "tags": [tag["name"] for tag in record.get("tags") or ()],
            "schedule": record.get("timetable_summary"),
            "paused": record.get("is_paused"),
            "next_run": record.get("next_dagrun_run_after"),
            "import_errors": record.get("has_import_errors") or None,
            "file": record.get("relative_fileloc"),
        }
        self._node(refs.dag(self._instance, record["dag_id"]), facts)

    def dag_run(self, record: Mapping[str, Any]) -> None:
        facts = {
            "state": record.get("state"),
            "start": record.get("start_date"),
            "end": record.get("end_date"),
            "run_after": record.get("run_after"),
            "interval_start": record.get("data_interval_start"),
            "interval_end": record.get("data_interval_end"),
            "run_type": record.get("run_type"),
            "user": record.get("triggering_user_name"),
        }
        self._node(refs.dag_run(self._instance, record["dag_id"], record["dag_run_id"]), facts)

    def failed(self, dag_id: str, run_id: str, reason: str) -> None:
        """Why a run failed; called after `dag_run`."""
        ref = refs.dag_run(self._instance, dag_id, run_id)
        self._node(ref, {**self.nodes[ref].facts, "reason": reason})

    def task_instance(self, record: Mapping[str, Any]) -> None:
        dag_id, task_id = record["dag_id"], record["task_id"]
        facts = {
            "state": record.get("state"),
            "start": record.get("start_date"),
            "end": record.get("end_date"),
            "try_number": record.get("try_number"),
        }
        self._node(
            refs.task_instance(self._instance, dag_id, record["dag_run_id"], task_id, record.get("map_index", -1)),
            facts,
        )
        self._task(dag_id, task_id, {"operator": record.get("operator_name") or record.get("operator")})

    def asset(self, record: Mapping[str, Any]) -> None:
        asset = refs.asset(self._instance, record["uri"])
        event: Mapping[str, Any] = record.get("last_asset_event") or {}
        facts = {
            "id": record["id"],  # what the asset's page is called in Airflow
            "name": record.get("name"),
            "uri": record["uri"],
            "group": record.get("group"),
            "extra": record.get("extra") or None,
            "last_event": event.get("timestamp"),
        }
        self._node(asset, facts)
        for task in record.get("producing_tasks") or ():
            self._task(task["dag_id"], task["task_id"], {})
            reason = f"the asset is an outlet of the task {task['task_id']}"
            self._edge(self._dag(task["dag_id"]), asset, Relation.PRODUCES, Evidence.DECLARED, reason)
        for dag in record.get("scheduled_dags") or ():
            reason = "the DAG is scheduled by the asset"
            self._edge(asset, self._dag(dag["dag_id"]), Relation.TRIGGERS, Evidence.DECLARED, reason)

    def event(self, record: Mapping[str, Any]) -> None:
        """Who wrote an asset, and what the event carried."""
        uri, dag_id = record.get("uri") or record.get("name"), record.get("source_dag_id")
        if not uri or not dag_id or record["timestamp"] < self.writers.get(uri, {}).get("at", ""):
            return
        self.writers[uri] = {
            "at": record["timestamp"],
            "dag_id": dag_id,
            "run_id": record.get("source_run_id"),
            "task_id": record.get("source_task_id"),
            "map_index": record.get("source_map_index", -1),
            "extra": record.get("extra") or {},
        }

    def written(self) -> None:
        """Put the newest event of each asset into its facts; called last."""
        for uri, writer in self.writers.items():
            asset = refs.asset(self._instance, uri)
            if (node := self.nodes.get(asset)) is None:
                continue
            self.nodes[asset] = Node(asset, {**node.facts, "written_by": writer})
            key = (self._dag(writer["dag_id"]), asset, Relation.PRODUCES)
            if key not in self.edges:
                self._edge(*key, Evidence.OBSERVED, f"an asset event of {writer['at']}")

    def records(self) -> tuple[Record, ...]:
        told: dict[Ref, list[Edge]] = {}
        for edge in self.edges.values():
            told.setdefault(edge.downstream, []).append(edge)
        known = {**{ref: Node(ref) for ref in told}, **self.nodes}
        return tuple(Record(node, tuple(told.get(ref, ())), ref not in self.nodes) for ref, node in known.items())

    def _dag(self, dag_id: str) -> Ref:
        return refs.dag(self._instance, dag_id)

    def _task(self, dag_id: str, task_id: str, facts: Mapping[str, Any]) -> None:
        task = refs.task(self._instance, dag_id, task_id)
        if task not in self.nodes or known(facts):
            self._node(task, facts)
        self._edge(self._dag(dag_id), task, Relation.CONTAINS, Evidence.OBSERVED)

    def _node(self, ref: Ref, facts: Mapping[str, Any]) -> None:
        self.nodes[ref] = Node(ref, known(facts))

    def _edge(self, up: Ref, down: Ref, relation: Relation, evidence: Evidence, reason: str = "") -> None:
        self.edges[up, down, relation] = Edge(up, down, relation, evidence, reason)
