"""The published form of registry.json, for readers in other languages: `resources/registry.schema.json`.

The form is that of the records in `model`; what it means is said in the schema's own descriptions, much of it in the
words of the modules that do it, so that the two cannot part.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from e2e_ml.festaf import dtypes, model
from e2e_ml.festaf.expression import AGGREGATES, json_form, operations, patterns, scaling, tree

_ABOUT = """\
What a project has defined: feature views, on-demand views and feature services. A reader needs nothing else to
compute their features: no code is in it, and none is named but by the expressions with op "python".

Reading it. What is left out is as "default" says. A reader refuses a `schema_version` above the one that it knows.
Names of views and services are unique together; a feature's full name is `view.feature`, and its column in an
answer `view__feature`. Times are ISO 8601 in UTC. The file is replaced whole, by a rename: read it whole, and again
when it has changed. Who writes it holds an exclusive flock on `.registry.lock` beside it, and counts `version` up
by one. How it came so stands beside it in `registry.history.jsonl`: a line for each apply, as $defs/Applied has it,
of which those up to `version` count, and of equal versions the last. A server's answer and files of form 1 have it
in `history`.

Computing a feature view. Its rows come from `source`: the keys in `entities`, `event_time`, `created_time` and
every feature without an expression, each under its own name or the one in `source_columns`, with `fill_null` put in
where one is missing. The other features are computed from these and from each other, in any order in which each
stands behind what it reads; a window sees the rows of its group that lie before it in time, as $defs/Expression
says. Hidden features are computed like others and shown to nobody. In the offline store a view's rows lie under its
`stored_as`, else its name, and a feature's values under its own `stored_as`, else its name.

Asking. For an asked row with keys and a time t, a view with an event time gives its newest row with t - ttl_seconds
<= event time <= t, of equal event times the one created last, then the one stored last; a view without times its
current row. No row: null. A feature of an on-demand view is computed then, from the columns in `request`, which
come with the asked row, from the view's other features, and from features of other views, which its expressions
call by their full names. So is a scaled feature of any view."""

_EXPRESSION = """\
How a feature is computed, over the columns and features of its view; in an on-demand view also over features of
other views, by full names. `infer` the type of a node from those below it; the types of columns stand beside them.

A window aggregates the values of `args[0]` over rows of the view: those with the same keys, or with `by` the same
values in these columns. With `seconds`, those whose event time lies in (t - seconds, t], t being the row's own;
with `rows`, the last so many up to and with the row itself, in the order of event time, created time and storing;
with neither, all up to t, and in a view without times all there are. Missing values are left out (of `rows`, they
are counted): count and distinct are then 0, every other aggregate null. `std` is that of a sample, null for fewer
than two values; `quantile` is linear between the two nearest values; first and last go by the order above;
`time_since_last` is the time from the event time of the newest row strictly before t that has a value (for a bool:
that is true) to t.

A "python" node is the project's own: `function` of `module` in the project folder, whose source text has that
SHA-256, gives a column of type `dtype` for the columns in `args`. A reader in another language leaves such features
out."""

_DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "Registry": {
        "version": "Counts applies. A writer that read an older one is refused.",
        "history": "Every apply, newest last: in answers of a server and files of form 1. Else in a file of its own.",
    },
    "Feature": {
        "expression": "How it is computed. null: a column of the source as it is.",
        "code": "The expression as readable Python, for people.",
        "sql": "The expression as SQL, for people.",
        "inputs": "The columns and features that the expression reads; one of another view by its full name.",
        "fill_null": "For a column of the source: what stands where a value is missing. As in a literal.",
        "learned": "The parameters of a scaled feature. null where nothing is scaled, or nothing was learned yet.",
        "deprecated": "Why it is not to be used any more, and what is.",
        "renamed_from": "What it was called before.",
        "stored_as": "Its column in the offline table and its field online. null: as it is called.",
        "first_seen": "When it was first applied.",
        "changed_at": "When its definition last changed.",
        "hidden": "An intermediate expression without a name of its own, such as a service's target.",
    },
    "FeatureView": {
        "source_columns": "What the source calls columns otherwise, by their names here.",
        "event_time": "The column that says when a row's values were true. null: a view without times.",
        "created_time": "The column that says when a row was written.",
        "ttl_seconds": "How long before the asked time a row may lie and still count.",
        "stored_as": "The name of its offline table, and of its rows online. null: as it is called.",
        "version": "Counts the changes of this view's definition.",
    },
    "OnDemandView": {
        "request": "The columns that come with the asked rows.",
        "version": "Counts the changes of this view's definition.",
    },
    "FeatureService": {"features": "Full names, in the order in which the model takes them."},
    "Target": {"feature": "A feature of that view, hidden where the expression was written in the service."},
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of registry.json, expression trees included: `resources/registry.schema.json`."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.Registry.model_json_schema(),
        "title": "festaf registry",
        "description": _ABOUT,
        "required": ["schema_version", "project"],
    }
    schema["properties"]["schema_version"] = {"type": "integer", "minimum": 1, "maximum": model.SCHEMA_VERSION}
    definitions: dict[str, Any] = schema["$defs"]
    for name in ("Feature", "Key"):
        definitions[name]["properties"]["dtype"] = {"$ref": "#/$defs/DataType"}
    definitions["Feature"]["properties"]["expression"] = {
        "anyOf": [{"$ref": "#/$defs/Expression"}, {"type": "null"}],
        "default": None,
    }
    for name, fields in _DESCRIPTIONS.items():
        properties = (schema if name == "Registry" else definitions[name])["properties"]
        for field, text in fields.items():
            properties[field]["description"] = text
    definitions["DataType"] = _data_type()
    definitions["Expression"] = _expression()
    return schema


def _data_type() -> dict[str, Any]:
    inner = r"\((.+)\)"
    kinds = "|".join(
        [*dtypes.SCALARS, r"decimal\([1-9]\d*, \d+\)", f"list{inner}", r"embedding\([1-9]\d*\)", f"struct{inner}"]
    )
    return {"type": "string", "pattern": f"^({kinds})$", "description": _prose(dtypes)}


def _expression() -> dict[str, Any]:
    """By the op alone it is known what a node holds, so that a validator looks into each node once."""
    nodes = [
        _node(["column"], name={"type": "string", "minLength": 1}),
        _node(
            ["literal"],
            dtype={"$ref": "#/$defs/DataType"},
            value={"type": ["boolean", "integer", "number", "string", "array"]},
        ),
        _node(["cast"], dtype={"$ref": "#/$defs/DataType"}, args=_args(1, 1)),
        _node(
            ["python"],
            module={"type": "string", "minLength": 1},
            function={"type": "string", "minLength": 1},
            sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            dtype={"$ref": "#/$defs/DataType"},
            args=_args(1, None),
        ),
        _window(),
        *_applications(),
    ]
    return {
        "description": "\n\n".join(
            [_EXPRESSION, _prose(json_form), _prose(operations), _prose(patterns), _prose(scaling), _prose(tree.Window)]
        ),
        "type": "object",
        "properties": {"op": {"enum": [op for ops, _ in nodes for op in ops]}},
        "required": ["op"],
        "allOf": [{"if": {"properties": {"op": {"enum": ops}}}, "then": node} for ops, node in nodes],
    }


def _prose(documented: object) -> str:
    return inspect.cleandoc(documented.__doc__ or "")


def _window() -> tuple[list[str], dict[str, Any]]:
    ops, node = _node(["window"], aggregate={"enum": list(AGGREGATES)}, args=_args(1, 1))
    node["properties"] |= {
        "quantile": {"type": "number", "minimum": 0, "maximum": 1},
        "seconds": {"type": "number", "exclusiveMinimum": 0},
        "rows": {"type": "integer", "minimum": 1},
        "by": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    }
    node["not"] = {"required": ["seconds", "rows"]}
    node["if"] = {"properties": {"aggregate": {"const": "quantile"}}}
    node["then"], node["else"] = {"required": ["quantile"]}, {"properties": {"quantile": False}}
    return ops, node


def _applications() -> list[tuple[list[str], dict[str, Any]]]:
    """The operations, those of as many operands together."""
    table = operations.OPERATIONS.values()
    counts = dict.fromkeys((op.least, op.most) for op in table)
    return [
        _node([op.name for op in table if (op.least, op.most) == (least, most)], args=_args(least, most))
        for least, most in counts
    ]


def _node(ops: list[str], **fields: Any) -> tuple[list[str], dict[str, Any]]:
    properties = {"op": {"enum": ops}, **fields}
    return ops, {"properties": properties, "required": ["op", *fields], "additionalProperties": False}


def _args(least: int, most: int | None) -> dict[str, Any]:
    limits = {"minItems": least} | ({} if most is None else {"maxItems": most})
    return {"type": "array", "items": {"$ref": "#/$defs/Expression"}, **limits}
