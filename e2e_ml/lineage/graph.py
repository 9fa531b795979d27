"""The lifecycle as a graph in memory: nodes, edges that carry their evidence, and walks.

Every edge points downstream, the way data flows: source -> view -> feature -> service -> run -> model version, and
DAG -> view, DAG -> run. Facts are plain JSON values; the keys that panels rely on are listed at `FACTS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from e2e_ml.refs import Kind, Ref

# The keys of Node.facts, by kind; times are ISO 8601 in UTC, durations seconds. A fact that is not known is absent.
FACTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.PROJECT: ("registry_version", "applied_at", "applied_by"),
    Kind.SOURCE: ("uri", "format", "columns", "place"),  # place: where it lies, as an absolute URI
    Kind.ENTITY: ("dtype", "description"),
    Kind.FEATURE_VIEW: (
        "description", "owner", "owner_email", "purpose", "source", "entities", "event_time", "schedule", "ttl",
        "tags", "first_seen", "changed_at", "version", "rows", "newest_event", "last_written", "dag_id", "features",
        "task_id",  # of `produced_by`; absent where festaf makes the DAG
        "end",  # of its last data interval, where it has one
        "written_until",  # the end of the newest interval that its DAG wrote
        "on_demand",  # true where it is computed whenever it is asked for, and nothing makes or stores it
        "request",  # of one on demand: what comes with the request
        "deprecated",  # why, and what to use instead
    ),
    Kind.FEATURE: (
        "dtype", "description", "owner", "owner_email", "purpose", "source", "inputs", "expression", "constraints",
        "schedule", "first_seen", "changed_at", "tags", "newest_event", "last_written", "written_until", "fill_null",
        "tree",  # the expression as the registry has it
        "on_demand",
        "request",  # of one on demand: the values of the request that it is made of
        "deprecated",  # it or its view: why, and what to use instead
        "marks",  # what to beware of, in a word or two: "python features.encode"
    ),
    Kind.FEATURE_SERVICE: (
        "description", "features", "target", "target_view", "owner", "owner_email", "purpose", "first_seen",
        "changed_at", "version", "tags", "deprecated",
    ),
    Kind.WISH: (
        "name", "status", "created",
        "votes",  # who wants it, the first one first: [{by, why}]
        "answer", "answered_by", "answered_at",
        "feature",  # the full name of the one that fulfils it
    ),
    Kind.DAG: (
        "description", "owner", "tags", "schedule", "paused", "next_run", "last_run", "last_state", "last_duration",
        "last_interval_start", "last_interval_end", "recent",  # recent: [{run_id, state, start, end}], newest first
        "file", "import_errors",
        "last_reason",  # why the last run failed, as its failed task's log says
    ),
    Kind.TASK: ("operator",),
    Kind.DAG_RUN: (
        "state", "start", "end", "interval_start", "interval_end", "run_type", "run_after", "user",
        "reason",  # why it failed
    ),
    Kind.TASK_INSTANCE: ("state", "start", "end", "try_number"),
    Kind.ASSET: (
        "name", "uri", "group", "last_event", "extra", "id",
        "written_by",  # its newest event: {at, dag_id, run_id, task_id, map_index, extra}
    ),
    Kind.EXPERIMENT: ("name",),
    Kind.RUN: (
        "name", "status", "start", "end", "user", "experiment_id", "experiment", "metrics", "params",
        "tags",  # those of Airflow, Feast and festaf alone
        "inputs",  # [{name, digest, context, source}]
        "retrievals",  # [{project, feature_service, features}], where the tag was cut
    ),
    Kind.LOGGED_MODEL: ("name", "status", "experiment_id", "run_id"),
    Kind.REGISTERED_MODEL: ("description", "aliases", "tags"),  # aliases: {alias: version}
    Kind.MODEL_VERSION: (
        "version", "aliases", "created", "run_id", "metrics", "description", "model_id", "source", "tags",
    ),
}  # fmt: skip


class Relation(StrEnum):
    """What an edge says, read from its upstream end to its downstream end."""

    FEEDS = "feeds"  # source -> view, feature -> feature, feature -> service, view -> on-demand view
    CONTAINS = "contains"  # view -> feature, DAG -> task, experiment -> run
    KEYS = "keys"  # entity -> view
    PRODUCES = "produces"  # DAG -> source, DAG -> view, DAG -> asset, DAG -> registered model
    TRIGGERS = "triggers"  # asset -> DAG
    STANDS_FOR = "stands for"  # asset -> source, asset -> view
    TRAINS = "trains"  # service -> run, feature -> run
    STARTED = "started"  # DAG -> run, task instance -> run
    LOGGED = "logged"  # run -> model version, run -> logged model
    VERSION_OF = "is a version of"  # model version -> registered model


class Evidence(StrEnum):
    """Why we believe an edge."""

    DECLARED = "declared"  # somebody wrote the key
    OBSERVED = "observed"  # an event or an asset says so
    INFERRED = "inferred"  # columns or times match, for a person to confirm or refuse


@dataclass(frozen=True, slots=True)
class Node:
    ref: Ref
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    gone_since: datetime | None = None  # deleted in its service, kept because others stand on it

    @property
    def title(self) -> str:
        """What people call it: its name in its service, which for a run is not its id."""
        return str(self.facts.get("name") or self.ref.name)


@dataclass(frozen=True, slots=True)
class Edge:
    upstream: Ref
    downstream: Ref
    relation: Relation
    evidence: Evidence
    reason: str = ""  # in words, e.g. "tag feast.feature_service of the run"
    score: float = 1.0  # below 1 only where inferred
    seen_at: datetime | None = None


class Graph:
    """An immutable snapshot: build it once, read it from any thread."""

    def __init__(self, nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> None:
        self._nodes: dict[Ref, Node] = {node.ref: node for node in nodes}
        self._down: dict[Ref, list[Edge]] = {}
        self._up: dict[Ref, list[Edge]] = {}
        self._size = 0
        for edge in edges:
            self._down.setdefault(edge.upstream, []).append(edge)
            self._up.setdefault(edge.downstream, []).append(edge)
            self._size += 1

    def __contains__(self, ref: Ref) -> bool:
        return ref in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def edge_count(self) -> int:
        return self._size

    def get(self, ref: Ref) -> Node | None:
        return self._nodes.get(ref)

    def nodes(self, kind: Kind | None = None) -> Iterator[Node]:
        return (n for n in self._nodes.values() if kind is None or n.ref.kind is kind)

    def downstream(self, ref: Ref) -> list[Edge]:
        """The edges that leave it."""
        return self._down.get(ref, [])

    def upstream(self, ref: Ref) -> list[Edge]:
        """The edges that reach it."""
        return self._up.get(ref, [])

    def walk(self, start: Ref, *, down: bool, depth: int | None = None) -> dict[Ref, int]:
        """Everything reachable from `start` (itself left out), with its distance in edges; cycles end the walk."""
        distance: dict[Ref, int] = {start: 0}
        queue = deque([start])
        while queue:
            here = queue.popleft()
            if depth is not None and distance[here] >= depth:
                continue
            for edge in self.downstream(here) if down else self.upstream(here):
                there = edge.downstream if down else edge.upstream
                if there not in distance:
                    distance[there] = distance[here] + 1
                    queue.append(there)
        del distance[start]
        return distance
