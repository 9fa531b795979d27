"""The history of definitions as a page shows it: who changed what, when, with the old beside the new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from e2e_ml.festaf.model import Applied, Change, Feature, View
from e2e_ml.festaf.server.catalog import Catalog
from e2e_ml.festaf.server.presenting import plural

_VERBS = {"add": "added", "change": "changed", "rename": "renamed", "remove": "removed", "learn": "learned"}
_CODE = frozenset({"expression", "sql", "target code"})  # what is written in a programming language


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a change made otherwise: `old` and `new` stand beside each other, or `text` says it all."""

    label: str
    old: str | None = None
    new: str | None = None
    text: str = ""

    @property
    def is_code(self) -> bool:
        return self.label in _CODE


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change, or the things of one apply that were added or removed together."""

    at: datetime
    version: int
    by: str
    commit: str | None
    verb: str
    name: str
    path: str | None  # None: it is gone
    others: str  # "and 9 features"
    differences: tuple[Difference, ...]
    impact: tuple[str, ...]


def difference(detail: str) -> Difference:
    """Read a line of a plan: `expression: temp <= 32 -> temp <= 30`, or `features: + plane.seats, - plane.year`."""
    label, colon, rest = detail.partition(": ")
    if not colon or not re.fullmatch(r"[\w ]+", label):
        return Difference("", text=detail)
    old, arrow, new = rest.partition(" -> ")
    if arrow:
        return Difference(label, _value(old), _value(new))
    came = [item[2:] for item in _items(rest) if item.startswith("+ ")]
    went = [item[2:] for item in _items(rest) if item.startswith("- ")]
    if came or went:
        return Difference(label, ", ".join(went) or None, ", ".join(came) or None)
    return Difference(label, text=rest)


def differences(change: Change) -> tuple[Difference, ...]:
    """What a change made otherwise. A plan's line cuts a long expression; the history's definitions have it whole."""
    before, after = change.before or {}, change.after or {}
    read = map(difference, change.details)
    whole = {"expression": "code", "description": "description", "purpose": "purpose"}
    return tuple(
        replace(each, old=before.get(whole[each.label]) or None, new=after.get(whole[each.label]) or None)
        if each.label in whole and change.before is not None and change.after is not None and not each.text
        else each
        for each in read
    )


def _value(text: str) -> str | None:
    return None if text == "nothing" else text


def _items(text: str) -> list[str]:
    """The items of a list that came and went: each begins with its sign, and may hold commas of its own."""
    return re.split(r", (?=[+-] )", text)


def latest(catalog: Catalog, most: int) -> list[ChangeRow]:
    """The newest changes of the whole registry, newest first."""
    rows: list[ChangeRow] = []
    for applied in reversed(catalog.history):
        rows += _rows(catalog, applied, applied.changes)
        if len(rows) >= most:
            break
    return rows[:most]


def of_names(catalog: Catalog, names: Iterable[str], most: int = 12) -> list[ChangeRow]:
    """The newest changes of these full names, newest first. What one apply added or removed shares a row, with its
    details only where it is one thing."""
    rows: list[ChangeRow] = []
    for applied, changes in catalog.changes_of(names):
        rows += _rows(catalog, applied, changes)
        if len(rows) >= most:
            break
    return rows[:most]


def of_view(catalog: Catalog, view: View) -> list[ChangeRow]:
    """The history of a view and of its features, under its former names too."""
    names = [view.name, *([view.renamed_from] if view.renamed_from else [])]
    features = [f"{name}.{each}" for name in names for f in view.features for each in (f.name, f.renamed_from) if each]
    return of_names(catalog, [*names, *features])


def of_feature(catalog: Catalog, view: View, feature: Feature) -> list[ChangeRow]:
    """The history of one feature. Where it came with its view, the view's apply is its beginning."""
    full_name = f"{view.name}.{feature.name}"
    former = [f"{view.name}.{feature.renamed_from}"] if feature.renamed_from else []
    rows = of_names(catalog, [full_name, *former])
    if any(row.verb == "added" for row in rows):
        return rows
    birth = next((applied for applied in catalog.history if applied.at == feature.first_seen), None)
    if birth is None:
        return rows
    return [*rows, _row(catalog, birth, [Change(action="add", kind="feature", name=full_name)])]


def _rows(catalog: Catalog, applied: Applied, changes: Sequence[Change]) -> list[ChangeRow]:
    rows = [_row(catalog, applied, [c]) for c in changes if c.action not in ("remove", "add")]
    for action in ("remove", "add"):
        together = [c for c in changes if c.action == action]
        if together:
            rows.append(_row(catalog, applied, together))
    return rows


def _row(catalog: Catalog, applied: Applied, together: Sequence[Change]) -> ChangeRow:
    first, rest = together[0], together[1:]
    kinds = dict.fromkeys(c.kind for c in rest)
    said = [plural(sum(c.kind == kind for c in rest), kind) for kind in kinds]
    others = f" and {said[0]}" if len(said) == 1 else f", {', '.join(said[:-1])} and {said[-1]}" if said else ""
    return ChangeRow(
        applied.at,
        applied.version,
        applied.by,
        applied.commit,
        _VERBS[first.action],
        first.name,
        catalog.path(first.name),
        others,
        differences(first) if not rest and first.action != "add" else (),
        first.impact if not rest and first.action != "add" else (),
    )
