"""Long images as overlapping square tiles, and the maps of the tiles as one map of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized
from oddlens.methods.common.maps import upsample


@dataclass(frozen=True)
class Tiling:
    """How an image of height x width pixels is covered: by as few squares of `side` as can, evenly spaced from end to end."""

    height: int
    width: int
    side: int

    @property
    def corners(self) -> list[tuple[int, int]]:
        """(top, left) of every tile, row by row."""
        return [(top, left) for top in _starts(self.height, self.side) for left in _starts(self.width, self.side)]


def tiling(image: Pixels, side: int) -> Tiling:
    """The tiling of an image whose shorter side is brought to `side`, the aspect kept (AnoVL's released code for VisA)."""
    height, width = image.shape[:2]
    shorter = min(height, width)
    return Tiling(side * height // shorter, side * width // shorter, side)


def cut(image: Pixels, plan: Tiling, interpolation: Literal["bicubic", "bilinear"]) -> list[Pixels]:
    """The tiles of an image, uint8 [side, side, 3] each; it is brought to the plan's size first."""
    whole = resized(image, (plan.height, plan.width), interpolation)
    return [whole[top : top + plan.side, left : left + plan.side] for top, left in plan.corners]


def stitch(maps: Tensor, plan: Tiling) -> Tensor:
    """Maps of tiles, [batch, tiles, rows, columns] -> [batch, height, width]; the mean where tiles overlap.

    Each is upsampled to the tile's side first, corner on corner.
    """
    tiles = upsample(maps.flatten(0, 1), (plan.side, plan.side), align_corners=True)
    tiles = tiles.view(*maps.shape[:2], plan.side, plan.side)
    total, count = tiles.new_zeros(maps.shape[0], plan.height, plan.width), tiles.new_zeros(plan.height, plan.width)
    for tile, (top, left) in zip(tiles.unbind(dim=1), plan.corners, strict=True):
        place = slice(top, top + plan.side), slice(left, left + plan.side)
        total[:, *place] += tile
        count[*place] += 1
    return total / count


def _starts(length: int, side: int) -> list[int]:
    gaps = max(1, -(-length // side) - 1)
    return [round(number * (length - side) / gaps) for number in range(-(-length // side))]
