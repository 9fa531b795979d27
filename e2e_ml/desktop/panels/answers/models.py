"""The five answers about what MLflow keeps: experiments, runs, registered models and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from e2e_ml.desktop.panels import signs, tree, words
from e2e_ml.desktop.panels.answers.about import About, Line, Lines
from e2e_ml.desktop.panels.answers.pipelines import run_times
from e2e_ml.desktop.panels.spans import LISTED, Span, joined, link, links
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Node, Relation
from e2e_ml.refs import Kind, experiment, registered_model


class Experiment(About):
    def described(self) -> Lines:
        return [(Span(words.count(len(self.down(Kind.RUN)), "run")),)]

    def justified(self) -> Lines:
        return []


class Measured(About):
    """What has metrics: the main one says why it is there."""

    def measure(self) -> Line:
        metrics: Mapping[str, Any] = self.node.facts.get("metrics") or {}
        best = tree.main_metric(self.node) if metrics else None
        if not best:
            return ()
        rest = ", ".join(f"{tree.metric_label(k)} {words.number(v)}" for k, v in metrics.items())
        return (Span(f"{tree.metric_label(best[0])} {words.number(best[1])}", tip=rest),)


class Run(Measured):
    def described(self) -> Lines:
        facts = self.node.facts
        name, id_ = facts.get("experiment"), facts.get("experiment_id")
        ref = experiment(self.node.ref.instance, str(id_)) if id_ else None
        return [(Span("A training run of ", dim=True), Span(str(name or id_ or "an experiment"), ref))]

    def timed(self) -> Lines:
        return run_times(self)

    def explained(self) -> Lines:
        params: Mapping[str, Any] = self.node.facts.get("params") or {}
        text = ", ".join(f"{k} = {v}" for k, v in list(params.items())[:LISTED])
        whole = ", ".join(f"{k} = {v}" for k, v in params.items())
        return [*self.inputs(), (Span(text, dim=True, tip=whole),) if text else ()]

    def justified(self) -> Lines:
        made = self.down(Kind.MODEL_VERSION)
        return [self.measure(), (Span("Registered as ", dim=True), *links(made)) if made else ()]

    def inputs(self) -> Lines:
        """What it learned from, and what started it."""
        ref = self.node.ref
        fed = [e.upstream for e in self.graph.upstream(ref) if e.relation is Relation.TRAINS]
        lines: Lines = []
        if fed:
            lines.append((Span("Learned from ", dim=True), *links(self.graph.get_all(fed))))
        if dag := questions.pipeline(self.graph, ref):
            lines.append((Span("Started by ", dim=True), link(self.graph.get(dag) or Node(dag)), *self._dag_run()))
        return lines

    def _dag_run(self) -> Line:
        ups = (e.upstream for e in self.graph.upstream(self.node.ref) if e.upstream.kind is Kind.TASK_INSTANCE)
        found = next((up.parent for up in ups if up.parent), None)
        if found is None:
            return ()
        at = words.moment(signs.run_facts(self.graph, found).get("start"))
        return Span(", ", dim=True), Span(words.run_label(found.name, at, self.now), found, tip=found.name)


class RegisteredModel(About):
    def owners(self) -> Iterator[Node]:
        for version in self.up(Kind.MODEL_VERSION):
            yield from self.graph.get_all((e.upstream for e in self.graph.upstream(version.ref)), Kind.RUN)

    def described(self) -> Lines:
        return [(Span(words.count(len(self.up(Kind.MODEL_VERSION)), "version")),)]

    def timed(self) -> Lines:
        created = [str(at) for version in self.up(Kind.MODEL_VERSION) if (at := version.facts.get("created"))]
        return [self.times(("newest version", max(created, default=None)))]

    def explained(self) -> Lines:
        return [(Span("Versions ", dim=True), *links(self.up(Kind.MODEL_VERSION)))]

    def justified(self) -> Lines:
        named = [version for version in self.up(Kind.MODEL_VERSION) if tree.aliases(version)]
        return [tuple(joined([Span(f"v{v.ref.name} is {', '.join(tree.aliases(v))}", v.ref) for v in named]))]


class ModelVersion(Measured):
    def owners(self) -> Iterable[Node]:
        return self.up(Kind.RUN)

    def described(self) -> Lines:
        ref, names = self.node.ref, ", ".join(tree.aliases(self.node))
        model = link(Node(registered_model(ref.instance, ref.keys[0])))
        return [(Span(f"Version {ref.name} of ", dim=True), model, *((Span(f", {names}"),) if names else ()))]

    def timed(self) -> Lines:
        return [self.times(("registered", self.node.facts.get("created")))]

    def explained(self) -> Lines:
        runs = self.up(Kind.RUN)
        lines: Lines = [(Span("Trained by ", dim=True), *links(runs))] if runs else []
        for run in runs:
            lines += Run(self.graph, run, self.now).inputs()
        return lines

    def justified(self) -> Lines:
        names = tree.aliases(self.node)
        said = f"It is the {' and the '.join(names)} of {self.node.ref.keys[0]}"
        return [self.measure(), (Span(said),) if names else ()]
