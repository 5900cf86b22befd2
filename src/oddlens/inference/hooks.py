"""Results to a program: it is called once a result, with the event as JSON on its standard input. No shell is in between."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import Literal

from oddlens.errors import UsageError, printable
from oddlens.inference.delivery import Delivery, Event, NeverError, Say

TIME_LIMIT_S = 30.0

When = Literal["ng", "each"]


class Hook(Delivery):
    """Calls a program where an image is NG, or for each image, one after the other. Its output goes nowhere.

    Args:
        command: The program and its arguments, divided as a shell would.
        when: For which results.
        say: See `Say`: the program failed, or works again.
        time_limit_s: After so many seconds it is killed, with what it has started.

    Raises:
        UsageError: There is no such program.
    """

    def __init__(self, command: str, when: When, say: Say, *, time_limit_s: float = TIME_LIMIT_S) -> None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"the program {printable(command)!r} has a quote that does not end: close it") from error
        program = shutil.which(words[0]) if words else None
        if program is None:
            raise UsageError(
                f"there is no program {printable(words[0] if words else command)!r} that can be run: check its path and permissions"
            )
        self._words, self._when, self._time_limit_s = [program, *words[1:]], when, time_limit_s
        super().__init__(f"the program {printable(words[0])}", self._call, say, patience_s=time_limit_s)

    def send(self, event: Event) -> None:
        """See `Outlet`."""
        if self._when == "each" or event.get("verdict") == "ng":
            super().send(event)

    def _call(self, event: Event) -> None:
        try:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError as error:
            raise NeverError(error.strerror or type(error).__name__) from error
        with process:
            try:
                process.communicate(json.dumps(event, allow_nan=False).encode("ascii"), self._time_limit_s)
            except subprocess.TimeoutExpired as error:
                _kill(process)
                raise NeverError(f"it did not end within {self._time_limit_s:g} s, and was killed") from error
        if process.returncode:
            raise NeverError(f"it ended with code {process.returncode}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
