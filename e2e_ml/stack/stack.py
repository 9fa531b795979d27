"""`Stack`: the services of a workspace, started and stopped together, and news of them for whoever listens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import MappingProxyType

from e2e_ml.stack.airflow import AirflowRecipe
from e2e_ml.stack.attached import AttachedService
from e2e_ml.stack.component import Ledger
from e2e_ml.stack.festaf import FestafRecipe
from e2e_ml.stack.managed import ManagedService
from e2e_ml.stack.mlflow import MlflowRecipe
from e2e_ml.stack.ownership import Owner, Ownership
from e2e_ml.stack.recipe import Layout, Recipe
from e2e_ml.stack.service import Listener, Service, State, Status
from e2e_ml.workspace import Attached, Workspace

_RECIPES: Mapping[str, tuple[str, Callable[[Layout], Recipe]]] = {
    "airflow": (AirflowRecipe.title, AirflowRecipe),
    "festaf": (FestafRecipe.title, FestafRecipe),
    "mlflow": (MlflowRecipe.title, MlflowRecipe),
}
_FOLLOW_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Stack:
    """The services of one workspace. One program owns them at a time; a second one sees and uses the first one's.

    `start` and `stop` do not raise for a service that is down: its status says so. Leaving a `with` block stops it all.

        with Stack(Workspace.load(".")) as stack:
            stack.subscribe(print)
            stack.start()
    """

    def __init__(self, workspace: Workspace, *, kind: str = "window") -> None:
        self.workspace = workspace
        self._kind = kind
        self._listeners: list[Listener] = []
        self._layout: Layout | None = None
        self._layout_lock = threading.Lock()
        ledger = Ledger(workspace.state)
        self._ownership = Ownership(workspace.state, ledger)
        self._following = threading.Event()
        self._follower: threading.Thread | None = None
        self._follower_lock = threading.Lock()
        services: dict[str, Service] = {}
        for name, (title, recipe) in _RECIPES.items():
            setting = getattr(workspace.services, name)
            if isinstance(setting, Attached):
                services[name] = AttachedService(name, title, setting, workspace.root, self._publish)
            else:
                services[name] = ManagedService(
                    name,
                    title,
                    recipe,
                    layout=self._laid_out,
                    claim=self._claim,
                    ownership=self._ownership,
                    ledger=ledger,
                    publish=self._publish,
                )
        self.services: Mapping[str, Service] = MappingProxyType(services)

    @property
    def is_owner(self) -> bool:
        """Whether this program runs the managed services, rather than use those that another one runs."""
        return self._ownership.mine

    def owner(self) -> Owner | None:
        """The program that runs the managed services now, if any."""
        return self._ownership.owner()

    def start(self) -> None:
        """Start every service, or use those that another program runs; returns at once."""
        if not self._claim():
            self.follow()
        for service in self.services.values():
            if self.is_owner or not service.managed:
                service.start()

    def follow(self) -> None:
        """See what the owner's services do, without becoming the owner."""
        with self._follower_lock:
            if self._follower is None or not self._follower.is_alive():
                self._following.clear()
                self._follower = threading.Thread(target=self._follow, name="stack-follower", daemon=True)
                self._follower.start()

    def stop(self) -> None:
        """Stop what this program runs, wait until it is gone, and give the workspace free. What others run stays."""
        self._following.set()
        with ThreadPoolExecutor(len(self.services)) as pool:
            list(pool.map(_stop, self.services.values()))
        follower = self._follower
        if follower is not None and follower is not threading.current_thread():
            follower.join()
        self._ownership.release()
        with self._layout_lock:
            self._layout = None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told every news of every service, in a worker thread. The answer ends the subscription."""
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [known for known in self._listeners if known is not listener]

        return unsubscribe

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _laid_out(self) -> Layout:
        if not self._ownership.mine:
            return Layout(self.workspace, owner=False)
        with self._layout_lock:
            if self._layout is None:
                self._layout = Layout(self.workspace, owner=True)
            return self._layout

    def _claim(self) -> bool:
        if self._ownership.mine:
            return True
        if not self._ownership.claim(self._kind):
            return False
        with self._layout_lock:
            self._layout = None  # the ports may have moved while another program was the owner
        self.follow()
        return True

    def _publish(self, status: Status) -> None:
        if self._ownership.mine and self.services[status.service].managed:
            try:
                self._ownership.write(status)
            except OSError as error:  # a full disk: what others see is older, and no service ends for it
                _log.warning("The state of %s could not be written for other programs: %s", status.service, error)
        for listener in self._listeners:
            try:
                listener(status)
            except Exception:
                _log.exception("a listener of the stack failed")

    def _follow(self) -> None:
        """The owner hears requests; another program sees what the owner wrote, or that the owner is gone."""
        while not self._following.wait(_FOLLOW_SECONDS):
            if self._ownership.mine:
                for name in self._ownership.requested():
                    if name in self.services:
                        self.services[name].start()
                continue
            self.look()

    def request(self, service: str) -> None:
        """Ask the owner, another program, to start a service again."""
        self._ownership.request(service)

    def look(self) -> None:
        """Read once what the owner tells of the managed services; nothing to do for the owner itself."""
        if self._ownership.mine:
            return
        statuses: Mapping[str, Status] = self._ownership.read() if self._ownership.owner() is not None else {}
        for name, service in self.services.items():
            if isinstance(service, ManagedService):
                service.observe(statuses.get(name) or _nobody(service))


def _stop(service: Service) -> None:
    service.stop()


def _nobody(service: ManagedService) -> Status:
    before = service.status()
    since = before.since if before.state is State.STOPPED else datetime.now(UTC)
    return Status(service.name, State.STOPPED, since, f"{service.title} is not running.", url=before.url)
