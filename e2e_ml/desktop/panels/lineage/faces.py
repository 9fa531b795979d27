"""What a box of the drawing says: its name, its kind and the one figure that matters, and its state. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from e2e_ml.desktop.panels import signs, tree, words
from e2e_ml.desktop.panels.lineage.columns import Columns
from e2e_ml.desktop.panels.lineage.explored import OPENED
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold, Key
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.questions import CHAMPION
from e2e_ml.refs import Kind, Ref

_ASKED = 640  # edges that reach a thing up to which it is asked for its state
LOUD = (Tone.WARN, Tone.BAD, Tone.LIVE)  # told in a word, not by a mark alone


@dataclass(frozen=True, slots=True)
class Row:
    """A column inside a box."""

    ref: Ref
    name: str
    right: str  # its type
    focus: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    """What a box shows."""

    key: Key
    label: str
    caption: str  # "" in a small drawing
    sign: Sign | None
    star: bool  # the champion
    focus: bool
    gone: bool
    tip: str
    rows: tuple[Row, ...] = ()
    rows_more: int = 0
    more_up: int = 0  # things that lie there and are not drawn
    more_down: int = 0

    @property
    def loud(self) -> Sign | None:
        return self.sign if self.sign is not None and self.sign.tone in LOUD and self.caption else None

    @property
    def spoken(self) -> str:
        """For a screen reader."""
        said = [self.label, self.caption, self.sign.word if self.sign else "", "champion" if self.star else ""]
        said += ["in focus"] if self.focus else []
        return ", ".join(part for part in said if part)


def face(graph: Graph, key: Key, now: datetime, *, focus: bool, large: bool) -> Face:
    """What the box of `key` says; a small one has no second line."""
    if isinstance(key, Fold):
        return _of_fold(key, large=large)
    node = graph.get(key) or Node(key)
    named = tree.aliases(node) if key.kind is Kind.MODEL_VERSION else ()
    sign = _sign(graph, key, now)
    told = caption(graph, key)
    tip = [f"{words.kind(key, node.facts)} {node.title}"]
    if key.kind is Kind.MODEL_VERSION:
        tip = [f"{key.keys[0]} v{key.name}"]
    tip += [told] if key.kind in (Kind.RUN, Kind.MODEL_VERSION) else []
    tip += [f"aliases: {', '.join(named)}"] if named else []
    tip += [t for t in (sign.word, sign.tip) if t] if sign else []
    if node.gone_since is not None:
        told = f"gone since {words.day(node.gone_since, now)}"
        tip.append(f"Gone since {words.exact(node.gone_since)}: deleted in its service.")
    return Face(
        key, label(graph, key), told if large else "", sign, CHAMPION in named, focus, node.gone_since is not None,
        "\n".join(tip),
    )  # fmt: skip


def with_rows(graph: Graph, face: Face, columns: Columns, focus: Ref | None) -> Face:
    """The face of a box with its columns inside."""
    rows = columns.rows.get(face.key)
    if rows is None:
        return face
    told = [
        Row(ref, ref.name, str(node.facts.get("dtype") or "") if (node := graph.get(ref)) else "", ref == focus)
        for ref in rows.columns
    ]
    return replace(face, rows=tuple(told), rows_more=rows.more)


def label(graph: Graph, key: Key) -> str:
    if isinstance(key, Fold):
        return key.text
    node = graph.get(key) or Node(key)
    if key.kind is Kind.MODEL_VERSION:
        return f"v{key.name}"
    if key.kind is Kind.ALIAS:
        return f"@{key.name}"
    if key.kind is Kind.DAG and (prefix := tree.festaf_prefix(key.name)):
        return key.name.removeprefix(f"{prefix}.")
    if key.kind in (Kind.SOURCE, Kind.DATASET):
        uri = str(node.facts.get("uri") or (key.keys[-1] if key.kind is Kind.DATASET else ""))
        return uri.rstrip("/").rsplit("/", 1)[-1] or node.title
    return node.title


def caption(graph: Graph, key: Key) -> str:
    """The second line of a large box: its kind and the one figure that matters."""
    if isinstance(key, Fold):
        return "click to show them" if key.count <= OPENED else f"click to show {OPENED}"
    node = graph.get(key) or Node(key)
    facts = node.facts
    match key.kind:
        case Kind.FEATURE | Kind.ENTITY | Kind.COLUMN:
            return _dotted(key.kind.value, str(facts.get("dtype") or ""))
        case Kind.RUN:
            return _dotted("run", tree.metric_text(node))
        case Kind.MODEL_VERSION:
            return _dotted(key.keys[0], tree.metric_text(node))
        case Kind.FEATURE_SERVICE:
            n = len(facts.get("features") or ())
            return f"service · {words.count(n, 'feature')}" if n else "feature service"
        case Kind.DAG:
            return _dotted("DAG", words.schedule(facts.get("schedule")))
        case Kind.SOURCE:
            return _dotted("source", str(facts.get("format") or ""))
        case Kind.DATASET:
            return _dotted("dataset", key.instance.removesuffix("/"))
        case Kind.ALIAS:
            return _dotted("alias", key.keys[0])
        case Kind.ENDPOINT:
            return _dotted("endpoint", str(facts.get("mode") or ""))
        case _:
            return words.kind(key, facts)


def title(graph: Graph, key: Key, now: datetime) -> str:
    """The whole name, for cards and lists: where a box stands beside it, its label says enough."""
    if isinstance(key, Fold):
        return key.text
    if key.kind is Kind.MODEL_VERSION:
        return f"{key.keys[0]} v{key.name}"
    return signs.title(graph, key, now) or key.name


def _dotted(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _of_fold(key: Fold, *, large: bool) -> Face:
    names = "\n".join(words.elide_middle(ref.name, 60) for ref in key.refs)
    unnamed = key.count - len(key.refs)
    more = f"\nand {unnamed:,} more" if names and unnamed > 0 else ""
    wanted = f"{OPENED} more" if key.count > OPENED else "them"
    listed = f":\n{names}{more}\n" if names else ". "
    tip = f"{words.count(key.count, key.kind.value)}{listed}Click to show {wanted}."
    told = ("click to show them" if key.count <= OPENED else f"click to show {OPENED}") if large else ""
    return Face(key, key.text, told, None, False, False, False, tip)


def _sign(graph: Graph, ref: Ref, now: datetime) -> Sign | None:
    """The state of a box. A feature's is told at its view; a hub is not asked, for that would look at all its edges."""
    if ref.kind is Kind.FEATURE or graph.degree(ref, down=False) > _ASKED:
        return None
    return signs.of(graph, ref, now)
