"""The workbench: one workspace opened in one window. It ties stack, lineage and window together, and nothing else does.

`Workbench` is given what it ties, so that a test can build the window around a stack and a graph of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from e2e_ml import resources
from e2e_ml.desktop import session as sessions
from e2e_ml.desktop.appearance import Appearance, palette
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.follow import Counterparts, Follow
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.stages import BY_NAME, SERVICES
from e2e_ml.desktop.theme import stylesheet
from e2e_ml.desktop.web.profile import Connection
from e2e_ml.desktop.web.view import WebView
from e2e_ml.desktop.window import Window
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import FESTAF, Kind, Ref
from e2e_ml.routes import Lookup
from e2e_ml.stack.service import Listener, Service, State, Status

log = logging.getLogger(__name__)
STYLES = ("style.qss", "panels.qss")


class StackLike(Protocol):
    """What the window needs of a stack."""

    @property
    def services(self) -> Mapping[str, Service]: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def subscribe(self, listener: Listener) -> Callable[[], None]: ...


class Reader(Protocol):
    """What the window needs of whoever reads the services: `lineage`'s refresher, or a test's graph."""

    def graph(self) -> Graph: ...

    def read_at(self) -> datetime | None: ...

    def has_read(self, service: str) -> bool: ...

    def subscribe(self, listener: Callable[[Graph], None]) -> Callable[[], None]: ...

    def start(self) -> None: ...

    def refresh_now(self) -> None: ...

    def stop(self) -> None: ...


class News(QObject):
    """What worker threads tell, brought to the UI thread."""

    status = Signal(object)
    graph = Signal(object)
    activity = Signal(str, float)  # what is being done, 0..1 or -1


class Workbench(QObject):
    def __init__(
        self,
        name: str,
        state: Path,
        stack: StackLike,
        reader: Reader,
        instances: Mapping[str, str],
        counterparts: Counterparts,
        lookup: Callable[[Graph], Lookup],
        parent: QObject | None = None,
    ) -> None:
        """`instances` gives each service's connection name (for the feature store: its project), as `Ref`s have it."""
        super().__init__(parent)
        self.state, self.stack, self.reader = state, stack, reader
        self.closed = False
        self._states: dict[str, State] = {}
        self.appearance = Appearance(self)
        self.operations = Operations(self)
        self.focus = Focus(self)
        self.lifecycle = Lifecycle(reader.graph(), self)
        self.news = News(self)
        self.connections: dict[str, Connection] = {}
        views = {service: self._view(service, instances[service]) for service in SERVICES}
        self.window = Window(name, self.lifecycle, self.focus, self.appearance, self.operations, views)
        self.follow = Follow(
            self.focus, self.lifecycle, list(views.values()), counterparts, lookup, reader.has_read, self
        )
        self._name_project(self.lifecycle.graph)
        self._wire()
        self._dress()

    def _view(self, service: str, instance: str) -> WebView:
        known = self.stack.services[service]
        folder = self.state / "web" / f"{service}-{instance}"
        connection = Connection(service, instance, folder, dark=self.appearance.dark, parent=self)
        self.connections[service] = connection
        return WebView(known.title, connection, self.appearance, self.operations, known.login)

    def _wire(self) -> None:
        self.news.status.connect(self._on_status)
        self.news.graph.connect(self._on_graph)
        self.news.activity.connect(lambda text, at: self.window.status.tell(text, at if at >= 0 else None))
        self.window.status.read_at = self.reader.read_at
        self.window.refresh_requested.connect(self.reader.refresh_now)
        self.window.start_requested.connect(self._start_service)
        self.window.stop_requested.connect(self._stop_service)
        self.window.log_requested.connect(self._open_log)
        self.window.explorer.ask_whether_read(self._is_read)
        self.appearance.changed.connect(self._dress)
        self.focus.changed.connect(lambda *_: self._save_soon())
        self._saver = QTimer(self)
        self._saver.setSingleShot(True)
        self._saver.setInterval(2000)
        self._saver.timeout.connect(self.save)
        self._unsubscribe: list[Callable[[], None]] = []

    # --- its life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Show the window as it was left; nothing is started yet."""
        session = sessions.load(self.state)
        self.window.restore(session)
        self.window.show()
        for service in self.stack.services.values():
            # Before `start`, a service that is down is about to come up: its view waits, and offers no button yet.
            if (status := service.status()).state is not State.STOPPED:
                self._on_status(status)
        self._restore_focus(session.focus)

    def start(self) -> None:
        """Bring the stack and the readers up behind the window."""
        self._unsubscribe = [
            self.stack.subscribe(self.news.status.emit),
            self.reader.subscribe(self.news.graph.emit),
        ]
        self._start_stack()
        self.reader.start()

    def _start_stack(self) -> None:
        starting = self.operations.run("Starting the services", self.stack.start)
        starting.success(lambda _: self._tell_states()).failure(self._on_start_failure).start()

    def close(self) -> None:
        """Save, let go of the pages before their profiles; the services are stopped by whoever started them."""
        self.closed = True
        self.save()
        self._saver.stop()
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        self.follow.stop()
        for view in self.window.web.values():
            view.close_page()
        self.window.deleteLater()

    def dispose(self) -> None:
        """The last step, after the pages are deleted: the profiles, and all that is left."""
        self.operations.close()
        for connection in self.connections.values():
            connection.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def save(self) -> None:
        """Keep the window as it is. A layout that cannot be kept is no reason to stop: it is said, once."""
        try:
            sessions.save(self.state, self.window.remember())
        except OSError as error:
            log.warning("The window's layout cannot be kept in %s: %s", self.state, error)
            reason = error.strerror or "it is refused"
            sentence = f"{self.state} cannot be written to: {reason}. Make room there, or give yourself the right to."
            self.window.notices.tell("session", "The window's layout is not kept", sentence)

    def _save_soon(self) -> None:
        self._saver.start()

    def _restore_focus(self, uri: str | None) -> None:
        try:
            ref = Ref.parse(uri) if uri else None
        except ValueError:
            ref = None
        if ref is not None:
            self.focus.set(ref, "session")
        else:
            self._choose_first()

    def _choose_first(self) -> None:
        """A first start looks at the first feature there is, rather than at nothing."""
        if self.focus.current is not None:
            return
        if (first := min(self.lifecycle.graph.refs(Kind.FEATURE), default=None)) is not None:
            self.focus.set(first, "start")

    # --- news -------------------------------------------------------------------------------------------------------

    def _on_status(self, status: Status) -> None:
        self.window.update_status(status)
        came_up = status.state is State.UP and self._states.get(status.service) is not State.UP
        self._states[status.service] = status.state
        if came_up:
            self.reader.refresh_now()  # it may be waiting, the longer the more often it was not answered

    def _tell_states(self) -> None:
        self.window.notices.take_back("stack")
        for service in self.stack.services.values():
            self._on_status(service.status())

    def _on_graph(self, graph: Graph) -> None:
        if graph is not self.lifecycle.graph:
            self._name_project(graph)
            self.lifecycle.replace(graph)
            self._choose_first()
        else:
            self.lifecycle.changed.emit()  # the same things, and a service that was read for the first time

    def _name_project(self, graph: Graph) -> None:
        """The feature store's `Ref`s carry its project's name, which its own registry tells."""
        known = (node for node in graph.nodes(Kind.PROJECT) if node.gone_since is None)
        projects = sorted(node.ref.instance for node in known if node.ref.scheme == FESTAF)
        if projects:
            self.connections["festaf"].instance = projects[0]

    def _is_read(self, stage: str) -> bool:
        """Whether what a stage lists was ever read; its leading view is of the service that holds it."""
        return BY_NAME[stage].promise is not None or self.reader.has_read(BY_NAME[stage].leading)

    def _start_service(self, service: str) -> None:
        self.operations.run(
            f"Starting {self.stack.services[service].title}", self.stack.services[service].start
        ).start()

    def _stop_service(self, service: str) -> None:
        self.operations.run(f"Stopping {self.stack.services[service].title}", self.stack.services[service].stop).start()

    def _open_log(self, service: str) -> None:
        """The newest of a service's logs, in whatever the system shows text with."""
        logs = sorted((self.state / "logs").glob(f"{service}*.log"), key=lambda log: log.stat().st_mtime)
        if not logs:
            self.window.status.tell(f"There is no log of {self.stack.services[service].title} yet.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(logs[-1]))):
            self.window.status.tell(f"No program here shows text. The log is {logs[-1]}.")

    def _on_start_failure(self, error: Exception) -> None:
        self._tell_states()
        self.window.notices.tell(
            "stack", "The services could not be started", str(error), "Try again", self._start_stack
        )

    def _dress(self) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            dress(application, self.appearance)


def dress(application: QApplication, appearance: Appearance) -> None:
    """Put the theme on the whole application."""
    theme = appearance.theme
    template = "\n".join(resources.text(name) for name in STYLES if resources.path(name).exists())
    application.setPalette(palette(theme))
    application.setStyleSheet(stylesheet(template, theme))
