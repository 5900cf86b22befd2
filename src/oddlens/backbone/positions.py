"""Position embeddings of a square grid, resized to another grid in each way that published programs do it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.options import PositionResize

_OFFSET = 0.1


def resized_positions(positions: Tensor, native: int, grid: tuple[int, int], resize: PositionResize) -> Tensor:
    """Resize the position embeddings of patches. On the native grid they are returned unchanged, in every variant.

    Args:
        positions: [native * native, width], row-major.
        native: Patches a side of the grid that they were trained on.
        grid: (rows, columns) that are wanted.
        resize: The variant.

    Returns:
        [rows * columns, width], row-major.
    """
    if grid == (native, native):
        return positions
    # Channels lie closest in memory: torch's filter miscomputes a grid of one column where they do not (2.13, CPU).
    square = positions.reshape(1, native, native, -1).permute(0, 3, 1, 2)
    if resize == "bicubic_offset":
        rows, columns = ((side + _OFFSET) / native for side in grid)
        resized = F.interpolate(square, scale_factor=(rows, columns), mode="bicubic", align_corners=False)
    else:
        mode = "bilinear" if resize == "bilinear" else "bicubic"
        resized = F.interpolate(square, size=grid, mode=mode, align_corners=False, antialias=resize == "bicubic")
    return resized[0].flatten(1).T
