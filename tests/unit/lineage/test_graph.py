"""The graph and its adjacency against a naive model: random multigraphs with cycles, loops and rival claims; a hub."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage import adjacency
from e2e_ml.lineage.adjacency import CLAIM, Adjacency, strongest
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import KIND_NUMBERS, RELATION_NUMBERS, Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind, Ref

T0 = datetime(2026, 11, 21, tzinfo=UTC)
RELATIONS = (Relation.FEEDS, Relation.TRAINS, Relation.TRIGGERS)
RANK = {Evidence.DECLARED: 2, Evidence.OBSERVED: 1, Evidence.INFERRED: 0}
# Kinds that no rule ties to one another by their names alone.
THINGS = [
    *(refs.experiment("lab", str(i)) for i in range(4)),
    *(refs.logged_model("lab", f"m-{i}") for i in range(4)),
    *(refs.run("lab", f"{i:02d}") for i in range(6)),
]
SOME = settings(deadline=None, max_examples=60)

edges_ = st.builds(
    Edge,
    st.sampled_from(THINGS),
    st.sampled_from(THINGS),
    st.sampled_from(RELATIONS),
    st.sampled_from(tuple(Evidence)),
    st.sampled_from(("so", "thus", "")),
    st.sampled_from((0.2, 0.79, 0.8, 0.95)),
    st.integers(1, 5).map(lambda hours: T0 + timedelta(hours=hours)),
)


@dataclass(frozen=True)
class Naive:
    """What the graph has to say, told from a list of claims in the plainest way."""

    edges: list[Edge]  # drawn
    candidates: list[Edge]

    @classmethod
    def of(cls, claims: Iterable[Edge]) -> Naive:
        best: dict[tuple[Ref, Ref, Relation], Edge] = {}
        for edge in claims:
            key = (edge.upstream, edge.downstream, edge.relation)
            if key not in best or _rank(edge) > _rank(best[key]):
                best[key] = edge
        weak = [e for e in best.values() if e.evidence is Evidence.INFERRED and e.score < 0.8]
        return cls([e for e in best.values() if e not in weak], weak)

    def distances(
        self, start: Ref, *, down: bool, depth: int | None, left_out: Collection[Relation], stop: Collection[Kind]
    ) -> dict[Ref, int]:
        found, waiting = {start: 0}, deque([start])
        while waiting:
            here = waiting.popleft()
            if found[here] == depth or (here.kind in stop and here != start):
                continue
            for edge in self.edges:
                near, far = (edge.upstream, edge.downstream) if down else (edge.downstream, edge.upstream)
                if near == here and far not in found and edge.relation not in left_out:
                    found[far] = found[here] + 1
                    waiting.append(far)
        del found[start]
        return found


def _rank(edge: Edge) -> tuple[int, float, datetime | None]:
    return RANK[edge.evidence], edge.score, edge.seen_at


def built(claims: list[Edge]) -> tuple[Graph, Index]:
    """Each claim told by a collector of its own, so that none lays itself over another."""
    index = Index(None)
    times = {ref: (T0 + timedelta(minutes=7 * i % 5)).isoformat() for i, ref in enumerate(THINGS)}
    index.upsert("things", Batch(tuple(Record(Node(ref, {"start": times[ref]})) for ref in THINGS)))
    for number, edge in enumerate(claims):
        index.upsert(f"claim {number}", Batch((Record(Node(edge.downstream), (edge,), partial=True),)))
    return index.graph(), index


@pytest.mark.parametrize("limit", [0, 1, 3, 10, 40, 50])
def test_the_newest_of_many_that_began_at_once_are_those_that_were_read_last(limit: int) -> None:
    index, runs = Index(None), [refs.run("lab", f"{n:02}") for n in range(40)]
    starts = [T0 + timedelta(hours=n % 3 == 0) for n in range(40)]
    told = (Record(Node(run, {"start": at.isoformat()})) for run, at in zip(runs, starts, strict=True))
    index.upsert("runs", Batch(tuple(told)))
    wanted = sorted(range(40), key=lambda n: (starts[n], n), reverse=True)
    assert index.graph().newest(Kind.RUN, limit) == [runs[n] for n in wanted[:limit]]


def plain(edges: Iterable[Edge]) -> set[tuple[Ref, Ref, Relation, Evidence, float, datetime | None]]:
    """Of two that say the same as surely at the same time either's words may be shown."""
    return {(e.upstream, e.downstream, e.relation, e.evidence, e.score, e.seen_at) for e in edges}


@SOME
@given(st.lists(edges_, max_size=25))
def test_the_strongest_claim_is_drawn_and_the_weak_are_candidates(claims: list[Edge]) -> None:
    graph, _ = built(claims)
    naive = Naive.of(claims)
    for ref in THINGS:
        down, up = ([e for e in naive.edges if end(e) == ref] for end in (_upper, _lower))
        assert plain(graph.downstream(ref)) == plain(down)
        assert plain(graph.upstream(ref)) == plain(up)
        assert (graph.degree(ref, down=True), graph.degree(ref, down=False)) == (len(down), len(up))
        assert len(graph.downstream(ref, 1)) == min(1, len(down))
        weak = [e for e in naive.candidates if ref in (e.upstream, e.downstream)]
        found = graph.candidates(ref)
        assert plain(found) == plain(weak)
        assert len(found) == len(weak)
        assert [e.score for e in found] == sorted((e.score for e in weak), reverse=True)
    assert graph.edge_count == len(naive.edges)
    inferred = [e for e in naive.edges if e.evidence is Evidence.INFERRED]
    assert plain(graph.inferred()) == plain([*inferred, *naive.candidates])


def _upper(edge: Edge) -> Ref:
    return edge.upstream


def _lower(edge: Edge) -> Ref:
    return edge.downstream


@SOME
@given(
    st.lists(edges_, max_size=20) | st.lists(edges_, min_size=30, max_size=60),
    st.sampled_from(THINGS),
    st.booleans(),
    st.none() | st.integers(0, 4),
    st.sets(st.sampled_from(RELATIONS), max_size=2),
    st.sets(st.sampled_from((Kind.RUN, Kind.EXPERIMENT)), max_size=1),
    st.sampled_from((0, 1, 48)),
)
def test_a_walk_reaches_what_the_naive_model_does(
    claims: list[Edge], start: Ref, down: bool, depth: int | None, left_out: set[Relation], stop: set[Kind], few: int
) -> None:
    graph, _ = built(claims)
    naive = Naive.of(claims)
    wanted = naive.distances(start, down=down, depth=depth, left_out=left_out, stop=stop)
    with patch.object(adjacency, "_FEW", few):  # up to so many things at one distance a loop is taken
        walk = graph.walk(start, down=down, depth=depth, left_out=left_out, stop=stop)
    assert dict(walk) == wanted
    assert list(walk.values()) == sorted(walk.values())  # the nearest first
    assert len(walk) == len(wanted)
    assert start not in walk
    kinds = {kind: [r for r in wanted if r.kind is kind] for kind in {r.kind for r in wanted}}
    assert walk.counts() == {kind: len(found) for kind, found in kinds.items()}
    for kind, found in kinds.items():
        assert set(walk.refs(kind)) == set(found)
        at = {r: (n.facts["start"], THINGS.index(r)) for r in found if (n := graph.get(r)) is not None}
        assert walk.newest(kind, 2) == sorted(found, key=lambda r: at[r], reverse=True)[:2]
    for ref in walk:
        way = walk.path(ref)
        assert len(way) == walk[ref]
        assert way[-1] == walk.edge(ref)
        here = start
        for edge in way:
            near, far = (edge.upstream, edge.downstream) if down else (edge.downstream, edge.upstream)
            assert near == here
            assert edge.relation not in left_out
            assert plain([edge]) <= plain(naive.edges)
            here = far
        assert here == ref


@SOME
@given(st.lists(edges_, max_size=30), st.booleans())
def test_what_is_reached_from_a_kind_is_what_is_reached_from_each_of_it(claims: list[Edge], down: bool) -> None:
    graph, _ = built(claims)
    starts = [ref for ref in THINGS if ref.kind is Kind.RUN]
    each = [graph.walk(ref, down=down, left_out={Relation.TRIGGERS}) for ref in starts]
    others = {ref for walk in each for ref in walk if ref.kind is not Kind.RUN}
    assert graph.reached_from(Kind.RUN, down=down) == others
    assert graph.reached_from(Kind.RUN, down=down, of=Kind.EXPERIMENT) == {
        ref for ref in others if ref.kind is Kind.EXPERIMENT
    }


@SOME
@given(st.integers(0, 2**32 - 1).map(Random))
def test_which_claim_is_strongest_does_not_hang_on_their_order(random: Random) -> None:
    rows = [
        (random.randrange(3), random.randrange(2), random.randrange(4), random.randrange(4), random.randrange(9),
         random.randrange(3), 900, random.randrange(2), random.randrange(3))
        for _ in range(random.randrange(30))
    ]  # fmt: skip
    rows = list({row[:4] + row[7:8]: row for row in rows}.values())  # a record claims an edge once

    def chosen(order: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        claims = np.array(order, CLAIM)
        return claims[strongest(claims, lambda c: c["seen"].astype(np.int64))].tolist()

    shuffled = random.sample(rows, len(rows))
    found = chosen(rows)
    assert sorted(chosen(shuffled)) == sorted(found)
    assert len({(r[2], r[3], r[7]) for r in found}) == len(found)
    assert [(r[2], r[3]) for r in found] == sorted((r[2], r[3]) for r in found)


# --- a hub ---

MANY = 100_000
HUB, MODEL = refs.experiment("lab", "0"), refs.logged_model("lab", "m")
RUNS = [refs.run("lab", f"{i:08x}") for i in range(MANY)]


class Numbered:
    """Names by their numbers, from 1, without an index: this is about the graph alone."""

    def __init__(self, things: list[Ref]) -> None:
        self._things = things
        self._numbers = {ref: number for number, ref in enumerate(things, 1)}

    def number(self, ref: Ref) -> int | None:
        return self._numbers.get(ref)

    def ref(self, number: int) -> Ref:
        return self._things[number - 1]

    def nodes(self, numbers: Iterable[int]) -> Iterator[Node]:
        return (Node(self.ref(number)) for number in numbers)

    def reason(self, number: int) -> str:
        return ""

    def times(self) -> npt.NDArray[np.int64]:
        return np.arange(len(self._things) + 1) * 7919 % MANY

    def inside(self, number: int, limit: int) -> list[int]:
        return []

    def instances(self, service: str) -> list[str]:
        return []

    def search(self, text: str, kinds: Iterable[int], limit: int) -> list[int]:
        return []


@pytest.fixture(scope="module")
def hub() -> Graph:
    """One experiment of 100,000 runs, each of which logged one model."""
    names = Numbered([HUB, MODEL, *RUNS])
    claims = np.zeros(2 * MANY, CLAIM)
    claims["up"] = np.concatenate([np.full(MANY, 1), np.arange(MANY) + 3])
    claims["down"] = np.concatenate([np.arange(MANY) + 3, np.full(MANY, 2)])
    relations = (RELATION_NUMBERS[relation] for relation in (Relation.CONTAINS, Relation.LOGGED))
    claims["relation"] = np.repeat(np.fromiter(relations, np.uint8), MANY)
    chosen, size = strongest(claims, lambda c: c["seen"].astype(np.int64)), MANY + 3
    kinds = np.array([0, *(KIND_NUMBERS[ref.kind] for ref in (HUB, MODEL, *RUNS))], np.uint8)
    return Graph(names, kinds, Adjacency(claims, chosen, size), Adjacency(claims, chosen[:0], size))


def test_a_hub_is_counted_and_walked(hub: Graph) -> None:
    assert hub.edge_count == 2 * MANY
    assert hub.degree(HUB, down=True) == hub.degree(MODEL, down=False) == MANY
    assert (hub.degree(HUB, down=False), hub.degree(MODEL, down=True)) == (0, 0)
    walk = hub.walk(HUB, down=True)
    assert walk.counts() == {Kind.RUN: MANY, Kind.LOGGED_MODEL: 1}
    assert walk[MODEL] == 2
    assert [edge.relation for edge in walk.path(MODEL)] == [Relation.CONTAINS, Relation.LOGGED]
    assert hub.walk(MODEL, down=False).counts() == {Kind.RUN: MANY, Kind.EXPERIMENT: 1}
    assert hub.walk(HUB, down=True, depth=1).counts() == {Kind.RUN: MANY}
    assert hub.walk(HUB, down=True, stop={Kind.RUN}).counts() == {Kind.RUN: MANY}
    assert len(hub.walk(HUB, down=True, left_out={Relation.CONTAINS})) == 0


def test_of_a_hub_as_much_is_told_as_is_asked_for(hub: Graph) -> None:
    assert len(hub.downstream(HUB, 3)) == 3
    assert hub.upstream(HUB, 3) == []
    numbers = sorted(range(3, MANY + 3), key=lambda n: (n * 7919 % MANY, n), reverse=True)
    newest = [RUNS[number - 3] for number in numbers[:3]]
    assert hub.walk(HUB, down=True).newest(Kind.RUN, 3) == newest
    assert hub.newest(Kind.RUN, 3) == newest
    assert hub.newest(Kind.RUN, 0) == []
    assert hub.count(Kind.RUN) == MANY


# --- small things ---


def test_of_what_is_not_there_nothing_is_told() -> None:
    graph, nobody = graph_of([Node(HUB)]), refs.run("lab", "nobody")
    assert nobody not in graph
    assert graph.get(nobody) is None
    assert graph.upstream(nobody) == graph.downstream(nobody) == graph.candidates(nobody) == []
    assert graph.degree(nobody, down=True) == 0
    walk = graph.walk(nobody, down=True)
    assert (len(walk), walk.counts(), list(walk.refs(Kind.RUN)), walk.newest(Kind.RUN, 5)) == (0, {}, [], [])
    for ask in (walk.__getitem__, walk.edge, walk.path):
        with pytest.raises(KeyError):
            ask(HUB)
    assert HUB not in walk
    assert len(graph_of()) == 0
    assert graph_of().newest(Kind.RUN, 5) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flight", ["flight-delay", "my flight_model"]),
        ("FLIGHT delay", ["flight-delay"]),
        ("model", ["my flight_model"]),
        ("fl", ["flight-delay"]),
        ("my fli", ["my flight_model"]),
        ("_f", []),
        ("%", []),
        ("f_", []),
        ("100%", ["100% sure"]),
        ("0%", []),
        ('"', []),
        ("flight OR delay", []),
        ("nothing", []),
        ("", []),
    ],
)
def test_search(text: str, found: list[str]) -> None:
    titles = ("flight-delay", "my flight_model", "100% sure")
    graph = graph_of([Node(refs.experiment("lab", str(i)), {"name": title}) for i, title in enumerate(titles)])
    named = [node.title for ref in graph.search(text) if (node := graph.get(ref)) is not None]
    assert named == found
    assert graph.search(text, [Kind.RUN]) == []
    assert len(graph.search(text, [Kind.EXPERIMENT], 1)) == min(1, len(found))


def test_a_title_that_changed_is_found_by_the_new_one() -> None:
    index = Index(None)
    for name in ("before", "after"):
        index.upsert("mlflow", Batch((Record(Node(HUB, {"name": name})),)))
    assert index.graph().search("before") == []
    assert index.graph().search("after") == [HUB]


def test_what_lies_inside_comes_newest_first() -> None:
    dag = refs.dag("local", "a")
    runs = [refs.dag_run("local", "a", f"r{i}") for i in range(4)]
    hours = (2, 0, 3, 1)
    nodes = [Node(r, {"start": (T0 + timedelta(hours=h)).isoformat()}) for r, h in zip(runs, hours, strict=True)]
    graph = graph_of([Node(dag), *nodes])
    assert graph.inside(dag, 3) == [runs[2], runs[0], runs[3]]
    assert graph.inside(runs[0], 3) == []
