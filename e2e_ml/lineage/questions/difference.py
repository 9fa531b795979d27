"""What sets two model versions apart by where they come from: features, definitions, data, code and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ml.festaf.run_tags import REGISTRY_VERSION
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.times import parse
from e2e_ml.refs import Kind, Ref

_CODE = ("mlflow.source.name", "mlflow.source.git.commit", "mlflow.source.git.branch", "mlflow.project.entryPoint")
_ABOVE = (Kind.FEATURE, Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE, Kind.SOURCE, Kind.DATASET, Kind.DAG)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same: `before` and `after` as text, empty where there is none."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """From `before` to `after`. Where a version's run is not known, `unknown` says so, and less can be told."""

    before: Ref
    after: Ref
    added: Mapping[Kind, tuple[Ref, ...]]  # ancestors that `after` alone has
    removed: Mapping[Kind, tuple[Ref, ...]]  # ancestors that `before` alone has
    redefined: tuple[Ref, ...]  # features of both whose definition changed between the two trainings
    data: tuple[Change, ...]
    code: tuple[Change, ...]
    settings: tuple[Change, ...]  # parameters of the runs
    metrics: tuple[Change, ...]
    unknown: tuple[str, ...] = ()


def difference(graph: Graph, before: Ref, after: Ref) -> Difference:
    """The difference between the ancestries of two model versions (or runs, or aliases).

    A feature counts as redefined where its definition changed last between the starts of the two runs; a change before
    or after both is none between them.
    """
    up = [graph.flow(ref, down=False) for ref in (before, after)]
    first, second = ({kind: set(walk.refs(kind)) for kind in _ABOVE} for walk in up)
    runs = [_run(graph, ref) for ref in (before, after)]
    old, new = (run.facts if run else dict[str, Any]() for run in runs)
    unknown = [f"No run is known behind {ref}." for ref, run in zip((before, after), runs, strict=True) if run is None]
    return Difference(
        before,
        after,
        {kind: tuple(sorted(second[kind] - first[kind])) for kind in _ABOVE if second[kind] - first[kind]},
        {kind: tuple(sorted(first[kind] - second[kind])) for kind in _ABOVE if first[kind] - second[kind]},
        tuple(_redefined(graph, sorted(first[Kind.FEATURE] & second[Kind.FEATURE]), old, new)),
        _changes(_data(old), _data(new)),
        _changes(_code(old), _code(new)),
        _changes(old.get("params") or {}, new.get("params") or {}),
        _changes(old.get("metrics") or {}, new.get("metrics") or {}),
        tuple(unknown),
    )


def _run(graph: Graph, ref: Ref) -> Node | None:
    if ref.kind is Kind.RUN:
        return graph.get(ref)
    ends = [ref] if ref.kind is not Kind.ALIAS else [edge.upstream for edge in graph.upstream(ref)]
    found = (graph.get(e.upstream) for end in ends for e in graph.upstream(end) if e.upstream.kind is Kind.RUN)
    return next((node for node in found if node is not None), None)


def _redefined(graph: Graph, features: list[Ref], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Ref]:
    times = [time for facts in (old, new) if (time := parse(facts.get("start"))) is not None]
    if len(times) < 2:
        return []
    nodes = (graph.get(ref) for ref in features)
    return [
        node.ref
        for node in nodes
        if node is not None and (at := parse(node.facts.get("changed_at"))) and min(times) < at <= max(times)
    ]


def _data(facts: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for i, data in enumerate(facts.get("inputs") or (), 1):
        name = str(data.get("name") or data.get("source") or f"dataset {i}")  # several may have MLflow's usual name
        found.setdefault(name, []).append(" ".join(str(data[key]) for key in ("digest", "source") if data.get(key)))
    return {name: "; ".join(sorted(told)) for name, told in found.items()}


def _code(facts: Mapping[str, Any]) -> dict[str, str]:
    tags: Mapping[str, str] = facts.get("tags") or {}
    return {key: tags[key] for key in (*_CODE, REGISTRY_VERSION) if tags.get(key)}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return tuple(Change(name, _text(old.get(name)), _text(new.get(name))) for name in sorted(names))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
