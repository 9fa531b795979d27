"""The demo and its guided tour as a person gets them, and what the panels say against what the services say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import airflow_client.client as airflow
import httpx
import pytest
from airflow_client.client.api.dag_api import DAGApi
from airflow_client.client.api.dag_run_api import DagRunApi

from e2e_ml import refs
from e2e_ml.desktop.panels.answers import five_answers
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph
from e2e_ml.lineage.index import Index
from e2e_ml.refs import Kind
from e2e_ml.stack import Stack
from e2e_ml.workspace import Workspace
from tests.e2e.conftest import Program

pytestmark = [
    pytest.mark.timeout(1500),  # seconds, on a machine with much else to do
    pytest.mark.usefixtures("demo_program"),
]

GUSTY = refs.feature("flights", "hourly_weather", "gusty")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def tour(demo: Path, demo_program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a played tour has left."""
    folder = tmp_path_factory.mktemp("tour") / "pictures"
    program = Program.start("tour", "--workspace", demo, "--out", folder)
    assert program.wait() == 0, program.text
    return folder


def test_the_tour_sees_every_step_and_pictures_it(tour: Path) -> None:
    pictures = sorted(tour.glob("*.png"))
    assert [p.name[:2] for p in pictures] == [f"{n:02d}" for n in range(1, len(pictures) + 1)]
    assert len(pictures) >= 10
    for picture in pictures:
        content = picture.read_bytes()
        assert content.startswith(PNG)
        width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
        assert (width, height) == (1600, 960), picture.name
        assert len(content) > 50_000, f"{picture.name} is nearly empty"
    page = (tour / "index.html").read_text()
    assert all(f'src="{picture.name}"' in page for picture in pictures)
    assert sorted(p.name for p in tour.iterdir()) == sorted([*(p.name for p in pictures), "index.html"])


def test_a_second_demo_finds_everything_done(demo: Path, tour: Path) -> None:
    before = _versions(demo)
    program = Program.start("demo", "--no-window", "--workspace", demo)
    program.wait_for("is the champion", 120)
    assert program.end() == 0, program.text
    assert _versions(demo) == before


# --- the panels against the services ---------------------------------------------------------------------------------


class Services:
    """Airflow through its own generated client, MLflow through its REST API: neither is what the panels use."""

    def __init__(self, demo: Path) -> None:
        self.stack = Stack(Workspace.load(demo))
        self.stack.look()
        login = self.stack.services["airflow"].login()
        assert login is not None
        token = login.headers["Authorization"].removeprefix("Bearer ")
        self.airflow = airflow.ApiClient(
            airflow.Configuration(host=self.stack.services["airflow"].url, access_token=token)
        )

    def mlflow(self, path: str, **params: Any) -> Any:
        service = self.stack.services["mlflow"]
        login = service.login()
        assert login is not None
        answer = httpx.get(
            f"{service.url}/api/2.0/mlflow/{path}", params=params, headers=dict(login.headers), trust_env=False
        )
        return answer.raise_for_status().json()


@pytest.fixture(scope="module")
def services(demo: Path, demo_program: Program) -> Services:
    return Services(demo)


@pytest.fixture(scope="module")
def graph(demo: Path, tour: Path) -> Graph:
    """What the window knew when the tour ended."""
    index = Index(Workspace.load(demo).state / "lineage.sqlite")
    try:
        return index.graph()
    finally:
        index.close()


def test_the_inspector_says_of_a_pipeline_what_airflow_says(graph: Graph, services: Services) -> None:
    dag_ref = refs.dag("local", "festaf.flights.hourly_weather")
    assert questions.pipeline(graph, GUSTY) == dag_ref
    dag = graph.get(dag_ref)
    assert dag is not None
    told = DAGApi(services.airflow).get_dag_details(dag_ref.keys[0])
    runs = DagRunApi(services.airflow).get_dag_runs(dag_ref.keys[0], order_by=["-start_date"], limit=14).dag_runs
    assert dag.facts["paused"] is told.is_paused
    assert dag.facts["owner"] == ", ".join(told.owners)
    assert _time(dag.facts["next_run"]) == told.next_dagrun_run_after
    assert {r["run_id"]: r["state"] for r in dag.facts["recent"]} == {r.dag_run_id: str(r.state.value) for r in runs}
    assert dag.facts["last_state"] == runs[0].state.value
    assert _time(dag.facts["last_run"]) == runs[0].start_date


def test_the_inspector_says_of_the_champion_what_mlflow_says(graph: Graph, services: Services) -> None:
    model = services.mlflow("registered-models/get", name="flight-delay")["registered_model"]
    aliases = {a["alias"]: a["version"] for a in model["aliases"]}
    used = questions.uses(graph, GUSTY)
    assert {alias: v.ref.keys[1] for use in used for v in use.versions for alias in v.facts["aliases"]} == aliases
    for use in used:
        run = services.mlflow("runs/get", run_id=use.run.ref.keys[0])["run"]
        assert use.run.facts["name"] == run["info"]["run_name"]
        assert use.run.facts["metrics"] == pytest.approx({m["key"]: m["value"] for m in run["data"]["metrics"]})
        assert use.run.facts["params"] == {p["key"]: p["value"] for p in run["data"]["params"]}
        tags = {t["key"]: t["value"] for t in run["data"]["tags"]}
        started = [e.upstream for e in graph.upstream(use.run.ref) if e.upstream.kind is Kind.TASK_INSTANCE]
        assert started == [
            refs.task_instance("local", tags["airflow.dag_id"], tags["airflow.dag_run_id"], tags["airflow.task_id"])
        ]
        assert tags["feast.feature_service"] == "flight_delay"
    champion = services.mlflow("registered-models/alias", name="flight-delay", alias="champion")["model_version"]
    best = max(used, key=lambda use: use.run.facts["metrics"]["test_auc"])
    assert champion["run_id"] == best.run.ref.keys[0]


def test_the_five_answers_are_those_of_the_feature_store(graph: Graph, services: Services) -> None:
    url = services.stack.services["festaf"].url
    told = httpx.get(f"{url}/api/v1/features/hourly_weather.gusty", trust_env=False).raise_for_status().json()
    answers = five_answers(graph, GUSTY, datetime.now(UTC))
    said = "\n".join(answer.code + " ".join(s.text for line in answer.lines for s in line) for answer in answers)
    assert told["owner"]["name"] in said
    assert told["description"] in said
    assert told["code"] in said
    assert told["purpose"] in said
    assert told["dag_id"] == "festaf.flights.hourly_weather"
    assert all(column in said for column in told["inputs"])


def test_what_is_on_demand_stands_between_what_it_reads_and_the_models(graph: Graph) -> None:
    cold = refs.feature("flights", "at_the_gate", "cold_start")
    behind = graph.walk(cold, down=False)
    assert refs.feature("flights", "hourly_weather", "is_freezing") in behind
    assert refs.source("flights", "weather") in behind
    assert refs.feature_service("flights", "flight_delay") in graph.walk(cold, down=True)
    assert {a for use in questions.uses(graph, cold) for a in use.aliases} == {"champion", "challenger"}
    assert questions.pipeline(graph, cold) == refs.dag("local", "festaf.flights.hourly_weather")
    assert questions.freshness_of(graph, cold, datetime.now(UTC)) is None


def _versions(demo: Path) -> list[tuple[str, str]]:
    found = Services(demo).mlflow("model-versions/search", filter="name = 'flight-delay'")["model_versions"]
    return sorted((v["version"], v["run_id"]) for v in found)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
