"""If a thing changes, or is late: what stands on it, what of that is in use, and whom to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from e2e_ml.lineage.graph import Graph, Node, Walk
from e2e_ml.lineage.questions.ownership import Person, person
from e2e_ml.refs import Kind, Ref

_OWNED = (Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE, Kind.DAG, Kind.REGISTERED_MODEL, Kind.MONITOR, Kind.DATASET)

_NEWEST = 200  # versions whose own facts are looked at


@dataclass(frozen=True, slots=True)
class Live:
    """A model version that something or somebody relies on."""

    version: Ref
    aliases: tuple[str, ...]
    endpoints: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody to tell, and what of theirs it touches."""

    person: Person
    owns: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    ref: Ref
    counts: Mapping[Kind, int]  # of everything that stands on it
    live: tuple[Live, ...]  # versions in use, by model
    people: tuple[Told, ...]  # by name
    walk: Walk  # to name what was counted

    def refs(self, kind: Kind) -> list[Ref]:
        """The things of a kind that stand on it, nearest first."""
        return list(self.walk.refs(kind))


def impact(graph: Graph, ref: Ref) -> Impact:
    """Everything downstream of `ref`: a feature, a column, a source, a DAG or anything else."""
    walk = graph.flow(ref, down=True)
    return Impact(ref, walk.counts(), _live(graph, walk), _people(graph, ref, walk), walk)


def _live(graph: Graph, walk: Walk) -> tuple[Live, ...]:
    aliases: dict[Ref, list[str]] = {}
    endpoints: dict[Ref, list[Ref]] = {}
    named: dict[Ref, list[Ref]] = {}  # alias -> versions
    for alias, version in walk.feeding(Kind.ALIAS):
        aliases.setdefault(version, []).append(alias.name)
        named.setdefault(alias, []).append(version)
    for node in graph.get_all(walk.newest(Kind.MODEL_VERSION, _NEWEST)):  # an alias that was read with its model alone
        if node.ref not in aliases and node.facts.get("aliases"):
            aliases[node.ref] = list(node.facts["aliases"])
    for endpoint, above in walk.feeding(Kind.ENDPOINT):  # it serves versions by their own names, or by an alias
        for version in [above] if above.kind is Kind.MODEL_VERSION else named.get(above, ()):
            endpoints.setdefault(version, []).append(endpoint)
    return tuple(
        Live(version, tuple(sorted(aliases.get(version, ()))), tuple(sorted(set(endpoints.get(version, ())))))
        for version in sorted({*aliases, *endpoints})
    )


def _people(graph: Graph, ref: Ref, walk: Walk) -> tuple[Told, ...]:
    owned: dict[Person, list[Ref]] = {}
    own = graph.get(ref)
    nodes: list[Node] = [own] if own is not None else []
    for kind in _OWNED:
        nodes += walk.nodes(kind)
    for node in nodes:
        if (who := person(node)) is not None:
            owned.setdefault(who, []).append(node.ref)
    return tuple(Told(who, tuple(refs)) for who, refs in sorted(owned.items()))
