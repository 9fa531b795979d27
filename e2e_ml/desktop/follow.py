"""Focus and web views, both ways: the focus turns the views to its counterparts, a person's click in a page moves it.

A view never answers its own click, a pinned view stays, and what our own navigation redirects to moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, QTimer

from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.web.view import WebView
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref
from e2e_ml.routes import Lookup

Counterparts = Callable[[Graph, Ref], Mapping[str, Ref]]

PAUSE = 120  # ms: walking through a list does not drive three views at every step


class Follow(QObject):
    def __init__(
        self,
        focus: Focus,
        lifecycle: Lifecycle,
        views: Sequence[WebView],
        counterparts: Counterparts,
        lookup: Callable[[Graph], Lookup],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._focus, self._lifecycle, self._views = focus, lifecycle, views
        self._counterparts, self._lookup = counterparts, lookup
        self._origin = ""
        self._pointed: dict[str, Ref] = {}  # where each view was last led
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._turn)
        focus.changed.connect(self._on_focus)
        lifecycle.changed.connect(self._on_news)
        for view in views:
            view.visited.connect(lambda ref, view=view: self._on_visit(view, ref))
            view.pinned.connect(lambda on, view=view: None if on else self._turn_one(view))
            view.chosen.connect(lambda ref, view=view: focus.set(ref, f"{view.service} place"))
            view.ref_elsewhere = self._shown_by_another
        self._on_news()

    def stop(self) -> None:
        """Lead nothing any more: the views are about to go."""
        self._timer.stop()
        self._views = []

    def _on_focus(self, _ref: Ref, origin: str) -> None:
        self._origin = origin
        self._timer.start()

    def _on_visit(self, view: WebView, ref: Ref) -> None:
        if ref == self._pointed.get(view.service):
            return  # a tab of the page that we led it to
        self._pointed[view.service] = ref
        self._focus.set(ref, view.service)

    def _on_news(self) -> None:
        """A new graph may know counterparts that the last one did not; a view that is right already stays."""
        lookup = self._lookup(self._lifecycle.graph)
        for view in self._views:
            view.lookup = lookup
            view.name_of = self._name
            view.tell_place()
        current = self._focus.current
        if current is None:
            return
        for view in self._views:
            target = self._target(view, current)
            if target is not None and view.service not in self._pointed and view.service != self._origin:
                self._lead(view, target)

    def _name(self, ref: Ref) -> str | None:
        """What people call it, where the graph knows more than its id."""
        return signs.title(self._lifecycle.graph, ref, words.utc_now())

    def _shown_by_another(self, url: str) -> Ref | None:
        """What a page of one of the services shows, by its whole address; None for any other address."""
        return next((ref for view in self._views if (ref := view.shown_at(url)) is not None), None)

    def _turn(self) -> None:
        current = self._focus.current
        if current is None:
            return
        self._pointed = {s: ref for s, ref in self._pointed.items() if s == self._origin}
        for view in self._views:
            if view.service != self._origin:
                self._turn_one(view)

    def _turn_one(self, view: WebView) -> None:
        current = self._focus.current
        target = self._target(view, current) if current is not None else None
        if target is not None:
            self._lead(view, target)

    def _target(self, view: WebView, ref: Ref) -> Ref | None:
        if ref.scheme == view.service:
            return ref
        return self._counterparts(self._lifecycle.graph, ref).get(view.service)

    def _lead(self, view: WebView, target: Ref) -> None:
        if view.is_pinned:
            return
        self._pointed[view.service] = target
        view.show_ref(target)
