"""Maps over patches: from similarities and windows to pixels, and from pixels to regions. No method has a name here."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oddlens.detection import Region


def abnormal_probability(features: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """Softmax over (normal, abnormal) of cosines / temperature, the abnormal part.

    features: unit-norm [..., embed_dim]. prototypes: unit-norm [2, embed_dim], row 0 normal. Returns [...] in [0, 1].
    """
    return (features @ prototypes.T / temperature).softmax(dim=-1)[..., 1]


def harmonic_mean_of_windows(scores: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """At every patch the harmonic mean of the windows that cover it (WinCLIP, section 4.2).

    scores: [batch, windows] >= 0, windows of size x size patches at stride 1, row-major. Returns float64 [batch, rows, columns]; 0
    where a covering window is 0.
    """
    rows, columns = grid
    inverse = 1 / scores.double().view(-1, 1, rows - size + 1, columns - size + 1)
    kernel = torch.ones(1, 1, size, size, dtype=torch.float64, device=scores.device)
    covering = F.conv_transpose2d(torch.ones_like(inverse), kernel)
    return (covering / F.conv_transpose2d(inverse, kernel))[:, 0]


def window_means(patches: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """The mean of the patch features in every size x size window: [batch, patches, channels] -> [batch, windows, channels]."""
    square = patches.transpose(1, 2).reshape(len(patches), -1, *grid)
    return F.avg_pool2d(square, size, stride=1).flatten(2).transpose(1, 2)


def upsample(maps: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Bilinear: [batch, rows, columns] -> [batch, height, width]."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=align_corners)[:, 0]


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
