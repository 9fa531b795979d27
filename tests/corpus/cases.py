"""A case: what the collectors bring of a project, and the links that are true of it.

A file is YAML, one document a case:

    case        what it is about, in words
    repeat      {n} in names and links stands for 0, 1, ... below this, where it is given
    stores      scheme://project -> views: {name: {features, keys, time, place}}, services: {name: {features, target}}
    dags        DAG -> tags, file, source (Python, read as the collector of Airflow reads it), tasks: {task: operator}
    work        task instances: "dag run task start end user", "-" for what is not known
    xcoms       "dag run task" -> the values that it handed on, read as the collector of Airflow reads them
    assets      URI -> writer: "dag run task", extra: of its event, about: of the asset itself
    datasets    URIs that the runs of any tool named
    runs        run -> experiment, time: "start end", user, tags, params, data: [{source, context, columns, targets}]
    experiments names of those without runs
    versions    "model version" -> run, columns, tags, created: a time
    models      model -> tags
    truth       declared, observed, inferred: links, "upstream relation downstream"
    also        links that are true and that nobody has to find

Lists of names are words with spaces between. A time is one of 21 November 2026. Short forms of links:
`feast://drivers/hourly` is a Ref; `dag:train`, `ti:train/r1/fit`, `run:a1`, `model:churn`, `version:churn/1`,
`experiment:nightly`, `asset:URI`, `dataset:URI` are of Airflow `local` and MLflow `lab`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import yaml

from e2e_ml import refs
from e2e_ml.lineage.collectors.airflow_xcoms import named
from e2e_ml.lineage.collectors.dag_source import constants
from e2e_ml.lineage.graph import Evidence, Node, Relation
from e2e_ml.openlineage.naming import of_uri
from e2e_ml.refs import Ref

HERE = Path(__file__).parent
AIRFLOW, MLFLOW = "local", "lab"
DAY = datetime(2026, 11, 21, tzinfo=UTC)
Link = tuple[Ref, Relation, Ref]


@dataclass(frozen=True)
class Case:
    name: str
    nodes: tuple[Node, ...]
    true: Mapping[Evidence, frozenset[Link]]
    also: frozenset[Link] = frozenset()
    told: frozenset[Link] = field(default=frozenset())  # by the collectors, and no matter of rules


def read(folder: str) -> list[Case]:
    """The cases in the files of a folder."""
    found: list[Case] = []
    for file in sorted((HERE / folder).glob("*.yaml")):
        for told in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            try:
                found.append(case_of(told))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{file.name}, {told.get('case')!r}: {error!r}") from error
    return found


def case_of(told: Mapping[str, Any]) -> Case:
    unknown = set(told) - {"case", "repeat", "truth", "also", *_PARTS}
    if unknown:
        raise ValueError(f"a case has no {', '.join(sorted(unknown))}")
    times = int(told.get("repeat", 1))
    facts: dict[Ref, dict[str, Any]] = {}
    for part, make in _PARTS.items():
        for node in make(_repeated(told.get(part) or {}, times)):
            facts.setdefault(node.ref, {}).update(node.facts)
    nodes = [Node(ref, each) for ref, each in facts.items()]
    true = {Evidence(kind): links(listed, times) for kind, listed in (told.get("truth") or {}).items()}
    return Case(told["case"], tuple(nodes), true, links(told.get("also") or (), times))


def _repeated(part: Any, times: int) -> Any:
    """Entries with `{n}` in their names, as often as the case says, each with its own number."""
    if isinstance(part, list):
        return [text for each in cast(list[str], part) for text in _numbered(each, times)]
    found: dict[str, Any] = {}
    for name, facts in cast(dict[str, Any], part).items():
        for n, text in enumerate(_numbered(str(name), times)):
            found[text] = _with_number(facts, n) if "{n}" in str(name) else facts
    return found


def _with_number(facts: Any, n: int) -> Any:
    if isinstance(facts, dict):
        return {key: _with_number(each, n) for key, each in cast(dict[str, Any], facts).items()}
    if isinstance(facts, list):
        return [_with_number(each, n) for each in cast(list[Any], facts)]
    return facts.replace("{n}", str(n)) if isinstance(facts, str) else facts


def _numbered(text: str, times: int) -> list[str]:
    return [text.replace("{n}", str(n)) for n in range(times)] if "{n}" in text else [text]


# --- names -----------------------------------------------------------------------------------------------------------


def links(told: Iterable[str], times: int = 1) -> frozenset[Link]:
    return frozenset(link(text) for each in told for text in _numbered(each, times))


def link(text: str) -> Link:
    up, _, rest = text.strip().partition(" ")
    relation, _, down = rest.strip().rpartition(" ")
    return ref(up), Relation(relation.strip()), ref(down)


def ref(text: str) -> Ref:
    kind, _, name = text.partition(":")
    match kind:
        case "dag":
            return refs.dag(AIRFLOW, name)
        case "ti":
            dag, run, task, *index = name.split("/")
            return refs.task_instance(AIRFLOW, dag, run, task, int(index[0]) if index else -1)
        case "asset":
            return refs.asset(AIRFLOW, name)
        case "run":
            return refs.run(MLFLOW, name)
        case "experiment":
            return refs.experiment(MLFLOW, name)
        case "model":
            return refs.registered_model(MLFLOW, name)
        case "version":
            return refs.model_version(MLFLOW, *name.rsplit("/", 1))
        case "logged":
            return refs.logged_model(MLFLOW, name)
        case "dataset":
            return refs.dataset(*of_uri(name))
        case _:
            return Ref.parse(text)


def words(told: Any) -> list[str]:
    return told.split() if isinstance(told, str) else list(told or ())


def at(text: str) -> str | None:
    """The time of a clock: "9:30", "9:30:05", "9:30+00:00:07" (seven seconds later), "-" for none."""
    if text == "-":
        return None
    clock, _, later = text.partition("+")
    return (DAY + _clock(clock) + (_clock(later) if later else timedelta())).isoformat()


def _clock(text: str) -> timedelta:
    hours, minutes, *seconds = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds[0]) if seconds else 0)


def known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", [], {})}


# --- parts -----------------------------------------------------------------------------------------------------------


def _stores(part: Mapping[str, Any]) -> Iterator[Node]:
    for uri, store in part.items():
        scheme, _, project = uri.partition("://")
        for name, view in (store.get("views") or {}).items():
            features = words(view["features"])
            facts = known(
                features=features,
                entities=words(view.get("keys")),
                event_time=view.get("time"),
                on_demand=view.get("on_demand"),
                dag_id=view.get("dag"),
            )
            yield Node(refs.feature_view(project, name, scheme), facts)
            yield from (Node(refs.feature(project, name, feature, scheme)) for feature in features)
            if place := view.get("place"):
                yield Node(refs.source(project, view.get("source", f"{name}_source"), scheme), known(place=place))
            if table := view.get("table"):
                yield Node(refs.source(project, view.get("source", f"{name}_source"), scheme), known(uri=table))
        for name, service in (store.get("services") or {}).items():
            facts = known(
                features=words(service["features"]), target=service.get("target"), aliases=service.get("aliases")
            )
            yield Node(refs.feature_service(project, name, scheme), facts)


def _dags(part: Mapping[str, Any]) -> Iterator[Node]:
    for name, dag in part.items():
        dag = dag or {}
        named = {kind: found for kind, found in constants(dag.get("source", "")).items() if found}
        facts = known(tags=words(dag.get("tags")), file=dag.get("file"), constants=named)
        yield Node(refs.dag(AIRFLOW, name), facts)
        for task, operator in (dag.get("tasks") or {}).items():
            yield Node(refs.task(AIRFLOW, name, task), known(operator=operator))


def _work(part: Iterable[str]) -> Iterator[Node]:
    for text in part or ():
        dag, run, task, start, end, user = text.split()
        facts = known(start=at(start), end=at(end), user=None if user == "-" else user)
        facts["state"] = "success" if end != "-" else "running"
        task_id, _, index = task.partition("[")
        number = int(index.rstrip("]")) if index else -1
        yield Node(refs.task_instance(AIRFLOW, dag, run, task_id, number), facts)


def _xcoms(part: Mapping[str, Any]) -> Iterator[Node]:
    for text, values in part.items():
        dag, run, task = text.split()
        task_id, _, index = task.partition("[")
        ref = refs.task_instance(AIRFLOW, dag, run, task_id, int(index.rstrip("]")) if index else -1)
        yield Node(ref, known(xcoms=named(values)))


def _assets(part: Mapping[str, Any]) -> Iterator[Node]:
    for uri, asset in part.items():
        asset = asset or {}
        facts: dict[str, Any] = known(uri=uri, extra=asset.get("about"), group=asset.get("group"))
        if writer := words(asset.get("writer")):
            dag, run, task = writer
            facts["written_by"] = {
                "at": at("8:00"), "dag_id": dag, "run_id": run, "task_id": task, "map_index": -1,
                "extra": asset.get("extra") or {},
            }  # fmt: skip
        yield Node(refs.asset(AIRFLOW, uri), facts)


def _datasets(part: Iterable[str]) -> Iterator[Node]:
    yield from (Node(refs.dataset(*of_uri(uri)), {"uri": uri}) for uri in part or ())


def _runs(part: Mapping[str, Any]) -> Iterator[Node]:
    for name, run in part.items():
        start, end = words(run.get("time", "12:00 12:01"))
        data = [
            known(**{**each, "columns": words(each.get("columns")), "targets": words(each.get("targets"))})
            for each in run.get("data") or ()
        ]
        experiment = run.get("experiment", "Default")
        yield Node(refs.experiment(MLFLOW, experiment), {"name": experiment})
        facts = known(
            name=run.get("name"), start=at(start), end=at(end), user=run.get("user"), inputs=data,
            experiment=experiment, experiment_id=experiment, params=run.get("params"),
        )  # fmt: skip
        yield Node(refs.run(MLFLOW, name), {**facts, "tags": run.get("tags") or {}})


def _experiments(part: Iterable[str]) -> Iterator[Node]:
    yield from (Node(refs.experiment(MLFLOW, name), {"name": name}) for name in part or ())


def _models(part: Mapping[str, Any]) -> Iterator[Node]:
    for name, model in part.items():
        yield Node(refs.registered_model(MLFLOW, name), known(tags=(model or {}).get("tags")))


def _versions(part: Mapping[str, Any]) -> Iterator[Node]:
    for name, version in part.items():
        model, number = name.split()
        facts = known(
            run_id=version.get("run"), columns=words(version.get("columns")), tags=version.get("tags"),
            created=at(version["created"]) if "created" in version else None,
        )  # fmt: skip
        yield Node(refs.registered_model(MLFLOW, model))
        yield Node(refs.model_version(MLFLOW, model, number), {"version": number, **facts})


def _logged(part: Mapping[str, Any]) -> Iterator[Node]:
    for name, model in part.items():
        facts = known(run_id=model.get("run"), columns=words(model.get("columns")), tags=model.get("tags"))
        yield Node(refs.logged_model(MLFLOW, name), facts)


_PARTS = {
    "stores": _stores, "dags": _dags, "work": _work, "xcoms": _xcoms, "assets": _assets, "datasets": _datasets,
    "runs": _runs, "experiments": _experiments, "models": _models, "versions": _versions, "logged": _logged,
}  # fmt: skip
