"""Files written whole or not at all, and added to likewise.

The data of a file go to a temporary file in the same folder that replaces the target in one step, so that a reader never meets
half a file and a program that is stopped leaves the old one. This guards against a stopped program, not against a power cut:
nothing is synced.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oddlens.errors import DiskError, OddlensError, printable
from oddlens.io.paths import exists, is_dir, is_file, is_link

LEFT_OVER = ".oddlens-"
"""How the names of temporary files begin: a killed program leaves some."""

_NO_MORE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE}
)  # of a disk that is full, read-only, damaged or gone, or of a limit on the size of files


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; it replaces `path` on success and is removed on failure.

    The temporary path keeps the suffix, by which some writers choose their format. A missing folder is made; a link is
    followed, so that it goes on pointing where it did. The body is for writing: every `OSError` in it becomes the error that
    `path` cannot be written.

    Raises:
        OddlensError: The folder cannot be made or written to or is a link to nowhere, or `path` is a folder or a device.
        DiskError: The disk is full, read-only, damaged or gone.
    """
    target = Path(path)
    try:
        check_target(target)
        final = Path(os.path.realpath(target))
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f"{LEFT_OVER}{secrets.token_hex(8)}{target.suffix}")
        try:
            yield temporary
            temporary.replace(final)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(target, error) from error


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise the `OddlensError` that `replacing` would for this path: for programs that compute long before they write."""
    try:
        os.lstat(path)
    except ValueError as error:  # a null character, or what the file system's encoding lacks
        raise OddlensError(f"{printable(os.fsdecode(path))} is no possible file name: choose another name") from error
    except OSError:  # nothing is there, or the checks below say what is
        pass
    for folder in Path(path).parents:
        if exists(folder):
            break
        if is_link(folder):  # to a disk that is away, perhaps: it is not made anew elsewhere
            raise OddlensError(
                f"{printable(os.fsdecode(path))} cannot be written because {printable(str(folder))} is a link to a folder that "
                "does not exist: make that folder, or choose another name"
            )
    if exists(path) and not is_file(path):
        kind = "a folder" if is_dir(path) else "not a regular file"
        raise OddlensError(
            f"{printable(os.fsdecode(path))} cannot be written because it is {kind}: choose another name"
        )


def unwritable(path: str | os.PathLike[str], error: OSError) -> OddlensError:
    """The error for a path that cannot be written: a `DiskError` if the whole disk takes no more."""
    kind = DiskError if error.errno in _NO_MORE else OddlensError
    reason = error.strerror or str(error)
    return kind(
        f"{printable(os.fsdecode(path))} cannot be written ({reason}): check the folder, permissions and free space"
    )


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, if it is there. Raises `OddlensError` where that cannot be done."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OddlensError(
            f"{printable(os.fsdecode(path))} cannot be removed ({reason}): change its permissions"
        ) from error


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` whole or not at all; raises `OddlensError` as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def append(path: str | os.PathLike[str], data: bytes, *, lines: bool = True) -> None:
    """Add `data` to the end of a file, all of it or nothing, in one write.

    lines: whether they are lines: where a program was killed in the midst of the last one, they begin a new one.

    Raises `OddlensError` as `unwritable` gives it.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(file).st_size
            if lines and size and os.pread(file, 1, size - 1) != b"\n":
                data = b"\n" + data
            if os.write(file, data) != len(data):
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
    except OSError as error:
        raise unwritable(path, error) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8 with its line ends as they are; raises `OddlensError` as `replacing` does.

    What no text can hold, such as the bytes of a file name in another encoding, is written as an escape.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
