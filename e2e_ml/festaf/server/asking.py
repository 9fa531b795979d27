"""The form that tries a view or a service: the fields it has, what was typed read as values, and the answer.

The answer is what a model would get: the online store's newest features, and on-demand features computed from them and
from what the request brings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import DataType, FeatureService, FeatureView, OnDemandView, View
from e2e_ml.festaf.server.catalog import Catalog
from e2e_ml.festaf.server.live import Live
from e2e_ml.festaf.server.presenting import number

PREFIX = "ask."  # of the fields' names in an address, so that they are never taken for something else

_FORMS: Mapping[DataType, str] = {
    "date": "a day, as 2013-01-31",
    "timestamp": "a time, as 2013-01-31T12:00Z",
    "duration": "a number of seconds",
    "list": "a JSON list, as [1, 2]",
    "embedding": "a JSON list of numbers",
    "struct": "a JSON object",
    "bool": "true or false",
    "decimal": "a decimal number, as 12.50",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in. `wrong` says why what was typed is no value of the type."""

    name: str
    dtype: DataType
    is_key: bool
    description: str = ""
    examples: tuple[str, ...] = ()
    typed: str = ""
    wrong: str = ""

    @property
    def form(self) -> str:
        """What the field takes: an example, or words where there is none; "" where its type says it."""
        return _FORMS.get(dtypes.kind(self.dtype), "").rpartition(", as ")[2]


@dataclass(frozen=True, slots=True)
class Line:
    """A feature of the answer; `missing` says why it has no value, "" where it has one."""

    name: str
    path: str
    value: str
    missing: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The form as it stands: `answer` is None until it was sent with every field right, `trouble` is why it failed."""

    fields: tuple[Field, ...]
    answer: tuple[Line, ...] | None = None
    trouble: str = ""


def trial(live: Live, catalog: Catalog, what: View | FeatureService, typed: Mapping[str, str]) -> Trial:
    """The form of `what`, and its answer where `typed` (the address's query) holds any of its fields."""
    fields = tuple(_field(live, catalog, each) for each in _asked(catalog, what))
    if not any(PREFIX + field.name in typed for field in fields):
        return Trial(fields)
    row: dict[str, Any] = {}
    read: list[Field] = []
    for field in fields:
        text = typed.get(PREFIX + field.name, "").strip()
        field = replace(field, typed=text)
        try:
            row[field.name] = value_of(field.dtype, text)
            if field.is_key and row[field.name] is None:
                field = replace(field, wrong="A key is needed.")
        except ValueError as error:
            field = replace(field, wrong=str(error))
        read.append(field)
    fields = tuple(read)
    if any(field.wrong for field in fields):
        return Trial(fields)
    try:
        found = live.online(what.name, row)
    except FeatureStoreError as error:
        return Trial(fields, trouble=str(error))
    lines = [
        Line(name, catalog.path(name) or "/", _shown(found.rows[0].get(column)), found.missing[0].get(column, ""))
        for name, column in zip(found.features, found.columns, strict=True)
    ]
    return Trial(fields, tuple(lines))


def reads(catalog: Catalog, view: OnDemandView) -> tuple[str, ...]:
    """The full names of the features of other views that an on-demand view reads, in order."""
    names = (name for feature in view.features for name in feature.inputs)
    return tuple(dict.fromkeys(name for name in names if "." in name))


def value_of(dtype: DataType, text: str) -> Any:
    """What was typed as a value of the type; None for nothing. Raises ValueError with a sentence."""
    if not text:
        return None
    kind = dtypes.kind(dtype)
    try:
        match kind:
            case "bool":
                return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.casefold()]
            case "int8" | "int16" | "int32" | "int64":
                return _whole(text, int(kind[3:]))
            case "float32" | "float64":
                return float(text)
            case "decimal":
                return Decimal(text)
            case "date":
                return date.fromisoformat(text)
            case "timestamp":
                moment = datetime.fromisoformat(text)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            case "duration":
                return timedelta(seconds=float(text))
            case "list" | "embedding" | "struct":
                return _json(text, dict if kind == "struct" else list)
            case _:
                return text
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        form = _FORMS.get(kind, "a whole number" if kind.startswith("int") else "a number")
        raise ValueError(f"Write {form}.") from None


def _whole(text: str, bits: int) -> int:
    value = int(text)
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise ValueError
    return value


def _json(text: str, kind: type[Any]) -> Any:
    value = json.loads(text)
    if not isinstance(value, kind):
        raise ValueError
    return value


def _asked(catalog: Catalog, what: View | FeatureService) -> Iterable[Field]:
    """The keys and request columns that `what` is asked by, each once: keys first."""
    keys: dict[str, Field] = {}
    request: dict[str, Field] = {}
    waiting, seen = [_views_of(what)], set[str]()
    while waiting:
        for name in waiting.pop():
            view = catalog.any_view(name)
            if view is None or name in seen:
                continue
            seen.add(name)
            if isinstance(view, FeatureView):
                for key in view.entities:
                    keys.setdefault(key.name, Field(key.name, key.dtype, True, key.description or f"of {view.name}"))
            elif isinstance(view, OnDemandView):
                for key in view.request:
                    request.setdefault(key.name, Field(key.name, key.dtype, False, key.description))
                waiting.append([read.partition(".")[0] for read in reads(catalog, view)])
    return [*keys.values(), *(field for name, field in request.items() if name not in keys)]


def _views_of(what: View | FeatureService) -> list[str]:
    if isinstance(what, FeatureService):
        return [name.partition(".")[0] for name in what.features]
    return [what.name]


def _field(live: Live, catalog: Catalog, field: Field) -> Field:
    """The field with a few stored values, where it is a key."""
    row = catalog.entity(field.name) if field.is_key else None
    for name in (row.views if row else ())[:3]:
        stored = [example[field.name] for example in live.examples(catalog.views[name]) if field.name in example]
        if stored:
            return replace(field, examples=tuple(dict.fromkeys(map(str, stored))))
    return field


def _shown(value: Any) -> str:
    match value:
        case list() | dict():
            text = json.dumps(value, ensure_ascii=False, default=str)
            return text if len(text) <= 400 else f"{text[:399]}…"
        case _:
            return number(value)
