"""Who may ask, and what a page may do: host check, response headers, the token for writes and the key of forms.

The policies are pure functions; the middleware at the end is the wiring.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from e2e_ml.festaf.settings import TOKEN_VARIABLE

# Nothing is loaded from anywhere but this server, no script or style stands inside a page, and no other site frames it.
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def host_name(host: str) -> str | None:
    """The name in a Host header, without its port and in lower case; None where it is none."""
    if any(sign in host for sign in "@/?#\\"):
        return None
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def host_allowed(host: str, served_on: str, extra: Sequence[str] = ()) -> bool:
    """Whether a Host header names this server: the address that it listens on, this machine, or one in `extra`.

    A page on the web can make its own name point here (DNS rebinding); its requests still carry that name.
    """
    name = host_name(host)
    if name is None:
        return False
    return name in {"localhost", served_on.lower(), *(n.lower() for n in extra)} or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class RefusedError(Exception):
    """A write that may not happen. `status` is the HTTP status; the message says what to do."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def check_token(authorization: str | None, token: str | None) -> None:
    """Let a write pass, or raise RefusedError. `token` is what the server was started with."""
    if not token:
        raise RefusedError(
            403, f"This server takes no writes: it was started without {TOKEN_VARIABLE}. Set it and start again."
        )
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise RefusedError(
            401, f"A write needs the server's token: send Authorization: Bearer with the value of {TOKEN_VARIABLE}."
        )
    # Bytes, for compare_digest takes no text beyond ASCII; it takes equally long for any wrong token of that length.
    if not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise RefusedError(
            401, f"That is not this server's token. It is the value of {TOKEN_VARIABLE} where the server was started."
        )


def is_person_here(client: str | None, host: str) -> bool:
    """Whether a request comes from a browser on this machine, by this machine's own name: `client` is the address that
    it comes from, `host` its Host header. What a proxy passes on carries the name that the world calls it by."""
    name = host_name(host)
    return (
        client is not None and _is_loopback(client) and name is not None and (name == "localhost" or _is_loopback(name))
    )


def check_form(given: str, key: str, *, here: bool, site: str | None) -> None:
    """Let a form of our own pages write, or raise RefusedError.

    `given` is the key in the form; only a page of this server can know `key`. `here` is `is_person_here`, `site` the
    browser's own word on where the form comes from (Sec-Fetch-Site), where it sends one.
    """
    if not here:
        raise RefusedError(
            403, f"From another machine a write needs the server's token: use /api/v1/wishes with {TOKEN_VARIABLE}."
        )
    if site not in (None, "same-origin"):
        raise RefusedError(403, "That form is not of this server's own pages.")
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise RefusedError(403, "The server has started again since this page was opened. Send it once more.")


class Guard:
    """Refuses requests under another host's name, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, served_on: str, extra: Sequence[str] = ()) -> None:
        self._app = app
        self._served_on = served_on
        self._extra = tuple(extra)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if host_allowed(host, self._served_on, self._extra):
            await self._app(scope, receive, with_headers)
            return
        refusal = PlainTextResponse(
            f"This server does not answer to the name {host!r}. Use http://127.0.0.1, or start it with --allow-host.\n",
            400,
        )
        await refusal(scope, receive, with_headers)
