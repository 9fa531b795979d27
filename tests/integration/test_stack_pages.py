"""Airflow's and MLflow's real pages in our views: a click on a link of theirs ends at what our routes say it shows."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if os.geteuid() == 0:  # the engine's sandbox cannot work as root; a person's run says so, tests just switch it off
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

import httpx
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.web.profile import Connection
from e2e_ml.desktop.web.view import WebView
from e2e_ml.refs import Ref
from e2e_ml.routes import Lookup
from e2e_ml.stack import Stack
from tests.integration.conftest import until

WAIT = 60_000  # ms, on a machine with much else to do
I = "local"  # noqa: E741
DAG = """
from airflow.sdk import Asset, dag, task, task_group

@dag(dag_id="pages", schedule=None, is_paused_upon_creation=False)
def pages():
    @task(outlets=[Asset("s3://lake/pages")])
    def make():
        return [1, 2]

    @task
    def each(number):
        return number

    @task_group
    def group():
        each(9)

    each.expand(number=make()) >> group()

pages()
"""

Look = Callable[[str, Lookup], WebView]


@pytest.fixture
def look(running_stack: Stack, qtbot: QtBot, tmp_path: Path) -> Iterator[Look]:
    """A view of a running service, with its login."""
    owner, views = QObject(), list[WebView]()
    appearance, operations = Appearance(owner), Operations(owner)

    def open_(service: str, lookup: Lookup) -> WebView:
        running = running_stack.services[service]
        connection = Connection(service, I, tmp_path / service, dark=False, parent=owner)
        view = WebView(running.title, connection, appearance, operations, running.login)
        view.lookup = lookup
        view.resize(1280, 900)
        view.show()
        views.append(view)
        return view

    yield open_
    for view in views:
        view.hide()
        view.close_page()
    qtbot.wait(50)
    operations.close()
    for connection in owner.findChildren(Connection):
        connection.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def begin(qtbot: QtBot, stack: Stack, view: WebView, ref: Ref) -> list[Ref | None]:
    """Lead the view to `ref`; what is visited from then on is in the list that is given."""
    view.show_ref(ref)
    view.update_status(stack.services[view.service].status())
    qtbot.waitUntil(lambda: view.showing_page and view.ref == ref and not view.driver.driving, timeout=WAIT)
    visits: list[Ref | None] = []
    view.visited.connect(visits.append)
    return visits


CLICK = """((wanted, click) => {
  const plain = (text) => { try { return decodeURIComponent(text.split("?")[0]); } catch { return ""; } };
  const links = [...document.querySelectorAll("a[href]")];
  const found = links.find((link) => plain(link.getAttribute("href")) === plain(wanted));
  if (found && click) found.click();
  return Boolean(found);
})"""
AGAIN = 3.0  # s after which a link is clicked again: a page may draw itself anew under the pointer


def walk(qtbot: QtBot, view: WebView, visits: list[Ref | None], steps: list[tuple[str, Ref | None]]) -> None:
    """Click on the page's own link to each address (its query says nothing), as soon as there is one."""
    for link, ref in steps:
        visits.clear()
        asked = 0.0

        def click_if_there(is_there: object, link: str = link) -> None:
            if is_there:
                view.driver.touched()
                view.page.runJavaScript(f"{CLICK}({json.dumps(link)}, true)")

        def arrived(link: str = link, ref: Ref | None = ref, click: Callable[[object], None] = click_if_there) -> bool:
            nonlocal asked
            if visits[-1:] == [ref]:
                return True
            if time.monotonic() - asked > AGAIN:
                asked = time.monotonic()
                view.page.runJavaScript(f"{CLICK}({json.dumps(link)}, false)", click)
            return False

        try:
            qtbot.waitUntil(arrived, timeout=WAIT)
        except qtbot.TimeoutError:
            pytest.fail(f"The link to {link} led {view.service} to {view.driver.path}, visits {visits}")


def test_links_of_airflows_pages(qtbot: QtBot, running_stack: Stack, look: Look) -> None:
    running = running_stack.services["airflow"]
    login, url = running.login(), running.status().url
    assert login is not None
    (running_stack.workspace.dags / "pages.py").write_text(DAG)
    with httpx.Client(base_url=f"{url}/api/v2", headers=dict(login.headers), trust_env=False, timeout=30) as api:
        until(lambda: api.get("/dags/pages").status_code == 200, what="the DAG was not seen")
        run = api.post("/dags/pages/dagRuns", json={"logical_date": None}).raise_for_status().json()["dag_run_id"]
        until(lambda: api.get(f"/dags/pages/dagRuns/{run}").json()["state"] in ("success", "failed"))
        assets = {asset["uri"]: int(asset["id"]) for asset in api.get("/assets").json()["assets"]}
    dag, asset = refs.dag(I, "pages"), refs.asset(I, "s3://lake/pages")
    view = look("airflow", Lookup(assets=assets))
    visits = begin(qtbot, running_stack, view, dag)
    here = f"/dags/pages/runs/{run}"
    walk(qtbot, view, visits, [
        ("/dags/pages/code", dag),
        ("/dags/pages/tasks/make", refs.task(I, "pages", "make")),
        ("/dags/pages/tasks/group/group", dag),
        (f"{here}/tasks/group/group", refs.dag_run(I, "pages", run)),
        (f"{here}/tasks/make", refs.task_instance(I, "pages", run, "make")),
        (f"{here}/tasks/make/details", refs.task_instance(I, "pages", run, "make")),
        (f"{here}/tasks/each/mapped", refs.task(I, "pages", "each")),
        (f"{here}/tasks/each/mapped/1", refs.task_instance(I, "pages", run, "each", 1)),
        (here, refs.dag_run(I, "pages", run)),
        ("/dags/pages", dag),
        (f"/assets/{assets['s3://lake/pages']}", asset),
        ("/assets", None),
        (f"/assets/{assets['s3://lake/pages']}", asset),
        ("/dags", None),
        ("/dags/pages", dag),
    ])  # fmt: skip


def test_links_of_mlflows_pages(qtbot: QtBot, running_stack: Stack, look: Look) -> None:
    running = running_stack.services["mlflow"]
    login, url = running.login(), running.status().url
    assert login is not None
    assert login.basic is not None
    with httpx.Client(base_url=f"{url}/api/2.0/mlflow", auth=login.basic, trust_env=False, timeout=30) as api:

        def make(what: str, **given: object) -> dict[str, Any]:
            return api.post(f"/{what}", json=given).raise_for_status().json()

        experiment: str = make("experiments/create", name="pages")["experiment_id"]
        run: str = make("runs/create", experiment_id=experiment, start_time=1)["run"]["info"]["run_id"]
        make("runs/log-metric", run_id=run, key="auc", value=0.7, timestamp=1, step=0)
        logged = make("logged-models", experiment_id=experiment, name="kept", source_run_id=run)
        model: str = logged["model"]["info"]["model_id"]
        make("registered-models/create", name="a model")
        make("model-versions/create", name="a model", source=f"models:/{model}", model_id=model)
    view = look("mlflow", Lookup(experiments={run: experiment, model: experiment}))
    visits = begin(qtbot, running_stack, view, refs.experiment(I, experiment))
    here, name = f"#/experiments/{experiment}", quote("a model")
    walk(qtbot, view, visits, [
        (f"{here}/runs/{run}", refs.run(I, run)),
        (f"{here}/runs/{run}/model-metrics", refs.run(I, run)),
        (f"{here}/models", refs.experiment(I, experiment)),
        (f"{here}/models/{model}", refs.logged_model(I, model)),
        (f"{here}/traces", refs.experiment(I, experiment)),
        ("#/models", None),
        (f"#/models/{name}", refs.registered_model(I, "a model")),
        (f"#/models/{name}/versions/1", refs.model_version(I, "a model", 1)),
        ("#/models", None),
    ])  # fmt: skip
