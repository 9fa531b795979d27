"""A service that runs elsewhere: looked at again and again, never started or stopped."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import httpx

from e2e_ml.credentials import CredentialError
from e2e_ml.stack.airflow import bearer, token_login
from e2e_ml.stack.mlflow import basic_login
from e2e_ml.stack.service import Listener, Login, State, Status
from e2e_ml.workspace import Attached

_LOOK_SECONDS = 10.0
_LONGEST_SECONDS = 120.0
_VERSION_PATHS = {"airflow": "/api/v2/version", "mlflow": "/version", "festaf": "/health"}


class AttachedService:
    """One service of the stack, behind a URL and a credential reference."""

    managed = False

    def __init__(self, name: str, title: str, setting: Attached, root: Path, publish: Listener) -> None:
        self.name = name
        self.title = title
        self.url: str = setting.url
        self._setting = setting
        self._root = root
        self._publish = publish
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._look_now = threading.Event()
        self._worker: threading.Thread | None = None
        self._status = Status(name, State.STOPPED, _now(), f"{title} is not being looked at.", url=setting.url)

    def status(self) -> Status:
        return self._status

    def start(self) -> None:
        with self._lock:
            self._look_now.set()
            if self._worker is not None and self._worker.is_alive() and not self._stop.is_set():
                return
            self._stop = threading.Event()
            self._worker = threading.Thread(
                target=self._run, args=(self._stop,), name=f"stack-{self.name}", daemon=True
            )
            self._worker.start()

    def stop(self) -> None:
        with self._lock:
            worker = self._worker
            self._stop.set()
            self._look_now.set()
        if worker is not None:
            worker.join()
        self._set(State.STOPPED, f"{self.title} is not being looked at.")

    def login(self) -> Login | None:
        try:
            secret = self._setting.secret(self._root)
        except CredentialError:
            return None
        if secret is None:
            return None
        user, colon, password = secret.partition(":")
        if not colon:
            return bearer(secret) if self.name == "airflow" else Login({"Authorization": f"Bearer {secret}"}, {})
        if self.name == "airflow":
            with _client() as client:
                return token_login(client, self.url, user, password)
        return basic_login(user, password)

    def _run(self, stop: threading.Event) -> None:
        self._set(State.STARTING, f"Looking for {self.title} at {self.url}.")
        pause = 1.0
        while not stop.is_set():
            self._look_now.clear()
            state, sentence, version = self._look()
            if stop.is_set():
                return
            self._set(state, sentence, version)
            pause = _LOOK_SECONDS if state is State.UP else min(pause * 2, _LONGEST_SECONDS)
            self._look_now.wait(pause)

    def _look(self) -> tuple[State, str, str | None]:
        try:
            self._setting.secret(self._root)
        except CredentialError as error:
            return State.UNREACHABLE, str(error), None
        try:
            with _client() as client:
                login = self.login()
                answer = client.get(
                    self.url + _VERSION_PATHS[self.name], headers=login.headers if login is not None else {}
                )
        except httpx.TimeoutException:
            return self._unreachable("it does not answer in time")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._unreachable(str(error) or type(error).__name__)
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            reference = self._setting.credential
            step = f"Check {reference}." if reference else "Add a credential in workbench.yaml, e.g. env:NAME."
            return State.UNREACHABLE, f"{self.title} at {self.url} refuses the credential. {step}", None
        if answer.status_code >= 400:
            return self._unreachable(f"it answers {answer.status_code} {answer.reason_phrase}")
        return State.UP, f"{self.title} answers at {self.url}.", _version(answer)

    def _unreachable(self, reason: str) -> tuple[State, str, str | None]:
        step = f"Check services.{self.name}.url in workbench.yaml and your network; it is tried again by itself."
        return State.UNREACHABLE, f"{self.title} at {self.url} cannot be reached: {reason}. {step}", None

    def _set(self, state: State, sentence: str, version: str | None = None) -> None:
        before = self._status
        since = before.since if before.state is state else _now()
        status = Status(self.name, state, since, sentence, url=self.url, version=version or before.version)
        if status != before:
            self._status = status
            self._publish(status)


def _client() -> httpx.Client:
    return httpx.Client(timeout=10.0)


def _version(answer: httpx.Response) -> str | None:
    try:
        found: Any = answer.json()
    except ValueError:
        return answer.text.strip()[:40] or None
    return str(cast("dict[str, Any]", found).get("version") or "") or None if isinstance(found, dict) else None


def _now() -> datetime:
    return datetime.now(UTC)
