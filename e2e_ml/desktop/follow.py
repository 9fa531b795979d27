"""Focus and web views, both ways: the focus turns the views to its counterparts, a person's click in a page moves it.

A view never answers its own click, a pinned view stays, and what our own navigation redirects to moves nothing. A page
that shows no single thing moves nothing either: its view says so, and stays there until the focus moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, QTimer

from e2e_ml import routes
from e2e_ml.desktop.breadcrumb import Remark, own_name
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
        has_read: Callable[[str], bool],
        parent: QObject | None = None,
    ) -> None:
        """`has_read`: whether all that a service had to tell was ever read."""
        super().__init__(parent)
        self._focus, self._lifecycle, self._views = focus, lifecycle, views
        self._counterparts, self._lookup, self._has_read = counterparts, lookup, has_read
        self._origin = ""
        self._pointed: dict[str, Ref] = {}  # where each view was last led
        self._strayed: set[str] = set()  # views that the person led to a page that shows no single thing
        self._early: set[str] = set()  # views that were led while the services were still read for the first time
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._turn)
        focus.changed.connect(self._on_focus)
        lifecycle.changed.connect(self._on_news)
        for view in views:
            view.visited.connect(lambda ref, view=view: self._on_visit(view, ref))
            view.pinned.connect(lambda on, view=view: None if on else self._turn_one(view))
            view.led_back.connect(lambda view=view: self._lead_back(view))
            view.chosen.connect(lambda ref, view=view: focus.set(ref, f"{view.service} place"))
            view.ref_elsewhere = self._shown_by_another
        self._on_news()

    def stop(self) -> None:
        """Lead nothing any more: the views are about to go."""
        self._timer.stop()
        self._views = []

    def _on_focus(self, _ref: Ref, origin: str) -> None:
        self._origin = origin
        self._strayed.clear()
        for view in self._views:
            view.remark(None)  # the focus has moved: what was said of it is over
        self._timer.start()

    def _on_visit(self, view: WebView, ref: Ref | None) -> None:
        if ref is None:
            self._strayed.add(view.service)
            self._early.discard(view.service)
            view.remark(self._stays(view))
            return
        self._strayed.discard(view.service)
        self._early.discard(view.service)
        view.remark(None)
        if ref == self._pointed.get(view.service):
            return  # a tab of the page that we led it to
        self._pointed[view.service] = ref
        self._focus.set(ref, view.service)

    def _on_news(self) -> None:
        """A new graph may know counterparts that the last one did not. A view that was led with everything read stays,
        whatever comes later: nobody's page is taken away under their eyes."""
        lookup = self._lookup(self._lifecycle.graph)
        for view in self._views:
            view.lookup = lookup
            view.name_of = self._name
            view.tell_place()
        current = self._focus.current
        if current is None:
            return
        early, self._early = self._early, set()
        targets = self._targets(current)
        for view in self._views:
            led = view.service in self._pointed or view.service in self._strayed or view.service == self._origin
            if not led or view.service in early:
                self._lead(view, targets.get(view.service))

    def _stays(self, view: WebView) -> Remark:
        """What to say of a page that moves nothing."""
        current = self._focus.current
        if current is None:
            return Remark(("shows no single thing",), "This page shows no single thing of the lifecycle.")
        name = own_name(current, self._name(current), whole=False)
        way_back = self._targets(current).get(view.service)
        leads_back = way_back is not None and routes.path(way_back, view.lookup) is not None
        sentence = (
            f"This page shows no single thing of the lifecycle: the focus stays on {name}, "
            "and the other views stay where they are."
        )
        return Remark(
            (
                f"shows no single thing; the focus stays on {name}",
                f"no single thing; focus stays on {name}",
                f"focus stays on {name}",
                "focus stays",
            ),
            f"{sentence} Click to show {name} here again." if leads_back else sentence,
            leads_back,
        )

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
        targets = self._targets(current)
        for view in self._views:
            if view.service != self._origin:
                self._lead(view, targets.get(view.service))

    def _turn_one(self, view: WebView) -> None:
        if (current := self._focus.current) is not None:
            self._lead(view, self._targets(current).get(view.service))

    def _lead_back(self, view: WebView) -> None:
        """The person asks for it, so a view that is held still is led as well."""
        current = self._focus.current
        target = self._targets(current).get(view.service) if current is not None else None
        if target is not None:
            self._strayed.discard(view.service)
            self._show(view, target)

    def _targets(self, ref: Ref) -> Mapping[str, Ref]:
        return self._counterparts(self._lifecycle.graph, ref)

    def _lead(self, view: WebView, target: Ref | None) -> None:
        if target is not None and not view.is_pinned:
            self._show(view, target)

    def _show(self, view: WebView, target: Ref) -> None:
        # A part without a page of its own is shown by another's, and a tab of that page is no way to another thing.
        self._pointed[view.service] = routes.shown(target, view.lookup) or target
        if not all(self._has_read(other.service) for other in self._views):
            self._early.add(view.service)
        view.show_ref(target)
