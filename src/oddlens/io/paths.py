"""Tests of paths that never raise, and opening regular files only.

`Path.exists`, `is_dir`, `is_file`, `glob` and `expanduser` raise for ordinary paths: below a folder that may not be searched, with
a name that is too long, of a user that does not exist. All of oddlens uses these functions instead.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from io import BufferedReader
from pathlib import Path

StrPath = str | os.PathLike[str]


def exists(path: StrPath) -> bool:
    """Whether something lies at a path; also False without permission."""
    return os.path.exists(path)  # noqa: PTH110 this one never raises


def is_dir(path: StrPath) -> bool:
    """Whether a folder, or a link to one, lies at a path; also False without permission."""
    if isinstance(path, os.DirEntry):  # it mostly knows without reading the disk
        try:
            return bool(path.is_dir())
        except OSError:
            return False
    return os.path.isdir(path)  # noqa: PTH112 this one never raises


def is_file(path: StrPath) -> bool:
    """Whether a regular file, or a link to one, lies at a path; also False without permission."""
    if isinstance(path, os.DirEntry):
        try:
            return bool(path.is_file())
        except OSError:
            return False
    return os.path.isfile(path)  # noqa: PTH113 this one never raises


def is_link(path: StrPath) -> bool:
    """Whether a link lies at a path, wherever it points to."""
    return os.path.islink(path)  # noqa: PTH114 this one never raises


def matching(folder: StrPath, pattern: str) -> list[Path]:
    """What matches a pattern below a folder, hidden files too, sorted; nothing without permission."""
    return sorted(Path(folder, name) for name in glob.glob(pattern, root_dir=folder, include_hidden=True))  # noqa: PTH207 it never raises


def open_file(path: StrPath) -> BufferedReader:
    """Open a regular file to read its bytes. Raises OSError as `open` does, and for pipes and devices, which may never end."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 a path may be any text
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
    return Path(path).open("rb")


def read_bytes(path: StrPath) -> bytes:
    """The bytes of a regular file. Raises OSError as `open_file`."""
    with open_file(path) as file:
        return file.read()


def expanded(path: StrPath) -> Path:
    """The path with the home folder in place of a leading `~`, which stays where there is no such user or no home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 this one never raises


def in_utf8(name: str) -> str:
    r"""A name or a path as every program can write it down: bytes that are no UTF-8, as on old disks, are spelled as in addresses.

    Examples:
        >>> in_utf8("Pr\udcfcfung.png")
        'Pr%FCfung.png'
    """
    return "".join(f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in name)


def is_closed(path: StrPath) -> bool:
    """Whether this user has no access to a path, so that nothing is known of it."""
    try:
        os.stat(path)  # noqa: PTH116 a path may be any text
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return False


def why_absent(path: StrPath) -> str:
    """What keeps a path from being used and what to do, to be set behind its name: "does not exist: check the path"."""
    try:
        os.stat(path)  # noqa: PTH116 a path may be any text
    except (OSError, ValueError) as error:
        return why_not_opened(path, error)
    return "is neither a file nor a folder: check the path"


def why_no_folder(path: StrPath) -> str | None:
    """What keeps a path from being the folder that something is written to, worded as in `why_absent`; None if it can be."""
    if is_dir(path):
        return None
    if exists(path):
        return "is a file: give the name of a folder"
    if is_closed(path):
        return why_absent(path)
    if is_link(path):
        return "is a link to a folder that does not exist: make that folder, or give another name"
    return None


def why_not_opened(path: StrPath, error: OSError | ValueError) -> str:
    """As `why_absent`, from the error that opening the path raised."""
    if "://" in os.fsdecode(path):
        return "is an address and not a file: download it first"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "does not exist: check the path"
    if isinstance(error, PermissionError):
        return "may not be read by this user: change its permissions"
    if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
        return "is no possible file name: check the path"
    if exists(path) and not is_file(path):
        return "is no regular file: check the path"
    return f"cannot be opened ({error.strerror or error}): check the disk it lies on"
