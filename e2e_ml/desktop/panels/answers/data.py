"""The five answers about what features are made of: sources and entities, and the project that holds them."""

from __future__ import annotations

from collections.abc import Iterable

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.answers.about import About, Lines
from e2e_ml.desktop.panels.spans import Span, links, listed
from e2e_ml.lineage.graph import Node
from e2e_ml.refs import Kind


class Project(About):
    def timed(self) -> Lines:
        return [self.times(("applied", self.node.facts.get("applied_at")))]


class Read(About):
    """What feature views read: who owns one of them answers for it."""

    def owners(self) -> Iterable[Node]:
        return self.down(Kind.FEATURE_VIEW)

    def explained(self) -> Lines:
        return [(Span("Read by ", dim=True), *links(self.down(Kind.FEATURE_VIEW)))]


class Source(Read):
    def described(self) -> Lines:
        facts = self.node.facts
        columns = listed(facts, "columns")
        more = f" · {words.count(len(columns), 'column')}" if columns else ""
        return [(Span(str(facts.get("uri") or self.node.title), tip=", ".join(columns)), Span(more, dim=True))]


class Entity(Read):
    def described(self) -> Lines:
        return [(Span("The key of ", dim=True), *links(self.down(Kind.FEATURE_VIEW)))]
