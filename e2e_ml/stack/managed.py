"""A service that runs on this machine: brought up, watched and stopped by a thread of its own, as its recipe says."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from e2e_ml.credentials import CredentialError
from e2e_ml.stack.component import Command, Component, Ledger
from e2e_ml.stack.ownership import Ownership
from e2e_ml.stack.recipe import Layout, Probe, Recipe, StackError
from e2e_ml.stack.restarts import Restarts
from e2e_ml.stack.service import Listener, Login, State, Status

_POLL_SECONDS = 0.4
_WATCH_SECONDS = 1.0
_PROBES_EVERY = 5  # watches
_HEALTHY_WITHIN_SECONDS = 600.0  # a busy machine is slow, not broken; a process that dies is told at once

_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Somebody asked the service to stop."""


class _DiedError(Exception):
    """Components ended by themselves; the message is a sentence with the cause, without a next step."""

    def __init__(self, sentence: str, components: Sequence[Component]) -> None:
        super().__init__(sentence)
        self.components = components


class ManagedService:
    """One service of the stack. Where another program owns the stack, it shows what that one tells (`observe`)."""

    managed = True

    def __init__(
        self,
        name: str,
        title: str,
        recipe: Callable[[Layout], Recipe],
        *,
        layout: Callable[[], Layout],
        claim: Callable[[], bool],
        ownership: Ownership,
        ledger: Ledger,
        publish: Listener,
    ) -> None:
        self.name = name
        self.title = title
        self._make_recipe = recipe
        self._layout = layout
        self._claim = claim
        self._ownership = ownership
        self._ledger = ledger
        self._publish = publish
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._components: list[Component] = []
        self._status = Status(name, State.STOPPED, _now(), f"{title} is not running.")

    @property
    def url(self) -> str | None:
        return self._status.url

    def status(self) -> Status:
        return self._status

    def start(self) -> None:
        if not self._claim():
            self._ownership.request(self.name)
            return
        with self._lock:
            if self._worker is not None and self._worker.is_alive() and not self._stop.is_set():
                return
            before, self._stop = self._worker, threading.Event()
            self._worker = threading.Thread(
                target=self._run, args=(self._stop, before), name=f"stack-{self.name}", daemon=True
            )
            self._worker.start()

    def stop(self) -> None:
        if not self._ownership.mine:
            return
        with self._lock:
            worker = self._worker
            self._stop.set()
        if worker is not None:
            worker.join()

    def login(self) -> Login | None:
        if self._status.url is None:
            return None
        return self._make_recipe(self._layout()).login()

    def observe(self, status: Status) -> None:
        """Show what the owner of the stack tells about this service."""
        if status != self._status:
            self._status = status
            self._publish(status)

    # -- the worker ---------------------------------------------------------------------------------------------------

    def _run(self, stop: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        self._set(State.STARTING, f"Starting {self.title}.", progress=0.0)
        try:
            self._ownership.settle()
            recipe = self._make_recipe(self._layout())
            self._set(State.STARTING, f"Starting {self.title}.", progress=0.05, url=self._layout().url(self.name))
            probe = self._bring_up(recipe, stop)
            self._keep_up(recipe, probe, stop)
        except _StoppedError:
            self._set(State.STOPPING, f"Stopping {self.title}.")
            self._end()
            self._set(State.STOPPED, f"{self.title} is not running.", pids=())
        except _DiedError as death:
            self._fail(f"{death} {self._next_step()}")
        except (StackError, CredentialError) as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"{self.title} could not be started: {error}. Run `e2e-ml doctor`, then start it again.")
        except Exception:
            _log.exception("the worker of %s failed", self.name)
            self._fail(f"{self.title} could not be started: an error inside the workbench; its log has the details.")

    def _bring_up(self, recipe: Recipe, stop: threading.Event) -> Probe:
        self._layout().check_port(self.name)
        for sentence, command in recipe.prepare():
            self._prepare(sentence, command, stop)
        recipe.prepared()

        since = time.time()
        for command in recipe.commands():
            self._started(command)
        return self._until_healthy(recipe, since, stop)

    def _until_healthy(self, recipe: Recipe, since: float, stop: threading.Event, why: str = "") -> Probe:
        """Wait for the service, whose components were started at `since`; `why` goes before what is said meanwhile."""
        deadline = time.monotonic() + _HEALTHY_WITHIN_SECONDS
        while True:
            self._check_components()
            probe = recipe.probe(since)
            if probe.healthy:
                return probe
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.title} did not become healthy in {_HEALTHY_WITHIN_SECONDS:.0f} s, still {probe.sentence}. "
                    f"Read `e2e-ml logs {self.name}`, then start it again."
                )
            self._set(State.STARTING, f"{why}{_sentence(probe.sentence)}", progress=probe.progress)
            if stop.wait(_POLL_SECONDS):
                raise _StoppedError

    def _prepare(self, sentence: str, command: Command, stop: threading.Event) -> None:
        component = self._started(command)
        self._set(State.STARTING, _sentence(sentence), progress=0.15)
        code = component.wait(stop)
        if code is None:
            raise _StoppedError
        if code:
            raise _DiedError(self._cause(component, code), [component])
        self._components.remove(component)

    def _started(self, command: Command) -> Component:
        component = Component(command, self._layout().workspace.logs, self._ledger)
        self._components.append(component)
        component.start()
        return component

    def _keep_up(self, recipe: Recipe, probe: Probe, stop: threading.Event) -> None:
        """Watch the service, and start again what dies of it; ends by an error alone."""
        restarts = Restarts()
        death: _DiedError | None = None
        while True:
            try:
                if death is not None:
                    probe = self._revive(recipe, death, restarts, stop)
                self._watch(recipe, probe, stop)
            except _DiedError as another:
                death = another

    def _revive(self, recipe: Recipe, death: _DiedError, restarts: Restarts, stop: threading.Event) -> Probe:
        """Start what died, and no more than that. Raises StackError where that was done too often of late."""
        restart = restarts.next(time.monotonic())
        if restart is None:
            raise StackError(f"{death} It had been started again {restarts}. {self._next_step()}")
        why = f"{death} It is started again ({restart.number} of {restart.most})."
        _log.info("%s", why)
        self._set(State.STARTING, why, progress=0.0)
        if stop.wait(restart.pause):
            raise _StoppedError
        since = time.time()
        for component in death.components:
            component.start_again(why)
        return self._until_healthy(recipe, since, stop, f"{why} ")

    def _watch(self, recipe: Recipe, probe: Probe, stop: threading.Event) -> None:
        """Keep looking until it is stopped or dies. A process that lives but does not answer is told, not killed."""
        self._set(State.UP, probe.sentence, version=probe.version)
        silent, looks = 0, 0
        while not stop.wait(_WATCH_SECONDS):
            self._check_components()
            looks += 1
            if looks % _PROBES_EVERY:
                continue
            probe = recipe.probe(0.0)
            silent = 0 if probe.healthy else silent + 1
            sentence = probe.sentence if silent < 2 else f"{self.title} is busy: {probe.sentence}."
            self._set(State.UP, sentence if probe.healthy or silent >= 2 else self._status.sentence)
        raise _StoppedError

    def _check_components(self) -> None:
        dead = [(c, code) for c in self._components if (code := c.exit_code()) is not None]
        if dead:
            raise _DiedError(self._cause(*dead[0]), [component for component, _ in dead])

    def _cause(self, component: Component, code: int) -> str:
        name = component.command.name
        if code > 128:
            return f"{name} was ended by signal {code - 128}: by somebody, or because memory ran out."
        # The components' own last words come first: where they are a sentence, it says what to do.
        last = component.last_words()
        said = f": {last[:300].rstrip('.')}" if last else ""
        return f"{name} ended with exit code {code}{said}."

    def _next_step(self) -> str:
        return f"Mend that, then start it again: `e2e-ml logs {self.name}` has what it wrote last."

    def _fail(self, sentence: str) -> None:
        tail = self._tail()
        self._end()
        self._set(State.FAILED, sentence, pids=(), log_tail=tail)

    def _end(self) -> None:
        _end_together(self._components)
        self._components = []

    def _tail(self) -> tuple[str, ...]:
        """The last lines of the component that wrote last; of the one that died, where one did."""
        dead = [c for c in self._components if c.exit_code() not in (None, 0)]
        logs = sorted((c for c in dead or self._components if c.log.exists()), key=lambda c: c.log.stat().st_mtime)
        return logs[-1].tail() if logs else ()

    def _set(
        self,
        state: State,
        sentence: str,
        *,
        progress: float | None = None,
        url: str | None = None,
        version: str | None = None,
        pids: Sequence[int] | None = None,
        log_tail: tuple[str, ...] | None = None,
    ) -> None:
        before = self._status
        status = Status(
            self.name,
            state,
            before.since if before.state is state else _now(),
            sentence,
            progress=progress if state is State.STARTING else None,
            url=url or before.url,
            version=version or before.version,
            pids=tuple(c.pid for c in self._components if c.exit_code() is None) if pids is None else tuple(pids),
            log_tail=self._tail() if log_tail is None else log_tail,
        )
        if status == before:
            return
        # Log lines alone are no news for listeners; they are there for whoever asks.
        self._status = status
        if dataclasses.replace(status, log_tail=before.log_tail) != before:
            self._publish(status)


def _end_together(components: Sequence[Component]) -> None:
    """Stop components at the same time; the last to be started is the first to be asked."""
    if not components:
        return
    for component in reversed(components):
        component.ask_to_stop()
    with ThreadPoolExecutor(len(components)) as pool:
        list(pool.map(Component.stop, components))


def _sentence(sentence: str) -> str:
    """From "waiting for the API", as recipes say it, to a sentence that stands alone."""
    return sentence[:1].upper() + sentence[1:].rstrip(".") + "."


def _now() -> datetime:
    return datetime.now(UTC)
