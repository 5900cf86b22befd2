"""Regions cut out of their image with some of what is around them, as a tower takes them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.detection import Region
from oddlens.io.pixels import Pixels

CONTEXT = 1.5
"""The side of a crop, in longer sides of the region's box."""

LEAST_SIDE = 0.3
"""The side that a crop has at least, as a share of the image's shorter side."""


class RegionCrop(NamedTuple):
    """A square of the image around a region, and which of its pixels are the region.

    pixels: uint8 [side, side, 3]. inside: uint8 [side, side], 1 in the region.
    """

    pixels: Pixels
    inside: NDArray[np.uint8]


def region_crop(pixels: Pixels, region: Region) -> RegionCrop:
    """The crop of a region. It lies in the image, so that a region at the border is not in its middle."""
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    side = round(min(max(CONTEXT * max(region.width, region.height), LEAST_SIDE * shorter, 1), shorter))
    left = _start(region.x + region.width / 2, side, width)
    top = _start(region.y + region.height / 2, side, height)
    inside = np.zeros((side, side), np.uint8)
    outline = np.array(region.outline, np.int32) - (left, top)
    cv2.fillPoly(inside, [outline], 1)
    return RegionCrop(np.ascontiguousarray(pixels[top : top + side, left : left + side]), inside)


def grid_weights(inside: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.float32]:
    """How much of the region lies in each patch: float32 [rows * columns] of sum 1; all alike where it lies in none.

    grid: (rows, columns).
    """
    rows, columns = grid
    shares = cv2.resize(inside.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA).ravel()
    total = float(shares.sum())
    if total <= 0:
        return np.full(rows * columns, 1 / (rows * columns), np.float32)
    weights: NDArray[np.float32] = (shares / total).astype(np.float32)
    return weights


def _start(middle: float, side: int, size: int) -> int:
    """Where a side begins that has its middle there and lies within a size."""
    return min(max(round(middle - side / 2), 0), size - side)
