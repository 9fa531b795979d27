"""What becomes of a lifecycle: DAGs and runs that are deleted, aliases that move, predictions that feed features.

Each story is told in batches, as collectors bring it, to an index in a file that is opened again in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import NOT_FLOW, Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.questions import counterparts, impact, orphans, path, pipeline, standing, uses
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage import lifecycle as life

T0 = datetime(2026, 11, 21, 15, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
CHAMPION = refs.alias(life.M, "flight-delay", "champion")
AIRFLOW, MLFLOW = f"airflow:{life.A}", f"mlflow:{life.M}"


class Story:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.index = Index(path)
        edges: dict[Ref, list[Edge]] = {}
        for edge in life.edges():
            edges.setdefault(edge.downstream, []).append(edge)
        by_service: dict[str, list[Record]] = {}
        for ref, facts in life.FACTS.items():
            name = f"{ref.scheme}:{ref.instance}"
            by_service.setdefault(name, []).append(Record(Node(ref, facts), tuple(edges.get(ref, ()))))
        for name, records in by_service.items():
            self.index.upsert(name, Batch(tuple(records)), T0)
        self.tell(MLFLOW, (CHAMPION, {"version": "1"}))

    def tell(self, collector: str, *things: tuple[Ref, dict[str, Any]], edges: tuple[Edge, ...] = ()) -> None:
        records = [Record(Node(ref, facts)) for ref, facts in things]
        records += [Record(Node(edge.downstream), (edge,), partial=True) for edge in edges]
        self.index.upsert(collector, Batch(tuple(records)), T0)

    def delete(self, collector: str, *gone: Ref) -> None:
        self.index.upsert(collector, Batch(gone=gone), LATER)

    def again(self) -> Graph:
        """The graph, which is the same after a restart."""
        before = said(self.index.graph())
        self.index.close()
        self.index = Index(self._path)
        after = self.index.graph()
        assert said(after) == before
        return after


def said(graph: Graph) -> tuple[dict[Ref, Node], set[Edge]]:
    return {n.ref: n for n in graph.nodes()}, {e for r in graph.refs() for e in graph.upstream(r)}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    story = Story(tmp_path / "index.sqlite")
    yield story
    story.index.close()


def since(graph: Graph, ref: Ref) -> datetime | None:
    node = graph.get(ref)
    assert node is not None, ref
    return node.gone_since


# --- deleted ---


def test_a_deleted_dag_stays_marked_for_the_models_that_stand_on_it(story: Story) -> None:
    story.delete(AIRFLOW, life.TRAIN, life.TRAIN_RUN, life.FIT_0, life.FIT_1)
    graph = story.again()
    for ref in (life.TRAIN, life.TRAIN_RUN, life.FIT_1):
        assert since(graph, ref) == LATER
    assert since(graph, life.TREES) is None
    assert pipeline(graph, life.V1) == life.TRAIN
    assert counterparts(graph, life.V1)["airflow"] == life.TRAIN_RUN
    assert impact(graph, life.TRAIN).live[0].version == life.V1
    trouble = standing(graph, life.V1, T0).troubles
    assert "train was deleted in its service." in [each.sentence for each in trouble]
    assert life.TRAIN not in orphans(graph).unknown_dags


def test_a_deleted_dag_on_which_nothing_stands_leaves_no_trace(story: Story) -> None:
    idle, run = refs.dag(life.A, "idle"), refs.dag_run(life.A, "idle", "r1")
    story.tell(AIRFLOW, (idle, {}), (run, {"state": "success"}))
    assert {idle, run} <= set(story.index.graph().refs())
    story.delete(AIRFLOW, idle, run)
    graph = story.again()
    assert not {idle, run} & set(graph.refs())
    assert graph.search("idle") == []


def test_a_deleted_dag_leaves_when_the_last_that_stood_on_it_does(story: Story) -> None:
    story.delete(AIRFLOW, life.WEATHER_RUN, life.WEATHER)
    assert life.WEATHER in story.index.graph()
    store = f"festaf:{life.P}"
    views = [ref for ref in life.FACTS if ref.scheme == "festaf"]
    story.delete(store, *views)
    story.delete(MLFLOW, *(ref for ref in (*life.FACTS, CHAMPION) if ref.scheme == "mlflow"))
    story.delete(AIRFLOW, *(ref for ref in life.FACTS if ref.scheme == "airflow"))
    graph = story.again()
    assert len(graph) == 0
    assert graph.edge_count == 0


def test_deleted_runs_stay_while_a_version_of_theirs_is_there(story: Story) -> None:
    story.delete(MLFLOW, life.TREES, life.LOOSE)
    graph = story.again()
    assert since(graph, life.TREES) == LATER
    assert life.LOOSE not in graph
    assert since(graph, life.V1) is None
    assert [use.run.ref for use in uses(graph, life.MODEL)] == [life.TREES, life.LOGISTIC]
    assert path(graph, life.TEMP, life.V1) is not None
    version = graph.get(life.V1)
    assert version is not None
    assert version.facts["metrics"] == {"auc": 0.74}


def test_a_run_that_comes_back_is_as_it_was(story: Story) -> None:
    before = set(story.index.graph().upstream(life.LOOSE))
    story.delete(MLFLOW, life.LOOSE)
    assert life.LOOSE not in story.index.graph()
    story.tell(MLFLOW, (life.LOOSE, life.FACTS[life.LOOSE]), edges=tuple(
        edge for edge in life.edges() if edge.downstream == life.LOOSE))  # fmt: skip
    graph = story.again()
    assert since(graph, life.LOOSE) is None
    assert {(e.upstream, e.relation) for e in graph.upstream(life.LOOSE)} == {(e.upstream, e.relation) for e in before}


def test_a_deleted_dag_run_no_longer_counts_among_its_dags_last(story: Story) -> None:
    failed = refs.dag_run(life.A, life.WEATHER.name, "scheduled__2")
    story.tell(AIRFLOW, (failed, {"state": "failed", "start": "2026-11-21T14:47:00Z"}))
    node = story.index.graph().get(life.WEATHER)
    assert node is not None
    assert node.facts["last_state"] == "failed"
    story.delete(AIRFLOW, failed)
    node = story.again().get(life.WEATHER)
    assert node is not None
    assert node.facts["last_state"] == "success"
    assert [run["run_id"] for run in node.facts["recent"]] == ["scheduled__1"]


# --- a moved alias ---


def aliased(graph: Graph) -> tuple[list[Ref], dict[Ref, list[str]]]:
    versions = {ref: node.facts["aliases"] for ref in (life.V1, life.V2) if (node := graph.get(ref)) is not None}
    return [edge.upstream for edge in graph.upstream(CHAMPION)], versions


@pytest.mark.parametrize("alias_first", [True, False])
def test_an_alias_that_moved_stands_at_one_version_alone(story: Story, alias_first: bool) -> None:
    assert aliased(story.index.graph()) == ([life.V1], {life.V1: ["champion"], life.V2: []})
    assert counterparts(story.index.graph(), life.TEMP)["mlflow"] == life.V1
    told = [(CHAMPION, {"version": "2"}), (life.MODEL, {"aliases": {"champion": "2"}})]
    for each in told if alias_first else reversed(told):
        story.tell(MLFLOW, each)
    graph = story.again()
    assert aliased(graph) == ([life.V2], {life.V1: [], life.V2: ["champion"]})
    assert counterparts(graph, life.TEMP)["mlflow"] == life.V2
    assert [live.version for live in impact(graph, life.TEMP).live] == [life.V2]
    assert [use.run.ref for use in uses(graph, CHAMPION)] == [life.LOGISTIC]


def test_an_alias_that_was_taken_away_leaves_with_its_edge(story: Story) -> None:
    story.tell(MLFLOW, (life.MODEL, {"aliases": {}}))
    story.delete(MLFLOW, CHAMPION)
    graph = story.again()
    assert CHAMPION not in graph
    assert aliased(graph) == ([], {life.V1: [], life.V2: []})
    assert impact(graph, life.TEMP).live == ()


def test_an_alias_of_a_deleted_version_keeps_it(story: Story) -> None:
    story.delete(MLFLOW, life.V1)
    graph = story.again()
    assert since(graph, life.V1) == LATER
    assert [edge.upstream for edge in graph.upstream(CHAMPION)] == [life.V1]


# --- cycles ---

SCORES = refs.feature_view(life.P, "scores")
SCORE = refs.feature(life.P, "scores", "risk")
CYCLE = (
    Edge(life.V1, SCORES, Relation.FEEDS, Evidence.OBSERVED, "predictions"),
    Edge(SCORES, SCORE, Relation.CONTAINS, Evidence.DECLARED),
    Edge(SCORE, life.SERVICE, Relation.FEEDS, Evidence.DECLARED),
)


def test_predictions_that_feed_features_are_drawn_and_not_followed_forever(story: Story) -> None:
    story.tell(f"festaf:{life.P}", (SCORES, {}), (SCORE, {}), edges=CYCLE)
    graph = story.again()
    assert SCORES in {edge.downstream for edge in graph.downstream(life.V1)}
    for ref in (life.V1, SCORES, SCORE, life.SERVICE, life.TREES):
        for down in (True, False):
            walk = graph.walk(ref, down=down, left_out=NOT_FLOW)
            assert ref not in walk
            assert {life.V1, SCORES, SCORE, life.SERVICE, life.TREES} - {ref} <= set(walk)
        assert impact(graph, ref).counts.get(Kind.FEATURE_SERVICE, 0) == (ref != life.SERVICE)
        assert {use.run.ref for use in uses(graph, SCORE)} == {life.TREES, life.LOGISTIC}
        standing(graph, ref, T0)
    assert path(graph, life.V1, life.SERVICE) is not None
    assert counterparts(graph, SCORE)["mlflow"] == life.V1


def test_a_cycle_that_is_deleted_as_a_whole_holds_itself_no_longer(story: Story) -> None:
    loop = [refs.dataset("s3://lake", name) for name in ("a", "b")]
    edges = tuple(Edge(up, down, Relation.FEEDS, Evidence.OBSERVED) for up, down in (loop, loop[::-1]))
    story.tell("openlineage:lab", *((ref, {}) for ref in loop), edges=edges)
    assert set(loop) <= set(story.index.graph().refs())
    story.delete("openlineage:lab", loop[0])
    assert since(story.index.graph(), loop[0]) == LATER  # the other stands on it
    story.delete("openlineage:lab", loop[1])
    assert not set(loop) & set(story.again().refs())


def test_a_thing_that_feeds_itself_ends_too(story: Story) -> None:
    table = refs.dataset("s3://lake", "log")
    itself = (Edge(table, table, Relation.FEEDS, Evidence.OBSERVED),)
    story.tell("openlineage:lab", (table, {}), edges=itself)
    graph = story.again()
    assert len(graph.walk(table, down=True)) == 0
    assert pipeline(graph, table) is None
    story.delete("openlineage:lab", table)
    assert table not in story.again()
