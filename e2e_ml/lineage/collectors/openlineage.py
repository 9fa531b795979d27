"""OpenLineage: what runs of any tool say that they read and wrote, from the inbox that their events arrive in.

A dataset is a node of its own, with its columns, as the events name it; its fact `uri` is what rules compare. A run
that reads one dataset and writes another ties the two. Where the run is a task's of Airflow, its DAG makes what it
writes, and its task instance stands between the two; a run that only reads is one that a DAG reads the dataset in.
Columns are tied where the events have column lineage. A dataset whose name is a feature view's stands for the view, and
its columns are the view's features.

Events say what was, never that something is there no longer: every record is laid over the earlier ones. But who writes
a dataset, or describes one, tells all of its columns: others that it had are gone. Who reads one tells those that it
reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, cast

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.http import Api, Connection, StatusError, known
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.openlineage.events import (
    Dataset,
    DatasetEvent,
    EventError,
    EventType,
    InputDataset,
    JobEvent,
    OutputDataset,
    RunEvent,
    parse,
)
from e2e_ml.openlineage.facets import ColumnInputs, InputField, QualityAssertions, QualityMetrics
from e2e_ml.openlineage.naming import of_uri, uri_of
from e2e_ml.refs import FEATURE_STORES, Kind, Ref

__all__ = ["OpenLineageCollector", "of_uri", "uri_of"]

PAGE = 200  # events read at once
MOST_OPEN = 500  # runs that have begun, whose datasets are remembered until they end
MOST_DAGS = 10_000
MOST_INSTANCES = 1_000  # task instances whose datasets are kept; what older ones did, their DAGs still say
_PATH = "/api/v1/lineage/events"
_NEEDS_LOGIN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LEFT_OUT = (
    "OpenLineage events are left out: reading them needs the token that the feature store's server was started with. "
    "Give services.festaf a credential in workbench.yaml, such as env:FESTAF_TOKEN."
)

_Name = tuple[str, str]  # the namespace and the name of a dataset


class OpenLineageCollector:
    """`connection` is to the server with the inbox. `airflow` is the instance of the Airflow whose tasks the events
    tell of: jobs that say that they are Airflow's are its own; None: no Airflow is known here."""

    def __init__(self, connection: Connection, airflow: str | None = "local") -> None:
        self._instance = connection.instance
        self._connection = connection
        self._airflow = airflow
        self._api = Api("The inbox of OpenLineage events", connection)

    @property
    def name(self) -> str:
        return f"openlineage:{self._instance}"

    def close(self) -> None:
        self._api.close()

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        while True:
            try:
                page = self._page(cursor)
            except StatusError as error:
                if error.status not in _NEEDS_LOGIN or self._connection.headers():
                    raise
                yield Batch(cursor=cursor, ends=False, left_out=_LEFT_OUT)
                return
            reading = _Reading(self._airflow, cursor)
            events: list[Mapping[str, Any]] = page["events"]
            for kept in events:
                reading.take(kept["event"])
            cursor = {**reading.cursor(), "inbox": page["inbox"], "after": page["next"]}
            more = bool(events) and page["next"] < page["newest"]
            progress = f"Reading OpenLineage events: {page['next']:,} of {page['newest']:,}." if more else ""
            yield Batch(reading.records(), cursor, gone=tuple(reading.gone), progress=progress, ends=not more)
            if not more:
                return

    def _page(self, cursor: Mapping[str, Any]) -> Mapping[str, Any]:
        before, after = cursor.get("inbox", ""), cursor.get("after", 0)
        page = self._ask(after)
        if (before and page["inbox"] != before) or page["newest"] < after:
            return self._ask(0)  # the inbox was made anew and counts from one again, or is an older copy of itself
        return page

    def _ask(self, after: int) -> Mapping[str, Any]:
        page = self._api.get(_PATH, after=after, limit=PAGE)
        if not isinstance(page, dict) or not {"inbox", "next", "newest", "events"} <= page.keys():
            raise CollectError(
                "The inbox of OpenLineage events answers in a form that this version does not read. Use the same "
                "e2e-ml for its server and for the workbench."
            )
        return cast("Mapping[str, Any]", page)


class _Reading:
    """What a page of events tells, and what has to be remembered for the pages to come."""

    def __init__(self, airflow: str | None, cursor: Mapping[str, Any]) -> None:
        self._airflow = airflow
        self._dags = {_name(n) for n in cursor.get("dags", ())}  # namespace and id of those that were heard of
        self._open: dict[str, tuple[list[_Name], list[_Name]]] = {
            run: ([_name(n) for n in read], [_name(n) for n in written])
            for run, (read, written) in cursor.get("open", {}).items()
        }
        self._instances = dict[str, None].fromkeys(cursor.get("instances", ()))  # oldest first
        self.gone: dict[Ref, None] = {}
        self._facts: dict[Ref, dict[str, Any]] = {}
        self._edges: dict[Ref, dict[tuple[Ref, Ref, Relation], Edge]] = {}
        self._inside: dict[Ref, tuple[datetime, frozenset[Ref]]] = {}  # the columns of a dataset, as of a time

    def cursor(self) -> dict[str, Any]:
        return {"dags": sorted(self._dags), "open": self._open, "instances": list(self._instances)}

    def records(self) -> tuple[Record, ...]:
        laid = (
            Record(Node(ref, facts), tuple(self._edges.get(ref, {}).values()), True, inside=self._columns_of(ref))
            for ref, facts in self._facts.items()
        )
        # What a task instance that is no longer kept had read and written is taken back.
        return (*laid, *(Record(Node(ref)) for ref in self.gone if ref.kind is Kind.TASK_INSTANCE))

    def _columns_of(self, ref: Ref) -> frozenset[Ref] | None:
        """All the columns of a dataset; None where no event told all of them."""
        return self._inside[ref][1] if ref in self._inside else None

    def take(self, raw: object) -> None:
        try:
            event = parse(raw)
        except EventError:  # an older or newer server took it; what else it holds is of no use to us
            return
        if isinstance(event, DatasetEvent):
            self._dataset(event.dataset, event.event_time, whole=True)
        else:
            self._job(event)

    # --- datasets -----------------------------------------------------------------------------------------------------

    def _dataset(self, dataset: Dataset, at: datetime, written: bool = False, whole: bool = False) -> None:
        """Note what an event tells of a dataset; `whole`: of all its columns, where it tells of any."""
        ref, facets = refs.dataset(*dataset.key), dataset.facets
        fields = facets.table_schema.fields_ if facets.table_schema else ()
        facts = {
            "uri": uri_of(*dataset.key),
            "columns": [field.name for field in fields] or None,
            "owner": facets.ownership.words if facets.ownership else None,
            "description": facets.documentation.description if facets.documentation else None,
            "last_written": at.isoformat() if written else None,
            "quality": _quality(dataset.metrics, dataset.assertions, at),
        }
        self._note(ref, facts)
        view = _view(dataset.key)
        if view is not None:
            self._edge(ref, ref, view, Relation.STANDS_FOR, "the dataset's name is the view's", at)
        else:
            metrics = dataset.metrics.column_metrics if dataset.metrics else {}
            for field in fields:
                column = refs.column(*dataset.key, field.name)
                quality = known(metrics[field.name].model_dump()) if field.name in metrics else None
                self._note(column, {"dtype": field.type, "description": field.description, "quality": quality})
                self._edge(ref, ref, column, Relation.CONTAINS, "the dataset's schema", at)
            if fields and (written or whole) and (ref not in self._inside or self._inside[ref][0] <= at):
                self._inside[ref] = at, frozenset(refs.column(*dataset.key, field.name) for field in fields)
        for other in facets.symlinks.identifiers if facets.symlinks else ():
            if (other.namespace, other.name) != dataset.key:
                alias = refs.dataset(other.namespace, other.name)
                self._note(alias, {"uri": uri_of(other.namespace, other.name)})
                self._edge(ref, ref, alias, Relation.STANDS_FOR, "another name of the dataset", at)

    def _columns(self, output: OutputDataset, at: datetime, who: str) -> set[_Name]:
        """Tie the columns of an output to those that they are made of; gives the datasets that it is made of."""
        lineage = output.facets.column_lineage
        if lineage is None:
            return set()
        ref = refs.dataset(*output.key)
        read = set[_Name]()
        for name, inputs in lineage.fields_.items():
            for field in inputs.input_fields if name else ():
                read.add((field.namespace, field.name))
                up = _column(field.namespace, field.name, field.field)
                down = _column(*output.key, name)
                if up != down:
                    self._edge(ref, up, down, Relation.FEEDS, _transformed(field, inputs, who), at)
        return read | {(field.namespace, field.name) for field in lineage.dataset}

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _job(self, event: RunEvent | JobEvent) -> None:
        at, who = event.event_time, f"{event.job.namespace}/{event.job.name}"
        ended = isinstance(event, JobEvent) or event.event_type.ends
        wrote = isinstance(event, RunEvent) and event.event_type is EventType.COMPLETE
        for dataset in event.inputs:
            self._dataset(dataset, at)
        made_of = dict[_Name, set[_Name]]()
        for dataset in event.outputs:
            self._renamed(dataset)
            if _is_dropped(dataset):
                self._gone(refs.dataset(*dataset.key))
                continue
            self._dataset(dataset, at, wrote)
            made_of[dataset.key] = self._columns(dataset, at, who)
        read, written = self._accumulated(event, ended)
        for output in written:
            # Of several outputs, one that says by its columns what it is made of is made of nothing else.
            of = made_of.get(output, set[_Name]()) if len(written) > 1 else set[_Name]()
            for given in of or read:
                if given != output:
                    up, down = refs.dataset(*given), refs.dataset(*output)
                    self._note(up, {"uri": uri_of(*given)})
                    self._edge(down, up, down, Relation.FEEDS, f"{who} reads one and writes the other", at)
        dag = self._dag(event)
        if dag is None:
            return
        for output in written:
            ref = refs.dataset(*output)
            self._edge(ref, dag, ref, Relation.PRODUCES, f"{who} writes it", at)
        if ended and not written:
            for given in read:
                ref = refs.dataset(*given)
                self._edge(ref, ref, dag, Relation.READ_BY, f"{who} reads it", at)
        if (instance := self._instance(event)) is not None and (read or written):
            self._keep_instance(instance)
            for given in read:
                self._edge(instance, refs.dataset(*given), instance, Relation.READ_BY, f"{who} read it", at)
            for output in written if wrote else ():
                self._edge(instance, instance, refs.dataset(*output), Relation.PRODUCES, f"{who} wrote it", at)

    def _accumulated(self, event: RunEvent | JobEvent, ended: bool) -> tuple[list[_Name], list[_Name]]:
        """All that a run has read and written so far: its events tell it bit by bit."""
        read, written = _keys(event.inputs), _keys(output for output in event.outputs if not _is_dropped(output))
        if isinstance(event, JobEvent):
            return read, written
        run = str(event.run.run_id)
        before_read, before_written = self._open.pop(run, ([], []))
        read = list(dict.fromkeys([*before_read, *read]))
        written = list(dict.fromkeys([*before_written, *written]))
        if not ended and (read or written):
            self._open[run] = (read, written)
            if len(self._open) > MOST_OPEN:
                del self._open[next(iter(self._open))]
        return read, written

    def _renamed(self, dataset: OutputDataset) -> None:
        change = dataset.facets.lifecycle_state_change
        if change and change.lifecycle_state_change == "RENAME" and (before := change.previous_identifier):
            self._gone(refs.dataset(before.namespace, before.name))

    # --- Airflow ------------------------------------------------------------------------------------------------------

    def _dag(self, event: RunEvent | JobEvent) -> Ref | None:
        """The DAG that a job belongs to, where it is Airflow's, or was started by a task of Airflow's."""
        if self._airflow is None:
            return None
        dag_id = self._dag_id(event)
        return refs.dag(self._airflow, dag_id) if dag_id else None

    def _dag_id(self, event: RunEvent | JobEvent) -> str | None:
        job = event.job
        says_airflow = job.facets.job_type is not None and job.facets.job_type.integration.upper() == "AIRFLOW"
        if isinstance(event, JobEvent):
            # Names alone: a DAG's may have dots in it, a task's outside of groups has none.
            return job.name.rpartition(".")[0] if says_airflow else None
        facets = event.run.facets
        parent, dag_id = facets.parent, None
        if (airflow := facets.airflow or facets.airflow_dag_run) is not None:
            dag_id = airflow.dag.dag_id
        elif says_airflow:
            named = parent is not None and job.name.startswith(f"{parent.job.name}.")
            dag_id = parent.job.name if parent and named else job.name.rpartition(".")[0]
        elif parent is not None and parent.root is not None:
            # Spark, dbt and the like, started by a task: the root of the chain is the DAG's run.
            root = parent.root.job
            return root.name if (root.namespace, root.name) in self._dags else None
        if dag_id and len(self._dags) < MOST_DAGS:
            self._dags.add((job.namespace, dag_id))
        return dag_id

    def _instance(self, event: RunEvent | JobEvent) -> Ref | None:
        airflow = event.run.facets.airflow if isinstance(event, RunEvent) else None
        if airflow is None or self._airflow is None:
            return None
        return refs.task_instance(
            *(self._airflow, airflow.dag.dag_id, airflow.dag_run.run_id, airflow.task.task_id),
            airflow.task_instance.map_index,
        )

    def _keep_instance(self, instance: Ref) -> None:
        self._note(instance, {})
        self._instances.pop(str(instance), None)
        self._instances[str(instance)] = None
        if len(self._instances) > MOST_INSTANCES:
            oldest = next(iter(self._instances))
            del self._instances[oldest]
            self._gone(Ref.stored(Kind.TASK_INSTANCE, oldest))

    # --- noting -------------------------------------------------------------------------------------------------------

    def _note(self, ref: Ref, facts: Mapping[str, Any]) -> None:
        self._facts.setdefault(ref, {}).update(known(facts))
        self.gone.pop(ref, None)  # it is there again

    def _gone(self, ref: Ref) -> None:
        self.gone[ref] = None
        self._facts.pop(ref, None)
        self._edges.pop(ref, None)
        self._inside.pop(ref, None)

    def _edge(self, holder: Ref, up: Ref, down: Ref, relation: Relation, reason: str, at: datetime) -> None:
        """An edge in the record of `holder`. Records are of datasets, columns and task instances alone: what another
        service tells of as well would not be gone when it says so."""
        self._note(holder, {})
        edges = self._edges.setdefault(holder, {})
        before = edges.get((up, down, relation))
        seen = max(at, before.seen_at) if before and before.seen_at else at
        edges[up, down, relation] = Edge(up, down, relation, Evidence.OBSERVED, reason, seen_at=seen)


def _is_dropped(dataset: OutputDataset) -> bool:
    change = dataset.facets.lifecycle_state_change
    return change is not None and change.lifecycle_state_change == "DROP"


def _keys(datasets: Iterable[InputDataset | OutputDataset]) -> list[_Name]:
    return list(dict.fromkeys(dataset.key for dataset in datasets))


def _name(pair: list[str]) -> _Name:
    return pair[0], pair[1]


def _view(name: _Name) -> Ref | None:
    """The feature view that a dataset is by its name."""
    uri = uri_of(*name)
    if uri.partition("://")[0] not in FEATURE_STORES:
        return None
    try:
        ref = Ref.parse(uri)
    except ValueError:
        return None
    return ref if ref.kind is Kind.FEATURE_VIEW else None


def _column(namespace: str, dataset: str, column: str) -> Ref:
    """A column of a dataset; of a feature view's, the feature."""
    view = _view((namespace, dataset))
    if view is None:
        return refs.column(namespace, dataset, column)
    return refs.feature(view.instance, view.keys[0], column, view.scheme)


def _transformed(field: InputField, inputs: ColumnInputs, who: str) -> str:
    said = "; ".join(dict.fromkeys(t.words for t in field.transformations))
    # Before 2024 it was said once for all of a column's inputs.
    said = said or inputs.transformation_description or (inputs.transformation_type or "").lower()
    return f"the column lineage of {who}" + (f" ({said})" if said else "")


def _quality(
    metrics: QualityMetrics | None, assertions: QualityAssertions | None, at: datetime
) -> dict[str, Any] | None:
    """What a run found of a dataset's rows, as JSON."""
    if metrics is None and assertions is None:
        return None
    checks = [known(a.model_dump()) for a in assertions.assertions] if assertions else None
    return known(
        {
            "at": at.isoformat(),
            "rows": metrics.row_count if metrics else None,
            "columns": {name: known(m.model_dump()) for name, m in metrics.column_metrics.items()} if metrics else None,
            "assertions": checks,
            "failed": sum(not check["success"] for check in checks) if checks is not None else None,
        }
    )
