"""What a DAG's source names: models, experiments, places and features. It was read, never run; what it does with them
cannot be told from a name, so that most of it is a candidate, but for models that it registers or loads by calls that
do so. In a file with several DAGs it may be any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys, words
from e2e_ml.lineage.rules.facts import mapping, text, texts
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.lineage.rules.places import lying_at
from e2e_ml.lineage.rules.uris import normal_uri
from e2e_ml.refs import Kind, Ref

SURE, LIKELY, UNSURE = 0.9, 0.85, 0.5
_MOST = 100  # of each kind of constant
_NAMED_BY_MANY = 0.9  # shared among the DAGs or instances that a name may mean
# The work of DAGs that use a model which another one made; some register what they deploy.
_READERS = {"batch": LIKELY, "monitor": LIKELY, "deploy": 0.7}
_MAKERS, _USERS = ("train",), ("train", *_READERS)  # the work of DAGs that make models, and that use data and features
_SCHEMES = ("models:", "runs:", "http:", "https:")


def models_of_dag(dag: Node, look: Look) -> Iterator[Edge]:
    """A registered model that the source names. One that it registers it makes, one that it only loads it reads; else a
    DAG that trains makes it, one that scores or watches reads it."""
    work, constants = keys.work_of(dag), _constants(dag)
    registers, loads = set(texts(constants.get("registers"))), set(texts(constants.get("loads")))
    for name in texts(constants.get("models"))[:_MOST]:
        found = look(keys.named(Kind.REGISTERED_MODEL, name))
        if name in loads - registers:
            most, shared = _most(dag, (work,) if work in _READERS else _USERS, look)
            reason = f"the DAG's source loads the model {name}{shared}"
            yield from _shared(found, dag.ref, Relation.READ_BY, min(SURE, most), reason)
        elif work in _READERS and (name in loads or name not in registers or _beside(dag, look)):
            most, shared = _most(dag, (work,), look)
            reason = f"the DAG's source names the model {name}, and its work is {work}{shared}"
            yield from _shared(found, dag.ref, Relation.READ_BY, min(_READERS[work], most), reason)
        else:
            yield from _made(dag, name, found, name in registers, look)


def _made(dag: Node, name: str, found: list[Answer], registers: bool, look: Look) -> Iterator[Edge]:
    most, shared = _most(dag, _MAKERS, look)
    score, why = _makes(dag.ref, name, keys.work_of(dag), registers, look)
    score, why = (most, shared) if most < score else (score, why)
    reason = f"the DAG's source {'registers' if registers else 'names'} the model {name}{why}"
    if len(found) > 1:
        score, reason = score / len(found), f"{reason}; {len(found)} registries have one"
    for answer in found:
        yield Edge(dag.ref, answer.ref, Relation.PRODUCES, Evidence.INFERRED, reason, round(score, 3))


def _makes(dag: Ref, name: str, work: str, registers: bool, look: Look) -> tuple[float, str]:
    """How likely it is this DAG, of all that name the model, that makes it, and why."""
    others = [answer.value for answer in look(keys.mentioned(Kind.REGISTERED_MODEL, name)) if answer.ref != dag]
    if registers or work == "train":
        trainers, why = others.count("train"), "" if registers else ", and it trains"
        return (SURE, why) if not trainers else (LIKELY, f"{why}, as {trainers} more do")
    if work:
        return UNSURE / 2, f", but its work is {work}"
    if "train" in others:
        return UNSURE, ", and another DAG that trains does"
    return UNSURE, "; whether it makes or loads it, the name does not say"


def experiments_of_dag(dag: Node, look: Look) -> Iterator[Edge]:
    """An experiment that the source names: the DAG's runs are in it, perhaps beside those of others."""
    work = keys.work_of(dag)
    most, shared = _most(dag, _MAKERS, look)
    for name in texts(_constants(dag).get("experiments"))[:_MOST]:
        others = [a for a in look(keys.mentioned(Kind.EXPERIMENT, name)) if a.ref != dag.ref]
        more = f", as {len(others)} more do" if others else ""
        score = min(most, SURE if work == "train" and not others else LIKELY)
        reason = f"the DAG's source names the experiment {name}{shared or more}"
        found = look(keys.named(Kind.EXPERIMENT, name))
        yield from _shared(found, dag.ref, Relation.PRODUCES, score, reason)


def data_of_dag(dag: Node, look: Look) -> Iterator[Edge]:
    """A place that the source names: whether it is read or written there, a constant does not say. Of assets Airflow
    says itself which DAGs of the file make them and wait for them."""
    beside, (most, shared) = _beside(dag, look), _most(dag, _USERS, look)
    own = {answer.ref for answer in look(keys.writes(dag.ref))}
    for at in texts(_constants(dag).get("uris"))[:_MOST]:
        if at.startswith(_SCHEMES) or normal_uri(at).startswith("./"):
            continue
        found = list(lying_at(at, look))
        written = [answer for answer, _ in found if answer.ref.kind is Kind.ASSET]
        if any(answer.ref in own or _names(answer, "made_by", dag) for answer in written):
            continue  # it writes there: the asset says so
        writers = [text(mapping(answer.value).get("dag_id")) for answer in written]
        writers = [dag_id for dag_id in writers if dag_id]
        for answer, how in found:
            reason = f"the DAG's source names {at}{f', which is there {how}' if how else ''}"
            waits = _names(answer, "awaited_by", dag)
            if beside and answer.ref.kind is Kind.ASSET and not waits:
                continue
            if answer.ref.kind in (Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE):
                score, why = LIKELY, ""
            elif writers:
                score, why = LIKELY, f"; {writers[0]} writes it, so that this one reads it"
            else:
                score, why = UNSURE, "; whether it reads or writes there, the name does not say"
            if most < score and not waits:
                score, why = most, shared
            yield Edge(answer.ref, dag.ref, Relation.READ_BY, Evidence.INFERRED, f"{reason}{why}", score)


def features_of_dag(dag: Node, look: Look) -> Iterator[Edge]:
    """Features by Feast's references `view:feature`, and services by name, in the source: the DAG reads them."""
    most, shared = _most(dag, _USERS, look)
    views: dict[str, list[str]] = {}
    for name in texts(_constants(dag).get("features"))[:_MOST]:
        split = next((sign for sign in (":", ".", "__") if sign in name), ":")
        view, _, feature = name.partition(split)
        if feature:
            views.setdefault(view.partition("@")[0], []).append(feature)
        elif found := look(keys.named(Kind.FEATURE_SERVICE, name)):
            reason = f"the DAG's source names the service {name}{shared}"
            yield from _shared(found, dag.ref, Relation.READ_BY, min(LIKELY, most), reason)
    for view, features in views.items():
        found = [
            (answer, known)
            for answer in look(keys.named(Kind.FEATURE_VIEW, view))
            if (known := [f for f in features if look(keys.exists(_feature(answer.ref, f)))])
        ]
        for answer, known in found:
            several = f"{len(known)} features" if len(known) > 1 else f"the feature {known[0]}"
            reason = f"the DAG's source names {several} of {view}{shared}"
            score = min(most, SURE if len(found) == 1 else _NAMED_BY_MANY / len(found))
            reason += f"; {len(found)} projects have it" if len(found) > 1 else ""
            yield Edge(answer.ref, dag.ref, Relation.READ_BY, Evidence.INFERRED, reason, round(score, 3))


# --- files with several DAGs -----------------------------------------------------------------------------------------


def _beside(dag: Node, look: Look) -> list[Ref]:
    """The other DAGs of its file."""
    file = text(dag.facts.get("file")).replace("\\", "/")
    found = look(keys.in_file(file.rpartition("/")[2])) if file else []
    return [a.ref for a in found if a.value == file and a.ref.instance == dag.ref.instance and a.ref != dag.ref]


def _most(dag: Node, works: tuple[str, ...], look: Look) -> tuple[float, str]:
    """The most that an edge of a DAG scores whose file has others, and why: what the source names is that of the one
    whose work it is, by its name or tags; where none or several have such work, nobody can tell."""
    beside = _beside(dag, look)
    others = [ref for ref in beside if words.work_of(ref.keys[0], ()) in works]
    is_its_work = words.work_of(dag.ref.keys[0], texts(dag.facts.get("tags"))) in works
    if not beside or (is_its_work and not others):
        return 1.0, ""
    rivals = len(others) if is_its_work or others else len(beside)
    return UNSURE, f"; it is the source of {rivals} more that may be meant"


def _names(answer: Answer, what: str, dag: Node) -> bool:
    """Whether Airflow names the DAG among those that make an asset or wait for it."""
    return answer.ref.instance == dag.ref.instance and dag.ref.keys[0] in texts(mapping(answer.value).get(what))


def _feature(view: Ref, name: str) -> Ref:
    return refs.feature(view.instance, view.keys[0], name, view.scheme)


def _constants(dag: Node) -> Mapping[str, Any]:
    return mapping(dag.facts.get("constants"))


def _shared(found: list[Answer], dag: Ref, relation: Relation, score: float, reason: str) -> Iterator[Edge]:
    """An edge to what a name means; where several answer to it, each has its share of the score."""
    if len(found) > 1:
        score, reason = min(score, _NAMED_BY_MANY / len(found)), f"{reason}; {len(found)} answer to it"
    for answer in found:
        ends = (dag, answer.ref) if relation is Relation.PRODUCES else (answer.ref, dag)
        yield Edge(*ends, relation, Evidence.INFERRED, reason, round(score, 3))
