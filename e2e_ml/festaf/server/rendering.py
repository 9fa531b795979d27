"""From a template's name and values to a page: what every page has in common, and the pages for what is not there."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from e2e_ml import resources
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.server import drawing, facts, presenting
from e2e_ml.festaf.server.catalog import Catalog
from e2e_ml.festaf.server.live import Live


class NotHereError(Exception):
    """There is no such thing in the registry; `wanted` is what was asked for, in words for its page."""

    def __init__(self, sentence: str, wanted: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.wanted = wanted


def environment() -> Environment:
    """The templates, with everything escaped unless a function here has built it."""
    made = Environment(
        loader=FileSystemLoader(resources.path("catalog")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(presenting.FILTERS)  # pyright: ignore[reportUnknownMemberType] - Jinja2 leaves its type open
    return made


_TEMPLATES = environment()
_COMPILING = threading.Lock()


def template(name: str) -> Template:
    """A template, compiled by who needs it first; who needs it meanwhile waits, for two would take twice as long."""
    with _COMPILING:
        return _TEMPLATES.get_template(name)


def compile_first() -> None:
    """Compile what every page is made with, and the first page."""
    for name in ("home.html", "macros.html", "base.html"):
        template(name)


def render(live: Live, page: str, status: int = 200, **values: Any) -> HTMLResponse:
    now = datetime.now(UTC)
    catalog = live.catalog

    # Times are said as seen from one moment, the same all over a page.
    def ago(moment: datetime | None) -> Markup:
        return presenting.ago(moment, now)

    def day(moment: datetime) -> Markup:
        return presenting.day(moment, now)

    def linked(text: str, view: str = "") -> Markup:
        return names_linked(catalog, text, view)

    text = template(page).render(
        registry=catalog.registry,
        applied=catalog.history[-1] if catalog.history else None,
        trouble=live.trouble,
        state_tag=live.state,
        ago=ago,
        day=day,
        linked=linked,
        draw_histogram=drawing.histogram,
        draw_sparkline=drawing.sparkline,
        draw_level=drawing.level,
        draw_trend=drawing.trend,
        **values,
    )
    return HTMLResponse(text, status, headers={"cache-control": "no-cache"})


def names_linked(catalog: Catalog, text: str, view: str = "") -> Markup:
    """A sentence of a definition, with the names in it that the registry knows as links: "use `plane.seats`".

    `view` is whose features may be named by their last part alone. A word without `_`, `.` or backticks that only
    happens to be a view's name stays a word.
    """
    made: list[Markup] = []
    for part in re.split(r"(`[^`]+`|\w+(?:\.\w+)?)", text):
        name = part.strip("`")
        path = catalog.path(f"{view}.{name}") if view and name and "." not in name else None
        if path is None and (name != part or "_" in name or "." in name):
            path = catalog.path(name)
        made.append(Markup('<a href="{}">{}</a>').format(path, name) if path else Markup.escape(part))
    return Markup("").join(made)


def missing(live: Live, sentence: str, wanted: str) -> HTMLResponse:
    """The page for an address that shows nothing: what is missing, and what comes near."""
    near = [facts.hit_row(hit) for hit in live.catalog.search.nearest(wanted)]
    return render(live, "missing.html", 404, sentence=sentence, near=near)


def view_or_404(catalog: Catalog, name: str) -> FeatureView:
    found = catalog.views.get(name)
    if found is None:
        raise NotHereError(f"There is no feature view {name!r} in {catalog.project}.", name)
    return found
