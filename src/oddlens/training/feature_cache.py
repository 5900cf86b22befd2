"""A cache of features of a frozen encoder on disk: resumable, reused between epochs and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from oddlens.errors import OddlensError
from oddlens.io.atomic import replacing
from oddlens.io.paths import is_file

Arrays = dict[str, NDArray[np.generic]]
Compute = Callable[[range], Mapping[str, NDArray[np.generic]]]

MOST_OPEN = 128
"""Files mapped at a time: each holds a descriptor, of which a process has about a thousand."""


class FeatureCache:
    """`count` rows of several named arrays under a folder, in shards of `shard` rows, one .npy file an array and shard.

    The folder belongs to one content: callers name it by a hash of what the features depend on. A shard is written whole or not at
    all, so that a stopped run continues; a damaged shard (cut short, of another shape or type) is computed again.

    Args:
        folder: The folder.
        count: The number of rows.
        arrays: Name -> (shape of one row, dtype).
        shard: Rows a file.
        most_open: Files mapped at a time.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        arrays: Mapping[str, tuple[Sequence[int], DTypeLike]],
        shard: int = 256,
        most_open: int = MOST_OPEN,
    ) -> None:
        self.folder = folder
        self.count = count
        self.shard = shard
        self.arrays = {name: (tuple(shape), np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}
        self._most_open = most_open
        self._open: dict[tuple[str, int], NDArray[np.generic]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes on disk once everything is computed."""
        return self.count * self._row_nbytes

    @property
    def missing_nbytes(self) -> int:
        """Bytes that `fill` still has to write."""
        return (
            sum(len(rows) for rows in map(self._rows_of, range(self.shards)) if not self._is_there(rows))
            * self._row_nbytes
        )

    @property
    def open_files(self) -> int:
        """The number of files that are mapped now."""
        return len(self._open)

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-self.count // self.shard)

    def fill(self, compute: Compute, shards: range | None = None) -> Iterator[int]:
        """Compute the missing shards; yields the number of rows that are done after each shard.

        Args:
            compute: A range of row numbers -> name -> array [len(range), ...].
            shards: The numbers of those to look at, where others are filled elsewhere.

        Raises:
            OddlensError: The rows have another shape than `arrays` says.
        """
        for rows in map(self._rows_of, range(self.shards) if shards is None else shards):
            if not self._is_there(rows):
                computed = compute(rows)
                for name, (shape, dtype) in self.arrays.items():
                    array = np.asarray(computed[name], dtype=dtype)
                    if array.shape != (len(rows), *shape):
                        raise OddlensError(
                            f"{self.folder} is damaged (it notes {name!r} of another shape): delete the folder, and its features "
                            "are computed again"
                        )
                    with replacing(self._path(name, rows)) as temporary:
                        np.save(temporary, array)
            yield rows.stop

    def rows(self, indices: Sequence[int]) -> Arrays:
        """The rows of those numbers, by array name: [len(indices), ...]."""
        rows = [self.row(index) for index in indices]
        return {name: np.stack([row[name] for row in rows]) for name in self.arrays}

    def row(self, index: int) -> Arrays:
        """One row by array name, as it lies on disk: nothing is copied. Raises OddlensError for numbers that are not finite."""
        row = {name: self._shard(name, index // self.shard)[index % self.shard] for name in self.arrays}
        for name, values in row.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                path = self._path(name, self._rows_of(index // self.shard))
                raise OddlensError(f"{path} holds numbers that are not finite: delete it, and it is computed again")
        return row

    def _shard(self, name: str, number: int) -> NDArray[np.generic]:
        if (name, number) not in self._open:
            if self.open_files >= self._most_open:
                self._open.clear()
            rows = self._rows_of(number)
            opened = self._opened(name, rows)
            if opened is None:
                raise OddlensError(
                    f"{self._path(name, rows)} is missing or damaged: start again, and it is computed again"
                )
            self._open[name, number] = opened
        return self._open[name, number]

    def _opened(self, name: str, rows: range) -> NDArray[np.generic] | None:
        """A shard on disk, mapped; None if it is missing or damaged."""
        path, (shape, dtype) = self._path(name, rows), self.arrays[name]
        if not is_file(path):
            return None
        try:
            found: NDArray[np.generic] = open_memmap(path, mode="r")
        except Exception:  # a damaged header may fail in any way
            return None
        return found if (found.shape, found.dtype) == ((len(rows), *shape), dtype) else None

    @property
    def _row_nbytes(self) -> int:
        return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.arrays.values())

    def _is_there(self, rows: range) -> bool:
        return all(self._opened(name, rows) is not None for name in self.arrays)

    def _rows_of(self, number: int) -> range:
        first = number * self.shard
        return range(first, min(first + self.shard, self.count))

    def _path(self, name: str, rows: range) -> Path:
        return self.folder / f"{name}-{rows.start:06d}-{rows.stop:06d}.npy"
