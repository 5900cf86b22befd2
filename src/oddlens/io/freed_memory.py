"""What the C library does with memory that was freed. All of it is for glibc; elsewhere these functions do nothing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h


def give_back_memory() -> None:
    """Return to the system what was freed and is kept for later. It takes a few milliseconds."""
    _call("malloc_trim", 0)


def share_freed_memory() -> None:
    """Have all threads take memory from one place, so that one uses what another freed: for a program, before it starts threads.

    glibc gives each thread a place of its own, where images that pass from thread to thread leave gaps.
    """
    _call("mallopt", _ARENA_MAX, 1)


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
