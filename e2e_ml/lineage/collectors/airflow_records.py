"""What Airflow's answers say, as records of the graph. Pure functions of one JSON object each.

An edge belongs to the record that tells it: an asset names the DAGs that make, read and wait for it. A task is told by
its instances, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.collectors import Record
from e2e_ml.lineage.collectors.http import known
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Ref

MOST_DOC = 20_000  # characters of a DAG's documentation
MOST_WORDS = 400  # characters of what a failed task said
_OF_DETAILS = frozenset({"doc_md", "owner_links", "constants"})  # what a list of DAGs does not have
_SENTENCES = ("FeatureStoreError", "AirflowFailException", "IngestError")  # exceptions that are sentences by themselves

Json = Mapping[str, Any]


def dag(instance: str, record: Json) -> Record:
    """A DAG as a list has it; what its details and its source told before stays."""
    return Record(Node(refs.dag(instance, record["dag_id"]), known(_dag_facts(record))), keeps=_OF_DETAILS)


def dag_in_full(instance: str, details: Json, constants: Mapping[str, list[str]] | None) -> Record:
    """A DAG as its details have it. `constants`: what its source names; None where that may not be read."""
    facts = {
        **_dag_facts(details),
        "doc_md": (details.get("doc_md") or "")[:MOST_DOC],
        "owner_links": details.get("owner_links") or None,
        "constants": dict(constants) if constants and any(constants.values()) else None,
    }
    return Record(Node(refs.dag(instance, details["dag_id"]), known(facts)))


def _dag_facts(record: Json) -> dict[str, Any]:
    return {
        "description": record.get("description"),
        "owner": ", ".join(record.get("owners") or ()),
        "tags": [tag["name"] for tag in record.get("tags") or ()],
        "schedule": record.get("timetable_summary"),
        "paused": record.get("is_paused"),
        "next_run": record.get("next_dagrun_run_after"),
        "import_errors": record.get("has_import_errors") or None,
        "file": record.get("relative_fileloc"),
    }


def dag_run(instance: str, record: Json) -> Record:
    """A run; why it failed is told by `failed`, and stays for as long as it counts as failed."""
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
    ref = refs.dag_run(instance, record["dag_id"], record["dag_run_id"])
    keeps = frozenset({"reason"} if record.get("state") == "failed" else ())
    return Record(Node(ref, known(facts)), keeps=keeps)


def failed(instance: str, task_instance: Json, reason: str) -> Record:
    """Why a run failed, laid over what is known of it."""
    ref = refs.dag_run(instance, task_instance["dag_id"], task_instance["dag_run_id"])
    return Record(Node(ref, {"reason": f"{task_instance['task_id']} failed: {reason}"}), partial=True)


def task_instances(instance: str, records: Iterable[Json]) -> Iterator[Record]:
    """Task instances, and once each the tasks that they are of. What one handed on stays while it counts as done."""
    tasks: dict[tuple[str, str], Record] = {}
    for record in records:
        dag_id, task_id = record["dag_id"], record["task_id"]
        facts = {
            "state": record.get("state"),
            "start": record.get("start_date"),
            "end": record.get("end_date"),
            "try_number": record.get("try_number"),
            "user": record.get("unixname"),
        }
        run_id, index = record["dag_run_id"], record.get("map_index", -1)
        ref = refs.task_instance(instance, dag_id, run_id, task_id, index)
        yield Record(Node(ref, known(facts)), keeps=frozenset({"xcoms"} if record.get("state") == "success" else ()))
        if (dag_id, task_id) not in tasks:
            tasks[dag_id, task_id] = task(instance, dag_id, record)
    yield from tasks.values()


def task(instance: str, dag_id: str, record: Json) -> Record:
    """A task, as a DAG's structure or one of its instances tells it."""
    ref = refs.task(instance, dag_id, record["task_id"])
    facts = {"operator": record.get("operator_name") or record.get("operator")}
    return Record(
        Node(ref, known(facts)), (Edge(refs.dag(instance, dag_id), ref, Relation.CONTAINS, Evidence.OBSERVED),)
    )


def handed_on(instance: str, of: tuple[str, str, str, int], names: Mapping[str, list[str]]) -> Record:
    """What the XComs of a task instance name, laid over what is known of it."""
    return Record(Node(refs.task_instance(instance, *of), {"xcoms": dict(names)}), partial=True)


def asset(instance: str, record: Json, event: Json | None = None, *, read_events: bool = False) -> Record:
    """An asset and the DAGs around it. `event` is its newest one; where `read_events` is false, what is known of that
    stays."""
    ref = refs.asset(instance, record["uri"])
    last: Json = record.get("last_asset_event") or {}
    facts = {
        "id": record["id"],  # what the asset's page is called in Airflow
        "name": record.get("name"),
        "uri": record["uri"],
        "group": record.get("group"),
        "extra": record.get("extra") or None,
        "last_event": last.get("timestamp"),
        "written_by": _writer(event) if event else None,
        "made_by": _dags(record.get("producing_tasks")),
        "awaited_by": _dags(record.get("scheduled_dags")),
    }
    keeps = frozenset(() if read_events else {"written_by"})
    return Record(Node(ref, known(facts)), tuple(_around(instance, ref, record)), keeps=keeps)


def _dags(told: Iterable[Json] | None) -> list[str] | None:
    return sorted({each["dag_id"] for each in told or ()}) or None


def _around(instance: str, asset: Ref, record: Json) -> Iterator[Edge]:
    for task in record.get("producing_tasks") or ():
        reason = f"the asset is an outlet of the task {task['task_id']}"
        yield Edge(refs.dag(instance, task["dag_id"]), asset, Relation.PRODUCES, Evidence.DECLARED, reason)
    for task in record.get("consuming_tasks") or ():
        reason = f"the asset is an inlet of the task {task['task_id']}"
        yield Edge(asset, refs.dag(instance, task["dag_id"]), Relation.READ_BY, Evidence.DECLARED, reason)
    for dag in record.get("scheduled_dags") or ():
        reason = "the DAG is scheduled by the asset"
        yield Edge(asset, refs.dag(instance, dag["dag_id"]), Relation.TRIGGERS, Evidence.DECLARED, reason)


def written(instance: str, event: Json) -> Record | None:
    """The newest event of an asset, laid over what is known of it; None for one of an asset without a name."""
    uri = event.get("uri") or event.get("name")
    if not uri:
        return None
    facts = {"uri": uri, "name": event.get("name"), "group": event.get("group"), "last_event": event["timestamp"]}
    writer = {"written_by": _writer(event)} if event.get("source_dag_id") else {}
    return Record(Node(refs.asset(instance, uri), known({**facts, **writer})), partial=True)


def _writer(event: Json) -> dict[str, Any] | None:
    """Who wrote an asset, and what the event carried; None where it came from outside of Airflow."""
    if not event.get("source_dag_id"):
        return None
    return {
        "at": event["timestamp"],
        "dag_id": event["source_dag_id"],
        "run_id": event.get("source_run_id"),
        "task_id": event.get("source_task_id"),
        "map_index": event.get("source_map_index", -1),
        "extra": event.get("extra") or {},
    }


def said(events: Iterable[Json]) -> str | None:
    """What a failed task said, by its log: our own errors are sentences, others need their type."""
    errors = [event["error_detail"][0] for event in events if event.get("error_detail")]
    if not errors:
        return None
    text = " ".join(str(errors[-1]["exc_value"]).split())[:MOST_WORDS]
    kind = str(errors[-1]["exc_type"])
    return text if kind in _SENTENCES else f"{kind}: {text}"
