"""Every page that the installed Airflow, MLflow and the catalog can show, by the routes of their own routers.

The routers are read out of what is installed: a release with pages that these tables do not name fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from e2e_ml import refs, routes
from e2e_ml.festaf.server import pages, wishing
from e2e_ml.refs import Ref

I = "local"  # noqa: E741
DAG = refs.dag(I, "d")
TASK = refs.task(I, "d", "t")
DAG_RUN = refs.dag_run(I, "d", "r")
INSTANCE = refs.task_instance(I, "d", "r", "t")
MAPPED = refs.task_instance(I, "d", "r", "t", 4)
ASSET = refs.asset(I, "s3://lake/weather")
EXPERIMENT = refs.experiment(I, "1")
RUN = refs.run(I, "abc")
MODEL = refs.logged_model(I, "m-1")
LOOKUP = routes.Lookup(assets={"s3://lake/weather": 7})

# --- Airflow ---------------------------------------------------------------------------------------------------------

# Where it is mounted -> what it shows, and the tabs below it; what a plugin adds is shown at the same place.
AIRFLOW: list[tuple[str, Ref | None, tuple[str, ...]]] = [
    ("dags/:dagId", DAG, ("runs", "tasks", "calendar", "required_actions", "backfills", "events", "code", "details")),
    ("dags/:dagId/runs/:runId", DAG_RUN, ("required_actions", "events", "code", "details", "asset_events")),
    ("dags/:dagId/tasks/:taskId", TASK, ("task_instances", "required_actions", "events")),
    ("dags/:dagId/tasks/group/:groupId", DAG, ("task_instances", "required_actions")),
    ("dags/:dagId/runs/:runId/tasks/group/:groupId", DAG_RUN, ()),
    ("dags/:dagId/runs/:runId/tasks/:taskId/mapped", TASK, ("details",)),
    *(
        (place, ref, ("events", "task-state-store", "xcom", "code", "details", "rendered_templates", "task_instances",
                      "asset_events", "required_actions"))
        for place, ref in (
            ("dags/:dagId/runs/:runId/tasks/:taskId", INSTANCE),
            ("dags/:dagId/runs/:runId/tasks/:taskId/mapped/:mapIndex", MAPPED),
        )
    ),
    ("assets/:assetId", ASSET, ("asset-state-store",)),
    ("", None, (
        "required_actions", "dags", "dag_runs", "task_instances", "assets", "configs", "deadlines", "events", "xcoms",
        "variables", "pools", "providers", "plugins", "security/:page/*", "connections", "jobs",
    )),
]  # fmt: skip
PLUGIN = "plugin/:page/*"
NO_PLUGIN = frozenset(
    {
        "assets/:assetId",
        "dags/:dagId/runs/:runId/tasks/:taskId/mapped",
        "dags/:dagId/runs/:runId/tasks/group/:groupId",
    }
)


def scripts(package: str, folder: str) -> Path:
    """Where an installed package keeps what its pages run; it is not imported."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / folder


def concrete(pattern: str) -> str:
    """An address of a pattern, with a name in each of its gaps."""
    names = {"dagId": "d", "runId": "r", "taskId": "t", "groupId": "g", "mapIndex": "4", "assetId": "7"}
    names |= {"experimentId": "1", "runUuid": "abc", "loggedModelId": "m-1", "modelName": "m", "version": "3"}
    return re.sub(r":(\w+)", lambda gap: names.get(gap[1], "x"), pattern).replace("*", "y")


AIRFLOW_PAGES = [
    (f"/{concrete(place)}/{concrete(tab)}".rstrip("/"), ref)
    for place, ref, tabs in AIRFLOW
    for tab in ("", *tabs, *(() if place in NO_PLUGIN else (PLUGIN,)))
]


@pytest.mark.parametrize(("page", "ref"), AIRFLOW_PAGES)
def test_a_page_of_airflow(page: str, ref: Ref | None) -> None:
    assert routes.airflow_ref(page, I, LOOKUP) == ref
    assert routes.airflow_ref(f"{page}?limit=10&run_after_lte=2026-11-21T04%3A00%3A00%2B00%3A00", I, LOOKUP) == ref


def test_the_table_has_every_route_of_the_installed_airflow() -> None:
    (file,) = scripts("airflow", "ui/dist/assets").glob("index-*.js")
    script = file.read_text("utf-8")
    first, last = script.index("path:`plugin/:page/*`"), script.rindex("path:`dags/:dagId/tasks/:taskId`")
    installed = set(re.findall(r"path:`([^`]+)`", script[first : last + 200])) - {"/", "*"}
    assert installed == {route for place, _, tabs in AIRFLOW for route in (place, *tabs) if route} | {PLUGIN}


# --- MLflow ----------------------------------------------------------------------------------------------------------

MLFLOW: dict[str, Ref | None] = {
    "/": None,
    "/experiments": None,
    "/experiments/:experimentId": EXPERIMENT,
    "/experiments/:experimentId/:tabName": EXPERIMENT,
    "/experiments/:experimentId/s": EXPERIMENT,
    "/experiments/:experimentId/overview/:overviewTab": EXPERIMENT,
    "/experiments/:experimentId/runs": EXPERIMENT,
    "/experiments/:experimentId/models": EXPERIMENT,
    "/experiments/:experimentId/evaluation-runs": EXPERIMENT,
    "/experiments/:experimentId/traces": EXPERIMENT,
    "/experiments/:experimentId/chat-sessions": EXPERIMENT,
    "/experiments/:experimentId/datasets": EXPERIMENT,
    "/experiments/:experimentId/judges": EXPERIMENT,
    "/experiments/:experimentId/review-queue": EXPERIMENT,
    "/experiments/:experimentId/playground": EXPERIMENT,
    "/experiments/:experimentId/prompts": EXPERIMENT,
    "/experiments/:experimentId/prompts/:promptName": None,
    "/experiments/:experimentId/traces/:traceId": None,
    "/experiments/:experimentId/chat-sessions/:sessionId": None,
    "/experiments/:experimentId/datasets/:datasetId": None,
    "/experiments/:experimentId/runs/:runUuid": RUN,
    "/experiments/:experimentId/runs/:runUuid/*": RUN,
    "/experiments/:experimentId/runs/:runUuid/artifactPath/*": RUN,
    "/experiments/:experimentId/evaluation-runs/:runUuid": RUN,
    "/experiments/:experimentId/evaluation-runs/:runUuid/*": RUN,
    "/experiments/:experimentId/models/:loggedModelId": MODEL,
    "/experiments/:experimentId/models/:loggedModelId/:tabName": MODEL,
    "/runs/:runUuid": RUN,
    "/models": None,
    "/models/:modelName": refs.registered_model(I, "m"),
    "/models/:modelName/:subpage": refs.registered_model(I, "m"),
    "/models/:modelName/:subpage/:name": refs.registered_model(I, "m"),
    "/models/:modelName/versions/:version": refs.model_version(I, "m", 3),
    "/createModel": None,
    # What these compare is in their query; without one they show nothing.
    "/metric/*": None,
    "/compare-runs": None,
    "/compare-experiments": None,
    "/compare-experiments/:searchString": None,
    "/compare-model-versions": None,
    # Prompts, gateways, other people's servers and administration are no part of a model's life.
    "/prompts": None,
    "/prompts/:promptName": None,
    "/gateway": None,
    "/gateway/api-keys": None,
    "/gateway/budgets": None,
    "/gateway/usage": None,
    "/gateway/endpoints/create": None,
    "/gateway/endpoints/:endpointId": None,
    "/mcp-registry": None,
    "/mcp-registry/:serverName": None,
    "/settings": None,
    "/settings/:section": None,
    "/account": None,
    "/admin": None,
    "/admin/ws": None,
    "/admin/users/:username": None,
    "/admin/roles/:roleId": None,
}


@pytest.mark.parametrize(("pattern", "ref"), MLFLOW.items())
def test_a_page_of_mlflow(pattern: str, ref: Ref | None) -> None:
    assert routes.mlflow_ref(f"/#{concrete(pattern)}", I) == ref
    assert routes.mlflow_ref(f"/#{concrete(pattern)}?workflowType=machine_learning&workspace=default", I) == ref


def test_the_table_has_every_route_of_the_installed_mlflow() -> None:
    (file,) = scripts("mlflow", "server/js/build/static/js").glob("main.*.js")
    # MLflow makes each of its routes by a function of its own, whose name alone the build shortens.
    installed = set(re.findall(r'\(0,\w+\.\w+\)\("(/[^"\s]*)"\)', file.read_text("utf-8"))) - {"/*"}
    assert installed == set(MLFLOW)


# --- the catalog -----------------------------------------------------------------------------------------------------

P = "flights"
CATALOG: dict[str, Ref | None] = {
    "/": refs.project(P),
    "/views": None,
    "/on-demand": None,
    "/services": None,
    "/entities": None,
    "/sources": None,
    "/wishes": None,
    "/search": None,
    "/api": None,
    "/views/{name:path}": refs.feature_view(P, "name"),
    "/views/{name:path}/features/{feature_name:path}": refs.feature(P, "name", "feature_name"),
    "/services/{name:path}": refs.feature_service(P, "name"),
    "/entities/{name:path}": refs.entity(P, "name"),
    "/sources/{name:path}": refs.source(P, "name"),
    "/wishes/{number}": refs.wish(P, 3),
    "/wishes/{number}/votes": refs.wish(P, 3),  # where a form is answered that was refused
    "/wishes/{number}/answer": refs.wish(P, 3),
}


@pytest.mark.parametrize(("pattern", "ref"), CATALOG.items())
def test_a_page_of_the_catalog(pattern: str, ref: Ref | None) -> None:
    page = re.sub(r"\{(\w+)(:path)?\}", lambda gap: "3" if gap[1] == "number" else gap[1], pattern)
    assert routes.festaf_ref(page, P) == ref
    assert routes.festaf_ref(f"{page}?page=2&q=wind#uses", P) == ref


def test_the_table_has_every_route_of_the_catalog() -> None:
    served: Iterable[object] = [*pages.router.routes, *wishing.pages.routes]
    assert {route.path for route in served if isinstance(route, APIRoute)} == set(CATALOG)
