"""Lines and blobs: the marks that hands, tools and accidents leave."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.synthetic.plane import REFERENCE, Field, Plane, noise, norm, smoothstep
from lab.synthetic.rng import Rng

Path = NDArray[np.float64]
"""Float64 [n, 2], points (x, y) in reference pixels."""

Canvas = NDArray[np.uint8]
Corners = NDArray[np.int32]

SUPERSAMPLING = 3
"""Strokes are drawn so many times larger and averaged down: lines thinner than a pixel are then faint, not jagged."""


def wander(
    rng: Rng, start: tuple[float, float], heading: float, length: float, curl: float, jitter: float = 0.0
) -> Path:
    """A random walk from `start`: `curl` is how fast its heading drifts (radians a step), `jitter` how ragged it is."""
    steps = min(max(int(length / 3), 3), 60)
    drift = np.cumsum(curl * rng.normals(steps)) + rng.normal(0.3 * curl)
    angle = np.asarray(heading + drift + jitter * rng.normals(steps), np.float64)
    moves = np.stack([np.cos(angle), np.sin(angle)], -1) * (length / steps)
    path: Path = np.array(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, 0)])
    return path


def tangle(rng: Rng, count: int, length: float, curl: float) -> list[Path]:
    """Random walks that start and head anywhere, all over the image: what `wander` does, for many at once."""
    steps = min(max(int(length / 4), 1), 20)
    angle = rng.uniforms(0, 2 * math.pi, count, 1) + np.cumsum(curl * rng.normals(count, steps), 1)
    moves = np.stack([np.cos(angle), np.sin(angle)], -1) * (length / steps)
    starts = rng.uniforms(-REFERENCE / 2, REFERENCE / 2, count, 1, 2)
    return list((starts + np.cumsum(np.pad(moves, ((0, 0), (1, 0), (0, 0))), 1)).astype(np.float64))


def _painted(paths: Sequence[Path], margin: float, on: Plane, paint: Callable[[Canvas, list[Corners]], None]) -> Field:
    """Let `paint` draw the paths on an enlarged canvas that just holds them, `margin` pixels wider, and average it down."""
    cover = np.zeros_like(on.x)
    points = [on.pixels(path) for path in paths]
    low = np.floor(np.min([p.min(0) for p in points], 0) - margin).astype(int).clip(0)
    high = (np.ceil(np.max([p.max(0) for p in points], 0) + margin).astype(int) + 1).clip(None, on.shape[::-1])
    if (low >= high).any():
        return cover
    (left, top), (wide, tall) = low.tolist(), (high - low).tolist()
    canvas = np.zeros((tall * SUPERSAMPLING, wide * SUPERSAMPLING), np.uint8)
    paint(canvas, [np.round(((p - low + 0.5) * SUPERSAMPLING - 0.5) * 16).astype(np.int32) for p in points])
    small = cv2.resize(canvas, (wide, tall), interpolation=cv2.INTER_AREA)
    cover[top : top + tall, left : left + wide] = small.astype(np.float32) * (1 / 255)
    return cover


def draw(paths: Sequence[Path], width: float, on: Plane) -> Field:
    """How much of each pixel lines of `width` reference pixels cover, 0..1."""
    thick = width * on.scale * SUPERSAMPLING
    brush = max(
        1, 2 * round((thick - 1.4) / 2)
    )  # OpenCV draws anti-aliased lines 1.4, 3.4, 5.4 ... wide for 1, 2, 4 ...

    def paint(canvas: Canvas, lines: list[Corners]) -> None:
        cv2.polylines(canvas, lines, False, (255,), brush, cv2.LINE_AA, 4)

    return _painted(paths, width * on.scale + 1, on, paint) * min(thick / 1.4, 1.0)


def taper(path: Path, width: float, on: Plane) -> Field:
    """How much of each pixel a line covers that is `width` wide in the middle and runs out to nothing at both ends."""
    cover = np.zeros_like(on.x)
    for share in (1.0, 0.66, 0.33):
        cut = int(len(path) * (1 - share) / 2)
        cover = np.maximum(cover, draw([path[cut : len(path) - cut]], width * (1.25 - share), on))
    return cover


def fill(polygons: Sequence[Path], on: Plane) -> Field:
    """How much of each pixel the polygons cover, 0..1."""

    def paint(canvas: Canvas, areas: list[Corners]) -> None:
        for area in areas:
            cv2.fillPoly(canvas, [area], (255,), cv2.LINE_AA, 4)

    return _painted(polygons, 1, on, paint)


def blob(rng: Rng, on: Plane, x: float, y: float, radius: float, softness: float, rough: float = 0.25) -> Field:
    """An irregular round patch about (x, y), 1 inside, 0 outside; `softness` 0..1 is the share of its rim that fades."""
    stretch = rng.factor(0.3)
    u, v = on.posed(rng.angle(), x, y)
    angle = np.arctan2(v, u)
    wobble = 1 + rough * 0.35 * noise(rng, on, max(radius * 0.5, 3))
    for wave in (2, 3, 5):
        wobble = wobble + rng.normal(0.5 * rough / wave) * np.cos(wave * angle + rng.angle())
    edge = max(softness, 1.2 / (radius * on.scale))
    return smoothstep(1 + edge / 2, 1 - edge / 2, norm(u * (1 / stretch), v * stretch) * (1 / radius) * wobble)


def shard(rng: Rng, x: float, y: float, radius: float, corners: int) -> Path:
    """A jagged polygon about (x, y)."""
    angle = np.sort(rng.uniforms(0, 2 * math.pi, corners)).astype(np.float64)
    reach = radius * rng.uniforms(0.55, 1.25, corners)
    return np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], -1)
