"""The streams of the program: one that is closed or full takes nothing more, and the run goes on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast


class LastingStream:
    """A text stream that does not raise where it cannot be written: from then on it takes nothing.

    failure: why it could not be written; None while it can. All else is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self.failure: OSError | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop the text."""
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Pass on what waits, or drop it."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        self.failure = error
        with suppress(OSError):  # what still waits goes nowhere: Python would try again, and complain, as it ends
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._stream.fileno())
            finally:
                os.close(null)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Make stdout and stderr last; a closed one (`2>&-`, which is None in Python) is as if it led to /dev/null."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, LastingStream(_null() if each is None else each)) for each in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def stdout_is_gone() -> bool:
    """Whether stdout could not be written in this run."""
    return getattr(sys.stdout, "failure", None) is not None


def why_stdout_is_gone() -> str | None:
    """One sentence; None where stdout took everything so far."""
    sys.stdout.flush()
    failure: OSError | None = getattr(sys.stdout, "failure", None)
    if failure is None:
        return None
    if failure.errno == errno.EPIPE:
        return "whatever read stdout went away: the rest was not printed"
    return f"stdout cannot be written ({failure.strerror}): the rest was not printed; give it room, or another place"


def _null() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
