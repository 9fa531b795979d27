"""The pages and the routes of wishes: a feature that people looked for and that does not exist.

Programs write with the server's token, as everywhere. A person writes from the pages of a server on this machine
without one: the page's forms carry a key that no other site can read.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from e2e_ml import refs
from e2e_ml.festaf.server.catalog import Catalog, page, path_of
from e2e_ml.festaf.server.live import Live, live_of
from e2e_ml.festaf.server.rendering import NotHereError, render
from e2e_ml.festaf.server.security import RefusedError, check_form, check_token, is_person_here
from e2e_ml.festaf.wishes import Wish, WishError

api = APIRouter()
pages = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

LONG = 50  # wishes of a page
_LARGEST = 32_768  # bytes of a form


class NewWish(BaseModel):
    """What is looked for, by whom, and what for."""

    model_config = ConfigDict(extra="forbid")

    name: str
    by: str
    why: str = ""


class NewVote(BaseModel):
    """Who else wants it, and what for."""

    model_config = ConfigDict(extra="forbid")

    by: str
    why: str = ""


class NewAnswer(BaseModel):
    """An answer in words, the full name of the feature that fulfils the wish, or both."""

    model_config = ConfigDict(extra="forbid")

    by: str
    answer: str = ""
    feature: str | None = None


@dataclass(frozen=True, slots=True)
class WishRow:
    """A wish with its page, the page of the feature that fulfils it, and the one that may."""

    wish: Wish
    path: str
    feature_path: str | None
    suggestion: str | None
    suggestion_path: str | None


# --- for programs ------------------------------------------------------------------------------------------------


@api.get("/api/v1/wishes", tags=["wishes"])
def wishes(request: Request) -> Sequence[Wish]:
    """Every wish: the open ones first, the most wanted before."""
    return live_of(request).wishes.all()


@api.get("/api/v1/wishes/{number}", tags=["wishes"])
def wish(request: Request, number: int) -> Wish:
    """One wish."""
    return _wish_or_404(live_of(request), number)


@api.post("/api/v1/wishes", tags=["wishes"])
def add(request: Request, wanted: NewWish, authorization: str | None = Header(None)) -> Wish:
    """Wish for a feature, or join the open wish for the same. Needs the token."""
    check_token(authorization, request.app.state.token)
    return live_of(request).wishes.wish(wanted.name, by=wanted.by, why=wanted.why)


@api.post("/api/v1/wishes/{number}/votes", tags=["wishes"])
def join(request: Request, number: int, vote: NewVote, authorization: str | None = Header(None)) -> Wish:
    """Join a wish. Needs the token."""
    check_token(authorization, request.app.state.token)
    live = live_of(request)
    _wish_or_404(live, number)
    return live.wishes.join(number, by=vote.by, why=vote.why)


@api.post("/api/v1/wishes/{number}/answer", tags=["wishes"])
def answer(request: Request, number: int, given: NewAnswer, authorization: str | None = Header(None)) -> Wish:
    """Answer a wish. Needs the token."""
    check_token(authorization, request.app.state.token)
    live = live_of(request)
    _wish_or_404(live, number)
    return live.wishes.answer(number, given.answer, by=given.by, feature=_known(live.catalog, given.feature))


# --- for people --------------------------------------------------------------------------------------------------


@pages.get("/wishes")
def all_wishes(request: Request, name: str = "") -> HTMLResponse:
    return _list(request, {"name": name[:200]})


@pages.get("/wishes/{number}")
def one_wish(request: Request, number: int) -> HTMLResponse:
    return _one(request, number, {})


@pages.post("/wishes")
async def send_wish(request: Request) -> Response:
    form = await _form(request)

    def send() -> Response:
        try:
            _check(request, form)
            made = live_of(request).wishes.wish(form.get("name", ""), by=form.get("by", ""), why=form.get("why", ""))
        except (WishError, RefusedError) as error:
            return _list(request, form, error)
        return _see(made)

    return await run_in_threadpool(send)


@pages.post("/wishes/{number}/votes")
async def send_vote(request: Request, number: int) -> Response:
    form = await _form(request)

    def send() -> Response:
        try:
            _check(request, form)
            return _see(live_of(request).wishes.join(number, by=form.get("by", ""), why=form.get("why", "")))
        except (WishError, RefusedError) as error:
            return _one(request, number, form, error)

    return await run_in_threadpool(send)


@pages.post("/wishes/{number}/answer")
async def send_answer(request: Request, number: int) -> Response:
    form = await _form(request)

    def send() -> Response:
        live = live_of(request)
        try:
            _check(request, form)
            feature = _known(live.catalog, form.get("feature", "").strip() or None)
            return _see(live.wishes.answer(number, form.get("answer", ""), by=form.get("by", ""), feature=feature))
        except (WishError, RefusedError) as error:
            return _one(request, number, form, error)

    return await run_in_threadpool(send)


def open_wishes(live: Live, most: int) -> list[WishRow]:
    """What is still wished for, the most wanted first."""
    catalog = live.catalog
    waiting = [wish for wish in live.wishes.all() if wish.status == "open"]
    return [_row(live, catalog, wish) for wish in waiting[:most]]


# --- parts -------------------------------------------------------------------------------------------------------


def _list(request: Request, form: dict[str, str], error: WishError | RefusedError | None = None) -> HTMLResponse:
    live = live_of(request)
    catalog = live.catalog
    given = request.query_params.get("page", "")
    part = page(live.wishes.all(), int(given) if given.isdecimal() and len(given) < 9 else 1, LONG)
    rows = [_row(live, catalog, wish) for wish in part.rows]
    return render(live, "wishes.html", _status(error), part=part, rows=rows, **_about_form(request, form, error))


def _one(
    request: Request, number: int, form: dict[str, str], error: WishError | RefusedError | None = None
) -> HTMLResponse:
    live = live_of(request)
    row = _row(live, live.catalog, _wish_or_404(live, number))
    return render(live, "wish.html", _status(error), row=row, path=row.path, **_about_form(request, form, error))


def _row(live: Live, catalog: Catalog, wish: Wish) -> WishRow:
    likely = live.suggestion(wish)
    return WishRow(
        wish,
        path_of(refs.wish(catalog.project, wish.number)),
        catalog.path(wish.feature) if wish.feature else None,
        likely,
        catalog.path(likely) if likely else None,
    )


def _about_form(request: Request, form: dict[str, str], error: WishError | RefusedError | None) -> dict[str, Any]:
    """What every form of wishes has: its key, what was typed, who types, and what was wrong with it."""
    here = _is_here(request)
    return {
        "may_write": here,
        "key": request.app.state.form_key if here else "",
        "typed": {"name": "", "why": "", "answer": "", "feature": "", **form},
        "me": form.get("by", _user() if here else ""),
        "wrong": str(error) if error else "",
    }


def _status(error: WishError | RefusedError | None) -> int:
    return 200 if error is None else error.status if isinstance(error, RefusedError) else 422


def _check(request: Request, form: dict[str, str]) -> None:
    check_form(
        form.get("key", ""),
        request.app.state.form_key,
        here=_is_here(request),
        site=request.headers.get("sec-fetch-site"),
    )


def _is_here(request: Request) -> bool:
    return is_person_here(request.client.host if request.client else None, request.headers.get("host", ""))


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that a page has sent; empty ones are kept. Raises RefusedError for what is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise RefusedError(415, "This address takes the page's own form. Programs use /api/v1/wishes.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise RefusedError(413, "That is longer than a wish can be. Say it in fewer words.")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items() if name in _FIELDS}


_FIELDS = frozenset({"key", "name", "by", "why", "answer", "feature"})


def _see(wish: Wish) -> Response:
    return RedirectResponse(f"/wishes/{wish.number}", 303)


def _wish_or_404(live: Live, number: int) -> Wish:
    try:
        return live.wishes.get(number)
    except WishError:
        raise NotHereError(f"There is no wish {number} in {live.catalog.project}.", "") from None


def _known(catalog: Catalog, full_name: str | None) -> str | None:
    if full_name and catalog.feature(full_name) is None:
        raise WishError(f"There is no feature {full_name!r}. Name it in full, as view.feature, or leave it out.")
    return full_name or None


def _user() -> str:
    """Who runs the server: on a person's own machine, that person."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
