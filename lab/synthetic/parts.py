"""A part on a backdrop: an outline, given a material, a finish and features, and put down in a pose."""

import math

import numpy as np

from lab.synthetic.backdrops import backdrop, background
from lab.synthetic.features import ON_PARTS, Body, places
from lab.synthetic.finishes import FINISHES
from lab.synthetic.layers import Colour, Layers, clip, colour
from lab.synthetic.outlines import Outline, Shape
from lab.synthetic.plane import Field, Plane, smoothstep
from lab.synthetic.rng import Rng

CLOSE_SHARE = 0.15
"""Share of products that are so near to the camera that the image shows a section only."""


def part(shape: Shape, design: Rng, piece: Rng, on: Plane) -> Layers:
    """Layers of one part of the given shape."""
    outline = shape(design)
    turn, zoom, u, v = _pose(design, piece, on, outline)
    distance, body = outline(u, v)
    distance = distance * zoom
    tone, relief = design.pick(FINISHES)(design, piece, on, u, v, turn)
    bevel = design.uniform(1.0, 7.0)
    inside = np.clip(distance * (-1 / bevel), 0, 1)
    rounding = np.sqrt(1 - (1 - inside) ** 2) * (bevel * design.uniform(0.3, 0.9))
    behind = background(design)
    layers = Layers(
        albedo=_material(design, behind) * tone,
        height=body * zoom + rounding + relief,
        gloss=np.full_like(u, design.pick([0.02, 0.12, 0.3]) * design.uniform(0, 1)),
        cover=smoothstep(0.6, -0.6, distance),
        backdrop=backdrop(design, piece, on, behind),
        metal=design.pick([0.0, 0.9], p=[0.55, 0.45]) * design.uniform(0, 1),
    )
    for _ in range(design.whole(0, 4)):
        design.pick(ON_PARTS)(Body(layers, outline, u, v, distance), design)
    layers.albedo = clip(layers.albedo)
    return layers


def _material(design: Rng, behind: Colour) -> Colour:
    """A colour that stands out from the backdrop's."""
    base = colour(design)
    if abs(float(behind.mean()) - float(base.mean())) > 0.12:
        return base
    return clip(base * 0.35 if float(base.mean()) > 0.3 else base + 0.35)


def _pose(design: Rng, piece: Rng, on: Plane, outline: Outline) -> tuple[float, float, Field, Field]:
    """How the part lies: its turn, its zoom, and the coordinates (u, v) of every pixel on it.

    A product is either put down anyhow or held by a fixture, nearly the same each time.
    """
    close = design.chance(CLOSE_SHARE)
    zoom = design.uniform(1.3, 2.4) if close else design.uniform(0.85, 1.2)
    focus = places(design, outline, 1, 4.0) if close else []
    focus_u, focus_v = focus[0] if focus else (0.0, 0.0)
    upright = design.whole(0, 3) * math.pi / 2 + design.normal(0.02)
    home = upright if design.chance(0.55) else design.angle()
    loose = design.chance(0.3)
    turn = piece.angle() if loose else home + piece.normal(0.02)
    spread = 6.0 if loose else 1.5
    dx, dy = design.normal(4) + piece.normal(spread), design.normal(4) + piece.normal(spread)
    u, v = on.posed(turn, dx, dy, zoom * piece.factor(0.006))
    foreshortening = design.pick([1.0, 0.85], p=[0.75, 0.25])
    return turn, zoom, u + focus_u, v * (1 / foreshortening) + focus_v
