"""Rows out and in: `POST /api/v1/online` looks the newest values up, `POST /api/v1/push/{view}` writes new ones.

Who asks online waits for a prediction, so that question is answered before the rest of the server is reached: by
`OnlineRoute`, on the server's own thread where the rows are on this machine. The route of the same name describes it
for the OpenAPI page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, cast

import orjson
from fastapi import APIRouter, Body, Header, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope, Send

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.online.serving import Missing
from e2e_ml.festaf.rows.push import Pushed
from e2e_ml.festaf.server.live import live_of
from e2e_ml.festaf.server.rendering import view_or_404
from e2e_ml.festaf.server.security import HEADERS, RefusedError, check_token
from e2e_ml.festaf.store import FeatureStore, Prepared

_LOG = logging.getLogger(__name__)

router = APIRouter()

FAILED = "The server failed to answer this; its log says why. Other pages still work."
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
    """Answers `PATH` by itself. Few calls lie between question and answer: here they cost as much as a look-up."""

    def __init__(self, store: FeatureStore, allowed: Callable[[str], bool]) -> None:
        self._turn = _Turn(store)

        @lru_cache(maxsize=1000)
        def known(host: bytes) -> bool:
            return allowed(host.decode("latin-1"))

        self._allowed = known

    def takes(self, scope: Scope) -> bool:
        """Whether a request is this route's. Whom it does not know it leaves to the rest of the server, to refuse."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            return False
        for name, value in scope["headers"]:
            if name == b"host":
                return self._allowed(value)
        return self._allowed(b"")

    async def answer(self, receive: Receive, send: Send) -> None:
        """Take a request's question and send its answer."""
        status = 200
        try:
            message = await receive()
            body: bytes = message.get("body", b"")
            if message.get("more_body", False) or len(body) > _LIMIT:
                body = await _whole(body, message, receive)
            asked = _checked(body)
            prepared, waits = self._turn.prepared(asked["features"], asked.get("names", "full"))
            if waits or len(asked["rows"]) > _MANY:
                content = await run_in_threadpool(_answered, prepared, asked)
            else:
                content = self._turn.answered(prepared, asked)
        except FeatureStoreError as error:
            status, content = 422, _detail(str(error))
        except RefusedError as error:
            status, content = error.status, _detail(error.sentence)
        except Exception:
            _LOG.exception("POST %s failed.", PATH)
            status, content = 500, _detail(FAILED)
        headers = [*_HEADERS, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class _Turn:
    """What was found to hold in this turn of the event loop: which registry is applied, and which file has the rows.

    Whoever asks in the same turn asked before that was looked up, for what comes in later waits for the next turn. So
    one look at the files is as good for all of them as one for each, and under load it is shared by many.
    """

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._prepared: dict[Any, tuple[Prepared, bool]] = {}
        self._has_read = False

    def prepared(self, features: str | list[str], names: Literal["full", "short"]) -> tuple[Prepared, bool]:
        """The prepared question, and whether its answer waits. Raises FeatureStoreError."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._end()
            self._loop = loop
        key = (features if type(features) is str else tuple(features), names)
        known = self._prepared.get(key)
        if known is None:
            prepared = self._store.prepared(features, names)
            if not self._prepared:
                loop.call_soon(self._end)
            known = self._prepared[key] = (prepared, prepared.waits)
        return known

    def answered(self, prepared: Prepared, asked: Mapping[str, Any]) -> bytes:
        """The answer to a question that does not wait, and so has nothing to compute."""
        found = prepared.question.answer(asked["rows"], asked.get("at") or datetime.now(UTC), again=self._has_read)
        self._has_read = True
        return _json(*found)

    def _end(self) -> None:
        self._prepared.clear()
        self._has_read = False


async def _whole(body: bytes, message: Message, receive: Receive) -> bytes:
    """The request's body, which begins with `body` of `message`. Raises RefusedError where it is too long."""
    while message.get("more_body", False) and len(body) <= _LIMIT:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > _LIMIT:
        raise RefusedError(413, f"The question is longer than {_LIMIT >> 20} MiB. Ask for fewer rows at once.")
    return body


def _checked(body: bytes) -> dict[str, Any]:
    """The question that a body asks, as `OnlineQuestion` describes it. Raises FeatureStoreError."""
    try:
        asked: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FeatureStoreError(f"The request is no JSON: {error}.") from None
    if type(asked) is not dict:
        raise FeatureStoreError('The request is a JSON object: {"features": "a_service", "rows": [{...}]}.')
    question = cast("dict[str, Any]", asked)
    features, rows = question.get("features"), question.get("rows")
    if type(features) is not str and not _is_list_of(features, str):
        raise FeatureStoreError('"features" is the name of a service or view, or a list of full names of features.')
    if not _is_list_of(rows, dict):
        raise FeatureStoreError('"rows" is a list of objects with the keys of each row.')
    if len(question) > 2:
        _check_rest(question)
    return question


def _check_rest(question: dict[str, Any]) -> None:
    """What a question holds beside `features` and `rows`; its `at` becomes a time."""
    if unknown := question.keys() - _FIELDS:
        raise FeatureStoreError(
            f"The request holds {', '.join(sorted(unknown))}; it takes {', '.join(sorted(_FIELDS))}."
        )
    if question.get("names", "full") not in ("full", "short"):
        raise FeatureStoreError('"names" is "full" or "short".')
    if (at := question.get("at")) is not None:
        try:
            question["at"] = datetime.fromisoformat(at)
        except (TypeError, ValueError):
            raise FeatureStoreError('"at" is a time such as 2013-01-31T06:00:00Z.') from None
        if question["at"].tzinfo is None:
            raise FeatureStoreError(f'"at" has no time zone: {at}Z is one in UTC.')


def _is_list_of(value: object, kind: type) -> bool:
    """Of what JSON gave, whose values are of just these types."""
    return type(value) is list and set(map(type, cast("list[object]", value))) <= {kind}


def _answered(prepared: Prepared, asked: Mapping[str, Any]) -> bytes:
    return _json(*prepared.answer(asked["rows"], asked.get("at") or datetime.now(UTC)))


def _json(rows: list[dict[str, Any]], missing: list[dict[str, Missing]]) -> bytes:
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
