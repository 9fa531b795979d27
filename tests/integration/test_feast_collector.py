"""A real Feast project: its registry by file and by server, and what its own MLflow integration says of its runs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from e2e_ml import refs
from e2e_ml.festaf.run_tags import (
    ALIGNED_REFS,
    FEAST_FEATURES_FILE,
    FEATURE_SERVICE,
    Retrieval,
    predicts,
    read_feast_features,
    read_retrievals,
)
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.feast import COMPLETE, feast_collector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.graph import Evidence, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.refs import FEAST, Ref
from e2e_ml.workspace import Feast
from tests.integration.feast_world import PROJECT, SERVICE, FeastWorld, feast_world, registry_server, run_feast
from tests.servers import free_port

pytestmark = pytest.mark.timeout(1200)  # Feast starts several times, and each takes its time
RECORDED = Path(__file__).parent.parent / "unit" / "lineage" / "feast" / "registry.db"
STATS = refs.feature_view(PROJECT, "driver_hourly_stats", FEAST)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeastWorld]:
    with feast_world(tmp_path_factory.mktemp("feast")) as made:
        yield made


def visit(settings: Feast, root: Path, cursor: Mapping[str, Any] | None = None) -> Batch:
    (batch,) = feast_collector(settings, root).collect(cursor or {})
    return batch


def by_ref(batch: Batch) -> dict[Ref, Record]:
    return {record.node.ref: record for record in batch.records}


def told(record: Record) -> tuple[Mapping[str, Any], set[Any]]:
    return record.node.facts, set(record.edges)


# --- the registry ----------------------------------------------------------------------------------------------------


def test_the_file_and_the_server_give_the_same_graph(world: FeastWorld) -> None:
    by_file = visit(Feast(registry=str(world.registry)), world.repository)
    assert by_file.complete == COMPLETE
    with registry_server(world.repository) as url:
        settings = Feast(url=url, repo=str(world.repository))
        by_server = visit(settings, world.repository)
        again = visit(settings, world.repository, by_server.cursor)
    assert by_server.complete == COMPLETE
    ours, theirs = by_ref(by_file), by_ref(by_server)
    assert set(ours) == set(theirs)
    for ref, record in ours.items():
        assert told(record) == told(theirs[ref]), ref
    assert len(ours) > 30
    assert again == Batch(cursor=by_server.cursor)
    assert visit(Feast(registry=str(world.registry)), world.repository, by_file.cursor) == Batch(cursor=by_file.cursor)


def test_a_materialization_is_seen_at_the_next_visit(world: FeastWorld) -> None:
    settings = Feast(repo=str(world.repository))
    before = visit(settings, world.repository)
    assert by_ref(before)[STATS].node.facts["written_until"] < "2090"
    run_feast(world.repository, "materialize", "2091-01-01T00:00:00", "2091-01-02T00:00:00", "-v", STATS.name)
    after = visit(settings, world.repository, before.cursor)
    assert by_ref(after)[STATS].node.facts["written_until"] == "2091-01-02T00:00:00+00:00"


def test_projects_that_share_a_server_are_told_apart(world: FeastWorld, tmp_path: Path) -> None:
    """Feast's server does not say what belongs to which project."""
    trips = tmp_path / "trips"
    trips.mkdir()
    shutil.copy(RECORDED.with_name("trips.py"), trips)
    (trips / "feature_store.yaml").write_text(
        f"project: trips\nprovider: local\nregistry: {world.registry}\nentity_key_serialization_version: 3\n"
    )
    run_feast(trips, "apply", "--skip-source-validation")
    by_file = by_ref(visit(Feast(registry=str(world.registry)), tmp_path))
    with registry_server(world.repository) as url:
        by_server = by_ref(visit(Feast(url=url), tmp_path))
        only = by_ref(visit(Feast(url=url, project="trips"), tmp_path))
    assert {ref.instance for ref in by_file} == {PROJECT, "trips"}
    assert set(by_server) == set(by_file)
    for ref, record in by_file.items():
        facts, edges = told(record)
        theirs, their_edges = told(by_server[ref])
        if str(facts.get("place", "")).startswith("file:"):
            facts = {key: value for key, value in facts.items() if key != "place"}  # a server tells no folder
        assert (facts, edges) == (theirs, their_edges), ref
    assert set(only) == {ref for ref in by_file if ref.instance == "trips"}


# --- its runs in MLflow ----------------------------------------------------------------------------------------------


def asked(world: FeastWorld, where: str, **query: str) -> Any:
    with httpx.Client(base_url=world.mlflow_url, trust_env=False) as client:
        return client.get(where, params=query).raise_for_status().json()


def tags_of(world: FeastWorld, run_id: str) -> dict[str, str]:
    run = asked(world, "/api/2.0/mlflow/runs/get", run_id=run_id)["run"]
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def test_the_run_that_trained_names_the_service_and_features_that_the_registry_has(world: FeastWorld) -> None:
    tags = tags_of(world, world.run_id)
    (listed, by_service), cut = read_retrievals(tags)
    assert by_service == Retrieval(PROJECT, SERVICE)
    assert not cut
    assert not predicts(tags)
    records = by_ref(visit(Feast(registry=str(world.registry)), world.repository))
    service = records[refs.feature_service(PROJECT, SERVICE, FEAST)]
    assert set(listed.features) == set(service.node.facts["features"])
    content = asked(world, "/get-artifact", run_uuid=world.run_id, path=FEAST_FEATURES_FILE)
    assert read_feast_features(content) == (listed.features, False)


def test_the_version_of_its_model_names_the_service(world: FeastWorld) -> None:
    where = "/api/2.0/mlflow/model-versions/get"
    version = asked(world, where, name=world.model, version=world.version)["model_version"]
    assert {tag["key"]: tag["value"] for tag in version["tags"]} == {FEATURE_SERVICE: SERVICE}
    assert version["run_id"] == world.run_id
    assert ALIGNED_REFS not in {tag["key"] for tag in version["tags"]}


def test_a_run_that_predicts_and_one_without_a_service_are_told_apart(world: FeastWorld) -> None:
    prediction = tags_of(world, world.prediction_id)
    assert predicts(prediction)
    assert prediction["feast.training_run_id"] == world.run_id
    alone = tags_of(world, world.alone_id)
    names = ("driver_hourly_stats.acc_rate", "driver_hourly_stats_fresh.conv_rate")
    assert read_retrievals(alone) == ((Retrieval(PROJECT, None, names),), False)


def test_runs_of_apply_and_materialize_are_no_trainings(world: FeastWorld) -> None:
    with httpx.Client(base_url=world.mlflow_url, trust_env=False) as client:
        found = client.post("/api/2.0/mlflow/experiments/search", json={"max_results": 100}).json()["experiments"]
        operations = [each["experiment_id"] for each in found if each["name"] == f"{PROJECT}-feast-ops"]
        runs = client.post("/api/2.0/mlflow/runs/search", json={"experiment_ids": operations}).json()["runs"]
    assert len(runs) >= 2
    for run in runs:
        assert read_retrievals({tag["key"]: tag["value"] for tag in run["data"]["tags"]}) == ((), False)


def test_its_service_trains_the_run_and_the_run_logs_the_version(world: FeastWorld) -> None:
    index = Index(None)
    feast = feast_collector(Feast(registry=str(world.registry)), world.repository)
    mlflow = MlflowCollector(Connection("local", lambda: world.mlflow_url))
    for collector in (feast, mlflow):
        for batch in collector.collect({}):
            index.upsert(collector.name, batch)
        collector.close()
    graph = index.graph()
    run, service = refs.run("local", world.run_id), refs.feature_service(PROJECT, SERVICE, FEAST)
    version = refs.model_version("local", world.model, world.version)
    trained = {(edge.upstream, edge.evidence) for edge in graph.upstream(run) if edge.relation is Relation.TRAINS}
    assert trained == {(service, Evidence.DECLARED)}
    below = graph.walk(refs.feature(PROJECT, "driver_hourly_stats", "conv_rate", FEAST), down=True)
    assert {service, run, version} <= set(below)
    alone = {edge.upstream for edge in graph.upstream(refs.run("local", world.alone_id))}
    assert refs.feature(PROJECT, "driver_hourly_stats", "acc_rate", FEAST) in alone
    assert refs.feature(PROJECT, "driver_hourly_stats_fresh", "conv_rate", FEAST) in alone


# --- registry servers that answer otherwise --------------------------------------------------------------------------


@contextlib.contextmanager
def answering(answer: Any) -> Iterator[str]:
    """A gRPC server on loopback; `answer`: what RegistryServer.Proto does with the context, None: it is not there."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    if answer is not None:
        proto = grpc.unary_unary_rpc_method_handler(lambda _, context: answer(context))
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("feast.registry.RegistryServer", {"Proto": proto}),)
        )
    port = free_port()
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def test_a_server_is_given_the_bearer_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEAST_TOKEN", "hunter2")
    given: list[Any] = []

    def answer(context: Any) -> bytes:
        given.append(dict(context.invocation_metadata()).get("authorization"))
        return RECORDED.read_bytes()

    with answering(answer) as url:
        with_token = visit(Feast(url=url, credential="env:FEAST_TOKEN", project="trips"), tmp_path)
        visit(Feast(url=url), tmp_path)
    assert given == ["Bearer hunter2", None]
    assert {record.node.ref.instance for record in with_token.records} == {"trips"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "no"), r"refuses the login\. Check the cred"),
        (lambda context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "no"), r"refuses the login"),
        (lambda context: context.abort(grpc.StatusCode.INTERNAL, "it broke."), r"INTERNAL: it broke\. See its log"),
        (lambda context: b"\xff", r"holds no whole registry: .* Does the address"),
        (lambda context: b"", r"is empty\. Does the address .* may its login see the project\?"),
        (lambda context: RECORDED.read_bytes()[:5000], r"holds no whole registry"),
        (None, r"is no registry server\. Does the address"),
    ],
)
def test_a_server_that_answers_otherwise_says_what_to_do(tmp_path: Path, answer: Any, words: str) -> None:
    with answering(answer) as url, pytest.raises(CollectError, match=words):
        visit(Feast(url=url), tmp_path)
