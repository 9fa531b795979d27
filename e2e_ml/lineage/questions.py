"""What the window asks the graph: who uses a thing, which DAG makes it, how fresh it is, and what each web view should
show beside it. Pure functions of a snapshot; the words for people are the panels' own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from e2e_ml import routes
from e2e_ml.festaf.freshness import Freshness, freshness
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.times import parse
from e2e_ml.refs import Kind, Ref

CHAMPION = "champion"
_STRENGTH = {Evidence.INFERRED: 0, Evidence.OBSERVED: 1, Evidence.DECLARED: 2}
# How data flows. That an asset sets a DAG off says when it runs, not what it is made of.
_FLOW = frozenset(Relation) - {Relation.TRIGGERS}
_VIEW_SIDE = (Kind.FEATURE, Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE, Kind.SOURCE, Kind.ENTITY)


@dataclass(frozen=True, slots=True)
class Use:
    """A training run that stands on a thing, and what was registered of it."""

    run: Node
    versions: tuple[Node, ...]  # newest first
    link: Edge | None  # the strongest edge that ties the run to it; None where the run is the thing itself

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(alias for v in self.versions for alias in v.facts.get("aliases", ())))


def uses(graph: Graph, ref: Ref) -> tuple[Use, ...]:
    """The runs that learned from `ref`, or that made it where it is a model; the newest first."""
    reach = _flow_down(graph, ref)
    found = [
        Use(run, tuple(_versions(graph, run.ref)), _tie(graph, run.ref, reach) if run.ref != ref else None)
        for run in _nodes(graph, _runs(graph, ref, reach), Kind.RUN)
    ]
    return tuple(sorted(found, key=lambda use: _newest(use.run), reverse=True))


def pipeline(graph: Graph, ref: Ref) -> Ref | None:
    """The DAG that makes `ref`: a feature's view's, the one that started a run, the one that trains a model.

    What is computed on demand has the one that makes what it reads first.
    """
    match ref.kind:
        case Kind.DAG:
            return ref
        case Kind.TASK | Kind.DAG_RUN | Kind.TASK_INSTANCE:
            return dag_of(ref)
        case Kind.FEATURE if is_on_demand(graph, ref):
            return _first(pipeline(graph, view) for view in views_read(graph, ref))
        case Kind.FEATURE:
            return pipeline(graph, ref.parent) if ref.parent else None
        case Kind.FEATURE_VIEW if is_on_demand(graph, ref):
            return _first(pipeline(graph, view) for view in views_read(graph, ref))
        case Kind.FEATURE_VIEW | Kind.ASSET:
            return _best_up(graph, ref, Relation.PRODUCES)
        case Kind.RUN:
            return _best_up(graph, ref, Relation.STARTED)
        case Kind.SOURCE | Kind.ENTITY:
            return _best_up(graph, ref, Relation.PRODUCES) or _first(
                pipeline(graph, e.downstream) for e in graph.downstream(ref)
            )
        case Kind.REGISTERED_MODEL:
            return _best_up(graph, ref, Relation.PRODUCES) or _first(
                pipeline(graph, u.run.ref) for u in uses(graph, ref)
            )
        case Kind.FEATURE_SERVICE:
            trained = _first(pipeline(graph, use.run.ref) for use in uses(graph, ref))
            return trained or _first(pipeline(graph, e.upstream) for e in graph.upstream(ref))
        case _:
            return _first(pipeline(graph, use.run.ref) for use in uses(graph, ref))


def is_on_demand(graph: Graph, ref: Ref) -> bool:
    """Whether a view or a feature is computed whenever it is asked for: no pipeline makes it, and nothing stores it."""
    node = graph.get(ref)
    return node is not None and bool(node.facts.get("on_demand"))


def views_read(graph: Graph, ref: Ref) -> list[Ref]:
    """The stored views that a view or feature on demand comes from, in the order in which it names them."""
    found: dict[Ref, None] = {}
    waiting, seen = deque([ref]), {ref}
    while waiting:
        here = waiting.popleft()
        if not is_on_demand(graph, here):
            view = here.parent if here.kind is Kind.FEATURE else here
            if view is not None:
                found[view] = None
            continue
        for edge in graph.upstream(here):
            if edge.relation is Relation.FEEDS and edge.upstream not in seen:
                seen.add(edge.upstream)
                waiting.append(edge.upstream)
    return list(found)


def counterparts(graph: Graph, ref: Ref) -> dict[str, Ref]:
    """What each service's pages show when a person looks at `ref`: service -> `Ref`.

    Its own service shows it. A feature, view or service turns Airflow to its DAG and MLflow to the champion (else the
    newest version, else the newest run) that uses it; a DAG turns the catalog to what it makes or trains from; a run or
    a version turns Airflow to the DAG run that started it and the catalog to its features. What has no counterpart is
    left out: its view stays where it is.
    """
    match ref.scheme:
        case "festaf":
            found = {"airflow": pipeline(graph, ref), "mlflow": _model_of(graph, ref)}
        case "airflow":
            found = {"festaf": _features_of_dag(graph, ref), "mlflow": _model_of(graph, ref)}
        case _:
            found = {"airflow": _origin(graph, ref), "festaf": _features_of_model(graph, ref)}
    return {ref.scheme: ref, **{service: other for service, other in found.items() if other is not None}}


def lookup(graph: Graph) -> routes.Lookup:
    """The ids that pages want and that no `Ref` carries, from the graph's facts."""
    assets = {n.ref.keys[0]: int(n.facts["id"]) for n in graph.nodes(Kind.ASSET) if "id" in n.facts}
    experiments = {
        n.ref.keys[0]: str(n.facts["experiment_id"])
        for kind in (Kind.RUN, Kind.LOGGED_MODEL)
        for n in graph.nodes(kind)
        if "experiment_id" in n.facts
    }
    return routes.Lookup(assets, experiments)


def freshness_of(graph: Graph, ref: Ref, now: datetime) -> Freshness | None:
    """How fresh a view, or a feature's view, is against its schedule; None for other things, for what is
    computed on demand and for an odd schedule."""
    view = graph.get(ref.parent) if ref.kind is Kind.FEATURE and ref.parent else graph.get(ref)
    if view is None or view.ref.kind is not Kind.FEATURE_VIEW or is_on_demand(graph, view.ref):
        return None
    facts = view.facts
    task = facts.get("task_id")
    try:
        return freshness(
            schedule=facts.get("schedule"),
            written_until=parse(facts.get("written_until")),
            last_written=parse(facts.get("last_written")),
            produced_by=f"{facts.get('dag_id')}.{task}" if task else None,
            end=parse(facts.get("end")),
            now=now,
        )
    except ValueError:
        return None


def dag_of(ref: Ref) -> Ref | None:
    """The DAG that a task, a DAG run or a task instance belongs to."""
    here: Ref | None = ref
    while here is not None and here.kind is not Kind.DAG:
        here = here.parent
    return here


# --- uses ------------------------------------------------------------------------------------------------------------


def _runs(graph: Graph, ref: Ref, reach: Iterable[Ref]) -> Iterable[Ref]:
    match ref.kind:
        case Kind.RUN:
            return [ref]
        case Kind.MODEL_VERSION | Kind.LOGGED_MODEL:
            return [e.upstream for e in graph.upstream(ref)]
        case Kind.REGISTERED_MODEL:
            return [e.upstream for v in _versions_of(graph, ref) for e in graph.upstream(v.ref)]
        case Kind.DAG_RUN:
            started = [n.ref for n in graph.nodes(Kind.TASK_INSTANCE) if n.ref.parent == ref]
            return [e.downstream for instance in started for e in graph.downstream(instance)]
        case Kind.TASK:
            mine = [n.ref for n in graph.nodes(Kind.TASK_INSTANCE) if (n.ref.keys[0], n.ref.keys[2]) == ref.keys]
            return [e.downstream for i in mine if i.instance == ref.instance for e in graph.downstream(i)]
        case _:
            return reach


def _flow_down(graph: Graph, start: Ref) -> set[Ref]:
    """`start` and what is made of it; a cycle (predictions that feed features) ends the walk."""
    seen, waiting = {start}, deque([start])
    while waiting:
        for edge in graph.downstream(waiting.popleft()):
            if edge.relation in _FLOW and edge.downstream not in seen:
                seen.add(edge.downstream)
                waiting.append(edge.downstream)
    return seen


def _tie(graph: Graph, run: Ref, reach: set[Ref]) -> Edge | None:
    wanted = (Relation.TRAINS, Relation.STARTED)
    ties = [e for e in graph.upstream(run) if e.relation in wanted and e.upstream in reach]
    return max(ties, key=lambda e: (e.relation is Relation.TRAINS, _STRENGTH[e.evidence], e.score), default=None)


def _versions(graph: Graph, run: Ref) -> list[Node]:
    found = _nodes(graph, (e.downstream for e in graph.downstream(run)), Kind.MODEL_VERSION)
    return sorted(found, key=_newest, reverse=True)


def _versions_of(graph: Graph, model: Ref) -> list[Node]:
    found = _nodes(graph, (e.upstream for e in graph.upstream(model)), Kind.MODEL_VERSION)
    return sorted(found, key=_newest, reverse=True)


# --- counterparts ----------------------------------------------------------------------------------------------------


def _model_of(graph: Graph, ref: Ref) -> Ref | None:
    """In MLflow, the one thing that best shows what stands on `ref`."""
    if ref.kind in (Kind.DAG_RUN, Kind.TASK_INSTANCE):
        return _first(use.run.ref for use in uses(graph, ref))  # that very run, whatever became of it
    if ref.kind is Kind.PROJECT:
        return None
    made = [e.downstream for e in graph.downstream(ref) if e.downstream.kind is Kind.REGISTERED_MODEL]
    found = uses(graph, ref)
    versions = [v for use in found for v in use.versions] + [v for m in made for v in _versions_of(graph, m)]
    champion = _first(v.ref for v in versions if CHAMPION in v.facts.get("aliases", ()))
    aliased = _first(v.ref for v in versions if v.facts.get("aliases"))
    newest = _first(v.ref for v in sorted(versions, key=_newest, reverse=True))
    return champion or aliased or newest or _first(use.run.ref for use in found) or _first(made)


def _features_of_dag(graph: Graph, ref: Ref) -> Ref | None:
    """In the catalog: the view that a DAG or an asset is there for, else the features that its runs learn from."""
    here = ref if ref.kind is Kind.ASSET else dag_of(ref)
    if here is None:
        return None
    views = sorted(e.downstream for e in graph.downstream(here) if e.downstream.kind is Kind.FEATURE_VIEW)
    if views:
        return views[0]
    runs = uses(graph, ref) or uses(graph, here)
    return _first(_features_of_run(graph, use.run.ref) for use in runs)


def _features_of_model(graph: Graph, ref: Ref) -> Ref | None:
    return _first(_features_of_run(graph, run) for run in _runs_behind(graph, ref))


def _features_of_run(graph: Graph, run: Ref) -> Ref | None:
    """Its feature service; else a view or a feature that it learned from."""
    edges = [e for e in graph.upstream(run) if e.relation is Relation.TRAINS and e.upstream.kind in _VIEW_SIDE]
    order = (Kind.FEATURE_SERVICE, Kind.FEATURE_VIEW, Kind.FEATURE)
    edges.sort(key=lambda e: (-_STRENGTH[e.evidence], -e.score, order.index(e.upstream.kind), e.upstream))
    return _first(e.upstream for e in edges)


def _origin(graph: Graph, ref: Ref) -> Ref | None:
    """In Airflow: the DAG run that started a run or trained a version; for what has many runs, the DAG."""
    if ref.kind in (Kind.REGISTERED_MODEL, Kind.EXPERIMENT):
        return pipeline(graph, ref)
    return _first(_dag_run(graph, run) or pipeline(graph, run) for run in _runs_behind(graph, ref))


def _dag_run(graph: Graph, run: Ref) -> Ref | None:
    return _first(e.upstream.parent for e in graph.upstream(run) if e.upstream.kind is Kind.TASK_INSTANCE)


def _runs_behind(graph: Graph, ref: Ref) -> Iterator[Ref]:
    """The runs behind something of MLflow; a registered model's champion's first."""
    found = uses(graph, ref)
    yield from (use.run.ref for use in found if CHAMPION in use.aliases and ref.kind is Kind.REGISTERED_MODEL)
    yield from (use.run.ref for use in found)


# --- small words -----------------------------------------------------------------------------------------------------


def _best_up(graph: Graph, ref: Ref, relation: Relation) -> Ref | None:
    """The DAG upstream by `relation`, best evidence first; one that is gone comes last."""
    edges = [e for e in graph.upstream(ref) if e.relation is relation and e.upstream.kind is Kind.DAG]

    def rank(edge: Edge) -> tuple[bool, int, float, Ref]:
        node = graph.get(edge.upstream)
        return (node is not None and node.gone_since is not None, -_STRENGTH[edge.evidence], -edge.score, edge.upstream)

    return min(edges, key=rank).upstream if edges else None


def _nodes(graph: Graph, refs: Iterable[Ref], kind: Kind) -> list[Node]:
    return [node for ref in dict.fromkeys(refs) if ref.kind is kind and (node := graph.get(ref))]


def _newest(node: Node) -> tuple[str, int, Ref]:
    at = parse(str(node.facts.get("start") or node.facts.get("created") or ""))
    number = node.ref.keys[-1] if node.ref.kind is Kind.MODEL_VERSION else ""
    return (at.isoformat() if at else "", int(number) if number.isdecimal() else 0, node.ref)


def _first(refs: Iterable[Ref | None]) -> Ref | None:
    return next((ref for ref in refs if ref is not None), None)
