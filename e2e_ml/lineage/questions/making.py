"""What makes a thing: its DAG, and what a thing on demand is computed from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from e2e_ml.lineage.graph import Edge, Graph, Relation
from e2e_ml.lineage.questions.using import STRENGTH, runs_that_use
from e2e_ml.refs import FEAST, Kind, Ref

_FEW = 20  # runs that are asked for the DAG that started them


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
            return first(pipeline(graph, view) for view in views_read(graph, ref))
        case Kind.FEATURE:
            return pipeline(graph, ref.parent) if ref.parent else None
        case Kind.FEATURE_VIEW if is_on_demand(graph, ref):
            return first(pipeline(graph, view) for view in views_read(graph, ref))
        case Kind.FEATURE_VIEW if ref.scheme == FEAST:  # it is its source, which Feast reads and does not fill
            return best_up(graph, ref, Relation.PRODUCES) or first(
                best_up(graph, e.upstream, Relation.PRODUCES)
                for e in graph.upstream(ref)
                if e.relation is Relation.FEEDS and e.upstream.kind is Kind.SOURCE
            )
        case Kind.FEATURE_VIEW | Kind.ASSET:
            return best_up(graph, ref, Relation.PRODUCES)
        case Kind.RUN:
            return best_up(graph, ref, Relation.STARTED)
        case Kind.COLUMN if ref.parent is not None:
            return pipeline(graph, ref.parent)
        case Kind.SOURCE | Kind.ENTITY | Kind.DATASET:
            return best_up(graph, ref, Relation.PRODUCES) or first(
                pipeline(graph, view) for view in graph.flow(ref, down=True, depth=2).refs(Kind.FEATURE_VIEW)
            )
        case Kind.REGISTERED_MODEL:
            return best_up(graph, ref, Relation.PRODUCES) or first(
                pipeline(graph, run) for run in runs_that_use(graph, ref, _FEW)
            )
        case Kind.FEATURE_SERVICE:
            trained = first(pipeline(graph, run) for run in runs_that_use(graph, ref, _FEW))
            return trained or first(pipeline(graph, e.upstream) for e in graph.upstream(ref))
        case _:
            return first(pipeline(graph, run) for run in runs_that_use(graph, ref, _FEW))


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
            if view is not None and view.kind is Kind.FEATURE_VIEW:  # Feast has the request as a source
                found[view] = None
            continue
        for edge in graph.upstream(here):
            if edge.relation is Relation.FEEDS and edge.upstream not in seen:
                seen.add(edge.upstream)
                waiting.append(edge.upstream)
    return list(found)


def dag_of(ref: Ref) -> Ref | None:
    """The DAG that a task, a DAG run or a task instance belongs to."""
    here: Ref | None = ref
    while here is not None and here.kind is not Kind.DAG:
        here = here.parent
    return here


def best_up(graph: Graph, ref: Ref, relation: Relation) -> Ref | None:
    """The DAG upstream by `relation`, best evidence first; one that is gone comes last."""
    edges = [e for e in graph.upstream(ref) if e.relation is relation and e.upstream.kind is Kind.DAG]

    def rank(edge: Edge) -> tuple[bool, int, float, Ref]:
        node = graph.get(edge.upstream)
        return (node is not None and node.gone_since is not None, -STRENGTH[edge.evidence], -edge.score, edge.upstream)

    if len(edges) < 2:
        return edges[0].upstream if edges else None
    return min(edges, key=rank).upstream


def first(refs: Iterable[Ref | None]) -> Ref | None:
    return next((ref for ref in refs if ref is not None), None)
