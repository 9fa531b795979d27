"""The five answers about a thing of any kind, and what the answers of each kind are made of.

A question that the facts leave open gets a quiet sentence that says how to answer it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.spans import LISTED, Span, link, quiet, some
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind

NO_TIME = "No time is known."
MOST = 200  # things that are looked at where a thing has very many
_FEW = 20  # of those that only help to tell of another

Line = tuple[Span, ...]  # empty: nothing is said
Lines = list[Line]


def told(lines: Iterable[Line], otherwise: str) -> Lines:
    """The lines that say something; a quiet sentence where none does."""
    return [line for line in lines if line] or [quiet(otherwise)]


@dataclass(frozen=True, slots=True)
class About:
    graph: Graph
    node: Node
    now: datetime
    uses: questions.Uses | None = None  # of the node, where they are known already

    # The five questions.

    def who(self) -> Lines:
        for node in self._answerable():
            if owner := node.facts.get("owner") or node.facts.get("user") or node.facts.get("applied_by"):
                said = [Span(str(owner))]
                if node is not self.node:
                    said += [Span(f", {_role(node)} ", dim=True), link(node)]
                email = node.facts.get("owner_email")
                return [tuple(said), *(((Span(str(email), dim=True),),) if email else ())]
        return [quiet("Nobody is named. Set owner= in the definition, or the DAG's owner.")]

    def what(self) -> Lines:
        lines: Lines = []
        if text := self.node.facts.get("description"):
            lines.append((Span(words.first_sentence(str(text)), tip=str(text)),))
        return told([*lines, *self.described()], "No description. Add one where it is defined.")

    def when(self) -> Lines:
        return told(self.timed(), NO_TIME)

    def how(self) -> Lines:
        lines = [line for line in self.explained() if line]
        return lines or ([] if self.code() else [quiet("Not told by its service.")])

    def code(self) -> str:
        """What stands below the answer to How, as code."""
        return ""

    def why(self) -> Lines:
        return told(self.justified(), "Nothing stands on it so far.")

    # What a kind knows better. A line may be empty: it is left out.

    def owners(self) -> Iterable[Node]:
        """Whose owner answers for it where it has none of its own, the nearest first."""
        return self.up(Kind.DAG)

    def described(self) -> Lines:
        """What it is, below its description."""
        return []

    def timed(self) -> Lines:
        """When: by itself, when something of it was used last."""
        found: list[str] = []
        walk = self.graph.walk(self.node.ref, down=True, depth=2)
        for kind in walk.counts():
            below = self.graph.get_all(walk.newest(kind, _FEW))
            found += [str(v) for n in below for k in ("last_written", "start") if (v := n.facts.get(k))]
        return [self.times(("last used", max(found, default=None)))]

    def explained(self) -> Lines:
        """How it is made, or of what."""
        return []

    def justified(self) -> Lines:
        """Why it is there: by itself, the runs that stand on it, and their models."""
        found = self.uses or questions.uses_in_all(self.graph, self.node.ref, _FEW)
        if not found.runs:
            return []
        models = list(dict.fromkeys(v.ref.keys[0] for use in found.runs for v in use.versions))
        text = words.count(found.total, "run") + (f" and {some(models)}" if models else "")
        return [(Span(f"{text} stand on it", tip=", ".join(models) if len(models) > LISTED else ""),)]

    # What lines are made of.

    def times(self, *parts: tuple[str, Any]) -> Line:
        """Words, each with a time or with another value; those without a value are left out."""
        said: list[Span] = []
        for word, value in parts:
            if not value:
                continue
            if said:
                said.append(Span(" · ", dim=True))
            at = words.moment(value)
            if at is None:
                said.append(Span(f"{word} {value}".strip()))
                continue
            if word:
                said.append(Span(f"{word} ", dim=True))
            text = words.day(at, self.now) if word == "since" else words.relative(at, self.now)
            said.append(Span(text, tip=words.exact(at)))
        return tuple(said)

    def due(self, value: Any) -> tuple[str, Any]:
        """When the next run is due, as a part of `times`."""
        at = words.moment(value)
        return ("was due" if at is not None and at < self.now else "next run"), value

    def down(self, kind: Kind) -> list[Node]:
        """The things of a kind one edge downstream; of very many the newest."""
        if self.graph.degree(self.node.ref, down=True) > MOST:
            return self.graph.get_all(self.graph.walk(self.node.ref, down=True, depth=1).newest(kind, MOST))
        return self.graph.get_all((e.downstream for e in self.graph.downstream(self.node.ref)), kind)

    def up(self, kind: Kind) -> list[Node]:
        """The things of a kind one edge upstream; of very many the newest."""
        if self.graph.degree(self.node.ref, down=False) > MOST:
            return self.graph.get_all(self.graph.walk(self.node.ref, down=False, depth=1).newest(kind, MOST))
        return self.graph.get_all((e.upstream for e in self.graph.upstream(self.node.ref)), kind)

    def _answerable(self) -> Iterator[Node]:
        yield self.node
        yield from self.owners()
        parent = self.node.ref.parent
        if parent is not None and parent.kind is not Kind.PROJECT:  # who applied a project owns none of it by that
            yield self.graph.get(parent) or Node(parent)


def _role(node: Node) -> str:
    if node.facts.get("owner"):
        return "who owns"
    return "who ran" if node.facts.get("user") else "who applied"
