"""Where a web view is and who brought it there: the person's own clicks are told apart from our navigation.

A way that we sent the page stays ours, with every redirect and late change of its address, until the person clicks or
types in the page. So our own navigation never moves the focus, however long a single-page application takes.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, QUrl, Signal

from e2e_ml.desktop.web import scripts
from e2e_ml.desktop.web.page import Page
from e2e_ml.desktop.web.profile import Connection

SETTLE = 1200  # ms without news after our navigation: single-page applications redirect late
LONGEST = 15_000  # ms after which our mark ends whatever the page does
PAUSE = 180  # ms: a click's chain of addresses is followed at its end
_BLANK = QUrl("about:blank")
_SOFT = frozenset({"airflow"})  # single-page applications led by path without a reload; a fragment needs no help


class Driver(QObject):
    visited = Signal(str)  # the person went to this path, query and fragment
    moved = Signal(str)  # the address changed, by whomever
    settled = Signal()
    loaded = Signal(bool)  # a page has loaded, or failed to

    def __init__(self, page: Page, connection: Connection, parent: QObject) -> None:
        super().__init__(parent)
        self._page = page
        self._connection = connection
        self._driving = False  # the page is still under way
        self._ours = True  # where it is, we sent it
        self._asked = False  # an address was asked for, and its load has not begun yet
        self._loading = False
        self._loaded_once = False
        self._next: QUrl | None = None  # where to go once the page is blank
        self._settle = self._timer(SETTLE, self._end)
        self._longest = self._timer(LONGEST, self._end)
        self._pause = self._timer(PAUSE, self._tell)
        page.urlChanged.connect(self._on_url)
        page.loadStarted.connect(self._on_started)
        page.loadFinished.connect(self._on_finished)

    def _timer(self, ms: int, then: Callable[[], object]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(ms)
        timer.timeout.connect(then)
        return timer

    @property
    def driving(self) -> bool:
        """Whether the page is still on a way that we sent it."""
        return self._driving

    @property
    def path(self) -> str | None:
        """Path, query and fragment of the address, None while the page is elsewhere or nowhere."""
        return self._connection.path_of(self._page.url())

    def go(self, path: str) -> None:
        """Lead the page to `path`; what follows is ours until it settles."""
        self._mark()
        if self._next is not None and self._page.url() == _BLANK:
            self._next = self._connection.url(path)  # it is on its way to the blank page, and goes on from there
            return
        self._next = None
        here = self.path
        if here == path and self._loaded_once and not self._loading:
            return
        if self._loaded_once and here is not None and self._connection.service in _SOFT and not self._loading:
            self._page.runJavaScript(scripts.soft_navigation(self._connection.full_path(path)))
        elif not (self._loaded_once or self._loading or self._asked) and here is not None and "#" in path:
            # Another fragment of the same address is no load: a page that has to be fetched anew goes by a blank one.
            self._next = self._connection.url(path)
            self._page.setUrl(_BLANK)
        else:
            self._asked = True
            self._page.setUrl(self._connection.url(path))

    def reload(self) -> None:
        self._mark()
        self._page.triggerAction(Page.WebAction.Reload)

    def back(self) -> None:
        self._person()
        self._page.triggerAction(Page.WebAction.Back)

    def forward(self) -> None:
        self._person()
        self._page.triggerAction(Page.WebAction.Forward)

    def touched(self) -> None:
        """The person clicked or typed in the page."""
        if not self._loading:
            self._person()

    def forget(self) -> None:
        """The page is gone or foreign: the next way begins with a full load."""
        self._loaded_once = self._asked = False
        self._next = None
        self._pause.stop()

    def _person(self) -> None:
        self._ours = False
        if self._driving:
            self._end()

    def _mark(self) -> None:
        self._driving = self._ours = True
        self._pause.stop()
        self._settle.start()
        self._longest.start()

    def _end(self) -> None:
        self._settle.stop()
        self._longest.stop()
        if self._driving:
            self._driving = False
            self.settled.emit()

    def _on_url(self, url: QUrl) -> None:
        path = self._connection.path_of(url)
        if path is None:
            return
        self.moved.emit(path)
        if self._driving:
            self._settle.start()
        elif not self._ours:
            self._pause.start()

    def _on_started(self) -> None:
        self._loading, self._asked = True, False
        if self._driving:
            self._settle.stop()  # the clock runs again when it has loaded

    def _on_finished(self, ok: bool) -> None:
        self._loading = False
        if self._next is not None and self._page.url() == _BLANK:
            QTimer.singleShot(0, self, self._leave_blank)
            return
        self._loaded_once = self._loaded_once or ok
        if self._driving:
            self._settle.start()
        self.loaded.emit(ok)

    def _leave_blank(self) -> None:
        target, self._next = self._next, None
        if target is not None:
            self._asked = True
            self._page.setUrl(target)

    def _tell(self) -> None:
        if not self._ours and (path := self.path) is not None:
            self.visited.emit(path)
