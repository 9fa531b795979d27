"""What hangs loose: features that no model uses, models with features that nothing makes, DAGs that nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from e2e_ml.lineage.graph import Graph, Relation
from e2e_ml.lineage.questions.making import pipeline
from e2e_ml.refs import FEAST, Kind, Ref

_READERS = (Kind.FEATURE_SERVICE, Kind.RUN, Kind.REGISTERED_MODEL, Kind.MONITOR, Kind.DAG)
_ENOUGH = 100  # things that a DAG makes, of which one that is read will do
_RAW = (Kind.SOURCE, Kind.DATASET)  # what a feature view reads; a view's own DAG makes more than that


@dataclass(frozen=True, slots=True)
class Unmade:
    """A feature view that no pipeline makes, and the models that stand on it all the same."""

    view: Ref
    models: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Orphans:
    unused_features: tuple[Ref, ...]  # no run has learned from them
    unmade_views: tuple[Unmade, ...]
    unread_dags: tuple[Ref, ...]  # what they make is read by nothing
    unknown_dags: tuple[Ref, ...]  # nothing is known of what they make


def orphans(graph: Graph) -> Orphans:
    used = graph.reached_from(Kind.RUN, down=False, of=Kind.FEATURE)
    unused = [node.ref for node in graph.nodes(Kind.FEATURE) if node.ref not in used and node.gone_since is None]
    unread: list[Ref] = []
    unknown: list[Ref] = []
    for node in graph.nodes(Kind.DAG):
        if node.gone_since is not None:
            continue
        made = list(islice(graph.walk(node.ref, down=True, depth=1, left_out=(Relation.CONTAINS,)), _ENOUGH))
        if not made:
            unknown.append(node.ref)
        elif not any(_is_read(graph, thing) for thing in made):
            unread.append(node.ref)
    return Orphans(tuple(sorted(unused)), tuple(_unmade(graph)), tuple(sorted(unread)), tuple(sorted(unknown)))


def _is_read(graph: Graph, made: Ref) -> bool:
    """Whether something stands on a product of a DAG, or another DAG begins when it is written."""
    if made.kind in (Kind.RUN, Kind.REGISTERED_MODEL, Kind.TASK_INSTANCE):
        return True
    if any(e.relation is Relation.TRIGGERS for e in graph.downstream(made, _ENOUGH)):
        return True
    readers = (*_READERS, Kind.FEATURE_VIEW) if made.kind in _RAW else _READERS
    return not graph.walk(made, down=True).counts().keys().isdisjoint(readers)


def _is_there(graph: Graph, ref: Ref) -> bool:
    node = graph.get(ref)
    return node is not None and node.gone_since is None


def _unmade(graph: Graph) -> list[Unmade]:
    found: list[Unmade] = []
    for node in graph.nodes(Kind.FEATURE_VIEW):
        if node.facts.get("on_demand") or node.gone_since is not None:
            continue
        if any(e.relation is Relation.PRODUCES and _is_there(graph, e.upstream) for e in graph.upstream(node.ref)):
            continue
        if node.ref.scheme == FEAST and (filling := pipeline(graph, node.ref)) and _is_there(graph, filling):
            continue
        models = tuple(sorted(graph.walk(node.ref, down=True).refs(Kind.REGISTERED_MODEL)))
        if models:
            found.append(Unmade(node.ref, models))
    return sorted(found, key=lambda unmade: unmade.view)
