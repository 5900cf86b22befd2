"""Programs that are killed (SIGKILL) at each of their file operations in turn."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

OPERATIONS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}
)
"""What Python audits of files, before it does it."""


def killed_everywhere(start: Callable[[], Path], work: Callable[[Path], object]) -> Iterator[Path]:
    """The folder after each kill: as it lies on the disk before the n-th operation of `work` in it that may change something.

    `work` runs once, in a process of its own, which takes a copy of the folder before each of these operations: what a process
    has not given to the system by then, a kill would lose too. Then it is killed, at its end. Its result comes last.

    start: makes the folder anew.
    """
    folder = start()
    with tempfile.TemporaryDirectory() as place:
        _run(folder, work, Path(place))
        done = Path(place, "done")
        if folder.exists():
            folder.rename(done)
        for number in count(1):
            copy = Path(place, str(number))
            if not copy.exists():
                break
            shutil.rmtree(folder, ignore_errors=True)
            if (copy / folder.name).exists():
                shutil.copytree(copy / folder.name, folder, symlinks=True)
            yield folder
        shutil.rmtree(folder, ignore_errors=True)
        if done.exists():
            shutil.copytree(done, folder, symlinks=True)
        yield folder


def _run(folder: Path, work: Callable[[Path], object], place: Path) -> None:
    process = os.fork()
    if process == 0:
        numbers, is_copying = count(1), False

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal is_copying
            if is_copying or event not in OPERATIONS or not any(str(folder) in str(each) for each in arguments):
                return
            if _reads(event, arguments):
                return
            is_copying = True
            copy = place / str(next(numbers))
            copy.mkdir()
            if folder.exists():
                shutil.copytree(folder, copy / folder.name, symlinks=True)
            is_copying = False

        sys.addaudithook(watch)
        try:
            work(folder)
        except BaseException as error:  # nothing may run on in this process
            print(repr(error), file=sys.__stderr__)
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)  # nothing is tidied up
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), "the work itself fails"


def _reads(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether an operation opens a file and changes nothing."""
    if event != "open":
        return False
    _, mode, flags = arguments
    if isinstance(mode, str):
        return not set("wax+") & set(mode)
    return isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
