"""What each web view should show beside a thing, and the ids that its pages want."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from e2e_ml import refs, routes
from e2e_ml.lineage.graph import Graph, Relation
from e2e_ml.lineage.questions.making import dag_of, first, pipeline
from e2e_ml.lineage.questions.using import MOST, STRENGTH, newest_first, runs_that_use, uses, versions_of
from e2e_ml.refs import AIRFLOW, FESTAF, MLFLOW, Kind, Ref

T = TypeVar("T")
CHAMPION = "champion"
_FEW = 10  # of the runs that use a thing, those that are looked at: named versions first, then the newest
_VIEW_SIDE = (Kind.FEATURE_SERVICE, Kind.FEATURE_VIEW, Kind.FEATURE)


def counterparts(graph: Graph, ref: Ref) -> dict[str, Ref]:
    """What each service's pages show when a person looks at `ref`: service -> `Ref`.

    Its own service shows it. A feature, view or service turns Airflow to its DAG and MLflow to the champion (else the
    newest version, else the newest run) that uses it; a DAG turns the catalog to what it makes or trains from; a run or
    a version turns Airflow to the DAG run that started it and the catalog to its features; a monitor turns both to what
    it watches. What has no counterpart is
    left out: its view stays where it is.
    """
    found: dict[str, Ref | None]
    match ref.scheme:
        case refs.FESTAF | refs.FEAST | refs.DATASET:
            found = {AIRFLOW: pipeline(graph, ref), MLFLOW: _model_of(graph, ref)}
        case refs.AIRFLOW:
            found = {FESTAF: _features_of_dag(graph, ref), MLFLOW: _model_of(graph, ref)}
        case _:
            found = {AIRFLOW: _origin(graph, ref), FESTAF: _features_of_model(graph, ref)}
    shown = {scheme: other for scheme, other in found.items() if other is not None and other.scheme == scheme}
    return {ref.scheme: ref, **shown}


def lookup(graph: Graph) -> routes.Lookup:
    """The ids that pages want and that no `Ref` carries, each read from the graph's facts when it is asked for."""

    return routes.Lookup(
        assets=_Read(graph, (Kind.ASSET,), AIRFLOW, "id", lambda value: int(str(value))),
        experiments=_Read(graph, (Kind.RUN, Kind.LOGGED_MODEL), MLFLOW, "experiment_id", str),
        monitors=_Read(graph, (Kind.MONITOR,), AIRFLOW, "dag_id", str),
    )


class _Read(Mapping[str, T]):
    """First key of a thing -> one of its facts."""

    def __init__(
        self, graph: Graph, kinds: tuple[Kind, ...], service: str, fact: str, take: Callable[[object], T]
    ) -> None:
        self._graph, self._kinds, self._service, self._fact, self._take = graph, kinds, service, fact, take

    def __getitem__(self, key: str) -> T:
        for instance in self._graph.instances(self._service):
            for kind in self._kinds:
                node = self._graph.get(Ref(kind, instance, (key,)))
                if node is not None and self._fact in node.facts:
                    return self._take(node.facts[self._fact])
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        for kind in self._kinds:
            for node in self._graph.nodes(kind):
                if self._fact in node.facts:
                    yield node.ref.keys[0]

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _model_of(graph: Graph, ref: Ref) -> Ref | None:
    """In MLflow, the one thing that best shows what stands on `ref`."""
    if ref.kind in (Kind.DAG_RUN, Kind.TASK_INSTANCE):
        return first(runs_that_use(graph, ref, _FEW))  # that very run, whatever became of it
    if ref.kind is Kind.PROJECT:
        return None
    if ref.kind is Kind.MONITOR:
        watched = _watched(graph, ref)
        return first(w for w in watched if w.scheme == MLFLOW) or first(_model_of(graph, w) for w in watched)
    made = [e.downstream for e in graph.downstream(ref, MOST) if e.downstream.kind is Kind.REGISTERED_MODEL]
    found = uses(graph, ref, _FEW)
    versions = [v for use in found for v in use.versions] + [v for m in made for v in versions_of(graph, m)]
    champion = first(v.ref for v in versions if CHAMPION in v.facts.get("aliases", ()))
    aliased = first(v.ref for v in versions if v.facts.get("aliases"))
    newest = first(v.ref for v in sorted(versions, key=newest_first, reverse=True))
    return champion or aliased or newest or first(use.run.ref for use in found) or first(made)


def _features_of_dag(graph: Graph, ref: Ref) -> Ref | None:
    """In the catalog: the view that a DAG or an asset is there for, else the features that its runs learn from."""
    if ref.kind is Kind.MONITOR:
        watched = _watched(graph, ref)
        return first(w for w in watched if w.kind in _VIEW_SIDE) or first(_features_of_model(graph, w) for w in watched)
    here = ref if ref.kind is Kind.ASSET else dag_of(ref)
    if here is None:
        return None
    views = sorted(e.downstream for e in graph.downstream(here) if e.downstream.kind is Kind.FEATURE_VIEW)
    if views:
        return views[0]
    runs = runs_that_use(graph, ref, _FEW) or runs_that_use(graph, here, _FEW)
    return first(_features_of_run(graph, run) for run in runs)


def _watched(graph: Graph, monitor: Ref) -> list[Ref]:
    return [e.upstream for e in graph.upstream(monitor) if e.relation is Relation.WATCHED]


def _features_of_model(graph: Graph, ref: Ref) -> Ref | None:
    return first(_features_of_run(graph, run) for run in _runs_behind(graph, ref))


def _features_of_run(graph: Graph, run: Ref) -> Ref | None:
    """Its feature service; else a view or a feature that it learned from."""
    edges = [e for e in graph.upstream(run) if e.relation is Relation.TRAINS and e.upstream.kind in _VIEW_SIDE]
    order = (Kind.FEATURE_SERVICE, Kind.FEATURE_VIEW, Kind.FEATURE)
    edges.sort(key=lambda e: (-STRENGTH[e.evidence], -e.score, order.index(e.upstream.kind), e.upstream))
    return first(e.upstream for e in edges)


def _origin(graph: Graph, ref: Ref) -> Ref | None:
    """In Airflow: the DAG run that started a run or trained a version; for what has many runs, the DAG."""
    if ref.kind in (Kind.REGISTERED_MODEL, Kind.EXPERIMENT):
        return pipeline(graph, ref)
    return first(_dag_run(graph, run) or pipeline(graph, run) for run in _runs_behind(graph, ref))


def _dag_run(graph: Graph, run: Ref) -> Ref | None:
    return first(e.upstream.parent for e in graph.upstream(run) if e.upstream.kind is Kind.TASK_INSTANCE)


def _runs_behind(graph: Graph, ref: Ref) -> Iterator[Ref]:
    """The runs behind something of MLflow; a registered model's champion's first."""
    found = uses(graph, ref, _FEW)
    yield from (use.run.ref for use in found if CHAMPION in use.aliases and ref.kind is Kind.REGISTERED_MODEL)
    yield from (use.run.ref for use in found)
