"""Facts that follow from other things: a DAG's last runs, a version's aliases and metrics, how far a view goes."""

from __future__ import annotations

from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Node
from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.facts import mapping, moment, text
from e2e_ml.lineage.rules.look import Look
from e2e_ml.refs import Kind, Ref

RECENT = 14  # DAG runs in a DAG's fact `recent`


def derive(node: Node, look: Look) -> dict[str, Any]:
    """The facts that follow for `node`; those that its own service tells go before them."""
    match node.ref.kind:
        case Kind.DAG:
            return _dag(node.ref, look)
        case Kind.MODEL_VERSION:
            return _version(node, look)
        case Kind.FEATURE_VIEW:
            return _view(node, look)
        case _:
            return {}


def _dag(dag: Ref, look: Look) -> dict[str, Any]:
    runs = [mapping(run.value) for run in look(keys.runs_of(dag), newest=RECENT)]
    recent = [{k: run.get(k) for k in ("run_id", "state", "start", "end")} for run in runs]
    last = next((run for run in runs if text(run.get("start"))), None)
    if last is None:
        return {"recent": recent} if recent else {}
    facts = {
        "recent": recent,
        "last_run": last["start"],
        "last_state": last.get("state"),
        "last_reason": last.get("reason") if last.get("state") == "failed" else None,
        "last_duration": _seconds(last["start"], last.get("end")),
        "last_interval_start": last.get("interval_start"),
        "last_interval_end": last.get("interval_end"),
    }
    return {k: v for k, v in facts.items() if v is not None}


def _version(version: Node, look: Look) -> dict[str, Any]:
    """Aliases stand at the registered model alone; metrics at the run that logged the version."""
    number, facts = version.ref.keys[1], dict[str, Any]()
    model = refs.registered_model(version.ref.instance, version.ref.keys[0])
    aliases = [a.value for a in look(keys.aliased(model))]
    facts["aliases"] = sorted(
        alias for each in aliases for alias, pointed in mapping(each).items() if pointed == number
    )
    if run_id := text(version.facts.get("run_id")):
        for run in look(keys.measured(refs.run(version.ref.instance, run_id))):
            facts["metrics"] = run.value
    return {"metrics": {}, **facts}


def _view(view: Node, look: Look) -> dict[str, Any]:
    """Its DAG, the declared one first, and the end of the newest interval that one of them wrote."""
    named = text(view.facts.get("dag_id"))
    dags = [a.ref for a in look(keys.named(Kind.DAG, named))] if named else []
    assets = [a for a in look(keys.uri(str(view.ref))) if a.ref.kind is Kind.ASSET]
    writers = [(asset.ref.instance, text(mapping(asset.value).get("dag_id"))) for asset in assets]
    dags += [refs.dag(airflow, dag_id) for airflow, dag_id in writers if dag_id]
    if not dags:
        return {}
    ends = [run.at for dag in dags for run in look(keys.written_by(dag), newest=1)]
    newest = max((end for told in ends if (end := moment(told))), default=None)
    return {"dag_id": dags[0].keys[0], **({"written_until": newest.isoformat()} if newest else {})}


def _seconds(start: Any, end: Any) -> float | None:
    first, last = moment(start), moment(end)
    return (last - first).total_seconds() if first and last else None
