"""What the explorer lists at each stage of the lifecycle: rows built from a graph. Pure, no Qt.

A stage may have tens of thousands of rows, of which a person sees thirty. So a list is built step by step, with room
for other things in between, and what a row shows is told only when it comes into sight: it grows old, too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.lineage.graph import Graph, Node, Relation
from e2e_ml.lineage.questions import CHAMPION
from e2e_ml.refs import Kind, Ref, dag_run, feature

RECENT = 8  # runs listed under a DAG
LISTED = 50  # runs of an experiment and versions of a model listed one by one, the newest


T = TypeVar("T")
Steps = Generator[None, None, T]  # a long reading, a little at a time


@dataclass(frozen=True, slots=True)
class Shown:
    """What a row shows: a name at the left, a secondary word or a chip at the right, a mark for its state."""

    text: str
    right: str = ""
    chip: Sign | None = None  # replaces `right`
    mark: Sign | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    key: Ref | str  # stable over graph replacements: expansion and selection are kept by it
    tell: Callable[[datetime], Shown]  # by the clock, and the facts as they are then
    ref: Ref | None = None  # None: a heading
    search: str = ""  # lower case: every word that finds it
    children: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    noun: str  # what the search counts
    counted: Kind
    empty: str  # what would fill it
    steps: Callable[[Graph], Steps[list[Row]]]

    def build(self, graph: Graph) -> tuple[Row, ...]:
        """All of its rows, at once."""
        return tuple(finish(self.steps(graph)))


def finish(steps: Steps[T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def size(rows: Iterable[Row]) -> int:
    return sum(1 + size(row.children) for row in rows)


def narrow(rows: Sequence[Row], query: str) -> tuple[Row, ...]:
    """The rows that hold every word of `query`, with those above them; a row found by itself keeps what is below."""
    wanted = query.lower().split()
    return tuple(rows) if not wanted else _narrow(rows, wanted)


def _narrow(rows: Iterable[Row], wanted: list[str]) -> tuple[Row, ...]:
    kept: list[Row] = []
    for row in rows:
        found = row.ref is not None and all(word in row.search for word in wanted)
        below = _narrow(row.children, wanted) if row.children else ()
        if below:
            kept.append(replace(row, children=below))
        elif found:
            kept.append(row)
    return tuple(kept)


Tell = Callable[[datetime], Shown]


def _row(node: Node, tell: Tell | None = None, *, search: str = "", children: tuple[Row, ...] = ()) -> Row:
    facts = node.facts
    tags = facts.get("tags") or ()
    found_by = (node.title, node.ref.name, search, facts.get("description"), facts.get("owner"), *tags)
    tell = tell or partial(_title, node)
    return Row(
        node.ref, tell if node.gone_since is None else partial(_gone, node, tell), node.ref,
        " ".join(str(word) for word in found_by if word).lower(), children,
    )  # fmt: skip


def _title(node: Node, _now: datetime, right: str = "") -> Shown:
    return Shown(node.title, right, tip=_description(node))


def _description(node: Node) -> str:
    return str(node.facts.get("description") or "")


def _gone(node: Node, tell: Tell, now: datetime) -> Shown:
    said = words.exact(node.gone_since) if node.gone_since else ""
    return replace(tell(now), chip=Sign(Tone.QUIET, "gone", f"Deleted in its service, seen last {said}."))


def _heading(key: str, text: str, children: Iterable[Row]) -> Row:
    return Row(key, lambda _now: Shown(text), children=tuple(children))


def _sections(nodes: Iterable[Node], title: str, make: Callable[[Node], Row]) -> Steps[list[Row]]:
    """A heading for each instance (project or connection); its name is told only where there are several."""
    by_instance: dict[str, list[Row]] = {}
    for node in nodes:
        by_instance.setdefault(node.ref.instance, []).append(make(node))
        yield
    several = len(by_instance) > 1
    return [
        _heading(f"{title}/{name}", f"{title} · {name}" if several else title, rows)
        for name, rows in sorted(by_instance.items())
    ]


def _by_title(graph: Graph, kind: Kind) -> Steps[list[Node]]:
    nodes: list[Node] = []
    for node in graph.nodes(kind):
        nodes.append(node)
        yield
    return sorted(nodes, key=lambda node: node.title.lower())


def _listed(graph: Graph, kind: Kind, title: str, make: Callable[[Node], Row]) -> Steps[list[Row]]:
    nodes = yield from _by_title(graph, kind)
    return (yield from _sections(nodes, title, make))


def _data(graph: Graph) -> Steps[list[Row]]:
    def source(node: Node, _now: datetime) -> Shown:
        return Shown(node.title, str(node.facts.get("format") or ""), tip=str(node.facts.get("uri") or ""))

    def entity(node: Node, now: datetime) -> Shown:
        return _title(node, now, str(node.facts.get("dtype") or ""))

    sources = yield from _listed(graph, Kind.SOURCE, "Sources", lambda n: _row(n, partial(source, n)))
    return sources + (yield from _listed(graph, Kind.ENTITY, "Entities", lambda n: _row(n, partial(entity, n))))


def _features(graph: Graph) -> Steps[list[Row]]:
    known: dict[Ref, Node] = {}
    for node in graph.nodes(Kind.FEATURE):
        known[node.ref] = node
        yield
    for _ in graph.nodes(Kind.DAG):  # a view tells how its DAG fares: not one by one, when they come into sight
        yield

    def of_feature(node: Node) -> Row:
        return _row(
            node, lambda now: _title(node, now, str(node.facts.get("dtype") or "")), search=".".join(node.ref.keys)
        )

    def of_view(node: Node) -> Row:
        # Its keys and its time have the names of features too, where others tell of its columns.
        named = [
            feature(node.ref.instance, node.ref.name, str(name), node.ref.scheme)
            for name in node.facts.get("features") or ()
        ]
        held = [edge.downstream for edge in graph.downstream(node.ref) if edge.relation is Relation.CONTAINS]
        below = [known[ref] for ref in dict.fromkeys([*named, *held]) if ref in known]

        def tell(now: datetime) -> Shown:
            sign = signs.freshness(graph, node.ref, now)
            loud = sign if sign and sign.tone in (Tone.WARN, Tone.BAD) else None
            right = "" if node.facts.get("event_time") else "on demand" if node.facts.get("on_demand") else "no time"
            return Shown(node.title, right, loud, sign, _description(node))

        return _row(node, tell, children=tuple(map(of_feature, below)))

    def of_service(node: Node) -> Row:
        n = len(node.facts.get("features") or ())
        return _row(node, lambda now: _title(node, now, words.count(n, "feature") if n else ""))

    def of_wish(node: Node) -> Row:
        open_, n = node.facts.get("status") == "open", len(node.facts.get("votes") or ())
        said = f"wanted by {n}" if open_ else str(node.facts.get("status") or "")
        return _row(node, lambda now: _title(node, now, said))

    views = yield from _listed(graph, Kind.FEATURE_VIEW, "Views", of_view)
    services = yield from _listed(graph, Kind.FEATURE_SERVICE, "Services", of_service)
    return [*views, *services, *(yield from _listed(graph, Kind.WISH, "Wishes", of_wish))]


def _pipelines(graph: Graph) -> Steps[list[Row]]:
    """festaf's own DAGs stand under their common prefix, so that what tells them apart can be read."""

    def of_dag(node: Node) -> Row:
        runs = tuple(_dag_run_row(node.ref, entry) for entry in (node.facts.get("recent") or ())[:RECENT])
        prefix = festaf_prefix(node.ref.name)
        text = node.ref.name.removeprefix(f"{prefix}.") if prefix else node.title
        tip = "\n".join(t for t in (node.ref.name, _description(node)) if t)

        def tell(now: datetime) -> Shown:
            sign = signs.of(graph, node.ref, now) or Sign(Tone.QUIET, "never ran")
            due = words.moment(node.facts.get("next_run"))
            right = words.relative(due, now) if due else words.schedule(node.facts.get("schedule"))
            loud = sign if sign.tone in (Tone.WARN, Tone.BAD, Tone.LIVE) else None
            return Shown(text, right, loud, sign, tip)

        return _row(node, tell, children=runs)

    groups: dict[str, list[Node]] = {}
    for node in (yield from _by_title(graph, Kind.DAG)):
        groups.setdefault(festaf_prefix(node.ref.name), []).append(node)
    rows: list[Row] = []
    for prefix in sorted(groups):
        rows += yield from _sections(groups[prefix], prefix or "DAGs", of_dag)
    return rows


def festaf_prefix(dag_id: str) -> str:
    """ "festaf.flights" of "festaf.flights.plane"; empty for a DAG that festaf did not make."""
    parts = dag_id.split(".", 2)
    return ".".join(parts[:2]) if len(parts) == 3 and parts[0] == "festaf" else ""


def _dag_run_row(dag: Ref, entry: Mapping[str, Any]) -> Row:
    run_id, sign = str(entry.get("run_id")), signs.of_state(entry.get("state"))
    ref = dag_run(dag.instance, dag.name, run_id)

    def tell(now: datetime) -> Shown:
        start, end = words.moment(entry.get("start")), words.moment(entry.get("end"))
        took = words.duration((end - start).total_seconds()) if start and end else ""
        tip = f"{run_id}\n{sign.word}" + (f", started {words.exact(start)}" if start else "")
        return Shown(words.run_label(run_id, start, now), took or sign.word, mark=sign, tip=tip)

    return Row(ref, tell, ref, f"{run_id} {sign.word}".lower())


def _experiments(graph: Graph) -> Steps[list[Row]]:
    def of_run(run: Node) -> Row:
        def tell(now: datetime) -> Shown:
            return Shown(run.title, _figure(run), mark=signs.of(graph, run.ref, now), tip=_run_tip(run))

        return _row(run, tell)

    def of_experiment(node: Node) -> Row:
        walk = graph.walk(node.ref, down=True, depth=1)
        total = walk.counts().get(Kind.RUN, 0)
        runs = map(of_run, graph.get_all(walk.newest(Kind.RUN, LISTED)))
        return _row(
            node, lambda now: _title(node, now, words.count(total, "run")), children=(*runs, *_older(node, total))
        )

    return (yield from _listed(graph, Kind.EXPERIMENT, "Experiments", of_experiment))


def _models(graph: Graph) -> Steps[list[Row]]:
    def of_version(v: Node) -> Row:
        def tell(_now: datetime) -> Shown:
            return Shown(f"v{v.ref.name}", _figure(v), alias_sign(v), tip=metric_text(v))

        return _row(v, tell, search=f"{v.ref.keys[0]} v{v.ref.name} {' '.join(aliases(v))}")

    def of_model(node: Node) -> Row:
        walk = graph.walk(node.ref, down=False, depth=1)
        total = walk.counts().get(Kind.MODEL_VERSION, 0)
        newest = graph.get_all(walk.newest(Kind.MODEL_VERSION, LISTED))
        versions = map(of_version, sorted(newest, key=_version_number, reverse=True))
        return _row(
            node, lambda now: _title(node, now, words.count(total, "version")),
            children=(*versions, *_older(node, total)),
        )  # fmt: skip

    return (yield from _listed(graph, Kind.REGISTERED_MODEL, "Models", of_model))


def _older(node: Node, total: int) -> tuple[Row, ...]:
    """What tells of the things that are not listed one by one; it leads to where all of them are."""
    if total <= LISTED:
        return ()
    shown = Shown(f"{total - LISTED:,} older", tip=f"All of them are in {node.title}.")
    return (Row(f"{node.ref}/older", lambda _now: shown, node.ref),)


def _version_number(node: Node) -> int:
    return int(node.ref.name) if node.ref.name.isdigit() else -1


def aliases(version: Node) -> tuple[str, ...]:
    return tuple(str(alias) for alias in version.facts.get("aliases") or ())


def alias_sign(version: Node) -> Sign | None:
    """The chip of a version's aliases: the champion's is green, as a person looks for it first."""
    names = aliases(version)
    if not names:
        return None
    return Sign(Tone.OK if CHAMPION in names else Tone.LIVE, ", ".join(names), f"aliases: {', '.join(names)}")


# Metric names in the order people choose a model by; the first one present is the main one.
_MAIN = ("auc", "roc_auc", "pr_auc", "average_precision", "f1", "accuracy", "r2", "rmse", "mae", "log_loss", "loss")


_OF_TOOLS = ("feast.", "system/")  # what a tool measured of itself, not of the model


def main_metric(node: Node) -> tuple[str, float] | None:
    """The metric that stands for a run or version: a known name, also as `test_auc`, else the first by name."""
    metrics: Mapping[str, float] = node.facts.get("metrics") or {}
    for wanted in _MAIN:
        for prefix in ("", "test_", "val_", "valid_", "eval_", "holdout_"):
            for name in (prefix + wanted, prefix + wanted + "_score"):
                if name in metrics:
                    return name, metrics[name]
    of_the_model = {name: value for name, value in metrics.items() if not name.startswith(_OF_TOOLS)}
    return next(iter(sorted((of_the_model or metrics).items())), None)


def _figure(node: Node) -> str:
    """The main metric's value alone: a list is narrow, and its name stands in the tooltip."""
    found = main_metric(node)
    return words.number(found[1]) if found else ""


def _run_tip(run: Node) -> str:
    return "\n".join(part for part in (run.title, metric_text(run), run.ref.name) if part)


def metric_text(node: Node) -> str:
    found = main_metric(node)
    return f"{metric_label(found[0])} {words.number(found[1])}" if found else ""


def metric_label(name: str) -> str:
    """ "auc" is written "AUC"; every other metric stays as its run calls it."""
    return name.upper() if name in ("auc", "rmse", "mae", "mse", "r2", "f1") else name


_UNBUILT = "This stage is not part of the workbench yet. It will hold {}."


def _unbuilt(name: str, holds: str) -> Stage:
    return Stage(name, "item", Kind.PROJECT, _UNBUILT.format(holds), _nothing)


def _nothing(_graph: Graph) -> Steps[list[Row]]:
    yield
    return []


STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("Data", "source", Kind.SOURCE,
              "No sources yet. They appear when a feature view that reads one is applied: e2e-ml festaf apply.", _data),
        Stage("Features", "feature", Kind.FEATURE,
              "No features yet. Write a FeatureView in the project and run e2e-ml festaf apply: it appears here.",
              _features),
        Stage("Pipelines", "DAG", Kind.DAG,
              "No DAGs yet. They appear as soon as Airflow is up and has read its DAG folder.", _pipelines),
        Stage("Experiments", "run", Kind.RUN,
              "No experiments yet. Log a run to MLflow, or trigger the training DAG: it appears here.", _experiments),
        Stage("Models", "model version", Kind.MODEL_VERSION,
              "No models yet. Register one in MLflow (registered_model_name=…): its versions appear here.", _models),
        _unbuilt("Serving", "endpoints, the versions they answer with, and the models that wait for their turn"),
        _unbuilt("Monitoring", "drift of features and of predictions, and the alarms they raise"),
    )
}  # fmt: skip


def stage_for(kind: Kind) -> str:
    """The stage whose tree lists things of `kind`."""
    match kind:
        case Kind.SOURCE | Kind.ENTITY | Kind.ASSET:
            return "Data"
        case Kind.DAG | Kind.TASK | Kind.DAG_RUN | Kind.TASK_INSTANCE:
            return "Pipelines"
        case Kind.EXPERIMENT | Kind.RUN:
            return "Experiments"
        case Kind.REGISTERED_MODEL | Kind.MODEL_VERSION | Kind.LOGGED_MODEL:
            return "Models"
        case _:
            return "Features"
