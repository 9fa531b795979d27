"""What the lineage drawing shows of the graph: the focus, what it comes from and what stands on it. Pure, no Qt.

Only ancestors and descendants are shown, never a sibling's other children. Big fans are folded into one box
("+12 more"), a run that registered a version can stand inside it, and an edge that a longer path tells is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from e2e_ml.desktop.panels import tree, words
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node
from e2e_ml.refs import Kind, Ref

# Drawn only when they are in focus themselves: they tell what the drawn edges say already.
_LEFT_OUT = {Kind.ASSET, Kind.TASK, Kind.TASK_INSTANCE, Kind.DAG_RUN, Kind.EXPERIMENT, Kind.LOGGED_MODEL, Kind.PROJECT}
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
    refs: tuple[Ref, ...]

    @property
    def kind(self) -> Kind:
        return self.fan.kind

    @property
    def text(self) -> str:
        return f"+{len(self.refs)} more"


Key = Ref | Fold


@dataclass(frozen=True, slots=True)
class Tie:
    """A drawn edge: the weakest evidence of what it stands for, and why in words."""

    upstream: Key
    downstream: Key
    evidence: Evidence
    reason: str


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


def neighbourhood(graph: Graph, focus: Ref, detail: Detail, opened: Iterable[Fan] = ()) -> Neighbourhood:
    """The part of `graph` around `focus`; `opened` names the fans that are not to be folded."""
    up, down = _reach(graph, focus, down=False), _reach(graph, focus, down=True)
    chosen = dict.fromkeys([*reversed(up), focus, *down])
    edges = [e for ref in chosen for e in graph.downstream(ref) if e.downstream in chosen]
    ties = [Tie(e.upstream, e.downstream, e.evidence, _why(e)) for e in edges]
    keys: list[Key] = list(chosen)
    if not detail.runs:
        keys, ties = _without_runs(keys, ties, focus)
    steps = {
        **{ref: Fan(ref.kind, False, n) for ref, n in up.items()},
        **{r: Fan(r.kind, True, n) for r, n in down.items()},
    }
    keys, ties = _folded(graph, keys, ties, steps, detail.fan, set(opened))
    ties = _reduced(ties)
    near = {focus} | _within(ties, focus, detail.up, down=False) | _within(ties, focus, detail.down, down=True)
    kept = tuple(key for key in keys if key in near)
    drawn = tuple(tie for tie in ties if tie.upstream in near and tie.downstream in near)
    return Neighbourhood(kept, drawn, len(keys) - len(kept))


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


def _within(ties: list[Tie], focus: Key, depth: int, *, down: bool) -> set[Key]:
    """What stands within `depth` drawn lines of the focus, on one side."""
    reached: set[Key] = set()
    level: set[Key] = {focus}
    for _ in range(depth):
        ends = {(t.downstream if down else t.upstream) for t in ties if (t.upstream if down else t.downstream) in level}
        level = ends - reached - {focus}
        reached |= level
    return reached


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
    for key in list(keys):
        if not isinstance(key, Ref) or key.kind is not Kind.RUN or key == focus:
            continue
        out = [t for t in ties if t.upstream == key]
        into = [t for t in ties if t.downstream == key]
        if not out:
            continue
        keys.remove(key)
        ties = [t for t in ties if key not in (t.upstream, t.downstream)]
        ties += [
            Tie(a.upstream, b.downstream, _weaker(a.evidence, b.evidence), f"{a.reason}\n{b.reason}")
            for a in into
            for b in out
        ]
    return keys, ties


def _folded(
    graph: Graph, keys: list[Key], ties: list[Tie], steps: dict[Ref, Fan], most: int, opened: set[Fan]
) -> tuple[list[Key], list[Tie]]:
    fans: dict[Fan, list[Ref]] = {}
    for key in keys:
        if isinstance(key, Ref) and key in steps:
            fans.setdefault(steps[key], []).append(key)
    stands_for: dict[Key, Key] = {}
    for fan, refs in fans.items():
        if len(refs) <= most or fan in opened:
            continue
        shown = set(sorted(refs, key=lambda ref: _rank(graph, ref), reverse=True)[: most - 1])
        fold = Fold(fan, tuple(ref for ref in refs if ref not in shown))
        stands_for.update(dict.fromkeys(fold.refs, fold))
    merged: dict[tuple[Key, Key], Tie] = {}
    for tie in ties:
        ends = stands_for.get(tie.upstream, tie.upstream), stands_for.get(tie.downstream, tie.downstream)
        if ends[0] == ends[1]:
            continue
        other = merged.get(ends)
        evidence = tie.evidence if other is None else max(tie.evidence, other.evidence, key=lambda e: _ORDER[e])
        reason = tie.reason if other is None else other.reason
        if any(isinstance(end, Fold) for end in ends):
            reason = ""
        merged[ends] = Tie(*ends, evidence, reason)
    return list(dict.fromkeys(stands_for.get(key, key) for key in keys)), list(merged.values())


def _rank(graph: Graph, ref: Ref) -> tuple[bool, str]:
    """What a fan shows first: what has an alias, then the newest; else the order in which it was defined."""
    node = graph.get(ref) or Node(ref)
    named = ref.kind is Kind.MODEL_VERSION and bool(tree.aliases(node))
    return named, str(node.facts.get("created") or node.facts.get("start") or "")


def _reduced(ties: list[Tie]) -> list[Tie]:
    """Without the edges that a longer path of edges says too."""
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
        if leads(tie.upstream, tie.downstream):
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
            return key.kind.value
