"""Lines of text with links, as the panels show them: values, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from e2e_ml.desktop.panels import words
from e2e_ml.lineage.graph import Node
from e2e_ml.refs import Kind, Ref

LISTED = 6  # links in one line, then "and 4 more"


@dataclass(frozen=True, slots=True)
class Span:
    text: str
    ref: Ref | None = None  # a link
    dim: bool = False
    tip: str = ""  # the exact time or the whole name


def listed(facts: Any, key: str) -> list[str]:
    return [str(item) for item in facts.get(key) or ()]


def some(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def quiet(text: str) -> tuple[Span, ...]:
    return (Span(text, dim=True),)


def name_of(node: Node) -> str:
    """How a node is called away from its parent: a version with its model, the rest by their titles."""
    if node.ref.kind is Kind.MODEL_VERSION:
        return f"{node.ref.keys[0]} v{node.ref.name}"
    return node.title


def link(node: Node) -> Span:
    name = name_of(node)
    return Span(words.elide_middle(name, 40), node.ref, tip=name if len(name) > 40 else "")


def links(nodes: Sequence[Node]) -> tuple[Span, ...]:
    spans = joined([link(node) for node in nodes[:LISTED]])
    if (rest := len(nodes) - LISTED) > 0:
        names = ", ".join(name_of(node) for node in nodes[LISTED:])
        spans.append(Span(f" and {rest} more", dim=True, tip=names))
    return tuple(spans)


def joined(spans: list[Span]) -> list[Span]:
    made: list[Span] = []
    for span in spans:
        made += [Span(", ", dim=True), span] if made else [span]
    return made
