"""Talking to a service's API: where it is, who asks, and errors as sentences. JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from e2e_ml.lineage.collectors import CollectError

TIMEOUT = httpx.Timeout(10.0, connect=3.0)  # seconds
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)  # Airflow answers 403 to a token that it does not know
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class StatusError(CollectError):
    """The service answered, but not with what was asked for: its status says why."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class TooLongError(CollectError):
    """An answer that is longer than was asked for; it was not read."""


class TooSlowError(CollectError):
    """The service has not answered in time. A smaller question may be answered."""


def _no_headers() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """Where a service answers and how to log in. Both are asked late: a managed service has a port once it starts.

    `headers` may wait for the service; it is asked again when a login is refused, so it should then log in anew.
    """

    instance: str
    url: Callable[[], str | None]  # base URL; None: not there yet
    headers: Callable[[], Mapping[str, str]] = _no_headers


class Api:
    """One service's API. Not for two threads at once."""

    def __init__(self, title: str, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        self._title = title
        self._connection = connection
        self._transport = transport
        self._client: httpx.Client | None = None
        self._base = ""
        self.server_time: datetime | None = None  # the service's own clock, as of its last answer
        self.requests = 0  # sent so far

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, path: str, /, most: int | None = None, **params: Any) -> Any:
        """The JSON at `path`. Raises CollectError, TooLongError for an answer of more than `most` bytes."""
        plain = {} if most is None else {"Accept-Encoding": "identity"}  # so that its length is told
        return self._json(self.send("GET", path, most, params=params or None, headers=plain))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json(self.send("POST", path, json=body))

    def get_if_new(self, path: str, etag: str | None) -> tuple[Any, str | None]:
        """The JSON at `path` and its ETag; None for the JSON where it has not changed since `etag`."""
        response = self.send("GET", path, headers={"If-None-Match": etag} if etag else {})
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return None, etag
        return self._json(response), response.headers.get("etag")

    def text(self, path: str, /, **params: Any) -> str:
        return self.send("GET", path, params=params or None).text

    def send(self, method: str, path: str, most: int | None = None, **arguments: Any) -> httpx.Response:
        """The answer to a request, logged in anew where the login was refused. Raises CollectError."""
        client, fresh = self._connect()
        try:
            response = self._request(client, fresh, method, path, **arguments)
            if response.status_code in _REFUSED and not fresh:
                response.close()
                client.headers.update(self._connection.headers())
                response = self._request(client, fresh, method, path, **arguments)
            if most is not None and int(response.headers.get("content-length", 0)) > most:
                response.close()
                raise TooLongError(f"{self._title} answered {method} {path} with more than {most:,} bytes.")
            response.read()
        except httpx.HTTPError as error:
            self.close()
            why = TooSlowError if isinstance(error, httpx.ReadTimeout) else CollectError
            raise why(f"{self._title} does not answer at {self._base}: {_words(error)}.") from error
        if date := response.headers.get("date"):
            self.server_time = parsedate_to_datetime(date).astimezone(UTC)
        status = response.status_code
        if status in _REFUSED:
            self.close()
            raise StatusError(
                f"{self._title} refuses the login ({status}). Check its credentials in workbench.yaml.", status
            )
        if response.is_error or response.has_redirect_location:
            raise StatusError(f"{self._title} answered {status} to {method} {path}. See its log.", status)
        return response

    def _request(self, client: httpx.Client, fresh: bool, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The beginning of an answer. A connection that the service closed while nobody asked is opened again; all we
        ask is safe to ask twice."""
        self.requests += 1
        request = client.build_request(method, self._base + path, **arguments)
        try:
            return client.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if fresh:
                raise
            return client.send(request, stream=True)

    def _connect(self) -> tuple[httpx.Client, bool]:
        """The client, and whether it has just logged in."""
        base = (self._connection.url() or "").rstrip("/")
        if not base:
            raise CollectError(f"{self._title} has no address yet: it is starting or stopped.")
        if self._client is not None and base == self._base:
            return self._client, False
        self.close()
        self._base = base
        # Proxies and .netrc of the environment are for other hosts than this one.
        outside = urlsplit(base).hostname not in _LOOPBACK
        self._client = httpx.Client(timeout=TIMEOUT, trust_env=outside, transport=self._transport)
        self._client.headers.update(self._connection.headers())
        return self._client, True

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise CollectError(
                f"{self._title} answered {response.request.url.path} with something that is not JSON. "
                "Does the address in workbench.yaml lead to its base, and past a login page?"
            ) from error


def _words(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def since(api: Api, overlap_seconds: float) -> float:
    """The service's clock now, in seconds since 1970, less an overlap: where the next visit begins."""
    return (api.server_time or datetime.now(UTC)).timestamp() - overlap_seconds


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def known(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` without what is not known: a fact that is not known is absent."""
    return {k: v for k, v in facts.items() if v is not None and v != ""}
