"""LNAMD: patches averaged over neighbourhoods of several sizes (MuSc, section 3.1)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.common.maps import square_grid


def averaged(patches: Tensor, degree: int) -> Tensor:
    """Patches as they are compared: [batch, patches, channels], of unit length.

    Every image is scaled to mean 0 and variance 1 over channels and places together, then averaged over degree x degree patches;
    beyond the border there are zeros, which count.
    """
    rows, columns = square_grid(patches.shape[1])
    image = patches.float().transpose(1, 2).reshape(patches.shape[0], -1, rows, columns)
    image = F.layer_norm(image, image.shape[1:], eps=1e-5)
    if degree > 1:
        image = F.avg_pool2d(image, degree, stride=1, padding=degree // 2)
    return F.normalize(image.flatten(2).transpose(1, 2), dim=-1)
