"""The window: where everything stands, and the methods that actions call. It starts nothing and owns no service."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QGuiApplication, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from e2e_ml.desktop import keys
from e2e_ml.desktop.actions import ACTIONS, Action
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.canvas import Canvas, Layout
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.notices import Notices
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.palette import Entry, Palette, entries, searched
from e2e_ml.desktop.panels.explorer import Explorer
from e2e_ml.desktop.panels.inspector import Inspector
from e2e_ml.desktop.panels.lineage.page import LineagePage
from e2e_ml.desktop.panels.loose_ends import ORIGIN as LOOSE_ENDS
from e2e_ml.desktop.panels.loose_ends import LooseEnds
from e2e_ml.desktop.panels.services import ServicesPanel
from e2e_ml.desktop.promise import PromisePage
from e2e_ml.desktop.rail import Rail
from e2e_ml.desktop.session import Session
from e2e_ml.desktop.stages import BY_NAME, FIRST, Stage
from e2e_ml.desktop.statusbar import StatusBar
from e2e_ml.desktop.theme import DARK, LIGHT
from e2e_ml.desktop.topbar import TopBar
from e2e_ml.desktop.web.view import WebView
from e2e_ml.refs import Ref
from e2e_ml.stack.service import State, Status

LEAST = (960, 600)  # px
FIRST_SIZE = (1600, 960)  # px
EXPLORER_FROM = 1440  # px of window width from which the explorer is open at first


class Window(QMainWindow):
    """`web`, `explorer`, `inspector`, `services`, `palette` and `canvas` are there for the tour and the tests."""

    refresh_requested = Signal()
    theme_chosen = Signal(str)
    start_requested = Signal(str)
    stop_requested = Signal(str)
    log_requested = Signal(str)  # the service whose log a person wants to read
    tour_requested = Signal()
    closing = Signal()

    def __init__(
        self,
        name: str,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        operations: Operations,
        views: Mapping[str, WebView],
    ) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setWindowTitle(f"{name} · e2e-ml")
        self.setMinimumSize(*LEAST)
        self._lifecycle, self._focus, self._appearance = lifecycle, focus, appearance
        self.web: dict[str, WebView] = dict(views)
        self.stage = ""
        self._explorer_chosen: bool | None = None  # None: as the width has it
        self._inspector_chosen: bool | None = None
        self._theme = "system"

        self.rail = Rail(appearance, self)
        self.top = TopBar(lifecycle, focus, appearance, self)
        self.notices = Notices(appearance, self)
        self.status = StatusBar({s: v.title for s, v in views.items()}, lifecycle, operations, appearance, self)
        self.explorer = Explorer(lifecycle, focus, appearance, self)
        self.inspector = Inspector(lifecycle, focus, appearance, self)
        self.services = ServicesPanel(appearance, self)
        self.loose_ends = LooseEnds(lifecycle, focus, appearance, operations, self)
        self.canvas = Canvas(list(views.values()), self)
        self.promise = PromisePage(self)
        self.lineage = LineagePage(lifecycle, focus, appearance, self, operations=operations)
        self._lay_out()
        self._actions = {action.id: self._make(action) for action in ACTIONS}
        self.palette_box = Palette(appearance, self._entries, self._searched, self)
        self._wire()
        self.show_stage(FIRST)
        self.canvas.setFocus()

    def _lay_out(self) -> None:
        self.middle = QStackedWidget(self)
        self.middle.addWidget(self.canvas)
        self.middle.addWidget(self.promise)
        self.middle.addWidget(self.lineage)
        self.side = QStackedWidget(self)
        self.side.setObjectName("side")
        self.side.addWidget(self.inspector)
        self.side.addWidget(self.services)
        self.side.addWidget(self.loose_ends)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setObjectName("splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for widget in (self.explorer, self.middle, self.side):
            self.splitter.addWidget(widget)
        self.explorer.setMinimumWidth(180)
        self.side.setMinimumWidth(260)
        self.splitter.setStretchFactor(1, 1)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self.top)
        right.addWidget(self.notices)
        right.addWidget(self.splitter, 1)
        right.addWidget(self.status)
        whole = QHBoxLayout()
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.rail)
        whole.addLayout(right, 1)
        body = QWidget(self)
        body.setLayout(whole)
        self.setCentralWidget(body)

    def _wire(self) -> None:
        self.rail.chosen.connect(self.show_stage)
        self.rail.services.connect(self.toggle_services)
        self.status.services.connect(self.toggle_services)
        self.top.find_requested.connect(self.show_palette)
        self.top.fold_explorer.connect(self.toggle_explorer)
        self.top.fold_inspector.connect(self.toggle_inspector)
        self.top.next_layout.connect(self.next_layout)
        self.top.menu.connect(self._show_menu)
        self.promise.go_to.connect(self.show_stage)
        self.palette_box.chosen.connect(self._on_palette)
        self.services.start_requested.connect(self.start_requested)
        self.services.stop_requested.connect(self.stop_requested)
        self.services.open_log_requested.connect(self.log_requested)
        self.services.closed.connect(self.toggle_services)
        self.loose_ends.closed.connect(self.toggle_loose_ends)
        self.inspector.expand_requested.connect(self.toggle_lineage)
        self.lineage.closed.connect(self.toggle_lineage)
        self._focus.changed.connect(self._on_focus)
        for view in self.web.values():
            view.retry.connect(lambda view=view: self.start_requested.emit(view.service))

    # --- actions ----------------------------------------------------------------------------------------------------

    def _make(self, action: Action) -> QAction:
        made = QAction(action.title, self)
        if action.shortcut:
            made.setShortcut(QKeySequence(action.shortcut))
            everywhere = Qt.ShortcutContext.WindowShortcut
            made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut if action.where else everywhere)
        made.triggered.connect(lambda: self.act(action))
        scopes: dict[str, QWidget] = {"lineage": self.lineage, "drawing": self.lineage.view}
        scopes.get(action.where, self).addAction(made)
        return made

    def act(self, action: Action) -> None:
        """Do what an action says."""
        getattr(self, action.call)(*action.args)

    def _show_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        below: dict[str, QMenu] = {}
        for action in ACTIONS:
            if action.menu not in below:
                below[action.menu] = menu.addMenu(action.menu)
            below[action.menu].addAction(self._actions[action.id])
        button = self.top.menu_button
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def _entries(self) -> list[Entry]:
        return entries(self._lifecycle.graph, ACTIONS)

    def _searched(self, query: str) -> list[Entry]:
        return searched(self._lifecycle.graph, query)

    def _on_palette(self, target: object) -> None:
        if isinstance(target, Ref):
            self._focus.set(target, "palette")
        elif isinstance(target, Action):
            self.act(target)

    def show_palette(self) -> None:
        self.palette_box.open()

    def focus_back(self) -> None:
        self._focus.back()

    def focus_forward(self) -> None:
        self._focus.forward()

    def show_stage(self, name: str) -> None:
        """Go to a stage of the lifecycle: its panels, its leading view, and where its views point."""
        stage = BY_NAME.get(name, BY_NAME[FIRST])
        self.stage = stage.name
        self.rail.show_stage(stage.name)
        self.explorer.show_stage(stage.name)
        if stage.promise is not None:
            self.promise.show_promise(stage.promise)
            self.middle.setCurrentWidget(self.promise)
        else:
            self.middle.setCurrentWidget(self.canvas)
            self._point(stage)
        self._fold()

    def _point(self, stage: Stage) -> None:
        self.canvas.lead(stage.leading)
        for service, path in stage.home.items():
            view = self.web.get(service)
            shown = view.ref if view else None
            if view is not None and not view.is_pinned and shown is None:
                view.go(path)

    def lead(self, service: str) -> None:
        self.middle.setCurrentWidget(self.canvas)
        self.canvas.lead(service)
        self.web[service].engine.setFocus()

    def next_view(self) -> None:
        self.canvas.go_round()

    def toggle_maximised(self) -> None:
        self.canvas.maximise(not self.canvas.maximised)

    def next_layout(self) -> None:
        kinds = list(Layout)
        self.canvas.set_layout(kinds[(kinds.index(self.canvas.layout_kind) + 1) % len(kinds)])
        self.status.tell(f"Layout: {self.canvas.layout_kind.value}")
        QTimer.singleShot(2000, self, lambda: self.status.tell(""))

    @property
    def _leading(self) -> WebView:
        return self.web[self.canvas.leading]

    def reload_view(self) -> None:
        self._leading.driver.reload()

    def zoom_in(self) -> None:
        self._leading.zoom_by(1)

    def zoom_out(self) -> None:
        self._leading.zoom_by(-1)

    def zoom_reset(self) -> None:
        self._leading.zoom_by(0)

    def toggle_pin(self) -> None:
        self._leading.chrome.pin_button.toggle()

    def open_outside(self) -> None:
        self._leading.open_outside()

    def toggle_explorer(self) -> None:
        self._explorer_chosen = not self.explorer.isVisible()
        self._fold()

    def toggle_inspector(self) -> None:
        if self.side.isVisible() and self.side.currentWidget() is not self.inspector:
            self.side.setCurrentWidget(self.inspector)
            return
        self._inspector_chosen = not self.side.isVisible()
        self._fold()

    def toggle_services(self) -> None:
        """Show the services at the right, or the inspector again."""
        self._toggle_at_the_right(self.services)

    def toggle_loose_ends(self) -> None:
        """Show what hangs loose at the right, or the inspector again."""
        self._toggle_at_the_right(self.loose_ends)

    def _toggle_at_the_right(self, page: QWidget) -> None:
        showing = self.side.isVisible() and self.side.currentWidget() is page
        self.side.setCurrentWidget(self.inspector if showing else page)
        if not showing and not self.side.isVisible():
            self._inspector_chosen = True
            self._fold()

    def toggle_lineage(self) -> None:
        """Show the lineage large in the middle, or what was there before."""
        if self.middle.currentWidget() is self.lineage:
            self.middle.setCurrentWidget(self.canvas if BY_NAME[self.stage].promise is None else self.promise)
            return
        self.middle.setCurrentWidget(self.lineage)
        self.lineage.view.setFocus()

    def do_in_lineage(self, verb: str) -> None:
        """Do something in the large drawing, which is shown first where it is not."""
        if self.middle.currentWidget() is not self.lineage:
            self.toggle_lineage()
        self.lineage.do(verb)

    def refresh_now(self) -> None:
        self.refresh_requested.emit()

    def copy_reference(self) -> None:
        if (ref := self._focus.current) is not None:
            QGuiApplication.clipboard().setText(str(ref))

    def use_theme(self, name: str) -> None:
        """`light`, `dark`, or `system` to follow it."""
        self._theme = name if name in ("light", "dark") else "system"
        self._appearance.force({"light": LIGHT, "dark": DARK}.get(name))
        self.theme_chosen.emit(self._theme)

    def take_tour(self) -> None:
        self.tour_requested.emit()

    def show_keys(self) -> None:
        keys.page(self).open()

    # --- what comes from outside ------------------------------------------------------------------------------------

    def update_status(self, status: Status) -> None:
        """A service has news."""
        if (view := self.web.get(status.service)) is not None:
            view.update_status(status)
        self.status.update_status(status)
        self.services.update_status(status)
        if status.state is State.FAILED:
            start = lambda: self.start_requested.emit(status.service)  # noqa: E731 - a button's act
            title = view.title if view is not None else status.service
            self.notices.tell(status.service, f"{title} has failed", status.sentence, "Start again", start)
        elif status.state in (State.UP, State.STARTING):
            self.notices.take_back(status.service)

    def _on_focus(self, ref: Ref, origin: str) -> None:
        """A DAG, a run or a model chosen in a panel is looked at in its owner's view; a feature has a page in each."""
        if origin not in (*self.web, "session") and ref.scheme in self.web and ref.scheme != "festaf":
            self.canvas.lead(ref.scheme)
        if origin != LOOSE_ENDS and self.side.currentWidget() is not self.inspector:
            self.side.setCurrentWidget(self.inspector)
        if self.middle.currentWidget() is self.promise and origin != "explorer":
            self.show_stage(FIRST)

    # --- room -------------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        explorer = self._explorer_chosen if self._explorer_chosen is not None else self.width() >= EXPLORER_FROM
        inspector = self._inspector_chosen if self._inspector_chosen is not None else True
        self.explorer.setVisible(explorer)
        self.side.setVisible(inspector)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()
        if self.palette_box.isVisible():
            self.palette_box.place()

    # --- session ----------------------------------------------------------------------------------------------------

    def restore(self, session: Session) -> None:
        """Be as the last session was; the focus is set by the one who knows the graph."""
        if not (session.geometry and self.restoreGeometry(QByteArray.fromHex(session.geometry.encode()))):
            self.resize(*FIRST_SIZE)
        self._explorer_chosen, self._inspector_chosen = session.explorer_open, session.inspector_open
        self.splitter.setSizes([session.explorer_width, 4000, session.inspector_width])
        self.canvas.share = session.share
        self.canvas.set_layout(Layout(session.layout))
        for service, view in self.web.items():
            view.own_zoom = session.zooms.get(service, 1.0)
            view.chrome.pin_button.setChecked(service in session.pinned)
        if session.theme != "system":
            self.use_theme(session.theme)
        self.show_stage(session.stage)
        self.canvas.lead(session.leading)
        self.canvas.maximise(session.maximised)

    def remember(self) -> Session:
        """The window as it is, as a value."""
        sizes = self.splitter.sizes()
        fresh = Session()
        return Session(
            geometry=bytes(self.saveGeometry().toHex().data()).decode(),
            stage=self.stage,
            focus=str(self._focus.current) if self._focus.current else None,
            leading=self.canvas.leading,
            layout=self.canvas.layout_kind.value,
            maximised=self.canvas.maximised,
            share=self.canvas.share,
            explorer_open=self._explorer_chosen,
            inspector_open=self._inspector_chosen,
            explorer_width=min(600, max(160, sizes[0] or fresh.explorer_width)),
            inspector_width=min(800, max(240, sizes[2] or fresh.inspector_width)),
            zooms={s: v.own_zoom for s, v in self.web.items() if v.own_zoom != 1.0},
            pinned=[s for s, v in self.web.items() if v.is_pinned],
            theme="light" if self._theme == "light" else "dark" if self._theme == "dark" else "system",
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit()
        super().closeEvent(event)
