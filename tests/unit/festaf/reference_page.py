"""The parts of `reference.md` that are made from the code itself: the types, what they have, and what it means.

    python -m tests.unit.festaf.reference_page      writes them anew

A part stands between `<!-- made: name -->` and `<!-- end -->`; a test holds the page equal to the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.commands import VERBS
from e2e_ml.festaf.definition import types
from e2e_ml.festaf.definition.aggregation import Aggregation
from e2e_ml.festaf.definition.columns import Column, operations_of
from e2e_ml.festaf.definition.types import base, numbers
from e2e_ml.festaf.expression import Apply, ExpressionError, literal
from e2e_ml.festaf.expression import Column as Name
from e2e_ml.festaf.expression import operations as table
from e2e_ml.festaf.expression.operations import OPERATIONS, apply_type, cast_type, window_type
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.expression.tree import Aggregate
from e2e_ml.festaf.server import api, rows, training_sets, wishing
from e2e_ml.openlineage import server as openlineage
from e2e_ml.openlineage.inbox import Inbox

PAGE = Path(__file__).resolve().parents[3] / "resources" / "docs" / "reference.md"
_PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# One type of each kind, and the word that stands for it.
_KINDS = {
    "string": "string", "int64": "integer", "float64": "float", "decimal(12, 2)": "decimal", "bool": "bool",
    "category": "category", "date": "date", "timestamp": "timestamp", "duration": "duration", "list(float64)": "list",
    "embedding(3)": "embedding", "struct(lat: float64)": "struct",
}  # fmt: skip
_NUMBERS = ("integer", "float", "decimal")

# Constants that an operation may take behind the first operand: the first that fit its type are shown.
_ONE: list[Any] = [1, "rain", True, date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC), timedelta(hours=6), 1.5]
_CONSTANTS: dict[str, list[tuple[Any, ...]]] = {
    "round": [(1,)],
    "clip": [(0, 10)],
    "bucketize": [(0, 10)],
    "is_in": [(v,) for v in _ONE],
    "map": [(v, 1.5) for v in _ONE],
    "ordinal": [(v,) for v in _ONE],
    "contains": [("rain",), (1.5,)],
    "starts_with": [("rain",)],
    "ends_with": [("rain",)],
    "matches": [("[A-Z]+",)],
    "extract": [("([A-Z]+)", 1)],
    "replace": [("-", " ")],
    "split": [(",",)],
    "slice": [(0, 3)],
    "truncate": [("day",)],
    "get": [(0,)],
    "field": [("lat",)],
}


def _types() -> Iterator[str]:
    yield from _rows("type", "holds", "its `dtype` in the registry")
    for name in types.__all__:
        if name == "when":
            continue
        made = _example(getattr(types, name))
        yield f"| `{made[0]}` | {_said(getattr(types, name))} | `{made[1].dtype}` |"


def _example(type_: type[Column]) -> tuple[str, Column]:
    name = f"fs.{type_.__name__}"
    match type_.kind:
        case "decimal":
            return f"{name}(12, 2)", types.Decimal(12, 2)
        case "list":
            return f"{name}(fs.String())", types.List(types.String())
        case "embedding":
            return f"{name}(384)", types.Embedding(384)
        case "struct":
            return f"{name}(lat=fs.Float64())", types.Struct(lat=types.Float64())
        case _:
            return f"{name}()", type_()


_FAMILIES: list[tuple[str, type[Column]]] = [
    ("Every type", Column),
    ("", base.Fillable),
    ("What is compared: all but lists, embeddings and structs", base.Equatable),
    ("What has an order: numbers, dates, timestamps, durations", base.Ordered),
    ("What takes few values: strings, categories, integers", base.Encodable),
    ("Numbers", numbers.Numeric),
    ("Integers", numbers.Integer),
    ("Floats", numbers.Floating),
    *(
        (name, getattr(types, name))
        for name in ("Decimal", "Bool", "String", "Category", "Date", "Timestamp", "Duration", "List", "Embedding")
    ),
    ("Struct", types.Struct),
]


def _methods() -> Iterator[str]:
    """The methods that each family adds to those that it stands on."""
    for title, family in _FAMILIES:
        own = [name for name in operations_of(family) if name in vars(family)]
        if not own:
            continue
        if title:
            yield from ("", f"**{title}**", "")
        for name in own:
            method = vars(family)[name]
            said = _said(method)
            yield f"- `{_signature(name, method)}`" + (f": {said}" if said else "")


def _signature(name: str, method: Callable[..., Any]) -> str:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return f".{name}({', '.join(map(_parameter, parameters))})"


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{parameter.name}"
    given = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
    return f"{parameter.name}{given}"


def _said(thing: object) -> str:
    """Its docstring without the examples."""
    return " ".join((inspect.getdoc(thing) or "").partition(">>>")[0].split())


def _operations() -> Iterator[str]:
    yield from _rows("written", "gives")
    for name, operation in OPERATIONS.items():
        if operation.form == "when":
            yield "| `fs.when(x).then(y).otherwise(z)` | the type of `y`, for a bool `x` and a `z` that fits |"
            continue
        if operation.form == "infix":
            written, given = f"x {operation.symbol} y", "; ".join(_pairs(name))
        else:
            written, given = _of_one(name)
        yield f"| `{_cell(written)}` | {_cell(given)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _pairs(op: str) -> list[str]:
    """`number + number: number`, what an operator takes and gives, numbers of all kinds taken together."""
    found: dict[str, set[str]] = {}
    for (left, x), (right, y) in product(_KINDS.items(), repeat=2):
        given = _type_of(op, [Name("x"), Name("y")], [left, right])
        if given is not None:
            found.setdefault(f"{_family(x)} {OPERATIONS[op].symbol} {_family(y)}", set()).add(given)
    by_result: dict[str, list[str]] = {}
    for pair, given in found.items():
        by_result.setdefault(_together(given), []).append(pair)
    return [f"{', '.join(f'`{pair}`' for pair in pairs)}: {given}" for given, pairs in by_result.items()]


def _of_one(op: str) -> tuple[str, str]:
    """How it is written, and what it takes and gives."""
    operation = OPERATIONS[op]
    written, found = "", dict[str, str]()
    for kind, word in _KINDS.items():
        candidates = _CONSTANTS.get(op, [()] if operation.least == 1 else [])
        tries = [[Name("x"), *map(literal, c)] for c in candidates] or [[Name("x"), Name("y")]]
        for args in tries:
            given = _type_of(op, args, [kind, *(getattr(arg, "dtype", kind) for arg in args[1:])])
            if given is not None:
                written = written or to_python(Apply(op, tuple(args)))
                found[word] = given
                break
    return written, _taken(found)


def _type_of(op: str, args: Sequence[Any], of: Sequence[str]) -> str | None:
    try:
        given = apply_type(op, args, of)
    except ExpressionError:
        return None
    return _KINDS.get(given) or dtypes.kind(given)


def _family(word: str) -> str:
    return "number" if word in _NUMBERS else word


def _numbers(words: list[str]) -> list[str]:
    if set(_NUMBERS) <= set(words):
        return ["number", *(word for word in words if word not in _NUMBERS)]
    return words


def _together(given: Iterable[str]) -> str:
    words = sorted(set(given))
    return "number" if set(words) <= set(_NUMBERS) and len(words) > 1 else ", ".join(words)


def _casts() -> Iterator[str]:
    yield from _rows("from", "to")
    for given, word in _KINDS.items():
        wanted = [to for kind, to in _KINDS.items() if kind != given and _casts_to(given, kind)]
        if wanted:
            yield f"| {word} | {', '.join(wanted)} |"


def _casts_to(given: str, wanted: str) -> bool:
    try:
        return cast_type(given, wanted) == wanted
    except ExpressionError:
        return False


_AGGREGATES: tuple[Aggregate, ...] = (
    "count",
    "distinct",
    "first",
    "last",
    "time_since_last",
    "sum",
    "mean",
    "std",
    "quantile",
    "min",
    "max",
)


def _aggregates() -> Iterator[str]:
    yield from _rows("aggregate", "gives")
    for aggregate in _AGGREGATES:
        found: dict[str, str] = {}
        for kind, word in _KINDS.items():
            with suppress(ExpressionError):
                given = window_type(aggregate, kind)
                found[word] = _KINDS.get(given) or dtypes.kind(given)
        yield f"| `.{aggregate}({'0.9' if aggregate == 'quantile' else ''})` | {_taken(found)} |"
    yield ""
    yield f"`.over(width, rows=, by=)`: {_said(Aggregation.over)}"


def _taken(found: dict[str, str]) -> str:
    """`number, bool: integer`, from what each kind gives."""
    if all(word == given for word, given in found.items()):
        return f"{', '.join(_numbers(list(found)))}: the same type"
    kinds = {given: [word for word in found if found[word] == given] for given in found.values()}
    return "; ".join(f"{', '.join(_numbers(words))}: {given}" for given, words in kinds.items())


def _meaning() -> Iterator[str]:
    text = inspect.cleandoc(table.__doc__ or "")
    yield text[text.index("- **") :].rstrip()


def _verbs() -> Iterator[str]:
    yield from _rows("`e2e-ml festaf ...`", "does")
    for name, verb in VERBS.items():
        yield f"| `{name}` | {verb.help} |"


def _routes() -> Iterator[str]:
    yield from _rows("route", "answers")
    events = openlineage.router(Inbox(Path("events.db")), lambda _: None)
    for router in (api.router, rows.router, training_sets.router, wishing.api, events):
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                said = _cell(_said(route.endpoint))
                yield f"| `{' '.join(sorted(route.methods))} {route.path}` | {said} |"


def _rows(*titles: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + " --- |" * len(titles)


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "types": _types,
    "methods": _methods,
    "operations": _operations,
    "casts": _casts,
    "aggregates": _aggregates,
    "meaning": _meaning,
    "verbs": _verbs,
    "routes": _routes,
}


def made(page: str) -> str:
    """The page with its made parts as the code has them now."""
    return _PART.sub(lambda part: f"{part[1]}\n{_text(part[2])}\n\n{part[3]}", page)


def _text(name: str) -> str:
    return "\n".join(PARTS[name]()).strip()


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text()))
