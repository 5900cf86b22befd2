"""Images -> the tensor that a tower takes, exactly as the authors' programs make it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from oddlens.io.pixels import Pixels

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def to_tensor(
    pictures: Sequence[Pixels],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    interpolation: Literal["bicubic", "bilinear"] = "bicubic",
) -> Tensor:
    """Resize uint8 pictures [h, w, 3] straight to `size` (height, width) and normalise them.

    Returns float32 [B, 3, height, width]: (v / 255 - mean) / std by channel, in float32. The aspect is not kept.
    """
    height, width = size
    batch = np.empty((len(pictures), height, width, 3), dtype=np.uint8)
    for row, pixels in zip(batch, pictures, strict=True):
        row[:] = resized(pixels, size, interpolation)
    tensor = torch.from_numpy(batch).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    shape = (1, 3, 1, 1)
    return tensor.div_(255).sub_(torch.tensor(mean).view(shape)).div_(torch.tensor(std).view(shape))


def resized(pixels: Pixels, size: tuple[int, int], interpolation: Literal["bicubic", "bilinear"]) -> Pixels:
    """A picture brought to `size` (height, width); one that has it already is not resampled.

    Resizing is Pillow's, antialiased and on uint8, as the authors' programs have it through torchvision.
    """
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], _FILTERS[interpolation]))
