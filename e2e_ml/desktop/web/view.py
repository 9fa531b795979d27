"""A web view: a service's own pages in a pane. It is made of facets, and holds only what ties them together.

view.connection   profile, own origin, login          view.chrome       the bar above
view.page         Qt's questions, policy's answers    view.placeholder  what is shown while there is no page
view.driver       where it is, who brought it there   view.notice       a line that asks or tells
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QResizeEvent
from PySide6.QtWebEngineCore import QWebEnginePage
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from e2e_ml import routes
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.breadcrumb import Remark
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.web import policy, scripts, zoom
from e2e_ml.desktop.web.chrome import ROOMY, Chrome
from e2e_ml.desktop.web.driver import Driver
from e2e_ml.desktop.web.notice import Notice
from e2e_ml.desktop.web.page import Page, open_outside
from e2e_ml.desktop.web.placeholder import Placeholder
from e2e_ml.desktop.web.profile import Connection
from e2e_ml.refs import Ref
from e2e_ml.stack.service import Login, State, Status

RETRIES = 4  # loads that fail while the service says it is up: it may have said so a moment early
RETRY_PAUSE = 900  # ms
HOME: dict[str, str] = {"airflow": "/dags", "mlflow": "/#/experiments", "festaf": "/"}


class WebView(QWidget):
    visited = Signal(object)  # the Ref of a page that the person went to; None where it shows no single thing
    activated = Signal()
    maximise = Signal()
    retry = Signal()  # start or look for the service again
    chosen = Signal(object)  # a Ref clicked in the breadcrumb
    led_back = Signal()  # back to what the focus is on
    pinned = Signal(bool)
    zoom_changed = Signal()
    shown = Signal()  # a page has loaded

    def __init__(
        self,
        title: str,
        connection: Connection,
        appearance: Appearance,
        operations: Operations,
        login: Callable[[], Login | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.service, self.title, self.connection = connection.service, title, connection
        self._appearance, self._operations, self._fetch_login = appearance, operations, login
        self.lookup: routes.Lookup = routes.NO_LOOKUP
        self.name_of: Callable[[Ref], str | None] = lambda _ref: None  # what people call it
        self.ref_elsewhere: Callable[[str], Ref | None] = lambda _url: None  # what another service's page shows
        self.own_zoom = 1.0
        self._status: Status | None = None
        self._entering = False
        self._entered = False  # the origin is known and the login is in place: pages can be loaded
        self._wanted: str | None = None  # where to go once the page can be loaded
        self._failures = 0
        self._signed_in_again = False
        self._login_refused = False
        self._wears_dark = appearance.dark
        self._remark: Remark | None = None  # on a page that shows no single thing

        self.setObjectName("webView")
        self.setMinimumSize(120, 120)
        self.chrome = Chrome(title, appearance, self)
        self.notice = Notice(self)
        self.placeholder = Placeholder(title, appearance, self)
        self.engine = QWebEngineView(self)
        self.page = Page(connection, self.engine)
        self.engine.setPage(self.page)
        self.engine.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.driver = Driver(self.page, connection, self)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.placeholder)
        self._stack.addWidget(self.engine)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.chrome)
        column.addWidget(self.notice)
        column.addWidget(body, 1)
        self._wire()
        self._dress()

    def _wire(self) -> None:
        self.chrome.back.connect(self.driver.back)
        self.chrome.forward.connect(self.driver.forward)
        self.chrome.reload.connect(self.driver.reload)
        self.chrome.home.connect(self._go_home)
        self.chrome.outside.connect(self.open_outside)
        self.chrome.maximise.connect(self.maximise)
        self.chrome.pinned.connect(self.pinned)
        self.chrome.zoomed.connect(self.zoom_by)
        self.chrome.copy_address.connect(lambda: QGuiApplication.clipboard().setText(self.page.url().toString()))
        self.chrome.pressed.connect(self.activated)
        self.chrome.place.chosen.connect(self.chosen)
        self.chrome.place.led_back.connect(self.led_back)
        self.placeholder.retry.connect(self._on_retry)
        self.driver.moved.connect(self._on_moved)
        self.driver.visited.connect(self._on_visited)
        self.driver.loaded.connect(self._on_loaded)
        self.page.renderProcessTerminated.connect(self._on_terminated)
        self.page.leads_outside.connect(self._on_outside)
        self.page.refused.connect(lambda sentence: self.notice.tell(sentence))
        self.page.downloaded.connect(self._on_downloaded)
        self.page.login_refused.connect(self._on_login_refused)
        self._appearance.changed.connect(self._dress)

    # --- the service behind it --------------------------------------------------------------------------------------

    def update_status(self, status: Status) -> None:
        """Follow the service: a placeholder while it is not up, its pages once it is."""
        before, self._status = self._status, status
        self.chrome.dot.show_state(status.state)
        if status.state is not State.UP or status.url is None:
            self._entering = self._entered = False
            self.driver.forget()
            self.placeholder.show_status(status)
            self._show(self.placeholder)
            return
        came_up = before is None or before.state is not State.UP or before.url != status.url
        if came_up and not self._entering:
            self.placeholder.show_status(status)
            self._enter(status.url)

    def _enter(self, url: str) -> None:
        self._entering, self._entered = True, False

        def entered(login: Login | None) -> None:
            if not self._entering:
                return  # it went down meanwhile
            self._entering = False
            self.connection.enter(url, login)
            self._entered = True
            self.page.forget_challenge()
            self._failures = 0
            self._load()

        def failed(error: Exception) -> None:
            self._entering = False
            self._trouble(f"Signing in to {self.title} failed", f"{error}")

        work = self._operations.run(f"Signing in to {self.title}", self._fetch_login)
        work.success(entered).failure(failed).start()

    def _load(self) -> None:
        self.driver.go(self._wanted or HOME.get(self.service, "/"))

    def _on_retry(self) -> None:
        self._failures = 0
        if self._status is not None and self._status.state is State.UP and self._status.url:
            self._enter(self._status.url)
        else:
            self.retry.emit()

    # --- where it is ------------------------------------------------------------------------------------------------

    @property
    def is_pinned(self) -> bool:
        return self.chrome.pin_button.isChecked()

    @property
    def showing_page(self) -> bool:
        return self._stack.currentWidget() is self.engine

    @property
    def ref(self) -> Ref | None:
        """What its page shows, None for lists and where there is no page."""
        path = self.driver.path
        return self._read(path) if path is not None else None

    def show_ref(self, ref: Ref) -> None:
        """Lead the page to `ref`, now or as soon as it can be loaded; a `Ref` without a page here changes nothing."""
        target = routes.path(ref, self.lookup)
        if target is None or target[0] != self.service:
            return
        self.go(target[1], unless=self._read(target[1]))

    def go(self, path: str, *, unless: Ref | None = None) -> None:
        """Lead the page to `path`, unless it already shows `unless` and nothing else is on its way."""
        self._wanted = path
        if self._remark is not None:
            self.remark(None)
        if self._entered and not (unless is not None and self.ref == unless and not self.driver.driving):
            self.driver.go(path)

    def _read(self, path: str) -> Ref | None:
        try:
            return routes.ref(self.service, path, self.connection.instance, self.lookup)
        except ValueError:
            return None

    def _go_home(self) -> None:
        home = HOME.get(self.service, "/")
        self.go(home)
        if self._entered:
            self._on_visited(home)  # the person went there, though it was we who led the page

    def _on_moved(self, path: str) -> None:
        if policy.is_login_page(self.service, path):
            self._sign_in_again()
            return
        if not self.driver.driving:
            self._wanted = path
        self._show_place(path)
        history = self.page.history()
        self.chrome.back_button.setEnabled(history.canGoBack())
        self.chrome.forward_button.setEnabled(history.canGoForward())

    def tell_place(self) -> None:
        """Name the page anew: news may have brought better names."""
        if (path := self.driver.path) is not None:
            self._show_place(path)

    def remark(self, remark: Remark | None) -> None:
        """Say something of a page that shows no single thing, beside its name, until the page is another's."""
        self._remark = remark
        self.tell_place()

    def _show_place(self, path: str) -> None:
        ref, whole = self._read(path), self.width() >= ROOMY
        if ref is not None:
            self.chrome.place.show_ref(ref, self.name_of, whole=whole)
        elif self._remark is None or whole:
            self.chrome.place.show_text(policy.place_name(path), self._remark)
        else:
            self.chrome.place.show_text("", self._remark)  # the page itself says which it is

    def _on_visited(self, path: str) -> None:
        if not policy.is_login_page(self.service, path):
            self.visited.emit(self._read(path))

    def _sign_in_again(self) -> None:
        """The session has ended and the service asks for a password: take a fresh login, once, and go on."""
        if self._signed_in_again or self._status is None or self._status.url is None:
            return
        self._signed_in_again = True
        self.driver.forget()
        self._enter(self._status.url)

    # --- what the engine tells --------------------------------------------------------------------------------------

    def _on_loaded(self, ok: bool) -> None:
        if self._status is None or self._status.state is not State.UP or self._entering:
            return
        if not ok:
            self._failures += 1
            if self._failures <= RETRIES:
                self.driver.forget()
                QTimer.singleShot(RETRY_PAUSE, self, self._load)
            elif self._login_refused:
                self._trouble(
                    f"{self.title} did not accept the login",
                    "Check the credential of this service in workbench.yaml, then load the page again.",
                )
            else:
                self._trouble(f"{self.title}'s page did not load", "The service is up. Load the page again.")
            return
        self._failures = 0
        self._login_refused = False
        if not policy.is_login_page(self.service, self.driver.path or "/"):
            self._signed_in_again = False
        self._apply_zoom()
        self._show(self.engine)
        self._watch_input()
        self.shown.emit()

    def _on_terminated(self, status: QWebEnginePage.RenderProcessTerminationStatus, code: int) -> None:
        if status is QWebEnginePage.RenderProcessTerminationStatus.NormalTerminationStatus:
            return  # a discarded page; it comes back by itself
        self.driver.forget()
        self._trouble(
            f"{self.title}'s page has crashed",
            "The service itself is not touched, and nothing that it holds is lost. Load the page again to go on.",
        )

    def shown_at(self, url: str) -> Ref | None:
        """What this service's page at a whole address shows; None for the address of another service."""
        own = self.connection.own
        if own is None or policy.origin(url) != own:
            return None
        return self._read(f"/{url.partition('//')[2].partition('/')[2]}")

    def _on_outside(self, url: str) -> None:
        if (ref := self.ref_elsewhere(url)) is not None:
            self.chosen.emit(ref)  # a link to another service of ours: its own view shows it
            return
        host = QUrl(url).host() or url
        self.notice.tell(f"This link leads out of {self.title}, to {host}.", "Open outside", lambda: open_outside(url))

    def _on_downloaded(self, path: str) -> None:
        folder = QUrl.fromLocalFile(str(Path(path).parent))
        self.notice.tell(f"Saved as {path}.", "Open folder", lambda: QDesktopServices.openUrl(folder))

    def _on_login_refused(self) -> None:
        self._login_refused = True  # until a page loads; the load that asked ends, and is tried again

    def _trouble(self, headline: str, sentence: str) -> None:
        self.placeholder.show_trouble(headline, sentence)
        self._show(self.placeholder)

    def _show(self, widget: QWidget) -> None:
        if self._stack.currentWidget() is not widget:
            self._stack.setCurrentWidget(widget)

    def open_outside(self) -> None:
        open_outside(self.page.url().toString())

    # --- zoom and theme ---------------------------------------------------------------------------------------------

    def zoom_by(self, steps: int) -> None:
        """Larger or smaller by `steps`; 0 leaves the size to the pane's width again."""
        self.own_zoom = zoom.stepped(self.own_zoom, steps) if steps else 1.0
        self._apply_zoom()
        self.zoom_changed.emit()

    def _apply_zoom(self) -> None:
        factor = zoom.effective(self.service, self.width(), self.own_zoom)
        if abs(self.page.zoomFactor() - factor) > 0.004:
            self.page.setZoomFactor(factor)
        self.chrome.zoom_text = f"{factor:.0%}".replace("%", " %")

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._apply_zoom()
        self.tell_place()

    def _dress(self) -> None:
        dark = self._appearance.dark
        self.page.setBackgroundColor(self._appearance.theme.panel)
        self.connection.set_dark(dark)
        if dark == self._wears_dark:
            return
        self._wears_dark = dark
        if self.showing_page:
            self.page.runJavaScript(scripts.theme_change(self.service, dark=dark))
            if scripts.needs_reload(self.service):
                self.driver.reload()

    # --- input ------------------------------------------------------------------------------------------------------

    def _watch_input(self) -> None:
        """The engine's inner widget gets the mouse; it is made anew at times."""
        inner = self.engine.focusProxy()
        if inner is not None:
            inner.removeEventFilter(self)
            inner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress):
            self.driver.touched()
        elif event.type() is QEvent.Type.MouseButtonRelease:
            # After the page has had its click: the pane may move under the pointer.
            QTimer.singleShot(0, self, self.activated.emit)
        return False

    # --- for the tour, the tests, and the end -----------------------------------------------------------------------

    def dom_text(self, callback: Callable[[str], None]) -> None:
        """Give the visible text of the page to `callback`; an empty text while there is no page."""
        if not self.showing_page:
            callback("")
            return
        self.page.runJavaScript(
            "document.body ? document.body.innerText : ''", lambda text: callback(text if isinstance(text, str) else "")
        )

    def close_page(self) -> None:
        """Delete the page before its profile, in the order that the engine wants."""
        self.driver.forget()
        self.engine.deleteLater()
        self.page.deleteLater()
