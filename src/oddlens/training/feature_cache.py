"""Features of a frozen encoder, computed once and kept on disk: resumable, reused between epochs and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from oddlens.atomic import replacing
from oddlens.paths import is_file

Arrays = dict[str, NDArray[np.generic]]
Compute = Callable[[range], Mapping[str, NDArray[np.generic]]]

_MOST_OPEN = 128
"""Files mapped at a time: each holds a descriptor, of which a process has about a thousand."""


class FeatureCache:
    """`count` rows of several named arrays under a folder, in shards of `shard` rows, one .npy file an array and shard.

    arrays: name -> (shape of one row, dtype). The folder belongs to one content: callers name it by a hash of what the features
    depend on. A shard is written whole or not at all, so a stopped run goes on where it was.
    """

    def __init__(
        self, folder: Path, count: int, arrays: Mapping[str, tuple[Sequence[int], DTypeLike]], shard: int = 256
    ) -> None:
        self.folder = folder
        self.count = count
        self.shard = shard
        self.arrays = {name: (tuple(shape), np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}
        self._open: dict[tuple[str, int], NDArray[np.generic]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes on disk once full."""
        return self.count * self._row_nbytes

    @property
    def missing_nbytes(self) -> int:
        """Bytes that `fill` has still to write."""
        return sum(len(rows) for rows in self._shards() if not self._is_there(rows)) * self._row_nbytes

    def fill(self, compute: Compute) -> Iterator[int]:
        """Compute what is missing; yields the number of rows that are there after each shard.

        compute: a range of row numbers -> name -> array [len(range), ...].
        """
        for rows in self._shards():
            if not self._is_there(rows):
                computed = compute(rows)
                for name, (shape, dtype) in self.arrays.items():
                    array = np.asarray(computed[name], dtype=dtype).reshape(len(rows), *shape)
                    with replacing(self._path(name, rows)) as temporary:
                        np.save(temporary, array)
            yield rows.stop

    def rows(self, indices: Sequence[int]) -> Arrays:
        """The rows of those numbers, by array name: [len(indices), ...]."""
        rows = [self.row(index) for index in indices]
        return {name: np.stack([row[name] for row in rows]) for name in self.arrays}

    def row(self, index: int) -> Arrays:
        """One row by array name, as it lies on disk: nothing is copied."""
        return {name: self._shard(name, index // self.shard)[index % self.shard] for name in self.arrays}

    def _shard(self, name: str, number: int) -> NDArray[np.generic]:
        if (name, number) not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.clear()
            self._open[name, number] = np.load(
                self._path(name, self._rows_of(number)), mmap_mode="r", allow_pickle=False
            )
        return self._open[name, number]

    @property
    def _row_nbytes(self) -> int:
        return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.arrays.values())

    def _shards(self) -> list[range]:
        return [self._rows_of(number) for number in range(-(-self.count // self.shard))]

    def _is_there(self, rows: range) -> bool:
        return all(is_file(self._path(name, rows)) for name in self.arrays)

    def _rows_of(self, number: int) -> range:
        first = number * self.shard
        return range(first, min(first + self.shard, self.count))

    def _path(self, name: str, rows: range) -> Path:
        return self.folder / f"{name}-{rows.start:06d}-{rows.stop:06d}.npy"
