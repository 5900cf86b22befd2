"""The truth of an image, held in little memory until all maps are there."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.data import Record, check_shape, read_classes, read_ignore, read_mask, resize_mask

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of one image.

    Attributes:
        mask: Where the defect is, bool [h, w] at the size at which pixels are compared; None for an abnormal image without a mask.
        ignore: Pixels that do not count, bool [h, w]; None: all count.
        classes: The known class of every pixel, uint8 [height, width] at the image's own size, as `read_classes` gives it; None
            without class labels.
    """

    mask: Mask | None
    ignore: Mask | None = None
    classes: NDArray[np.uint8] | None = None


def read_truth(record: Record, size: tuple[int, int], map_size: tuple[int, int] | None = None) -> Truth:
    """The truth of a labelled record.

    Args:
        record: The record.
        size: The image's own (height, width), which the files must have.
        map_size: Masks are brought to it by the authors' rule (`resize_mask`); they need only have the shape of their image.

    Raises:
        DataError: A file cannot be read, or does not have the size or the shape.
    """
    own = size if map_size is None else None
    mask: Mask | None = None
    if record.mask is not None:
        mask = _at(map_size, read_mask(record, own), size, record.mask)
    elif record.label == 0:
        mask = _nothing(map_size or size)
    ignore = read_ignore(record, own)
    return Truth(
        mask,
        None if ignore is None else _at(map_size, ignore, size, record.ignore),
        None if record.classes is None else read_classes(record, size),
    )


class Folded:
    """A mask, folded to a few kilobytes. shape: its height and width."""

    def __init__(self, mask: Mask) -> None:
        self.shape = mask.shape
        self._bits = zlib.compress(np.packbits(mask).tobytes(), level=1)

    def unfold(self) -> Mask:
        """The mask itself."""
        bits = np.frombuffer(zlib.decompress(self._bits), np.uint8)
        return np.unpackbits(bits, count=math.prod(self.shape)).view(np.bool_).reshape(self.shape)


def _at(map_size: tuple[int, int] | None, mask: Mask, size: tuple[int, int], file: Path | None) -> Mask:
    if map_size is None:
        return mask
    check_shape(mask, size, file)
    return resize_mask(mask, map_size)


@lru_cache(maxsize=8)
def _nothing(size: tuple[int, int]) -> Mask:
    """The mask of a normal image, one for all of a size."""
    mask = np.zeros(size, np.bool_)
    mask.flags.writeable = False
    return mask
