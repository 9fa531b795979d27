"""The application: API, pages and static files behind one guard. `create_app` is all that the outside needs."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from e2e_ml import __version__, resources
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.interval import STORE
from e2e_ml.festaf.server import api, pages, rows, training_sets, wishing
from e2e_ml.festaf.server.live import Live, live_of
from e2e_ml.festaf.server.rendering import NotHereError, compile_first, missing, render
from e2e_ml.festaf.server.security import Guard, RefusedError, check_token, host_allowed
from e2e_ml.openlineage import server as openlineage
from e2e_ml.openlineage.inbox import Inbox

_LOG = logging.getLogger(__name__)


def create_app(
    project: str | Path,
    *,
    host: str = "127.0.0.1",
    allow_hosts: Sequence[str] = (),
    token: str | None = None,
    airflow: str | None = None,
) -> FastAPI:
    """The server of the project in the folder `project`.

    It answers to `host`, to this machine's own names and to `allow_hosts`; without `token` it takes no writes but
    wishes, from its own pages. `airflow` is the address of the Airflow that runs its DAGs: pages then link there.
    Raises FeatureStoreError for a folder that holds no readable project.
    """
    app = _Server(
        title="festaf",
        version=__version__,
        description="The feature store: definitions, statistics and the five answers about every feature.",
        docs_url=None,  # FastAPI's own pages load scripts from another host; `/api` is ours
        redoc_url=None,
        lifespan=_warmed,
    )
    app.state.live = Live(Path(project), airflow.rstrip("/") if airflow else None)
    app.state.token = token
    app.state.form_key = secrets.token_urlsafe(24)
    app.online = rows.OnlineRoute(
        app.state.live.store, allowed=lambda name: host_allowed(name, host, tuple(allow_hosts))
    )
    app.add_middleware(Guard, served_on=host, extra=tuple(allow_hosts))
    app.include_router(api.router)
    app.include_router(rows.router)
    app.include_router(training_sets.router)
    app.include_router(wishing.api)
    inbox = Inbox(Path(project) / STORE / "openlineage.db")
    app.include_router(openlineage.router(inbox, lambda given: check_token(given, token)))
    app.include_router(wishing.pages)
    app.include_router(pages.router)
    app.mount("/static", _Static(directory=resources.path("catalog")), name="static")
    for kind, handler in _HANDLERS:
        app.add_exception_handler(kind, handler)
    return app


@asynccontextmanager
async def _warmed(app: FastAPI) -> AsyncGenerator[None]:
    """What the first page and the first letter typed need is made beside whatever is asked meanwhile."""
    live: Live = app.state.live
    live.beside("warm", lambda: (compile_first(), pages.first(live), live.catalog.search))
    yield


class _Server(FastAPI):
    """The application, but for questions online: they do not pass through what all other requests need."""

    online: rows.OnlineRoute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.online.takes(scope):
            await self.online.answer(receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Static(StaticFiles):
    """The style sheet, the script and the icon; the templates beside them are no one's to fetch."""

    def lookup_path(self, path: str) -> tuple[str, object]:  # type: ignore[override]
        if not path.endswith((".css", ".js", ".svg")):
            return "", None
        return super().lookup_path(path)

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"  # ask again each time, by its ETag: an update shows at once
        return response


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/health", "/openapi"))


def _answer(request: Request, status: int, sentence: str, wanted: str = "") -> Response:
    if _wants_json(request):
        return JSONResponse({"detail": sentence}, status)
    live = live_of(request)
    if status == 404:
        return missing(live, sentence, wanted)
    return render(live, "trouble.html", status, sentence=sentence)


def _not_here(request: Request, error: NotHereError) -> Response:
    return _answer(request, 404, error.sentence, error.wanted)


def _refused(request: Request, error: RefusedError) -> Response:
    if not _wants_json(request):
        return _answer(request, error.status, error.sentence)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse({"detail": error.sentence}, error.status, headers)


def _unanswerable(request: Request, error: FeatureStoreError) -> Response:
    return _answer(request, 422, str(error))


def _malformed(request: Request, error: RequestValidationError) -> Response:
    said = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors())
    if not _wants_json(request):
        return _answer(request, 404, f"There is no page {request.url.path!r}.")
    return _answer(request, 422, f"The request is not understood: {said}. The routes are described at /api.")


def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        last = request.url.path.strip("/").rpartition("/")[2]
        return _answer(request, 404, f"There is no page {request.url.path!r}.", last)
    return _answer(request, error.status_code, f"{error.detail}.")


def _failed(request: Request, error: Exception) -> Response:
    # Starlette logs the traceback by raising the error again once this answer is sent.
    _LOG.error("%s %s failed: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": rows.FAILED}, 500)


# Starlette types a handler as one of any exception; each of these is called with its own alone.
_HANDLERS: tuple[tuple[type[Exception], Any], ...] = (
    (NotHereError, _not_here),
    (RefusedError, _refused),
    (FeatureStoreError, _unanswerable),
    (RequestValidationError, _malformed),
    (HTTPException, _http),
    (Exception, _failed),
)
