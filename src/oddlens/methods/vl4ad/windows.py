"""Windows over a frame that is larger than what a tower was trained on: where they lie, and how they are blended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized


@dataclass(frozen=True)
class Windows:
    """Square windows of `side` x `side` patches on the patch grid of a frame, all patches covered.

    overlap: of neighbouring windows, as a share of a window, in [0, 1).
    """

    side: int
    patch: int
    overlap: float

    def grid(self, frame: Pixels) -> tuple[int, int]:
        """(rows, columns) of the patches that a frame has pixels in."""
        height, width, _ = frame.shape
        return -(-height // self.patch), -(-width // self.patch)

    def corners(self, grid: tuple[int, int]) -> list[tuple[int, int]]:
        """Row and column of the first patch of every window, evenly laid, row-major."""
        rows, columns = (self._starts(count) for count in grid)
        return [(row, column) for row in rows for column in columns]

    def grow(self, frame: Pixels) -> Pixels:
        """The frame mirrored at its right and lower edge, up to the end of its last patch and to one window at least."""
        height, width = (max(count, self.side) * self.patch for count in self.grid(frame))
        return np.pad(frame, [(0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)], "reflect")

    def cut(self, grown: Pixels, corner: tuple[int, int]) -> Pixels:
        """The pixels of one window: uint8 [side * patch, side * patch, 3]."""
        top, left = (number * self.patch for number in corner)
        size = self.side * self.patch
        return grown[top : top + size, left : left + size]

    def weights(self) -> Tensor:
        """How much each patch of a window counts, [side, side]: most in its middle, where the tower sees all around it."""
        rise = torch.sin(torch.pi * (torch.arange(self.side) + 0.5) / self.side) ** 2
        return rise[:, None] * rise

    def _starts(self, count: int) -> list[int]:
        last = max(0, count - self.side)
        step = max(1, round(self.side * (1 - self.overlap)))
        steps = -(-last // step)
        return [round(last * number / steps) for number in range(steps + 1)] if steps else [0]


def at_short_side(frame: Pixels, short_side: int | None) -> Pixels:
    """The frame scaled so that its shorter side has this many pixels, bicubic, its aspect kept; None: as it is."""
    height, width, _ = frame.shape
    if short_side is None:
        return frame
    scale = short_side / min(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return resized(frame, size, "bicubic")
