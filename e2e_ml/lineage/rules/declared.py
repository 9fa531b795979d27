"""Explicit keys: somebody, or some program, wrote down what belongs to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.look import Look
from e2e_ml.lineage.times import parse
from e2e_ml.refs import FEATURE_STORES, Kind, Ref

# The tags of a model version that say where it serves.
ENDPOINT_TAGS = ("serving.endpoint", "serving_endpoint", "endpoint")
MODE_TAGS = ("serving.mode", "serving_mode", "mode")


# --- Airflow -> feature store ----------------------------------------------------------------------------------------


def dag_of_view(view: Node, look: Look) -> Iterator[Edge]:
    """A view names its DAG: the one that its store makes of its schedule, or the one in `produced_by` or a tag."""
    if not (dag_id := view.facts.get("dag_id")):
        return
    why = "the view names the task that makes it" if view.facts.get("task_id") else "the view names its DAG"
    for dag in look(keys.named(Kind.DAG, str(dag_id))):
        yield Edge(dag.ref, view.ref, Relation.PRODUCES, Evidence.DECLARED, why)


def view_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset whose URI is a view's own, or whose extra names one, stands for it: who makes one makes the other."""
    views = [a.ref for a in look(keys.uri(asset.ref.keys[0])) if a.ref.kind is Kind.FEATURE_VIEW]
    named = keys.views_in_extra(asset.facts.get("extra") or {})
    views = views or [a.ref for ref in named for a in look(keys.exists(ref))]
    for ref in views:
        yield Edge(asset.ref, ref, Relation.STANDS_FOR, Evidence.DECLARED, "the asset names the view")
        if writer := asset.facts.get("written_by"):
            dag = refs.dag(asset.ref.instance, writer["dag_id"])
            at = parse(writer["at"])
            yield Edge(dag, ref, Relation.PRODUCES, Evidence.OBSERVED, "it wrote the view's asset", seen_at=at)


def monitor_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset of the group `monitor`: its extra's `watches` lists what its monitor watches, by name or URI."""
    if asset.facts.get("group") != "monitor":
        return
    monitor = refs.monitor(asset.ref.instance, str(asset.facts.get("name") or asset.ref.keys[0]))
    yield Edge(asset.ref, monitor, Relation.STANDS_FOR, Evidence.DECLARED, "an asset of the group monitor")
    extra: Mapping[str, Any] = asset.facts.get("extra") or {}
    told = extra.get("watches", ())
    for name in [told] if isinstance(told, str) else list(told):
        for watched in _watched(str(name), look):
            reason = "`watches` in the extra of the monitor's asset"
            yield Edge(watched, monitor, Relation.WATCHED, Evidence.DECLARED, reason)


def _watched(name: str, look: Look) -> list[Ref]:
    if name.startswith("models:/"):
        model = name.removeprefix("models:/").strip("/").partition("/")[0].partition("@")[0]
        return [a.ref for a in look(keys.named(Kind.REGISTERED_MODEL, model))]
    try:
        return [Ref.parse(name)]
    except ValueError:
        return [a.ref for a in look(keys.uri(name))]


# --- feature store -> MLflow -----------------------------------------------------------------------------------------


def services_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """The tag `feast.feature_service` of a run."""
    for project, service, _ in retrievals(run):
        if not service:
            continue
        for scheme in FEATURE_STORES:
            for found in look(keys.exists(refs.feature_service(project, service, scheme))):
                reason = f"tag {run_tags.FEATURE_SERVICE} of the run"
                yield Edge(found.ref, run.ref, Relation.TRAINS, Evidence.DECLARED, reason)


def features_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """Features that a run lists and that none of its services holds."""
    told = retrievals(run)
    for scheme in FEATURE_STORES:
        held = {
            (project, name)
            for project, service, _ in told
            if service
            for found in look(keys.listed(refs.feature_service(project, service, scheme)))
            for name in found.value
        }
        for project, name in dict.fromkeys((project, name) for project, _, names in told for name in names):
            view, _, feature = name.partition(".")
            if (project, name) in held or not view or not feature:
                continue
            for found in look(keys.exists(refs.feature(project, view, feature, scheme))):
                reason = f"tag {run_tags.FEATURE_REFS} of the run"
                yield Edge(found.ref, run.ref, Relation.TRAINS, Evidence.DECLARED, reason)


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


def data_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """A run's dataset whose source is where a dataset or a source lies, or is the name of a view or a service."""
    for data in run.facts.get("inputs", ()):
        if not data.get("source"):
            continue
        for found in look(keys.uri(data["source"])):
            if found.ref.kind is Kind.ASSET:
                continue
            reason = f"the run's dataset {data.get('name', '')} comes from it".replace("  ", " ")
            yield Edge(found.ref, run.ref, Relation.TRAINS, Evidence.DECLARED, reason)


# --- Airflow -> MLflow -----------------------------------------------------------------------------------------------


def task_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """The tags `airflow.*` of a run: its DAG, and the task instance where the run id is among them."""
    tags: Mapping[str, str] = run.facts.get("tags", {})
    dag_id, task_id, run_id = (tags.get(f"airflow.{key}") for key in ("dag_id", "task_id", "dag_run_id"))
    if not dag_id:
        return
    known = [a.ref for a in look(keys.named(Kind.DAG, dag_id))]
    if not known and len(airflows := look.instances("airflow")) == 1:
        known = [refs.dag(airflows[0], dag_id)]  # deleted before it was read; one Airflow alone can have had it
    for dag in known:
        yield Edge(dag, run.ref, Relation.STARTED, Evidence.DECLARED, "tag airflow.dag_id of the run")
        if task_id and run_id:
            index = _index(tags.get("airflow.map_index"))
            instance = refs.task_instance(dag.instance, dag_id, run_id, task_id, index)
            attempt = tags.get("airflow.try_number")
            reason = "tags airflow.dag_run_id and airflow.task_id of the run" + (f", try {attempt}" if attempt else "")
            yield Edge(instance, run.ref, Relation.STARTED, Evidence.DECLARED, reason)


def _index(text: str | None) -> int:
    try:
        return int(text or -1)
    except ValueError:
        return -1


# --- models: what serves them ----------------------------------------------------------------------------------------


def version_of_alias(alias: Node, look: Look) -> Iterator[Edge]:
    """The version that an alias points at now."""
    if version := alias.facts.get("version"):
        ref = refs.model_version(alias.ref.instance, alias.ref.keys[0], version)
        yield Edge(ref, alias.ref, Relation.ALIASED, Evidence.DECLARED, "the alias of the registered model")


def endpoint_of_version(version: Node, look: Look) -> Iterator[Edge]:
    """The tag of a version that names the endpoint which serves it."""
    tags: Mapping[str, str] = version.facts.get("tags", {})
    tag = next((name for name in ENDPOINT_TAGS if tags.get(name)), None)
    if tag is None:
        return
    mode = next((tags[name] for name in MODE_TAGS if tags.get(name)), None)
    endpoint = refs.endpoint(version.ref.instance, tags[tag])
    reason = f"tag {tag} of the version" + (f", mode {mode}" if mode else "")
    yield Edge(version.ref, endpoint, Relation.SERVES, Evidence.DECLARED, reason)
