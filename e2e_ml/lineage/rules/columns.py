"""Columns of training data and of models against the features of views and services, where nobody wrote a key.

A column counts by its exact name, as `view__feature` or as `view@v2__feature`; after one-hot encoding, scaling or a
merge it counts less. What is rare among views weighs more. Labels, join keys and times are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.rules import declared, keys, words
from e2e_ml.lineage.rules.facts import mapping, mappings, pairs, text, texts
from e2e_ml.lineage.rules.look import Look
from e2e_ml.refs import FEATURE_STORES, Kind, Ref

COVERED = 0.8  # the part of the columns from which a view or service is taken for their origin
MOST_COLUMNS = 500  # of a run or model that are looked at
_MOST_VIEWS, _MOST_CANDIDATES = 12, 5
_WORTH_TELLING = 0.3  # the part of the columns from which a candidate is told
_CANDIDATE = 0.75  # the most that one scores
_WHOLE = 0.8  # the part of a service's features that are there where data was retrieved by it
_NAMED, _PLAIN, _KEY, _UNDONE = 3.0, 0.5, 0.3, 0.6  # weights beside 1 for a column that one view alone has
_NAMES_TOLD = 6
_PREFIXED = re.compile(r"(.+?)(?:__|[.:])(.+)")
_VERSION = re.compile(r"@(?:v\d+|latest)?$", re.IGNORECASE)
_NOT_TRAINING = ("eval", "test", "valid", "predict", "infer", "scor")  # contexts of other data of a run


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, the features that may be it, and how much its name says."""

    name: str
    features: tuple[Ref, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a view or a service fits to the columns."""

    ref: Ref
    hits: frozenset[str]
    coverage: float
    fill: float  # the part of its own features that are there
    mass: float  # the weights of the hits
    label: str = ""  # the column without a feature that is taken for the label

    @property
    def score(self) -> float:
        strength = 1 - math.exp(-0.7 * self.mass)
        if self.coverage < COVERED:
            return min(_CANDIDATE, strength * self.coverage * 0.9)
        return strength * (0.85 + 0.15 * self.coverage) - (0.03 if self.label else 0)


@dataclass(frozen=True, slots=True)
class _Piece(_Fit):
    """A view that has some of the columns, beside others that have the rest; `mass` counts what it alone has."""

    @property
    def score(self) -> float:
        # Where the rest is the store's too, a few names tell more than they do alone.
        return 0.97 * (1 - math.exp(-self.mass))


@dataclass(slots=True)
class _Frame:
    """Columns, matched."""

    what: str  # "the training data", "the model"
    has_label: bool = False  # whether it is known which column the model learned to tell
    total: list[_Column] = field(default_factory=list[_Column])
    left_out: list[str] = field(default_factory=list[str])
    views: dict[Ref, frozenset[str]] = field(default_factory=dict[Ref, frozenset[str]])
    weights: dict[str, float] = field(default_factory=dict[str, float])

    def label_among(self, missing: Sequence[str]) -> str:
        """In training data without a known label one of the columns without a feature is it; in words, "" for none."""
        if self.has_label or self.what == "the model" or not missing:
            return ""
        return missing[0] if len(missing) == 1 else f"one of {', '.join(missing[:_NAMES_TOLD])}"


def features_of_run(run: Node, look: Look) -> Iterator[Edge]:
    """The views or services that the columns of a run's training data, or of its model, come from."""
    made = [mapping(answer.value) for answer in look(keys.made_by(run.ref))]
    if _is_told(run, look) or any(each.get("told") for each in made):
        return
    inputs = _training_columns(run)
    signatures = sorted((texts(each.get("columns")) for each in made), key=lambda c: (-len(c), c))
    project = words.feature_names({**pairs(run.facts.get("params")), **pairs(run.facts.get("tags"))}).project
    frames: list[_Frame] = []
    if signatures and signatures[0]:
        frames.append(_frame("the model", signatures[0], (), project, look))
    if inputs:
        # What the model does not ask for it learned to tell, where it asks for other columns of the data.
        asked = set(inputs).intersection(*signatures[:1]) if signatures else set[str]()
        labels = {*(set(inputs) - asked if asked else ()), *_targets(run)}
        frames.append(frame := _frame("the training data", inputs, labels, project, look))
        frame.has_label = frame.has_label or bool(asked)
    yield from _best([_edges(run.ref, frame, look) for frame in frames])


def features_of_model(model: Node, look: Look) -> Iterator[Edge]:
    """The same for a model version or a logged model whose run is not known."""
    run_id, tags = text(model.facts.get("run_id")), pairs(model.facts.get("tags"))
    if words.feature_names(tags) or (run_id and look(keys.exists(_run(model.ref, run_id)))):
        return
    if columns := texts(model.facts.get("columns")):
        yield from _edges(model.ref, _frame("the model", columns, (), "", look), look)


def _run(model: Ref, run_id: str) -> Ref:
    return Ref(Kind.RUN, model.instance, (run_id,))


def _is_told(run: Node, look: Look) -> bool:
    """Whether somebody wrote what features the run was made of, or that it predicts."""
    if declared.retrievals(run):
        return True
    rules = (declared.names_of_run, declared.data_of_run)
    edges = (edge for rule in rules for edge in rule(run, look))
    return any(e.evidence is not Evidence.INFERRED and e.upstream.scheme in FEATURE_STORES for e in edges)


def _training_columns(run: Node) -> list[str]:
    """The columns of all data that the run learned from."""
    told = [
        (text(data.get("context")).lower(), texts(data.get("columns"))) for data in mappings(run.facts.get("inputs"))
    ]
    training = [columns for context, columns in told if "train" in context]
    rest = [columns for context, columns in told if not any(word in context for word in _NOT_TRAINING)]
    return list(dict.fromkeys(name for columns in training or rest for name in columns))


def _targets(run: Node) -> list[str]:
    return [name for data in mappings(run.facts.get("inputs")) for name in texts(data.get("targets"))]


def _best(found: list[list[Edge]]) -> list[Edge]:
    """Of the edges from several lists of columns, those of the list that tells most."""
    return max(found, key=lambda edges: max((e.score for e in edges), default=0.0)) if found else []


# --- columns -> features ---------------------------------------------------------------------------------------------


def _frame(what: str, names: Sequence[str], labels: Iterable[str], project: str, look: Look) -> _Frame:
    """The columns with the features that they may be. `project`: the feature store's, where it is known."""
    frame, known_labels = _Frame(what), set(labels)
    rest: list[str] = []
    columns: list[_Column] = []
    for name in names[:MOST_COLUMNS]:
        if name in known_labels or words.is_label(name):
            frame.left_out.append(name)
            frame.has_label = True
        elif found := _matched(name, project, look):
            columns.append(found)
        else:
            rest.append(name)
    if columns:
        columns += _one_hot(rest, project, look)
    if not columns:
        return frame
    views: dict[Ref, set[str]] = {}
    for column in columns:
        for feature in column.features:
            views.setdefault(_view(feature), set()).add(column.name)
    first = sorted(views, key=lambda view: (-len(views[view]), view))[:_MOST_VIEWS]
    told = {text(answer.value).casefold() for view in first for answer in look(keys.served(view))}
    targets = [c.name for c in columns if c.name.casefold() in told] + [
        name for name in rest if name.casefold() in told
    ]
    frame.has_label = frame.has_label or bool(targets)
    others = [name for name, is_out in _left_out(columns, rest, first, look) if is_out and name not in targets]
    frame.left_out += [*targets, *others]
    out = set(frame.left_out)
    frame.total = [c for c in columns if c.name not in out] + [_Column(n, (), _rare(n)) for n in rest if n not in out]
    frame.views = {view: frozenset(views[view] - out) for view in first if views[view] - out}
    frame.weights = dict(_weights(frame.total, frame.views))
    return frame


def _weights(columns: list[_Column], views: Mapping[Ref, frozenset[str]]) -> Iterator[tuple[str, float]]:
    """A name that many views have says little, except of views that have nearly all the same: generations of one."""
    most = max(map(len, views.values()), default=0)
    kin = {view for view, hits in views.items() if len(hits) >= COVERED * most}
    for column in columns:
        strangers = {_view(feature).keys[0] for feature in column.features if _view(feature) not in kin}
        yield column.name, column.weight / (1 + math.log2(1 + len(strangers)))


def _matched(name: str, project: str, look: Look) -> _Column | None:
    if prefixed := _PREFIXED.fullmatch(name):
        view, feature = _VERSION.sub("", prefixed[1]), prefixed[2]
        found = _features(feature, project, look)
        if named := [ref for ref in found if ref.keys[0].casefold() == view.casefold()]:
            return _Column(name, tuple(named), _NAMED)
    else:
        found = []
    if exact := _features(name, project, look):
        return _Column(name, tuple(exact), _own_weight(name))
    if found:
        return _Column(name, tuple(found), _own_weight(name) * _UNDONE)
    for before in words.undone(name):
        if found := _features(before, project, look):
            return _Column(name, tuple(found), _own_weight(before) * _UNDONE)
    return None


def _one_hot(rest: list[str], project: str, look: Look) -> list[_Column]:
    """`color_red`, `color_blue` as one column for the feature `color`; takes them out of `rest`."""
    stems: dict[str, list[str]] = {}
    for name in rest:
        plain = name.partition("__")[2] or name
        parts = plain.split("_")
        for end in range(1, min(len(parts), 5)):
            stems.setdefault("_".join(parts[:end]), []).append(name)
    columns: list[_Column] = []
    for stem in sorted(stems, key=lambda stem: (-len(stem), stem)):
        members = [name for name in stems[stem] if name in rest]
        if len(members) > 1 and (found := _features(stem, project, look)):
            columns.append(_Column(f"{stem}_*", tuple(found), _own_weight(stem) * _UNDONE))
            rest[:] = [name for name in rest if name not in members]
    return columns


def _features(name: str, project: str, look: Look) -> list[Ref]:
    found = [answer.ref for answer in look(keys.column(name))]
    return [ref for ref in found if ref.instance == project] or found if project else found


def _own_weight(name: str) -> float:
    """An id says little, and so does a word that any table may have."""
    return _KEY if words.is_key(name) else _rare(name)


def _rare(name: str) -> float:
    return _PLAIN if words.is_plain(name) else 1.0


def _left_out(columns: list[_Column], rest: list[str], views: list[Ref], look: Look) -> Iterator[tuple[str, bool]]:
    """Which of the columns are join keys or times, by the views or by their names."""
    shapes = [mapping(answer.value) for view in views for answer in look(keys.shape(view))]
    known = {name.casefold() for shape in shapes for part in ("keys", "times") for name in texts(shape.get(part))}
    for column in columns:
        yield column.name, column.name.casefold() in known
    for name in rest:
        yield name, name.casefold() in known or words.is_time(name) or words.is_key(name)


@lru_cache(8192)
def _view(feature: Ref) -> Ref:
    return Ref(Kind.FEATURE_VIEW, feature.instance, feature.keys[:1], feature.scheme)


# --- features -> views and services ----------------------------------------------------------------------------------


def _edges(down: Ref, frame: _Frame, look: Look) -> list[Edge]:
    if not frame.views:
        return []
    views = sorted((_view_fit(view, hits, frame, look) for view, hits in frame.views.items()), key=_order)
    services = sorted(_service_fits(frame, look), key=_order)
    chosen, why = _chosen(views, services, frame)
    edges = [_edge(fit, down, frame, round(score, 3), why) for fit, score in chosen]
    told = {fit.ref for fit, _ in chosen}
    rest = [fit for fit in sorted([*services, *views], key=_order) if fit.ref not in told]
    likely = any(score >= COVERED for _, score in chosen)
    for fit in rest[:_MOST_CANDIDATES] if not likely else services[:2]:
        if fit.coverage >= _WORTH_TELLING and fit.mass >= 1 and fit.ref not in told:
            rivals = sum(1 for other in (*views, *services) if other.ref.kind is fit.ref.kind and _rivals(other, fit))
            score = min(_CANDIDATE, fit.score) / (1 + rivals) * (0.6 if likely else 1)
            edges.append(_edge(fit, down, frame, round(score, 3), "another fits as well" if rivals else ""))
    return edges


def _order(fit: _Fit) -> tuple[float, float, float, Ref]:
    return -fit.coverage, -fit.mass, -fit.fill, fit.ref


def _view_fit(view: Ref, hits: frozenset[str], frame: _Frame, look: Look) -> _Fit:
    size = max((int(mapping(a.value).get("features") or 0) for a in look(keys.shape(view))), default=0)
    return _fit(view, hits, size, frame)


def _fit(ref: Ref, hits: frozenset[str], size: int, frame: _Frame) -> _Fit:
    weights = frame.weights
    missing = [column.name for column in frame.total if column.name not in hits]
    label = frame.label_among(missing) if len(hits) >= 3 else ""
    total = len(frame.total) - (1 if label else 0)
    mass = sum(weights[name] for name in hits)
    return _Fit(ref, hits, len(hits) / total if total else 0.0, min(1.0, len(hits) / max(size, 1)), mass, label)


def _service_fits(frame: _Frame, look: Look) -> Iterator[_Fit]:
    found: dict[Ref, list[str]] = {}
    for service in dict.fromkeys(answer.ref for view in frame.views for answer in look(keys.served(view))):
        found[service] = [name for answer in look(keys.listed(service)) for name in texts(answer.value)]
    for service, features in found.items():
        held = set(features)
        hits = frozenset(
            column.name
            for column in frame.total
            if any(
                (f.instance, f.scheme) == (service.instance, service.scheme) and f"{f.keys[0]}.{f.keys[1]}" in held
                for f in column.features
            )
        )
        if hits:
            yield _fit(service, hits, len(held), frame)


def _rivals(other: _Fit, fit: _Fit) -> bool:
    """Whether another could as well be the origin: nothing tells `fit` from it, and it is not far larger."""
    if other.ref == fit.ref or other.fill < 0.5 * fit.fill:
        return False
    if not fit.hits - other.hits:
        return True
    return fit.coverage < 0.95 and other.coverage >= fit.coverage - 0.1


def _chosen(views: list[_Fit], services: list[_Fit], frame: _Frame) -> tuple[list[tuple[_Fit, float]], str]:
    """What the columns come from, with scores and why; where it cannot be told, nothing."""
    best = views[0]
    covering = [view for view in views if view.coverage >= COVERED]
    covering.sort(key=lambda view: (-len(view.hits), -view.fill, view.ref))
    whole = [s for s in services if s.coverage >= COVERED and s.fill >= _WHOLE and len(s.hits) >= len(best.hits)]
    alone = [s for s in whole if not any(_rivals(o, s) and o.fill >= s.fill - 0.1 for o in services)]
    told_apart = [s for s in alone if len(s.hits) > len(best.hits) or s.fill > best.fill + 0.1]
    if len(told_apart) == 1 and not (covering and any(_twins(view, covering[0]) for view in views)):
        return [(told_apart[0], told_apart[0].score)], "none of another service fits better"
    if covering:
        fit = covering[0]
        if any(_rivals(other, fit) for other in views) or _is_put_together(fit, views):
            return [], ""
        more = [piece for piece in _pieces(views, frame, fit.hits) if piece.ref != fit.ref]
        if not more:
            return [(fit, fit.score)], "none of another view fits better"
        return [(fit, fit.score), *((piece, piece.score) for piece in more)], "the other columns are another view's"
    pieces = _pieces(views, frame)
    covered = frozenset(name for piece in pieces for name in piece.hits)
    missing = [column.name for column in frame.total if column.name not in covered]
    total = len(frame.total) - (1 if frame.label_among(missing) else 0)
    if len(pieces) > 1 and len(covered) >= COVERED * total:
        return [(piece, piece.score) for piece in pieces], f"{len(pieces)} views together have {len(covered)}"
    return [], ""


def _is_put_together(fit: _Fit, views: list[_Fit]) -> bool:
    """Whether whole views have together what a far larger one has too."""
    whole = [view.hits for view in views if view.ref != fit.ref and view.fill >= 0.9 and view.hits]
    return fit.fill < 0.5 and fit.hits <= frozenset[str]().union(*whole)


def _twins(view: _Fit, best: _Fit) -> bool:
    """Whether a view of another project has the very same columns: a copy of the project."""
    same_name = view.ref.keys == best.ref.keys and view.ref != best.ref
    return same_name and view.hits == best.hits


def _pieces(views: list[_Fit], frame: _Frame, known: frozenset[str] = frozenset()) -> list[_Piece]:
    """Views of one project that have the columns together, each with some that no other has and that are not known."""
    weights = frame.weights
    alone = {c.name for c in frame.total if len({_view(f) for f in c.features}) == 1}
    best: list[_Piece] = []
    for project in dict.fromkeys((fit.ref.scheme, fit.ref.instance) for fit in views):
        pieces: list[_Piece] = []
        for fit in views:
            mass = sum(weights[name] for name in fit.hits & alone - known)
            if (fit.ref.scheme, fit.ref.instance) == project and mass >= 2:
                pieces.append(_Piece(fit.ref, fit.hits, fit.coverage, fit.fill, mass))
        if sum(len(p.hits) for p in pieces) > sum(len(p.hits) for p in best):
            best = pieces
    return best


# --- words -----------------------------------------------------------------------------------------------------------


def _edge(fit: _Fit, down: Ref, frame: _Frame, score: float, why: str) -> Edge:
    count, total = len(fit.hits), len(frame.total) - (1 if fit.label else 0)
    reason = f"{count} of {total} columns of {frame.what} are features of {fit.ref.name}"
    out = [*frame.left_out, *([f"{fit.label} as its label"] if fit.label else [])]
    told = ", ".join(out[:_NAMES_TOLD]) + (f" and {len(out) - _NAMES_TOLD} more" if len(out) > _NAMES_TOLD else "")
    reason += (f", {why}" if why else "") + (f"; left out: {told}" if told else "")
    return Edge(fit.ref, down, Relation.TRAINS, Evidence.INFERRED, reason, min(score, 0.98))
