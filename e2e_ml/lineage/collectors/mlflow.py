"""MLflow over its public REST API: experiments, runs, logged models, registered models and their versions.

Read as JSON rather than through the MLflow client: a login stays in the request, out of the process's environment, and
a server that is down is known after seconds, not after the client's retries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.http import Api, Connection, known, since
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Kind, Ref

MOST_RUNS = 5_000  # the newest runs that a full visit reads
FULL_EVERY = 900.0  # seconds between full visits, which alone see deletions and later changes of tags
OVERLAP = 60.0
_API = "/api/2.0/mlflow"
_TAGS = ("airflow.", "feast.", "festaf.")  # the tags that links are made of
_PROMPT = "mlflow.prompt.is_prompt"  # prompts live among the registered models


class MlflowCollector:
    def __init__(self, connection: Connection) -> None:
        self._instance = connection.instance
        self._api = Api("MLflow", connection)

    @property
    def name(self) -> str:
        return f"mlflow:{self._instance}"

    def close(self) -> None:
        self._api.close()

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        found = _Found(self._instance)
        experiments = list(self._pages("experiments/search", "experiments", max_results=1_000))
        now = since(self._api, 0)
        full = now - cursor.get("full", 0.0) >= FULL_EVERY
        names = {e["experiment_id"]: e["name"] for e in experiments}
        for experiment in experiments:
            found.experiment(experiment)
        runs = 0
        for run in self._runs(list(names), None if full else cursor["since"]):
            found.run(run, names, self._features(run))
            runs += 1
            if runs >= MOST_RUNS:
                break
        for model in self._logged_models(list(names), None if full else cursor["since"]):
            found.logged_model(model)
        for model in self._get_pages("registered-models/search", "registered_models", max_results=200):
            if not _is_prompt(model):
                found.registered_model(self._registered(model["name"]))
        for version in self._get_pages("model-versions/search", "model_versions", max_results=1_000):
            if not _is_prompt(version):
                found.model_version(version)
        whole = {Kind.RUN, Kind.LOGGED_MODEL} if full and runs < MOST_RUNS else set[Kind]()
        yield Batch(
            records=found.records(),
            complete=frozenset({Kind.EXPERIMENT, Kind.REGISTERED_MODEL, Kind.MODEL_VERSION, *whole}),
            cursor={"since": now - OVERLAP, "full": now if full else cursor["full"]},
        )

    def _runs(self, experiments: list[str], start: float | None) -> Iterator[Mapping[str, Any]]:
        """All runs, or those that run, or have started or ended since `start`; newest first."""
        filters = [""]
        if start is not None:
            at = int(start * 1000)
            filters = [
                f"attributes.start_time >= {at}",
                f"attributes.end_time >= {at} and attributes.start_time < {at}",
                f"attributes.status = 'RUNNING' and attributes.start_time < {at}",
            ]
        for some in _chunks(experiments):
            for wanted in filters:
                body = {"experiment_ids": some, "filter": wanted, "order_by": ["attributes.start_time DESC"]}
                yield from self._pages("runs/search", "runs", max_results=1_000, **body)

    def _logged_models(self, experiments: list[str], start: float | None) -> Iterator[Mapping[str, Any]]:
        wanted = "" if start is None else f"last_updated_timestamp >= {int(start * 1000)}"
        for some in _chunks(experiments):
            yield from self._pages("logged-models/search", "models", max_results=50, experiment_ids=some, filter=wanted)

    def _registered(self, name: str) -> Mapping[str, Any]:
        """The model itself: a search leaves out its aliases."""
        return self._api.get(f"{_API}/registered-models/get", name=name)["registered_model"]

    def _features(self, run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The retrievals of a run from its `features.json`, read only where its tag was cut; else nothing."""
        tags = _pairs(run["data"].get("tags"))
        if not run_tags.read_feature_refs(tags.get(run_tags.FEATURE_REFS, ""))[1]:
            return []
        place = {"path": run_tags.FEATURES_FILE, "run_uuid": run["info"]["run_id"]}
        try:
            return cast(list[Mapping[str, Any]], self._api.get("/get-artifact", **place)["retrievals"])
        except (CollectError, KeyError, TypeError):  # the list stays cut, and says so
            return []

    def _pages(self, path: str, key: str, **body: Any) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            answer = self._api.post(f"{_API}/{path}", {**body, **({"page_token": token} if token else {})})
            yield from answer.get(key, ())
            if not (token := answer.get("next_page_token", "")):
                return

    def _get_pages(self, path: str, key: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            answer = self._api.get(f"{_API}/{path}", **query, **({"page_token": token} if token else {}))
            yield from answer.get(key, ())
            if not (token := answer.get("next_page_token", "")):
                return


class _Found:
    """The nodes and edges of one visit, built from the API's records."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self.nodes: dict[Ref, Node] = {}
        self.edges: list[Edge] = []

    def experiment(self, record: Mapping[str, Any]) -> None:
        self._node(refs.experiment(self._instance, record["experiment_id"]), {"name": record["name"]})

    def run(self, record: Mapping[str, Any], names: Mapping[str, str], retrievals: list[Mapping[str, Any]]) -> None:
        info, data = record["info"], record["data"]
        tags = _pairs(data.get("tags"))
        run = refs.run(self._instance, info["run_id"])
        experiment = info["experiment_id"]
        facts = {
            "name": info.get("run_name"),
            "status": info.get("status"),
            "start": _time(info.get("start_time")),
            "end": _time(info.get("end_time")),
            "user": tags.get("mlflow.user") or info.get("user_id"),
            "experiment_id": experiment,
            "experiment": names.get(experiment),
            "metrics": {m["key"]: _number(m["value"]) for m in data.get("metrics", ())},
            "params": _pairs(data.get("params")),
            "tags": {k: v for k, v in tags.items() if k.startswith(_TAGS)},
            "inputs": [_input(i) for i in record.get("inputs", {}).get("dataset_inputs", ())],
            "retrievals": [dict(r) for r in retrievals] or None,
        }
        self._node(run, facts)
        self._edge(refs.experiment(self._instance, experiment), run, Relation.CONTAINS)

    def logged_model(self, record: Mapping[str, Any]) -> None:
        info = record["info"]
        model = refs.logged_model(self._instance, info["model_id"])
        facts = {
            "name": info.get("name"),
            "status": str(info.get("status", "")).removeprefix("LOGGED_MODEL_"),
            "experiment_id": info.get("experiment_id"),
            "run_id": info.get("source_run_id"),
        }
        self._node(model, facts)
        if run_id := info.get("source_run_id"):
            self._edge(refs.run(self._instance, run_id), model, Relation.LOGGED)

    def registered_model(self, record: Mapping[str, Any]) -> None:
        aliases = {a["alias"]: str(a["version"]) for a in record.get("aliases", ())}
        facts = {"description": record.get("description"), "aliases": aliases, "tags": _pairs(record.get("tags"))}
        self._node(refs.registered_model(self._instance, record["name"]), facts)

    def model_version(self, record: Mapping[str, Any]) -> None:
        model = refs.registered_model(self._instance, record["name"])
        version = refs.model_version(self._instance, record["name"], record["version"])
        source = str(record.get("source") or "")
        # `model_id` is not filled by every store; the source then is `models:/m-...`.
        model_id = record.get("model_id") or (
            source.removeprefix("models:/") if source.startswith("models:/m-") else ""
        )
        facts = {
            "version": str(record["version"]),
            "created": _time(record.get("creation_timestamp")),
            "run_id": record.get("run_id"),
            "description": record.get("description"),
            "model_id": model_id,
            "source": source,
            "tags": _pairs(record.get("tags")),
        }
        self._node(version, facts)
        self._edge(version, model, Relation.VERSION_OF)
        if run_id := record.get("run_id"):
            self._edge(refs.run(self._instance, run_id), version, Relation.LOGGED)

    def records(self) -> tuple[Record, ...]:
        told: dict[Ref, list[Edge]] = {}
        for edge in self.edges:
            told.setdefault(edge.downstream, []).append(edge)
        known = {**{ref: Node(ref) for ref in told}, **self.nodes}
        return tuple(Record(node, tuple(told.get(ref, ())), ref not in self.nodes) for ref, node in known.items())

    def _node(self, ref: Ref, facts: Mapping[str, Any]) -> None:
        self.nodes[ref] = Node(ref, known(facts))

    def _edge(self, up: Ref, down: Ref, relation: Relation) -> None:
        self.edges.append(Edge(up, down, relation, Evidence.DECLARED, "MLflow's own record"))


def _pairs(items: Any) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in items or ()}


def _input(record: Mapping[str, Any]) -> dict[str, str]:
    """One dataset of a run: its name, digest and context, and the URI of its source."""
    dataset = record["dataset"]
    tags = _pairs(record.get("tags"))
    facts = {
        "name": dataset.get("name"),
        "digest": dataset.get("digest"),
        "context": tags.get("mlflow.data.context"),
        "source": _uri(dataset.get("source", "")),
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


def _number(value: Any) -> float | None:
    """A metric as JSON can hold it; NaN and infinities arrive as words and are not known."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def _time(milliseconds: Any) -> str | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).isoformat() if milliseconds else None


def _is_prompt(record: Mapping[str, Any]) -> bool:
    return _pairs(record.get("tags")).get(_PROMPT) == "true"


def _chunks(items: list[str], size: int = 100) -> Iterator[list[str]]:
    return (items[i : i + size] for i in range(0, len(items), size))
