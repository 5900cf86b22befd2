"""Anomaly maps on disk while a category is evaluated: they do not fit in memory beside a large tower."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


class MapFile:
    """Float32 maps [h, w] of any sizes, appended and then read back.

    They lie in a file in `folder` that has no name and disappears with the process. With a name another process can have it by
    unpickling this object; whoever closes it removes it. Memory O(1): `read` gives views into the file.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = None if name is None else folder / name
        # lives as long as the object
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder) if self._path is None else self._path.open("w+b")  # noqa: SIM115
        self._shapes: list[tuple[int, int]] = []

    def __getstate__(self) -> tuple[Path, list[tuple[int, int]]]:
        assert self._path is not None  # else no other process can open it
        self._file.flush()
        return self._path, self._shapes

    def __setstate__(self, state: tuple[Path, list[tuple[int, int]]]) -> None:
        path, self._shapes = state
        self._path, self._file = path, path.open("r+b")
        self._file.seek(0, os.SEEK_END)

    def append(self, anomaly_map: Map) -> None:
        """Add a map after the others."""
        height, width = anomaly_map.shape
        self._shapes.append((height, width))
        self._file.write(anomaly_map.astype(np.float32, copy=False).tobytes())

    def merge(self, other: MapFile) -> None:
        """Add the maps of another file, which is closed."""
        other._file.flush()
        other._file.seek(0)
        shutil.copyfileobj(other._file, self._file)
        self._shapes += other._shapes
        other.close()

    def read(self) -> list[Map]:
        """All maps in order, read-only."""
        self._file.flush()
        content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if self._shapes else b""
        maps, first = [], 0
        for height, width in self._shapes:
            flat = np.frombuffer(content, np.float32, height * width, first)
            maps.append(flat.reshape(height, width))
            first += flat.nbytes
        return maps

    def close(self) -> None:
        """Give the disk space back; views that were read stay valid."""
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
