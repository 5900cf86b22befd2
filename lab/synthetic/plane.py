"""The image plane: coordinates and random fields.

Every length in this package is in *reference pixels*: pixels of a 224 x 224 image. A plane of another size samples the same
world more coarsely or more finely, so nothing else needs to know how large the image is.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.synthetic.rng import Rng

Field = NDArray[np.floating]
"""Float32 [h, w], one value a pixel."""

Window = tuple[slice, slice]
"""Rows and columns of a part of the image."""

REFERENCE = 224
"""Side of the image in reference pixels."""


@dataclass(frozen=True)
class Plane:
    """Coordinates of the pixel centres of an image, or of a window of it.

    x, y    float32 [h, w], reference pixels from the middle of the image, x to the right, y down
    scale   pixels per reference pixel
    corner  row and column of the first pixel in the whole image
    """

    x: Field
    y: Field
    scale: float
    corner: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.x.shape
        return rows, columns

    def cut(self, window: Window) -> "Plane":
        """The part of the whole plane that lies in `window`."""
        return Plane(self.x[window], self.y[window], self.scale, (window[0].start, window[1].start))

    def posed(self, angle: float, dx: float = 0.0, dy: float = 0.0, zoom: float = 1.0) -> tuple[Field, Field]:
        """Coordinates (u, v) of a thing that lies at (dx, dy), turned by `angle` radians and enlarged by `zoom`."""
        c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
        return self.x * c + (self.y * s - (dx * c + dy * s)), self.y * c - (self.x * s + (dy * c - dx * s))

    def along(self, angle: float) -> Field:
        """How far each pixel lies in the direction `angle` (radians), reference pixels from the middle."""
        return self.x * math.cos(angle) + self.y * math.sin(angle)

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Reference coordinates [..., 2] as (column, row) of this plane's pixels, pixel centres at whole numbers."""
        corner = np.array([self.corner[1] + 0.5, self.corner[0] + 0.5])
        at: NDArray[np.float64] = (points + REFERENCE / 2) * self.scale - corner
        return at

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the pixel of this plane nearest to (x, y)."""
        column, row = self.pixels(np.array([x, y])).round().astype(int).tolist()
        return min(max(row, 0), self.shape[0] - 1), min(max(column, 0), self.shape[1] - 1)

    def window(self, x: float, y: float, reach: float) -> Window:
        """The window of this plane that holds everything at most `reach` from (x, y) along the axes."""
        low, high = self.pixels(np.array([[x - reach, y - reach], [x + reach, y + reach]]))
        rows, columns = self.shape
        return (
            slice(max(int(low[1]), 0), min(math.ceil(high[1]) + 1, rows)),
            slice(max(int(low[0]), 0), min(math.ceil(high[0]) + 1, columns)),
        )


@functools.lru_cache(maxsize=8)
def plane(size: int) -> Plane:
    """The plane of a square image with `size` pixels a side."""
    axis = ((np.arange(size) + 0.5) * REFERENCE / size - REFERENCE / 2).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    for field in (x, y):
        field.setflags(write=False)
    return Plane(x, y, size / REFERENCE)


def norm(u: Field, v: Field) -> Field:
    """Length of the vectors (u, v)."""
    squares: Field = u * u + v * v
    return np.sqrt(squares, dtype=np.float32)


def wrap(t: Field, period: float) -> Field:
    """Remainder of t divided by `period`, 0 <= remainder < period."""
    whole: Field = np.floor(t * (1 / period))
    return t - whole * period


def smoothstep(low: float, high: float, field: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between (also for low > high, which turns it round)."""
    t = np.clip((field - low) * (1 / (high - low)), 0, 1)
    eased: Field = t * t * (3 - 2 * t)
    return eased


def blur(field: Field, sigma: float, on: Plane) -> Field:
    """Gaussian blur; `sigma` in reference pixels. A sigma too small to matter leaves the field as it is."""
    pixels = sigma * on.scale
    if pixels < 0.2:
        return field
    shrink = int(pixels / 2)
    if shrink < 2 or min(field.shape) < 8 * shrink:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), pixels), np.float32)
    rows, columns = field.shape
    small = cv2.resize(field, (columns // shrink, rows // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), pixels / shrink)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def noise(rng: Rng, on: Plane, wavelength: float) -> Field:
    """Smooth random field of about unit variance whose features are `wavelength` reference pixels apart."""
    rows, columns = on.shape
    step = wavelength / 2 * on.scale
    if step <= 1:
        return rng.normals(rows, columns)
    high, wide = max(2, round(rows / step)), max(2, round(columns / step))
    fine = cv2.resize(rng.normals(high, wide), (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine * 1.25, np.float32)


def fractal(rng: Rng, on: Plane, wavelength: float, octaves: int, gain: float = 0.5) -> Field:
    """Sum of `octaves` noises, each of half the wavelength and `gain` times the amplitude of the one before."""
    total = noise(rng, on, wavelength)
    power = 1.0
    for octave in range(1, octaves):
        total = total + gain**octave * noise(rng, on, wavelength / 2**octave)
        power += gain ** (2 * octave)
    return total * (1 / math.sqrt(power))


def streaks(rng: Rng, on: Plane, angle: float, across: float, along: float) -> Field:
    """Noise drawn out along a direction: `across` and `along` are its wavelengths, `angle` turns the long axis from x."""
    rows, columns = on.shape
    side = math.ceil(math.hypot(rows, columns)) + 2
    high, wide = (max(4, min(side, round(2 * side / (wave * on.scale)))) for wave in (across, along))
    fine = cv2.resize(rng.normals(high, wide), (side, side), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -math.degrees(angle), 1.0)
    turn[:, 2] += np.array([(columns - side) / 2, (rows - side) / 2])
    turned = cv2.warpAffine(fine, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.float32)


def cells(rng: Rng, on: Plane, spacing: float, jitter: float = 0.9) -> tuple[NDArray[np.int32], Field, Field]:
    """Voronoi cells about `spacing` apart: label of each pixel's cell, distance to its centre, distance to its border."""
    count = math.ceil(REFERENCE / spacing) + 2
    nodes = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2) - (count - 1) / 2
    nodes = (nodes + jitter * rng.uniforms(-0.5, 0.5, *nodes.shape) + rng.uniforms(-0.5, 0.5, 2)) * spacing
    at = np.round(on.pixels(nodes)).astype(int)
    rows, columns = on.shape
    at = at[((at >= 0) & (at < [columns, rows])).all(1)]
    seeds = np.full((rows, columns), 255, np.uint8)
    seeds[at[:, 1], at[:, 0]] = 0
    far, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    border = np.full((rows, columns), 255, np.uint8)
    border[:, 1:][label[:, 1:] != label[:, :-1]] = 0
    border[1:][label[1:] != label[:-1]] = 0
    near = cv2.distanceTransform(border, cv2.DIST_L2, 5)
    distances = [np.asarray(d * (1 / on.scale), np.float32) for d in (far, near)]
    return np.asarray(label, np.int32), distances[0], distances[1]
