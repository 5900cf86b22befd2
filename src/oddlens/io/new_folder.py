"""Folders made whole or not at all."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oddlens.errors import UsageError, printable, shortened
from oddlens.io.atomic import unwritable
from oddlens.io.lock import FolderLock
from oddlens.io.paths import exists, is_link, matching

_NAME = re.compile(r"\w(?:[\w .-]{0,62}\w)?")


def check_folder_name(name: str, what: str) -> None:
    """Raise `UsageError` where a folder of this name would be trouble on some system. what: what is called so, with its article."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{what} cannot be called {shortened(name)}: give letters, digits, spaces, dots, dashes, at most 64"
        )


def check_new_folder(target: Path, what: str = "folder") -> None:
    """Raise `UsageError` where something lies already: for programs that work long before they write."""
    if exists(target) or is_link(target):
        raise UsageError(f"{printable(str(target))} exists: give a new {what}")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder that becomes the target on success and is removed on failure. It lies in another one, for what is only
    needed meanwhile, beside the target; what a killed program left there is removed.

    Every `OSError` in the body becomes the error that the target cannot be written.

    Raises:
        UsageError: Something lies at the target already.
        OddlensError: The folder cannot be made or written to.
    """
    check_new_folder(target)
    _remove_left_behind(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        lock = FolderLock(work)
        try:
            lock.acquire()
            made = work / "made"
            made.mkdir()
            yield made
            made.rename(target)
        finally:
            lock.release()
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise unwritable(target, error) from error


def _remove_left_behind(target: Path) -> None:
    """Remove what programs that were killed left of the same target; what others are working on is locked."""
    for work in matching(target.parent, f".{glob.escape(target.name)}-*"):
        lock = FolderLock(work)
        if lock.was_taken:
            with suppress(UsageError):
                lock.acquire()
                lock.release()
                shutil.rmtree(work, ignore_errors=True)
