"""The lifecycle read from a real Airflow, a real feature store and a real MLflow: what is made there is linked here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from e2e_ml import refs
from e2e_ml.festaf import FeatureStore
from e2e_ml.festaf.freshness import FreshnessState
from e2e_ml.lineage.collectors import Batch, CollectError, visits
from e2e_ml.lineage.collectors.airflow import AirflowCollector
from e2e_ml.lineage.collectors.http import Connection
from e2e_ml.lineage.collectors.mlflow import MlflowCollector
from e2e_ml.lineage.graph import FACTS, Edge, Evidence, Graph, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.questions import counterparts, freshness_of, lookup, uses
from e2e_ml.lineage.refresh import Refresher
from e2e_ml.refs import Kind, Ref
from e2e_ml.stack.service import Service, State
from tests.integration.lineage_world import (
    MODEL,
    PATIENCE,
    SERVICE,
    TEMP,
    TRAIN,
    WEATHER,
    World,
    connection,
    lineage_world,
    until,
)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lineage_world(tmp_path_factory.mktemp("lineage")) as made:
        yield made


def test_a_feature_turns_all_three_views(world: World) -> None:
    champion = refs.model_version("local", "delay", world.node(MODEL).facts["aliases"]["champion"])
    assert counterparts(world.graph, TEMP) == {"festaf": TEMP, "airflow": WEATHER, "mlflow": champion}


def test_each_run_hangs_on_its_own_mapped_task_instance(world: World) -> None:
    runs = {node.title: node.ref for node in world.graph.nodes(Kind.RUN)}
    instances = {name: [e.upstream for e in declared_instances(world.graph, run)] for name, run in runs.items()}
    assert [i.keys[2:] for i in instances["logistic"]] == [("fit", "0")]
    assert [i.keys[2:] for i in instances["trees"]] == [("fit", "1")]
    for found in (instances["logistic"], instances["trees"]):
        assert world.node(found[0]).facts["state"] == "success"  # the very instance that Airflow told of


def test_runs_of_retries_programs_and_other_pythons_hang_on_their_own_task_instances(world: World) -> None:
    run_now(world, "programs")
    run = until(lambda: world.dag_run("programs"), "the programs never ended")
    assert run["state"] == "success", run
    titles = {"try 1", "try 2", "elsewhere", "bash 0", "bash 1"}
    told = lambda: {n.title: n.ref for n in world.graph.nodes(Kind.RUN) if n.facts.get("experiment") == "programs"}  # noqa: E731
    until(lambda: set(told()) == titles, "their runs never arrived")
    found = {
        title: [(*e.upstream.keys[2:], e.reason.rpartition(", ")[2]) for e in declared_instances(world.graph, ref)]
        for title, ref in told().items()
    }
    assert found == {
        "try 1": [("twice", "-1", "try 1")],
        "try 2": [("twice", "-1", "try 2")],
        "elsewhere": [("elsewhere", "-1", "try 1")],
        "bash 0": [("bash", "0", "try 1")],
        "bash 1": [("bash", "1", "try 1")],
    }


def declared_instances(graph: Graph, run: Ref) -> list[Edge]:
    tied = (e for e in graph.upstream(run) if e.upstream.kind is Kind.TASK_INSTANCE)
    return [e for e in tied if e.evidence is Evidence.DECLARED]


def test_a_task_that_hands_on_a_run_or_a_version_made_it(world: World) -> None:
    run_now(world, "handed_on")
    done = until(lambda: world.dag_run("handed_on"), "it never ended")
    assert done["state"] == "success", done
    dag, version = refs.dag("local", "handed_on"), refs.model_version("local", "handed-on", 1)
    fit, register = (refs.task_instance("local", "handed_on", done["dag_run_id"], task) for task in ("fit", "register"))

    def seen(thing: Ref) -> set[Ref]:
        return {e.upstream for e in world.graph.upstream(thing) if e.evidence is Evidence.OBSERVED}

    run = until(lambda: next((n.ref for n in world.graph.nodes(Kind.RUN) if n.title == "handed on"), None), "no run")
    until(lambda: seen(run) == {dag, fit}, "its XCom was never read")  # not `register`, which passes it on
    until(lambda: seen(version) >= {register}, "nor that of the version")
    assert fit not in seen(version)
    assert dag in seen(refs.registered_model("local", "handed-on"))


def run_now(world: World, dag: str) -> None:
    world.airflow.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}).raise_for_status()
    world.airflow.post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None}).raise_for_status()


def test_a_dags_source_documentation_and_constants_are_told(world: World) -> None:
    until(lambda: world.node(TRAIN).facts.get("constants"), "its source was never read")
    assert world.node(TRAIN).facts["constants"] == {
        "uris": [], "models": ["delay"], "registers": ["delay"], "loads": [], "experiments": ["delay"],
        "features": ["delay", "weather:temp"], "columns": ["late"],
    }  # fmt: skip


def test_what_the_graph_says_is_what_the_services_say(world: World) -> None:
    run = world.dag_run("train")
    assert run is not None
    facts = world.node(TRAIN).facts
    assert (facts["last_run"], facts["last_state"]) == (run["start_date"], run["state"])
    details = world.airflow.get(f"/api/v2/dags/{WEATHER.name}").json()
    dag = world.node(WEATHER).facts
    assert (dag.get("next_run"), dag["paused"]) == (details["next_dagrun_run_after"], details["is_paused"])
    assert dag["owner"] == ", ".join(details["owners"])
    for use in uses(world.graph, SERVICE):
        got = world.mlflow.get("/api/2.0/mlflow/runs/get", params={"run_id": use.run.ref.name}).json()["run"]
        assert use.run.facts["metrics"] == {m["key"]: m["value"] for m in got["data"]["metrics"]}
        assert use.run.facts["status"] == got["info"]["status"]
        assert [i["source"] for i in use.run.facts["inputs"]] == [str(SERVICE)]


def test_every_fact_is_one_that_panels_are_promised(world: World) -> None:
    for node in world.graph.nodes():
        assert set(node.facts) <= set(FACTS[node.ref.kind]), node.ref


def test_the_links_carry_their_evidence(world: World) -> None:
    tied = {e.upstream: e for e in world.graph.upstream(refs.feature_view("flights", "weather"))}
    assert tied[WEATHER].evidence is Evidence.DECLARED
    stands = [e for e in tied.values() if e.relation is Relation.STANDS_FOR]
    assert len(stands) == 1
    made = [e for e in world.graph.upstream(MODEL) if e.relation is Relation.PRODUCES]
    assert [(e.upstream, e.evidence) for e in made] == [(TRAIN, Evidence.OBSERVED)]


def test_pages_get_the_ids_that_airflow_gave(world: World) -> None:
    for uri, number in lookup(world.graph).assets.items():
        assert world.airflow.get(f"/api/v2/assets/{number}").json()["uri"] == uri


def test_a_view_written_up_to_its_end_is_complete(world: World) -> None:
    view = refs.feature_view("flights", "weather")
    until(lambda: world.node(view).facts.get("rows"), "the rows were never told")
    verdict = freshness_of(world.graph, view, datetime.now(UTC))
    assert verdict is not None
    assert verdict.state in (FreshnessState.COMPLETE, FreshnessState.LATE), verdict


def test_a_wish_arrives_and_its_answer_too(world: World) -> None:
    wishes = FeatureStore.open(world.stack.workspace.festaf_project).wishes
    wish = wishes.wish("crew on duty", by="ada", why="Crews run out of hours.")
    ref = refs.wish("flights", wish.number)
    until(lambda: ref in world.graph, "the wish never arrived")
    wishes.answer(wish.number, "Not before spring.", by="ben")
    until(lambda: world.node(ref).facts["status"] == "answered", "nor its answer")
    assert world.node(ref).facts["answer"] == "Not before spring."


def test_a_run_of_now_arrives_by_an_increment(world: World) -> None:
    experiment = world.node(next(n.ref for n in world.graph.nodes(Kind.RUN))).facts["experiment_id"]
    body = {"experiment_id": experiment, "start_time": int(time.time() * 1000), "run_name": "by hand"}
    run_id = world.mlflow.post("/api/2.0/mlflow/runs/create", json=body).json()["run"]["info"]["run_id"]
    ref = refs.run("local", run_id)
    until(lambda: ref in world.graph, "the run never arrived")
    assert world.node(ref).facts["status"] == "RUNNING"
    body = {"run_id": run_id, "status": "FINISHED", "end_time": int(time.time() * 1000)}
    world.mlflow.post("/api/2.0/mlflow/runs/update", json=body).raise_for_status()
    until(lambda: world.node(ref).facts["status"] == "FINISHED", "its end never arrived")


def test_after_a_hundred_new_runs_the_requests_are_those_of_a_smaller_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "TRICKLE", 3_600.0)  # the page in turn comes by the clock, not by what has changed

    def requests_of_a_change() -> int:
        mlflow("experiments/create", name=f"many {time.monotonic()}")
        visit(collector, index)
        before = collector.requests
        for number in range(100):
            mlflow("runs/create", experiment_id="0", start_time=int(time.time() * 1000), run_name=str(number))
        held = index.graph().count(Kind.RUN)
        visit(collector, index)
        assert index.graph().count(Kind.RUN) == held + 100
        return collector.requests - before

    def mlflow(path: str, **body: Any) -> None:
        world.mlflow.post(f"/api/2.0/mlflow/{path}", json=body).raise_for_status()

    index, collector = Index(None), MlflowCollector(connection(world.stack.services["mlflow"]))
    while not index.cursor(collector.name).get("versions", {}).get("done") or index.cursor(collector.name)["files"]:
        visit(collector, index)
    small = requests_of_a_change()
    for number in range(400):
        mlflow("runs/create", experiment_id="0", start_time=1_000 + number, run_name=str(number))
    assert requests_of_a_change() <= small + 1  # what is asked for by the clock may fall into it, in either round
    collector.close()
    index.close()


def visit(collector: AirflowCollector | MlflowCollector, index: Index) -> None:
    take_in(collector.collect(index.cursor(collector.name)), collector.name, index)


def take_in(batches: Iterator[Batch], name: str, index: Index) -> None:
    for batch in batches:
        index.upsert(name, batch)


def test_a_moved_alias_moves_its_edge(world: World) -> None:
    alias = refs.alias("local", "delay", "champion")
    before = [e.upstream for e in world.graph.upstream(alias)]
    other = next(n.ref for n in world.graph.nodes(Kind.MODEL_VERSION) if n.ref not in before)
    body = {"name": "delay", "alias": "champion", "version": other.keys[1]}
    world.mlflow.post("/api/2.0/mlflow/registered-models/alias", json=body).raise_for_status()
    until(lambda: [e.upstream for e in world.graph.upstream(alias)] == [other], "it never moved")
    assert world.node(other).facts["aliases"] == ["champion"]


def test_a_deleted_run_is_gone_with_its_task_instances(world: World) -> None:
    runs = world.airflow.get(f"/api/v2/dags/{WEATHER.name}/dagRuns", params={"limit": 1}).json()["dag_runs"]
    ref = refs.dag_run("local", WEATHER.name, runs[0]["dag_run_id"])
    instances = [n.ref for n in world.graph.nodes(Kind.TASK_INSTANCE) if n.ref.parent == ref]
    assert instances
    assert ref in world.graph
    world.airflow.delete(f"/api/v2/dags/{WEATHER.name}/dagRuns/{ref.keys[1]}").raise_for_status()
    until(lambda: ref not in world.graph, "it never went")
    until(lambda: not any(i in world.graph for i in instances), "nor its task instances")


@pytest.mark.parametrize("name", ["mlflow", "airflow"])
def test_a_service_that_is_killed_while_it_is_read(world: World, name: str) -> None:
    service = world.stack.services[name]
    index, collector = Index(None), _COLLECTORS[name](connection(service))
    batches = collector.collect({})
    index.upsert(collector.name, next(batches))
    killed = service.status().pids
    kill(service)
    with pytest.raises(CollectError, match=r"does not answer|refuses"):
        take_in(batches, collector.name, index)
    here = {ref for ref in index.graph().refs() if ref.scheme == name}
    assert here
    assert here <= set(world.graph.refs())
    assert not [node for node in index.graph().nodes() if node.gone_since]

    def living(graph: Graph) -> set[str]:
        """What the service itself has told of: the others name more of it."""
        return {str(n.ref) for n in graph.nodes() if n.ref.scheme == name and n.gone_since is None and n.facts}

    def apart() -> set[str]:
        return living(index.graph()) ^ living(world.graph)

    def read() -> bool:
        with contextlib.suppress(CollectError):
            visit(collector, index)
            return not apart()
        return False

    until(lambda: service.status().state is State.UP and service.status().pids != killed, "it did not start again")
    world.refresher.refresh_now()  # as the window asks when a service comes up
    deadline = time.monotonic() + PATIENCE
    while not read():
        assert time.monotonic() < deadline, apart()
        time.sleep(1)
    until(lambda: world.refresher.report[f"{name}:local"].ok, "nor by the refresher")
    collector.close()
    index.close()


_COLLECTORS = {"airflow": AirflowCollector, "mlflow": MlflowCollector}


def kill(service: Service) -> None:
    """At once, with all that it has started; the stack starts it again."""
    for pid in service.status().pids:
        for process in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_deleted_dag_leaves_its_mark_while_runs_stand_on_it(world: World) -> None:
    (world.stack.workspace.dags / "train.py").unlink()
    world.airflow.delete("/api/v2/dags/train").raise_for_status()
    until(lambda: world.node(TRAIN).gone_since, "it was never marked")
    assert {e.relation for e in world.graph.downstream(TRAIN)} >= {Relation.STARTED}
    assert {use.run.title for use in uses(world.graph, SERVICE)} == {"logistic", "trees"}


def test_a_service_that_is_down_leaves_the_last_known_graph(world: World) -> None:
    runs = len(list(world.graph.nodes(Kind.RUN)))
    world.stack.services["mlflow"].stop()
    until(lambda: not world.refresher.report["mlflow:local"].ok, "nobody noticed")
    assert "MLflow" in world.refresher.report["mlflow:local"].sentence
    assert len(list(world.graph.nodes(Kind.RUN))) == runs


def test_a_refused_login_is_a_sentence(world: World, tmp_path: Path) -> None:
    service = world.stack.services["airflow"]
    index = Index(tmp_path / "index.sqlite")
    stranger = AirflowCollector(Connection("local", lambda: service.url, lambda: {"Authorization": "Bearer nothing"}))
    refresher = Refresher(index, [stranger])
    assert not refresher.visit(stranger)
    assert refresher.report["airflow:local"].sentence == (
        "Airflow refuses the login (403). Check its credentials in workbench.yaml."
    )
    stranger.close()
    index.close()
