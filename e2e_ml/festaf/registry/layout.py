"""The registry's text: JSON laid out so that version control shows what changed, a line for each thing that is said.

What is as the schema's default says is left out. Definitions are spread over lines; below them, an expression, a rule
or a list of words stands on one.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from e2e_ml.festaf import model

_WIDTH = 120
_SPREAD = frozenset({"views", "on_demand", "services", "features"})


def to_text(registry: model.Registry) -> str:
    """The registry as it stands in the file, without its history."""
    data = registry.model_dump(mode="json", exclude_defaults=True, exclude={"inline"}, by_alias=True)
    said = {"schema_version": model.SCHEMA_VERSION, "project": registry.project, "version": registry.version}
    rest = {key: value for key, value in data.items() if key not in said}
    return _object({**said, **rest}, "") + "\n"


def to_data(record: model.Record) -> dict[str, Any]:
    """A record as JSON values, as it stands in the file."""
    return record.model_dump(mode="json", exclude_defaults=True)


def _object(data: dict[str, Any], indent: str) -> str:
    inner = indent + "  "
    lines = [f"{inner}{_text(key)}: {_value(key, value, inner)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _value(key: str, value: Any, indent: str) -> str:
    if not isinstance(value, list) or not value:
        return _text(value)
    items = cast("list[Any]", value)
    if key in _SPREAD and isinstance(items[0], dict):
        texts = [_object(item, indent + "  ") for item in items]
    else:
        line = _text(items)
        if len(line) <= _WIDTH or not isinstance(items[0], str):
            return line
        texts = [_text(item) for item in items]
    return "[\n" + ",\n".join(f"{indent}  {text}" for text in texts) + f"\n{indent}]"


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
