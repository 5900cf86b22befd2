"""Images -> the tensor a tower takes, exactly as the authors' programs make it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from oddlens.backbone.options import Interpolation
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import normalised


def to_tensor(
    images: Sequence[Pixels],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    interpolation: Interpolation = "bicubic",
) -> Tensor:
    """`oddlens.io.preprocess.normalised` as a tensor: float32 [batch, 3, height, width]."""
    tensor = torch.empty(len(images), 3, *size)
    normalised(images, size, mean, std, interpolation, tensor.numpy())
    return tensor
