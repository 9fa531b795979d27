"""The collector of MLflow against a small one in this process: pages, what is cut short, what is deleted meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors.mlflow import MOST_FILES, PAGE, VERSIONS, MlflowCollector
from e2e_ml.lineage.collectors.mlflow_records import columns_of_mlmodel, columns_of_schema
from e2e_ml.lineage.collectors.visits import MOST_PAGES, TRICKLE
from e2e_ml.lineage.graph import FACTS, Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind, Ref
from tests.unit.lineage.mlflow_answers import NOW, Mlflow

LONG_AGO = NOW - 7 * 86_400


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index(None)
    yield index
    index.close()


def visit(collector: MlflowCollector, index: Index) -> Graph:
    for batch in collector.collect(index.cursor(collector.name)):
        index.upsert(collector.name, batch)
    return index.graph()


def node(graph: Graph, ref: Ref) -> Node:
    found = graph.get(ref)
    assert found is not None, ref
    return found


def world(runs: int = 5, versions: int = 3) -> Mlflow:
    mlflow = Mlflow()
    mlflow.experiment("delay", LONG_AGO)
    for number in range(runs):
        mlflow.run(LONG_AGO + number)
    mlflow.model("delay", LONG_AGO)
    for _ in range(versions):
        mlflow.version("delay", LONG_AGO)
    return mlflow


def living(graph: Graph, kind: Kind) -> set[str]:
    return {"/".join(n.ref.keys) for n in graph.nodes(kind) if n.gone_since is None}


def test_a_first_visit_reads_all_of_a_small_one_today_first(index: Index) -> None:
    mlflow = world(runs=PAGE * 2 + 50)
    told = [record.node.ref for batch in mlflow.collector().collect({}) for record in batch.records]
    runs = [ref.name for ref in told if ref.kind is Kind.RUN]
    assert runs[0] == f"{PAGE * 2 + 49:032x}"
    graph = visit(mlflow.collector(), index)
    assert [graph.count(k) for k in (Kind.RUN, Kind.EXPERIMENT, Kind.MODEL_VERSION)] == [PAGE * 2 + 50, 1, 3]
    for each in graph.nodes():
        assert set(each.facts) <= set(FACTS[each.ref.kind]), each.ref


def test_runs_of_the_same_moment_are_all_read(index: Index) -> None:
    mlflow = world(runs=0, versions=0)
    for _ in range(PAGE * 3 + 7):
        mlflow.run(LONG_AGO)
    assert visit(mlflow.collector(), index).count(Kind.RUN) == PAGE * 3 + 7


def test_it_counts_as_read_when_the_columns_of_its_models_were_read(index: Index) -> None:
    mlflow = world(versions=MOST_FILES + 1)
    collector = mlflow.collector()
    visit(collector, index)
    assert index.visited_at(collector.name) is None
    visit(collector, index)
    assert index.visited_at(collector.name) is not None


def test_a_visit_that_is_cut_short_goes_on_where_it_was(index: Index) -> None:
    mlflow = world(runs=10 * (MOST_PAGES + 2), versions=VERSIONS * 2 + 1)
    requests = count(1)

    def killed(path: str) -> None:
        if next(requests) % 12 == 0:
            raise httpx.ConnectError("Connection refused")

    mlflow.before = killed
    collector, failures = mlflow.collector(), 0
    collector.memory.page = 10
    for _ in range(100):
        try:
            visit(collector, index)
        except CollectError:
            failures += 1
        if index.cursor(collector.name).get("versions", {}).get("done"):
            break
    graph = index.graph()
    assert failures
    assert graph.count(Kind.RUN) == 10 * (MOST_PAGES + 2)
    assert graph.count(Kind.MODEL_VERSION) == VERSIONS * 2 + 1
    assert not [n for n in graph.nodes() if n.gone_since]


def requests_of_a_change(runs: int, index: Index) -> int:
    mlflow = world(runs=runs, versions=0)
    collector = mlflow.collector()
    visit(collector, index)
    mlflow.now += 5
    visit(collector, index)
    for _ in range(100):
        mlflow.run(mlflow.now)
    before = collector.requests
    assert visit(collector, index).count(Kind.RUN) == runs + 100
    return collector.requests - before


def test_requests_grow_with_the_change_and_not_with_the_whole() -> None:
    small, large = Index(None), Index(None)
    assert requests_of_a_change(500, small) == requests_of_a_change(3_000, large) <= 10
    small.close()
    large.close()


def test_a_run_that_ends_is_told_again(index: Index) -> None:
    mlflow = world()
    run_id = mlflow.run(NOW - 3_600, status="RUNNING")
    collector, ref = mlflow.collector(), refs.run("lab", run_id)
    assert node(visit(collector, index), ref).facts["status"] == "RUNNING"
    mlflow.runs[-1]["data"]["metrics"] = [{"key": "auc", "value": 0.7}]
    assert node(visit(collector, index), ref).facts["metrics"] == {"auc": 0.7}
    mlflow.runs[-1]["info"].update(status="FINISHED", end_time=NOW * 1000)
    assert node(visit(collector, index), ref).facts["status"] == "FINISHED"


def test_deleted_runs_are_gone_the_newest_at_once_and_the_others_in_their_turn(index: Index) -> None:
    mlflow = world(runs=5)
    collector = mlflow.collector()
    visit(collector, index)
    mlflow.runs[-1]["info"]["lifecycle_stage"] = "deleted"
    assert len(living(visit(collector, index), Kind.RUN)) == 4
    del mlflow.runs[0]  # deleted for good
    mlflow.now += TRICKLE + 1
    assert len(living(visit(collector, index), Kind.RUN)) == 3


@pytest.mark.parametrize("moments", [1, 10_000])  # at which the runs started
def test_an_old_run_among_many_that_were_deleted_is_gone_soon_for_a_constant_price(moments: int, index: Index) -> None:
    mlflow = world(runs=0, versions=0)
    for number in range(PAGE * 5):
        mlflow.run(LONG_AGO + number % moments)
    collector = mlflow.collector()
    for run in mlflow.runs[PAGE * 2 :]:
        run["info"]["lifecycle_stage"] = "deleted"
    for _ in range(2):
        visit(collector, index)
    asked: list[int] = []
    for old in (0, PAGE, 7):
        mlflow.runs[old]["info"]["lifecycle_stage"] = "deleted"
        for _ in range(5):  # all pages of those that were deleted; a page of the others takes six times as long
            mlflow.now += TRICKLE / 6
            before = collector.requests
            visit(collector, index)
            asked.append(collector.requests - before)
        assert mlflow.runs[old]["info"]["run_id"] not in living(index.graph(), Kind.RUN)
    assert len(living(index.graph(), Kind.RUN)) == PAGE * 2 - 3
    assert max(asked) <= 12  # three of them for pages whose turn it is


def test_a_deleted_experiment_takes_its_runs_along(index: Index) -> None:
    mlflow = world()
    collector = mlflow.collector()
    visit(collector, index)
    mlflow.experiments[0].update(lifecycle_stage="deleted", last_update_time=mlflow.now * 1000)
    for run in mlflow.runs:
        run["info"]["lifecycle_stage"] = "deleted"
    graph = visit(collector, index)
    assert living(graph, Kind.EXPERIMENT) == living(graph, Kind.RUN) == set()


def test_a_moved_alias_moves_its_edge(index: Index) -> None:
    mlflow = world()
    mlflow.alias("delay", "champion", "1")
    collector = mlflow.collector()
    alias = refs.alias("lab", "delay", "champion")
    for version in ("1", "3"):
        mlflow.alias("delay", "champion", version)
        graph = visit(collector, index)
        assert [e.upstream.keys[1] for e in graph.upstream(alias)] == [version]
        assert node(graph, refs.model_version("lab", "delay", version)).facts["aliases"] == ["champion"]
    mlflow.models["delay"]["aliases"] = []
    assert alias not in visit(collector, index)


@pytest.mark.parametrize("version", ["1", "3"])
def test_a_deleted_version_is_gone_at_once(index: Index, version: str) -> None:
    mlflow = world()
    collector = mlflow.collector()
    visit(collector, index)
    mlflow.delete_version("delay", version, mlflow.now)
    graph = visit(collector, index)
    assert living(graph, Kind.MODEL_VERSION) == {f"delay/{n}" for n in ("1", "2", "3") if n != version}
    asked = len(mlflow.asked)
    visit(collector, index)
    assert "model-versions/search" in mlflow.asked[asked:]
    assert mlflow.asked[asked:].count("model-versions/search") == 1  # its versions are not listed again


def test_a_deleted_model_takes_its_versions_along(index: Index) -> None:
    mlflow = world()
    collector = mlflow.collector()
    visit(collector, index)
    mlflow.models, mlflow.versions = {}, []
    graph = visit(collector, index)
    assert living(graph, Kind.REGISTERED_MODEL) == living(graph, Kind.MODEL_VERSION) == set()


def test_columns_of_a_version_are_read_once_and_stay(index: Index) -> None:
    mlflow = world(versions=1)
    inputs = json.dumps([{"type": "double", "name": "weather__temp"}, {"type": "double", "name": "wind"}])
    mlflow.artifacts["delay/1"] = f"signature:\n  inputs: '{inputs}'\n"
    collector, ref = mlflow.collector(), refs.model_version("lab", "delay", 1)
    for _ in range(3):
        assert node(visit(collector, index), ref).facts["columns"] == ["weather__temp", "wind"]
        mlflow.now += TRICKLE + 1
    assert mlflow.asked.count("/model-versions/get-artifact") == 1
    mlflow.version("delay", mlflow.now)  # whose artifacts are not to be had
    assert "columns" not in node(visit(collector, index), refs.model_version("lab", "delay", 2)).facts


def test_a_list_of_features_that_was_cut_is_read_whole(index: Index) -> None:
    mlflow = world()
    tags = {"feast__project": "flights", "feast__feature_refs": f"weather:temp,{run_tags.TRUNCATED}"}
    run_id = mlflow.run(NOW, **tags)
    features = ["weather.temp", "weather.wind"]
    mlflow.artifacts[run_id] = json.dumps({"retrievals": [{"project": "flights", "features": features}]})
    collector = mlflow.collector()
    for _ in range(2):
        told = node(visit(collector, index), refs.run("lab", run_id)).facts["retrievals"]
        assert [each["features"] for each in told] == [features]
    assert mlflow.asked.count("/get-artifact") == 1


def test_a_page_that_takes_too_long_is_asked_for_smaller(index: Index) -> None:
    mlflow = world(runs=PAGE)
    slow = [True]

    def answers(path: str) -> None:
        if path == "runs/search" and slow.pop() if slow else False:
            raise httpx.ReadTimeout("timed out")

    mlflow.before = answers
    collector = mlflow.collector()
    with pytest.raises(CollectError, match="MLflow does not answer"):
        visit(collector, index)
    assert collector.memory.page == PAGE // 4
    assert visit(collector, index).count(Kind.RUN) == PAGE


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ('{"mlflow_colspec": [{"type": "double", "name": "temp"}, {"type": "long"}]}', ["temp"]),
        ('{"mlflow_tensorspec": {"features": [{"name": "x", "type": "tensor"}], "targets": null}}', ["x"]),
        ('{"mlflow_tensorspec": {"features": "[]"}}', []),
        ("[]", []),
        ("no JSON", []),
        ("", []),
    ],
)
def test_columns_of_a_datasets_schema(schema: str, names: list[str]) -> None:
    assert columns_of_schema(schema) == names


@pytest.mark.parametrize(
    "text", ["", "a: [", "signature: null", "signature: {inputs: null}", "signature: {inputs: '{'}"]
)
def test_a_model_without_a_signature_has_no_columns(text: str) -> None:
    assert columns_of_mlmodel(text) == []
