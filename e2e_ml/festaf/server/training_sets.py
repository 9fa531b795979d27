"""Training sets over HTTP: `POST /api/v1/historical` takes entities as a Parquet file and gives one with features.

Reading is open to this machine. No page of another site can ask: its browser sends that content type to nobody who has
not agreed to it.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import anyio
import anyio.to_thread
import polars as pl
from fastapi import APIRouter, Header, Query, Request, Response

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.historical import PARQUET, TooManyRowsError, check_size
from e2e_ml.festaf.server.live import live_of
from e2e_ml.festaf.server.security import RefusedError
from e2e_ml.festaf.store import FeatureStore

router = APIRouter()

_AT_ONCE = 2  # questions; each may take a gigabyte of memory, so that others wait

_FILE = {PARQUET: {"schema": {"type": "string", "format": "binary"}}}
_DESCRIBED = {
    "requestBody": {
        "description": "A Parquet file with the key columns and, where a view has times, the column `at`.",
        "required": True,
        "content": _FILE,
    }
}
_ANSWERED = {
    "description": "A Parquet file: the rows as they were sent, in their order and with their columns, and behind "
    "these a column for each feature. Its key-value metadata `festaf.contract` says what they are, as JSON.",
    "content": _FILE,
}


@router.post(
    "/api/v1/historical",
    tags=["data"],
    response_class=Response,
    responses={200: _ANSWERED, 413: {"description": "Too many rows."}, 415: {"description": "No Parquet file."}},
    openapi_extra=_DESCRIBED,
)
async def historical(
    request: Request,
    features: Annotated[list[str], Query(description="A service or view, or several features by full names.")],
    at: Annotated[str, Query(description="The column with the moment to look back from.")] = "event_timestamp",
    names: Literal["full", "short"] = "full",
    as_known: Annotated[bool, Query(description="Only what had been written by that moment.")] = False,
    content_type: Annotated[str, Header()] = "",
) -> Response:
    """The features of each entity as they were known at its moment, joined by Polars."""
    if content_type.partition(";")[0].strip().lower() != PARQUET:
        raise RefusedError(415, f"The entities are a Parquet file: send it as {PARQUET}.")
    store, limiter = live_of(request).store, _limiter(request)
    try:
        body = await _body(request)
        answer = partial(_answer, store, body, features[0] if len(features) == 1 else features, at, names, as_known)
        content = await anyio.to_thread.run_sync(answer, limiter=limiter)
    except TooManyRowsError as error:
        raise RefusedError(413, str(error)) from error
    return Response(content, media_type=PARQUET)


def _answer(
    store: FeatureStore,
    body: bytes,
    what: str | list[str],
    at: str,
    names: Literal["full", "short"],
    as_known: bool,
) -> bytes:
    try:
        check_size(pl.scan_parquet(body).select(pl.len()).collect().item(), len(body))
        entities = pl.read_parquet(body)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FeatureStoreError(f"The entities are no Parquet file that Polars reads: {error}.") from error
    return store.historical(what, entities, at, names, as_known=as_known).parquet()


async def _body(request: Request) -> bytes:
    """The request's body. Raises TooManyRowsError as soon as it is too long."""
    check_size(0, int(request.headers.get("content-length") or 0))
    body = bytearray()
    async for part in request.stream():
        body += part
        check_size(0, len(body))
    return bytes(body)


def _limiter(request: Request) -> anyio.CapacityLimiter:
    # It belongs to the loop that runs the server, and so is made in it.
    if not hasattr(request.app.state, "training_sets"):
        request.app.state.training_sets = anyio.CapacityLimiter(_AT_ONCE)
    return request.app.state.training_sets
