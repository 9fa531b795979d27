"""Events and equal URIs: what was seen to read and write the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.facts import mapping, moment, pairs, text
from e2e_ml.lineage.rules.look import Look
from e2e_ml.lineage.rules.places import lying_at
from e2e_ml.refs import Kind, Ref

_RUN_KEYS = ("mlflow.run_id", "mlflow_run_id", "run_id", "mlflow_run")  # in the extra of an asset's event
_MODEL_KEYS = ("mlflow.model_name", "model_name", "registered_model_name", "mlflow_model_name")
_MODEL_URIS = ("mlflow.model_uri", "model_uri", "mlflow_model_uri", "artifact_uri", "run_uri")
_DAG_FOLDERS = ("dags", "dag_bundles")  # where an Airflow has them
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def writer_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """The newest event of an asset: whose task wrote it, also where the task does not have it as an outlet."""
    writer = _writer(asset)
    if dag_id := text(writer.get("dag_id")):
        dag, at = refs.dag(asset.ref.instance, dag_id), moment(writer.get("at"))
        yield Edge(dag, asset.ref, Relation.PRODUCES, Evidence.OBSERVED, "an event of the asset", seen_at=at)


def source_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset whose URI is where a source's rows or a dataset lie: who writes the asset makes them."""
    writer = _writer(asset)
    for found, how in lying_at(asset.ref.keys[0], look):
        if found.ref.kind not in (Kind.SOURCE, Kind.DATASET):
            continue
        what = f"the asset's URI is the {found.ref.kind}'s{f' {how}' if how else ''}"
        yield Edge(asset.ref, found.ref, Relation.STANDS_FOR, Evidence.OBSERVED, what)
        if dag_id := text(writer.get("dag_id")):
            dag, at = refs.dag(asset.ref.instance, dag_id), moment(writer.get("at"))
            yield Edge(dag, found.ref, Relation.PRODUCES, Evidence.OBSERVED, "it wrote the asset there", seen_at=at)


def dataset_of_source(source: Node, look: Look) -> Iterator[Edge]:
    """A dataset that lies where a source's rows do."""
    if place := text(source.facts.get("place")):
        for found, how in lying_at(place, look):
            if found.ref.kind is Kind.DATASET:
                reason = f"the source lies there {how}" if how else "their URIs are equal"
                yield Edge(found.ref, source.ref, Relation.STANDS_FOR, Evidence.OBSERVED, reason)


def model_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset `models:/<name>`, or one whose events name a model: who makes it makes the registered model."""
    uri, writer = asset.ref.keys[0], _writer(asset)
    dag_id, extra = text(writer.get("dag_id")), pairs(writer.get("extra"))
    if not dag_id:
        return
    named = next((extra[key] for key in _MODEL_KEYS if extra.get(key)), "")
    for at in (uri, *(extra[key] for key in _MODEL_URIS if key in extra)):
        if not named and at.startswith("models:/"):
            named = at.removeprefix("models:").strip("/").partition("/")[0].partition("@")[0]
    dag, at = refs.dag(asset.ref.instance, dag_id), moment(writer.get("at"))
    for model in look(keys.named(Kind.REGISTERED_MODEL, named)) if named else ():
        reason = f"it wrote the asset {uri}"
        yield Edge(dag, model.ref, Relation.PRODUCES, Evidence.OBSERVED, reason, seen_at=at)


def run_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset whose events name an MLflow run: the task that wrote it started the run."""
    writer = _writer(asset)
    dag_id, run_id = text(writer.get("dag_id")), _run_in(pairs(writer.get("extra")))
    if not dag_id or not run_id:
        return
    at, started = moment(writer.get("at")), [refs.dag(asset.ref.instance, dag_id)]
    if instance := _task_instance(asset.ref.instance, dag_id, writer):
        started.append(instance)
    for mlflow in look.instances("mlflow"):
        for run in look(keys.exists(refs.run(mlflow, run_id))):
            # A run that names its task was started by that one; another that tells of it has not.
            for up in started if run.value is None else ():
                reason = f"mlflow.run_id in an event of {asset.ref.keys[0]}"
                yield Edge(up, run.ref, Relation.STARTED, Evidence.OBSERVED, reason, seen_at=at)


def _writer(asset: Node) -> Mapping[str, Any]:
    return mapping(asset.facts.get("written_by"))


def _run_in(extra: Mapping[str, str]) -> str:
    """The MLflow run that an event names. A plain `run_id` may be Airflow's own, which has another form."""
    for key in _RUN_KEYS:
        if (run_id := extra.get(key)) and (key.startswith("mlflow") or _RUN_ID.fullmatch(run_id)):
            return run_id
    uris = (extra[key] for key in _MODEL_URIS if extra.get(key, "").startswith("runs:/"))
    return next((uri.removeprefix("runs:").strip("/").partition("/")[0] for uri in uris), "")


def _task_instance(airflow: str, dag_id: str, writer: Mapping[str, Any]) -> Ref | None:
    run_id, task_id, index = (writer.get(key) for key in ("run_id", "task_id", "map_index"))
    if not text(run_id) or not text(task_id):
        return None
    mapped = index if isinstance(index, int) and not isinstance(index, bool) else -1
    return refs.task_instance(airflow, dag_id, text(run_id), text(task_id), mapped)


def dag_of_script(run: Node, look: Look) -> Iterator[Edge]:
    """A run that was started by a DAG's own file, as with `dag.test()`: tag `mlflow.source.name`."""
    script = pairs(run.facts.get("tags")).get("mlflow.source.name", "").replace("\\", "/")
    name = script.rpartition("/")[2]
    if not name.endswith(".py"):
        return
    found = look(keys.in_file(name))
    fitting = [answer for answer in found if f"/{script}".endswith(f"/{text(answer.value)}")]
    longest = max((len(text(answer.value)) for answer in fitting), default=0)
    ours = [answer for answer in fitting if len(text(answer.value)) == longest]
    for answer in ours:
        around = f"/{script}".removesuffix(f"/{text(answer.value)}").split("/")
        if len(ours) == 1 and any(folder in _DAG_FOLDERS for folder in around):
            reason = "tag mlflow.source.name of the run is the DAG's file"
            yield Edge(answer.ref, run.ref, Relation.STARTED, Evidence.OBSERVED, reason)
        else:
            why = f"{len(ours)} DAGs have it" if len(ours) > 1 else "other folders may have one of that name"
            reason = f"tag mlflow.source.name of the run may be the DAG's file; {why}"
            score = round(0.75 / len(ours), 3)
            yield Edge(answer.ref, run.ref, Relation.STARTED, Evidence.INFERRED, reason, score)
