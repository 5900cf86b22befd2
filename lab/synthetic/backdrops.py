"""What a part lies on: bright, dark or coloured; plain, shaded, rough, brushed or ribbed."""

import math
from collections.abc import Callable

import numpy as np

from lab.synthetic.layers import Colour, ColourField, clip, colour
from lab.synthetic.plane import Field, Plane, fractal, streaks
from lab.synthetic.rng import Rng


def background(design: Rng) -> Colour:
    """Colour of what the part lies on: bright, dark, or any."""
    kind = design.pick(["bright", "dark", "any"], p=[0.37, 0.33, 0.3])
    if kind == "bright":
        return clip(design.uniform(0.55, 0.95) * (1 + 0.03 * design.normals(3, 1, 1)))
    if kind == "dark":
        return clip(design.uniform(0.004, 0.05) * (1 + 0.1 * design.normals(3, 1, 1)))
    return colour(design, 0.05, 0.6)


def backdrop(design: Rng, piece: Rng, on: Plane, base: Colour) -> ColourField:
    """The ground's colour with its texture, float32 [3, h, w]."""
    tone = np.ones_like(on.x)
    for texture, share in _TEXTURES:
        if design.chance(share):
            tone = tone * texture(design, piece, on)
    return clip(base * tone)


def _shaded(design: Rng, piece: Rng, on: Plane) -> Field:
    slope: Field = design.uniform(0.1, 0.6) / 112 * on.along(design.angle())
    return np.exp(slope, dtype=np.float32)


def _grainy(design: Rng, piece: Rng, on: Plane) -> Field:
    return 1 + design.uniform(0.02, 0.12) * fractal(piece, on, design.uniform(2, 14), 3, 0.6)


def _cloudy(design: Rng, piece: Rng, on: Plane) -> Field:
    return 1 + design.uniform(0.01, 0.06) * fractal(piece, on, design.uniform(30, 120), 3, 0.6)


def _brushed(design: Rng, piece: Rng, on: Plane) -> Field:
    return 1 + design.uniform(0.03, 0.15) * streaks(piece, on, design.angle(), 2, 80)


def _ribbed(design: Rng, piece: Rng, on: Plane) -> Field:
    u, _ = on.posed(design.angle(), *piece.point(20))
    wave: Field = np.sin(u * (2 * math.pi / design.uniform(6, 30)))
    return 1 + design.uniform(0.05, 0.3) * wave


_TEXTURES: tuple[tuple[Callable[[Rng, Rng, Plane], Field], float], ...] = (
    (_shaded, 0.4),
    (_grainy, 0.3),
    (_cloudy, 0.2),
    (_brushed, 0.1),
    (_ribbed, 0.07),
)
