"""What follows: who is touched when a thing changes, what upstream of it is late, what sets two versions apart, what
hangs loose. Lines with links, as values; no Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.spans import LISTED, Span, link, links, quiet
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind, Ref

Line = tuple[Span, ...]
_COUNTED = (Kind.FEATURE, Kind.FEATURE_SERVICE, Kind.RUN, Kind.MODEL_VERSION, Kind.ENDPOINT, Kind.MONITOR)
_SET_APART = (Kind.FEATURE, Kind.FEATURE_SERVICE, Kind.DATASET, Kind.SOURCE, Kind.DAG)
_TROUBLES = 2  # told in full
_CHANGES = 4  # parameters, data and code that changed, each told in full
_LOOSE = 60  # things of a list of loose ends


@dataclass(frozen=True, slots=True)
class Consequences:
    """What an inspector fills in: no lines where there is nothing to say."""

    troubles: list[Line] = field(default_factory=list[Line])  # late or failed upstream
    touched: list[Line] = field(default_factory=list[Line])  # if it changes
    other: Ref | None = None  # the version that it is compared with
    differences: list[Line] = field(default_factory=list[Line])


def consequences(graph: Graph, ref: Ref, now: datetime) -> Consequences:
    other = compared_with(graph, ref)
    return Consequences(
        upstream_trouble(graph, ref, now),
        if_it_changes(graph, ref),
        other,
        difference(graph, other, ref) if other is not None else [],
    )


def if_it_changes(graph: Graph, ref: Ref) -> list[Line]:
    """What stands on it, what of that is in use, and whom to tell; nothing where nothing stands on it."""
    found = questions.impact(graph, ref)
    counts = [words.count(found.counts[kind], kind.value) for kind in _COUNTED if found.counts.get(kind)]
    if not counts:
        return []
    stand = "stands" if sum(found.counts.get(kind, 0) for kind in _COUNTED) == 1 else "stand"
    lines: list[Line] = [(Span(", ".join(counts)), Span(f" {stand} on it", dim=True))]
    if found.live:
        lines.append(
            (Span("In use: ", dim=True), *_some([_live(graph, live) for live in found.live[:LISTED]], len(found.live)))
        )
    else:
        lines.append(quiet("None of these versions has an alias or an endpoint."))
    if found.people:
        told = [
            Span(
                who.person.name, who.owns[0], tip="\n".join([str(who.person), *(ref.name for ref in who.owns[:LISTED])])
            )
            for who in found.people[:LISTED]
        ]
        lines.append((Span("Tell ", dim=True), *_some(told, len(found.people), " · ")))  # a name may have a comma in it
    return lines


def _live(graph: Graph, live: questions.Live) -> Span:
    node = graph.get(live.version) or Node(live.version)
    as_ = f" ({', '.join(live.aliases)})" if live.aliases else ""
    at = "at " + ", ".join(endpoint.name for endpoint in live.endpoints) if live.endpoints else ""
    return Span(f"{link(node).text}{as_}", live.version, tip=at)


def _some(spans: list[Span], total: int, between: str = ", ") -> list[Span]:
    rest = total - len(spans)
    more = [Span(f" and {rest} more", dim=True)] if rest > 0 else []
    parts = [part for span in spans for part in (Span(between, dim=True), span)]
    return [*parts[1:], *more]


def upstream_trouble(graph: Graph, ref: Ref, now: datetime) -> list[Line]:
    """What it comes from that is late or has failed, where it began first; nothing where all is in order."""
    found = questions.standing(graph, ref, now)
    told_above = {ref, ref.parent, questions.pipeline(graph, ref)}  # by its mark, by "When", by its pipeline's card
    lines: list[Line] = []
    for trouble in found.troubles:
        if trouble.ref in told_above:
            continue
        node = graph.get(trouble.ref) or Node(trouble.ref)
        first = "First " if not lines and len(found.troubles) > 1 else ""
        way = [link(graph.get(edge.downstream) or Node(edge.downstream)) for edge in trouble.path]
        tip = " → ".join([node.title, *(span.text for span in way)])
        said = trouble.sentence.removeprefix(f"{node.title}: ").removeprefix(f"The DAG {node.title} ")
        lines.append((Span(first, dim=True), Span(node.title, node.ref, tip=tip), Span(f" {_lower(said)}")))
    more = len(lines) - _TROUBLES
    return [*lines[:_TROUBLES], quiet(f"and {more} more upstream")] if more > 0 else lines


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def compared_with(graph: Graph, version: Ref) -> Ref | None:
    """The version that a model version is held against: the champion, or for the champion the one before it."""
    if version.kind is not Kind.MODEL_VERSION or version.parent is None:
        return None
    others = [e.upstream for e in graph.upstream(version.parent, 200) if e.upstream.kind is Kind.MODEL_VERSION]
    numbered = sorted((ref for ref in others if ref != version), key=_number)
    nodes = graph.get_all(numbered)
    champion = next((n.ref for n in nodes if questions.CHAMPION in (n.facts.get("aliases") or ())), None)
    before = [ref for ref in numbered if _number(ref) < _number(version)]
    return champion or (before[-1] if before else None)


def _number(version: Ref) -> int:
    return int(version.name) if version.name.isdecimal() else -1


def difference(graph: Graph, before: Ref, after: Ref) -> list[Line]:
    """What sets `after` apart from `before` by where they come from."""
    found = questions.difference(graph, before, after)
    lines: list[Line] = [quiet(sentence) for sentence in found.unknown]
    for word, things in (("Added ", found.added), ("Left out ", found.removed)):
        lines += [(Span(word, dim=True), *links(graph.get_all(things[kind]))) for kind in _SET_APART if kind in things]
    if found.redefined:
        lines.append((Span("Redefined in between ", dim=True), *links(graph.get_all(found.redefined))))
    for heading, changes in (("Data", found.data), ("Code", found.code), ("Settings", found.settings)):
        told = [f"{c.what} {c.before or 'none'} → {c.after or 'none'}" for c in changes]
        if told:
            more = f" and {len(told) - _CHANGES} more" if len(told) > _CHANGES else ""
            text = words.elide_middle("; ".join(told[:_CHANGES]) + more, 160)
            lines.append((Span(f"{heading}: ", dim=True), Span(text, tip="\n".join(told))))
    return lines or [quiet("They come from the same features, data and code.")]


def loose_ends(graph: Graph) -> list[tuple[str, list[Line]]]:
    """Headings with the things below them; a heading without things says that all is well."""
    found = questions.orphans(graph)
    unmade = [
        (
            link(graph.get(each.view) or Node(each.view)),
            Span(" carries ", dim=True),
            *links(graph.get_all(each.models)),
        )
        for each in found.unmade_views
    ]
    return [
        ("Models stand on feature views that no pipeline makes", _cut(unmade, "Every view that a model uses is made.")),
        ("Features that no model uses", _things(graph, found.unused_features, "Every feature is used.")),
        ("DAGs whose results nobody reads", _things(graph, found.unread_dags, "Everything that is made is read.")),
        (
            "DAGs of which it is not known what they make",
            _things(graph, found.unknown_dags, "It is known of every DAG what it makes."),
        ),
    ]


def _things(graph: Graph, refs: Sequence[Ref], none: str) -> list[Line]:
    lines = [(_named(graph, ref),) for ref in refs[:_LOOSE]]
    return _cut([*lines, *([quiet(f"and {len(refs) - _LOOSE:,} more")] if len(refs) > _LOOSE else [])], none)


def _named(graph: Graph, ref: Ref) -> Span:
    if ref.kind is Kind.FEATURE:
        return Span(".".join(ref.keys), ref)
    return link(graph.get(ref) or Node(ref))


def _cut(lines: Sequence[Line], none: str) -> list[Line]:
    return list(lines[: _LOOSE + 1]) or [quiet(none)]
