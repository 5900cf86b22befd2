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


def normalised(
    images: Sequence[Pixels],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    interpolation: Literal["bicubic", "bilinear"] = "bicubic",
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Images as a tower takes them: resized straight to a size, the aspect not kept, and normalised.

    Args:
        images: uint8 [height, width, 3] each.
        size: (height, width) in pixels.
        mean: Of red, green and blue, from 0 to 1.
        std: Likewise.
        interpolation: See `resized`.
        out: Where the result goes, float32 [batch, 3, height, width]; None: a new array.

    Returns:
        float32 [batch, 3, height, width]: (v / 255 - mean) / std by channel, in float32.
    """
    batch = np.empty((len(images), 3, *size), np.float32) if out is None else out
    batch[:] = resized_batch(images, size, interpolation).transpose(0, 3, 1, 2)
    batch /= np.float32(255)
    batch -= np.asarray(mean, np.float32).reshape(3, 1, 1)
    batch /= np.asarray(std, np.float32).reshape(3, 1, 1)
    return batch
