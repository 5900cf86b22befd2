"""Pictures and anomaly maps on disk, under the SHA-256 of their bytes: no name that a request gives becomes a path."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.errors import UsageError, shortened
from oddlens.history.records import DIGEST
from oddlens.inference.kept_maps import kept_map
from oddlens.io.atomic import LEFT_OVER, replacing
from oddlens.io.decoding import KNOWN_FORMATS
from oddlens.io.paths import exists, is_dir, is_file, matching

Kind = Literal["images", "maps", "drawn"]
_SUFFIXES = (*(form.suffixes[0] for form in KNOWN_FORMATS), ".bin")


class Kept(NamedTuple):
    """A file. digest: of the image or map that it is, or was drawn of. modified: when it was last put, in seconds since 1970."""

    path: Path
    kind: Kind
    digest: str
    size: int
    modified: float


class Pictures:
    """A folder with the files that the rows of a history name.

    images/ab/abcd....png, as they came; maps/ab/abcd....tif, float32; drawn/ab/, what can be drawn again at any time. A file is
    whole and on the disk before its digest is known to anybody.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def put(self, data: bytes) -> str:
        """Keep the bytes of an image file; returns their digest. The content decides the suffix of the file.

        Raises `OddlensError` where the disk takes no more.
        """
        form = next((form for form in KNOWN_FORMATS if form.signature.match(data)), None)
        return self._put("images", data, ".bin" if form is None else form.suffixes[0])

    def put_map(self, anomaly_map: NDArray[np.float32]) -> str:
        """Keep an anomaly map, float32 [height, width]; returns the digest of its file. Raises as `put`."""
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(anomaly_map, np.float32)).save(file, "TIFF")
        return self._put("maps", file.getvalue(), ".tif")

    def path(self, digest: str) -> Path | None:
        """The file of an image; None: it is not kept, or no more. Raises `UsageError` for what is no digest."""
        return next(filter(is_file, (self._file("images", digest, suffix) for suffix in _SUFFIXES)), None)

    def map_path(self, digest: str) -> Path | None:
        """The file of a map, as `path`."""
        path = self._file("maps", digest, ".tif")
        return path if is_file(path) else None

    def map(self, digest: str) -> NDArray[np.float32] | None:
        """A kept map, float32 [height, width]; None: it is not kept, no more, or damaged."""
        path = self._file("maps", digest, ".tif")
        return kept_map(self.folder, {"map": str(path.relative_to(self.folder))})

    def drawn_path(self, digest: str, name: str) -> Path:
        """Where something that was drawn of an image is kept. name: tells its drawings apart, with a suffix."""
        return self._file("drawn", digest, f"-{name}")

    def files(self) -> list[Kept]:
        """All that is kept, and what a killed service left half written an hour ago or earlier."""
        found = []
        for kind in get_args(Kind):
            for path in matching(self.folder / kind, "??/*"):
                with suppress(OSError):
                    stat = path.stat()
                    if path.name.startswith(LEFT_OVER) and stat.st_mtime > time.time() - 3600:
                        continue  # it is being written
                    found.append(Kept(path, kind, path.name[:64], stat.st_size, stat.st_mtime))
        return found

    def remove(self, each: Kept) -> bool:
        """Remove a file, unless it was put again since; returns whether it is gone."""
        with self._lock:
            try:
                if each.path.stat().st_mtime != each.modified:
                    return False
                each.path.unlink()
            except OSError:
                return not exists(each.path)
        return True

    def _file(self, kind: Kind, digest: str, suffix: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise UsageError(f"{shortened(digest)} is no SHA-256: give 64 hexadecimal digits")
        return self.folder / kind / digest[:2] / f"{digest}{suffix}"

    def _put(self, kind: Kind, data: bytes, suffix: str) -> str:
        digest = digest_of(data)
        path = self._file(kind, digest, suffix)
        with self._lock:  # `remove` does not take what is used again
            try:
                os.utime(path)
                return digest
            except OSError:
                pass
        is_new = not is_dir(path.parent)
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for folder in (path.parent, path.parent.parent) if is_new else (path.parent,):
            _sync(folder)
        return digest


def _sync(folder: Path) -> None:
    """See to it that the names in a folder are on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def digest_of(data: bytes) -> str:
    """What a file is kept by: the SHA-256 of its content."""
    return hashlib.sha256(data).hexdigest()
