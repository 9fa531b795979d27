"""The keys by which rules find things, and what each thing answers to.

What is gone answers as well: a model keeps its tie to a feature that was deleted. Only DAG runs that are gone do not
count among their DAG's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Node
from e2e_ml.lineage.rules import words
from e2e_ml.lineage.rules.facts import mapping, moment, pairs, text, texts
from e2e_ml.lineage.rules.look import Key
from e2e_ml.lineage.rules.uris import is_pattern, normal_uri, real_uri, tables_above
from e2e_ml.refs import FEATURE_STORES, Kind, Ref

__all__ = ["answers", "normal_uri"]


def exists(ref: Ref) -> str:
    """Answered by the thing itself, once it has been read; by an MLflow run with the DAG that it says started it."""
    return f"ref {ref}"


def named(kind: Kind, name: str) -> str:
    """Answered by the DAGs, registered models, experiments, views or services of a name, one in each instance."""
    return f"named {kind} {name}"


def uri(text: str) -> str:
    """Answered by what lies at a URI: sources, datasets, assets, and views and services by their own names.

    An asset tells its newest writer, and the DAGs that Airflow says make it and wait for it.
    """
    return f"uri {normal_uri(text)}"


def tail(uri: str) -> str:
    """Answered by files and folders of the same name, with their places: by it relative paths are looked up."""
    return f"tail {uri.rpartition('/')[2]}"


def listed(ref: Ref) -> str:
    """Answered by a feature service with its features' full names, and by one with aliases with both."""
    return f"listed {ref}"


def aliases_in(service: Ref) -> str:
    """Answered by a feature service with what runs call its views: alias -> view."""
    return f"aliases {service}"


def column(name: str) -> str:
    """Answered by the features of a name, in any case: some warehouses know capitals alone."""
    return f"column {name.casefold()}"


def shape(view: Ref) -> str:
    """Answered by a view with what its rows hold besides features: {features: how many, keys, times}."""
    return f"shape {view}"


def served(view: Ref) -> str:
    """Answered by the feature services that hold features of a view, with the column that is their target."""
    return f"served {view}"


def measured(ref: Ref) -> str:
    """Answered by an MLflow run with its metrics."""
    return f"measured {ref}"


def made_by(run: Ref) -> str:
    """Answered by the versions and logged models of a run: {columns, model, told}; told: they name their features."""
    return f"made by {run}"


def aliased(ref: Ref) -> str:
    """Answered by a registered model with its aliases."""
    return f"aliased {ref}"


def runs_of(dag: Ref) -> str:
    """Answered by a DAG's runs, the newest by when they started."""
    return f"runs {dag}"


def written_by(dag: Ref) -> str:
    """Answered by a DAG's runs that succeeded, the newest by the end of their data interval."""
    return f"written {dag}"


def writes(dag: Ref) -> str:
    """Answered by the assets that a DAG wrote."""
    return f"writes {dag}"


def hints(dag: Ref) -> str:
    """Answered by a DAG with what its source, its tags and its name say of it: {models, experiments, work}; a model
    that it only loads is none of its models."""
    return f"hints {dag}"


def mentioned(kind: Kind, name: str) -> str:
    """Answered by the DAGs whose source names an experiment, or a registered model that it does not only load, with
    their work."""
    return f"mentioned {kind} {name}"


def handed_on(what: str, name: str) -> str:
    """Answered by the task instances whose XComs name a run (`runs`, its id) or a version (`versions`, `name/3`):
    {start, end}, in seconds since 1970."""
    return f"handed on {what} {name}"


def works_as(task: Ref) -> str:
    """Answered by a task with its operator."""
    return f"works as {task}"


def in_file(name: str) -> str:
    """Answered by the DAGs of a file, by its name without folders: the path below Airflow's folder of DAGs."""
    return f"in file {name}"


def busy(at: float) -> Iterator[str]:
    """Answered by the task instances that may have worked at a time: {start, end, user}, in seconds since 1970.

    A task instance answers by pieces of ten minutes, hours or days, whichever are few enough; a look needs all three.
    """
    for name, length in _PIECES:
        yield f"busy {name} {int(at) // length}"


_PIECES = (("10min", 600), ("hour", 3_600), ("day", 86_400))
_MOST_PIECES = (12, 24, 31)  # of each length; of one that takes longer its first month is found
_UNENDED = 12 * 3_600  # seconds for which one without an end is found


def _busy(facts: Mapping[str, Any]) -> Iterator[Key]:
    start, end = _seconds(facts.get("start")), _seconds(facts.get("end"))
    if start is None:
        return
    until = max(start, start + _UNENDED if end is None else end)
    value = {"start": start, "end": end, "user": text(facts.get("user")).lower()}
    for (name, length), most in zip(_PIECES, _MOST_PIECES, strict=True):
        # A piece more on both sides: clocks of two machines differ.
        first, last = (int(start) - SLACK) // length, (int(until) + SLACK) // length
        if last - first < most or name == "day":
            for piece in range(first, min(last, first + most - 1) + 1):
                yield Key(f"busy {name} {piece}", value)
            return


def _seconds(time: Any) -> float | None:
    at = moment(time)
    return at.timestamp() if at else None


SLACK = 5  # seconds by which the clocks of two machines may differ


def views_in_extra(extra: Mapping[str, Any]) -> list[Ref]:
    """The view that an asset's extra names, in each of the feature stores that may have it."""
    project, view = text(extra.get("project")), text(extra.get("view"))
    return [refs.feature_view(project, view, s) for s in FEATURE_STORES] if project and view else []


def real(at: str) -> str | None:
    """The key of what lies where a URI leads by symbolic links of this machine; None where there are none."""
    found = real_uri(normal_uri(at))
    return f"uri {found}" if found else None


def answers(node: Node) -> Iterator[Key]:
    """The keys that a thing answers to."""
    ref, facts = node.ref, node.facts
    match ref.kind:
        case Kind.FEATURE:
            yield Key(exists(ref))
            yield Key(column(ref.keys[1]))
        case Kind.FEATURE_VIEW:
            yield Key(exists(ref))
            yield Key(uri(str(ref)))
            yield Key(named(ref.kind, ref.keys[0]))
            keys = [*texts(facts.get("entities")), *texts(facts.get("request"))]
            yield Key(shape(ref), {"features": len(texts(facts.get("features"))), "keys": keys,
                                   "times": texts(facts.get("event_time"))})  # fmt: skip
        case Kind.FEATURE_SERVICE:
            yield from _service(ref, facts)
        case Kind.SOURCE:
            yield from _lies_at(text(facts.get("place")))
            table = normal_uri(text(facts.get("uri")) or ".")
            if table.startswith("table://"):
                yield Key(f"uri {table}")
        case Kind.DATASET:
            yield from _lies_at(text(facts.get("uri")))
        case Kind.ASSET:
            yield from _asset(ref, facts)
        case Kind.DAG:
            yield from _dag(ref, facts)
        case Kind.TASK if operator := text(facts.get("operator")):
            yield Key(works_as(ref), operator)
        case Kind.TASK_INSTANCE:
            yield from _busy(facts)
            interval = {"start": _seconds(facts.get("start")), "end": _seconds(facts.get("end"))}
            for what, names in mapping(facts.get("xcoms")).items():
                for name in texts(names):
                    yield Key(handed_on(what, name), interval)
        case Kind.DAG_RUN if node.gone_since is None:
            dag = refs.dag(ref.instance, ref.keys[0])
            brief = {"run_id": ref.keys[1], **{k: facts[k] for k in _RUN_FACTS if k in facts}}
            began = text(facts.get("start")) or text(facts.get("run_after"))
            yield Key(runs_of(dag), brief, f"{began} {ref.keys[1]}")  # its id tells apart what began at once
            if facts.get("state") == "success" and (end := text(facts.get("interval_end"))):
                yield Key(written_by(dag), None, end)
        case Kind.EXPERIMENT if name := text(facts.get("name")):
            yield Key(named(ref.kind, name))
        case Kind.RUN:
            yield Key(exists(ref), text(mapping(facts.get("tags")).get("airflow.dag_id")) or None)
            yield Key(measured(ref), dict(mapping(facts.get("metrics"))))
        case Kind.MODEL_VERSION | Kind.LOGGED_MODEL if run_id := text(facts.get("run_id")):
            model = ref.keys[0] if ref.kind is Kind.MODEL_VERSION else None
            told = bool(words.feature_names(pairs(facts.get("tags"))))
            columns = texts(facts.get("columns"))
            yield Key(made_by(refs.run(ref.instance, run_id)), {"columns": columns, "model": model, "told": told})
        case Kind.REGISTERED_MODEL:
            yield Key(named(ref.kind, ref.keys[0]))
            yield Key(aliased(ref), dict(mapping(facts.get("aliases"))))
        case _:
            pass


def _service(ref: Ref, facts: Mapping[str, Any]) -> Iterator[Key]:
    features = texts(facts.get("features"))
    yield Key(exists(ref))
    yield Key(listed(ref), features)
    yield Key(uri(str(ref)))
    yield Key(named(ref.kind, ref.keys[0]))
    if aliases := pairs(facts.get("aliases")):
        yield Key(aliases_in(ref), aliases)
    code = text(facts.get("target"))
    target = code.rpartition(".")[2] if code.replace(".", "").isidentifier() else ""  # else it is computed
    for view in dict.fromkeys(name.partition(".")[0] for name in features):
        if view:
            yield Key(served(refs.feature_view(ref.instance, view, ref.scheme)), target)


def _lies_at(place: str) -> Iterator[Key]:
    """Where rows lie: the place, where it leads, and the folder where it is a pattern of files."""
    if not place:
        return
    here = normal_uri(place)
    keys = [here, real_uri(here)]
    if is_pattern(here):
        keys.append(next(tables_above(here), None))
    for key in dict.fromkeys(keys):
        if key:
            yield Key(f"uri {key}")
    if here.startswith("file:///"):
        yield Key(tail(here), here)


def _asset(ref: Ref, facts: Mapping[str, Any]) -> Iterator[Key]:
    writer = mapping(facts.get("written_by"))
    told = {**writer, **{name: dags for name in ("made_by", "awaited_by") if (dags := texts(facts.get(name)))}}
    own = normal_uri(ref.keys[0])
    views = [normal_uri(str(view)) for view in views_in_extra(mapping(facts.get("extra")))]
    for key in dict.fromkeys((own, real_uri(own), *views)):
        if key:
            yield Key(f"uri {key}", told or None)
    if dag_id := text(writer.get("dag_id")):
        yield Key(writes(refs.dag(ref.instance, dag_id)))


def _dag(ref: Ref, facts: Mapping[str, Any]) -> Iterator[Key]:
    yield Key(named(ref.kind, ref.keys[0]))
    constants, work = mapping(facts.get("constants")), _work(ref, facts)
    experiments, registers = texts(constants.get("experiments")), texts(constants.get("registers"))
    loads = {name for name in texts(constants.get("loads")) if name not in registers}
    models = [name for name in texts(constants.get("models")) if name not in loads]
    if constants or work:
        yield Key(hints(ref), {"models": models, "experiments": experiments, "work": work})
    for model in models:
        yield Key(mentioned(Kind.REGISTERED_MODEL, model), work)
    for experiment in experiments:
        yield Key(mentioned(Kind.EXPERIMENT, experiment), work)
    if file := text(facts.get("file")).replace("\\", "/"):
        yield Key(in_file(file.rpartition("/")[2]), file)


def work_of(dag: Node) -> str:
    """What a DAG is for, as its tags, its name and its source have it: one that names an experiment trains."""
    return _work(dag.ref, dag.facts)


def _work(ref: Ref, facts: Mapping[str, Any]) -> str:
    told = words.work_of(ref.keys[0], texts(facts.get("tags")))
    return told or ("train" if texts(mapping(facts.get("constants")).get("experiments")) else "")


_RUN_FACTS = ("state", "start", "end", "interval_start", "interval_end", "reason")
