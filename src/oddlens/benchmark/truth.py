"""What is true of a picture, at the size that maps are compared at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oddlens.data import Record, read_ignore, read_mask, resize_mask

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """One picture's truth, bool [h, w].

    mask: where the defect is; None where nobody knows: an abnormal picture without a mask. ignore: pixels that do not count; None:
    all count.
    """

    mask: Mask | None
    ignore: Mask | None


def read_truth(record: Record, size: tuple[int, int], *, resize: bool) -> Truth:
    """The truth of a labelled record at (height, width).

    resize: the files' own size is brought to it by the authors' rule (`resize_mask`); else they must have it. Raises `DataError`
    for a mask that cannot be read or does not have the size.
    """
    mask: Mask | None = None
    if record.mask is not None:
        mask = resize_mask(read_mask(record), size) if resize else read_mask(record, size)
    elif record.label == 0:
        mask = _nothing(size)
    ignore = read_ignore(record, None if resize else size)
    if ignore is not None and resize:
        ignore = resize_mask(ignore, size)
    return Truth(mask, ignore)


@lru_cache(maxsize=8)
def _nothing(size: tuple[int, int]) -> Mask:
    """The mask of a normal picture, one for all of a size."""
    mask = np.zeros(size, np.bool_)
    mask.flags.writeable = False
    return mask
