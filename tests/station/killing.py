"""Programs that are killed (SIGKILL) at each of their file operations in turn."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
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
        numbers, copying, of_this_thread = count(1), threading.Lock(), threading.local()

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if getattr(of_this_thread, "is_copying", False):
                return
            if event not in OPERATIONS or not any(str(folder) in str(each) for each in arguments):
                return
            if _reads(event, arguments):
                return
            with copying:  # other threads wait here with what they were about to do
                of_this_thread.is_copying = True
                _copy(folder, place / str(next(numbers)))
                of_this_thread.is_copying = False

        sys.addaudithook(watch)
        try:
            work(folder)
        except BaseException as error:  # nothing may run on in this process
            print(repr(error), file=sys.__stderr__)
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)  # nothing is tidied up
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), "the work itself fails"


def _copy(folder: Path, place: Path) -> None:
    """Copy a folder, if it is there, into `place`, again where a thread ends meanwhile what it was doing and a file goes."""
    for left in reversed(range(10)):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        try:
            if folder.exists():
                shutil.copytree(folder, place / folder.name, symlinks=True)
            return
        except (shutil.Error, FileNotFoundError):
            if not left:
                raise


def _reads(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether an operation opens a file and changes nothing."""
    if event != "open":
        return False
    _, mode, flags = arguments
    if isinstance(mode, str):
        return not set("wax+") & set(mode)
    return isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
