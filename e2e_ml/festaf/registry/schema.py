"""The published form of registry.json, for readers in other languages: `resources/registry.schema.json`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from e2e_ml.festaf import model
from e2e_ml.festaf.expression import AGGREGATES
from e2e_ml.festaf.expression.operations import OPERATIONS


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of registry.json, expression trees included: `resources/registry.schema.json`."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.Registry.model_json_schema(),
        "title": "festaf registry",
    }
    tree = {"$ref": "#/$defs/Expression"}
    feature = schema["$defs"]["Feature"]["properties"]
    feature["expression"] = {"anyOf": [tree, {"type": "null"}], "default": None}
    schema["$defs"]["Expression"] = {
        "description": "An expression over the columns and features of its view.",
        "oneOf": [
            _node("column", name={"type": "string", "minLength": 1}),
            _node(
                "literal",
                dtype={"enum": ["bool", "int64", "float64", "string", "date", "timestamp"]},
                value={"type": ["boolean", "integer", "number", "string"]},
            ),
            _node("cast", dtype={"type": "string"}, args=_args(1, 1)),
            _WINDOW,
            *_applications(),
        ],
    }
    return schema


_WINDOW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "op": {"const": "window"},
        "aggregate": {"enum": list(AGGREGATES)},
        "quantile": {"type": "number", "minimum": 0, "maximum": 1},
        "seconds": {"type": "number", "exclusiveMinimum": 0},
        "rows": {"type": "integer", "minimum": 1},
        "by": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        "args": {"type": "array", "items": {"$ref": "#/$defs/Expression"}, "minItems": 1, "maxItems": 1},
    },
    "required": ["op", "aggregate", "args"],
    "additionalProperties": False,
}


def _applications() -> Generator[dict[str, Any]]:
    """The operations, those of as many operands together."""
    counts = dict.fromkeys((op.least, op.most) for op in OPERATIONS.values())
    for least, most in counts:
        names = [op.name for op in OPERATIONS.values() if (op.least, op.most) == (least, most)]
        yield _node(*names, args=_args(least, most))


def _node(*ops: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"op": {"const": ops[0]} if len(ops) == 1 else {"enum": list(ops)}, **fields},
        "required": ["op", *fields],
        "additionalProperties": False,
    }


def _args(least: int, most: int | None) -> dict[str, Any]:
    limits = {"minItems": least} | ({} if most is None else {"maxItems": most})
    return {"type": "array", "items": {"$ref": "#/$defs/Expression"}, **limits}
