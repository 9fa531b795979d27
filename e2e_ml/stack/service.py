"""What the rest of the program sees of a service. Managed or attached makes no difference to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """The life of a service; the values are the words that people read."""

    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    UNREACHABLE = "unreachable"  # attached, and it does not answer
    FAILED = "failed"  # managed, and it died or never became healthy
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a service, as a value: what a status line, a placeholder page or `e2e-ml status` shows."""

    service: str  # "airflow", "mlflow" or "festaf"
    state: State
    since: datetime  # UTC
    sentence: str  # what is going on and, where something is wrong, the next step
    progress: float | None = None  # 0..1 while it starts, where known
    url: str | None = None  # base URL without a trailing slash, known as soon as the port is
    version: str | None = None
    pids: tuple[int, ...] = ()  # the components' process groups; empty where attached
    log_tail: tuple[str, ...] = ()  # its last lines, newest last; empty where attached


class Service(Protocol):
    """One service of the stack. Every method may be called from any thread; none raises for a service that is down."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str:
        """What people call it: "Airflow", "MLflow", "Feature store"."""
        ...

    @property
    def managed(self) -> bool: ...

    @property
    def url(self) -> str | None: ...

    def status(self) -> Status:
        """The last known moment; never waits for a network."""
        ...

    def start(self) -> None:
        """Begin to start (managed) or to look (attached); returns at once."""
        ...

    def stop(self) -> None:
        """Stop what was started here and wait until it is gone; an attached service is left alone."""
        ...

    def login(self) -> Login | None:
        """Credentials for its API and its pages, None where it needs none. May wait for the service."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """How to speak to a service: each consumer takes the form it can use. It is never printed or logged."""

    headers: Mapping[str, str]  # for API clients, e.g. {"Authorization": "Bearer ..."}
    cookies: Mapping[str, str]  # for embedded pages, e.g. Airflow's {"_token": ...}
    basic: tuple[str, str] | None = None  # user and password, where a page asks for them


Listener = Callable[[Status], None]
