"""The service as a program: an HTTP server until a signal ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

from oddlens.errors import OddlensError, UsageError, counted, printable
from oddlens.io.addresses import bound
from oddlens.io.lock import FolderLock
from oddlens.service.app import create_app
from oddlens.service.service import Service
from oddlens.service.settings import ServeSettings

_LAST_ANSWERS_S = 30
"""Seconds for the answers that are due when the service stops."""


class _Protocol(H11Protocol):
    """Where the answer to a request has begun, nothing more can be said of what is wrong with its rest: the connection ends."""

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except LocalProtocolError:
            self.transport.close()


class _Server(uvicorn.Server):
    """Ends the event streams when it is to stop: it would wait for them for ever."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._service, self._ready = service, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.events.close()
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # it would raise them again in the end, and SIGTERM would look like a failure


def run(
    settings: ServeSettings,
    say: Callable[[str], object],
    ready: Callable[[Service], object] = lambda service: None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: What is asked.
        say: Takes what people should know, line by line: the address, the token.
        ready: Called when clients can connect.

    Raises `UsageError` where the address cannot be listened on, the history cannot be opened, another service works in the home,
    and as `create_app`.
    """
    home = FolderLock(
        settings.home, f"another service works in {printable(str(settings.home))}: stop it, or give another --home"
    )
    with bound(settings.host, settings.port) as listening:
        try:
            try:
                home.acquire()  # before anything is opened
                app = create_app(settings)
            except OddlensError as error:
                raise UsageError(str(error)) from error
            _serve(app, listening, say, ready)
        finally:
            home.release()
    say("oddlens: the service has stopped")


def _serve(
    app: FastAPI,
    listening: socket.socket,
    say: Callable[[str], object],
    ready: Callable[[Service], object],
) -> None:
    service: Service = app.state.service

    def tell(url: str) -> None:
        problems = {each.name: problem for each in service.stations if (problem := each.problem) is not None}
        but = f" ({counted(len(problems), 'inspects nothing', 'inspect nothing')})" if problems else ""
        say(f"oddlens: {counted(len(service.stations), 'station')}{but} at {url}")
        if service.door.is_generated:
            say(f"oddlens: the token is {service.door.token}")
        for name, problem in problems.items():
            say(f"oddlens: {printable(name)} inspects nothing: {problem}")
        for each in service.stations:
            if (caution := each.to_dict()["caution"]) is not None:
                say(f"oddlens: {printable(each.name)}: {caution}")
        ready(service)

    config = uvicorn.Config(
        app,
        host=service.settings.host,
        port=service.settings.port,
        http=_Protocol,
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    with suppress(KeyboardInterrupt):
        _Server(config, service, tell).run([listening])
