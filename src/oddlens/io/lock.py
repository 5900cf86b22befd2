"""A lock on a folder, so that only one program writes to it."""

from __future__ import annotations

import errno
import warnings
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import OddlensWarning, UsageError, printable
from oddlens.io.atomic import unwritable
from oddlens.io.paths import is_file

if TYPE_CHECKING:
    from filelock import BaseFileLock

_NAME = ".oddlens.lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """Locks a folder for this program, until `release` or until the program ends.

    The lock is the operating system's: a file that a killed program leaves behind locks nothing.

    busy: the sentence for a folder that another program has locked.
    """

    def __init__(self, folder: Path, busy: str | None = None) -> None:
        self._folder = folder
        self._busy = busy or (
            f"another run is writing to {printable(str(folder))}: wait until it has ended, or give another --out"
        )
        self._file = folder / _NAME

    @cached_property
    def _lock(self) -> BaseFileLock:
        from filelock import FileLock  # which takes as long as Pillow, and few calls lock a folder

        return FileLock(self._file, timeout=0, thread_local=False)

    @property
    def was_taken(self) -> bool:
        """Whether a program has locked the folder, or had when it was killed."""
        return is_file(self._file)

    def check(self) -> None:
        """Raise UsageError if another program has locked the folder. Creates nothing."""
        if self.was_taken:
            self.acquire()
            self.release()

    def acquire(self) -> None:
        """Lock the folder, which is made if it is missing. A disk without locks gives a warning.

        Raises:
            UsageError: Another program has locked the folder.
            OddlensError: The folder cannot be written.
        """
        from filelock import Timeout

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise UsageError(self._busy) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise unwritable(self._folder, error) from error
            warnings.warn(
                f"{printable(str(self._folder))} cannot be locked ({error.strerror}): let no other program write to it meanwhile",
                OddlensWarning,
                stacklevel=2,
            )

    def release(self) -> None:
        """Unlock the folder."""
        if self._lock.is_locked:
            with suppress(OSError):  # of Windows, where only the lock itself can remove its file
                self._file.unlink()
            self._lock.release()
