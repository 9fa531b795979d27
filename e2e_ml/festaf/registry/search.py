"""Search over a registry: names, descriptions, owners and tags, what fits best first. Pure functions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from e2e_ml import refs
from e2e_ml.festaf.model import Owner, Registry
from e2e_ml.refs import Ref

LIMIT = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found. `matched` says in which field, for a hit that its name does not explain."""

    ref: Ref
    title: str  # the name as people write it: "hourly_weather.temp"
    description: str
    detail: str  # its type, or its owner
    matched: str  # "name", "description", "owner" or "tags"
    score: float


@dataclass(frozen=True, slots=True)
class _Entry:
    ref: Ref
    title: str
    description: str
    detail: str
    owner: str
    tags: tuple[str, ...]


def search(registry: Registry, query: str, limit: int = LIMIT) -> list[Hit]:
    """The best `limit` things that hold every word of `query`, best first; an empty query finds nothing.

    A name counts more than a tag, a tag more than an owner, an owner more than a description; a whole name more than
    its beginning, and that more than its middle.
    """
    words = query.casefold().replace("`", "").split()
    if not words:
        return []
    found = [hit for entry in _entries(registry) if (hit := _match(entry, words)) is not None]
    found.sort(key=lambda hit: (-hit.score, len(hit.title), hit.title))
    return found[:limit]


def nearest(registry: Registry, wanted: str, limit: int = 5) -> list[Hit]:
    """What a person may have meant by a name that nothing has: names that look like it, then what holds its words."""
    # Names are shared: a view may be called as its source is, and a feature is also meant by its last part alone.
    called: dict[str, list[_Entry]] = {}
    for entry in _entries(registry):
        for name in {entry.title, entry.title.rpartition(".")[2]}:
            called.setdefault(name, []).append(entry)
    alike = (entry for name in difflib.get_close_matches(wanted, called, limit) for entry in called[name])
    found = {entry.ref: _hit(entry, "name", 0) for entry in alike}
    for word in re.split(r"[\W_]+", wanted):
        found |= {hit.ref: hit for hit in search(registry, word, limit) if hit.ref not in found}
    return list(found.values())[:limit]


def _hit(entry: _Entry, matched: str, score: float) -> Hit:
    return Hit(entry.ref, entry.title, entry.description, entry.detail, matched, score)


def _match(entry: _Entry, words: list[str]) -> Hit | None:
    fields = (
        ("name", 10.0, entry.title.rpartition(".")[2]),
        ("name", 5.0, entry.title),
        ("tags", 4.0, " ".join(entry.tags)),
        ("owner", 3.0, entry.owner),
        ("description", 1.0, entry.description),
    )
    total, where = 0.0, "name"
    for word in words:
        score, field = max((weight * _closeness(text.casefold(), word), field) for field, weight, text in fields)
        if not score:
            return None
        total += score
        where = field if field != "name" else where
    return _hit(entry, where, total)


def _closeness(text: str, word: str) -> float:
    """How well `word` fits a field: 4 whole, 3 its last part, 2 the beginning of a part, 1 inside, 0 nowhere."""
    if word not in text:
        return 0
    if text == word:
        return 4
    parts = re.split(r"[^\w]+", text)
    if word == parts[-1]:
        return 3
    pieces = [piece for part in parts for piece in (part, *part.split("_"))]
    return 2 if any(piece.startswith(word) for piece in pieces) else 1


def _entries(registry: Registry) -> Iterator[_Entry]:
    project = registry.project
    entities: dict[str, _Entry] = {}
    sources: dict[str, _Entry] = {}
    for view in registry.views:
        owner = _owner(view.owner)
        yield _Entry(refs.feature_view(project, view.name), view.name, view.description, owner, owner, view.tags)
        for feature in view.features:
            if not feature.hidden:
                yield _Entry(
                    refs.feature(project, view.name, feature.name),
                    f"{view.name}.{feature.name}",
                    feature.description,
                    feature.dtype,
                    owner,
                    (*feature.tags, *view.tags),
                )
        for key in view.entities:
            entities.setdefault(
                key.name,
                _Entry(refs.entity(project, key.name), key.name, key.description, key.dtype, "", ()),
            )
        sources.setdefault(
            view.source.name,
            _Entry(
                refs.source(project, view.source.name), view.source.name, view.source.uri, view.source.format, "", ()
            ),
        )
    for service in registry.services:
        owner = _owner(service.owner)
        ref = refs.feature_service(project, service.name)
        yield _Entry(ref, service.name, service.description, owner, owner, service.tags)
    yield from entities.values()
    yield from sources.values()


def _owner(owner: Owner | None) -> str:
    return " ".join(part for part in (owner.name, owner.email) if part) if owner else ""
