"""A service that runs in a thread, with stations and results to look at, for a browser of this process."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from oddlens.service.app import Service, create_app
from oddlens.service.settings import ServeSettings
from tests.service.given import png

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload

GOOD = 8


@dataclass(frozen=True)
class Running:
    """A service. url: of its page."""

    url: str
    service: Service

    def inspect(self, station: str, images: Sequence[tuple[str, bytes]]) -> list[dict[str, object]]:
        """Send images, each with its name, one after the other."""
        found = []
        for name, data in images:
            request = urllib.request.Request(
                f"{self.url}/api/stations/{station}/inspect?name={name}", data, {"Content-Type": "image/png"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                found.append(json.load(answer))
        return found


stopped = set[str]()
"""The addresses of services that a test has stopped: a window that is open still does not reach them."""


@contextmanager
def running(settings: ServeSettings) -> Iterator[Running]:
    """Serve within the block, at a free port of this machine."""
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the service did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{port}", app.state.service)
    finally:
        stopped.add(f"http://127.0.0.1:{port}/")
        app.state.service.events.close()
        server.should_exit = True
        thread.join(20)


def parts(count: int, first: int = 100) -> list[tuple[str, bytes]]:
    """Parts as PNG files with their names; every fifth has a defect."""
    return [(f"part_{seed}.png", png(seed, seed % 5 == 0)) for seed in range(first, first + count)]


def files(images: Sequence[tuple[str, bytes]]) -> list[FilePayload]:
    """Pictures as a person chooses them in a browser."""
    return [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in images]
