"""Results on their way to another program: in a thread of their own, in order, tried again, and never in the way of the line."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from oddlens.errors import counted

Event = Mapping[str, object]
"""A result as JSON values, see `oddlens.inference.outlets.event_of`."""

Say = Callable[[bool, str], None]
"""Called with (is_ok, sentence) when something is lost, and when it is found again."""

DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Seconds until a delivery is tried again; the last one from then on."""

MOST = 1_000
"""Events that wait; one more pushes the oldest out."""

PATIENCE_S = 5.0
"""Seconds that what still waits at the end has to leave."""


class Outlet(Protocol):
    """Takes events to somewhere else. Neither call raises, and `send` does not wait."""

    def send(self, event: Event) -> None:
        """Take an event."""

    def close(self) -> None:
        """Deliver what waits, for `PATIENCE_S` at most."""


class NotNowError(Exception):
    """A delivery failed and is worth another try. Its text is the reason."""


class NeverError(Exception):
    """A delivery failed, and would fail again. Its text is the reason."""


class Delivery:
    """An outlet that delivers one event after the other.

    Args:
        name: What it delivers to, the subject of its sentences: "the webhook http://host/path".
        deliver: Delivers an event; raises `NotNowError` or `NeverError`.
        say: See `Say`.
        delays: See `DELAYS`.
        most: See `MOST`.
        patience_s: See `PATIENCE_S`.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Event], None],
        say: Say,
        *,
        delays: tuple[float, ...] = DELAYS,
        most: int = MOST,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._name, self._deliver, self._say, self._delays = name, deliver, say, delays
        self._patience_s = patience_s
        self._waiting: deque[Event] = deque()
        self._most = most
        self._dropped = 0
        self._is_failing = False
        self._is_at_work = False
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oddlens-delivery", daemon=True)
        self._thread.start()

    def send(self, event: Event) -> None:
        """See `Outlet`."""
        with self._news:
            if len(self._waiting) == self._most:
                self._waiting.popleft()
                self._dropped += 1
                is_first = self._dropped == 1
            else:
                is_first = False
            self._waiting.append(event)
            self._news.notify()
        if is_first:
            self._say(False, f"{self._name} takes results too slowly: the oldest of {self._most} that wait are dropped")

    def close(self) -> None:
        """See `Outlet`."""
        until = time.monotonic() + self._patience_s
        with self._news:
            while (self._waiting or self._is_at_work) and (left := until - time.monotonic()) > 0:
                self._news.wait(left)
            lost = len(self._waiting) + self._dropped
            lost += self._is_at_work
            self._waiting.clear()
            self._stop.set()
            self._news.notify_all()
        self._thread.join(0.5)
        if lost:
            self._say(False, f"{self._name} did not get {counted(lost, 'result')}")

    def _run(self) -> None:
        while (event := self._next()) is not None:
            tries = 0
            while not self._stop.is_set():
                try:
                    self._deliver(event)
                    self._succeeded()
                    break
                except NotNowError as error:
                    self._failed(f"{self._name} cannot be reached ({error}): it is tried again")
                    self._stop.wait(self._delays[min(tries, len(self._delays) - 1)])
                    tries += 1
                except Exception as error:  # what nobody foresaw must not end the thread
                    reason = error if isinstance(error, NeverError) else type(error).__name__
                    self._failed(f"{self._name} does not take a result ({reason}): it is left out")
                    break

    def _next(self) -> Event | None:
        with self._news:
            self._is_at_work = False
            self._news.notify_all()
            self._news.wait_for(lambda: self._waiting or self._stop.is_set())
            if not self._waiting:
                return None
            self._is_at_work = True
            return self._waiting.popleft()

    def _failed(self, sentence: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._say(False, sentence)

    def _succeeded(self) -> None:
        if not self._is_failing and not self._dropped:
            return
        with self._news:
            if len(self._waiting) == self._most:  # it still takes them too slowly
                return
            dropped, self._dropped = self._dropped, 0
        lost = f"; {counted(dropped, 'result was', 'results were')} dropped" if dropped else ""
        self._is_failing = False
        self._say(True, f"{self._name} takes results again{lost}")
