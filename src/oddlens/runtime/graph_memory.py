"""The memory of good examples beside graphs: rows of features, and whose they are. As `methods.common.memory_bank`, in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError
from oddlens.methods.scoring import Numbers


@dataclass(frozen=True, eq=False)
class GraphMemory:
    """Rows of features of good examples, by name. A value: nothing changes it.

    Every row belongs to one image, known by its number from 0 in the order of adding. Images may be tiles of pictures (`of_tiles`):
    those of one picture stand together, and are left out together.

    Attributes:
        rows: By name [rows, channels], as the graph `fit` gives them.
        owners: The number of the image that each row belongs to, int64 [rows], rising; by the same names.
        values: What a method keeps beside the rows, by name.
        pictures: The number of the picture that each image is a tile of, from 0 and rising; None where images are whole.
        left_out: The number of the image that each query is, see `leaving_out`; None: queries are no images of it.
    """

    rows: Mapping[str, Numbers]
    owners: Mapping[str, NDArray[np.int64]]
    values: Mapping[str, Numbers] = field(default_factory=dict)
    pictures: NDArray[np.int64] | None = None
    left_out: NDArray[np.int64] | None = None

    @classmethod
    def of_images(cls, rows: Mapping[str, Numbers]) -> GraphMemory:
        """A memory of images, of each of which there are as many rows: [images, rows, channels] by name."""
        return cls(
            {name: value.reshape(-1, value.shape[-1]) for name, value in rows.items()},
            {name: np.repeat(np.arange(value.shape[0]), value.shape[1]) for name, value in rows.items()},
        )

    def __len__(self) -> int:
        """How many images it holds."""
        return max((int(owners[-1]) + 1 for owners in self.owners.values() if len(owners)), default=0)

    @property
    def picture_count(self) -> int:
        """How many pictures its images are of: as many as there are images, where these are no tiles."""
        return len(self) if self.pictures is None else int(self.pictures[-1]) + 1

    def of_tiles(self, pictures: NDArray[np.int64]) -> GraphMemory:
        """The same memory, whose images are tiles of these pictures: int64 [images], from 0 and rising."""
        return replace(self, pictures=pictures)

    def add(self, *others: GraphMemory) -> GraphMemory:
        """A memory of the images of all, this one's first. `values` are of none any more.

        Raises:
            UsageError: They hold features of other names, widths or types.
        """
        memories = (self, *others)
        known, *more = (
            {name: (value.shape[1], str(value.dtype)) for name, value in each.rows.items()} for each in memories
        )
        if (strange := next((each for each in more if each != known), None)) is not None:
            raise UsageError(f"memories of other features cannot be joined: this one has {known}, the other {strange}")
        firsts = accumulate(map(len, memories), initial=0)
        owners = [
            {name: own + first for name, own in each.owners.items()}
            for each, first in zip(memories, firsts, strict=False)
        ]
        pictures = None
        if any(each.pictures is not None for each in memories):
            firsts = accumulate((each.picture_count for each in memories), initial=0)
            of_each = (np.arange(len(each)) if each.pictures is None else each.pictures for each in memories)
            pictures = np.concatenate([own + first for own, first in zip(of_each, firsts, strict=False)])
        return GraphMemory(
            {name: np.concatenate([each.rows[name] for each in memories]) for name in self.rows},
            {name: np.concatenate([each[name] for each in owners]) for name in self.owners},
            pictures=pictures,
        )

    def with_values(self, values: Mapping[str, Numbers]) -> GraphMemory:
        """The same memory with arrays beside its rows."""
        return replace(self, values={**self.values, **values})

    def leaving_out(self, images: NDArray[np.int64]) -> GraphMemory:
        """The same memory for queries that are images of it: each is compared with all pictures but its own."""
        return replace(self, left_out=images)

    def picture_of(self, image: int) -> tuple[int, int]:
        """The first and the last image of the picture that an image is of."""
        if self.pictures is None:
            return image, image
        first, last = (int(np.searchsorted(self.pictures, self.pictures[image], side)) for side in ("left", "right"))
        return first, last - 1

    def rows_without(self, first: int, last: int) -> dict[str, Numbers]:
        """The rows of all images but these, by name."""
        found = {}
        for name, rows in self.rows.items():
            start = int(np.searchsorted(self.owners[name], first))
            end = int(np.searchsorted(self.owners[name], last, side="right"))
            found[name] = np.concatenate([rows[:start], rows[end:]])
        return found
