"""A platform that knows nothing of us: Airflow's own examples, plain MLflow scripts, a Feast project. All of it links
by the right evidence, nothing false is drawn, and the window shows it beside the services' own pages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if os.geteuid() == 0:  # the engine's sandbox cannot work as root; a person's run says so, tests just switch it off
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from e2e_ml import refs
from e2e_ml.desktop.app import make_workbench
from e2e_ml.desktop.panels.uses_table import LINK, RUN
from e2e_ml.desktop.web.view import WebView
from e2e_ml.desktop.workbench import Workbench
from e2e_ml.lineage.graph import Edge, Evidence, Relation
from e2e_ml.lineage.index.drawing import LIKELY
from e2e_ml.refs import FEAST, Kind, Ref
from tests.desktop.conftest import end
from tests.integration.feast_world import PROJECT, SERVICE
from tests.integration.third_party_world import World, third_party_world

pytestmark = pytest.mark.timeout(1500)  # everything starts once, on a machine that may have much else to do
WAIT = 120_000  # ms, for real pages on such a machine
DECLARED, OBSERVED, INFERRED = Evidence
STATS = refs.feature_view(PROJECT, "driver_hourly_stats", FEAST)
CONV_RATE = refs.feature(PROJECT, "driver_hourly_stats", "conv_rate", FEAST)
TRIPS = refs.registered_model("local", "trips")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with third_party_world(tmp_path_factory.mktemp("third-party")) as made:
        yield made


def name(world: World, ref: Ref) -> str:
    """What a person would call it: `DAG train_trips`, `run nightly trips`, `asset lake/delays.csv`."""
    node = world.graph.get(ref)
    assert node is not None, ref
    match ref.kind:
        case Kind.RUN | Kind.EXPERIMENT:
            own = node.title
        case Kind.TASK_INSTANCE:
            own = f"{ref.keys[0]}.{ref.keys[2]}"
        case Kind.ASSET:
            own = ref.name.removeprefix(f"{world.root.as_uri()}/")
        case _:
            own = ".".join(ref.keys)
    return f"{ref.kind} {own}"


def told(world: World, edges: Iterable[Edge]) -> dict[str, Evidence]:
    """`upstream relation downstream` -> its evidence."""
    return {
        f"{name(world, e.upstream)} {e.relation.value} {name(world, e.downstream)}": e.evidence for e in edges
    }  # fmt: skip


def drawn(world: World) -> list[Edge]:
    return [edge for node in world.graph.nodes() for edge in world.graph.downstream(node.ref)]


def reason(world: World, upstream: Ref, downstream: Ref) -> str:
    (edge,) = (e for e in world.graph.upstream(downstream) if e.upstream == upstream)
    return edge.reason


# --- the graph -------------------------------------------------------------------------------------------------------


def test_between_the_services_lies_what_is_true_with_its_evidence_and_nothing_else(world: World) -> None:
    between = (edge for edge in drawn(world) if edge.upstream.scheme != edge.downstream.scheme)
    assert told(world, between) == {
        # The script in an environment without e2e-ml: nobody tagged its run, but it lies in its task's time.
        "task instance train_trips.fit started run nightly trips": INFERRED,
        "DAG train_trips started run nightly trips": INFERRED,
        "DAG train_trips produces registered model trips": INFERRED,
        "source driver_hourly_stats_source trains run nightly trips": DECLARED,
        # The file that Airflow writes is the one that Feast reads.
        "asset drivers/feature_repo/data/driver_stats.parquet stands for source driver_hourly_stats_source": OBSERVED,
        "DAG ingest_driver_stats produces source driver_hourly_stats_source": OBSERVED,
        # The task that trains by itself, and the script that another one starts: both are tagged.
        "task instance train_delays.fit started run logistic": DECLARED,
        "DAG train_delays started run logistic": DECLARED,
        "task instance train_delays.compare started run ratings by a script": DECLARED,
        "DAG train_delays started run ratings by a script": DECLARED,
        "DAG train_delays produces registered model delays": INFERRED,
        "DAG train_delays produces experiment delays": INFERRED,
        "asset lake/delays.csv trains run logistic": DECLARED,
        # Columns alone: by their names in a view of festaf, and as Feast names those of a join.
        "feature view weather trains run logistic": INFERRED,
        "feature view driver_hourly_stats trains run ratings by a script": INFERRED,
        # Feast's own integration with MLflow.
        "feature service driver_activity_v1 trains run training": DECLARED,
        "feature service driver_activity_v1 is read by run prediction": DECLARED,
        "feature service driver_activity_v1 trains model version driver-trips.1": DECLARED,
        "feature driver_hourly_stats.acc_rate trains run without a service": DECLARED,
        "feature driver_hourly_stats_fresh.conv_rate trains run without a service": DECLARED,
    }


def test_airflows_examples_are_tied_as_airflow_says(world: World) -> None:
    in_airflow = [e for e in drawn(world) if e.upstream.scheme == e.downstream.scheme == "airflow"]
    found = told(world, (e for e in in_airflow if e.relation is not Relation.CONTAINS))
    assert {
        "DAG asset_produces_1 produces asset s3://dag1/output_1.txt": DECLARED,
        "asset s3://dag1/output_1.txt triggers DAG asset_consumes_1": DECLARED,
        "DAG asset_consumes_1 produces asset s3://consuming_1_task/asset_other.txt": DECLARED,
        "DAG asset_alias_example_alias_producer produces asset s3://bucket/my-task": OBSERVED,  # by an alias
        "DAG asset_s3_bucket_producer produces asset s3://bucket/my-task": DECLARED,
        "DAG ingest_driver_stats produces asset drivers/feature_repo/data/driver_stats.parquet": DECLARED,
        "asset drivers/feature_repo/data/driver_stats.parquet triggers DAG train_trips": DECLARED,
        "DAG train_delays produces asset lake/delays.csv": DECLARED,
    }.items() <= found.items()  # fmt: skip
    # A DAG that waits for what another one has written reads it; those beside it in the file do not.
    assert {said for said, evidence in found.items() if evidence is INFERRED} == {
        *(f"asset s3://dag1/output_1.txt is read by DAG {dag}" for dag in (
            "asset_consumes_1", "asset_consumes_1_and_2", "asset_consumes_1_never_scheduled",
            "conditional_asset_and_time_based_timetable", "consume_1_and_2_with_asset_expressions",
            "consume_1_or_2_with_asset_expressions", "consume_1_or_both_2_and_3_with_asset_expressions",
        )),
        "asset s3://bucket/my-task is read by DAG asset_s3_bucket_consumer",
    }  # fmt: skip


def test_examples_that_ran_have_their_runs_and_tasks(world: World) -> None:
    ran = {"asset_produces_1", "asset_consumes_1", "asset_alias_example_alias_producer", "tutorial_taskflow_api"}
    for dag in ran:
        node = world.graph.get(refs.dag("local", dag))
        assert node is not None
        assert node.facts["last_state"] == "success"
    tasks = {e.downstream.name for e in world.graph.downstream(refs.dag("local", "tutorial_taskflow_api"))}
    assert tasks == {"extract", "transform", "load"}
    quiet = world.graph.get(refs.dag("local", "example_bash_operator"))
    assert quiet is not None
    assert quiet.facts["paused"]


def test_reasons_say_in_words_what_was_looked_at(world: World) -> None:
    run = world.run("nightly trips")
    by_time = reason(world, refs.dag("local", "train_trips"), run)
    assert by_time.startswith("the run lies in the time of the task instance: of the same user ")
    assert "the DAG's source names the model trips" in by_time
    assert reason(world, refs.source(PROJECT, "driver_hourly_stats_source", FEAST), run).startswith("the run's dataset")
    weather = reason(world, refs.feature_view("flights", "weather"), world.run("logistic"))
    assert weather.startswith("4 of 4 columns of the model are features of weather")
    joined = reason(world, STATS, world.run("ratings by a script"))
    assert joined.startswith("2 of 2 columns of the training data are features of driver_hourly_stats")


def test_what_is_not_sure_waits_for_a_person(world: World) -> None:
    """The DAG beside the one that trains has its source in common with it, and only that."""
    ingest = refs.dag("local", "ingest_driver_stats")
    found = {(e.relation, e.downstream): e for e in world.graph.candidates(ingest) if e.upstream == ingest}
    assert (Relation.PRODUCES, TRIPS) in found
    assert all(edge.evidence is INFERRED and edge.score < LIKELY for edge in found.values())
    assert all(edge.score == 1 for edge in drawn(world) if edge.evidence is not INFERRED)
    assert all(LIKELY <= edge.score < 1 for edge in drawn(world) if edge.evidence is INFERRED)


def test_from_the_file_that_airflow_writes_to_the_model_it_is_one_way(world: World) -> None:
    below = world.graph.walk(refs.dag("local", "ingest_driver_stats"), down=True)
    version = refs.model_version("local", "trips", "1")
    assert {world.run("nightly trips"), version, TRIPS, CONV_RATE, world.run("training")} <= set(below)
    assert world.run("logistic") not in below


# --- the window ------------------------------------------------------------------------------------------------------


@pytest.fixture
def workbench(qtbot: QtBot, world: World) -> Iterator[Workbench]:
    """The program's own window over what was read, and the pages of the services that run."""
    made = make_workbench(world.stack.workspace, world.stack)
    made.open()
    made.window.resize(1680, 1000)
    yield made
    end(qtbot, made)
    made.reader.stop()


def look_at(qtbot: QtBot, workbench: Workbench, ref: Ref, **pages: tuple[Ref, str]) -> None:
    """Set the focus, and wait until the services' own pages are about `pages` and say it: service -> thing, words."""
    workbench.focus.set(ref, "test")
    for service, (counterpart, words) in pages.items():
        view, texts = workbench.window.web[service], [""]

        def shows(view: WebView = view, ref: Ref = counterpart, words: str = words, texts: list[Any] = texts) -> bool:
            if view.ref == ref and view.showing_page:
                view.page.runJavaScript("document.body.innerText", texts.append)
            return words in str(texts[-1])

        try:
            qtbot.waitUntil(shows, timeout=WAIT)
        except qtbot.TimeoutError:
            pytest.fail(f"{service} shows {view.ref} at {view.driver.path}: {texts[-1]}")


def answer(workbench: Workbench, question: str) -> str:
    return workbench.window.inspector.answers.labels[question].plain


def uses(workbench: Workbench) -> dict[str, str]:
    """The table of what uses the thing in focus: run -> evidence of its link."""
    model = workbench.window.inspector.table.uses
    return {str(model.index(row, RUN).data()): str(model.index(row, LINK).data()) for row in range(model.rowCount())}


def lineage(workbench: Workbench, world: World) -> dict[str, Evidence]:
    """What the large drawing shows: `upstream -> downstream` with the evidence of the line."""
    window = workbench.window
    if window.middle.currentWidget() is not window.lineage:
        window.toggle_lineage()
    return {
        f"{name(world, tie.upstream)} -> {name(world, tie.downstream)}": tie.evidence
        for tie in window.lineage.view.shown.ties
        if isinstance(tie.upstream, Ref) and isinstance(tie.downstream, Ref)
    }


def buttons(workbench: Workbench) -> dict[str, QPushButton]:
    return {b.text(): b for b in workbench.window.lineage.card.findChildren(QPushButton) if b.isVisible()}


def test_the_window_on_a_run_that_nobody_tagged(
    qtbot: QtBot, world: World, workbench: Workbench, tmp_path: Path
) -> None:
    window, run = workbench.window, world.run("nightly trips")
    (dag_run,) = (ref for ref in world.graph.refs(Kind.DAG_RUN) if ref.keys[0] == "train_trips")
    look_at(qtbot, workbench, run, airflow=(dag_run, "train_trips"), mlflow=(run, "nightly trips"))
    assert window.inspector.title.text() == "nightly trips"
    assert answer(workbench, "How").startswith("Learned from driver_hourly_stats_source\nStarted by train_trips, ")
    assert answer(workbench, "Why").endswith("Registered as trips v1")
    window.grab().save(str(tmp_path / "run.png"))
    assert lineage(workbench, world) == {
        "DAG train_trips -> run nightly trips": INFERRED,
        "DAG ingest_driver_stats -> source driver_hourly_stats_source": OBSERVED,
        "source driver_hourly_stats_source -> run nightly trips": DECLARED,
        "run nightly trips -> model version trips.1": DECLARED,
        "model version trips.1 -> registered model trips": DECLARED,
        "model version trips.1 -> alias trips.champion": DECLARED,
    }
    drawing = window.lineage.export(tmp_path / "run.svg").read_text()
    for word in (
        "nightly trips",
        "train_trips",
        "driver_stats.parquet",
        "@champion",
        *(kind.value for kind in Evidence),
    ):
        assert word in drawing
    window.lineage.view.verbs.next_doubt()
    window.grab().save(str(tmp_path / "run-lineage.png"))
    content = window.lineage.card.content
    assert content is not None
    assert content.caption == "inferred link"
    assert content.links[0][1][0].why.startswith("Inferred, 0.97: the run lies in the time of the task instance")
    assert set(buttons(workbench)) == {"Confirm", "Refuse"}


def test_what_a_person_says_of_a_link_counts(qtbot: QtBot, world: World, workbench: Workbench) -> None:
    page, run, dag = workbench.window.lineage, world.run("nightly trips"), refs.dag("local", "train_trips")

    def evidence() -> Evidence | None:
        return next((e.evidence for e in workbench.reader.graph().upstream(run) if e.upstream == dag), None)

    look_at(qtbot, workbench, run)
    for press, then in (("Confirm", DECLARED), ("Withdraw", INFERRED), ("Refuse", None)):
        lineage(workbench, world)
        page.view.verbs.next_doubt()
        with qtbot.waitSignal(page.judged):
            buttons(workbench)[press].click()
        assert evidence() is then
    with qtbot.waitSignal(page.judged):
        page.do("withdraw")
    assert evidence() is INFERRED


def test_the_window_on_a_feature_of_feast(qtbot: QtBot, world: World, workbench: Workbench, tmp_path: Path) -> None:
    window, ingest = workbench.window, refs.dag("local", "ingest_driver_stats")
    version = refs.model_version("local", world.feast.model, world.feast.version)
    pages = {"airflow": (ingest, "ingest_driver_stats"), "mlflow": (version, SERVICE)}
    look_at(qtbot, workbench, CONV_RATE, **pages)
    assert window.inspector.title.text() == "conv_rate"
    assert window.inspector.kind.plain == "feature · float32 in driver_hourly_stats"
    assert answer(workbench, "What") == "from driver_hourly_stats_source"
    assert answer(workbench, "Why").startswith("Asked for by driver_activity_v")
    assert uses(workbench) == {"training": "declared", "prediction": "declared"}
    assert list(window.inspector.cards[0].name.links.values()) == [ingest]
    window.grab().save(str(tmp_path / "feature.png"))
    assert {
        "DAG ingest_driver_stats -> source driver_hourly_stats_source": OBSERVED,
        "source driver_hourly_stats_source -> feature view driver_hourly_stats": DECLARED,
        "feature view driver_hourly_stats -> feature driver_hourly_stats.conv_rate": DECLARED,
        "feature service driver_activity_v1 -> run training": DECLARED,
        "feature service driver_activity_v1 -> run prediction": DECLARED,
        "run training -> model version driver-trips.1": DECLARED,
        "model version driver-trips.1 -> registered model driver-trips": DECLARED,
    }.items() <= lineage(workbench, world).items()
    window.grab().save(str(tmp_path / "feature-lineage.png"))
    look_at(qtbot, workbench, refs.feature_service(PROJECT, SERVICE, FEAST), **pages)
    assert uses(workbench) == {"training": "declared", "prediction": "declared"}
    assert answer(workbench, "What") == "3 features of 2 views"
    assert "feature service driver_activity_v1 -> run training" in lineage(workbench, world)
    window.grab().save(str(tmp_path / "service-lineage.png"))


def test_the_window_on_what_was_told_by_columns(
    qtbot: QtBot, world: World, workbench: Workbench, tmp_path: Path
) -> None:
    look_at(qtbot, workbench, STATS)
    assert uses(workbench)["ratings by a script"] == "inferred"
    assert lineage(workbench, world)["feature view driver_hourly_stats -> run ratings by a script"] is INFERRED
    look_at(qtbot, workbench, refs.feature_view("flights", "weather"))
    assert uses(workbench) == {"logistic": "inferred"}
    assert lineage(workbench, world)["feature view weather -> run logistic"] is INFERRED
    workbench.window.grab().save(str(tmp_path / "weather-lineage.png"))


def test_the_window_on_the_model(qtbot: QtBot, world: World, workbench: Workbench, tmp_path: Path) -> None:
    train = refs.dag("local", "train_trips")
    look_at(qtbot, workbench, TRIPS, airflow=(train, "train_trips"), mlflow=(TRIPS, "champion"))
    assert answer(workbench, "Why") == "v1 is champion"
    assert uses(workbench) == {"nightly trips": "itself"}
    workbench.window.grab().save(str(tmp_path / "model.png"))
    assert lineage(workbench, world) == {
        "model version trips.1 -> registered model trips": DECLARED,
        "run nightly trips -> model version trips.1": DECLARED,
        "DAG train_trips -> run nightly trips": INFERRED,
        "source driver_hourly_stats_source -> run nightly trips": DECLARED,
        "DAG ingest_driver_stats -> source driver_hourly_stats_source": OBSERVED,
    }
    workbench.window.grab().save(str(tmp_path / "model-lineage.png"))
