"""AnoVL's 22 views of an image: rotated, shifted, mirrored, grey."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

VIEWS = 22
_ANGLES = tuple(sign * step * math.pi / 16 for step in (1, 2, 3, 4) for sign in (-1, 1))
_SHIFTS = tuple((size * x, size * y) for size in (0.2, 0.1) for x in (-1, 1) for y in (-1, 1))
_LUMA = (0.299, 0.587, 0.114)


def views(pixels: Tensor) -> Iterator[Tensor]:
    """The views of AnoVL's image score, one at a time, of normalised square pixels [batch, 3, side, side]; first the original.

    Eight rotations by up to 45 degrees, eight shifts by a tenth or a twentieth of the side in both directions, the mirror image,
    grey, and three quarter turns. Beyond its borders an image is reflected (released code).
    """
    yield pixels
    for angle in _ANGLES:
        cos, sin = math.cos(angle), math.sin(angle)
        yield _warped(pixels, ((cos, -sin, 0.0), (sin, cos, 0.0)))
    for x, y in _SHIFTS:
        yield _warped(pixels, ((1.0, 0.0, x), (0.0, 1.0, y)))
    yield pixels.flip(-1)
    yield torch.einsum("bchw,c->bhw", pixels, pixels.new_tensor(_LUMA))[:, None].expand_as(pixels)
    for quarters in (1, 2, 3):
        yield pixels.rot90(quarters, (-2, -1))


def _warped(pixels: Tensor, affine: tuple[tuple[float, ...], ...]) -> Tensor:
    """The pixels at affine(place), places in [-1, 1] from the centre of the first pixel to the centre of the last."""
    matrix = pixels.new_tensor(affine).expand(pixels.shape[0], 2, 3)
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=True)
    return F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=True)
