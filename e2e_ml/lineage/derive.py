"""Facts that follow from other nodes: a DAG's last runs, a version's aliases and metrics, a view's DAG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Node, Relation
from e2e_ml.lineage.times import parse, seconds_between
from e2e_ml.refs import Kind, Ref

RECENT = 14  # DAG runs in a DAG's fact `recent`


def derive(nodes: Mapping[Ref, Node], edges: Iterable[Edge]) -> dict[Ref, Node]:
    """`nodes` with the facts that follow from others, laid under the facts they have."""
    derived: dict[Ref, dict[str, Any]] = {}
    by_dag = _runs_by_dag(nodes)
    for dag, runs in by_dag.items():
        derived[dag] = _dag_facts(runs)
    for node in nodes.values():
        if node.ref.kind is Kind.MODEL_VERSION:
            derived[node.ref] = _version_facts(node, nodes)
    for edge in edges:
        if edge.relation is Relation.PRODUCES and edge.downstream.kind is Kind.FEATURE_VIEW:
            facts = derived.setdefault(edge.downstream, {})
            facts.setdefault("dag_id", edge.upstream.keys[0])
            if until := _written_until(by_dag.get(edge.upstream, [])):
                facts["written_until"] = max(until, facts.get("written_until", ""))
    changed = {
        ref: Node(ref, {**facts, **nodes[ref].facts}, nodes[ref].gone_since)
        for ref, facts in derived.items()
        if ref in nodes
    }
    return {**nodes, **changed}


def _runs_by_dag(nodes: Mapping[Ref, Node]) -> dict[Ref, list[Node]]:
    """The runs of each DAG, newest first; a run that has not started counts by when it may."""
    by_dag: dict[Ref, list[Node]] = {}
    for node in nodes.values():
        if node.ref.kind is Kind.DAG_RUN and node.gone_since is None:
            by_dag.setdefault(refs.dag(node.ref.instance, node.ref.keys[0]), []).append(node)
    for runs in by_dag.values():
        runs.sort(key=lambda r: str(r.facts.get("start") or r.facts.get("run_after") or ""), reverse=True)
    return by_dag


def _dag_facts(runs: list[Node]) -> dict[str, Any]:
    recent = [
        {
            "run_id": run.ref.keys[1],
            "state": run.facts.get("state"),
            "start": run.facts.get("start"),
            "end": run.facts.get("end"),
        }
        for run in runs[:RECENT]
    ]
    last = next((run.facts for run in runs if run.facts.get("start")), None)
    if last is None:
        return {"recent": recent}
    facts = {
        "recent": recent,
        "last_run": last["start"],
        "last_state": last.get("state"),
        "last_reason": last.get("reason") if last.get("state") == "failed" else None,
        "last_duration": seconds_between(last["start"], last.get("end")),
        "last_interval_start": last.get("interval_start"),
        "last_interval_end": last.get("interval_end"),
    }
    return {k: v for k, v in facts.items() if v is not None}


def _written_until(runs: list[Node]) -> str | None:
    """The end of the newest data interval whose run succeeded."""
    ends = [parse(run.facts.get("interval_end")) for run in runs if run.facts.get("state") == "success"]
    newest = max((end for end in ends if end), default=None)
    return newest.isoformat() if newest else None


def _version_facts(version: Node, nodes: Mapping[Ref, Node]) -> dict[str, Any]:
    """Aliases stand at the registered model alone; metrics at the run that logged the version."""
    parent, run_id = version.ref.parent, version.facts.get("run_id")
    model = nodes.get(parent) if parent else None
    run = nodes.get(refs.run(version.ref.instance, run_id)) if run_id else None
    aliases: Mapping[str, str] = model.facts.get("aliases", {}) if model else {}
    return {
        "aliases": sorted(alias for alias, number in aliases.items() if number == version.ref.keys[1]),
        "metrics": dict(run.facts.get("metrics", {})) if run else {},
    }
