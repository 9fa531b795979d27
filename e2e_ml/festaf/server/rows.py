"""Rows out and in: `POST /api/v1/online` looks the newest values up, `POST /api/v1/push/{view}` writes new ones.

Who asks online waits for a prediction, so that question is answered before the rest of the server is reached: by
`OnlineRoute`, on the server's own thread where the rows are on this machine. The route of the same name further down
describes it for the OpenAPI page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, cast

import orjson
from fastapi import APIRouter, Body, Header, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.push import Pushed
from e2e_ml.festaf.server.live import live_of
from e2e_ml.festaf.server.rendering import view_or_404
from e2e_ml.festaf.server.security import HEADERS, check_token
from e2e_ml.festaf.store import FeatureStore, Prepared

router = APIRouter()

PATH = "/api/v1/online"
_LIMIT = 16 << 20  # bytes of a question
_MANY = 1000  # rows; more are looked up on another thread, so that others are answered meanwhile
_HEADERS = [(b"content-type", b"application/json"), *((n.encode(), v.encode()) for n, v in HEADERS.items())]
_FIELDS = {"features", "rows", "at", "names"}


class OnlineQuestion(BaseModel):
    """`features`: a service or view, or features by their full names. `rows`: the keys of each, and what on-demand
    views ask of a request. `at`: the moment a time to live counts from; now unless said."""

    model_config = ConfigDict(extra="forbid")

    features: str | list[str]
    rows: list[dict[str, Any]]
    at: AwareDatetime | None = None
    names: Literal["full", "short"] = "full"


class OnlineAnswer(BaseModel):
    """`rows` in the order asked, each with its features; NaN and the infinities, which JSON lacks, are null. `missing`
    says row by row why a value is null otherwise: "absent" or "expired"."""

    rows: list[dict[str, Any]]
    missing: list[dict[str, Literal["absent", "expired"]]]


@router.post(PATH, tags=["data"], response_model=OnlineAnswer)
def online(request: Request, asked: OnlineQuestion) -> Response:
    """The newest features of each row."""
    content = _answered(live_of(request).store.prepared(asked.features, asked.names), asked.model_dump())
    return Response(content, media_type="application/json")


@router.post("/api/v1/push/{view}", tags=["data"])
def push(
    request: Request,
    view: str,
    rows: list[dict[str, Any]] | dict[str, Any] = Body(),  # noqa: B008 - FastAPI's way
    authorization: str | None = Header(None),
) -> Pushed:
    """Bring rows, or one, into both stores, each once however often it is sent. Needs the token."""
    check_token(authorization, request.app.state.token)
    live = live_of(request)
    return live.store.push(view_or_404(live.catalog, view).name, rows)


class OnlineRoute:
    """Answers `PATH` by itself and leaves everything else, and whom it does not know, to `app`."""

    def __init__(self, app: ASGIApp, store: FeatureStore, allowed: Callable[[str], bool]) -> None:
        self._app = app
        self._store = store
        self._allowed = lru_cache(maxsize=1000)(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if not self._allowed(next((v.decode("latin-1") for n, v in scope["headers"] if n == b"host"), "")):
            await self._app(scope, receive, send)  # which refuses it
            return
        status, content = await self._answer(await _body(receive))
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*_HEADERS, (b"content-length", b"%d" % len(content))],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, body: bytes | None) -> tuple[int, bytes]:
        if body is None:
            return 413, _detail(f"The question is longer than {_LIMIT >> 20} MiB. Ask for fewer rows at once.")
        try:
            asked = _checked(body)
            prepared = self._store.prepared(asked["features"], asked.get("names", "full"))
            if len(asked["rows"]) > _MANY or prepared.waits:
                return 200, await run_in_threadpool(_answered, prepared, asked)
            return 200, _answered(prepared, asked)
        except FeatureStoreError as error:
            return 422, _detail(str(error))


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None where it is too long."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LIMIT:
            return None
    return body if len(body) <= _LIMIT else None


def _checked(body: bytes) -> dict[str, Any]:
    """The question that a body asks, as `OnlineQuestion` describes it. Raises FeatureStoreError."""
    try:
        asked: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FeatureStoreError(f"The request is no JSON: {error}.") from None
    if not isinstance(asked, dict):
        raise FeatureStoreError('The request is a JSON object: {"features": "a_service", "rows": [{...}]}.')
    question = cast("dict[str, Any]", asked)
    if unknown := question.keys() - _FIELDS:
        raise FeatureStoreError(
            f"The request holds {', '.join(sorted(unknown))}; it takes {', '.join(sorted(_FIELDS))}."
        )
    features, rows = question.get("features"), question.get("rows")
    if not (isinstance(features, str) or _is_list_of(features, str)):
        raise FeatureStoreError('"features" is the name of a service or view, or a list of full names of features.')
    if not _is_list_of(rows, dict):
        raise FeatureStoreError('"rows" is a list of objects with the keys of each row.')
    if question.get("names", "full") not in ("full", "short"):
        raise FeatureStoreError('"names" is "full" or "short".')
    if (at := question.get("at")) is not None:
        try:
            question["at"] = datetime.fromisoformat(at)
        except (TypeError, ValueError):
            raise FeatureStoreError('"at" is a time such as 2013-01-31T06:00:00Z.') from None
        if question["at"].tzinfo is None:
            raise FeatureStoreError(f'"at" has no time zone: {at}Z is one in UTC.')
    return question


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in cast("list[object]", value))


def _answered(prepared: Prepared, asked: Mapping[str, Any]) -> bytes:
    rows, missing = prepared.answer(asked["rows"], asked.get("at") or datetime.now(UTC))
    return orjson.dumps({"rows": rows, "missing": missing}, default=_plain)


def _plain(value: object) -> Any:
    """What JSON lacks: a decimal is text, a span of time whole microseconds, as in the registry."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    raise TypeError


def _detail(sentence: str) -> bytes:
    return orjson.dumps({"detail": sentence})
