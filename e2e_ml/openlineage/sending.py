"""Sending events: where OPENLINEAGE_URL says, within a bounded time, and never so that a pipeline notices.

The variables are those of the standard's own client: OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY,
OPENLINEAGE_DISABLED, OPENLINEAGE_NAMESPACE. That client is not used here: each task of Airflow is a process of its own,
and to import it takes half a second of each, to send one request that the standard library sends as well. Tests hold
what we send, and what we take, against it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

import orjson

from e2e_ml import __version__

ENDPOINT = "api/v1/lineage"
PRODUCER = f"urn:e2e-ml:{__version__}"  # a URI that says who made an event
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_SECONDS = 2.0  # for a connection, and for each part of an answer
_LONGEST = 3.0  # seconds that a pipeline waits for all of it
_PAUSE = 60.0  # seconds in which nothing is sent after a failure
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_LOG = logging.getLogger(__name__)


class AddressError(ValueError):
    """An address that is none. The message does not hold it, for a password may stand in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Receiver:
    """Where events go. It is never printed: the key, and what stands in an address, are nobody's to read in a log."""

    url: str
    api_key: str | None = None

    @property
    def words(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def receiver(environment: Mapping[str, str] = os.environ) -> Receiver | None:
    """Who is to be told, as the environment says; None: nobody. Raises AddressError."""
    url = environment.get("OPENLINEAGE_URL", "").strip()
    if not url or environment.get("OPENLINEAGE_DISABLED", "").strip().lower() in ("true", "1", "yes"):
        return None
    if not _is_address(url):
        raise AddressError("OPENLINEAGE_URL is no http(s) address")
    endpoint = environment.get("OPENLINEAGE_ENDPOINT", "").strip() or ENDPOINT
    key = environment.get("OPENLINEAGE_API_KEY", "").strip()
    return Receiver(f"{url.rstrip('/')}/{endpoint.strip('/')}", key or None)


def is_asked(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether anybody wants events: what they cost to make can be saved where nobody does."""
    try:
        return receiver(environment) is not None
    except AddressError:
        return True  # `emit` says what is wrong


def namespace(environment: Mapping[str, str] = os.environ) -> str:
    """The namespace of this machine's jobs: Airflow's setting, else the standard's, else "default"."""
    names = ("AIRFLOW__OPENLINEAGE__NAMESPACE", "OPENLINEAGE_NAMESPACE")
    return next((found for name in names if (found := environment.get(name, "").strip())), "default")


def facet(kind: str, version: str = "1-0-0", /, **fields: Any) -> dict[str, Any]:
    """A facet of the standard: `kind` names its schema, "SchemaDatasetFacet". Fields that are None are left out."""
    schema = f"https://openlineage.io/spec/facets/{version}/{kind}.json#/$defs/{kind}"
    known = {name: value for name, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema, **known}


def run_event(
    event_type: str,
    run: Mapping[str, Any],
    job: Mapping[str, Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:
    """A run event of now."""
    return {
        "eventType": event_type,
        "eventTime": datetime.now(UTC).isoformat(),
        "run": dict(run),
        "job": dict(job),
        "inputs": inputs,
        "outputs": outputs,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def emit(event: Mapping[str, Any]) -> bool:
    """Send an event; whether it was taken. Never raises, and takes no longer than three seconds.

    What fails is logged once in a process, as a sentence. After a failure nothing is sent for a minute, so that a
    receiver that hangs costs a pipeline three seconds and not three for each of its events.
    """
    try:
        to = receiver()
        if to is None or time.monotonic() < _failing.until:
            return False
        trouble = _within(_LONGEST, to, orjson.dumps(event, default=str))
    except Exception as error:  # whatever it is, the pipeline has better things to do
        trouble = str(error) if isinstance(error, AddressError) else f"they cannot be made: {type(error).__name__}"
    if trouble is None:
        return True
    _failing.until = time.monotonic() + _PAUSE
    if trouble not in _failing.told:
        _failing.told.add(trouble)
        _LOG.warning("OpenLineage events are not delivered: %s. The pipeline goes on without them.", trouble)
    return False


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


# --- inside ---------------------------------------------------------------------------------------------------------


class _Failing:
    def __init__(self) -> None:
        self.until = 0.0  # by the monotonic clock
        self.told: set[str] = set()


_failing = _Failing()


def _within(seconds: float, to: Receiver, body: bytes) -> str | None:
    """Send, and wait so long at most; what went wrong, None where nothing did."""
    said: list[str | None] = []
    # A thread that is not waited for at the end of the process: timeouts of sockets count from byte to byte.
    worker = threading.Thread(target=lambda: said.append(_post(to, body)), name="openlineage", daemon=True)
    worker.start()
    worker.join(seconds)
    return said[0] if said else f"{to.words} does not answer in time"


def _post(to: Receiver, body: bytes) -> str | None:
    headers = {"Content-Type": "application/json", "User-Agent": f"e2e-ml/{__version__}"}
    if to.api_key:
        headers["Authorization"] = f"Bearer {to.api_key}"
    try:
        request = urllib.request.Request(to.url, body, headers, method="POST")  # noqa: S310 - http(s) alone
        with _opener(to).open(request, timeout=_SECONDS) as answer:
            answer.read(1024)
    except HTTPError as error:
        return f"{to.words} answered {error.code} {_phrase(error.code)}{_next_step(error.code)}"
    except URLError as error:
        return f"{to.words} is not reached ({getattr(error.reason, 'strerror', None) or type(error.reason).__name__})"
    except Exception as error:  # a broken answer, a header that cannot be sent: nothing of it is for the pipeline
        return f"{to.words} is not reached ({type(error).__name__})"
    return None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is a failure: the key is for the receiver alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def _opener(to: Receiver) -> urllib.request.OpenerDirector:
    # Proxies of the environment are for other hosts than this one.
    here = urlsplit(to.url).hostname in _LOOPBACK
    return urllib.request.build_opener(_NoRedirects, *([urllib.request.ProxyHandler({})] if here else []))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _next_step(status: int) -> str:
    refused = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    return ": is OPENLINEAGE_API_KEY the receiver's key?" if status in refused else ""
