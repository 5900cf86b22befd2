"""Images -> the tensor a tower takes, exactly as the authors' programs make it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from oddlens.backbone.options import Interpolation
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized_batch


def to_tensor(
    images: Sequence[Pixels],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    interpolation: Interpolation = "bicubic",
) -> Tensor:
    """Resize images straight to a size and normalise them. The aspect is not kept.

    Args:
        images: uint8 [height, width, 3] each.
        size: (height, width) in pixels.
        mean: Of red, green and blue, from 0 to 1.
        std: Likewise.
        interpolation: See `oddlens.io.preprocess.resized`.

    Returns:
        float32 [batch, 3, height, width]: (v / 255 - mean) / std by channel, in float32.
    """
    batch = torch.from_numpy(resized_batch(images, size, interpolation))
    tensor = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    shape = (1, 3, 1, 1)
    return tensor.div_(255).sub_(torch.tensor(mean).view(shape)).div_(torch.tensor(std).view(shape))
