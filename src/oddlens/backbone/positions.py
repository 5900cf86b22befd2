"""Position embeddings of a square grid brought to another grid, in every way that published programs do it."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

PositionResize = Literal["bilinear", "bicubic", "bicubic_plain", "bicubic_offset"]
"""How position embeddings are resized; all with half-pixel centres.

bilinear: without antialias (AnomalyCLIP). bicubic: with antialias (APRIL-GAN, open_clip; DINOv2 with registers). bicubic_plain:
without antialias (DINOv2 without registers and SigLIP in transformers; MuSc). bicubic_offset: as bicubic_plain, but the scale is
(grid + 0.1) / native grid (DINOv2 without registers in facebookresearch's own code, on which AnomalyDINO runs). The variants differ
also where the grid grows: torch's antialiased bicubic filter is another one.
"""

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
