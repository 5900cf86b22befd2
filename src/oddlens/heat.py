"""Heat: a map at a picture's own size, and the regions in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """A connected part of a picture whose heat reaches the pixel threshold, in the picture's own pixels.

    x, y: top-left corner of its box. area: pixels. peak, mean: of the heat inside. outline: (x, y) corners of its outer contour.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float
    mean: float
    outline: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """The box, area and heat as JSON values; the outline is left out."""
        return {
            "box": [self.x, self.y, self.width, self.height],
            "area": self.area,
            "peak": self.peak,
            "mean": self.mean,
        }


def resize_heat(anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map brought to (width, height) pixels, bilinear; float32 [height, width]."""
    resized: NDArray[np.float32] = cv2.resize(anomaly_map, size, interpolation=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )
    return resized


def find_regions(heat: NDArray[np.float32], threshold: float) -> tuple[Region, ...]:
    """The 8-connected regions of `heat` >= threshold, by descending peak. heat: float32 [height, width]."""
    above = (heat >= threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    regions = []
    for number in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[number])
        box = np.s_[y : y + height, x : x + width]
        inside = labels[box] == number
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )
        outline = tuple((int(px), int(py)) for px, py in max(contours, key=len)[:, 0])
        values = heat[box][inside]
        regions.append(Region(x, y, width, height, area, float(values.max()), float(values.mean()), outline))
    return tuple(sorted(regions, key=lambda region: -region.peak))
