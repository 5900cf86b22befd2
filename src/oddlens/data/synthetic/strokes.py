"""Lines and blobs: the marks that hands, tools and accidents leave."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.plane import Field, Plane, noise, smoothstep

Path = NDArray[np.float64]
"""Float64 [n, 2], points (x, y) in reference pixels."""

SUPERSAMPLING = 2
"""Strokes are drawn so many times larger and averaged down, so that lines thinner than a pixel are faint, not jagged."""


def wander(
    rng: Dice,
    start: NDArray[np.floating],
    length: float,
    curl: float,
    heading: float | None = None,
    jitter: float = 0.0,
) -> Path:
    """A random walk of `length`: `curl` is how fast its heading drifts (radians a step), `jitter` how ragged it is."""
    steps = int(np.clip(length / 3, 3, 60))
    first = rng.angle() if heading is None else heading
    drift = np.cumsum(curl * rng.normals(steps)) + rng.normal(0.3 * curl)
    angle = first + drift + rng.normals(steps) * jitter
    moves = np.stack([np.cos(angle), np.sin(angle)], -1) * (length / steps)
    return np.asarray(np.concatenate([[start], start + np.cumsum(moves, 0)]), np.float64)


def draw(paths: Sequence[Path], width: float, on: Plane) -> Field:
    """How much of each pixel lines of `width` reference pixels cover, 0..1."""
    large = np.zeros((on.size * SUPERSAMPLING,) * 2, np.uint8)
    thick = width * on.scale * SUPERSAMPLING
    points = [np.round((on.pixels(p) + 0.5) * SUPERSAMPLING * 16).astype(np.int32) for p in paths]
    cv2.polylines(large, points, False, 255, max(1, round(thick)), cv2.LINE_AA, 4)
    small = cv2.resize(large, (on.size, on.size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) * np.float32(min(thick, 1.0) / 255)


def taper(path: Path, width: float, on: Plane) -> Field:
    """How much of each pixel a line covers that is `width` wide in the middle and runs out to nothing at both ends."""
    cover = np.zeros_like(on.x)
    for share in (1.0, 0.66, 0.33):
        cut = int(len(path) * (1 - share) / 2)
        cover = np.maximum(cover, draw([path[cut : len(path) - cut]], width * (1.25 - share), on))
    return cover


def fill(polygons: Sequence[Path], on: Plane) -> Field:
    """How much of each pixel the polygons cover, 0..1."""
    large = np.zeros((on.size * SUPERSAMPLING,) * 2, np.uint8)
    for polygon in polygons:
        points = np.round((on.pixels(polygon) + 0.5) * SUPERSAMPLING * 16).astype(np.int32)
        cv2.fillPoly(large, [points], 255, cv2.LINE_AA, 4)
    small = cv2.resize(large, (on.size, on.size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def blob(rng: Dice, on: Plane, x: float, y: float, radius: float, softness: float, rough: float = 0.25) -> Field:
    """An irregular round patch about (x, y): 1 inside, 0 outside; `softness` 0..1 is the share of its rim that fades."""
    stretch = rng.factor(0.3)
    u, v = on.posed(rng.uniform(0, np.pi), x, y)
    angle = np.arctan2(v, u)
    wobble = sum(rng.normal(rough / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5))
    ragged = rough * 0.35 * noise(rng, on, max(radius * 0.5, 3))
    distance = np.hypot(u / np.float32(stretch), v * np.float32(stretch)) / np.float32(radius)
    edge = max(softness, 1.2 / (radius * on.scale))
    return smoothstep(1 + edge / 2, 1 - edge / 2, distance * (1 + np.asarray(wobble, np.float32) * 0.5 + ragged))


def shard(rng: Dice, x: float, y: float, radius: float, corners: int) -> Path:
    """A jagged polygon about (x, y)."""
    angle = np.sort(rng.uniforms(0, 2 * np.pi, corners)) + 0.05 * rng.normals(corners)
    reach = radius * rng.uniforms(0.55, 1.25, corners)
    return np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], -1)
