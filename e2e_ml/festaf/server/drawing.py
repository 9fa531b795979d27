"""The catalog's drawings, as SVG text: an expression as a tree, a histogram, a sparkline, the strip of intervals.

Pure functions. Colours are classes of the style sheet, so that one drawing serves light and dark; every mark carries
its numbers in a `title`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from markupsafe import Markup

from e2e_ml.festaf.expression.operations import OPERATIONS
from e2e_ml.festaf.server.facts import window_words

# Pixels. A character is as wide as in the widest face of the font stack, at 12 px.
_CHARACTER, _BOLD_CHARACTER, _PADDING = 7.4, 8.4, 10
_BOX, _ROW, _GAP = 26, 38, 28
_LONGEST = 24  # characters of a label
_FEW = 16  # runs that a trend has room for at least, so that two of them are no walls
_FITS = 480  # a drawing up to this wide shrinks into a narrow pane and stays readable; a wider one scrolls

_WORDS = {"and": "and", "or": "or", "not": "not", "neg": "negative", "mul": "×", "sub": "−", "div": "÷",
          "le": "≤", "ge": "≥", "eq": "=", "ne": "≠", "is_in": "is in"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the tree, with those that flow into it."""

    label: str
    role: str  # "column", "operation", "constant", "python" or "result"
    inputs: tuple[Box, ...] = ()


Node = Mapping[str, Any]  # a node of an expression, as it stands in the registry


def outline(expression: Node, name: str) -> Box:
    """The boxes of an expression, ending in one with the feature's name. Constants join their operation."""
    return Box(name, "result", (_box(expression),))


def _box(node: Node) -> Box:
    args = cast("list[Node]", node.get("args", []))
    match node["op"]:
        case "column":
            return Box(str(node["name"]), "column")
        case "literal":
            return Box(_constant(node), "constant")
        case "cast":
            return Box(f"as {node['dtype']}", "operation", (_box(args[0]),))
        case "window":
            return Box(window_words(node), "operation", (_box(args[0]),))
        case "python":
            return Box(f"Python: {node['function']}", "python", tuple(map(_box, args)))
        case op:
            inputs = tuple(_box(arg) for arg in args if arg["op"] != "literal")
            return Box(_label(str(op), args), "operation", inputs)


def _label(op: str, args: Sequence[Node]) -> str:
    known = OPERATIONS.get(op)
    word = _WORDS.get(op) or (known.symbol if known and known.form == "infix" else op.replace("_", " "))
    before = [_constant(arg) for arg in args[:1] if arg["op"] == "literal"]
    after = [_constant(arg) for arg in args[1:] if arg["op"] == "literal"]
    return " ".join([*before, word, *([", ".join(after)] if after else [])])


def _constant(node: Node) -> str:
    value = node["value"]
    return f"“{value}”" if isinstance(value, str) and node["dtype"] == "string" else _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Placed:
    box: Box
    x: float
    y: float  # the middle
    width: float
    inputs: tuple[_Placed, ...]


def tree(expression: Node, name: str) -> Markup:
    """An expression drawn from its columns, at the left, to the feature, at the right."""
    root = outline(expression, name)
    columns: dict[int, float] = {}
    _measure(root, 0, columns)
    # The root is depth 0 and stands at the right: x grows as depth falls.
    edges: dict[int, float] = {}
    x = 0.0
    for depth in sorted(columns, reverse=True):
        edges[depth] = x
        x += columns[depth] + _GAP
    width = x - _GAP + 2
    placed, rows = _place(root, 0, 0, columns, edges)
    height = rows * _ROW
    parts = [*_lines(placed), *_boxes(placed)]
    style = "tree fits" if width <= _FITS else "tree"
    return Markup(
        '<svg class="{}" width="{}" height="{}" viewBox="-1 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(style, round(width), round(height), round(width), round(height), _spoken(root), Markup("").join(parts))


def _measure(box: Box, depth: int, columns: dict[int, float]) -> None:
    columns[depth] = max(columns.get(depth, 0), _wide(box))
    for source in box.inputs:
        _measure(source, depth + 1, columns)


def _wide(box: Box) -> float:
    character = _BOLD_CHARACTER if box.role == "result" else _CHARACTER
    return len(_short(box.label)) * character + 2 * _PADDING


def _place(box: Box, depth: int, row: int, columns: dict[int, float], edges: dict[int, float]) -> tuple[_Placed, int]:
    """The box with all that flows into it, and the first row below them."""
    inputs: list[_Placed] = []
    below = row
    for source in box.inputs:
        placed, below = _place(source, depth + 1, below, columns, edges)
        inputs.append(placed)
    y = (inputs[0].y + inputs[-1].y) / 2 if inputs else (row + 0.5) * _ROW
    width = _wide(box)
    # Each box ends at the right edge of its rank, so that the lines that leave it are short and of one length.
    return _Placed(box, edges[depth] + columns[depth] - width, y, width, tuple(inputs)), max(below, row + 1)


def _lines(here: _Placed) -> list[Markup]:
    lines: list[Markup] = []
    for source in here.inputs:
        start, end = source.x + source.width, here.x
        bend = min(_GAP, end - start) / 2
        lines.append(
            Markup('<path class="wire" d="M{:.1f} {:.1f} C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}"/>').format(
                start, source.y, start + bend, source.y, end - bend, here.y, end, here.y
            )
        )
        lines += _lines(source)
    return lines


def _boxes(here: _Placed) -> list[Markup]:
    box = Markup(
        '<g class="box {}"><title>{}</title><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="{}"/>'
        '<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text></g>'
    ).format(
        here.box.role,
        here.box.label,
        here.x,
        here.y - _BOX / 2,
        here.width,
        _BOX,
        _BOX // 2 if here.box.role == "column" else 6,
        here.x + here.width / 2,
        here.y + 4,
        _short(here.box.label),
    )
    return [box, *(part for source in here.inputs for part in _boxes(source))]


def _short(label: str) -> str:
    half = (_LONGEST - 1) // 2
    return label if len(label) <= _LONGEST else f"{label[:half]}…{label[-half:]}"


def _spoken(box: Box) -> str:
    return f"{box.label} from {', '.join(_spoken(source) for source in box.inputs)}" if box.inputs else box.label


# --- distributions -----------------------------------------------------------------------------------------------


def histogram(counts: Sequence[int], titles: Sequence[str], height: int = 96) -> Markup:
    """Bars side by side, as wide as their place: `counts` and, for each, the words that a pointer shows."""
    return _bars(counts, titles, "histogram", 100 * max(len(counts), 1), height, gap=8)


def sparkline(counts: Sequence[int], title: str) -> Markup:
    """The same bars, small enough for a line of a table; few of them stay slim."""
    return _bars(counts, [title] * len(counts), "spark", 6 * max(len(counts), 1), 20, gap=1, slots=16)


def trend(values: Sequence[float | None], titles: Sequence[str], *, is_line: bool) -> Markup:
    """A number over the last runs: bars from nothing up, slim where they are few; or a line from run to run."""
    if not is_line:
        counts = [value or 0 for value in values]
        return _bars(counts, titles, "strip", 100 * max(len(counts), 1), 32, gap=16, slots=_FEW)
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    reach = high - low or 1
    step, width = 100, 100 * max(len(values), _FEW)
    # Never on the very edge, where half of a line would be cut off; a value that stays lies in the middle.
    heights = [None if v is None else 28 - 24 * ((v - low) / reach if high > low else 0.5) for v in values]
    lines = Markup("").join(
        Markup('<line class="stroke" x1="{:.1f}" y1="{:.2f}" x2="{:.1f}" y2="{:.2f}"/>').format(
            (i + 0.5) * step, y, (i + 1.5) * step, after
        )
        for i, (y, after) in enumerate(pairwise(heights))
        if y is not None and after is not None
    )
    slots = Markup("").join(
        Markup('<g><title>{}</title><rect class="slot" x="{:.1f}" y="0" width="{}" height="32"/></g>').format(
            title, i * step, step
        )
        for i, title in enumerate(titles)
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 {} 32" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    ).format(width, lines, slots)


def level(share: float, title: str) -> Markup:
    """A share of 1 as a bar that lies on its side."""
    return Markup(
        '<svg class="level" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><title>{}</title>'
        '<rect class="rest" width="100" height="8"/><rect class="bar" width="{:.2f}" height="8"/></svg>'
    ).format(title, max(share * 100, 0.6) if share else 0)


def _bars(
    counts: Sequence[float], titles: Sequence[str], style: str, width: int, height: int, gap: float, slots: int = 1
) -> Markup:
    tallest = max(counts, default=0) or 1
    step = width / max(len(counts), 1)
    bars: list[Markup] = []
    for i, (count, title) in enumerate(zip(counts, titles, strict=True)):
        # What is there at all stays visible beside a tall neighbour.
        tall = max(count / tallest * height, 1.5) if count else 0
        bars.append(
            Markup(
                '<g><title>{}</title><rect class="slot" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>'
                '<rect class="bar" x="{:.1f}" y="{:.2f}" width="{:.1f}" height="{:.2f}"/></g>'
            ).format(title, i * step, step, height, i * step + gap / 2, height - tall, step - gap, tall)
        )
    return Markup('<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(
        style, round(max(width, slots * step)), height, Markup("").join(bars)
    )
