"""Silence for decoders: oddlens reports faulty files in its own sentences, not the libraries in theirs."""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import cv2
from PIL import Image

# Python prints what Pillow logs if the program has no log handler; a program with one still gets it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_pillow_lock = threading.Lock()
_libraries_lock = threading.Lock()
_SILENT = 0
_silencing = 0
_spoken_level = 0
_spoken_stderr: int | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without Pillow's warnings and its own limit on sizes, for a moment: both settings are one for the whole process.

    It holds a lock that other threads wait for, so nothing that may take long belongs in it.
    """
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without OpenCV's log and libtiff's output. No thread waits for another: the last one that leaves restores both."""
    global _silencing, _spoken_level, _spoken_stderr
    with _libraries_lock:
        if _silencing == 0:
            _spoken_level = _exchange_log_level(_SILENT)
            _spoken_stderr = _exchange_stderr(_nowhere())
        _silencing += 1
    try:
        yield
    finally:
        with _libraries_lock:
            _silencing -= 1
            if _silencing == 0:
                _exchange_log_level(_spoken_level)
                _exchange_stderr(_spoken_stderr)


def _exchange_log_level(level: int) -> int:
    """Give OpenCV another level; returns the earlier one."""
    place = getattr(cv2.utils, "logging", cv2)  # in OpenCV 4 it lies at the top
    return int(place.setLogLevel(level))


def _exchange_stderr(stream: int | None) -> int | None:
    """Give C's `stderr` another stream; returns the earlier one. Python's own standard error does not change.

    Does nothing (None) where the C library is not glibc: elsewhere the variable may be a constant.
    """
    libc = _glibc()
    if libc is None or stream is None:
        return None
    variable = ctypes.c_void_p.in_dll(libc, "stderr")
    earlier, variable.value = variable.value, stream
    return earlier


@cache
def _nowhere() -> int | None:
    libc = _glibc()
    if libc is None:
        return None
    libc.fopen.restype = ctypes.c_void_p
    stream: int | None = libc.fopen(b"/dev/null", b"w")
    return stream


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 raises where it is another library
    except (OSError, TypeError, AttributeError):
        return None
    return libc
