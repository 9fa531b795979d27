"""What the explorer lists at each stage of the lifecycle: rows as values, built from a graph. Pure, no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.lineage.graph import Graph, Node, Relation
from e2e_ml.lineage.questions import CHAMPION
from e2e_ml.refs import Kind, Ref, dag_run, feature

RECENT = 8  # runs listed under a DAG
LISTED = 50  # runs of an experiment and versions of a model listed one by one, the newest


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a name at the left, a secondary word or a chip at the right, a mark for its state."""

    key: str  # stable over graph replacements: expansion and selection are kept by it
    text: str
    ref: Ref | None = None  # None: a heading
    right: str = ""
    chip: Sign | None = None  # replaces `right`
    mark: Sign | None = None
    tip: str = ""
    search: str = ""  # lower case: every word that finds it
    children: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    noun: str  # what the search counts
    counted: Kind
    empty: str  # what would fill it
    build: Callable[[Graph, datetime], Sequence[Row]]


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


def _row(node: Node, *, search: str = "", **more: Any) -> Row:
    facts = node.facts
    tags = facts.get("tags") or ()
    found_by = (node.title, node.ref.name, search, facts.get("description"), facts.get("owner"), *tags)
    tip = more.pop("tip", "") or str(facts.get("description") or "")
    if node.gone_since is not None:
        more["chip"] = Sign(Tone.QUIET, "gone", f"Deleted in its service, seen last {words.exact(node.gone_since)}.")
    return Row(
        str(node.ref), more.pop("text", node.title), node.ref, tip=tip,
        search=" ".join(str(word) for word in found_by if word).lower(), **more,
    )  # fmt: skip


def _sections(nodes: Iterable[Node], title: str, make: Callable[[Node], Row]) -> list[Row]:
    """A heading for each instance (project or connection); its name is told only where there are several."""
    by_instance: dict[str, list[Node]] = {}
    for node in nodes:
        by_instance.setdefault(node.ref.instance, []).append(node)
    several = len(by_instance) > 1
    return [
        Row(f"{title}/{name}", f"{title} · {name}" if several else title, children=tuple(map(make, found)))
        for name, found in sorted(by_instance.items())
    ]


def _by_title(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: node.title.lower())


def _data(graph: Graph, now: datetime) -> list[Row]:
    del now
    sources = _sections(
        _by_title(graph.nodes(Kind.SOURCE)),
        "Sources",
        lambda n: _row(n, right=str(n.facts.get("format") or ""), tip=str(n.facts.get("uri") or "")),
    )
    entities = _sections(
        _by_title(graph.nodes(Kind.ENTITY)), "Entities", lambda n: _row(n, right=str(n.facts.get("dtype") or ""))
    )
    return [*sources, *entities]


def _features(graph: Graph, now: datetime) -> list[Row]:
    def of_view(node: Node) -> Row:
        project, name = node.ref.instance, node.ref.name
        names: Sequence[str] = node.facts.get("features") or ()
        order = {name: place for place, name in enumerate(names)}
        below = [e.downstream for e in graph.downstream(node.ref) if e.relation is Relation.CONTAINS]
        below += [ref for f in order if (ref := feature(project, name, f)) in graph and ref not in set(below)]
        below.sort(key=lambda ref: order.get(ref.name, len(order)))
        children = tuple(
            _row(child, search=f"{name}.{child.ref.name}", right=str(child.facts.get("dtype") or ""))
            for ref in below
            if (child := graph.get(ref))
        )
        sign = signs.freshness(graph, node.ref, now)
        loud = sign if sign and sign.tone in (Tone.WARN, Tone.BAD) else None
        right = "" if node.facts.get("event_time") else "on demand" if node.facts.get("on_demand") else "no time"
        return _row(node, mark=sign, chip=loud, right=right, children=children)

    def of_service(node: Node) -> Row:
        n = len(node.facts.get("features") or ())
        return _row(node, right=words.count(n, "feature") if n else "")

    def of_wish(node: Node) -> Row:
        open_, n = node.facts.get("status") == "open", len(node.facts.get("votes") or ())
        return _row(node, right=f"wanted by {n}" if open_ else str(node.facts.get("status") or ""))

    views = _sections(_by_title(graph.nodes(Kind.FEATURE_VIEW)), "Views", of_view)
    services = _sections(_by_title(graph.nodes(Kind.FEATURE_SERVICE)), "Services", of_service)
    return [*views, *services, *_sections(_by_title(graph.nodes(Kind.WISH)), "Wishes", of_wish)]


def _pipelines(graph: Graph, now: datetime) -> list[Row]:
    """festaf's own DAGs stand under their common prefix, so that what tells them apart can be read."""

    def of_dag(node: Node) -> Row:
        sign = signs.of(graph, node.ref, now) or Sign(Tone.QUIET, "never ran")
        due = words.moment(node.facts.get("next_run"))
        right = words.relative(due, now) if due else words.schedule(node.facts.get("schedule"))
        loud = sign if sign.tone in (Tone.WARN, Tone.BAD, Tone.LIVE) else None
        runs = tuple(_dag_run_row(node.ref, entry, now) for entry in (node.facts.get("recent") or ())[:RECENT])
        prefix = festaf_prefix(node.ref.name)
        tip = "\n".join(t for t in (node.ref.name, str(node.facts.get("description") or "")) if t)
        text = node.ref.name.removeprefix(f"{prefix}.") if prefix else node.title
        return _row(node, text=text, tip=tip, mark=sign, chip=loud, right=right, children=runs)

    groups: dict[str, list[Node]] = {}
    for node in _by_title(graph.nodes(Kind.DAG)):
        groups.setdefault(festaf_prefix(node.ref.name), []).append(node)
    return [row for prefix in sorted(groups) for row in _sections(groups[prefix], prefix or "DAGs", of_dag)]


def festaf_prefix(dag_id: str) -> str:
    """ "festaf.flights" of "festaf.flights.plane"; empty for a DAG that festaf did not make."""
    parts = dag_id.split(".", 2)
    return ".".join(parts[:2]) if len(parts) == 3 and parts[0] == "festaf" else ""


def _dag_run_row(dag: Ref, entry: Mapping[str, Any], now: datetime) -> Row:
    run_id = str(entry.get("run_id"))
    ref = dag_run(dag.instance, dag.name, run_id)
    start, end = words.moment(entry.get("start")), words.moment(entry.get("end"))
    took = words.duration((end - start).total_seconds()) if start and end else ""
    sign = signs.of_state(entry.get("state"))
    tip = f"{run_id}\n{sign.word}" + (f", started {words.exact(start)}" if start else "")
    text = words.run_label(run_id, start, now)
    return Row(str(ref), text, ref, right=took or sign.word, mark=sign, tip=tip, search=f"{run_id} {sign.word}".lower())


def _experiments(graph: Graph, now: datetime) -> list[Row]:
    def of_experiment(node: Node) -> Row:
        walk = graph.walk(node.ref, down=True, depth=1)
        total = walk.counts().get(Kind.RUN, 0)
        runs = [run for ref in walk.newest(Kind.RUN, LISTED) if (run := graph.get(ref))]
        children = [
            _row(run, search=run.ref.name, mark=signs.of(graph, run.ref, now), right=_figure(run), tip=_run_tip(run))
            for run in runs
        ]
        return _row(node, right=words.count(total, "run"), children=(*children, *_older(node, total)))

    return _sections(_by_title(graph.nodes(Kind.EXPERIMENT)), "Experiments", of_experiment)


def _models(graph: Graph, now: datetime) -> list[Row]:
    del now

    def of_model(node: Node) -> Row:
        walk = graph.walk(node.ref, down=False, depth=1)
        total = walk.counts().get(Kind.MODEL_VERSION, 0)
        newest = [v for ref in walk.newest(Kind.MODEL_VERSION, LISTED) if (v := graph.get(ref))]
        versions = sorted(newest, key=_version_number, reverse=True)
        children = [
            _row(v, text=f"v{v.ref.name}", search=f"{node.ref.name} v{v.ref.name} {' '.join(aliases(v))}",
                 chip=alias_sign(v), right=_figure(v), tip=metric_text(v))
            for v in versions
        ]  # fmt: skip
        return _row(node, right=words.count(total, "version"), children=(*children, *_older(node, total)))

    return _sections(_by_title(graph.nodes(Kind.REGISTERED_MODEL)), "Models", of_model)


def _older(node: Node, total: int) -> tuple[Row, ...]:
    """What tells of the things that are not listed one by one; it leads to where all of them are."""
    if total <= LISTED:
        return ()
    return (Row(f"{node.ref}/older", f"{total - LISTED:,} older", node.ref, tip=f"All of them are in {node.title}."),)


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
    return Stage(name, "item", Kind.PROJECT, _UNBUILT.format(holds), lambda _graph, _now: ())


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
