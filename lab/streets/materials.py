"""The materials of things: two colours and a texture between them.

Lengths are in *frame units*: a frame is 128 units high at any number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.synthetic.layers import ColourField, kin, mix
from lab.synthetic.plane import Field, Plane, fractal, noise, smoothstep, streaks, wrap
from lab.synthetic.rng import Rng

Texture = Callable[[Rng, Plane, float], Field]
"""(rng, window of the frame, zoom) -> where the second colour shows, 0..1; lengths of the texture are times `zoom`."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """A material: two colours and a texture.

    Attributes:
        first: Red, green, blue in linear light, 0..1.
        second: The other colour.
        texture: Where the second colour shows.
        spread: How much one thing of the material may be lighter or darker than another.
    """

    first: Rgb
    second: Rgb
    texture: Texture
    spread: float = 0.3

    def paint(self, rng: Rng, on: Plane, zoom: float) -> ColourField:
        """The material over a window, float32 [3, h, w]."""
        first, second = (
            kin(rng, np.array(rgb, np.float32).reshape(3, 1, 1), self.spread) for rgb in (self.first, self.second)
        )
        return mix(first, second, self.texture(rng, on, zoom))


def plain(rng: Rng, on: Plane, zoom: float) -> Field:
    """One tone that drifts a little."""
    return _share(0.5 + 0.25 * noise(rng, on, 25 * zoom))


def grain(wavelength: float, strength: float = 0.35) -> Texture:
    """Fine random grain."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        return _share(0.5 + strength * fractal(rng, on, wavelength * zoom, 2))

    return texture


def blotches(wavelength: float, share: float = 0.5, softness: float = 0.3) -> Texture:
    """Patches of the second colour over about `share` of the area, with soft or sharp rims."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        level = 2.6 * (0.5 - share)
        return smoothstep(level - softness, level + softness, fractal(rng, on, wavelength * zoom, 2))

    return texture


def fibres(across: float, along: float, angle: float) -> Texture:
    """Streaks along a direction (radians)."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        return _share(0.5 + 0.4 * streaks(rng, on, angle + rng.normal(0.05), across * zoom, along * zoom))

    return texture


def ribs(pitch: float, angle: float, share: float = 0.5) -> Texture:
    """Parallel bands; `angle` (radians) is the direction across them: 0 gives upright bands."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        across = on.along(angle + rng.normal(0.03)) + rng.uniform(0, pitch)
        return _bands(across, pitch * zoom * rng.factor(0.08), share, on)

    return texture


def grid(wide: float, high: float, wall: float, stagger: float = 0.0) -> Texture:
    """Panes of the first colour in a lattice of the second, `wall` thick; `stagger` shifts every other row (bricks)."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        size = zoom * rng.factor(0.08)
        v = (on.y + rng.uniform(0, high)) * (1 / (high * size))
        u = (on.x + rng.uniform(0, wide)) * (1 / (wide * size)) + stagger * np.floor(wrap(v, 2.0))
        edge = 0.5 / (on.scale * min(wide, high) * size)
        gaps = [
            np.minimum(wrap(t, 1.0), 1 - wrap(t, 1.0)) - 0.5 * wall / length for t, length in ((u, wide), (v, high))
        ]
        return smoothstep(edge, -edge, np.minimum(*gaps))

    return texture


def checks(pitch: float) -> Texture:
    """A chequerboard."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        size = pitch * zoom
        u, v = (np.floor((axis + rng.uniform(0, pitch)) * (1 / size)) for axis in (on.x, on.y))
        return wrap(u + v, 2.0)

    return texture


def dots(pitch: float, radius: float) -> Texture:
    """Rows of dots of the second colour; `radius` is a share of the pitch."""

    def texture(rng: Rng, on: Plane, zoom: float) -> Field:
        size = pitch * zoom
        u, v = (wrap((axis + rng.uniform(0, pitch)) * (1 / size), 1.0) - 0.5 for axis in (on.x, on.y))
        edge = 0.5 / (on.scale * size)
        return smoothstep(radius + edge, radius - edge, np.sqrt(u * u + v * v))

    return texture


def _share(field: Field) -> Field:
    clipped: Field = np.clip(field, 0, 1)
    return clipped


def _bands(across: Field, pitch: float, share: float, on: Plane) -> Field:
    phase = np.abs(wrap(across * (1 / pitch), 1.0) - 0.5) * 2
    edge = 1.0 / (on.scale * pitch)
    return smoothstep(share + edge, share - edge, phase)
