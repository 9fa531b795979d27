"""Airflow's and MLflow's addresses, as their real pages write them into the address bar, to a `Ref` and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml import refs, routes
from e2e_ml.refs import Ref

I = "local"  # noqa: E741
DAG = "festaf.flights.hourly_weather"
T = "2026-11-21T04:00:00+00:00"
RUN_ID = f"scheduled__{T}"
URI = "festaf://flights/hourly_weather"
LOOKUP = routes.Lookup(assets={URI: 7}, experiments={"4f1c9a7b": "1", "m-0a1b": "1"})

PAIRS = [
    (refs.dag(I, DAG), f"/dags/{DAG}"),
    (refs.dag(I, "ü b"), "/dags/%C3%BC%20b"),
    (refs.task(I, DAG, "extract"), f"/dags/{DAG}/tasks/extract"),
    (refs.task(I, DAG, "prepare.extract"), f"/dags/{DAG}/tasks/prepare.extract"),
    (refs.dag_run(I, DAG, RUN_ID), f"/dags/{DAG}/runs/{RUN_ID}"),
    (refs.task_instance(I, DAG, RUN_ID, "extract"), f"/dags/{DAG}/runs/{RUN_ID}/tasks/extract"),
    (refs.task_instance(I, DAG, RUN_ID, "extract", 3), f"/dags/{DAG}/runs/{RUN_ID}/tasks/extract/mapped/3"),
    (refs.task_instance(I, DAG, RUN_ID, "extract", 0), f"/dags/{DAG}/runs/{RUN_ID}/tasks/extract/mapped/0"),
    (refs.asset(I, URI), "/assets/7"),
    (refs.experiment(I, "1"), "/#/experiments/1/runs?workflowType=machine_learning"),
    (refs.run(I, "4f1c9a7b"), "/#/experiments/1/runs/4f1c9a7b"),
    (refs.run(I, "ffff"), "/#/runs/ffff"),
    (refs.logged_model(I, "m-0a1b"), "/#/experiments/1/models/m-0a1b"),
    (refs.registered_model(I, "flight-delay"), "/#/models/flight-delay"),
    (refs.model_version(I, "flight-delay", 3), "/#/models/flight-delay/versions/3"),
    (refs.model_version(I, "a model", 12), "/#/models/a%20model/versions/12"),
    (refs.feature(I, "hourly_weather", "temp"), "/views/hourly_weather/features/temp"),
]


@pytest.mark.parametrize(("ref", "path"), PAIRS)
def test_ref_and_page_are_a_pair(ref: Ref, path: str) -> None:
    assert routes.path(ref, LOOKUP) == (ref.scheme, path)
    assert routes.ref(ref.scheme, path, I, LOOKUP) == ref


@pytest.mark.parametrize(
    ("path", "ref"),
    [
        ("", None),
        ("/", None),
        ("/dags", None),
        ("/dags?last_dag_run_state=failed", None),
        ("/dag_runs?state=failed", None),
        ("/task_instances", None),
        ("/assets", None),
        (f"/assets?name_pattern={URI}", None),
        ("/assets/8", None),
        ("/assets/7/asset-state-store", refs.asset(I, URI)),
        ("/variables", None),
        ("/security/users", None),
        ("/auth/login/?next=http%3A%2F%2F127.0.0.1%3A8080%2Fdags%2Fx", None),
        ("http://127.0.0.1:8080/dags/x?limit=10#top", refs.dag(I, "x")),
        ("/dags/x/", refs.dag(I, "x")),
        ("/dags/x/runs", refs.dag(I, "x")),
        ("/dags/x/runs/", refs.dag(I, "x")),
        ("/dags/x/runs?state=failed", refs.dag(I, "x")),
        ("/dags/x/tasks", refs.dag(I, "x")),
        ("/dags/x/code", refs.dag(I, "x")),
        ("/dags/x/required_actions", refs.dag(I, "x")),
        ("/dags/x/tasks/group/prepare/task_instances", refs.dag(I, "x")),
        ("/dags/x/tasks/t/task_instances", refs.task(I, "x", "t")),
        ("/dags/x/runs/manual__2026-11-21T04%3A00%3A00%2B00%3A00/", refs.dag_run(I, "x", f"manual__{T}")),
        ("/dags/x/runs/r/events", refs.dag_run(I, "x", "r")),
        ("/dags/x/runs/r/tasks/group/prepare", refs.dag_run(I, "x", "r")),
        ("/dags/x/runs/r/tasks/t?try_number=2", refs.task_instance(I, "x", "r", "t")),
        ("/dags/x/runs/r/tasks/t/xcom", refs.task_instance(I, "x", "r", "t")),
        ("/dags/x/runs/r/tasks/t/mapped", refs.task(I, "x", "t")),
        ("/dags/x/runs/r/tasks/t/mapped/details", refs.task(I, "x", "t")),
        ("/dags/x/runs/r/tasks/t/mapped/4/code", refs.task_instance(I, "x", "r", "t", 4)),
    ],
)  # fmt: skip
def test_airflow_as_the_address_bar_has_it(path: str, ref: Ref | None) -> None:
    assert routes.airflow_ref(path, I, LOOKUP) == ref


@pytest.mark.parametrize(
    ("path", "ref"),
    [
        ("", None),
        ("/", None),
        ("/#/", None),
        ("/#/experiments", None),
        ("/#/models", None),
        ("/#/prompts/greeting", None),
        ("/#/settings/general", None),
        ("/#/compare-runs?runs=%5B%22a%22%2C%22b%22%5D&experiments=%5B%221%22%5D", None),
        ("/#/experiments/1", refs.experiment(I, "1")),
        ("/#/experiments/1?workflowType=machine_learning", refs.experiment(I, "1")),
        ("/#/experiments/1/runs?workflowType=machine_learning&searchFilter=a", refs.experiment(I, "1")),
        ("/#/experiments/1/models?workflowType=machine_learning", refs.experiment(I, "1")),
        ("/#/experiments/1/traces", refs.experiment(I, "1")),
        ("/#/experiments/1/runs/abc", refs.run(I, "abc")),
        ("http://127.0.0.1:5000/#/experiments/1/runs/abc/model-metrics", refs.run(I, "abc")),
        ("/#/experiments/1/runs/abc/artifacts/features.json", refs.run(I, "abc")),
        ("/#/experiments/1/evaluation-runs/abc", refs.run(I, "abc")),
        ("/#/experiments/1/models/m-1/overview", refs.logged_model(I, "m-1")),
        ("/#/models/flight-delay?searchFilter=", refs.registered_model(I, "flight-delay")),
        ("/#/metric/auc?runs=%5B%22abc%22%5D&metric=%22auc%22&experiments=%5B%221%22%5D", refs.run(I, "abc")),
        ("/#/metric/auc?runs=%5B%22a%22%2C%22b%22%5D", None),
        ("/#/metric/auc?runs=nonsense", None),
        ("/#/metric/auc?runs=%7B%7D", None),
    ],
)
def test_mlflow_as_the_address_bar_has_it(path: str, ref: Ref | None) -> None:
    assert routes.mlflow_ref(path, I) == ref


def test_pages_that_want_an_id_nobody_gave() -> None:
    assert routes.airflow_path(refs.asset(I, "s3://b/k?")) == "/assets?name_pattern=s3%3A%2F%2Fb%2Fk%3F"
    assert routes.mlflow_path(refs.logged_model(I, "m-1")) is None
    assert routes.path(refs.logged_model(I, "m-1")) is None


def test_a_service_without_pages_is_named() -> None:
    with pytest.raises(ValueError, match="'grafana' is no service"):
        routes.ref("grafana", "/", I)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda s: s not in (".", ".."))


@given(NAMES, NAMES, NAMES, st.integers(-1, 10**6))
def test_any_name_travels_both_ways(dag: str, run: str, task: str, index: int) -> None:
    for ref in (refs.dag(I, dag), refs.dag_run(I, dag, run), refs.run(I, run), refs.model_version(I, dag, task)):
        service_and_path = routes.path(ref)
        assert service_and_path is not None
        assert routes.ref(*service_and_path, I) == ref
    if task != "group":  # Airflow's own pages cannot tell a task called "group" from a task group
        ref = refs.task_instance(I, dag, run, task, index)
        assert routes.airflow_ref(routes.airflow_path(ref) or "", I) == ref
