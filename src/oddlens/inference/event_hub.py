"""What happens, as a stream of server-sent events: with numbers, so that a page that was away gets what it missed.

Each event is a line of JSON, `{"id", "kind", "station", "data"}`. Kinds: "result" (an inspection), "feedback" (an inspection of
which a person said something), "station" (as GET gives it), "drift", "source" (a watched folder or a camera), "history" (the
database), "paused", and "reset": what the client missed is gone, so that it must read everything again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from threading import Lock
from typing import Literal, NamedTuple

Kind = Literal["result", "feedback", "station", "drift", "source", "history", "paused"]

KEPT = 1_000
"""The last events, which a client that comes back can have again."""

HEARTBEAT_S = 15.0
"""A line without meaning after so much silence: else proxies close the connection, and nobody sees that a client is gone."""


class Event(NamedTuple):
    """An event. text: as it is sent."""

    id: int
    station: str | None
    text: str


class EventHub:
    """Takes events from any thread, and gives them to all who listen. Nobody who listens slowly holds up another."""

    def __init__(self, kept: int = KEPT, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._kept: deque[Event] = deque(maxlen=kept)
        self._heartbeat_s = heartbeat_s
        # Numbers go on growing when the service starts again: a page of before then knows that it missed something.
        self._next = time.time_ns() // 1_000_000
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._lock = Lock()
        self._closed = False

    @property
    def listener_count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def last(self) -> int:
        """The number of the last event: what is read after it is at least as new, and what comes later has a greater number."""
        with self._lock:
            return self._next - 1

    def publish(self, kind: Kind, station: str | None, data: Mapping[str, object]) -> None:
        """Tell all who listen. station: its name; None: it concerns all."""
        with self._lock:
            self._kept.append(Event(self._next, station, _message(self._next, kind, station, data)))
            self._next += 1
            self._wake()

    def close(self) -> None:
        """End all streams; the server waits for them when it stops."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        for event, loop in self._listeners.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def stream(self, last: int | None = None, station: str | None = None) -> AsyncIterator[str]:
        """Events as they come. last: the number of the last one that the client has; None: only new ones. station: only its own."""
        news = asyncio.Event()
        with self._lock:
            seen = self._next - 1 if last is None else last
            self._listeners[news] = asyncio.get_running_loop()
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                news.clear()
                with self._lock:
                    oldest, newest = self._kept[0].id if self._kept else self._next, self._next - 1
                    if oldest - 1 <= seen <= newest:
                        new = [each.text for each in self._kept if each.id > seen and station in (None, each.station)]
                    else:  # it comes back too late, or listens too slowly
                        new = [_message(newest, "reset", None, {})]
                    seen = newest
                if new:
                    yield "".join(new)
                    continue
                try:
                    async with asyncio.timeout(self._heartbeat_s):
                        await news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            with self._lock:
                del self._listeners[news]


def _message(number: int, kind: str, station: str | None, data: Mapping[str, object]) -> str:
    line = json.dumps({"id": number, "kind": kind, "station": station, "data": data})  # ASCII, so on one line
    return f"id: {number}\ndata: {line}\n\n"
