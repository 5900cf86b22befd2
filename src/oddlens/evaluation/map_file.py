"""Anomaly maps on disk while a category is evaluated: they do not fit in memory beside a large tower."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from oddlens.io.atomic import unwritable

_COPIED = 1 << 20
"""Bytes that are copied at once."""

Map = NDArray[np.float32]


class MapFile:
    """Float32 maps [h, w] of any sizes, appended and then read back.

    They lie in a file in `folder` that has no name and disappears with the process. With a name another process can have it by
    unpickling this object; whoever closes it removes it. Memory O(1): `read` gives views into the file. Nothing is buffered.

    Where the file cannot be made or written to, `OddlensError` is raised; `DiskError` where the disk is full.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self._folder = folder
        self._path = None if name is None else folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # lives as long as the object
            self._file: IO[bytes] = (
                tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
                if self._path is None
                else self._path.open("w+b", buffering=0)
            )
        except OSError as error:
            raise unwritable(folder, error) from error
        self._shapes: list[tuple[int, int]] = []

    def __getstate__(self) -> tuple[Path, list[tuple[int, int]]]:
        assert self._path is not None  # else no other process can open it
        return self._path, self._shapes

    def __setstate__(self, state: tuple[Path, list[tuple[int, int]]]) -> None:
        path, self._shapes = state
        self._folder, self._path, self._file = path.parent, path, path.open("r+b", buffering=0)
        self._file.seek(0, os.SEEK_END)

    def append(self, anomaly_map: Map) -> None:
        """Add a map after the others."""
        height, width = anomaly_map.shape
        self._write(anomaly_map.astype(np.float32, copy=False).tobytes())
        self._shapes.append((height, width))

    def merge(self, other: MapFile) -> None:
        """Add the maps of another file, which is closed."""
        other._file.seek(0)
        while part := other._file.read(_COPIED):
            self._write(part)
        self._shapes += other._shapes
        other.close()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:  # a disk that fills up takes a part, and fails then
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def read(self) -> list[Map]:
        """All maps in order, read-only."""
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
