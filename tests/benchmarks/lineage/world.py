"""A synthetic lifecycle of any size, as the collectors would bring it: seeded, so that every run asks the same.

The full one has 10,000 features in 500 views, 1,000 DAGs, 100,000 training runs and 5,000 model versions; with their
DAG runs and task instances that is about 375,000 things and a million edges.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Ref

P, A, M = "shop", "prod", "lab"
T0 = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Size:
    views: int = 500
    features: int = 20  # of each view
    sources: int = 18
    trainings: int = 500  # DAGs that train, each with a service and a registered model of its own
    runs: int = 200  # of each training
    versions: int = 10  # of each model
    loads: int = 100  # DAG runs of each view's DAG


FULL = Size()
SMALL = Size(views=10, sources=2, trainings=10, runs=10, versions=2, loads=4)


def visits(size: Size) -> Iterator[tuple[str, Batch]]:
    """What the collectors bring, page by page."""
    yield f"festaf:{P}", Batch(tuple(_store(size)))
    yield from _pages(f"airflow:{A}", _airflow(size))
    yield from _pages(f"mlflow:{M}", _mlflow(size))


def news(size: Size, count: int, round_: int) -> Iterator[tuple[str, Batch]]:
    """`count` training runs more than the world has, in their DAG runs."""
    draw = random.Random(round_)  # noqa: S311 - the same each time
    first = size.runs + round_ * count
    airflow: list[Record] = []
    mlflow: list[Record] = []
    for i in range(count):
        training = draw.randrange(size.trainings)
        airflow += _training_run(training, first + i)
        mlflow.append(_run(size, training, first + i))
    yield f"airflow:{A}", Batch(tuple(airflow))
    yield f"mlflow:{M}", Batch(tuple(mlflow))


def _pages(collector: str, records: Iterator[Record]) -> Iterator[tuple[str, Batch]]:
    page: list[Record] = []
    for record in records:
        page.append(record)
        if len(page) == PAGE:
            yield collector, Batch(tuple(page))
            page = []
    yield collector, Batch(tuple(page))


# --- the feature store ---


def view_name(view: int) -> str:
    return f"view_{view:04d}"


def feature_name(feature: int) -> str:
    return f"feature_{feature:02d}"


def load_dag(view: int) -> Ref:
    return refs.dag(A, f"festaf.{P}.{view_name(view)}")


def train_dag(training: int) -> Ref:
    return refs.dag(A, f"train_{training:04d}")


def service(training: int) -> Ref:
    return refs.feature_service(P, f"service_{training:04d}")


def feature_view(view: int) -> Ref:
    return refs.feature_view(P, view_name(view))


def feature(view: int, feature: int) -> Ref:
    return refs.feature(P, view_name(view), feature_name(feature))


def version(training: int, number: int) -> Ref:
    return refs.model_version(M, model(training).name, number)


def source(size: Size, view: int) -> Ref:
    return refs.source(P, f"source_{view % size.sources:03d}")


def features_of(size: Size, training: int) -> list[str]:
    """What a training learns from: 40 features of eight views."""
    draw = random.Random(training)  # noqa: S311 - the same each time
    views = draw.sample(range(size.views), min(8, size.views))
    return [f"{view_name(v)}.{feature_name(f)}" for v in views for f in draw.sample(range(size.features), 5)]


def _store(size: Size) -> Iterator[Record]:
    yield Record(Node(refs.project(P), {"registry_version": 7}))
    for i in range(size.sources):
        yield Record(Node(refs.source(P, f"source_{i:03d}"), {"uri": f"s3://lake/{i}", "place": f"s3://lake/{i}"}))
    for v in range(size.views):
        ref = refs.feature_view(P, view_name(v))
        entity = refs.entity(P, f"entity_{v % 50}")
        facts = {
            "description": f"What is known of the things of view {v}.",
            "owner": f"team-{v % 40}",
            "owner_email": f"team-{v % 40}@example.com",
            "purpose": "It explains why.",
            "schedule": "@hourly",
            "dag_id": load_dag(v).name,
            "features": [feature_name(f) for f in range(size.features)],
            "entities": [entity.name],
        }
        yield Record(Node(ref, facts), (_edge(source(size, v), ref, Relation.FEEDS), _edge(entity, ref, Relation.KEYS)))
        for f in range(size.features):
            yield _feature(ref, v, f, facts)
    for t in range(size.trainings):
        names = features_of(size, t)
        fed = [refs.feature(P, *name.split(".")) for name in names]
        facts = {"features": names, "owner": f"team-{t % 40}", "owner_email": f"team-{t % 40}@example.com"}
        yield Record(Node(service(t), facts), tuple(_edge(f, service(t), Relation.FEEDS) for f in fed))


def _feature(view: Ref, v: int, f: int, shared: dict[str, Any]) -> Record:
    ref = refs.feature(P, view.name, feature_name(f))
    edges = [_edge(view, ref, Relation.CONTAINS)]
    if f % 4 == 3:  # made of its neighbours
        edges += [_edge(refs.feature(P, view.name, feature_name(o)), ref, Relation.FEEDS) for o in (f - 1, f - 2)]
    facts = {k: shared[k] for k in ("owner", "owner_email", "purpose", "schedule")}
    return Record(Node(ref, {**facts, "dtype": "float64", "description": f"Value {f} of view {v}."}), tuple(edges))


# --- Airflow ---


def _airflow(size: Size) -> Iterator[Record]:
    for v in range(size.views):
        dag = load_dag(v)
        yield Record(Node(dag, {"owner": "festaf", "tags": ["ml:feature"], "schedule": "@hourly"}))
        asset = refs.asset(A, f"festaf://{P}/{view_name(v)}")
        writer = {"at": "2026-01-05T00:00:00Z", "dag_id": dag.name, "task_id": "write"}
        facts = {"id": v, "written_by": writer}
        yield Record(Node(asset, facts), (_edge(dag, asset, Relation.PRODUCES),))
    for t in range(size.trainings):
        dag = train_dag(t)
        yield Record(Node(dag, {"owner": f"team-{t % 40}", "tags": ["ml:train"], "schedule": "@daily"}))
        task = refs.task(A, dag.name, "fit")
        yield Record(Node(task, {"operator": "PythonOperator"}), (_edge(dag, task, Relation.CONTAINS),))
    for n in range(size.loads):
        for v in range(size.views):
            start = T0 + timedelta(hours=n)
            yield _dag_run(load_dag(v), f"scheduled__{n:05d}", start)
    for t in range(size.trainings):
        for n in range(size.runs):
            yield from _training_run(t, n)


def _training_run(training: int, n: int) -> Iterator[Record]:
    dag, start = train_dag(training), T0 + timedelta(hours=n)
    yield _dag_run(dag, f"scheduled__{n:05d}", start)
    instance = refs.task_instance(A, dag.name, f"scheduled__{n:05d}", "fit")
    facts = {"state": "success", "start": start.isoformat(), "end": (start + timedelta(minutes=9)).isoformat()}
    yield Record(Node(instance, {**facts, "try_number": 1, "user": "airflow"}))


def _dag_run(dag: Ref, run_id: str, start: datetime) -> Record:
    end = start + timedelta(minutes=10)
    facts = {
        "state": "success",
        "start": start.isoformat(),
        "end": end.isoformat(),
        "interval_start": (start - timedelta(hours=1)).isoformat(),
        "interval_end": start.isoformat(),
        "run_type": "scheduled",
    }
    return Record(Node(refs.dag_run(A, dag.name, run_id), facts))


# --- MLflow ---


def run_ref(training: int, n: int) -> Ref:
    return refs.run(M, f"{training:08x}{n:024x}")


def model(training: int) -> Ref:
    return refs.registered_model(M, f"model_{training:04d}")


def _mlflow(size: Size) -> Iterator[Record]:
    for t in range(size.trainings):
        yield Record(Node(refs.experiment(M, str(t)), {"name": f"experiment {t}"}))
    for t in range(size.trainings):
        for n in range(size.runs):
            yield _run(size, t, n)
        yield Record(Node(model(t), {"aliases": {"champion": "1"}}))
        alias = refs.alias(M, model(t).name, "champion")
        yield Record(Node(alias, {"version": "1"}))
        for v in range(1, size.versions + 1):
            run = run_ref(t, v)
            ref = refs.model_version(M, model(t).name, v)
            tags = {"serving.endpoint": f"predict-{t}", "serving.mode": "live"} if v == 1 else {}
            facts = {"version": str(v), "created": T0.isoformat(), "run_id": run.name, "tags": tags}
            edges = (_edge(ref, model(t), Relation.VERSION_OF), _edge(run, ref, Relation.LOGGED))
            yield Record(Node(ref, facts), edges)


def _run(size: Size, training: int, n: int) -> Record:
    ref, start = run_ref(training, n), T0 + timedelta(hours=n, minutes=1)
    names = features_of(size, training)
    tags = {
        "airflow.dag_id": train_dag(training).name,
        "airflow.task_id": "fit",
        "airflow.dag_run_id": f"scheduled__{n:05d}",
        "airflow.map_index": "-1",
        "airflow.try_number": "1",
        "feast.project": P,
    }
    # Half of them name their service; the others list a part of its features.
    if n % 2:
        tags["feast.feature_service"] = service(training).name
    else:
        tags["feast.feature_refs"] = ",".join(name.replace(".", ":") for name in names[:12])
    facts = {
        "name": f"run-{n}",
        "status": "FINISHED",
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=5)).isoformat(),
        "user": "airflow",
        "experiment_id": str(training),
        "metrics": {"auc": 0.7 + n / 10_000},
        "tags": tags,
    }
    return Record(Node(ref, facts), (_edge(refs.experiment(M, str(training)), ref, Relation.CONTAINS),))


def _edge(up: Ref, down: Ref, relation: Relation) -> Edge:
    return Edge(up, down, relation, Evidence.DECLARED, "as it was told", seen_at=T0)
