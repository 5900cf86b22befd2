"""Sums between masks and pixels: what lies under a mask, and what masks add up to at a pixel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_MASKS_AT_ONCE = 32
"""Masks whose probabilities exist at the same time: bounds what a question takes, whatever the size of the frame."""


def mean_under(features: Tensor, masks: Tensor) -> Tensor:
    """The mean of features [batch, channels, rows, columns] where bool masks [batch, masks, rows, columns] are true.

    Returns [batch, masks, channels]; zero for a mask that is true nowhere.
    """
    inside = masks.flatten(2).to(features.dtype)
    return inside @ features.flatten(2).transpose(1, 2) / inside.sum(dim=-1, keepdim=True).clamp(min=1)


def spread_masks(logits: Tensor, values: Tensor, enlarged: int = 1) -> Tensor:
    """sum_i sigmoid(logits_i) * values_i: [channels, rows, columns], each side times `enlarged`.

    logits: [masks, rows, columns], enlarged bilinearly before the sigmoid. values: [masks, channels].
    """
    rows, columns = (side * enlarged for side in logits.shape[-2:])
    total = values.new_zeros(values.shape[1], rows * columns)
    for first in range(0, len(logits), _MASKS_AT_ONCE):
        own = values[first : first + _MASKS_AT_ONCE]
        found = logits[first : first + _MASKS_AT_ONCE].to(values.dtype)
        if enlarged > 1:
            found = F.interpolate(found[None], (rows, columns), mode="bilinear", align_corners=False)[0]
        total.addmm_(own.T, found.sigmoid().flatten(1))
    return total.view(-1, rows, columns)
