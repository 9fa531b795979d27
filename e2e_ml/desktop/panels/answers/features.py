"""The five answers about what a feature store defines: features, their views and services, and wishes for them."""

from __future__ import annotations

from itertools import islice

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.answers.about import MOST, NO_TIME, About, Line, Lines, told
from e2e_ml.desktop.panels.spans import LISTED, Span, joined, links, listed, quiet, some
from e2e_ml.lineage import questions
from e2e_ml.refs import Kind, feature, source


class Defined(About):
    """What a person has written, and may have said more of."""

    def described(self) -> Lines:
        why = self.node.facts.get("deprecated")
        return [(Span(f"Deprecated: {why}"),) if why else (), self.made_of()]

    def made_of(self) -> Line:
        return ()

    def why(self) -> Lines:
        purpose = str(self.node.facts.get("purpose") or "")
        said = (Span(words.first_sentence(purpose), tip=purpose),) if purpose else ()
        return told([said, *self.justified()], "No purpose is told. Set purpose= in the definition.")


class Computed(Defined):
    """A view or a feature: made on a schedule, or on demand."""

    def when(self) -> Lines:
        facts = self.node.facts
        known = self.times(("since", facts.get("first_seen")), ("written", facts.get("last_written")))
        if facts.get("on_demand"):
            return told([known, (Span("computed when it is asked for"),)], NO_TIME)
        made_by = questions.pipeline(self.graph, self.node.ref)
        dag = self.graph.get(made_by) if made_by else None
        due = dag.facts.get("next_run") if dag else None
        plan = words.schedule(facts.get("schedule"))
        return told([known, self.times(("", plan), self.due(due), ("newest row", facts.get("newest_event")))], NO_TIME)

    def justified(self) -> Lines:
        reach = self.graph.walk(self.node.ref, down=True, depth=4)
        services = list(islice(reach.nodes(Kind.FEATURE_SERVICE), MOST))
        return [(Span("Asked for by ", dim=True), *links(services))] if services else []

    def made_of(self) -> Line:
        return self._from_request() if self.node.facts.get("on_demand") else self._from_source()

    def _from_source(self) -> Line:
        ref = self.node.ref
        name = self.node.facts.get("source")
        if not name:
            return ()
        where = self.graph.get(source(ref.instance, str(name)))
        shown = str(where.facts.get("uri", name)).rsplit("/", 1)[-1] if where else str(name)
        tip = str(where.facts.get("uri") or "") if where else ""
        return Span("from ", dim=True), Span(shown, where.ref if where else None, tip=tip), *self.taken()

    def _from_request(self) -> Line:
        """What something on demand is computed from: values of the request, and features of its own view and others."""
        requested = listed(self.node.facts, "request")
        read = self.read_besides(requested)
        said = [Span("from ", dim=True), *joined([Span(name) for name in requested])]
        if requested:
            said.append(Span(" of the request" + (" and " if read else ""), dim=True))
        return tuple(said + joined(read)) if requested or read else ()

    def taken(self) -> Line:
        """What is taken from the source."""
        entities = listed(self.node.facts, "entities")
        return (Span(f" · one row per {' and '.join(entities)}", dim=True),) if entities else ()

    def read_besides(self, requested: list[str]) -> list[Span]:
        """What it is computed from besides the values of a request."""
        return [Span(view.name, view) for view in questions.views_read(self.graph, self.node.ref)]


class View(Computed):
    def explained(self) -> Lines:
        features = self.down(Kind.FEATURE)
        return [(Span(f"{words.count(len(features), 'feature')}: ", dim=True), *links(features))]


class Feature(Computed):
    def explained(self) -> Lines:
        facts = self.node.facts
        lines: Lines = []
        if not facts.get("expression"):
            lines.append((Span("A column of the source, as it is"),))
        if marks := listed(facts, "marks"):
            lines.append((Span(", ".join(marks)),))
        if constraints := listed(facts, "constraints"):
            lines.append((Span(", ".join(constraints), dim=True),))
        return lines

    def code(self) -> str:
        return str(self.node.facts.get("expression") or "")

    def taken(self) -> Line:
        ref = self.node.ref
        if not (inputs := [name for name in listed(self.node.facts, "inputs") if name != ref.name]):
            return ()
        return Span(": ", dim=True), *joined([self._input(name, ref.keys[0], name) for name in inputs])

    def read_besides(self, requested: list[str]) -> list[Span]:
        read: list[Span] = []
        for name in listed(self.node.facts, "inputs"):
            view, _, own = name.rpartition(".")
            if name not in requested:
                read.append(self._input(name, view or self.node.ref.keys[0], own))
        return read

    def _input(self, said: str, view: str, name: str) -> Span:
        there = feature(self.node.ref.instance, view, name)
        return Span(words.elide_middle(said, 34), there if there in self.graph else None)


class Service(Defined):
    def timed(self) -> Lines:
        return [self.times(("since", self.node.facts.get("first_seen")))]

    def made_of(self) -> Line:
        names = listed(self.node.facts, "features")
        views = {name.split(".")[0] for name in names}
        return (Span(f"{words.count(len(names), 'feature')} of {words.count(len(views), 'view')}"),)

    def explained(self) -> Lines:
        return [links(self.up(Kind.FEATURE))]

    def code(self) -> str:
        target = self.node.facts.get("target")
        return f"target = {target}" if target else ""


class Wish(About):
    def who(self) -> Lines:
        wanted = [vote["by"] for vote in self.node.facts.get("votes") or ()]
        if not wanted:
            return [quiet("Nobody is known to want it.")]
        return [(Span("Wanted by ", dim=True), Span(some(wanted), tip=", ".join(wanted)))]

    def described(self) -> Lines:
        return [(Span("A feature that was looked for and was not there"),)]

    def timed(self) -> Lines:
        facts = self.node.facts
        return [self.times(("wished", facts.get("created")), ("answered", facts.get("answered_at")))]

    def explained(self) -> Lines:
        facts = self.node.facts
        if facts.get("status") == "open":
            return [quiet("Nobody has answered it yet. Its page in the catalog takes an answer.")]
        lines: Lines = []
        if made := str(facts.get("feature") or ""):
            view, _, name = made.partition(".")
            there = feature(self.node.ref.instance, view, name)
            lines.append((Span("It is ", dim=True), Span(made, there if there in self.graph else None)))
        if text := facts.get("answer"):
            lines.append((Span(str(text)),))
        if by := facts.get("answered_by"):
            lines.append((Span(f"says {by}", dim=True),))
        return lines

    def why(self) -> Lines:
        lines: Lines = []
        for vote in (self.node.facts.get("votes") or ())[:LISTED]:
            if why := str(vote["why"]):
                lines.append((Span(words.first_sentence(why), tip=why), Span(f" ({vote['by']})", dim=True)))
        return lines or [quiet("No reason is told.")]
