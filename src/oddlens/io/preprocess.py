"""Images brought to the size that a tower takes, exactly as the authors' programs do it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.io.pixels import Pixels

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def resized(pixels: Pixels, size: tuple[int, int], interpolation: Literal["bicubic", "bilinear"]) -> Pixels:
    """An image brought to `size` (height, width); one that has it already is not resampled.

    Resizing is Pillow's, antialiased and on uint8, as the authors' programs have it through torchvision.
    """
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], _FILTERS[interpolation]))


def resized_batch(
    pictures: Sequence[Pixels], size: tuple[int, int], interpolation: Literal["bicubic", "bilinear"] = "bicubic"
) -> NDArray[np.uint8]:
    """Images of any sizes brought to one: uint8 [batch, height, width, 3]."""
    batch = np.empty((len(pictures), *size, 3), dtype=np.uint8)
    for row, pixels in zip(batch, pictures, strict=True):
        row[:] = resized(pixels, size, interpolation)
    return batch
