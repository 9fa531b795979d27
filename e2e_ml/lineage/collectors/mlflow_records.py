"""What MLflow's answers say, as records of the graph. Pure functions of one JSON object each.

An edge belongs to the record that tells it: a run hangs on its experiment, a version on its model and its run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import yaml

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.collectors import Record
from e2e_ml.lineage.collectors.http import known
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Ref

MOST_COLUMNS = 2_000  # of a dataset or a signature
_TAGS = ("airflow.", "feast.", "festaf.", "serving.")  # the tags that links are made of
_MORE_TAGS = frozenset({run_tags.ALIGNED_REFS, "mlflow.user", "mlflow.source.name", "mlflow.parentRunId"})
_PROMPT = "mlflow.prompt.is_prompt"  # prompts live among the registered models
_REASON = "MLflow's own record"

Json = Mapping[str, Any]


def experiment(instance: str, record: Json) -> Record:
    return Record(Node(refs.experiment(instance, record["experiment_id"]), {"name": record["name"]}))


def run(instance: str, record: Json, experiment_name: str | None) -> Record:
    """A run; where the tag with its features was cut, what its `features.json` told stays."""
    info, data = record["info"], record["data"]
    tags = pairs(data.get("tags"))
    experiment = info["experiment_id"]
    facts = {
        "name": info.get("run_name"),
        "status": info.get("status"),
        "start": _time(info.get("start_time")),
        "end": _time(info.get("end_time")),
        "user": tags.get("mlflow.user") or info.get("user_id"),
        "experiment_id": experiment,
        "experiment": experiment_name,
        "metrics": {m["key"]: _number(m.get("value")) for m in data.get("metrics", ())},
        "params": pairs(data.get("params")),
        "tags": {k: v for k, v in tags.items() if k.startswith(_TAGS) or k in _MORE_TAGS},
        "inputs": [_input(i) for i in record.get("inputs", {}).get("dataset_inputs", ())],
    }
    ref = refs.run(instance, info["run_id"])
    edge = _edge(refs.experiment(instance, experiment), ref, Relation.CONTAINS)
    return Record(Node(ref, known(facts)), (edge,), keeps=frozenset({"retrievals"} if is_cut(record) else ()))


def retrievals(instance: str, run_id: str, file: Any) -> Record | None:
    """What the `features.json` of a run says, laid over what is known of it; None where it has another form."""
    told = [
        {"project": r.project, "feature_service": r.service, "features": list(r.features)}
        for r in run_tags.read_features_file(file)
    ]
    return Record(Node(refs.run(instance, run_id), {"retrievals": told}), partial=True) if told else None


def is_cut(record: Json) -> bool:
    """Whether the tag with a run's features does not hold all of them."""
    tags = pairs(record["data"].get("tags"))
    return run_tags.read_feature_refs(tags.get(run_tags.FEATURE_REFS, ""))[1]


def logged_model(instance: str, record: Json) -> Record:
    info = record["info"]
    ref = refs.logged_model(instance, info["model_id"])
    facts = {
        "name": info.get("name"),
        "status": str(info.get("status", "")).removeprefix("LOGGED_MODEL_"),
        "experiment_id": info.get("experiment_id"),
        "run_id": info.get("source_run_id"),
    }
    run_id = info.get("source_run_id")
    edges = (_edge(refs.run(instance, run_id), ref, Relation.LOGGED),) if run_id else ()
    return Record(Node(ref, known(facts)), edges)


def registered_model(instance: str, record: Json) -> Iterator[Record]:
    """A registered model, and its aliases, each a thing of its own that points at a version."""
    name = record["name"]
    aliases = {a["alias"]: str(a["version"]) for a in record.get("aliases", ())}
    facts = {"description": record.get("description"), "aliases": aliases, "tags": pairs(record.get("tags"))}
    yield Record(Node(refs.registered_model(instance, name), known(facts)))
    for alias, version in aliases.items():
        yield Record(Node(refs.alias(instance, name, alias), {"version": version}))


def model_version(instance: str, record: Json) -> Record:
    """A version; what its `MLmodel` file told of its columns stays."""
    model = refs.registered_model(instance, record["name"])
    ref = refs.model_version(instance, record["name"], record["version"])
    source = str(record.get("source") or "")
    # `model_id` is not filled by every store; the source then is `models:/m-...`.
    model_id = record.get("model_id") or (source.removeprefix("models:/") if source.startswith("models:/m-") else "")
    facts = {
        "version": str(record["version"]),
        "created": _time(record.get("creation_timestamp")),
        "run_id": record.get("run_id"),
        "description": record.get("description"),
        "model_id": model_id,
        "source": source,
        "tags": pairs(record.get("tags")),
    }
    edges = [_edge(ref, model, Relation.VERSION_OF)]
    if run_id := record.get("run_id"):
        edges.append(_edge(refs.run(instance, run_id), ref, Relation.LOGGED))
    return Record(Node(ref, known(facts)), tuple(edges), keeps=frozenset({"columns"}))


def version_columns(instance: str, name: str, version: str, mlmodel: str) -> Record | None:
    """The inputs of a version by its `MLmodel` file, laid over what is known of it; None where it names none."""
    columns = columns_of_mlmodel(mlmodel)
    return (
        Record(Node(refs.model_version(instance, name, version), {"columns": columns}), partial=True)
        if columns
        else None
    )


def is_prompt(record: Json) -> bool:
    return pairs(record.get("tags")).get(_PROMPT) == "true"


def pairs(items: Any) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in items or ()}


# --- columns ---------------------------------------------------------------------------------------------------------


def columns_of_mlmodel(text: str) -> list[str]:
    """The names of a model's inputs, by the signature in its `MLmodel` file; empty where it has none."""
    try:
        content: Any = yaml.safe_load(text)
        return _names(json.loads(content["signature"]["inputs"]))
    except (yaml.YAMLError, ValueError, LookupError, TypeError):
        return []


def columns_of_schema(schema: str) -> list[str]:
    """The names in a dataset's schema, as MLflow's datasets write it; empty where it has another form."""
    try:
        content: Any = json.loads(schema)
    except ValueError:
        return []
    if not isinstance(content, dict):
        return []
    fields = cast(dict[str, Any], content)
    told = fields.get("mlflow_colspec") or fields.get("mlflow_tensorspec")
    # A dataset of NumPy has one schema for its features and one for its targets.
    return _names(cast(dict[str, Any], told).get("features") if isinstance(told, dict) else told)


def _names(specifications: Any) -> list[str]:
    if not isinstance(specifications, list):
        return []
    told = cast(list[Any], specifications)
    names = [cast(dict[str, Any], each).get("name") for each in told if isinstance(each, dict)]
    return [str(name) for name in names if name][:MOST_COLUMNS]


def _input(record: Json) -> dict[str, Any]:
    """One dataset of a run: its name, digest and context, the URI of its source, its columns."""
    dataset = record["dataset"]
    facts = {
        "name": dataset.get("name"),
        "digest": dataset.get("digest"),
        "context": pairs(record.get("tags")).get("mlflow.data.context"),
        "source": _uri(dataset.get("source", "")),
        "columns": columns_of_schema(dataset.get("schema") or "") or None,
    }
    return known(facts)


def _uri(source: str) -> str:
    """The URI in a dataset's source, which is JSON in the words of the source's type."""
    try:
        value: Any = json.loads(source)
    except ValueError:
        return source
    if not isinstance(value, dict):
        return source
    fields = cast(dict[str, Any], value)
    return str(next((fields[k] for k in ("uri", "url", "path", "delta_table_name") if fields.get(k)), ""))


# --- values ----------------------------------------------------------------------------------------------------------


def _edge(up: Ref, down: Ref, relation: Relation) -> Edge:
    return Edge(up, down, relation, Evidence.DECLARED, _REASON)


def _number(value: Any) -> float | None:
    """A metric as JSON can hold it; NaN and infinities arrive as words and are not known."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def _time(milliseconds: Any) -> str | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).isoformat() if milliseconds else None
