"""The look: one table of colours and sizes for light and dark, the only place where either is written down.

`resources/style.qss` names the tokens as `@ink`; `stylesheet` puts the values in. Painted panels read `Theme` directly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Theme:
    name: str
    bg: str  # behind everything
    panel: str  # the one surface
    line: str  # hairlines
    ink: str
    dim: str  # secondary text, at least 4.5:1 on panel
    accent: str
    accent_soft: str  # selection
    ok: str
    ok_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    rail: str
    rail_ink: str
    rail_on: str


LIGHT = Theme(
    "light", "#f6f7f9", "#ffffff", "#e3e6eb", "#1c2430", "#5d6b7e", "#2563eb", "#e8f0fe", "#12805c", "#e6f6ef",
    "#b25e09", "#fdf1e1", "#b42318", "#fdecea", "#101828", "#cdd5df", "#1d2b4a",
)  # fmt: skip
DARK = Theme(
    "dark", "#0f1318", "#171c23", "#2a313b", "#e6eaf0", "#97a3b4", "#6ea8fe", "#1b2a44", "#4cc38a", "#13291f",
    "#f0a64a", "#2e2110", "#ff8077", "#34191a", "#0a0d11", "#aab4c3", "#1d2b4a",
)  # fmt: skip

GRID = 8  # px; every margin and gap is a multiple of its half
TEXT = 13  # px, body
SMALL = 11  # px, labels and secondary lines
TITLE = 17  # px


def stylesheet(template: str, theme: Theme) -> str:
    """The application's style sheet: `template` with each `@token` replaced by the theme's value."""
    # Longest names first, so that @accent does not eat the head of @accent_soft.
    for token in sorted((f.name for f in fields(theme)), key=len, reverse=True):
        template = template.replace(f"@{token}", str(getattr(theme, token)))
    return template
