"""The picture plane: coordinates and random fields.

Every length in this package is in *reference pixels*: pixels of a 224 x 224 picture. A plane of another size samples the
same world more coarsely or more finely, so nothing else needs to know how large the picture is.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.data.synthetic.dice import Dice

Field = NDArray[np.float32]
"""Float32 [size, size], one value a pixel."""

REFERENCE = 224
"""Side of the picture in reference pixels."""


@dataclass(frozen=True)
class Plane:
    """Coordinates of the pixel centres, in reference pixels from the middle of the picture: x to the right, y down."""

    size: int
    x: Field
    y: Field

    @property
    def scale(self) -> float:
        """Pixels per reference pixel."""
        return self.size / REFERENCE

    def posed(self, angle: float, dx: float = 0.0, dy: float = 0.0, zoom: float = 1.0) -> tuple[Field, Field]:
        """Coordinates (u, v) of a thing that lies at (dx, dy), turned by `angle` radians and enlarged by `zoom`."""
        c, s = np.float32(np.cos(angle) / zoom), np.float32(np.sin(angle) / zoom)
        x, y = self.x - np.float32(dx), self.y - np.float32(dy)
        return x * c + y * s, y * c - x * s

    def along(self, angle: float) -> Field:
        """How far each pixel lies in the direction `angle` (radians), reference pixels from the middle."""
        return self.x * np.float32(math.cos(angle)) + self.y * np.float32(math.sin(angle))

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Reference coordinates [..., 2] as (column, row) of this plane's pixels, pixel centres at whole numbers."""
        return (np.asarray(points, np.float64) + REFERENCE / 2) * self.scale - 0.5


@functools.lru_cache(maxsize=8)
def plane(size: int) -> Plane:
    """The plane of a square picture with `size` pixels a side."""
    axis = ((np.arange(size) + 0.5) * REFERENCE / size - REFERENCE / 2).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    for field in (x, y):
        field.setflags(write=False)
    return Plane(size, x, y)


def blur(field: Field, sigma: float, on: Plane) -> Field:
    """Gaussian blur; `sigma` in reference pixels. A sigma too small to matter leaves the field as it is."""
    pixels = sigma * on.scale
    return np.asarray(cv2.GaussianBlur(field, (0, 0), pixels), np.float32) if pixels > 0.2 else field


def smoothstep(low: float, high: float, field: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between (also for low > high, which turns it round)."""
    t = np.clip((field - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def noise(rng: Dice, on: Plane, wavelength: float) -> Field:
    """Smooth random field of about unit variance whose features are `wavelength` reference pixels apart."""
    cells = max(2, int(np.ceil(2 * REFERENCE / wavelength)))
    if cells >= on.size:
        return rng.normals(on.size, on.size)
    grid = rng.normals(cells + 2, cells + 2)
    step = on.size / cells
    side = int(np.ceil((cells + 2) * step))
    large = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    start = int(step)
    return np.asarray(large[start : start + on.size, start : start + on.size] * 1.25, np.float32)


def fractal(rng: Dice, on: Plane, wavelength: float, octaves: int, gain: float = 0.5) -> Field:
    """Sum of `octaves` noises, each of half the wavelength and `gain` times the amplitude of the one before."""
    total = noise(rng, on, wavelength)
    weight = 1.0
    for octave in range(1, octaves):
        total = total + np.float32(gain**octave) * noise(rng, on, wavelength / 2**octave)
        weight += gain ** (2 * octave)
    return np.asarray(total / np.float32(math.sqrt(weight)), np.float32)


def streaks(rng: Dice, on: Plane, angle: float, across: float, along: float) -> Field:
    """Noise drawn out along a direction: `across` and `along` are its wavelengths, `angle` turns the long axis from x."""
    side = int(np.ceil(on.size * 1.45))
    rows = int(np.clip(2 * REFERENCE * 1.45 / across, 2, side))
    columns = int(np.clip(2 * REFERENCE * 1.45 / along, 2, side))
    grid = rng.normals(rows, columns)
    large = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -np.degrees(angle), 1.0)
    turn[:, 2] -= (side - on.size) / 2
    turned = cv2.warpAffine(large, turn, (on.size, on.size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.float32)


def cells(rng: Dice, on: Plane, spacing: float, jitter: float = 0.9) -> tuple[NDArray[np.int32], Field, Field]:
    """Voronoi cells about `spacing` apart: label of each pixel's cell, distance to its centre, distance to its border."""
    count = int(np.ceil(REFERENCE / spacing)) + 2
    nodes = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2) - (count - 1) / 2
    nodes = (nodes + jitter * rng.uniforms(-0.5, 0.5, *nodes.shape) + rng.uniforms(-0.5, 0.5, 2)) * spacing
    at = np.round(on.pixels(nodes)).astype(int)
    at = at[((at >= 0) & (at < on.size)).all(1)]
    seeds = np.full((on.size, on.size), 255, np.uint8)
    seeds[at[:, 1], at[:, 0]] = 0
    far, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    border = np.full((on.size, on.size), 255, np.uint8)
    border[:, 1:][label[:, 1:] != label[:, :-1]] = 0
    border[1:][label[1:] != label[:-1]] = 0
    near = cv2.distanceTransform(border, cv2.DIST_L2, 5)
    return (
        np.asarray(label, np.int32),
        np.asarray(far / np.float32(on.scale), np.float32),
        np.asarray(near / np.float32(on.scale), np.float32),
    )
