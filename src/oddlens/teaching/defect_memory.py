"""A second memory, of defects: the features of defective images where they lie far from the good examples."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.common.memory_bank import MemoryBank


def defect_rows(memory: MemoryBank, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The rows of defective images that stand for their defects.

    They are those that lie farther from the good examples than half way between the image's median distance and its largest: what
    `oddlens.detection` takes for the hottest region of a map.

    Args:
        memory: Of good examples.
        features: Of the images, by names of the memory: [images, rows, channels].

    Returns:
        By name: [rows, channels], unit norm; at least one of each image.
    """
    return {name: _farthest(memory.distance(name, value), value) for name, value in features.items()}


def _farthest(distance: Tensor, rows: Tensor) -> Tensor:
    """[images, rows], [images, rows, channels] -> [chosen, channels]."""
    middle = distance.median(dim=1, keepdim=True).values
    largest = distance.amax(dim=1, keepdim=True)
    chosen = (distance > (middle + largest) / 2) | (distance == largest)
    return F.normalize(rows[chosen].float(), dim=-1).to(rows.dtype)
