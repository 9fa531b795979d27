"""Whether what a step speaks of is really on screen: the text of a page's DOM, the model of a panel.

Asking a web page takes a moment, so the answer comes to a callback. Nothing here waits: the player asks again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QLabel, QWidget

from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.tour.story import (
    Expectation,
    ExplorerShows,
    FocusIs,
    InspectorSays,
    LineageDraws,
    PageSays,
    PaletteOffers,
)
from e2e_ml.desktop.window import Window

Missing = list[str]  # what is not on screen, a phrase each


def look(
    window: Window, focus: Focus, expectations: Sequence[Expectation], answer: Callable[[Missing], object]
) -> None:
    """Call `answer` once with what is missing of `expectations`; an empty list means that all of it was seen."""
    pages = [e for e in expectations if isinstance(e, PageSays)]
    missing = [phrase for e in expectations if not isinstance(e, PageSays) for phrase in _in_panels(window, focus, e)]
    awaited = len(pages)
    if not awaited:
        answer(missing)
        return

    def page_read(page: PageSays, text: str) -> None:
        nonlocal awaited
        missing.extend(f"{t!r} on the page of {window.web[page.service].title}" for t in page.texts if t not in text)
        awaited -= 1
        if awaited == 0:
            answer(missing)

    for page in pages:
        window.web[page.service].dom_text(lambda text, page=page: page_read(page, text))


def _in_panels(window: Window, focus: Focus, expectation: Expectation) -> Missing:
    match expectation:
        case InspectorSays(texts):
            shown = text_of(window.inspector)
            return [f"{t!r} in the inspector" for t in texts if t not in shown]
        case ExplorerShows(ref):
            explorer = window.explorer
            return [] if explorer.isVisible() and explorer.selected() == ref else [f"{ref} in the explorer"]
        case LineageDraws(wanted):
            views = (window.lineage.view, window.inspector.lineage)
            drawn = next((view.shown.keys for view in views if view.isVisible()), ())
            return [f"{ref} in the lineage" for ref in wanted if ref not in drawn]
        case PaletteOffers(ref):
            offered = [entry.target for entry in window.palette_box.shown] if window.palette_box.isVisible() else []
            return [] if ref in offered else [f"{ref} in the palette"]
        case FocusIs(ref):
            return [] if focus.current == ref else [f"the focus on {ref}"]
        case PageSays():
            return []  # asked of the page


def text_of(widget: QWidget) -> str:
    """The words that a panel shows: of its visible labels, and of the cells of its visible tables."""
    words = [plain(label.text()) for label in widget.findChildren(QLabel) if label.isVisible()]
    for table in widget.findChildren(QAbstractItemView):
        model = table.model()
        if table.isVisible():
            words += [
                str(model.data(model.index(row, column), Qt.ItemDataRole.DisplayRole) or "")
                for row in range(model.rowCount())
                for column in range(model.columnCount())
            ]
    return "\n".join(words)


def plain(text: str) -> str:
    """A label's text without its mark-up."""
    return unescape(re.sub(r"<(?:/?[a-z]+)(?: [^>]*)?/?>", "", text))
