"""The rules that tie services to one another: pure functions from nodes to edges, strongest evidence first.

Implemented: explicit keys (tags, definitions, asset events) and equal URIs. Columns, constants in a DAG's source and
times are weaker rules for projects that were never prepared; they will give `Evidence.INFERRED` with a score.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Kind, Ref

Nodes = Mapping[Ref, Node]
Rule = Callable[[Nodes], Iterator[Edge]]

_STRENGTH = {Evidence.DECLARED: 2, Evidence.OBSERVED: 1, Evidence.INFERRED: 0}


def link(nodes: Nodes) -> list[Edge]:
    """Every edge between services that the facts of `nodes` give, one for each pair of ends and relation."""
    return strongest(edge for rule in RULES for edge in rule(nodes))


def strongest(edges: Iterator[Edge]) -> list[Edge]:
    """Of edges that say the same the one with the best evidence; the first among equals."""
    best: dict[tuple[Ref, Ref, Relation], Edge] = {}
    for edge in edges:
        key = (edge.upstream, edge.downstream, edge.relation)
        kept = best.get(key)
        if kept is None or (_STRENGTH[edge.evidence], edge.score) > (_STRENGTH[kept.evidence], kept.score):
            best[key] = edge
    return list(best.values())


def normal_uri(uri: str) -> str:
    """A URI as two services would agree on it: `s3a` is `s3`, a path is `file://`, no trailing or double slash.

    Symbolic links are not followed: the path may lie on another machine.
    """
    parts = urlsplit(uri)
    scheme = {"s3a": "s3", "s3n": "s3", "": "file"}.get(parts.scheme, parts.scheme)
    path = posixpath.normpath(f"/{parts.path}").strip("/")
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{parts.netloc}/{path}{query}".rstrip("/")


# --- Airflow -> feature store ----------------------------------------------------------------------------------------


def dags_of_views(nodes: Nodes) -> Iterator[Edge]:
    """A view names its DAG: the one that festaf makes of its schedule, or the one in `produced_by`."""
    dags = _by_key(nodes, Kind.DAG)
    for view in _of(nodes, Kind.FEATURE_VIEW):
        dag_id = view.facts.get("dag_id")
        made = "the view's produced_by" if view.facts.get("task_id") else "festaf makes this DAG of the view's schedule"
        for dag in dags.get(str(dag_id), ()):
            yield Edge(dag, view.ref, Relation.PRODUCES, Evidence.DECLARED, made)


def assets_of_views(nodes: Nodes) -> Iterator[Edge]:
    """An asset whose URI is a view's own: it stands for the view, and who makes the asset makes the view."""
    views = {normal_uri(str(view.ref)): view.ref for view in _of(nodes, Kind.FEATURE_VIEW)}
    for asset in _of(nodes, Kind.ASSET):
        view = views.get(normal_uri(asset.ref.keys[0])) or _by_extra(nodes, asset.facts.get("extra") or {})
        if view is None:
            continue
        yield Edge(asset.ref, view, Relation.STANDS_FOR, Evidence.DECLARED, "the asset names the view")
        if writer := asset.facts.get("written_by"):
            dag = refs.dag(asset.ref.instance, writer["dag_id"])
            yield Edge(dag, view, Relation.PRODUCES, Evidence.OBSERVED, f"wrote the view's asset at {writer['at']}")


def assets_of_sources(nodes: Nodes) -> Iterator[Edge]:
    """An asset whose URI is where a source's rows lie: who writes the asset makes the source."""
    sources: dict[str, list[Ref]] = {}
    for source in _of(nodes, Kind.SOURCE):
        if place := source.facts.get("place"):
            sources.setdefault(normal_uri(place), []).append(source.ref)
    for asset in _of(nodes, Kind.ASSET):
        for source in sources.get(normal_uri(asset.ref.keys[0]), ()):
            yield Edge(asset.ref, source, Relation.STANDS_FOR, Evidence.OBSERVED, "the asset's URI is the source's")
            if writer := asset.facts.get("written_by"):
                dag = refs.dag(asset.ref.instance, writer["dag_id"])
                yield Edge(dag, source, Relation.PRODUCES, Evidence.OBSERVED, f"wrote its file at {writer['at']}")


def _by_extra(nodes: Nodes, extra: Mapping[str, Any]) -> Ref | None:
    project, view = extra.get("project"), extra.get("view")
    ref = refs.feature_view(str(project), str(view)) if project and view else None
    return ref if ref in nodes else None


# --- feature store -> MLflow -----------------------------------------------------------------------------------------


def services_of_runs(nodes: Nodes) -> Iterator[Edge]:
    """The tag `feast.feature_service` of a run."""
    for run in _of(nodes, Kind.RUN):
        for project, service, _ in retrievals(run):
            if service and (ref := refs.feature_service(project, service)) in nodes:
                reason = f"tag {run_tags.FEATURE_SERVICE} of the run"
                yield Edge(ref, run.ref, Relation.TRAINS, Evidence.DECLARED, reason)


def features_of_runs(nodes: Nodes) -> Iterator[Edge]:
    """Features that a run lists and that none of its services holds."""
    for run in _of(nodes, Kind.RUN):
        told = retrievals(run)
        services = [nodes.get(refs.feature_service(project, service)) for project, service, _ in told if service]
        held = {(s.ref.instance, name) for s in services if s for name in s.facts.get("features", ())}
        for project, name in dict.fromkeys((project, name) for project, _, names in told for name in names):
            view, _, feature = name.partition(".")
            if (project, name) in held or not feature or (ref := refs.feature(project, view, feature)) not in nodes:
                continue
            yield Edge(ref, run.ref, Relation.TRAINS, Evidence.DECLARED, f"tag {run_tags.FEATURE_REFS} of the run")


def retrievals(run: Node) -> list[tuple[str, str | None, Sequence[str]]]:
    """What a run says it retrieved: project, feature service, full names of features; several add up."""
    if told := run.facts.get("retrievals"):
        return [(r["project"], r.get("feature_service"), r.get("features", ())) for r in told]
    tags: Mapping[str, str] = run.facts.get("tags", {})
    project = tags.get(run_tags.PROJECT, "").partition(",")[0]
    if not project:
        return []
    names, _ = run_tags.read_feature_refs(tags.get(run_tags.FEATURE_REFS, ""))
    services = [s for s in tags.get(run_tags.FEATURE_SERVICE, "").split(",") if s]
    return [(project, None, names), *((project, service, ()) for service in services)]


def data_of_runs(nodes: Nodes) -> Iterator[Edge]:
    """A run's dataset whose source is the URI of a view or a feature service."""
    known = {
        normal_uri(str(n.ref)): n.ref for n in nodes.values() if n.ref.kind in (Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE)
    }
    for run in _of(nodes, Kind.RUN):
        for data in run.facts.get("inputs", ()):
            if (source := known.get(normal_uri(data.get("source", "")))) is not None:
                reason = f"the run's dataset {data.get('name', '')} comes from it".replace("  ", " ")
                yield Edge(source, run.ref, Relation.TRAINS, Evidence.DECLARED, reason)


# --- Airflow -> MLflow -----------------------------------------------------------------------------------------------


def tasks_of_runs(nodes: Nodes) -> Iterator[Edge]:
    """The tags `airflow.*` of a run: its DAG, and the task instance where the run id is among them."""
    dags = _by_key(nodes, Kind.DAG)
    airflows = sorted({n.ref.instance for n in nodes.values() if n.ref.scheme == "airflow"})
    for run in _of(nodes, Kind.RUN):
        tags: Mapping[str, str] = run.facts.get("tags", {})
        dag_id, task_id, run_id = (tags.get(f"airflow.{key}") for key in ("dag_id", "task_id", "dag_run_id"))
        if not dag_id:
            continue
        # A deleted DAG still has its name; where one Airflow alone is known, it was there.
        known = dags.get(dag_id) or ([refs.dag(airflows[0], dag_id)] if len(airflows) == 1 else [])
        for dag in known:
            yield Edge(dag, run.ref, Relation.STARTED, Evidence.DECLARED, "tag airflow.dag_id of the run")
            if task_id and run_id:
                index = _index(tags.get("airflow.map_index"))
                instance = refs.task_instance(dag.instance, dag_id, run_id, task_id, index)
                reason = "tags airflow.dag_run_id and airflow.task_id of the run"
                yield Edge(instance, run.ref, Relation.STARTED, Evidence.DECLARED, reason)


def _index(text: str | None) -> int:
    try:
        return int(text or -1)
    except ValueError:
        return -1


def models_of_assets(nodes: Nodes) -> Iterator[Edge]:
    """An asset `models:/<name>`: who makes it makes the registered model; its events name the run."""
    models = _by_key(nodes, Kind.REGISTERED_MODEL)
    for asset in _of(nodes, Kind.ASSET):
        uri, writer = asset.ref.keys[0], asset.facts.get("written_by")
        if not uri.startswith("models:/") or writer is None:
            continue
        extra: Mapping[str, Any] = writer.get("extra") or {}
        dag = refs.dag(asset.ref.instance, writer["dag_id"])
        name = str(extra.get("mlflow.model_name") or uri.removeprefix("models:/").strip("/").partition("/")[0])
        for model in models.get(name, ()):
            reason = f"wrote the asset {uri} at {writer['at']}"
            yield Edge(dag, model, Relation.PRODUCES, Evidence.OBSERVED, reason)
            run_id = str(extra.get("mlflow.run_id") or "")
            if run_id and (run := refs.run(model.instance, run_id)) in nodes:
                yield Edge(dag, run, Relation.STARTED, Evidence.OBSERVED, f"mlflow.run_id in an event of {uri}")


RULES: tuple[Rule, ...] = (
    dags_of_views,
    assets_of_views,
    assets_of_sources,
    services_of_runs,
    features_of_runs,
    data_of_runs,
    tasks_of_runs,
    models_of_assets,
)


def _of(nodes: Nodes, kind: Kind) -> Iterator[Node]:
    return (n for n in nodes.values() if n.ref.kind is kind)


def _by_key(nodes: Nodes, kind: Kind) -> dict[str, list[Ref]]:
    """Key -> the things of that kind, one in each instance that has it."""
    found: dict[str, list[Ref]] = {}
    for node in _of(nodes, kind):
        found.setdefault(node.ref.keys[0], []).append(node.ref)
    return found
