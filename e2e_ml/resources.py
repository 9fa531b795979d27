"""Where the package's icons, style sheets, templates and demo files lie, in a checkout and when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
# A wheel carries `resources/` inside the package; a checkout has it beside the package.
ROOT = _PACKAGE / "_resources" if (_PACKAGE / "_resources").is_dir() else _PACKAGE.parent / "resources"


def path(*parts: str) -> Path:
    """The path of a resource, e.g. `path("icons", "dag.svg")`."""
    return ROOT.joinpath(*parts)


def text(*parts: str) -> str:
    return path(*parts).read_text(encoding="utf-8")
