"""Maps over patches: from similarities and windows to pixels. No method has a name here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.common.recent import Recent

_GAUSSIANS: Recent[tuple[int, float, torch.dtype], Tensor] = Recent(4)
"""Matrices of `_gaussian`, by size, sigma and type."""


def square_grid(patches: int) -> tuple[int, int]:
    """(rows, columns) of the patches of a square image."""
    side = math.isqrt(patches)
    if side * side != patches:
        raise ValueError(f"{patches} patches are no square")
    return side, side


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
    if torch.compiler.is_exporting():  # onnxruntime has no transposed convolution of float64
        return (_covering_sum(torch.ones_like(inverse[:1]), size) / _covering_sum(inverse, size))[:, 0]
    kernel = torch.ones(1, 1, size, size, dtype=torch.float64, device=scores.device)
    covering = F.conv_transpose2d(torch.ones_like(inverse), kernel)
    return (covering / F.conv_transpose2d(inverse, kernel))[:, 0]


def _covering_sum(windows: Tensor, size: int) -> Tensor:
    """At every patch the sum of the windows that cover it: [batch, 1, window rows, window columns] -> [batch, 1, rows, columns]."""
    padded = F.pad(windows, (size - 1,) * 4)
    rows, columns = (length + size - 1 for length in windows.shape[2:])
    shifted = [padded[..., y : y + rows, x : x + columns] for y in range(size) for x in range(size)]
    return torch.stack(shifted).sum(dim=0)


def window_means(patches: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """The mean of the patch features in every size x size window: [batch, patches, channels] -> [batch, windows, channels]."""
    square = patches.transpose(1, 2).reshape(patches.shape[0], -1, *grid)
    return F.avg_pool2d(square, size, stride=1).flatten(2).transpose(1, 2)


def upsample(maps: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Bilinear: [batch, rows, columns] -> [batch, height, width]."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=align_corners)[:, 0]


def joined_maps(parts: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """Maps of groups of images, [images, height, width] each, as those of their batch: stacked where all have one size."""
    if len({part.shape[1:] for part in parts}) == 1:
        return torch.cat(list(parts))
    return [each for part in parts for each in part]


def mean_filter(maps: Tensor, size: int) -> Tensor:
    """The mean of the size x size places around each, size odd: [batch, rows, columns]. Beyond the border its values go on."""
    padded = F.pad(maps[:, None], (size // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, size, stride=1)[:, 0]


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing of [batch, rows, columns]; sigma in pixels, > 0. Borders are mirrored, the kernel ends at 4 sigma.

    The numbers of `scipy.ndimage.gaussian_filter` with its default mode, which AnomalyCLIP's released code calls; also where the
    kernel is wider than the map. Each axis is one product with a matrix, sooner than a convolution of a single channel.
    """
    rows, columns = maps.shape[1:]
    down, across = (_gaussian(length, sigma, maps.dtype).to(maps.device) for length in (rows, columns))
    return down @ maps @ across.T


def _gaussian(size: int, sigma: float, dtype: torch.dtype) -> Tensor:
    """The matrix [size, size] that smooths along one axis: row i holds the weight of every pixel in pixel i.

    It is made once: a graph, which is traced after the method ran, holds it as one constant for both axes.
    """
    if torch.compiler.is_exporting():
        found = _GAUSSIANS.peek((size, sigma, dtype))
        return _new_gaussian(size, sigma).to(dtype) if found is None else found
    with torch.inference_mode(False):
        return _GAUSSIANS.get((size, sigma, dtype), lambda: _new_gaussian(size, sigma).to(dtype))


def _new_gaussian(size: int, sigma: float) -> Tensor:
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    seen = (torch.arange(size)[:, None] + offsets) % (2 * size)
    mirrored = torch.minimum(seen, 2 * size - 1 - seen)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, mirrored, (weights / weights.sum()).expand(size, -1))


Border = Literal["reflect", "mirror"]
"""What lies beyond the border of a map: its values in reverse, with the last one repeated ("reflect") or not ("mirror")."""


def upsample_and_filter(maps: Tensor, size: tuple[int, int], weights: Sequence[float], border: Border) -> Tensor:
    """Bilinear, with half-pixel centres, to `size` (height, width), then a filter along each axis: [batch, height, width].

    maps: [batch, rows, columns]. weights: of the filter, odd in number, for pixels of the enlarged map; they are scaled to a sum
    of 1. Both steps together are one product with a matrix an axis, so that large maps cost little.
    """
    rows, columns = (
        _filtered(_bilinear(grid, pixels), weights, border).to(maps)
        for grid, pixels in zip(maps.shape[1:], size, strict=True)
    )
    return rows @ maps @ columns.T


def gaussian_weights(sigma: float, radius: int | None = None) -> list[float]:
    """The weights of a Gaussian at -radius to radius pixels; None: as far as 4 sigma, as scipy has it."""
    radius = int(4 * sigma + 0.5) if radius is None else radius
    return [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]


def mean_of_highest(values: Tensor, share: float) -> Tensor:
    """The mean of the highest values of each row, at least one of them: [batch, values] -> [batch]. share: of all, rounded down."""
    return values.topk(max(1, int(share * values.shape[1])), dim=1).values.mean(dim=1)


def _bilinear(grid: int, pixels: int) -> Tensor:
    """The matrix [pixels, grid] that enlarges along one axis, float64."""
    unit = torch.eye(grid, dtype=torch.float64)[None]
    return F.interpolate(unit, size=pixels, mode="linear", align_corners=False)[0].T


def _filtered(matrix: Tensor, weights: Sequence[float], border: Border) -> Tensor:
    """The matrix followed by a filter over what it gives."""
    count, radius, total = len(matrix), len(weights) // 2, sum(weights)
    period = 2 * count if border == "reflect" else max(1, 2 * count - 2)
    found = torch.zeros_like(matrix)
    for offset, weight in zip(range(-radius, radius + 1), weights, strict=True):
        seen = (torch.arange(count) + offset) % period
        seen = torch.minimum(seen, (period - 1 if border == "reflect" else period) - seen)
        found = found + weight / total * matrix[seen]
    return found
