"""Events and equal URIs: what was seen to read and write the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.look import Look
from e2e_ml.lineage.times import parse
from e2e_ml.refs import Kind


def source_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset whose URI is where a source's rows or a dataset lie: who writes the asset makes them."""
    for found in look(keys.uri(asset.ref.keys[0])):
        if found.ref.kind not in (Kind.SOURCE, Kind.DATASET):
            continue
        what = f"the asset's URI is the {found.ref.kind}'s"
        yield Edge(asset.ref, found.ref, Relation.STANDS_FOR, Evidence.OBSERVED, what)
        if writer := asset.facts.get("written_by"):
            dag = refs.dag(asset.ref.instance, writer["dag_id"])
            at = parse(writer["at"])
            yield Edge(dag, found.ref, Relation.PRODUCES, Evidence.OBSERVED, "it wrote the asset there", seen_at=at)


def dataset_of_source(source: Node, look: Look) -> Iterator[Edge]:
    """A dataset that lies where a source's rows do."""
    if place := source.facts.get("place"):
        for found in look(keys.uri(place)):
            if found.ref.kind is Kind.DATASET:
                yield Edge(found.ref, source.ref, Relation.STANDS_FOR, Evidence.OBSERVED, "their URIs are equal")


def model_of_asset(asset: Node, look: Look) -> Iterator[Edge]:
    """An asset `models:/<name>`: who makes it makes the registered model; its events name the run."""
    uri, writer = asset.ref.keys[0], asset.facts.get("written_by")
    if not uri.startswith("models:/") or writer is None:
        return
    extra: Mapping[str, Any] = writer.get("extra") or {}
    dag, at = refs.dag(asset.ref.instance, writer["dag_id"]), parse(writer["at"])
    name = str(extra.get("mlflow.model_name") or uri.removeprefix("models:/").strip("/").partition("/")[0])
    for model in look(keys.named(Kind.REGISTERED_MODEL, name)):
        reason = f"it wrote the asset {uri}"
        yield Edge(dag, model.ref, Relation.PRODUCES, Evidence.OBSERVED, reason, seen_at=at)
        run_id = str(extra.get("mlflow.run_id") or "")
        if run_id and look(keys.exists(run := refs.run(model.ref.instance, run_id))):
            reason = f"mlflow.run_id in an event of {uri}"
            yield Edge(dag, run, Relation.STARTED, Evidence.OBSERVED, reason, seen_at=at)
