"""What the lineage drawing shows of the graph: the focus, what it comes from and what stands on it. Pure, no Qt.

Only ancestors and descendants are shown, never a sibling's other children. Big fans are folded into one box
("+12 more"), a run that registered a version can stand inside it, and an edge that a longer path tells is left out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from e2e_ml.desktop.panels import tree, words
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node
from e2e_ml.refs import Kind, Ref

# Drawn only when they are in focus themselves: they tell what the drawn edges say already.
_LEFT_OUT = {
    Kind.ASSET,
    Kind.TASK,
    Kind.TASK_INSTANCE,
    Kind.DAG_RUN,
    Kind.EXPERIMENT,
    Kind.LOGGED_MODEL,
    Kind.PROJECT,
    Kind.COLUMN,
}
OPENED = 24  # things that a fan shows more each time it is opened: thousands at once are no drawing
_ORDER = {Evidence.INFERRED: 0, Evidence.OBSERVED: 1, Evidence.DECLARED: 2}


class Fan(NamedTuple):
    """The things of one kind at one distance from the focus, on one side of it."""

    kind: Kind
    downstream: bool
    distance: int


@dataclass(frozen=True, slots=True)
class Fold:
    """A box that stands for the rest of a fan."""

    fan: Fan
    refs: tuple[Ref, ...] = field(compare=False)  # the fan tells folds apart; hashing thousands of refs would cost

    @property
    def kind(self) -> Kind:
        return self.fan.kind

    @property
    def text(self) -> str:
        return f"+{len(self.refs)} more"


Key = Ref | Fold


@dataclass(frozen=True, slots=True)
class Tie:
    """A drawn line: the weakest evidence on its way, and the edges that it stands for."""

    upstream: Key
    downstream: Key
    evidence: Evidence
    edges: tuple[Edge, ...]  # none where it leads to a fold

    @property
    def reason(self) -> str:
        return "\n".join(map(_why, self.edges))


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown."""

    up: int = 9  # lines to the left
    down: int = 9
    fan: int = 8  # things of one kind at one distance before they fold
    runs: bool = True  # else a run with a registered version is told by the version alone


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    keys: tuple[Key, ...]
    ties: tuple[Tie, ...]
    hidden: int  # things further away than the detail shows


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a focus comes from and all that stands on it, folded; `within` cuts it to what has room."""

    focus: Ref
    keys: tuple[Key, ...]
    ties: tuple[Tie, ...]

    def within(self, up: int, down: int) -> Neighbourhood:
        near = {self.focus} | self._steps(up, down=False) | self._steps(down, down=True)
        kept = tuple(key for key in self.keys if key in near)
        drawn = tuple(tie for tie in self.ties if tie.upstream in near and tie.downstream in near)
        return Neighbourhood(kept, drawn, len(self.keys) - len(kept))

    def _steps(self, depth: int, *, down: bool) -> set[Key]:
        """What stands within `depth` drawn lines of the focus, on one side."""
        reached: set[Key] = set()
        level: set[Key] = {self.focus}
        for _ in range(depth):
            ends = {
                tie.downstream if down else tie.upstream
                for tie in self.ties
                if (tie.upstream if down else tie.downstream) in level
            }
            level = ends - reached - {self.focus}
            reached |= level
        return reached


def surroundings(graph: Graph, focus: Ref, *, fan: int, runs: bool, opened: Iterable[Fan] = ()) -> Surroundings:
    """Everything on the way to and from `focus`. See `Detail` for `fan` and `runs`.

    A fan shows `OPENED` more for each time that it stands in `opened`.
    """
    up, down = _reach(graph, focus, down=False), _reach(graph, focus, down=True)
    chosen = dict.fromkeys([*reversed(up), focus, *down])
    edges = [e for ref in chosen for e in graph.downstream(ref) if e.downstream in chosen]
    ties = [Tie(e.upstream, e.downstream, e.evidence, (e,)) for e in edges]
    keys: list[Key] = list(chosen)
    if not runs:
        keys, ties = _without_runs(keys, ties, focus)
    steps = {
        **{ref: Fan(ref.kind, False, n) for ref, n in up.items()},
        **{ref: Fan(ref.kind, True, n) for ref, n in down.items()},
    }
    keys, ties, sole = _folded(graph, keys, ties, steps, fan, Counter(opened))
    return Surroundings(focus, tuple(keys), tuple(_reduced(ties, sole)))


def neighbourhood(graph: Graph, focus: Ref, detail: Detail, opened: Iterable[Fan] = ()) -> Neighbourhood:
    """The part of `graph` around `focus` that `detail` shows."""
    return surroundings(graph, focus, fan=detail.fan, runs=detail.runs, opened=opened).within(detail.up, detail.down)


def anchor(graph: Graph, ref: Ref | None) -> Ref | None:
    """What the drawing is about: `ref`, or what holds it where it has no lines of its own, as a DAG run has none."""
    here = ref
    while here is not None and here.kind in _LEFT_OUT and here.kind is not Kind.EXPERIMENT and here.parent is not None:
        here = here.parent
    return here


def _reach(graph: Graph, focus: Ref, *, down: bool) -> dict[Ref, int]:
    """What can be reached on the drawn kinds, nearest first, with its distance in edges."""
    found: dict[Ref, int] = {focus: 0}
    queue = deque([focus])
    while queue:
        here = queue.popleft()
        for edge in graph.downstream(here) if down else graph.upstream(here):
            there = edge.downstream if down else edge.upstream
            if there in found or there.kind in _LEFT_OUT or _aside(focus, edge, down=down):
                continue
            found[there] = found[here] + 1
            queue.append(there)
    del found[focus]
    return found


def _aside(focus: Ref, edge: Edge, *, down: bool) -> bool:
    """An edge that leads away from the story: the keys of a view matter beside the view, not far downstream."""
    if down:
        return False
    return edge.upstream.kind is Kind.ENTITY and focus.kind not in (Kind.FEATURE_VIEW, Kind.ENTITY, Kind.FEATURE)


def _why(edge: Edge) -> str:
    said = f"{edge.upstream.name} {edge.relation.value} {edge.downstream.name}: {edge.evidence.value}"
    if edge.evidence is Evidence.INFERRED:
        said += f" {edge.score:.2f}"
    return said + (f", {edge.reason}" if edge.reason else "")


def _weaker(a: Evidence, b: Evidence) -> Evidence:
    return min(a, b, key=lambda e: _ORDER[e])


def _without_runs(keys: list[Key], ties: list[Tie], focus: Ref) -> tuple[list[Key], list[Tie]]:
    """Join what feeds a run to the versions it registered, and leave the run out."""
    into: dict[Key, list[Tie]] = {}
    out: dict[Key, list[Tie]] = {}
    for tie in ties:
        into.setdefault(tie.downstream, []).append(tie)
        out.setdefault(tie.upstream, []).append(tie)
    told = {k for k in keys if isinstance(k, Ref) and k.kind is Kind.RUN and k != focus and k in out}
    joined = [
        Tie(a.upstream, b.downstream, _weaker(a.evidence, b.evidence), a.edges + b.edges)
        for run in keys
        if run in told
        for a in into.get(run, ())
        for b in out[run]
    ]
    kept = [tie for tie in ties if tie.upstream not in told and tie.downstream not in told]
    return [key for key in keys if key not in told], kept + joined


def _folded(
    graph: Graph, keys: list[Key], ties: list[Tie], steps: dict[Ref, Fan], fan_most: int, opened: Counter[Fan]
) -> tuple[list[Key], list[Tie], set[tuple[Key, Key]]]:
    """The keys and ties with folds in the place of what they stand for, and the ends of ties that are the only one of
    something folded: no longer path tells them, whatever one there is through others of the same fold."""
    fans: dict[Fan, list[Ref]] = {}
    for key in keys:
        if isinstance(key, Ref) and key in steps:
            fans.setdefault(steps[key], []).append(key)
    stands_for: dict[Key, Key] = {}
    for fan, refs in fans.items():
        most = fan_most + OPENED * opened[fan]
        if len(refs) <= most:
            continue
        shown = set(sorted(refs, key=lambda ref: _rank(graph, ref), reverse=True)[: most - 1])
        fold = Fold(fan, tuple(ref for ref in refs if ref not in shown))
        stands_for.update(dict.fromkeys(fold.refs, fold))
    leaving, coming = Counter(tie.upstream for tie in ties), Counter(tie.downstream for tie in ties)
    sole: set[tuple[Key, Key]] = set()
    merged: dict[tuple[Key, Key], Tie] = {}
    for tie in ties:
        ends = stands_for.get(tie.upstream, tie.upstream), stands_for.get(tie.downstream, tie.downstream)
        if ends[0] == ends[1]:
            continue
        alone = leaving[tie.upstream] == 1, coming[tie.downstream] == 1
        if any(isinstance(end, Fold) and one for end, one in zip(ends, alone, strict=True)):
            sole.add(ends)
        other = merged.get(ends)
        if other is None or _ORDER[tie.evidence] > _ORDER[other.evidence]:
            is_fold = isinstance(ends[0], Fold) or isinstance(ends[1], Fold)
            merged[ends] = Tie(*ends, tie.evidence, () if is_fold else tie.edges)
    return list(dict.fromkeys(stands_for.get(key, key) for key in keys)), list(merged.values()), sole


def _rank(graph: Graph, ref: Ref) -> tuple[bool, str]:
    """What a fan shows first: what has an alias, then the newest; else the order in which it was defined."""
    node = graph.get(ref) or Node(ref)
    named = ref.kind is Kind.MODEL_VERSION and bool(tree.aliases(node))
    return named, str(node.facts.get("created") or node.facts.get("start") or "")


def _reduced(ties: list[Tie], sole: set[tuple[Key, Key]]) -> list[Tie]:
    """Without the edges that a longer path of edges says too; those between `sole` ends stay."""
    below: dict[Key, set[Key]] = {}
    for tie in ties:
        below.setdefault(tie.upstream, set()).add(tie.downstream)

    def leads(start: Key, end: Key) -> bool:
        seen: set[Key] = {start}
        queue = [other for other in below.get(start, ()) if other != end]
        while queue:
            here = queue.pop()
            if here == end:
                return True
            if here not in seen:
                seen.add(here)
                queue += below.get(here, ())
        return False

    kept: list[Tie] = []
    for tie in ties:
        if (tie.upstream, tie.downstream) not in sole and leads(tie.upstream, tie.downstream):
            below[tie.upstream].discard(tie.downstream)  # what was left out carries no later path, even in a cycle
        else:
            kept.append(tie)
    return kept


def label(graph: Graph, key: Key) -> str:
    if isinstance(key, Fold):
        return key.text
    node = graph.get(key) or Node(key)
    if key.kind is Kind.MODEL_VERSION:
        return f"v{key.name}"
    if key.kind is Kind.DAG and (prefix := tree.festaf_prefix(key.name)):
        return key.name.removeprefix(f"{prefix}.")
    if key.kind is Kind.SOURCE and (uri := node.facts.get("uri")):
        return str(uri).rsplit("/", 1)[-1]
    return node.title


def caption(graph: Graph, key: Key) -> str:
    """The second line of a large box: its kind and the one figure that matters."""
    if isinstance(key, Fold):
        return f"{key.kind.value}s"
    node = graph.get(key) or Node(key)
    match key.kind:
        case Kind.FEATURE:
            return " · ".join(t for t in ("feature", str(node.facts.get("dtype") or "")) if t)
        case Kind.RUN:
            return tree.metric_text(node) or "run"
        case Kind.MODEL_VERSION:
            return f"{key.keys[0]} · {metric}" if (metric := tree.metric_text(node)) else key.keys[0]
        case Kind.FEATURE_SERVICE:
            n = len(node.facts.get("features") or ())
            return f"service · {words.count(n, 'feature')}" if n else "feature service"
        case Kind.DAG:
            return f"DAG · {schedule}" if (schedule := words.schedule(node.facts.get("schedule"))) else "DAG"
        case _:
            return words.kind(key, node.facts)
