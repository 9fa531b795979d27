"""Events over HTTP: taken at `POST /api/v1/lineage`, where every sender of the standard puts them, and read again.

`router` goes into a server that there is, the feature store's; `create_app` is a server of its own, and `serve` runs
it. Reading and writing need the key, which senders give as `Authorization: Bearer`, for an event may hold SQL and what
an error said. Needs the extra `server`.
"""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from e2e_ml import __version__
from e2e_ml.openlineage.events import EventError, parse
from e2e_ml.openlineage.inbox import Inbox, InboxError, Page

PATH = "/api/v1/lineage"
KEY_VARIABLE = "OPENLINEAGE_API_KEY"  # what the standard's own client calls it
MOST_BYTES = 8 << 20  # of an event
MOST_BATCH_BYTES = 32 << 20
MOST_BATCH = 1_000  # events
MOST_PAGE = 1_000
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}

Check = Callable[[str | None], None]  # of an Authorization header; raises what the server answers


class RefusedError(Exception):
    """A request that is not taken: its HTTP status, and a sentence with the next step."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def router(inbox: Inbox, check: Check) -> APIRouter:
    """The routes of an inbox. `check` is asked before anything is read, and raises where the sender may not."""
    routes = APIRouter(tags=["lineage"])

    @routes.post(PATH, openapi_extra=_body({"type": "object"}))
    async def take(request: Request, authorization: Annotated[str | None, Header()] = None) -> Response:
        """Keep one event of OpenLineage: a run event, a job event or a dataset event. Needs the token."""
        check(authorization)
        return await _answered(request, inbox, MOST_BYTES, _one)

    @routes.post(f"{PATH}/batch", openapi_extra=_body({"type": "array", "items": {"type": "object"}}))
    async def take_batch(request: Request, authorization: Annotated[str | None, Header()] = None) -> Response:
        """Keep a list of events, all of them or, where one of them is wrong, none. Needs the token."""
        check(authorization)
        return await _answered(request, inbox, MOST_BATCH_BYTES, _several)

    @routes.get(f"{PATH}/events", openapi_extra={"security": [{"bearer": []}]})
    def events(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = 100,
        authorization: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The events after number `after`, oldest first; `next` is what to ask after then. `inbox` names the inbox:
        another one counts from one again. Needs the token."""
        check(authorization)
        try:
            return Response(_page(inbox.page(after, limit)), media_type="application/json", headers=_HEADERS)
        except InboxError as error:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    return routes


def create_app(path: Path, *, key: str, host: str = "127.0.0.1", allow_hosts: Sequence[str] = ()) -> FastAPI:
    """A server of nothing but an inbox, the file at `path`. It answers to `host`, to this machine's own names and to
    `allow_hosts`, and to whoever has the key."""
    if not key:
        raise ValueError(f"Whoever sends events needs a key: set {KEY_VARIABLE}.")
    inbox = Inbox(path)
    app = FastAPI(title="OpenLineage inbox", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", host, *allow_hosts], www_redirect=False
    )
    app.include_router(router(inbox, lambda given: check_key(given, key)))
    app.add_exception_handler(RefusedError, _refused)

    @app.get("/health", tags=["service"])
    def health() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction] - the route is the use
        """Whether the server is up."""
        return {"status": "ok", "version": __version__}

    return app


def serve(path: Path, *, key: str, host: str = "127.0.0.1", port: int = 5000, allow_hosts: Sequence[str] = ()) -> None:
    """Receive events until the process is told to end. Raises SystemExit where the port is taken."""
    import uvicorn

    app = create_app(path, key=key, host=host, allow_hosts=allow_hosts)
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False, server_header=False)


def check_key(authorization: str | None, key: str) -> None:
    """Let whoever has the key pass, or raise RefusedError."""
    scheme, _, given = (authorization or "").partition(" ")
    # Bytes, for compare_digest takes no text beyond ASCII; it takes equally long for any wrong key of that length.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED, f"Send Authorization: Bearer with this server's key: set {KEY_VARIABLE} to it."
        )


# --- taking ---------------------------------------------------------------------------------------------------------


async def _answered(
    request: Request, inbox: Inbox, most: int, read: Callable[[bytes], list[Mapping[str, Any]]]
) -> Response:
    try:
        body = await _bytes(request, most)
        count = await run_in_threadpool(lambda: _keep(inbox, read(body)))
    except RefusedError as error:
        return _refusal(error.status, str(error))
    except InboxError as error:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    return JSONResponse({"new": count}, headers=_HEADERS)


async def _bytes(request: Request, most: int) -> bytes:
    """The body, unpacked where it comes packed. Raises RefusedError for one that is longer than `most` bytes."""
    packed = request.headers.get("content-encoding", "identity").lower()
    if packed not in ("identity", "gzip"):
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"A body packed as {packed} is not read. Send gzip.")
    unpack = zlib.decompressobj(wbits=31) if packed == "gzip" else None
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += unpack.decompress(chunk, most + 1 - len(body)) if unpack and chunk else chunk
            if len(body) > most:
                raise RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"More than {most >> 20} MiB are not taken. Send fewer at once.",
                )
    except zlib.error as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The body says that it is gzip and is not: {error}.") from None
    if unpack and not unpack.eof:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The body says that it is gzip, and its end is missing.")
    return bytes(body)


def _one(body: bytes) -> list[Mapping[str, Any]]:
    return [_checked(_json(body))]


def _several(body: bytes) -> list[Mapping[str, Any]]:
    given = _json(body)
    if not isinstance(given, list):
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, f"A batch is a list of events; one alone goes to {PATH}.")
    events = cast("list[Any]", given)
    if len(events) > MOST_BATCH:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A batch has {MOST_BATCH:,} events at most.")
    return [_checked(event, f"Event {number} of the batch: ") for number, event in enumerate(events, 1)]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The body is no JSON: {error}.") from None


def _checked(event: Any, which: str = "") -> Mapping[str, Any]:
    try:
        parse(event)
    except EventError as error:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{which}{error}") from None
    return event


def _keep(inbox: Inbox, events: list[Mapping[str, Any]]) -> int:
    return len(inbox.append(events))


# --- answering ------------------------------------------------------------------------------------------------------


def _page(page: Page) -> bytes:
    events = [{"number": kept.number, "received": kept.received, "event": kept.event} for kept in page.events]
    return orjson.dumps(
        {"inbox": page.inbox, "next": page.next, "newest": page.newest, "oldest": page.oldest, "events": events}
    )


def _refusal(status: int, sentence: str) -> Response:
    headers = {**_HEADERS, "www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else _HEADERS
    return JSONResponse({"detail": sentence}, status, headers)


def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else HTTPStatus.INTERNAL_SERVER_ERROR
    return _refusal(status, str(error))


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    """A body for the OpenAPI page: it is read by the route itself, which knows how long it may be."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
