"""A cache of the values used last, bounded in number."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `most` values by key: where another one comes, the one that was used longest ago goes.

    Safe to use from several threads. A copy, and what is unpickled, starts empty: its values can be made again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Recent[Key, Value]], tuple[int]]:
        return Recent, (self._most,)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key; made where there is none. Threads that need it at the same time may each make one."""
        with self._lock:
            if key in self._values:
                self._values[key] = self._values.pop(key)  # now the latest
                return self._values[key]
        value = make()
        with self._lock:
            value = self._values.setdefault(key, value)
            while len(self._values) > self._most:
                del self._values[next(iter(self._values))]
        return value

    def peek(self, key: Key) -> Value | None:
        """The value of a key that is there; None where it would have to be made."""
        with self._lock:
            return self._values.get(key)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
