"""Position embeddings of a square grid brought to another grid, in every way that published programs do it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.options import PositionResize

_OFFSET = 0.1


def resized_positions(positions: Tensor, native: int, grid: tuple[int, int], resize: PositionResize) -> Tensor:
    """Position embeddings of patches, [native * native, width], row-major, for another grid: [rows * columns, width].

    The native grid's are returned as they are, in every variant.
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
