"""Explicit keys: somebody, or some program, wrote down what belongs to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys, words
from e2e_ml.lineage.rules.facts import mapping, mappings, moment, pairs, text, texts
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.lineage.rules.places import ending_with, lying_at, near
from e2e_ml.refs import FEATURE_STORES, Kind, Ref

# The tags of a model version that say where it serves.
ENDPOINT_TAGS = ("serving.endpoint", "serving_endpoint", "endpoint")
MODE_TAGS = ("serving.mode", "serving_mode", "mode")


# --- Airflow -> feature store ----------------------------------------------------------------------------------------


def dag_of_view(view: Node, look: Look) -> Iterator[Edge]:
    """A view names its DAG: the one that its store makes of its schedule, or the one in `produced_by` or a tag."""
    if not (dag_id := text(view.facts.get("dag_id"))):
        return
    why = "the view names the task that makes it" if view.facts.get("task_id") else "the view names its DAG"
    for dag in look(keys.named(Kind.DAG, dag_id)):
        yield Edge(dag.ref, view.ref, Relation.PRODUCES, Evidence.DECLARED, why)


def view_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset whose URI is a view's own, or whose extra names one, stands for it: who makes one makes the other."""
    views = [a.ref for a in look(keys.uri(asset.ref.keys[0])) if a.ref.kind is Kind.FEATURE_VIEW]
    named = keys.views_in_extra(mapping(asset.facts.get("extra")))
    views = views or [a.ref for ref in named for a in look(keys.exists(ref))]
    for ref in views:
        yield Edge(asset.ref, ref, Relation.STANDS_FOR, Evidence.DECLARED, "the asset names the view")
        writer = mapping(asset.facts.get("written_by"))
        if dag_id := text(writer.get("dag_id")):
            dag, at = refs.dag(asset.ref.instance, dag_id), moment(writer.get("at"))
            yield Edge(dag, ref, Relation.PRODUCES, Evidence.OBSERVED, "it wrote the view's asset", seen_at=at)


def monitor_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset of the group `monitor`: its extra's `watches` lists what its monitor watches, by name or URI."""
    if asset.facts.get("group") != "monitor":
        return
    monitor = refs.monitor(asset.ref.instance, text(asset.facts.get("name")) or asset.ref.keys[0])
    yield Edge(asset.ref, monitor, Relation.STANDS_FOR, Evidence.DECLARED, "an asset of the group monitor")
    for name in texts(mapping(asset.facts.get("extra")).get("watches")):
        for watched in _watched(name, look):
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
    relation = _relation(run)
    for told in retrievals(run):
        for scheme in FEATURE_STORES if told.service else ():
            for found in look(keys.exists(refs.feature_service(told.project, told.service or "", scheme))):
                reason = f"tag {run_tags.FEATURE_SERVICE} of the run"
                yield Edge(found.ref, run.ref, relation, Evidence.DECLARED, reason)


def features_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """Features that a run lists and that none of its services holds."""
    told, relation = retrievals(run), _relation(run)
    for scheme in FEATURE_STORES:
        services = [refs.feature_service(each.project, each.service, scheme) for each in told if each.service]
        held = {(s.instance, name) for s in services for found in look(keys.listed(s)) for name in texts(found.value)}
        aliases = {a: v for s in services for found in look(keys.aliases_in(s)) for a, v in pairs(found.value).items()}
        named = ((each.project, name) for each in told for name in run_tags.without_aliases(each.features, aliases))
        for project, name in dict.fromkeys(named):
            view, _, feature = name.partition(".")
            if (project, name) in held or not view or not feature:
                continue
            for found in look(keys.exists(refs.feature(project, view, feature, scheme))):
                reason = f"tag {run_tags.FEATURE_REFS} of the run"
                yield Edge(found.ref, run.ref, relation, Evidence.DECLARED, reason)


def retrievals(run: Node) -> list[run_tags.Retrieval]:
    """What a run says it retrieved; several retrievals add up."""
    told = [
        run_tags.Retrieval(project, text(each.get("feature_service")) or None, tuple(texts(each.get("features"))))
        for each in mappings(run.facts.get("retrievals"))
        if (project := text(each.get("project")))
    ]
    return told or list(run_tags.read_retrievals(pairs(run.facts.get("tags")))[0])


def _relation(run: Node) -> Relation:
    """A run that predicts reads its features; others are made of them."""
    return Relation.READ_BY if run_tags.predicts(pairs(run.facts.get("tags"))) else Relation.TRAINS


def names_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """Tags and params of anybody's own choice that name a service, a view or features: `feature_service=drivers`."""
    if retrievals(run):
        return
    tags = {**pairs(run.facts.get("params")), **pairs(run.facts.get("tags"))}
    yield from _named(run, tags, "of the run", look)


def names_of_model(model: Node, look: Look) -> Iterator[Edge]:
    """The same of a model version, a logged model or a registered model; aligned's `feature_refs` are among them."""
    yield from _named(model, pairs(model.facts.get("tags")), f"of the {model.ref.kind}", look)


def _named(node: Node, tags: Mapping[str, str], of: str, look: Look) -> Iterator[Edge]:
    told = words.feature_names(tags)
    for kind, names in ((Kind.FEATURE_SERVICE, told.services), (Kind.FEATURE_VIEW, told.views)):
        for name, tag in names.items():
            yield from _among(look(keys.named(kind, name)), told.project, node, f"{tag} {of}")
    for full, tag in told.features.items():
        view, _, feature = full.partition(".")
        if not view or not feature:
            continue
        views = look(keys.named(Kind.FEATURE_VIEW, view))
        features = [refs.feature(v.ref.instance, view, feature, v.ref.scheme) for v in views]
        yield from _among([a for ref in features for a in look(keys.exists(ref))], told.project, node, f"{tag} {of}")


def _among(found: list[Answer], project: str, node: Node, what: str) -> Iterator[Edge]:
    """One thing of a name is meant; of several the one in the project that is named beside it."""
    if len(found) > 1:
        found = [answer for answer in found if answer.ref.instance == project] or found
    for answer in found:
        if len(found) == 1:
            yield Edge(answer.ref, node.ref, Relation.TRAINS, Evidence.DECLARED, what)
        else:
            reason = f"{what}; {len(found)} projects have one of that name"
            yield Edge(answer.ref, node.ref, Relation.TRAINS, Evidence.INFERRED, reason, round(0.9 / len(found), 3))


def data_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """A run's dataset whose source is where a dataset or a source lies, or is the name of a view or a service."""
    for data in mappings(run.facts.get("inputs")):
        at = text(data.get("source"))
        if not at:
            continue
        found = list(lying_at(at, look))
        # An asset stands for what else lies there.
        known = [each for each in found if each[0].ref.kind is not Kind.ASSET] or found
        what = f"the run's dataset {text(data.get('name'))}".rstrip()
        for answer, how in known:
            evidence = Evidence.OBSERVED if how else Evidence.DECLARED
            reason = f"{what} comes from it{f' {how}' if how else ''}"
            yield Edge(answer.ref, run.ref, Relation.TRAINS, evidence, reason)
        ending = ending_with(at, look)
        for answer in ending:
            reason = f"{what} is at {at}, whose folder is not told, and its place ends like that"
            yield Edge(answer.ref, run.ref, Relation.TRAINS, Evidence.INFERRED, reason, round(0.7 / len(ending), 3))
        for answer in near(at, look) if not known else ():
            reason = f"{what} is a file right in its folder, perhaps a part of it"
            yield Edge(answer.ref, run.ref, Relation.TRAINS, Evidence.INFERRED, reason, 0.6)


# --- Airflow -> MLflow -----------------------------------------------------------------------------------------------


def task_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """The tags `airflow.*` of a run: its DAG, and the task instance where the run id is among them."""
    tags = pairs(run.facts.get("tags"))
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
    if version := text(alias.facts.get("version")):
        ref = refs.model_version(alias.ref.instance, alias.ref.keys[0], version)
        yield Edge(ref, alias.ref, Relation.ALIASED, Evidence.DECLARED, "the alias of the registered model")


def endpoint_of_version(version: Node, look: Look) -> Iterator[Edge]:
    """The tag of a version that names the endpoint which serves it."""
    tags = pairs(version.facts.get("tags"))
    tag = next((name for name in ENDPOINT_TAGS if tags.get(name)), None)
    if tag is None:
        return
    mode = next((tags[name] for name in MODE_TAGS if tags.get(name)), None)
    endpoint = refs.endpoint(version.ref.instance, tags[tag])
    reason = f"tag {tag} of the version" + (f", mode {mode}" if mode else "")
    yield Edge(version.ref, endpoint, Relation.SERVES, Evidence.DECLARED, reason)
