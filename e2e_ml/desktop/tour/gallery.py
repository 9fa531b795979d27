"""The pictures' page: `index.html` beside one PNG a step."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from e2e_ml.desktop.tour.story import Step

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>e2e-ml: the story of a feature</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c2430; --dim: #5d6b7e; --bg: #f6f7f9; --line: #e3e6eb }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6eaf0; --dim: #97a3b4; --bg: #0f1318; --line: #2a313b }} }}
body {{ margin: 0 auto; padding: 48px 24px; max-width: 1200px; background: var(--bg); color: var(--ink);
  font: 16px/1.5 Inter, system-ui, "DejaVu Sans", sans-serif }}
h1 {{ font-size: 28px; margin: 0 0 8px }} .lead {{ color: var(--dim); margin: 0 0 48px }}
section {{ margin: 0 0 64px }} h2 {{ font-size: 20px; margin: 0 0 4px }}
h2 span {{ color: var(--dim); font-variant-numeric: tabular-nums; margin-right: 8px }}
p {{ max-width: 72ch; margin: 0 0 16px }}
img {{ display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px }}
</style></head><body>
<h1>The story of a feature</h1>
<p class="lead">From raw flights to a champion model, in one window. Every picture was taken after what it speaks of had
been seen on screen.</p>
{sections}
</body></html>
"""

_SECTION = """<section id="{name}"><h2><span>{number}</span>{title}</h2><p>{text}</p>
<a href="{picture}"><img src="{picture}" alt="{title}" loading="lazy"></a></section>"""


def picture_name(number: int, step: Step) -> str:
    """`03-five-answers.png` for the third step."""
    return f"{number:02d}-{step.name}.png"


def write(folder: Path, steps: Sequence[Step]) -> Path:
    """Write `index.html` for the pictures of `steps` in `folder`; returns its path."""
    sections = "\n".join(
        _SECTION.format(
            name=html.escape(step.name, quote=True),
            number=number,
            title=html.escape(step.title),
            text=html.escape(step.text),
            picture=picture_name(number, step),
        )
        for number, step in enumerate(steps, 1)
    )
    index = folder / "index.html"
    index.write_text(_PAGE.format(sections=sections), encoding="utf-8")
    return index
