"""Airflow's and MLflow's addresses, as their real pages write them into the address bar, to a `Ref` and back."""

from __future__ import annotations

import re
from urllib.parse import quote

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
        ("/dags/x/runs/r/tasks/t/mapped/nine", refs.task(I, "x", "t")),
        ("/dags/x/tasks/group", refs.task(I, "x", "group")),
        ("/dags/x/runs/r/tasks/group", refs.task_instance(I, "x", "r", "group")),
        ("/dags/x/runs/r/tasks/group/mapped", refs.task(I, "x", "group")),
        ("/dags/x/runs/r/tasks/group/mapped/4", refs.task_instance(I, "x", "r", "group", 4)),
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
        ("/#/metric/auc?runs=" + "%5B" * 100_000, None),
    ],
)
def test_mlflow_as_the_address_bar_has_it(path: str, ref: Ref | None) -> None:
    assert routes.mlflow_ref(path, I) == ref


@pytest.mark.parametrize(
    ("page", "ref"),
    [
        ('compare-runs?runs=["a","b"]&experiments=["1"]', refs.experiment(I, "1")),
        ('compare-runs?runs=["a","b"]&experiments=["1","1"]', refs.experiment(I, "1")),
        ('compare-runs?runs=["a","b"]&experiments=["1","2"]', None),
        ('compare-runs?runs=["a"]&experiments=["1"]', refs.run(I, "a")),
        ('compare-runs?runs=["a","b"]&experiments=null', None),
        ('compare-runs?runs=["a","b"]&experiments=[7,""]', None),
        ('compare-runs?experiments=["1"', None),
        ('compare-experiments/s?experiments=["1","2"]', None),
        ('compare-experiments/s?experiments=["1"]', refs.experiment(I, "1")),
        ('metric?runs=["a","b"]&metric="auc"&experiments=["1"]&plot_metric_keys=["auc"]', refs.experiment(I, "1")),
        ('metric?runs=["a"]&metric="auc"&experiments=["1"]', refs.run(I, "a")),
        ('compare-model-versions?name="m"&runs={"1":"a","3":"b"}', refs.registered_model(I, "m")),
        ('compare-model-versions?name="m"&runs={"3":null}', refs.model_version(I, "m", 3)),
        ('compare-model-versions?name="m"', refs.registered_model(I, "m")),
        ('compare-model-versions?name=""&runs={"1":"a"}', None),
        ('compare-model-versions?name=["m"]&runs={"1":"a"}', None),
    ],
)
def test_a_comparison_shows_what_all_that_it_compares_share(page: str, ref: Ref | None) -> None:
    quoted = page.replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
    assert routes.mlflow_ref(f"/#/{page}", I) == ref
    assert routes.mlflow_ref(f"/#/{quoted}", I) == ref


@pytest.mark.parametrize("name", ["flight-delay", "a model", "ü", "a+b", "a&b=c"])
def test_a_compared_model_is_named_as_its_page_quotes_it(name: str) -> None:
    """`"?name=" + JSON.stringify(encodeURIComponent(name))`, with or without the browser's own quoting."""
    page = f"/#/compare-model-versions?name=%22{quote(name, safe='')}%22&runs=%7B%221%22:%22a%22%7D"
    assert routes.mlflow_ref(page.replace("%22", '"'), I) == refs.model_version(I, name, 1)
    assert routes.mlflow_ref(page, I) == refs.model_version(I, name, 1)


MONITORED = routes.Lookup(monitors={"weather-drift": "watch.weather"})


@pytest.mark.parametrize(
    ("ref", "page", "shown"),
    [
        (refs.alias(I, "m", "champion"), ("mlflow", "/#/models/m"), refs.registered_model(I, "m")),
        (refs.endpoint(I, "delays"), None, None),
        (refs.monitor(I, "weather-drift"), ("airflow", "/dags/watch.weather"), refs.dag(I, "watch.weather")),
        (refs.monitor(I, "another"), None, None),
        (refs.source_column("flights", "a.csv", "temp"), ("festaf", "/sources/a.csv"), refs.source("flights", "a.csv")),
        (refs.dataset("file", "/data/a.csv"), None, None),
        (refs.column("file", "/data/a.csv", "temp"), None, None),
        (refs.project("p", refs.FEAST), None, None),
        (refs.feature_view("p", "v", refs.FEAST), None, None),
        (refs.source_column("p", "s", "c", refs.FEAST), None, None),
        (refs.asset(I, "unknown"), ("airflow", "/assets?name_pattern=unknown"), None),
        (refs.dag(I, "x"), ("airflow", "/dags/x"), refs.dag(I, "x")),
    ],
)
def test_what_has_no_page_of_its_own_is_shown_by_what_holds_it(
    ref: Ref, page: tuple[str, str] | None, shown: Ref | None
) -> None:
    assert routes.path(ref, MONITORED) == page
    assert routes.shown(ref, MONITORED) == shown


def test_pages_that_want_an_id_nobody_gave() -> None:
    assert routes.airflow_path(refs.asset(I, "s3://b/k?")) == "/assets?name_pattern=s3%3A%2F%2Fb%2Fk%3F"
    assert routes.mlflow_path(refs.logged_model(I, "m-1")) is None
    assert routes.path(refs.logged_model(I, "m-1")) is None


def test_a_service_without_pages_is_named() -> None:
    with pytest.raises(ValueError, match="'grafana' is no service"):
        routes.ref("grafana", "/", I)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    [
        "group",
        "mapped",
        "a/b",
        "100%",
        "%2F",
        "a b",
        "a+b",
        "a:b",
        "é",
        "日本",
        "#",
        "?",
        "&",
        ".",
        "..",
        "//",
        "\\",
        "-1",
    ]
)
OWN_PAGE = [
    refs.Kind.PROJECT, refs.Kind.SOURCE, refs.Kind.ENTITY, refs.Kind.FEATURE_VIEW, refs.Kind.FEATURE,
    refs.Kind.FEATURE_SERVICE, refs.Kind.DAG, refs.Kind.TASK, refs.Kind.DAG_RUN, refs.Kind.ASSET, refs.Kind.EXPERIMENT,
    refs.Kind.RUN, refs.Kind.LOGGED_MODEL, refs.Kind.REGISTERED_MODEL, refs.Kind.MODEL_VERSION,
]  # fmt: skip
COUNTS = {refs.Kind.PROJECT: 0} | dict.fromkeys(
    [refs.Kind.FEATURE, refs.Kind.TASK, refs.Kind.DAG_RUN, refs.Kind.MODEL_VERSION], 2
)


@given(st.sampled_from(OWN_PAGE), st.lists(NAMES, min_size=2, max_size=2), NAMES)
def test_any_name_travels_both_ways(kind: refs.Kind, names: list[str], experiment: str) -> None:
    ref = Ref(kind, I, tuple(names[: COUNTS.get(kind, 1)]))
    lookup = routes.Lookup(assets={names[0]: 7}, experiments={names[0]: experiment})
    page = routes.path(ref, lookup)
    if page is None:  # a browser takes these for a way, not for a name
        assert ref.scheme in ("airflow", "festaf")
        assert {".", ".."} & set(ref.keys)
        return
    assert routes.ref(*page, I, lookup) == ref
    assert routes.ref(page[0], f"http://127.0.0.1:8080{page[1]}", I, lookup) == ref
    assert page[1].isascii()
    assert not re.search(r"[\s\\\"<>]", page[1])


@given(NAMES, NAMES, NAMES, st.integers(-1, 10**6))
def test_any_task_instance_travels_both_ways(dag: str, run: str, task: str, index: int) -> None:
    ref = refs.task_instance(I, dag, run, task, index)
    page = routes.airflow_path(ref)
    assert (page is None) == bool({".", ".."} & {dag, run, task})
    assert page is None or routes.airflow_ref(page, I) == ref


@given(st.sampled_from(["airflow", "festaf", "mlflow"]), st.text() | st.text('/#?%&=[]{}":.dagsrunmoel0123'))
def test_any_address_is_read_or_shows_nothing(service: str, address: str) -> None:
    for page in (address, f"/{address}", f"/#/{address}", f"/#/metric?runs={address}"):
        found = routes.ref(service, page, I)
        assert found is None or Ref.parse(str(found)) == found
