"""The rules that tie services to one another, one table or case a rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.festaf.run_tags import TAG_LIMIT, feature_refs_tag, full_name, read_feature_refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.lineage.rules.keys import normal_uri
from e2e_ml.refs import Ref
from tests.unit.lineage import lifecycle as life


def links(*nodes: Node) -> set[tuple[Ref, Relation, Ref, Evidence]]:
    return {(e.upstream, e.relation, e.downstream, e.evidence) for e in edges(*nodes)}


def edges(*nodes: Node) -> list[Edge]:
    graph = graph_of(nodes)
    return [edge for ref in graph.refs() for edge in graph.downstream(ref)]


def run(**facts: Any) -> Node:
    return Node(refs.run("lab", "r"), facts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3a://bucket/a/", "s3://bucket/a"),
        ("s3://bucket//a", "s3://bucket/a"),
        ("/data/a.csv", "file:///data/a.csv"),
        ("file:///data/./a.csv", "file:///data/a.csv"),
        ("festaf://flights/plane/", "festaf://flights/plane"),
    ],
)
def test_uris_that_are_one(one: str, other: str) -> None:
    assert normal_uri(one) == normal_uri(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("s3://a/b", "s3://a/B"), ("s3://a/b?v=1", "s3://a/b?v=2"), ("s3://a", "gs://a"), ("x://A/b", "x://a/b")],
)
def test_uris_that_are_two(one: str, other: str) -> None:
    assert normal_uri(one) != normal_uri(other)


@given(st.text(max_size=40))
def test_a_normal_uri_stays(text: str) -> None:
    once = normal_uri(text)
    assert normal_uri(once) == once


def test_a_view_names_the_dag_that_makes_it() -> None:
    made = links(Node(life.VIEW, {"dag_id": "legacy", "task_id": "load"}), Node(refs.dag("a", "legacy")))
    assert made == {(refs.dag("a", "legacy"), Relation.PRODUCES, life.VIEW, Evidence.DECLARED)}


def test_a_dag_that_no_airflow_has_is_not_drawn() -> None:
    assert links(Node(life.VIEW, {"dag_id": "legacy"}), Node(refs.dag("a", "other"))) == set()


@pytest.mark.parametrize(
    ("uri", "extra"),
    [("festaf://flights/hourly_weather/", {}), ("s3://lake/w", {"project": "flights", "view": "hourly_weather"})],
)
def test_an_asset_stands_for_its_view_and_its_writer_makes_it(uri: str, extra: dict[str, str]) -> None:
    asset = Node(refs.asset("a", uri), {"extra": extra, "written_by": {"dag_id": "load", "at": "2026-11-21T00:00:00Z"}})
    assert links(Node(life.VIEW), asset) == {
        (asset.ref, Relation.STANDS_FOR, life.VIEW, Evidence.DECLARED),
        (refs.dag("a", "load"), Relation.PRODUCES, life.VIEW, Evidence.OBSERVED),
        (refs.dag("a", "load"), Relation.PRODUCES, asset.ref, Evidence.OBSERVED),
    }


def test_an_asset_where_a_source_lies_ties_its_writer_to_the_source() -> None:
    source = Node(refs.source("flights", "weather"), {"place": "file:///srv/flights/data/weather.parquet"})
    elsewhere = Node(refs.source("flights", "planes"), {"place": "file:///srv/flights/data/planes.parquet"})
    asset = Node(
        refs.asset("a", "file:///srv/flights/data/weather.parquet/"),
        {"written_by": {"dag_id": "ingest", "at": "2026-11-21T00:00:00Z"}},
    )
    assert links(source, elsewhere, asset) == {
        (asset.ref, Relation.STANDS_FOR, source.ref, Evidence.OBSERVED),
        (refs.dag("a", "ingest"), Relation.PRODUCES, source.ref, Evidence.OBSERVED),
        (refs.dag("a", "ingest"), Relation.PRODUCES, asset.ref, Evidence.OBSERVED),
    }


def test_a_run_with_a_service_hangs_on_the_service_alone() -> None:
    made = links(
        Node(life.SERVICE, {"features": ["hourly_weather.temp"]}),
        Node(life.TEMP),
        run(tags=life.run_tags(None, life.SERVED)),
    )
    assert made == {(life.SERVICE, Relation.TRAINS, refs.run("lab", "r"), Evidence.DECLARED)}


def test_features_beyond_the_service_hang_on_the_run_too() -> None:
    tags = life.run_tags(None, {**life.SERVED, "feast.feature_refs": "hourly_weather:temp,hourly_weather:is_freezing"})
    made = links(
        Node(life.SERVICE, {"features": ["hourly_weather.temp"]}), Node(life.TEMP), Node(life.FREEZING), run(tags=tags)
    )
    assert {edge[0] for edge in made} == {life.SERVICE, life.FREEZING}


@pytest.mark.parametrize("tag", ["hourly_weather:temp", "hourly_weather.temp", "feature_view:hourly_weather:temp"])
def test_features_without_a_service_in_every_spelling(tag: str) -> None:
    made = links(Node(life.TEMP), run(tags=life.run_tags(None, {"feast.feature_refs": tag})))
    assert {edge[0] for edge in made} == {life.TEMP}


def test_two_retrievals_of_one_run_add_up() -> None:
    told = [
        {"project": "flights", "feature_service": "flight_delay", "features": ["hourly_weather.temp"]},
        {"project": "flights", "feature_service": None, "features": ["hourly_weather.visib"]},
    ]
    made = links(Node(life.SERVICE, {"features": ["hourly_weather.temp"]}), Node(life.UNUSED), run(retrievals=told))
    assert {edge[0] for edge in made} == {life.SERVICE, life.UNUSED}


def test_a_dataset_whose_source_is_the_view() -> None:
    data = [{"name": "train", "source": "festaf://flights/hourly_weather"}, {"name": "other", "source": "/data/x.csv"}]
    made = edges(Node(life.VIEW), run(inputs=data))
    assert [(e.upstream, e.reason) for e in made] == [(life.VIEW, "the run's dataset train comes from it")]


def test_data_behind_a_link_and_in_a_part_file_is_observed(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    (tmp_path / "latest").symlink_to("2026")
    source = Node(refs.source("flights", "weather"), {"place": (tmp_path / "latest").as_uri()})
    data = [
        {"name": "linked", "source": str(tmp_path.resolve() / "2026")},
        {"name": "part", "source": str(tmp_path / "latest" / "part-0.parquet")},
        {"name": "beside", "source": str(tmp_path / "latest" / "labels.csv")},
    ]
    reasons = {each["name"]: [(e.evidence, e.reason) for e in edges(source, run(inputs=[each]))] for each in data}
    assert reasons["linked"] == [(Evidence.DECLARED, "the run's dataset linked comes from it")]
    assert reasons["part"] == [(Evidence.OBSERVED, "the run's dataset part comes from it as a part of its folder")]
    assert reasons["beside"] == []  # a candidate
    there = Node(refs.source("flights", "weather"), {"place": (tmp_path.resolve() / "2026").as_uri()})
    linked = edges(there, run(inputs=[{"name": "x", "source": str(tmp_path / "latest")}]))
    assert [e.evidence for e in linked] == [Evidence.OBSERVED]


def test_a_relative_path_is_a_candidate_for_what_ends_like_it() -> None:
    places = {
        "one": "file:///srv/a/data/x.csv",
        "two": "file:///srv/b/data/x.csv",
        "three": "file:///srv/c/other/x.csv",
    }
    sources = [Node(refs.source("flights", name), {"place": place}) for name, place in places.items()]
    train = run(inputs=[{"name": "d", "source": "data/x.csv"}])
    graph = graph_of([*sources, train])
    assert graph.upstream(train.ref) == []
    assert {(e.upstream.name, e.score) for e in graph.candidates(train.ref)} == {("one", 0.35), ("two", 0.35)}


def test_a_run_that_predicts_reads_its_features() -> None:
    tags = {**life.run_tags(None, life.SERVED), "feast.retrieval_type": "online"}
    made = links(Node(life.SERVICE, {"features": ["hourly_weather.temp"]}), Node(life.TEMP), run(tags=tags))
    assert made == {(life.SERVICE, Relation.READ_BY, refs.run("lab", "r"), Evidence.DECLARED)}


@pytest.mark.parametrize(
    ("params", "upstream"),
    [
        ({"feature_service": "flight_delay"}, life.SERVICE),
        ({"feature_services": '["flight_delay"]'}, life.SERVICE),
        ({"feature_view": "hourly_weather@v3"}, life.VIEW),
        ({"feature_refs": "hourly_weather:temp"}, life.TEMP),
        ({"feature_list": '["feature_view:hourly_weather:temp"]'}, life.TEMP),
    ],
)
def test_params_and_tags_of_anybodys_choice(params: dict[str, str], upstream: Ref) -> None:
    things = (Node(life.SERVICE), Node(life.VIEW), Node(life.TEMP))
    assert links(*things, run(params=params)) == {(upstream, Relation.TRAINS, refs.run("lab", "r"), Evidence.DECLARED)}
    version = Node(life.V1, {"tags": params})
    assert links(*things, version) == {(upstream, Relation.TRAINS, life.V1, Evidence.DECLARED)}


@pytest.mark.parametrize(
    "extra",
    [
        {"mlflow.run_id": "a" * 32},
        {"mlflow_run_id": "a" * 32},
        {"run_id": "a" * 32},
        {"model_uri": f"runs:/{'a' * 32}/model"},
    ],
)
def test_an_event_of_any_asset_names_the_run(extra: dict[str, str]) -> None:
    writer = {"dag_id": "train", "run_id": "r1", "task_id": "fit", "map_index": 2, "at": "2026-11-21T00:00:00Z"}
    asset = Node(refs.asset("a", "s3://lake/report"), {"written_by": {**writer, "extra": extra}})
    started = {up for up, relation, *_ in links(asset, Node(refs.run("lab", "a" * 32))) if relation is Relation.STARTED}
    assert started == {refs.dag("a", "train"), refs.task_instance("a", "train", "r1", "fit", 2)}


def test_airflows_own_run_id_is_no_run_of_mlflow() -> None:
    writer = {"dag_id": "train", "at": "2026-11-21T00:00:00Z", "extra": {"run_id": "manual__1"}}
    asset = Node(refs.asset("a", "s3://lake/report"), {"written_by": writer})
    assert Relation.STARTED not in {relation for _, relation, *_ in links(asset, Node(refs.run("lab", "manual__1")))}


@pytest.mark.parametrize(
    ("script", "evidence"),
    [
        ("/opt/airflow/dags/ml/train.py", Evidence.OBSERVED),
        ("/home/ada/airflow/dag_bundles/main/ml/train.py", Evidence.OBSERVED),
        ("/opt/airflow/dags/top.py", Evidence.OBSERVED),
        ("/home/ada/top.py", None),  # a candidate
        ("/home/ada/ml/train.py", None),
        ("ml/train.py", None),
        ("/opt/airflow/dags/ml/other.py", None),
        ("/usr/bin/airflow", None),
    ],
)
def test_the_dags_own_file_started_the_run(script: str, evidence: Evidence | None) -> None:
    dags = [Node(refs.dag("a", "one"), {"file": "ml/train.py"}), Node(refs.dag("a", "two"), {"file": "top.py"})]
    made = links(*dags, run(tags={"mlflow.source.name": script}))
    assert {e[3] for e in made} == ({evidence} if evidence else set())


def test_a_mapped_task_instance_of_the_run() -> None:
    made = links(Node(life.TRAIN), run(tags=life.run_tags(1)))
    assert {(up, relation) for up, relation, *_ in made} == {
        (life.TRAIN, Relation.STARTED),
        (life.FIT_1, Relation.STARTED),
    }


@pytest.mark.parametrize(("index", "shown"), [(None, "-1"), ("", "-1"), ("x", "-1"), ("0", "0"), ("7", "7")])
def test_map_indexes(index: str | None, shown: str) -> None:
    tags = {**life.run_tags(0), "airflow.map_index": index}
    made = links(Node(life.TRAIN), run(tags={k: v for k, v in tags.items() if v is not None}))
    assert {up.keys[3] for up, *_ in made if len(up.keys) == 4} == {shown}


def test_a_deleted_dag_is_named_where_there_is_one_airflow() -> None:
    assert {e[0].instance for e in links(Node(refs.dag("only", "other")), run(tags=life.run_tags(1)))} == {"only"}
    two = (Node(refs.dag("one", "other")), Node(refs.dag("two", "other")))
    assert links(*two, run(tags=life.run_tags(1))) == set()


def test_a_model_asset_names_the_run_and_the_model() -> None:
    made = links(Node(life.MODEL_ASSET, life.FACTS[life.MODEL_ASSET]), Node(life.MODEL), Node(life.TREES))
    assert made == {
        (life.TRAIN, Relation.PRODUCES, life.MODEL, Evidence.OBSERVED),
        (life.TRAIN, Relation.PRODUCES, life.MODEL_ASSET, Evidence.OBSERVED),
        (life.TRAIN, Relation.STARTED, life.TREES, Evidence.OBSERVED),
    }


@pytest.mark.parametrize("tags", [{}, {"feast.project": ""}, {"feast.feature_refs": "a:b"}, {"airflow.dag_id": ""}])
def test_half_a_key_links_nothing(tags: dict[str, str]) -> None:
    assert links(Node(life.TEMP), Node(life.TRAIN), run(tags=tags)) == set()


def test_the_strongest_evidence_wins() -> None:
    weak = Edge(life.SERVICE, life.TREES, Relation.TRAINS, Evidence.INFERRED, "columns", 0.9)
    strong = Edge(life.SERVICE, life.TREES, Relation.TRAINS, Evidence.DECLARED, "tag")
    for told in ([weak, strong], [strong, weak]):
        (kept,) = graph_of((), told).upstream(life.TREES)
        assert (kept.evidence, kept.reason) == (Evidence.DECLARED, "tag")


# --- Feast's list in a tag ---

WORD = st.text("abcxyz_09", min_size=1, max_size=30)


@given(st.lists(st.tuples(WORD, WORD).map(".".join), max_size=60), st.integers(100, 700))
def test_a_tag_holds_whole_names_and_says_when_it_is_cut(names: list[str], limit: int) -> None:
    tag = feature_refs_tag(names, limit)
    read, cut = read_feature_refs(tag)
    assert len(tag) <= limit
    assert list(read) == names[: len(read)]
    assert cut == (len(read) < len(names))


def test_a_tag_that_others_cut_in_the_middle_loses_the_broken_name() -> None:
    assert read_feature_refs("w:temp,w:visi...") == (("w.temp",), True)
    silent = ",".join(["weather:temp"] * 1000)[:TAG_LIMIT]  # what MLflow leaves of a long one
    read, cut = read_feature_refs(silent)
    assert cut
    assert set(read) == {"weather.temp"}


def test_full_names() -> None:
    assert [full_name(n) for n in ("w:a", "w.a", "feature_view:w:a")] == ["w.a"] * 3
