"""What each web view shows beside a thing, who uses it and which DAG makes it: tables over one small lifecycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from e2e_ml import refs, routes
from e2e_ml.festaf.freshness import FreshnessState
from e2e_ml.lineage.graph import Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.lineage.questions import counterparts, freshness_of, lookup, orphans, pipeline, uses, views_read
from e2e_ml.refs import FEAST, Kind, Ref
from tests.unit.lineage import lifecycle as life

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return life.graph()


@pytest.mark.parametrize(
    ("ref", "festaf", "airflow", "mlflow"),
    [
        # of the feature store: its DAG, and the champion that stands on it
        (life.TEMP, life.TEMP, life.WEATHER, life.V1),
        (life.VIEW, life.VIEW, life.WEATHER, life.V1),
        (life.SOURCE, life.SOURCE, life.WEATHER, life.V1),
        (life.ENTITY, life.ENTITY, life.WEATHER, life.V1),
        (life.SERVICE, life.SERVICE, life.TRAIN, life.V1),
        (life.FREEZING, life.FREEZING, life.WEATHER, life.LOOSE),  # no version: the run
        (life.UNUSED, life.UNUSED, life.WEATHER, None),
        (life.ORPHAN, life.ORPHAN, None, None),
        # on demand: the DAG of what it reads, where it reads anything
        (life.GATE, life.GATE, life.WEATHER, life.V1),
        (life.COLD, life.COLD, life.WEATHER, life.V1),
        (life.FIRST, life.FIRST, None, life.V1),
        (life.WISH, life.WISH, None, None),
        (refs.project(life.P), refs.project(life.P), None, None),
        # of Airflow: what it makes
        (life.WEATHER, life.VIEW, life.WEATHER, life.V1),
        (life.WEATHER_RUN, life.VIEW, life.WEATHER_RUN, None),
        (life.VIEW_ASSET, life.VIEW, life.VIEW_ASSET, life.V1),
        (life.TRAIN, life.SERVICE, life.TRAIN, life.V1),
        (life.TRAIN_RUN, life.SERVICE, life.TRAIN_RUN, life.TREES),
        (life.FIT_0, life.SERVICE, life.FIT_0, life.LOGISTIC),
        (refs.task(life.A, "train", "fit"), life.SERVICE, refs.task(life.A, "train", "fit"), life.V1),
        # of MLflow: what started it, what it learned from
        (life.TREES, life.SERVICE, life.TRAIN_RUN, life.TREES),
        (life.LOOSE, life.FREEZING, None, life.LOOSE),
        (life.V2, life.SERVICE, life.TRAIN_RUN, life.V2),
        (life.MODEL, life.SERVICE, life.TRAIN, life.MODEL),
        (life.LOGGED, life.SERVICE, life.TRAIN_RUN, life.LOGGED),
        (life.EXPERIMENT, life.FREEZING, life.TRAIN, life.EXPERIMENT),  # of its newest run, made by hand
        # nothing known: its own view alone
        (refs.run(life.M, "nobody"), None, None, refs.run(life.M, "nobody")),
        (refs.dag(life.A, "nobody"), None, refs.dag(life.A, "nobody"), None),
    ],
)
def test_counterparts(graph: Graph, ref: Ref, festaf: Ref | None, airflow: Ref | None, mlflow: Ref | None) -> None:
    wanted = {"festaf": festaf, "airflow": airflow, "mlflow": mlflow}
    assert counterparts(graph, ref) == {service: other for service, other in wanted.items() if other}


@pytest.mark.parametrize(
    ("ref", "runs"),
    [
        (life.TEMP, [life.LOOSE, life.TREES, life.LOGISTIC]),  # `is_freezing` is made of it
        (life.FREEZING, [life.LOOSE]),
        (life.UNUSED, []),
        (life.VIEW, [life.LOOSE, life.TREES, life.LOGISTIC]),
        (life.SERVICE, [life.TREES, life.LOGISTIC]),
        (life.TRAIN, [life.TREES, life.LOGISTIC]),
        (life.TRAIN_RUN, [life.TREES, life.LOGISTIC]),
        (life.FIT_1, [life.TREES]),
        (life.V1, [life.TREES]),
        (life.MODEL, [life.TREES, life.LOGISTIC]),
        (life.EXPERIMENT, [life.LOOSE, life.TREES, life.LOGISTIC]),
        (life.TREES, [life.TREES]),
    ],
)
def test_uses_newest_first(graph: Graph, ref: Ref, runs: list[Ref]) -> None:
    assert [use.run.ref for use in uses(graph, ref)] == runs


def test_a_use_brings_versions_aliases_and_why_we_believe_it(graph: Graph) -> None:
    use = next(u for u in uses(graph, life.TEMP) if u.run.ref == life.TREES)
    assert [v.ref for v in use.versions] == [life.V1]
    assert use.aliases == ("champion",)
    assert use.versions[0].facts["metrics"] == {"auc": 0.74}
    assert use.link is not None
    assert (use.link.relation, use.link.evidence) == (Relation.TRAINS, Evidence.DECLARED)
    assert "feast.feature_service" in use.link.reason


def test_a_run_is_tied_to_itself_by_nothing(graph: Graph) -> None:
    assert [use.link for use in uses(graph, life.TREES)] == [None]


@pytest.mark.parametrize(
    ("ref", "dag"),
    [
        *((ref, life.WEATHER) for ref in (life.TEMP, life.VIEW, life.SOURCE, life.VIEW_ASSET, life.WEATHER_RUN)),
        *((ref, life.TRAIN) for ref in (life.SERVICE, life.TREES, life.V1, life.MODEL, life.FIT_0, life.EXPERIMENT)),
        *((ref, None) for ref in (life.LOOSE, life.ORPHAN)),
    ],
)
def test_pipeline(graph: Graph, ref: Ref, dag: Ref | None) -> None:
    assert pipeline(graph, ref) == dag


def test_what_is_on_demand_comes_from_the_views_that_it_reads(graph: Graph) -> None:
    assert views_read(graph, life.GATE) == views_read(graph, life.COLD) == [life.VIEW]
    assert views_read(graph, life.FIRST) == []


def feast_project(*, filled: bool = True) -> Graph:
    """A source that a DAG fills, its view, one on demand that reads it and the request, and a run that predicts."""
    source, request = refs.source("drivers", "stats", FEAST), refs.source("drivers", "request", FEAST)
    view, asked = refs.feature_view("drivers", "hourly", FEAST), refs.feature_view("drivers", "scaled", FEAST)
    feature, service = refs.feature("drivers", "scaled", "rate", FEAST), refs.feature_service("drivers", "v1", FEAST)
    told = [Node(ref) for ref in (source, request, view, life.WEATHER, life.LOOSE, service, life.V1, life.MODEL)]
    on_demand = [Node(ref, {"on_demand": True}) for ref in (asked, feature)]
    ends = [(source, view), (view, asked), (request, asked), (view, feature), (request, feature), (feature, service)]
    edges = [life.Edge(up, down, Relation.FEEDS, Evidence.DECLARED) for up, down in ends]
    edges += [life.Edge(life.WEATHER, source, Relation.PRODUCES, Evidence.OBSERVED)] if filled else []
    edges.append(life.Edge(life.LOOSE, life.V1, Relation.LOGGED, Evidence.DECLARED))
    edges.append(life.Edge(life.V1, life.MODEL, Relation.VERSION_OF, Evidence.DECLARED))
    edges.append(life.Edge(service, life.LOOSE, Relation.READ_BY, Evidence.DECLARED))
    return graph_of([*told, *on_demand], edges)


@pytest.mark.parametrize("name", ["hourly", "scaled", "scaled#rate"])
def test_what_feast_reads_is_made_by_the_dag_that_fills_its_source(name: str) -> None:
    graph, ref = feast_project(), Ref.parse(f"feast://drivers/{name}")
    assert pipeline(graph, ref) == life.WEATHER
    assert views_read(graph, ref) == [refs.feature_view("drivers", "hourly", FEAST)]


@pytest.mark.parametrize(("filled", "state"), [(True, FreshnessState.NEVER), (False, FreshnessState.NO_PIPELINE)])
def test_a_view_of_feast_has_a_pipeline_where_a_dag_fills_its_source(filled: bool, state: FreshnessState) -> None:
    graph, view = feast_project(filled=filled), refs.feature_view("drivers", "hourly", FEAST)
    verdict = freshness_of(graph, view, datetime(2026, 11, 21, tzinfo=UTC))
    assert verdict is not None
    assert verdict.state is state
    assert [unmade.view for unmade in orphans(graph).unmade_views] == ([] if filled else [view])


def test_a_run_that_predicts_is_tied_by_what_it_reads() -> None:
    (use,) = uses(feast_project(), Ref.parse("feast://drivers/hourly"))
    assert use.link is not None
    assert (use.link.relation, use.link.evidence) == (Relation.READ_BY, Evidence.DECLARED)


def test_without_a_champion_the_newest_version_is_shown() -> None:
    nodes = life.nodes()
    nodes[life.MODEL] = Node(life.MODEL, {"aliases": {}})
    assert counterparts(graph_of(nodes.values(), life.edges()), life.TEMP)["mlflow"] == life.V2


def test_without_a_champion_any_alias_goes_before_the_newest() -> None:
    nodes = life.nodes()
    nodes[life.MODEL] = Node(life.MODEL, {"aliases": {"shadow": "1"}})
    assert counterparts(graph_of(nodes.values(), life.edges()), life.TEMP)["mlflow"] == life.V1


def test_a_dag_that_lives_goes_before_one_that_is_gone() -> None:
    nodes = life.nodes(gone=(life.WEATHER,))
    heir = refs.dag(life.A, "weather_v2")
    writer: Any = {"at": "2026-11-21T14:00:00Z", "dag_id": "weather_v2"}
    nodes |= {heir: Node(heir), life.VIEW_ASSET: Node(life.VIEW_ASSET, {"id": 1, "written_by": writer})}
    graph = graph_of(nodes.values(), life.edges())
    assert pipeline(graph, life.VIEW) == heir
    gone = graph.get(life.WEATHER)
    assert gone is not None
    assert gone.gone_since is not None


def test_a_cycle_of_predictions_that_feed_features_ends() -> None:
    nodes = life.nodes()
    # the model's own predictions become a view: version -> view
    loop = [*life.edges(), life.Edge(life.V1, life.VIEW, Relation.FEEDS, Evidence.DECLARED)]
    graph = graph_of(nodes.values(), loop)
    assert [u.run.ref for u in uses(graph, life.TEMP)] == [life.LOOSE, life.TREES, life.LOGISTIC]
    assert counterparts(graph, life.V1)["airflow"] == life.TRAIN_RUN


def test_lookup_gives_the_pages_their_ids(graph: Graph) -> None:
    known = lookup(graph)
    assert routes.path(life.VIEW_ASSET, known) == ("airflow", "/assets/1")
    assert routes.path(life.TREES, known) == ("mlflow", "/#/experiments/1/runs/bbb")
    assert routes.path(life.LOGGED, known) == ("mlflow", "/#/experiments/1/models/m-1")


@pytest.mark.parametrize(
    ("ref", "state"),
    [
        (life.VIEW, FreshnessState.FRESH),
        (life.TEMP, FreshnessState.FRESH),
        (life.ORPHAN, FreshnessState.NO_PIPELINE),
        (life.GATE, None),
        (life.COLD, None),
        (life.TRAIN, None),
        (life.SERVICE, None),
        (refs.feature_view(life.P, "nobody"), None),
    ],
)
def test_freshness(graph: Graph, ref: Ref, state: FreshnessState | None) -> None:
    # its run of 12:00 to 13:00 succeeded; that of 13:00 to 14:00 has six minutes' grace
    verdict = freshness_of(graph, ref, NOW)
    assert (verdict.state if verdict else None) == state


def test_freshness_is_late_once_the_next_interval_is_due(graph: Graph) -> None:
    verdict = freshness_of(graph, life.VIEW, datetime(2026, 11, 21, 14, 7, tzinfo=UTC))
    assert verdict is not None
    assert verdict.state is FreshnessState.LATE


def test_every_kind_has_an_answer(graph: Graph) -> None:
    kinds = {node.ref.kind for node in graph.nodes()} | {Kind.TASK}
    assert kinds == set(Kind) - {Kind.DATASET, Kind.COLUMN, Kind.ALIAS, Kind.ENDPOINT, Kind.MONITOR}
    for node in graph.nodes():
        assert counterparts(graph, node.ref)[node.ref.scheme] == node.ref
