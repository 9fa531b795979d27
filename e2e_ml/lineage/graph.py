"""The lifecycle as a graph: nodes, edges that carry their evidence, and walks over a snapshot of both.

Every edge points downstream, the way data flows: source -> view -> feature -> service -> run -> model version, and
DAG -> view, DAG -> run. Facts are plain JSON values; the keys that panels rely on are listed at `FACTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from e2e_ml.lineage.adjacency import Adjacency, Mask, Reached
from e2e_ml.refs import Kind, Ref

# The keys of Node.facts, by kind; times are ISO 8601 in UTC, durations seconds. A fact that is not known is absent.
FACTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.PROJECT: ("registry_version", "applied_at", "applied_by"),
    Kind.SOURCE: ("uri", "format", "columns", "place", "store"),  # place: where it lies, as an absolute URI
    Kind.DATASET: ("uri", "columns", "quality", "owner", "description", "last_written"),
    Kind.COLUMN: ("dtype", "description", "quality"),
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
        "doc_md", "owner_links",  # owner_links: {owner: address}
        "constants",  # what its source names: {uris, models, experiments, features, columns}, each sorted and bounded;
        # of its models, `registers` and `loads` are those that it makes versions of, and that it uses
        "last_reason",  # why the last run failed, as its failed task's log says
    ),
    Kind.TASK: ("operator",),
    Kind.DAG_RUN: (
        "state", "start", "end", "interval_start", "interval_end", "run_type", "run_after", "user",
        "reason",  # why it failed
    ),
    Kind.TASK_INSTANCE: (
        "state", "start", "end", "try_number", "user",  # user: of the operating system
        "xcoms",  # what it handed on, where that names things of MLflow: {runs: [id], versions: ["name/3"]}
    ),
    Kind.ASSET: (
        "name", "uri", "group", "last_event", "extra", "id",
        "written_by",  # its newest event: {at, dag_id, run_id, task_id, map_index, extra}
        "made_by", "awaited_by",  # DAGs that have it as an outlet, and those that it sets off
    ),
    Kind.EXPERIMENT: ("name",),
    Kind.RUN: (
        "name", "status", "start", "end", "user", "experiment_id", "experiment", "metrics", "params",
        "tags",  # those of Airflow, Feast and festaf, and who made it with what
        "inputs",  # [{name, digest, context, source, columns}]
        "retrievals",  # [{project, feature_service, features}], where the tag was cut
    ),
    Kind.LOGGED_MODEL: ("name", "status", "experiment_id", "run_id"),
    Kind.REGISTERED_MODEL: ("description", "aliases", "tags"),  # aliases: {alias: version}
    Kind.MODEL_VERSION: (
        "version", "aliases", "created", "run_id", "metrics", "description", "model_id", "source", "tags", "columns",
    ),
    Kind.ALIAS: ("version",),
    Kind.ENDPOINT: ("url", "mode", "versions"),
    Kind.MONITOR: ("description", "last_event", "dag_id"),
}  # fmt: skip


class Relation(StrEnum):
    """What an edge says, read from its upstream end to its downstream end."""

    FEEDS = "feeds"  # source -> view, feature -> feature, feature -> service, view -> on-demand view
    CONTAINS = "contains"  # view -> feature, DAG -> task, experiment -> run
    KEYS = "keys"  # entity -> view
    PRODUCES = "produces"  # DAG -> source, DAG -> view, DAG -> asset, DAG -> registered model
    TRIGGERS = "triggers"  # asset -> DAG
    READ_BY = "is read by"  # dataset -> DAG, dataset -> task
    STANDS_FOR = "stands for"  # asset -> source, asset -> view
    TRAINS = "trains"  # service -> run, feature -> run
    STARTED = "started"  # DAG -> run, task instance -> run
    LOGGED = "logged"  # run -> model version, run -> logged model
    VERSION_OF = "is a version of"  # model version -> registered model
    ALIASED = "is known as"  # model version -> alias
    SERVES = "is served by"  # model version -> endpoint, alias -> endpoint
    WATCHED = "is watched by"  # feature view, model, endpoint -> monitor


NOT_FLOW = frozenset({Relation.TRIGGERS})  # that an asset sets a DAG off says when it runs, not what it is made of


NOT_THROUGH = frozenset({Kind.EXPERIMENT})  # it holds runs, and what made one of them made no other


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


class Names(Protocol):
    """The numbers of things, and what is known of them now."""

    def number(self, ref: Ref) -> int | None: ...
    def ref(self, number: int) -> Ref: ...
    def nodes(self, numbers: Iterable[int]) -> Iterator[Node]: ...
    def reason(self, number: int) -> str: ...
    def times(self) -> npt.NDArray[np.int64]: ...
    def inside(self, number: int, limit: int) -> list[int]: ...
    def instances(self, service: str) -> list[str]: ...
    def search(self, text: str, kinds: Iterable[int], limit: int) -> list[int]: ...


_WALKS = 8  # kept: those of one thing in focus
KINDS = tuple(Kind)
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS, 1)}
RELATIONS, EVIDENCE = tuple(Relation), tuple(Evidence)
RELATION_NUMBERS = {relation: number for number, relation in enumerate(RELATIONS)}
EVIDENCE_NUMBERS = {evidence: number for number, evidence in enumerate(EVIDENCE)}


class Graph:
    """An immutable snapshot of what is there and how it is tied together; read it from any thread.

    Its structure is that of one moment. The facts of a node are read when they are asked for and are the newest known.
    """

    def __init__(self, names: Names, kinds: npt.NDArray[np.uint8], adjacency: Adjacency, candidates: Adjacency) -> None:
        """`kinds`: number -> the number of the thing's kind, 0 where there is no such thing (any more)."""
        self._names, self._kinds = names, kinds
        self._adjacency, self._candidates = adjacency, candidates
        self._size = int(np.count_nonzero(kinds))
        # Several questions about one thing walk the same way. No cycle here: a snapshot goes as soon as it is let go.
        mask = lru_cache(maxsize=None)(partial(_of_kinds, kinds))
        self._reach = lru_cache(maxsize=_WALKS)(partial(_reach, adjacency, mask))

    def __contains__(self, ref: Ref) -> bool:
        return self._number(ref) is not None

    def __len__(self) -> int:
        return self._size

    @property
    def edge_count(self) -> int:
        return self._adjacency.edges

    # --- things ---

    def get(self, ref: Ref) -> Node | None:
        number = self._number(ref)
        return None if number is None else next(self._names.nodes((number,)), None)

    def get_all(self, refs: Iterable[Ref], kind: Kind | None = None) -> list[Node]:
        """Those (of `kind`) that there are, each once, in their order; read at once."""
        numbers = (self._number(ref) for ref in dict.fromkeys(refs) if kind is None or ref.kind is kind)
        return list(self._names.nodes(number for number in numbers if number is not None))

    def nodes(self, kind: Kind | None = None) -> Iterator[Node]:
        return self._names.nodes(self._of(kind).tolist())

    def refs(self, kind: Kind | None = None) -> Iterator[Ref]:
        """Like `nodes`, without reading facts."""
        return map(self._names.ref, self._of(kind).tolist())

    def count(self, kind: Kind) -> int:
        return int(np.count_nonzero(self._kinds == KIND_NUMBERS[kind]))

    def search(self, text: str, kinds: Collection[Kind] = (), limit: int = 50) -> list[Ref]:
        """Things whose title or name has every word of `text` in it, in any case; the shortest title first.

        Some of those found may lie beyond `limit`, and a word of one or two letters has to begin the title.
        """
        found = self._names.search(text, [KIND_NUMBERS[kind] for kind in kinds], limit)
        return [self._names.ref(n) for n in found if n < len(self._kinds) and self._kinds[n]]

    def inside(self, ref: Ref, limit: int) -> list[Ref]:
        """The things that lie in it, as a DAG's runs do, `limit` of them at most; the newest first."""
        number = self._number(ref)
        found = self._names.inside(number, limit) if number is not None else []
        return [self._names.ref(n) for n in found if n < len(self._kinds) and self._kinds[n]]

    def instances(self, service: str) -> list[str]:
        """The instances of a service that were ever read, sorted."""
        return self._names.instances(service)

    def newest(self, kind: Kind, limit: int) -> list[Ref]:
        """The things of a kind that began or were made last, the newest first."""
        return list(self.refs_of(self.newest_of(self._of(kind), limit)))

    def _of(self, kind: Kind | None) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self._kinds if kind is None else self._kinds == KIND_NUMBERS[kind])

    def _number(self, ref: Ref) -> int | None:
        number = self._names.number(ref)
        return number if number is not None and number < len(self._kinds) and self._kinds[number] else None

    # --- edges ---

    def downstream(self, ref: Ref, limit: int | None = None) -> list[Edge]:
        """The edges that leave it, `limit` of them at most."""
        return self._edges(ref, limit, down=True)

    def upstream(self, ref: Ref, limit: int | None = None) -> list[Edge]:
        """The edges that reach it, `limit` of them at most."""
        return self._edges(ref, limit, down=False)

    def candidates(self, ref: Ref) -> list[Edge]:
        """Edges at `ref` that are too weak to be drawn or followed, for a person to confirm or refuse; best first."""
        number = self._number(ref)
        if number is None:
            return []
        places = np.unique([*self._candidates.up.of(number), *self._candidates.down.of(number)]).astype(np.int64)
        found = [self._edge(claim) for claim in self._candidates.claims[places].tolist()]
        return sorted(found, key=lambda edge: (-edge.score, edge.upstream, edge.downstream))

    def inferred(self) -> list[Edge]:
        """Every edge that was inferred and that nobody has judged, drawn or too weak to be."""
        inferred = EVIDENCE_NUMBERS[Evidence.INFERRED]
        drawn, weak = self._adjacency.down.places, self._candidates.down.places
        places = [*drawn[self._adjacency.claims["evidence"][drawn] == inferred].tolist(), *weak.tolist()]
        return [self._edge(claim) for claim in self._adjacency.claims[places].tolist()]

    def degree(self, ref: Ref, *, down: bool) -> int:
        number = self._number(ref)
        return 0 if number is None else len((self._adjacency.down if down else self._adjacency.up).of(number))

    def _edges(self, ref: Ref, limit: int | None, *, down: bool) -> list[Edge]:
        number = self._number(ref)
        if number is None:
            return []
        places = (self._adjacency.down if down else self._adjacency.up).of(number)[:limit]
        return [self._edge(claim) for claim in self._adjacency.claims[places].tolist()]

    def _edge(self, claim: tuple[int, ...]) -> Edge:
        _, _, up, down, reason, seen, score, relation, evidence = claim
        at = datetime.fromtimestamp(seen, UTC) if seen else None
        ref, names = self._names.ref, self._names
        return Edge(ref(up), ref(down), RELATIONS[relation], EVIDENCE[evidence], names.reason(reason), score / 1000, at)

    # --- walks ---

    def reached_from(
        self, kind: Kind, *, down: bool, left_out: Collection[Relation] = NOT_FLOW, of: Kind | None = None
    ) -> set[Ref]:
        """The things (of kind `of`) that can be reached from any thing of `kind`."""
        reached = self._adjacency.walk(self._of(kind), down=down, left_out=_relations(left_out)).things
        return set(self.refs_of((reached if of is None else self.numbers_of(reached, of)).tolist()))

    def walk(
        self,
        start: Ref,
        *,
        down: bool,
        depth: int | None = None,
        left_out: Collection[Relation] = (),
        stop: Collection[Kind] = (),
    ) -> Walk:
        """Everything reachable from `start` (itself left out), with its distance in edges; cycles end the walk.

        Edges of the relations in `left_out` are not followed, nor is anything beyond a thing of a kind in `stop`.
        """
        number = self._number(start)
        if number is None:
            return Walk(self, start, down, None)
        return Walk(self, start, down, self._reach(number, down, depth, frozenset(left_out), frozenset(stop)))

    def flow(self, start: Ref, *, down: bool, depth: int | None = None) -> Walk:
        """What data flows to from `start`, or comes from: a walk on the edges and through the things that carry it."""
        return self.walk(start, down=down, depth=depth, left_out=NOT_FLOW, stop=NOT_THROUGH)

    # --- for `Walk` ---

    def numbers_of(self, numbers: npt.NDArray[np.int64], kind: Kind) -> npt.NDArray[np.int64]:
        return numbers[self._kinds[numbers] == KIND_NUMBERS[kind]]

    def kinds_of(self, numbers: npt.NDArray[np.int64]) -> dict[Kind, int]:
        counts = np.bincount(self._kinds[numbers], minlength=len(KINDS) + 1).tolist()
        return {kind: counts[number] for kind, number in KIND_NUMBERS.items() if counts[number]}

    def newest_of(self, numbers: npt.NDArray[np.int64], limit: int) -> list[int]:
        """The newest of some things, newest first; of those of one moment, those that were read last."""
        times = self._names.times()[numbers]
        if 0 < limit < len(numbers):
            least = np.partition(times, -limit)[-limit]
            newer, equal = numbers[times > least], numbers[times == least]
            left = limit - len(newer)
            numbers = np.concatenate([newer, np.partition(equal, -left)[-left:]])
            times = self._names.times()[numbers]
        return numbers[np.lexsort((-numbers, -times))][:limit].tolist()

    def refs_of(self, numbers: Iterable[int]) -> Iterator[Ref]:
        return map(self._names.ref, numbers)

    def nodes_of(self, numbers: Iterable[int]) -> Iterator[Node]:
        return self._names.nodes(numbers)

    def tied(self, numbers: npt.NDArray[np.int64], reached: Reached, start: Ref) -> list[tuple[Ref, Ref]]:
        below, above = self._adjacency.up.ends_of(numbers)
        held = (reached.places[above] >= 0) | (above == self._number(start))
        return list(zip(self.refs_of(below[held].tolist()), self.refs_of(above[held].tolist()), strict=True))

    def edge_at(self, place: int) -> Edge:
        return self._edge(self._adjacency.claims[place : place + 1].tolist()[0])

    def number_of(self, ref: Ref) -> int | None:
        return self._number(ref)


class Walk(Mapping[Ref, int]):
    """What a walk reached: thing -> its distance in edges, nearest first. Names are made when they are asked for."""

    def __init__(self, graph: Graph, start: Ref, down: bool, reached: Reached | None) -> None:
        self._graph, self._start, self._down = graph, start, down
        self._reached = reached
        self._things = reached.things if reached else np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[Ref]:
        return self._graph.refs_of(self._things.tolist())

    def __contains__(self, ref: object) -> bool:
        return isinstance(ref, Ref) and self._place(ref) >= 0

    def __getitem__(self, ref: Ref) -> int:
        reached, at = self._at(ref)
        return int(reached.distances[at])

    def counts(self) -> dict[Kind, int]:
        """How many things of each kind."""
        return self._graph.kinds_of(self._things)

    def refs(self, kind: Kind) -> Iterator[Ref]:
        """The things of one kind, nearest first."""
        return self._graph.refs_of(self._graph.numbers_of(self._things, kind).tolist())

    def newest(self, kind: Kind, limit: int) -> list[Ref]:
        """The things of a kind that began or were made last, the newest first."""
        return list(self._graph.refs_of(self._graph.newest_of(self._graph.numbers_of(self._things, kind), limit)))

    def nodes(self, kind: Kind) -> Iterator[Node]:
        return self._graph.nodes_of(self._graph.numbers_of(self._things, kind).tolist())

    def feeding(self, kind: Kind) -> list[tuple[Ref, Ref]]:
        """The things of one kind, each with what lies directly upstream of it and was reached too, or is the start."""
        if self._reached is None:
            return []
        return self._graph.tied(self._graph.numbers_of(self._things, kind), self._reached, self._start)

    def edge(self, ref: Ref) -> Edge:
        """The edge by which `ref` was reached first."""
        reached, at = self._at(ref)
        return self._graph.edge_at(int(reached.by[at]))

    def path(self, ref: Ref) -> tuple[Edge, ...]:
        """The edges of a shortest way, in the order of the walk: from its start to `ref`."""
        edges: list[Edge] = []
        while ref != self._start:
            edge = self.edge(ref)
            edges.append(edge)
            ref = edge.upstream if self._down else edge.downstream
        return tuple(reversed(edges))

    def _place(self, ref: Ref) -> int:
        """Where it stands among what was reached; -1 where it was not."""
        number = self._graph.number_of(ref)
        return -1 if number is None or self._reached is None else int(self._reached.places[number])

    def _at(self, ref: Ref) -> tuple[Reached, int]:
        place = self._place(ref)
        if self._reached is None or place < 0:
            raise KeyError(ref)
        return self._reached, place


def _reach(
    adjacency: Adjacency, mask: Callable[[frozenset[Kind]], Mask | None], number: int, down: bool, depth: int | None,
    left_out: frozenset[Relation], stop: frozenset[Kind],
) -> Reached:  # fmt: skip
    starts = np.array([number])
    return adjacency.walk(starts, down=down, depth=depth, left_out=_relations(left_out), stop=mask(stop))


def _of_kinds(kinds_of: npt.NDArray[np.uint8], kinds: frozenset[Kind]) -> Mask | None:
    return np.isin(kinds_of, [KIND_NUMBERS[kind] for kind in kinds]) if kinds else None


def _relations(relations: Collection[Relation]) -> Mask | None:
    if not relations:
        return None
    mask = np.zeros(len(RELATIONS), np.bool_)
    mask[[RELATION_NUMBERS[relation] for relation in relations]] = True
    return mask
