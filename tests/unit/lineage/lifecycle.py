"""A small lifecycle as collectors bring it, before links: a view, a service, two DAGs, three runs, two versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Ref

P, A, M = "flights", "local", "lab"
VIEW = refs.feature_view(P, "hourly_weather")
TEMP = refs.feature(P, "hourly_weather", "temp")
FREEZING = refs.feature(P, "hourly_weather", "is_freezing")
UNUSED = refs.feature(P, "hourly_weather", "visib")
SERVICE = refs.feature_service(P, "flight_delay")
SOURCE = refs.source(P, "weather")
ENTITY = refs.entity(P, "origin")
ORPHAN = refs.feature_view(P, "runway")
GATE = refs.feature_view(P, "at_the_gate")
COLD = refs.feature(P, "at_the_gate", "cold_start")
FIRST = refs.feature(P, "at_the_gate", "first_wave")  # of the request alone
WISH = refs.wish(P, 1)
WEATHER = refs.dag(A, "festaf.flights.hourly_weather")
TRAIN = refs.dag(A, "train")
VIEW_ASSET = refs.asset(A, "festaf://flights/hourly_weather")
MODEL_ASSET = refs.asset(A, "models:/flight-delay")
WEATHER_RUN = refs.dag_run(A, WEATHER.name, "scheduled__1")
TRAIN_RUN = refs.dag_run(A, "train", "asset__1")
FIT_0 = refs.task_instance(A, "train", "asset__1", "fit", 0)
FIT_1 = refs.task_instance(A, "train", "asset__1", "fit", 1)
EXPERIMENT = refs.experiment(M, "1")
LOGISTIC = refs.run(M, "aaa")
TREES = refs.run(M, "bbb")
LOOSE = refs.run(M, "ccc")  # made by hand: features, no service, no DAG
MODEL = refs.registered_model(M, "flight-delay")
V1 = refs.model_version(M, "flight-delay", 1)
V2 = refs.model_version(M, "flight-delay", 2)
LOGGED = refs.logged_model(M, "m-1")


def run_tags(task_index: int | None = None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    started = {
        "airflow.dag_id": "train", "airflow.dag_run_id": "asset__1", "airflow.task_id": "fit",
        "airflow.map_index": str(task_index),
    } if task_index is not None else {}  # fmt: skip
    return {"feast.project": P, **started, **(more or {})}


SERVED = {"feast.feature_service": "flight_delay", "feast.feature_refs": "hourly_weather:temp"}

FACTS: dict[Ref, dict[str, Any]] = {
    refs.project(P): {"registry_version": 3},
    SOURCE: {"uri": "data/weather.csv"},
    ENTITY: {"dtype": "string"},
    VIEW: {"schedule": "@hourly", "dag_id": WEATHER.name, "last_written": "2026-11-21T13:48:00Z"},
    ORPHAN: {"description": "No pipeline."},
    TEMP: {"dtype": "float64"},
    FREEZING: {"dtype": "bool"},
    GATE: {"on_demand": True, "request": ["scheduled_departure"]},
    FIRST: {"dtype": "bool", "on_demand": True, "inputs": ["scheduled_departure"]},
    COLD: {"dtype": "bool", "on_demand": True, "inputs": ["first_wave", "hourly_weather.temp"]},
    WISH: {"name": "crew on duty", "status": "open", "votes": [{"by": "ada", "why": "Crews run out of hours."}]},
    UNUSED: {"dtype": "float64"},
    SERVICE: {"features": ["hourly_weather.temp"]},
    WEATHER: {"schedule": "@hourly"},
    TRAIN: {"schedule": "Asset"},
    VIEW_ASSET: {"id": 1, "written_by": {"at": "2026-11-21T13:48:00Z", "dag_id": WEATHER.name}},
    MODEL_ASSET: {"id": 2, "written_by": {"at": "2026-11-21T13:55:00Z", "dag_id": "train",
                                          "extra": {"mlflow.run_id": "bbb", "mlflow.model_name": "flight-delay"}}},
    WEATHER_RUN: {"state": "success", "start": "2026-11-21T13:47:00Z", "end": "2026-11-21T13:48:00Z",
                  "interval_start": "2026-11-21T12:00:00Z", "interval_end": "2026-11-21T13:00:00Z"},
    TRAIN_RUN: {"state": "running", "start": "2026-11-21T13:50:00Z"},
    FIT_0: {"state": "success"},
    FIT_1: {"state": "success"},
    EXPERIMENT: {"name": "flight-delay"},
    LOGISTIC: {"name": "logistic", "start": "2026-11-21T13:51:00+00:00", "experiment_id": "1", "metrics": {"auc": 0.7},
               "tags": run_tags(0, SERVED)},
    TREES: {"name": "trees", "start": "2026-11-21T13:52:00+00:00", "experiment_id": "1", "metrics": {"auc": 0.74},
            "tags": run_tags(1, SERVED)},
    LOOSE: {"name": "loose", "start": "2026-11-21T14:30:00+00:00", "experiment_id": "1",
            "tags": run_tags(None, {"feast.feature_refs": "hourly_weather:is_freezing"})},
    MODEL: {"aliases": {"champion": "1"}},
    V1: {"created": "2026-11-21T13:52:30+00:00", "run_id": "bbb", "model_id": "m-1"},
    V2: {"created": "2026-11-21T13:53:00+00:00", "run_id": "aaa"},
    LOGGED: {"name": "model", "experiment_id": "1"},
}  # fmt: skip

OWN: list[tuple[Ref, Ref, Relation]] = [
    (SOURCE, VIEW, Relation.FEEDS),
    (ENTITY, VIEW, Relation.KEYS),
    (VIEW, TEMP, Relation.CONTAINS),
    (VIEW, FREEZING, Relation.CONTAINS),
    (VIEW, UNUSED, Relation.CONTAINS),
    (TEMP, FREEZING, Relation.FEEDS),
    (TEMP, SERVICE, Relation.FEEDS),
    (VIEW, GATE, Relation.FEEDS),
    (GATE, FIRST, Relation.CONTAINS),
    (GATE, COLD, Relation.CONTAINS),
    (FIRST, COLD, Relation.FEEDS),
    (TEMP, COLD, Relation.FEEDS),
    (COLD, SERVICE, Relation.FEEDS),
    (WEATHER, VIEW_ASSET, Relation.PRODUCES),
    (VIEW_ASSET, TRAIN, Relation.TRIGGERS),
    (TRAIN, MODEL_ASSET, Relation.PRODUCES),
    (EXPERIMENT, LOGISTIC, Relation.CONTAINS),
    (EXPERIMENT, TREES, Relation.CONTAINS),
    (EXPERIMENT, LOOSE, Relation.CONTAINS),
    (TREES, V1, Relation.LOGGED),
    (LOGISTIC, V2, Relation.LOGGED),
    (TREES, LOGGED, Relation.LOGGED),
    (V1, MODEL, Relation.VERSION_OF),
    (V2, MODEL, Relation.VERSION_OF),
]


def nodes(*, gone: tuple[Ref, ...] = ()) -> dict[Ref, Node]:
    at = datetime(2026, 11, 21, 15, tzinfo=UTC)
    return {r: Node(r, f, at if r in gone else None) for r, f in FACTS.items()}


def edges() -> list[Edge]:
    return [Edge(up, down, relation, Evidence.DECLARED) for up, down, relation in OWN]


def graph(*, gone: tuple[Ref, ...] = ()) -> Graph:
    return graph_of(nodes(gone=gone).values(), edges())
