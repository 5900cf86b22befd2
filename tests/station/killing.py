"""Programs that are killed (SIGKILL) at each of their file operations in turn."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

OPERATIONS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}
)
"""What Python audits of files, before it does it."""


def killed_everywhere(start: Callable[[], Path], work: Callable[[Path], object]) -> Iterator[Path]:
    """The folder after each kill: `work` runs in a process of its own, which is killed before its n-th operation in the folder.

    start: makes the folder anew. Ends with the first n that `work` survives; that folder comes last.
    """
    for number in count(1):
        folder = start()
        was_killed = _killed(folder, work, number)
        yield folder
        if not was_killed:
            return


def _killed(folder: Path, work: Callable[[Path], object], number: int) -> bool:
    process = os.fork()
    if process == 0:
        seen = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in OPERATIONS and any(str(folder) in str(each) for each in arguments):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            work(folder)
        except BaseException as error:  # nothing may run on in this process
            print(repr(error), file=sys.__stderr__)
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work itself fails"
    return os.WIFSIGNALED(status)
