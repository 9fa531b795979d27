"""What a reader of a feature should be warned of wherever it shows: code of the project's own, parameters that are
learned, an end that was announced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from e2e_ml.festaf import model

_SCALED = ("standard_scale", "min_max_scale")


def marked(feature: model.Feature) -> tuple[str, ...]:
    """Its marks, each a word or two: `python features.encode`, `scaled`, `not learned yet`, `deprecated`."""
    functions = python_functions(feature)
    marks = [f"python {', '.join(functions)}"] if functions else []
    if is_scaled(feature):
        marks.append("scaled" if feature.learned else "scaled, not learned yet")
    return (*marks, *(["deprecated"] if feature.deprecated else []))


def python_functions(feature: model.Feature) -> tuple[str, ...]:
    """The functions of the project's own code that compute it: `features.encode`."""
    return tuple(
        dict.fromkeys(f"{n['module']}.{n['function']}" for n in _nodes(feature.expression) if n["op"] == "python")
    )


def is_scaled(feature: model.Feature) -> bool:
    """Whether its values need parameters that are learned."""
    return feature.expression is not None and feature.expression["op"] in _SCALED


def _nodes(expression: Any) -> Iterator[dict[str, Any]]:
    if isinstance(expression, dict):
        node = cast("dict[str, Any]", expression)
        yield node
        for arg in node.get("args", ()):
            yield from _nodes(arg)
