"""Results to a web address: one POST of JSON each, signed, and tried again where it fails.

With a secret each request has the header `X-Oddlens-Signature: t=SECONDS,v1=HEX`: the HMAC-SHA256, with that secret, of the
seconds, a full stop and the body. `is_signed` is what a receiver does with it. `X-Oddlens-Delivery` is the same for every attempt
with one result, so that a receiver can pass a second one over.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import io
import json
import secrets
import socket
import string
import time
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from oddlens import __version__
from oddlens.errors import UsageError
from oddlens.inference.delivery import DELAYS, Delivery, Event, NeverError, NotNowError, Say
from oddlens.io.addresses import shown_address

SECRET_VARIABLE = "ODDLENS_WEBHOOK_SECRET"
"""The environment variable with the secret that requests are signed with: on a command line others could read it."""

TIMEOUT_S = 10.0

_WORTH_A_TRY = (408, 425, 429)
"""Refusals that pass; so do all of the server's own faults, 500 to 599."""


class Webhook(Delivery):
    """Posts events to an http(s) address. user:password@ in it become a header. It follows no redirect.

    Raises:
        UsageError: The address is of another kind.
    """

    def __init__(
        self,
        url: str,
        say: Say,
        *,
        secret: str | None = None,
        delays: tuple[float, ...] = DELAYS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        shown = shown_address(url)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise UsageError(f"{shown} is no address of a webhook: give one that begins with http:// or https://")
        self._headers = {"Content-Type": "application/json", "User-Agent": f"oddlens/{__version__}"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        # What stands in an address as people write it, a space or an umlaut, is quoted; what is quoted stays.
        path, query = (quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
        host = parts.netloc.rpartition("@")[2]
        self._url = parts._replace(netloc=host, path=path, query=query, fragment="").geturl()
        self._secret, self._timeout_s = secret, timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect, _Http, _Https)
        self._last: tuple[Event, str] | None = None
        super().__init__(f"the webhook {shown}", self._post, say, delays=delays)

    def _post(self, event: Event) -> None:
        body = json.dumps(event, allow_nan=False).encode("ascii")
        headers = dict(self._headers)
        if self._last is None or self._last[0] is not event:  # a first attempt
            self._last = event, secrets.token_hex(16)
        headers["X-Oddlens-Delivery"] = self._last[1]
        if self._secret is not None:
            headers["X-Oddlens-Signature"] = signature(body, self._secret, int(time.time()))
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            self._opener.open(request, timeout=self._timeout_s).close()  # its status is all that counts
        except urllib.error.HTTPError as error:
            with error:
                reason = f"it answered {error.code}"
            if error.code >= 500 or error.code in _WORTH_A_TRY:
                raise NotNowError(reason) from error
            raise NeverError(reason) from error
        except urllib.error.URLError as error:
            raise NotNowError(self._why(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise NotNowError(self._why(error)) from error

    def _why(self, error: object) -> str:
        if isinstance(error, TimeoutError):
            return f"it did not answer within {self._timeout_s:g} s"
        return getattr(error, "strerror", None) or type(error).__name__


def signature(body: bytes, secret: str, seconds: int) -> str:
    """The header of a request. seconds: since 1970, of now."""
    return f"t={seconds},v1={hmac.digest(secret.encode(), b'%d.' % seconds + body, hashlib.sha256).hex()}"


def is_signed(body: bytes, header: str, secret: str, now: float, tolerance_s: float = 300.0) -> bool:
    """Whether a request was signed with the secret, and lately: an old one may be somebody's recording.

    Examples:
        >>> header = signature(b"{}", "secret", 1_000)
        >>> is_signed(b"{}", header, "secret", 1_060), is_signed(b"{ }", header, "secret", 1_060)
        (True, False)
        >>> is_signed(b"{}", header, "secret", 2_000)
        False
    """
    seconds = header.partition(",")[0].removeprefix("t=")
    if not (seconds.isdecimal() and len(seconds) < 16 and abs(now - int(seconds)) <= tolerance_s):
        return False
    return hmac.compare_digest(header.encode(), signature(body, secret, int(seconds)).encode())


class _Timed(io.RawIOBase):
    """What comes over a connection before its timeout is over: a socket's own begins anew with each byte that comes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        seconds = connection.gettimeout()
        assert seconds is not None
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See `RawIOBase`. Raises `TimeoutError`."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Answer(http.client.HTTPResponse):
    """An answer whose beginning comes before the timeout is over."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock))


class _Connection(http.client.HTTPConnection):
    response_class = _Answer


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Answer


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """See `HTTPHandler`."""
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """See `HTTPSHandler`."""
        return self.do_open(_SecureConnection, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A result goes where it was told to go, and nowhere else."""

    def redirect_request(
        self, req: object, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        """See `HTTPRedirectHandler`."""
