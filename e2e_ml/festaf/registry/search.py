"""Search over a registry: names, descriptions, owners and tags, what fits best first.

A `SearchIndex` is made once of a registry and answers as a person types: nothing is read, split or lowered again.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from e2e_ml import refs
from e2e_ml.festaf.model import Feature, Owner, Registry, View
from e2e_ml.refs import Ref

LIMIT = 20
_ALIKE = 30  # names that share the most pairs of letters with a wanted one, and are compared letter by letter


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found. `matched` says in which field, for a hit that its name does not explain."""

    ref: Ref
    kind: str  # "feature view", "on-demand view", "feature", "feature service", "entity" or "source"
    title: str  # the name as people write it: "hourly_weather.temp"
    description: str
    detail: str  # its type, or its owner
    deprecated: bool
    matched: str  # "name", "description", "owner" or "tags"
    score: float


class SearchIndex:
    """A registry, ready to be searched."""

    def __init__(self, registry: Registry) -> None:
        found = list(_entries(registry))
        self._hits = [hit for hit, _ in found]
        folded = [[text.casefold() for text in texts] for _, texts in found]
        self._texts = ["\n".join(texts) for texts in folded]
        self._fields = [
            _Field(where, weight, [texts[i] for texts in folded]) for i, (where, weight) in enumerate(_WEIGHTS)
        ]
        # Names are shared: a view may be called as its source is, and a feature is also meant by its last part alone.
        self._called: dict[str, list[Hit]] = {}
        for hit in self._hits:
            for name in {hit.title, hit.title.rpartition(".")[2]}:
                self._called.setdefault(name, []).append(hit)
        self._having: dict[str, list[str]] = {}  # the names that have a pair of letters
        for name in self._called:
            for pair in _pairs(name):
                self._having.setdefault(pair, []).append(name)

    def search(self, query: str, limit: int = LIMIT) -> list[Hit]:
        """The best `limit` things that hold every word of `query`, best first; an empty query finds nothing.

        A name counts more than a tag, a tag more than an owner, an owner more than a description; a whole name more
        than its beginning, and that more than its middle. One letter is looked for where words begin.
        """
        words = query.casefold().replace("`", "").split()
        if not words:
            return []
        total: dict[int, float] = {}
        where: dict[int, str] = {}
        among = [i for i, text in enumerate(self._texts) if all(word in text for word in words)]
        for word in words:
            scores = self._scores(word, among, limit if len(words) == 1 else len(among))
            among = list(scores)
            for i, (score, field) in scores.items():
                total[i] = total.get(i, 0.0) + score
                if field != "name":
                    where[i] = field
        best = heapq.nsmallest(limit, among, key=lambda i: (-total[i], len(self._hits[i].title), self._hits[i].title))
        return [replace(self._hits[i], matched=where.get(i, "name"), score=total[i]) for i in best]

    def nearest(self, wanted: str, limit: int = 5) -> list[Hit]:
        """What a person may have meant by a name that nothing has: names that look like it, then what holds its
        words."""
        shared: Counter[str] = Counter()
        for pair in _pairs(wanted):
            shared.update(self._having.get(pair, ()))
        close = difflib.get_close_matches(wanted, [name for name, _ in shared.most_common(_ALIKE)], limit)
        found = {hit.ref: hit for name in close for hit in self._called[name]}
        for word in re.split(r"[\W_]+", wanted):
            if len(found) >= limit:
                break
            found |= {hit.ref: hit for hit in self.search(word, limit) if hit.ref not in found}
        return list(found.values())[:limit]

    def _scores(self, word: str, among: list[int], enough: int) -> dict[int, tuple[float, str]]:
        """The best score of `word` in each of `among` that holds it, and the field that it is of.

        Lighter fields are left out once `enough` scores are beyond what they can give.
        """
        best: dict[int, tuple[float, str]] = {}
        blank, underscore, least = f" {word}", f"_{word}", 1 if len(word) > 1 else 2
        for field in self._fields:
            settled = {i for i, (score, _) in best.items() if score >= field.weight * _WHOLE}
            if len(settled) >= enough:
                break
            for i in among:
                text = field.texts[i]
                if word not in text or i in settled:
                    continue
                starts = field.starts[i]
                if text == word:
                    close = _WHOLE
                elif starts.endswith(blank):
                    close = 3
                else:
                    close = 2 if blank in starts or underscore in starts else 1
                if close >= least and field.weight * close > best.get(i, _NOTHING)[0]:
                    best[i] = field.weight * close, field.where
        return best


_WEIGHTS = (("name", 10.0), ("name", 5.0), ("tags", 4.0), ("owner", 3.0), ("description", 1.0))
# How well a word fits a field: 4 it is the whole, 3 its last part, 2 the beginning of a part, 1 inside of one.
_WHOLE = 4
_NOTHING = (0.0, "")


class _Field:
    """One field of every entry, folded: the name's last part, the whole name, tags, owner or description."""

    def __init__(self, where: str, weight: float, texts: list[str]) -> None:
        self.where = where
        self.weight = weight
        self.texts = texts
        self.starts = [_starts(text) for text in texts]


_SIGNS = re.compile(r"[^\w]+")


def _starts(text: str) -> str:
    """The text with a blank before each of its parts, so that ` x` and `_x` find where parts begin."""
    return f" {_SIGNS.sub(' ', text)}"


def _pairs(name: str) -> frozenset[str]:
    folded = name.casefold()
    return frozenset(folded[i : i + 2] for i in range(len(folded) - 1))


def _entries(registry: Registry) -> Iterator[tuple[Hit, tuple[str, ...]]]:
    project = registry.project
    for view in registry.views:
        yield from _of_view(project, view, "feature view")
    for view in registry.on_demand:
        yield from _of_view(project, view, "on-demand view")
    for service in registry.services:
        owner, gone = _owner(service.owner), service.deprecated is not None
        ref = refs.feature_service(project, service.name)
        yield _entry(
            ref, "feature service", service.name, service.description, owner, owner, service.tags, deprecated=gone
        )
    yield from _keys_and_sources(registry)


def _of_view(project: str, view: View, kind: str) -> Iterator[tuple[Hit, tuple[str, ...]]]:
    owner, gone = _owner(view.owner), view.deprecated is not None
    ref = refs.feature_view(project, view.name)
    yield _entry(ref, kind, view.name, view.description, owner, owner, view.tags, deprecated=gone)
    for feature in _shown(view):
        yield _entry(
            refs.feature(project, view.name, feature.name),
            "feature",
            f"{view.name}.{feature.name}",
            feature.description,
            feature.dtype,
            owner,
            (*feature.tags, *view.tags),
            deprecated=gone or feature.deprecated is not None,
        )


def _shown(view: View) -> list[Feature]:
    return [feature for feature in view.features if not feature.hidden]


def _keys_and_sources(registry: Registry) -> Iterator[tuple[Hit, tuple[str, ...]]]:
    project = registry.project
    seen: set[Ref] = set()
    for view in registry.views:
        for key in view.entities:
            ref = refs.entity(project, key.name)
            if ref not in seen:
                yield _entry(ref, "entity", key.name, key.description, key.dtype, "", (), deprecated=False)
            seen.add(ref)
    for view in registry.views:
        source, ref = view.source, refs.source(project, view.source.name)
        if ref not in seen:
            yield _entry(ref, "source", source.name, source.uri, source.format, "", (), deprecated=False)
        seen.add(ref)


def _entry(
    ref: Ref,
    kind: str,
    title: str,
    description: str,
    detail: str,
    owner: str,
    tags: tuple[str, ...],
    *,
    deprecated: bool,
) -> tuple[Hit, tuple[str, ...]]:
    texts = (title.rpartition(".")[2], title, " ".join(tags), owner, description)
    return Hit(ref, kind, title, description, detail, deprecated, "name", 0.0), texts


def _owner(owner: Owner | None) -> str:
    return " ".join(part for part in (owner.name, owner.email) if part) if owner else ""
