"""The place, size and strength of a defect."""

import math
from dataclasses import dataclass

import numpy as np

from lab.synthetic.layers import Layers
from lab.synthetic.plane import REFERENCE, Field, Plane, norm
from lab.synthetic.rng import Rng


@dataclass(frozen=True)
class Spot:
    """A place for a defect.

    rng       the defect's own randomness
    on        the plane (a window of the image) of the layers that the defect is given
    x, y      its middle, reference pixels from the middle of the image
    radius    reference pixels: the radius of the disc that has the wanted area
    inward    radians: from an edge towards the middle of the part (any direction where there is no edge)
    strength  about .3 (barely visible) to 1 (obvious), more when the first tries could not be seen
    """

    rng: Rng
    on: Plane
    x: float
    y: float
    radius: float
    inward: float
    strength: float

    def distance(self) -> Field:
        """Distance of every pixel to the middle of the spot, in radii."""
        return norm(self.on.x - self.x, self.on.y - self.y) * (1 / self.radius)

    def width(self, low: float, high: float) -> float:
        """Width of a line, reference pixels: from `low` to `high`, but not too thin for the image to show it."""
        return max(self.rng.uniform(low, high), 0.6 / self.on.scale)

    def near(self, reach: float) -> tuple[float, float]:
        """A random place about the middle, `reach` radii away at most, denser towards the middle."""
        far, turn = self.radius * reach * self.rng.uniform(0, 1), self.rng.angle()
        return self.x + far * math.cos(turn), self.y + far * math.sin(turn)


def find_spot(rng: Rng, on: Plane, layers: Layers, area: float, strength: float, at_edge: bool) -> Spot:
    """A random spot on the part for a defect of about `area` (a share of the image): inside the part or on its edge."""
    step = max(1, min(on.shape) // 56)
    cover = layers.cover[step // 2 :: step, step // 2 :: step]
    solid = cover > 0.95
    if at_edge:
        empty = np.pad(cover < 0.5, 1)
        beside = solid & (empty[:-2, 1:-1] | empty[2:, 1:-1] | empty[1:-1, :-2] | empty[1:-1, 2:])
        solid = beside if beside.any() else solid
    rows, columns = np.nonzero(solid if solid.any() else cover >= cover.max())
    chosen = rng.whole(0, len(rows) - 1)
    unit = step / on.scale
    x = (float(columns[chosen]) + rng.uniform(0, 1)) * unit - REFERENCE / 2
    y = (float(rows[chosen]) + rng.uniform(0, 1)) * unit - REFERENCE / 2
    inward = rng.angle()
    if at_edge:
        middle_x, middle_y = (float(v.mean() + 0.5) * unit - REFERENCE / 2 for v in (columns, rows))
        inward = math.atan2(middle_y - y, middle_x - x)
    return Spot(rng, on, x, y, math.sqrt(area / math.pi) * REFERENCE, inward, strength)
