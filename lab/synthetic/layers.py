"""What an image is drawn from: a flat stack of material layers under a light.

A class (surface or shape) builds the layers, a defect changes them, and only then the light falls on them. So a dent is shaded
by the same light as the part it is in, and the pixels that a defect changed are known exactly.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.synthetic.plane import Field, Plane, Window
from lab.synthetic.rng import Rng

Colour = NDArray[np.floating]
"""Float32 [3, 1, 1]: red, green, blue, reflectance 0..1."""

ColourField = NDArray[np.floating]
"""Float32 [3, h, w]: planes of red, green, blue, so that a field [h, w] multiplies all three."""


@dataclass
class Layers:
    """One part (or an endless surface) in front of a backdrop.

    albedo    float32 [3, h, w], colour of the material, 0..1
    height    float32 [h, w], relief towards the camera, in reference pixels
    gloss     float32 [h, w], strength of white highlights, 0..1
    cover     float32 [h, w], 1 where the part is, 0 where the backdrop shows, between on its anti-aliased edge
    backdrop  float32 [3, h, w], colour of what lies behind
    metal     0..1, how much of the body colour mirrors the surroundings instead of scattering
    """

    albedo: ColourField
    height: Field
    gloss: Field
    cover: Field
    backdrop: ColourField
    metal: float

    def cut(self, window: Window) -> "Layers":
        """The layers within a window; the arrays are views."""
        rows, columns = window
        return Layers(
            albedo=self.albedo[:, rows, columns],
            height=self.height[window],
            gloss=self.gloss[window],
            cover=self.cover[window],
            backdrop=self.backdrop[:, rows, columns],
            metal=self.metal,
        )

    def here(self, on: Plane, x: float, y: float) -> Colour:
        """The albedo about (x, y)."""
        row, column = on.pixel(x, y)
        about = self.albedo[:, max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
        mean: Colour = about.mean((1, 2), keepdims=True)
        return mean


def clip(colour: ColourField, low: float = 0.004) -> ColourField:
    """Reflectances that a material can have: nothing is quite black, nothing above white."""
    clipped: ColourField = np.clip(colour, low, 1)
    return clipped


def mix(low: ColourField | Colour, high: ColourField | Colour, weight: Field) -> ColourField:
    """Blend two colours (or fields of colours) by a weight field: `low` where it is 0, `high` where it is 1."""
    blend: ColourField = low + weight * (high - low)
    return blend


def hue(rng: Rng) -> Colour:
    """A random hue as offsets of the three channels between -1 and 1 that sum to 0."""
    thirds = np.array([0.0, 2.0944, 4.1888], np.float32).reshape(3, 1, 1)
    wave: Colour = np.cos(rng.angle() - thirds)
    return wave


def colour(rng: Rng, low: float = 0.03, high: float = 0.75) -> Colour:
    """A material's colour: often a near grey (metal, ceramic, rubber), sometimes muted, sometimes strong."""
    strength = rng.pick([0.04, 0.25, 0.85], p=[0.5, 0.3, 0.2]) * rng.uniform(0.3, 1.0)
    return clip(rng.uniform(low, high) * (1 + strength * hue(rng)), 0.01)


def kin(rng: Rng, base: Colour, spread: float) -> Colour:
    """A relative of `base`: lighter or darker by up to a factor 1 + `spread`, with a slight shift of hue."""
    gain = math.exp(rng.uniform(-1, 1) * math.log1p(spread))
    return clip(base * gain * (1 + 0.15 * min(spread, 1.0) * hue(rng)), 0.01)
