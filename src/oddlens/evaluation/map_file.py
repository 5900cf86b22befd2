"""Anomaly maps on disk while a category is evaluated: they do not fit in memory beside a large tower."""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


class MapFile:
    """Float32 maps [h, w] of any sizes, appended and then read back.

    They lie in a file without a name in `folder`, which disappears with the process. Memory O(1): `read` gives views into the file.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 lives as long as the object
        self._shapes: list[tuple[int, int]] = []

    def append(self, anomaly_map: Map) -> None:
        """Add a map after the others."""
        height, width = anomaly_map.shape
        self._shapes.append((height, width))
        self._file.write(anomaly_map.astype(np.float32, copy=False).tobytes())

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
