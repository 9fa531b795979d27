"""Who owns what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind, Ref

_OWNED = (
    Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE, Kind.SOURCE, Kind.DATASET, Kind.DAG, Kind.REGISTERED_MODEL,
)  # fmt: skip
_NOBODY = ("airflow",)  # Airflow's own default for a DAG without an owner


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """A person or a team, as a service names it."""

    name: str
    email: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name


def person(node: Node) -> Person | None:
    """Whom a service names as the owner of a thing, or as the one who ran it."""
    name = str(node.facts.get("owner") or node.facts.get("user") or "")
    if not name or (node.ref.kind is Kind.DAG and name in _NOBODY):
        return None
    return Person(name, str(node.facts.get("owner_email") or ""))


def owner(graph: Graph, ref: Ref) -> tuple[Person, Ref] | None:
    """Who owns `ref`, and the thing that says so: itself, what contains it, or else what it was made by."""
    here: Ref | None = ref
    while here is not None:
        node = graph.get(here)
        if node is not None and (who := person(node)) is not None:
            return who, here
        here = here.parent
    for above in graph.walk(ref, down=False, depth=2):
        node = graph.get(above)
        if node is not None and (who := person(node)) is not None:
            return who, above
    return None


def owned(graph: Graph, kinds: Iterable[Kind] = _OWNED) -> dict[Person, list[Ref]]:
    """Everything that has an owner, by owner; what lies in something owned is not told apart."""
    found: dict[Person, list[Ref]] = {}
    for kind in kinds:
        for node in graph.nodes(kind):
            if (who := person(node)) is not None:
                found.setdefault(who, []).append(node.ref)
    return dict(sorted(found.items()))
