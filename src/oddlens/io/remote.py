"""Images at addresses (s3://, gs://, hf://, http://, memory://), by fsspec and the package of each kind of address."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from oddlens.errors import first_line
from oddlens.io.paths import StrPath

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")

_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "sftp": "paramiko",
}
"""What reading a kind of address needs beside fsspec; the extra `remote` brings it for the others."""

_PLAIN = "!$&'()*+,;=:@~"
"""Letters that may stand in an address of the web as they are."""

_VERSIONS = ("ETag", "etag", "generation", "LastModified", "last_modified", "updated", "mtime", "created")
"""What systems say of a file that changes with it."""


class RemoteError(Exception):
    """Why something at an address cannot be had, to be set behind the address: "does not exist: check the address"."""


def is_address(path: StrPath) -> bool:
    """Whether a path is an address: it begins with a scheme."""
    return _ADDRESS.match(os.fsdecode(path)) is not None


def is_web(address: str) -> bool:
    """Whether an address is one of the web."""
    return address[:8].casefold().startswith(("http://", "https://"))


@dataclass(frozen=True)
class RemotePath:
    """The address of a file or a folder, used as a path is."""

    address: str

    def __fspath__(self) -> str:
        """The address."""
        return self.address

    def __str__(self) -> str:
        """The address."""
        return self.address

    def __truediv__(self, name: str) -> RemotePath:
        """What a name means in it."""
        return RemotePath(f"{self.address.rstrip('/')}/{quote(name, safe=_PLAIN) if is_web(self.address) else name}")

    @cached_property
    def _path(self) -> PurePosixPath:
        # In an address of the web a query follows the path, and letters are quoted; elsewhere all letters are those of names.
        return PurePosixPath(
            unquote(urlsplit(self.address).path) if is_web(self.address) else self.address.partition("://")[2]
        )

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self._path.name

    @property
    def stem(self) -> str:
        """Its name without suffix."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """How its name ends, ".png"."""
        return self._path.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its path."""
        return self._path.parts


ImagePath = Path | RemotePath
"""Where an image lies."""


def read_remote(address: str) -> bytes:
    """All bytes of a file at an address. Raises `RemoteError`."""
    with _translated(address):
        system, path = _system(address)
        content: bytes = system.cat_file(path)
        return content


def remote_version(address: str) -> tuple[int | None, str] | None:
    """The size of a file at an address, in bytes, if it is known, and a text that changes with the file; None: it cannot be had."""
    try:
        with _translated(address):
            system, path = _system(address)
            info = system.info(path)
            said = (str(info[name]) for name in _VERSIONS if info.get(name) is not None)
            return info.get("size"), next(said, None) or str(system.ukey(path))
    except RemoteError:
        return None


def list_remote(folder: RemotePath) -> list[tuple[str, bool]]:
    """What is in a folder at an address, sorted: names, and whether they are folders; nothing where there is none.

    Raises `RemoteError` where it cannot be listed.
    """
    with _translated(folder.address):
        system, path = _system(folder.address)
        try:
            found = system.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        inside = f"{path.rstrip('/')}/"
        entries = dict[str, bool]()
        for entry in found:  # of the web also links that lead elsewhere
            name = entry["name"].removeprefix(inside).rstrip("/")
            if entry["name"].startswith(inside) and name and "/" not in name:
                entries[unquote(name) if is_web(folder.address) else name] = entry["type"] == "directory"
        return sorted(entries.items())


def is_remote_folder(path: RemotePath) -> bool:
    """Whether there is a folder at an address. Raises `RemoteError` where nothing can be had there."""
    with _translated(path.address):
        system, place = _system(path.address)
        return bool(system.isdir(place))


def exists_remotely(path: RemotePath) -> bool:
    """Whether there is something at an address. Raises `RemoteError` where nothing can be had there."""
    with _translated(path.address):
        system, place = _system(path.address)
        try:
            system.info(place)
        except FileNotFoundError:
            return False
        return True


def check_remote(address: str) -> None:
    """Raise `RemoteError` where this kind of address cannot be read here. Nothing is fetched."""
    with _translated(address):
        _system(address)


def _system(address: str) -> tuple[AbstractFileSystem, str]:
    from fsspec import url_to_fs

    system, path = url_to_fs(address)
    return system, path


@contextmanager
def _translated(address: str) -> Iterator[None]:
    """Whatever the packages of addresses raise becomes a `RemoteError`."""
    scheme = address.partition("://")[0].casefold()
    try:
        yield
    except RemoteError:
        raise
    except ImportError as error:
        package = _PACKAGES.get(scheme, "'oddlens[remote]'")
        raise RemoteError(
            f"cannot be read without a package that is not installed ({first_line(error)}): run pip install {package}"
        ) from error
    except FileNotFoundError as error:
        raise RemoteError("does not exist: check the address") from error
    except PermissionError as error:
        raise RemoteError("may not be read: check your credentials for it") from error
    except Exception as error:  # of any network, in any package
        if str(error).startswith("Protocol not known"):
            raise RemoteError(f"is no address that can be read: {scheme}:// is not known") from error
        raise RemoteError(f"cannot be fetched ({first_line(error)}): check the address and the network") from error
