"""Where a defect goes, how large and how strong it is: what every defect is told."""

import math
from dataclasses import dataclass

import numpy as np

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import Layers
from oddlens.data.synthetic.plane import REFERENCE, Field, Plane


@dataclass(frozen=True)
class Spot:
    """A place for a defect.

    x, y      its middle, reference pixels from the middle of the picture
    radius    reference pixels: the radius of the disc that has the area asked for
    inward    radians: from an edge towards the middle of the part (any direction where there is no edge)
    strength  about .3 (barely visible) to 1 (obvious), more when the first tries could not be seen
    """

    rng: Dice
    on: Plane
    x: float
    y: float
    radius: float
    inward: float
    strength: float

    def distance(self) -> Field:
        """Distance of every pixel to the middle of the spot, in radii."""
        return np.hypot(self.on.x - np.float32(self.x), self.on.y - np.float32(self.y)) / np.float32(self.radius)

    def near(self, reach: float) -> tuple[float, float]:
        """A random place about the middle, `reach` radii away at most, denser towards the middle."""
        far, turn = self.radius * reach * self.rng.uniform(0, 1), self.rng.angle()
        return self.x + float(far * np.cos(turn)), self.y + float(far * np.sin(turn))


def find_spot(rng: Dice, on: Plane, layers: Layers, area: float, strength: float, at_edge: bool) -> Spot:
    """A random spot on the part for a defect that covers about `area` (a share of the picture): inside it or on its edge."""
    step = max(1, on.size // 56)
    cover = layers.cover[step // 2 :: step, step // 2 :: step]
    solid = cover > 0.95
    if at_edge:
        beside = np.zeros_like(solid)
        beside[1:-1, 1:-1] = (
            (cover[:-2, 1:-1] < 0.5) | (cover[2:, 1:-1] < 0.5) | (cover[1:-1, :-2] < 0.5) | (cover[1:-1, 2:] < 0.5)
        )
        solid = solid & beside if (solid & beside).any() else solid
    rows, columns = np.nonzero(solid if solid.any() else cover >= cover.max())
    pick = rng.whole(0, len(rows) - 1)
    unit = step / on.scale
    x, y = ((np.array([columns[pick], rows[pick]]) + rng.uniforms(0, 1, 2)) * unit - REFERENCE / 2).tolist()
    if at_edge:
        middle = (np.array([columns.mean(), rows.mean()]) + 0.5) * unit - REFERENCE / 2
        inward = float(np.arctan2(middle[1] - y, middle[0] - x))
    else:
        inward = float(rng.angle())
    return Spot(rng, on, x, y, float(math.sqrt(area / np.pi) * REFERENCE), inward, strength)
