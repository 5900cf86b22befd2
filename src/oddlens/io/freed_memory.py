"""What the C library does with memory that was freed. All of it is for glibc; elsewhere these functions do nothing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # M_... in malloc.h
_LARGE = 400 << 20  # bytes; a glibc that does not take so high a threshold keeps its own


def give_back_memory() -> None:
    """Return to the system what was freed and is kept for later. It takes a few milliseconds."""
    _call("malloc_trim", 0)


def reuse_freed_memory() -> None:
    """Have all threads use again what one of them freed: for a program, before it starts threads.

    glibc gives each thread a place of its own, where images that pass from thread to thread leave gaps. And it returns each
    large block to the system at once: a model takes and frees gigabytes of them, and the system clears every page anew.
    """
    _call("mallopt", _ARENA_MAX, 1)
    _call("mallopt", _MMAP_THRESHOLD, _LARGE)
    _call("mallopt", _TRIM_THRESHOLD, 1 << 30)


@cache
def _function(name: str) -> Callable[..., int] | None:
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, TypeError, AttributeError):  # another C library, another system
        return None
    return function


def _call(name: str, *arguments: int) -> None:
    function = _function(name)
    if function is not None:
        function(*arguments)
