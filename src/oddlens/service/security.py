"""Who may come in, and how much one may bring: an ASGI middleware before everything else.

- Host: only names that belong here. A page of another site whose name is made to lead to this machine (DNS rebinding) has its own
  name there. Addresses are let through: no name can be rebound to them.
- Origin: what changes something must come from a page of this service, or from a program that is no browser and says nothing.
- Token: beyond loopback, in `Authorization: Bearer`, or in the cookie that POST /login sets.
- Body: so many bytes in so much time, counted as they come. A slow client costs a coroutine, no thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oddlens.errors import one_line, shortened
from oddlens.io.addresses import is_loopback, name_of
from oddlens.service.json_answer import JsonAnswer
from oddlens.service.settings import ServeSettings

COOKIE = "oddlens_session"

OPEN_PATHS = ("/login", "/healthz", "/readyz")
"""What needs no token, beside the static files of the page."""

SAFE_METHODS = ("GET", "HEAD")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer that does not say otherwise."""


class Door:
    """The token of a service, and how a client shows that it knows it. token: None where none is needed."""

    def __init__(self, settings: ServeSettings) -> None:
        given = settings.token
        self.token = given if given is not None or settings.is_local else secrets.token_urlsafe(24)
        self.is_generated = given is None and self.token is not None

    @property
    def cookie(self) -> str:
        """What the cookie holds: it says that the client knew the token, and does not say the token."""
        return hmac.digest((self.token or "").encode(), b"oddlens cookie", hashlib.sha256).hex()

    def opens_with(self, token: str) -> bool:
        """Whether this is the token."""
        return self.token is None or hmac.compare_digest(token.encode(), self.token.encode())

    def opens_for(self, headers: Headers) -> bool:
        """Whether a request may come in."""
        if self.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self.opens_with(given.strip()):
            return True
        found = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(found.encode(), self.cookie.encode())


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, door: Door) -> None:
        self._app, self._door, self.limits = app, door, settings.limits
        own = [] if settings.is_local else [settings.host, socket.gethostname(), socket.getfqdn()]
        self._hosts = {name.casefold() for name in (*own, *settings.hosts)}
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise HTTPException(404)  # there are no web sockets
        body = _Body(self, receive)

        async def send_guarded(message: Message) -> None:
            if body.is_gone:
                return
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if body.is_refused:
                    headers["connection"] = "close"  # nobody reads the rest
            await send(message)

        try:
            refusal = self._refusal(scope, Headers(scope=scope))
            if refusal is not None:
                body.is_refused = scope["method"] not in SAFE_METHODS
                await refusal(scope, receive, send_guarded)
            else:
                with suppress(ClientDisconnect):  # nobody waits for the answer
                    await self._app(scope, body.receive, send_guarded)
        finally:
            self._held -= body.count

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that may not come in; None for one that may."""
        host = headers.get("host", "")
        if not self._knows(name_of(host)):
            return refused(
                400,
                f"this service is not called {shortened(name_of(host))}: use its address, or start it with --allow-host NAME",
            )
        if scope["method"] not in SAFE_METHODS:
            origin = headers.get("origin")
            is_foreign = origin is not None and origin.partition("://")[2] != host
            if is_foreign or headers.get("sec-fetch-site") == "cross-site":
                return refused(
                    403, "the request comes from a page of another site: open the page of this service itself"
                )
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > self.limits.max_bytes:
                return refused(*self.too_large)
        path: str = scope["path"]
        if self._door.opens_for(headers) or path in OPEN_PATHS or path.startswith("/static/"):
            return None
        if "text/html" in headers.get("accept", "") and scope["method"] in SAFE_METHODS:
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        return refused(
            401,
            "a token is needed: the service printed it when it started; send it as 'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": "Bearer"},
        )

    def _knows(self, name: str) -> bool:
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return is_loopback(name) or name.casefold() in self._hosts
        return True

    @property
    def too_large(self) -> tuple[int, str]:
        """The answer to a body beyond the limit."""
        return 413, f"the request is larger than {self.limits.max_bytes / 1e6:g} MB: send fewer or smaller images"

    def take(self, body: _Body, size: int) -> None:
        """Count bytes of a body. Raises `HTTPException` where they are too many, of this one or of all together."""
        body.count += size
        self._held += size
        if body.count > self.limits.max_bytes:
            raise HTTPException(*self.too_large)
        if self._held > (self.limits.held_bytes or 8 * self.limits.max_bytes):
            raise HTTPException(
                429, "other clients are sending too much at once: try again later", {"Retry-After": "2"}
            )


class _Body:
    """The body of one request. count: bytes so far. is_refused: its rest is not read. is_gone: nobody waits for an answer."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self._guard, self._receive = guard, receive
        self._until: float | None = asyncio.get_running_loop().time() + guard.limits.body_s
        self.count = 0
        self.is_refused = self.is_gone = False

    async def receive(self) -> Message:
        """See ASGI; raises `HTTPException` beyond the limits."""
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = self._until is not None  # before its end
            if message["type"] == "http.request":
                self._guard.take(self, len(message.get("body", b"")))
                if not message.get("more_body", False):
                    self._until = None  # what comes next is the end of the connection
        except TimeoutError as error:
            self.is_refused = True
            raise HTTPException(408, "the request did not come to its end in time: send it again") from error
        except HTTPException:
            self.is_refused = True
            raise
        return message


def refused(status: int, sentence: str, headers: Mapping[str, str] | None = None, **more: object) -> JsonAnswer:
    """An answer that says in one sentence what is wrong. more: what it says besides."""
    return JsonAnswer({"error": one_line(sentence), **more}, status, dict(headers or {}))
