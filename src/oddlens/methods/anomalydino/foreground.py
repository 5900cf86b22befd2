"""What of an image is the object: the first principal component of its patches, against a threshold."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Morphology = Literal["sequence", "grid"]

_CENTRE_SHARE = 0.35
"""More than this share of the centre must be foreground, or the component counts with the other sign."""


def foreground(patches: Tensor, grid: tuple[int, int], threshold: float, morphology: Morphology) -> Tensor:
    """Which patches show the object: bool [batch, patches] (the released code's `compute_background_mask`).

    Args:
        patches: Of each image, [batch, patches, width].
        grid: (rows, columns).
        threshold: From where on the component, or else its negative, means foreground.
        morphology: What a patch's neighbours are when the mask is dilated and closed, see `AnomalyDINORecipe`.
    """
    component = first_component(patches)
    mask = component > threshold
    rows, columns = (slice(int(0.2 * side), int(0.8 * side)) for side in grid)
    centre = mask.view(-1, *grid)[:, rows, columns].flatten(1).double().mean(dim=1)
    mask = torch.where((centre > _CENTRE_SHARE)[:, None], mask, -component > threshold)
    shaped = mask.float().view(-1, 1, *((1, mask.shape[1]) if morphology == "sequence" else grid))
    dilated = _dilated(shaped)
    closed = -_dilated(-_dilated(dilated))
    return closed.flatten(1) > 0.5


def first_component(patches: Tensor) -> Tensor:
    """The projection of each patch on the first principal component of its image: float64 [batch, patches].

    Its sign is scikit-learn's: the largest loading is positive.
    """
    centred = patches.double() - patches.double().mean(dim=1, keepdim=True)
    direction = torch.linalg.eigh(centred.mT @ centred).eigenvectors[..., -1]
    largest = direction.gather(1, direction.abs().argmax(dim=1, keepdim=True))
    component: Tensor = (centred @ (direction * largest.sign())[..., None])[..., 0]
    return component


def _dilated(mask: Tensor) -> Tensor:
    """The largest value among each place and its neighbours; there are none beyond the border."""
    height = 1 if mask.shape[2] == 1 else 3
    return F.max_pool2d(mask, (height, 3), stride=1, padding=(height // 2, 1))
