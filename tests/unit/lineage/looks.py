"""A `Look` at given nodes, without an index."""

from __future__ import annotations

from collections.abc import Iterable

from e2e_ml.lineage.graph import Edge, Node
from e2e_ml.lineage.rules import RULES
from e2e_ml.lineage.rules.keys import answers
from e2e_ml.lineage.rules.look import Answer


class Known:
    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.ref: node for node in nodes}
        self.looked: list[str] = []
        self._answers: dict[str, dict[tuple[object, str], Answer]] = {}
        for node in self.nodes.values():
            for key in answers(node):
                self._answers.setdefault(key.text, {})[node.ref, key.at] = Answer(node.ref, key.value, key.at)

    def __call__(self, key: str, newest: int | None = None) -> list[Answer]:
        self.looked.append(key)
        found = sorted(self._answers.get(key, {}).values(), key=lambda answer: answer.ref)
        return found if newest is None else sorted(found, key=lambda answer: answer.at, reverse=True)[:newest]

    def answered(self) -> set[str]:
        """What is answered to."""
        return set(self._answers)

    def instances(self, service: str) -> list[str]:
        return sorted({ref.instance for ref in self.nodes if ref.scheme == service})

    def edges(self, node: Node) -> list[Edge]:
        return [edge for rule in RULES.get(node.ref.kind, ()) for edge in rule(node, self)]
