"""Who, what, when, how and why: the five answers about anything in the lifecycle, as lines of text with links.

Pure, no Qt. A question that the facts leave open gets a quiet sentence that says how to answer it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from e2e_ml.desktop.panels import signs, tree, words
from e2e_ml.desktop.panels.spans import LISTED, Span, joined, link, links, listed, quiet, some
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph, Node, Relation
from e2e_ml.refs import Kind, Ref, experiment, feature, registered_model, source

_FEW, _MOST = 20, 200  # things that are looked at where a thing has very many
QUESTIONS = ("Who", "What", "When", "How", "Why")
_BEGUN = {
    "scheduled": "Begun by its schedule",
    "manual": "Begun by hand",
    "backfill": "Begun by a backfill",
    "asset_triggered": "Begun by new data in its assets",
}


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    lines: tuple[tuple[Span, ...], ...]
    code: str = ""

    @property
    def text(self) -> str:
        """What a person reads, without the code."""
        return "\n".join("".join(span.text for span in line) for line in self.lines)


Lines = list[tuple[Span, ...]]


def five_answers(graph: Graph, ref: Ref, now: datetime, uses: questions.Uses | None = None) -> tuple[Answer, ...]:
    """The answers about `ref`, in the order of `QUESTIONS`; what is not in the graph yet has what its name says.

    `uses` are those of `ref`, where they are known already: to find them anew costs as much as all the answers.
    """
    node = graph.get(ref) or Node(ref)
    about = _About(graph, node, now, uses)
    lines = (about.who(), about.what(), about.when(), about.how(), about.why())
    code = {"How": about.code()}
    return tuple(
        Answer(question, tuple(said), code.get(question, "")) for question, said in zip(QUESTIONS, lines, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _About:
    graph: Graph
    node: Node
    now: datetime
    uses: questions.Uses | None = None

    @property
    def kind(self) -> Kind:
        return self.node.ref.kind

    # Who.

    def who(self) -> Lines:
        if self.kind is Kind.WISH:
            wanted = [vote["by"] for vote in self.node.facts.get("votes") or ()]
            named = (Span("Wanted by ", dim=True), Span(some(wanted), tip=", ".join(wanted)))
            return [named if wanted else quiet("Nobody is known to want it.")]
        for node in self._owners():
            if owner := node.facts.get("owner") or node.facts.get("user") or node.facts.get("applied_by"):
                said = [Span(str(owner))]
                if node is not self.node:
                    said += [Span(f", {_role(node)} ", dim=True), link(node)]
                email = node.facts.get("owner_email")
                return [tuple(said), *(((Span(str(email), dim=True),),) if email else ())]
        return [quiet("Nobody is named. Set owner= in the definition, or the DAG's owner.")]

    def _owners(self) -> Iterable[Node]:
        yield self.node
        match self.kind:
            case Kind.SOURCE | Kind.ENTITY:
                yield from self._down(Kind.FEATURE_VIEW)
            case Kind.MODEL_VERSION:
                yield from self._up(Kind.RUN)
            case Kind.REGISTERED_MODEL:
                for version in self._up(Kind.MODEL_VERSION):
                    yield from self.graph.get_all((e.upstream for e in self.graph.upstream(version.ref)), Kind.RUN)
            case _:
                yield from self._up(Kind.DAG)
        parent = self.node.ref.parent
        if parent is not None and parent.kind is not Kind.PROJECT:  # who applied a project owns none of it by that
            yield self.graph.get(parent) or Node(parent)

    # What.

    def what(self) -> Lines:
        facts = self.node.facts
        lines: Lines = []
        if text := facts.get("description"):
            lines.append((Span(words.first_sentence(str(text)), tip=str(text)),))
        if why := facts.get("deprecated"):
            lines.append((Span(f"Deprecated: {why}"),))
        match self.kind:
            case Kind.FEATURE | Kind.FEATURE_VIEW if facts.get("on_demand"):
                lines.append(self._from_request())
            case Kind.FEATURE | Kind.FEATURE_VIEW:
                lines.append(self._from_source())
            case Kind.WISH:
                lines.append((Span("A feature that was looked for and was not there"),))
            case Kind.FEATURE_SERVICE:
                n, views = (
                    len(facts.get("features") or ()),
                    len({str(f).split(".")[0] for f in listed(facts, "features")}),
                )
                lines.append((Span(f"{words.count(n, 'feature')} of {words.count(views, 'view')}"),))
            case Kind.SOURCE:
                columns = listed(facts, "columns")
                more = f" · {words.count(len(columns), 'column')}" if columns else ""
                lines.append(
                    (Span(str(facts.get("uri") or self.node.title), tip=", ".join(columns)), Span(more, dim=True))
                )
            case Kind.ENTITY:
                lines.append((Span("The key of ", dim=True), *links(self._down(Kind.FEATURE_VIEW))))
            case Kind.DAG:
                tags = listed(facts, "tags")
                lines.append((Span("Makes ", dim=True), *self._made()))
                if tags:
                    lines.append((Span("tagged " + ", ".join(tags), dim=True),))
            case Kind.DAG_RUN | Kind.TASK | Kind.TASK_INSTANCE:
                parent = self.node.ref.parent
                lines.append((Span(f"A {self.kind} of ", dim=True), *((link(Node(parent)),) if parent else ())))
            case Kind.RUN:
                lines.append((Span("A training run of ", dim=True), self._experiment()))
            case Kind.MODEL_VERSION:
                model = registered_model(self.node.ref.instance, self.node.ref.keys[0])
                names = ", ".join(tree.aliases(self.node))
                lines.append((Span(f"Version {self.node.ref.name} of ", dim=True), link(Node(model)),
                              *((Span(f", {names}"),) if names else ())))  # fmt: skip
            case Kind.REGISTERED_MODEL:
                versions = self._up(Kind.MODEL_VERSION)
                lines.append((Span(words.count(len(versions), "version")),))
            case Kind.EXPERIMENT:
                lines.append((Span(words.count(len(self._down(Kind.RUN)), "run")),))
            case _:
                pass
        return [line for line in lines if line] or [quiet("No description. Add one where it is defined.")]

    def _from_source(self) -> tuple[Span, ...]:
        facts, ref = self.node.facts, self.node.ref
        name = facts.get("source")
        if not name:
            return ()
        where = self.graph.get(source(ref.instance, str(name)))
        shown = str(where.facts.get("uri", name)).rsplit("/", 1)[-1] if where else str(name)
        said = [
            Span("from ", dim=True),
            Span(shown, where.ref if where else None, tip=str(where.facts.get("uri") or "") if where else ""),
        ]
        if self.kind is Kind.FEATURE and (inputs := [i for i in listed(facts, "inputs") if i != ref.name]):
            said.append(Span(": ", dim=True))
            refs = [feature(ref.instance, ref.keys[0], i) for i in inputs]
            known = [
                Span(words.elide_middle(i, 34), r if r in self.graph else None)
                for i, r in zip(inputs, refs, strict=True)
            ]
            said += joined(known)
        elif entities := listed(facts, "entities"):
            said.append(Span(f" · one row per {' and '.join(entities)}", dim=True))
        return tuple(said)

    def _from_request(self) -> tuple[Span, ...]:
        """What something on demand is computed from: values of the request, and features of its own view and others."""
        ref = self.node.ref
        requested = listed(self.node.facts, "request")
        if ref.kind is Kind.FEATURE_VIEW:
            read = [Span(view.name, view) for view in questions.views_read(self.graph, ref)]
        else:
            read: list[Span] = []
            for name in listed(self.node.facts, "inputs"):
                view, _, own = name.rpartition(".")
                there = feature(ref.instance, view or ref.keys[0], own)
                if name not in requested:
                    read.append(Span(words.elide_middle(name, 34), there if there in self.graph else None))
        said = [Span("from ", dim=True), *joined([*[Span(name) for name in requested]])]
        if requested:
            said.append(Span(" of the request" + (" and " if read else ""), dim=True))
        return tuple(said + joined(read)) if requested or read else ()

    def _made_line(self) -> tuple[Span, ...]:
        return (Span("Its DAG makes ", dim=True), *self._made())

    def _made(self) -> tuple[Span, ...]:
        relations = (Relation.PRODUCES, Relation.STARTED)
        made = [e.downstream for e in self.graph.downstream(self.node.ref, _MOST) if e.relation in relations]
        nodes = [n for ref in made if (n := self.graph.get(ref)) and ref.kind is not Kind.ASSET]
        return links(nodes) or (Span("nothing that is known here", dim=True),)

    def _experiment(self) -> Span:
        facts = self.node.facts
        name, id_ = facts.get("experiment"), facts.get("experiment_id")
        ref = experiment(self.node.ref.instance, str(id_)) if id_ else None
        return Span(str(name or id_ or "an experiment"), ref)

    # When.

    def when(self) -> Lines:
        facts, lines = self.node.facts, list[tuple[Span, ...]]()
        match self.kind:
            case Kind.DAG:
                plan, last = words.schedule(facts.get("schedule")), facts.get("last_run")
                lines.append(self._times(("", plan), ("last run", last), self._due(facts.get("next_run"))))
            case Kind.DAG_RUN | Kind.RUN | Kind.TASK_INSTANCE:
                entry = signs.run_facts(self.graph, self.node.ref)
                lines.append(self._times(("started", entry.get("start")), ("", _took(entry))))
                lines.append(self._interval(entry))
            case Kind.FEATURE | Kind.FEATURE_VIEW | Kind.FEATURE_SERVICE:
                lines.append(self._times(("since", facts.get("first_seen")), ("written", facts.get("last_written"))))
                made_by = questions.pipeline(self.graph, self.node.ref)
                dag = self.graph.get(made_by) if made_by and self.kind is not Kind.FEATURE_SERVICE else None
                due = dag.facts.get("next_run") if dag else None
                if facts.get("on_demand"):
                    lines.append((Span("computed when it is asked for"),))
                    return lines
                lines.append(self._times(("", words.schedule(facts.get("schedule"))), self._due(due),
                                         ("newest row", facts.get("newest_event"))))  # fmt: skip
            case Kind.MODEL_VERSION:
                lines.append(self._times(("registered", facts.get("created"))))
            case Kind.WISH:
                lines.append(self._times(("wished", facts.get("created")), ("answered", facts.get("answered_at"))))
            case Kind.PROJECT:
                lines.append(self._times(("applied", facts.get("applied_at"))))
            case Kind.REGISTERED_MODEL:
                created = [str(at) for v in self._up(Kind.MODEL_VERSION) if (at := v.facts.get("created"))]
                lines.append(self._times(("newest version", max(created, default=None))))
            case _:
                lines.append(self._newest_below())
        return [line for line in lines if line] or [quiet("No time is known.")]

    def _times(self, *parts: tuple[str, Any]) -> tuple[Span, ...]:
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
            told = words.day(at, self.now) if word == "since" else words.relative(at, self.now)
            said.append(Span(told, tip=words.exact(at)))
        return tuple(said)

    def _due(self, value: Any) -> tuple[str, Any]:
        at = words.moment(value)
        return ("was due" if at is not None and at < self.now else "next run"), value

    def _interval(self, entry: Mapping[str, Any]) -> tuple[Span, ...]:
        start, end = words.moment(entry.get("interval_start")), words.moment(entry.get("interval_end"))
        if start is None or end is None:
            return ()
        tip = f"{words.exact(start)} to {words.exact(end)}"
        return (Span("data of ", dim=True), Span(words.interval(start, end, self.now), tip=tip))

    def _newest_below(self) -> tuple[Span, ...]:
        found: list[str] = []
        walk = self.graph.walk(self.node.ref, down=True, depth=2)
        for kind in walk.counts():
            below = self.graph.get_all(walk.newest(kind, _FEW))
            found += [str(v) for n in below for k in ("last_written", "start") if (v := n.facts.get(k))]
        return self._times(("last used", max(found, default=None)))

    # How.

    def how(self) -> Lines:
        facts, lines = self.node.facts, list[tuple[Span, ...]]()
        match self.kind:
            case Kind.FEATURE:
                if not facts.get("expression"):
                    lines.append((Span("A column of the source, as it is"),))
                if marks := listed(facts, "marks"):
                    lines.append((Span(", ".join(marks)),))
                if constraints := listed(facts, "constraints"):
                    lines.append((Span(", ".join(constraints), dim=True),))
            case Kind.FEATURE_VIEW:
                features = self._down(Kind.FEATURE)
                lines.append((Span(f"{words.count(len(features), 'feature')}: ", dim=True), *links(features)))
            case Kind.FEATURE_SERVICE:
                lines.append(links(self._up(Kind.FEATURE)))
            case Kind.WISH:
                lines += self._answered()
            case Kind.SOURCE | Kind.ENTITY:
                lines.append((Span("Read by ", dim=True), *links(self._down(Kind.FEATURE_VIEW))))
            case Kind.RUN:
                lines += self._run_inputs()
                params: Mapping[str, Any] = facts.get("params") or {}
                text = ", ".join(f"{k} = {v}" for k, v in list(params.items())[:LISTED])
                lines.append(
                    (Span(text, dim=True, tip=", ".join(f"{k} = {v}" for k, v in params.items())),) if text else ()
                )
            case Kind.MODEL_VERSION:
                runs = self._up(Kind.RUN)
                lines.append((Span("Trained by ", dim=True), *links(runs)) if runs else ())
                for run in runs:
                    lines += _About(self.graph, run, self.now)._run_inputs()
            case Kind.REGISTERED_MODEL:
                lines.append((Span("Versions ", dim=True), *links(self._up(Kind.MODEL_VERSION))))
            case Kind.DAG_RUN:
                kind = str(facts.get("run_type") or self.node.ref.name.partition("__")[0])
                lines.append((Span(_BEGUN.get(kind, f"Begun as {kind.replace('_', ' ')}")),))
            case Kind.DAG:
                up = self._up(Kind.ASSET)
                lines.append((Span("Begun by the schedule" if not up else "Begun by assets: "), *links(up)))
            case _:
                pass
        return [line for line in lines if line] or ([] if self.code() else [quiet("Not told by its service.")])

    def _answered(self) -> Lines:
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

    def _run_inputs(self) -> Lines:
        ref = self.node.ref
        fed = [e.upstream for e in self.graph.upstream(ref) if e.relation is Relation.TRAINS]
        lines: Lines = []
        if fed:
            lines.append((Span("Learned from ", dim=True), *links(self.graph.get_all(fed))))
        if dag := questions.pipeline(self.graph, ref):
            lines.append((Span("Started by ", dim=True), link(self.graph.get(dag) or Node(dag)), *self._dag_run(ref)))
        return lines

    def _dag_run(self, run: Ref) -> tuple[Span, ...]:
        ups = (e.upstream for e in self.graph.upstream(run) if e.upstream.kind is Kind.TASK_INSTANCE)
        found = next((up.parent for up in ups if up.parent), None)
        if found is None:
            return ()
        at = words.moment(signs.run_facts(self.graph, found).get("start"))
        return Span(", ", dim=True), Span(words.run_label(found.name, at, self.now), found, tip=found.name)

    def code(self) -> str:
        match self.kind:
            case Kind.FEATURE:
                return str(self.node.facts.get("expression") or "")
            case Kind.FEATURE_SERVICE:
                target = self.node.facts.get("target")
                return f"target = {target}" if target else ""
            case _:
                return ""

    # Why.

    def why(self) -> Lines:
        facts, lines = self.node.facts, list[tuple[Span, ...]]()
        if purpose := facts.get("purpose"):
            lines.append((Span(words.first_sentence(str(purpose)), tip=str(purpose)),))
        if metrics := facts.get("metrics"):
            best = tree.main_metric(self.node)
            rest = ", ".join(f"{tree.metric_label(k)} {words.number(v)}" for k, v in metrics.items())
            if best:
                lines.append((Span(f"{tree.metric_label(best[0])} {words.number(best[1])}", tip=rest),))
        for vote in (facts.get("votes") or ())[:LISTED]:
            if why := str(vote["why"]):
                lines.append((Span(words.first_sentence(why), tip=why), Span(f" ({vote['by']})", dim=True)))
        if self.kind is Kind.WISH:
            return lines or [quiet("No reason is told.")]
        services = self._services()
        if services:
            lines.append((Span("Asked for by ", dim=True), *links(services)))
        lines.append(self._stands_on_it())
        said = [line for line in lines if line]
        if said:
            return said
        undefined = self.kind in (Kind.FEATURE, Kind.FEATURE_VIEW, Kind.FEATURE_SERVICE)
        return [
            quiet(
                "No purpose is told. Set purpose= in the definition." if undefined else "Nothing stands on it so far."
            )
        ]

    def _services(self) -> list[Node]:
        if self.kind not in (Kind.FEATURE, Kind.FEATURE_VIEW):
            return []
        reach = self.graph.walk(self.node.ref, down=True, depth=4)
        return list(islice(reach.nodes(Kind.FEATURE_SERVICE), _MOST))

    def _stands_on_it(self) -> tuple[Span, ...]:
        if self.kind is Kind.REGISTERED_MODEL:
            named = [v for v in self._up(Kind.MODEL_VERSION) if tree.aliases(v)]
            spans = [Span(f"v{v.ref.name} is {', '.join(tree.aliases(v))}", v.ref) for v in named]
            return tuple(joined(spans))
        if self.kind is Kind.MODEL_VERSION and (names := tree.aliases(self.node)):
            return (Span(f"It is the {' and the '.join(names)} of {self.node.ref.keys[0]}"),)
        if self.kind in (Kind.DAG_RUN, Kind.TASK, Kind.TASK_INSTANCE):
            dag = questions.dag_of(self.node.ref)
            return _About(self.graph, self.graph.get(dag) or Node(dag), self.now)._made_line() if dag else ()
        if self.kind is Kind.RUN:
            made = self._down(Kind.MODEL_VERSION)
            return (Span("Registered as ", dim=True), *links(made)) if made else ()
        if self.kind in (Kind.FEATURE, Kind.FEATURE_VIEW, Kind.MODEL_VERSION, Kind.REGISTERED_MODEL, Kind.EXPERIMENT):
            return ()
        found = self.uses or questions.uses_in_all(self.graph, self.node.ref, _FEW)
        if not found.runs:
            return ()
        models = list(dict.fromkeys(v.ref.keys[0] for use in found.runs for v in use.versions))
        text = words.count(found.total, "run") + (f" and {some(models)}" if models else "")
        return (Span(f"{text} stand on it", tip=", ".join(models) if len(models) > LISTED else ""),)

    # Walking one edge.

    def _down(self, kind: Kind) -> list[Node]:
        if self.graph.degree(self.node.ref, down=True) > _MOST:
            return self.graph.get_all(self.graph.walk(self.node.ref, down=True, depth=1).newest(kind, _MOST))
        return self.graph.get_all((e.downstream for e in self.graph.downstream(self.node.ref)), kind)

    def _up(self, kind: Kind) -> list[Node]:
        if self.graph.degree(self.node.ref, down=False) > _MOST:
            return self.graph.get_all(self.graph.walk(self.node.ref, down=False, depth=1).newest(kind, _MOST))
        return self.graph.get_all((e.upstream for e in self.graph.upstream(self.node.ref)), kind)


def _took(entry: Mapping[str, Any]) -> str:
    start, end = words.moment(entry.get("start")), words.moment(entry.get("end"))
    return f"took {words.duration((end - start).total_seconds())}" if start and end else ""


def _role(node: Node) -> str:
    if node.facts.get("owner"):
        return "who owns"
    return "who ran" if node.facts.get("user") else "who applied"
