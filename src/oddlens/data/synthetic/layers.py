"""What a picture is drawn from: a flat stack of material layers under a light.

A class (surface or shape) builds the layers, a defect changes them, and only then the light falls on them. So a dent is
shaded by the same light as the part it is in, and the pixels that a defect changed are known exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.plane import Field

Colour = NDArray[np.float32]
"""Float32 [3], red, green, blue, reflectance 0..1."""

ColourField = NDArray[np.float32]
"""Float32 [size, size, 3]."""


@dataclass
class Layers:
    """One part (or an endless surface) in front of a backdrop.

    albedo    float32 [s, s, 3], colour of the material, 0..1
    height    float32 [s, s], relief towards the camera, in reference pixels
    gloss     float32 [s, s], strength of white highlights, 0..1
    cover     float32 [s, s], 1 where the part is, 0 where the backdrop shows, between on its anti-aliased edge
    backdrop  float32 [s, s, 3], colour of what lies behind
    metal     0..1, how much of the body colour mirrors the surroundings instead of scattering
    """

    albedo: ColourField
    height: Field
    gloss: Field
    cover: Field
    backdrop: ColourField
    metal: float


def mix(low: ColourField | Colour, high: ColourField | Colour, weight: Field) -> ColourField:
    """Blend two colours (or fields of colours) by a weight field: `low` where it is 0, `high` where it is 1."""
    return np.asarray(low + weight[..., None] * (high - low), np.float32)


def colour(rng: Dice, low: float = 0.06, high: float = 0.85) -> Colour:
    """A material's colour: often a near grey (metal, ceramic, rubber), sometimes muted, sometimes strong."""
    value = rng.uniform(low, high)
    strength = rng.pick([0.05, 0.25, 0.75], p=[0.45, 0.32, 0.23]) * rng.uniform(0.3, 1.0)
    hue = rng.angle()
    wave = np.cos(hue - np.array([0.0, 2.0944, 4.1888]))
    return np.asarray(np.clip(value * (1 + strength * wave), 0.01, 1.0), np.float32)


def kin(rng: Dice, base: Colour, spread: float) -> Colour:
    """A relative of `base`: lighter or darker by up to a factor 1 + `spread`, with a slight shift of hue."""
    gain = np.exp(rng.uniform(-1, 1) * np.log1p(spread)) * (1 + 0.15 * spread * rng.uniforms(-1, 1, 3))
    return np.asarray(np.clip(base * gain, 0.01, 1.0), np.float32)
