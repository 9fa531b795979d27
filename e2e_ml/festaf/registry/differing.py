"""How two definitions differ, in words: `expression: temp <= 32 -> temp <= 30`."""

from __future__ import annotations

import json
from typing import Any, cast

from e2e_ml.festaf import model
from e2e_ml.festaf.naming import rule
from e2e_ml.festaf.registry.layout import to_data

# What an apply notes about a definition, and what follows from the rest of it.
_NOTED = frozenset({"first_seen", "changed_at", "version", "stored_as", "renamed_from", "learned", "sql"})
_SHOWN = 100  # characters of a value
_WORDS = {
    "code": "expression",
    "dtype": "type",
    "ttl_seconds": "ttl in seconds",
    "fill_null": "nulls filled with",
    "source_columns": "in the source",
}


def is_same(old: model.Record, new: model.Record, skip: str = "") -> bool:
    """Whether both define the same, apart from the field `skip`. They are of one kind."""
    return all(
        getattr(old, field) == getattr(new, field)
        for field in type(new).model_fields
        if field not in _NOTED and field != skip
    )


def details(old: model.Record, new: model.Record, skip: str = "") -> tuple[str, ...]:
    """What differs, field by field. `skip` is told elsewhere."""
    if is_same(old, new, skip):
        return ()
    before, after = _json(old), _json(new)
    differing = [field for field in after if field not in _NOTED and field != skip and before[field] != after[field]]
    if "code" in differing:  # the expressions show it
        differing = [field for field in differing if field not in ("expression", "inputs")]
    return tuple(line for field in differing for line in _difference(field, before[field], after[field]))


def definition(record: model.Record) -> dict[str, Any]:
    """A record as the history keeps it."""
    return to_data(record)


def _json(record: model.Record) -> dict[str, Any]:
    return record.model_dump(mode="json")


def _difference(field: str, before: Any, after: Any) -> list[str]:
    """Lines for one field: a record's differing fields one by one, of a list what came and went."""
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return [
            line for name in names for line in _difference(f"{_called(field)} {name}", old.get(name), new.get(name))
        ]
    if isinstance(before, list) and isinstance(after, list):
        told_before, told_after = _items(cast("list[Any]", before)), _items(cast("list[Any]", after))
        came = [f"+ {item}" for item in told_after if item not in told_before]
        went = [f"- {item}" for item in told_before if item not in told_after]
        return [f"{_called(field)}: {', '.join(came + went) or 'in another order'}"]
    return [f"{_called(field)}: {_shown(before)} -> {_shown(after)}"]


def _called(field: str) -> str:
    return _WORDS.get(field, field)


def _items(values: list[Any]) -> list[str]:
    """The items of a list in words: the rules of constraints, or what they are."""
    return [_item(value) for value in values]


def _item(value: Any) -> str:
    if isinstance(value, dict) and "rule" in value:
        return rule(model.Constraint.model_validate(value))
    return _shown(value)


def _shown(value: Any) -> str:
    if value in (None, "", {}):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
