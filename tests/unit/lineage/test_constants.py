"""What a DAG's source names, and what may be made of it."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index.drawing import LIKELY
from e2e_ml.refs import FEAST
from tests.unit.lineage.looks import Known

MODEL = Node(refs.registered_model("lab", "price"))
EXPERIMENT = Node(refs.experiment("lab", "7"), {"name": "prices"})
SOURCE = Node(refs.source("shop", "orders", FEAST), {"place": "s3://lake/orders"})
VIEW = Node(refs.feature_view("shop", "orders", FEAST))
FEATURE = Node(refs.feature("shop", "orders", "total_30d", FEAST))


def dag(name: str = "nightly", tags: tuple[str, ...] = (), **constants: list[str]) -> Node:
    return Node(refs.dag("local", name), {"constants": constants, "tags": list(tags)})


def edges(node: Node, *others: Node) -> list[Edge]:
    return [e for e in Known([node, *others]).edges(node) if e.evidence is Evidence.INFERRED]


def one(node: Node, *others: Node) -> Edge:
    (edge,) = edges(node, *others)
    return edge


@pytest.mark.parametrize(
    ("dag", "others", "relation", "likely"),
    [
        (dag("train_price", models=["price"]), [], Relation.PRODUCES, True),
        (dag("x", ("ml:train",), models=["price"]), [], Relation.PRODUCES, True),
        (dag("x", models=["price"]), [], Relation.PRODUCES, False),  # it may as well load it
        (dag("x", models=["price"], experiments=["prices"]), [], Relation.PRODUCES, True),
        (dag("train_a", models=["price"]), [dag("train_b", models=["price"])], Relation.PRODUCES, True),
        (dag("x", models=["price"]), [dag("train_b", models=["price"])], Relation.PRODUCES, False),
        (dag("load_price", models=["price"]), [], Relation.PRODUCES, False),
        (dag("score_price", models=["price"]), [], Relation.READ_BY, True),
        (dag("price_drift", models=["price"]), [], Relation.READ_BY, True),
        (dag("deploy_price", models=["price"]), [], Relation.READ_BY, False),
        (dag("train_x", ("ml:batch",), models=["price"]), [], Relation.READ_BY, True),  # a tag goes before the name
        (dag("x", models=["price"], registers=["price"]), [], Relation.PRODUCES, True),
        (dag("x", models=["price"], registers=["price"]), [dag("train_b", models=["price"])], Relation.PRODUCES, True),
        (dag("deploy_price", models=["price"], registers=["price"]), [], Relation.PRODUCES, True),
        (dag("x", models=["price"], loads=["price"]), [], Relation.READ_BY, True),
        (dag("deploy_price", models=["price"], loads=["price"]), [], Relation.READ_BY, True),
        (dag("train_other", models=["price"], loads=["price"]), [], Relation.READ_BY, True),  # it starts from it
        (dag("x", models=["price"], loads=["price"], experiments=["prices"]), [], Relation.READ_BY, True),
        (dag("x", models=["price"], registers=["price"], loads=["price"]), [], Relation.PRODUCES, True),
        (dag("score_x", models=["price"], registers=["price"], loads=["price"]), [], Relation.READ_BY, True),
    ],
)
def test_models(dag: Node, others: list[Node], relation: Relation, likely: bool) -> None:
    edge = one(dag, MODEL, *others)
    assert edge.relation is relation
    assert (edge.score >= LIKELY) == likely
    assert "the model price" in edge.reason


def test_a_model_that_two_registries_have_is_a_candidate_in_both() -> None:
    other = Node(refs.registered_model("second", "price"))
    found = edges(dag("train_price", models=["price"]), MODEL, other)
    assert [edge.score < LIKELY for edge in found] == [True, True]


def test_the_dag_of_an_experiment() -> None:
    edge = one(dag(experiments=["prices"]), EXPERIMENT)
    assert (edge.upstream.name, edge.relation, edge.downstream) == ("nightly", Relation.PRODUCES, EXPERIMENT.ref)
    assert edge.score >= LIKELY
    assert edges(dag(experiments=["others"]), EXPERIMENT) == []


def asset(dag_id: str) -> Node:
    return Node(
        refs.asset("local", "s3://lake/orders/"), {"written_by": {"dag_id": dag_id, "at": "2026-11-21T00:00:00Z"}}
    )


@pytest.mark.parametrize("at", ["s3://lake/orders", "s3a://lake/orders/", "s3://lake/orders/day=1/part-0.parquet"])
def test_a_place_alone_does_not_say_who_reads_and_who_writes(at: str) -> None:
    edge = one(dag(uris=[at]), SOURCE)
    assert (edge.upstream, edge.relation) == (SOURCE.ref, Relation.READ_BY)
    assert edge.score < LIKELY
    assert "does not say" in edge.reason


def test_a_place_that_another_dag_writes_is_read() -> None:
    found = edges(dag(uris=["s3://lake/orders"]), SOURCE, asset("ingest"))
    assert {(edge.upstream, edge.score >= LIKELY) for edge in found} == {(SOURCE.ref, True), (asset("").ref, True)}
    assert "ingest writes it" in found[0].reason


def test_a_place_that_the_dag_writes_itself_is_not_read_for_that() -> None:
    assert edges(dag(uris=["s3://lake/orders"]), SOURCE, asset("nightly")) == []


@pytest.mark.parametrize("at", ["models:/price/1", "https://example.org/a.csv", "orders.csv", "s3://elsewhere"])
def test_places_that_name_nothing_here(at: str) -> None:
    assert edges(dag(uris=[at]), SOURCE, MODEL) == []


@pytest.mark.parametrize("name", ["orders:total_30d", "orders@v2:total_30d", "orders.total_30d", "orders__total_30d"])
def test_features_by_reference(name: str) -> None:
    edge = one(dag(features=[name]), VIEW, FEATURE)
    assert (edge.upstream, edge.relation) == (VIEW.ref, Relation.READ_BY)
    assert edge.score >= LIKELY
    assert edge.reason == "the DAG's source names the feature total_30d of orders"


def test_features_that_are_not_there_or_in_two_projects() -> None:
    assert edges(dag(features=["orders:other", "views:total_30d"]), VIEW, FEATURE) == []
    twin: list[Any] = [Node(refs.feature_view("two", "orders")), Node(refs.feature("two", "orders", "total_30d"))]
    assert [e.score < LIKELY for e in edges(dag(features=["orders:total_30d"]), VIEW, FEATURE, *twin)] == [True, True]


# --- files with several DAGs: the source is that of each -------------------------------------------------------------


def in_one_file(*names: str, **constants: list[str]) -> list[Node]:
    facts = {"constants": constants, "file": "shop/dags.py"}
    return [Node(refs.dag("local", name), facts) for name in names]


def drawn(dags: list[Node], *others: Node) -> set[tuple[str, Relation]]:
    """What is drawn of several DAGs, by their names."""
    found = [(d.ref.name, e) for d in dags for e in edges(d, *(o for o in dags if o is not d), *others)]
    return {(name, edge.relation) for name, edge in found if edge.score >= LIKELY}


@pytest.mark.parametrize(
    ("names", "trains"),
    [
        (("train_price", "ingest_orders"), {"train_price"}),
        (("train_price", "prepare"), {"train_price"}),
        (("train_price", "train_demand"), set[str]()),
        (("one", "two"), set[str]()),
    ],
)
def test_a_model_or_an_experiment_is_made_by_the_one_of_the_file_that_trains(
    names: tuple[str, ...], trains: set[str]
) -> None:
    made = {(name, Relation.PRODUCES) for name in trains}
    assert drawn(in_one_file(*names, models=["price"]), MODEL) == made
    assert drawn(in_one_file(*names, experiments=["prices"]), EXPERIMENT) == made


def test_a_file_that_trains_and_scores_tells_both() -> None:
    assert drawn(in_one_file("train_price", "score_price", models=["price"]), MODEL) == {
        ("train_price", Relation.PRODUCES), ("score_price", Relation.READ_BY),
    }  # fmt: skip
    assert drawn(in_one_file("score_price", "score_all", models=["price"]), MODEL) == set()


def test_a_file_that_registers_and_loads_tells_which_dag_does_which() -> None:
    both = in_one_file("train_price", "score_price", models=["price"], registers=["price"], loads=["price"])
    assert drawn(both, MODEL) == {("train_price", Relation.PRODUCES), ("score_price", Relation.READ_BY)}
    loads = in_one_file("train_price", "score_price", models=["price"], loads=["price"])
    assert drawn(loads, MODEL) == {("score_price", Relation.READ_BY)}
    assert drawn(in_one_file("one", "two", models=["price"], loads=["price"]), MODEL) == set()


def test_who_only_loads_a_model_is_no_rival_of_its_trainer() -> None:
    edge = one(dag("train_price", models=["price"]), MODEL, dag("train_b", models=["price"], loads=["price"]))
    assert edge.reason == "the DAG's source names the model price, and it trains"


def test_features_are_read_by_the_one_of_the_file_that_uses_them() -> None:
    names = ["orders:total_30d"]
    train, ingest = in_one_file("train_price", "ingest_orders", features=names)
    assert drawn([train, ingest], VIEW, FEATURE) == {("train_price", Relation.READ_BY)}
    (edge,) = edges(ingest, train, VIEW, FEATURE)
    assert edge.reason == (
        "the DAG's source names the feature total_30d of orders; it is the source of 1 more that may be meant"
    )


def test_an_asset_of_the_file_is_read_by_the_dag_that_waits_for_it() -> None:
    dags = in_one_file("ingest", "cook", "report", uris=["s3://lake/orders"])
    written = asset("ingest")
    tied = Node(written.ref, {**written.facts, "made_by": ["ingest"], "awaited_by": ["cook"]})
    assert drawn(dags, tied) == {("cook", Relation.READ_BY)}
    assert edges(dags[2], *dags[:2], tied) == []  # no candidate either: Airflow knows better
    (nobody,) = in_one_file("report", uris=["s3://lake/orders"])
    assert drawn([nobody], tied) == {("report", Relation.READ_BY)}  # in a file of its own it is there for a reason


def test_an_outlet_that_was_never_written_is_not_read() -> None:
    assert edges(dag(uris=["s3://lake/orders"]), Node(asset("").ref, {"made_by": ["nightly"]})) == []
