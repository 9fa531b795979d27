"""Random lifecycles, small enough for their things to meet: what collectors bring, and how it changes until it rests.

Every value is drawn from a pool so small that keys, columns, places and times collide all the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Graph, Node
from e2e_ml.lineage.index import Index
from e2e_ml.refs import FEAST, FESTAF, Kind, Ref

VIEWS, FEATURES, SERVICES = ("weather", "planes"), ("temp", "visib", "wind", "seats"), ("delay", "cancel")
PLACES = (
    "s3://lake/weather", "s3a://lake/weather/", "s3://lake/weather/part-0.parquet", "s3://lake/weather/*.parquet",
    "/srv/data/planes.csv", "data/planes.csv", "festaf://flights/weather", "feast://flights/planes", "models:/delay",
    "lake.public.weather",
)  # fmt: skip
DAGS, TASKS, RUN_IDS = ("train", "score", "festaf.flights.weather"), ("fit", "wait"), ("r1", "r2")
TIMES = tuple(f"2026-11-21T0{hour}:{minute}:00+00:00" for hour in (1, 2) for minute in ("00", "20", "40"))
USERS = ("ada", "airflow", None)
MODELS, EXPERIMENTS, MLFLOW_RUNS = ("delay", "cancel"), ("nightly", "Default"), ("a1", "b2", "c3", "d4")


@dataclass(frozen=True)
class Step:
    """One thing as a collector tells of it once; no facts: it has been deleted."""

    collector: str
    ref: Ref
    facts: dict[str, Any] | None


def some(random: Random, pool: tuple[Any, ...], least: int = 0) -> list[Any]:
    return random.sample(pool, random.randint(least, len(pool)))


def maybe(random: Random, **facts: Any) -> dict[str, Any]:
    """Some of the facts; those that are None are never there."""
    return {name: value for name, value in facts.items() if value is not None and random.random() < 0.7}


def _view(random: Random) -> dict[str, Any]:
    return maybe(
        random, features=list(FEATURES[:3]), entities=["origin"], event_time="observed_at",
        dag_id=random.choice(DAGS), task_id=random.choice(("fit", None)),
    )  # fmt: skip


def _service(random: Random) -> dict[str, Any]:
    names = [f"{random.choice(VIEWS)}.{feature}" for feature in some(random, FEATURES, 1)]
    return {"features": names, **maybe(random, target="seats", target_view="planes")}


def _source(random: Random) -> dict[str, Any]:
    return maybe(random, place=random.choice(PLACES), uri=random.choice(PLACES), columns=list(FEATURES))


def _dataset(random: Random) -> dict[str, Any]:
    return maybe(random, uri=random.choice(PLACES))


def _dag(random: Random) -> dict[str, Any]:
    constants = {
        "uris": some(random, PLACES), "models": some(random, MODELS), "experiments": some(random, EXPERIMENTS),
        "features": some(random, ("weather:temp", "planes:seats", "delay")), "columns": some(random, FEATURES),
    }  # fmt: skip
    tags = some(random, ("ml:train", "ml:batch", "nightly"))
    return maybe(random, constants=constants, tags=tags, file=random.choice(("train.py", "ml/score.py")))


def _task_instance(random: Random) -> dict[str, Any]:
    start, end = sorted(random.choices(TIMES, k=2))
    facts = maybe(random, state=random.choice(("success", "running", "failed")), end=end, user=random.choice(USERS))
    return {"start": start, **facts}


def _dag_run(random: Random) -> dict[str, Any]:
    start, end = sorted(random.sample(TIMES, 2))
    state = random.choice(("success", "failed", "running"))
    return {"start": start, **maybe(random, end=end, state=state, interval_end=end, interval_start=start)}


def _asset(random: Random) -> dict[str, Any]:
    extra = maybe(
        random, project="flights", view=random.choice(VIEWS), watches=["models:/delay"],
        **{"mlflow.run_id": random.choice(MLFLOW_RUNS), "mlflow.model_name": random.choice(MODELS)},
    )  # fmt: skip
    writer = {
        "at": random.choice(TIMES), "dag_id": random.choice(DAGS), "run_id": random.choice(RUN_IDS),
        "task_id": random.choice(TASKS), "map_index": -1, "extra": extra,
    }  # fmt: skip
    dags = {"made_by": random.sample(DAGS, 1), "awaited_by": random.sample(DAGS, 1)}
    return maybe(random, extra=extra, written_by=writer, group=random.choice(("monitor", None)), **dags)


def _run(random: Random) -> dict[str, Any]:
    start, end = sorted(random.choices(TIMES, k=2))
    tags = maybe(
        random, **{
            "airflow.dag_id": random.choice((*DAGS, None, None)), "airflow.dag_run_id": random.choice(RUN_IDS),
            "airflow.task_id": random.choice(TASKS), "feast.project": random.choice(("flights", None)),
            "feast.feature_service": random.choice((*SERVICES, None)),
            "feast.feature_refs": random.choice(("weather:temp,planes:seats", None)),
            "feature_refs": random.choice(("feature_view:weather:wind", None)),
            "mlflow.source.name": random.choice(("/srv/dags/ml/score.py", "/usr/bin/airflow", "train.py", None)),
        },
    )  # fmt: skip
    data = {
        "name": "train", "context": random.choice(("training", "eval")), "source": random.choice(PLACES),
        "columns": [*some(random, (*FEATURES, "weather__temp", "planes__seats")), "origin", "label"],
    }  # fmt: skip
    return {"start": start, **maybe(
        random, end=end, user=random.choice(USERS), tags=tags, experiment=random.choice(EXPERIMENTS), inputs=[data],
        metrics={"auc": random.choice((0.5, 0.9))}, params={"feature_service": random.choice(SERVICES)},
    )}  # fmt: skip


def _version(random: Random) -> dict[str, Any]:
    columns = some(random, FEATURES)
    tags = maybe(random, feature_service=random.choice(SERVICES), endpoint="scoring")
    return maybe(random, run_id=random.choice(MLFLOW_RUNS), columns=columns, tags=tags, version="1")


def _model(random: Random) -> dict[str, Any]:
    return maybe(random, aliases={"champion": random.choice("12")})


def _task(random: Random) -> dict[str, Any]:
    return {"operator": random.choice(("PythonOperator", "S3KeySensor"))}


def _nothing(random: Random) -> dict[str, Any]:
    return {}


def _things() -> list[tuple[str, Ref, Callable[[Random], dict[str, Any]]]]:
    found: list[tuple[str, Ref, Callable[[Random], dict[str, Any]]]] = []
    for scheme in (FESTAF, FEAST):
        store = f"{scheme}:flights"
        for view in VIEWS:
            found.append((store, refs.feature_view("flights", view, scheme), _view))
            found += [(store, refs.feature("flights", view, f, scheme), _nothing) for f in FEATURES[:3]]
        found += [(store, refs.feature_service("flights", service, scheme), _service) for service in SERVICES]
        found.append((store, refs.source("flights", "raw", scheme), _source))
    for airflow in ("local", "other"):
        name = f"airflow:{airflow}"
        for dag in DAGS:
            found.append((name, refs.dag(airflow, dag), _dag))
            found += [(name, refs.task(airflow, dag, task), _task) for task in TASKS]
            for run in RUN_IDS:
                found.append((name, refs.dag_run(airflow, dag, run), _dag_run))
                found += [(name, refs.task_instance(airflow, dag, run, task), _task_instance) for task in TASKS]
        found += [(name, refs.asset(airflow, place), _asset) for place in PLACES]
    found += [("mlflow:lab", refs.run("lab", run), _run) for run in MLFLOW_RUNS]
    found += [("mlflow:lab", refs.registered_model("lab", model), _model) for model in MODELS]
    found += [("mlflow:lab", refs.model_version("lab", m, v), _version) for m in MODELS for v in (1, 2)]
    found += [("mlflow:lab", refs.logged_model("lab", f"m-{n}"), _version) for n in (1, 2)]
    found.append(("openlineage:lab", refs.dataset("s3://lake", "weather"), _dataset))
    return found


THINGS = _things()
# Not deleted here: see test_order.test_a_deleted_thing_is_not_held_by_what_was_only_mentioned.
CONTAINERS = (Kind.DAG, Kind.DAG_RUN, Kind.FEATURE_VIEW, Kind.SOURCE, Kind.REGISTERED_MODEL)


def history(random: Random) -> list[list[Step]]:
    """The steps of each thing in their order: told once or more often, perhaps deleted in the end."""
    steps: list[list[Step]] = []
    for collector, ref, facts in random.sample(THINGS, random.randint(5, len(THINGS))):
        told = [Step(collector, ref, facts(random)) for _ in range(random.choice((1, 1, 1, 2, 3)))]
        if random.random() < 0.1 and ref.kind not in CONTAINERS:
            told.append(Step(collector, ref, None))
            if random.random() < 0.3:
                told.append(Step(collector, ref, facts(random)))
        steps.append(told)
    return steps


def at_once(steps: list[list[Step]]) -> Index:
    """Everything as it is in the end, in one batch a collector; then what is deleted."""
    index = Index(None)
    for collector in sorted({s.collector for told in steps for s in told}):
        mine = [told for told in steps if told[0].collector == collector]
        last = [next(s for s in reversed(told) if s.facts is not None) for told in mine]
        index.upsert(collector, Batch(tuple(Record(Node(s.ref, s.facts or {})) for s in last)))
    for told in steps:
        if told[-1].facts is None:
            index.upsert(told[-1].collector, Batch(gone=(told[-1].ref,)))
    return index


def step_by_step(steps: list[list[Step]], random: Random) -> Index:
    """The same in any order that keeps each thing's own, in batches of any size."""
    index, waiting = Index(None), [list(told) for told in steps]
    while waiting:
        collector = random.choice(waiting)[0].collector
        mine = [told for told in waiting if told[0].collector == collector]
        taken = [told.pop(0) for told in random.sample(mine, random.randint(1, min(len(mine), 12)))]
        records = tuple(Record(Node(s.ref, s.facts)) for s in taken if s.facts is not None)
        index.upsert(collector, Batch(records, gone=tuple(s.ref for s in taken if s.facts is None)))
        waiting = [told for told in waiting if told]
    return index


def said(edge: Edge) -> tuple[Any, ...]:
    """Of two that say the same as surely the newer one's words are shown: they are a matter of when."""
    return edge.upstream, edge.downstream, edge.relation, edge.evidence, edge.score


def shown(graph: Graph) -> tuple[set[Any], set[Any], dict[Ref, Any]]:
    """Edges, candidates, and the facts and the marks of things; not when anything was seen."""
    edges = {said(e) for ref in graph.refs() for e in graph.downstream(ref)}
    candidates = {said(e) for ref in graph.refs() for e in graph.candidates(ref)}
    facts = {node.ref: (dict(node.facts), node.gone_since is None) for node in graph.nodes()}
    return edges, candidates, facts
