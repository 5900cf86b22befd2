"""What normal images show beside the part itself: the edge of a sheet, a seam, a print, dust, lint on the table.

None of it is a defect; a detector has to learn to leave it alone.
"""

import math

import numpy as np

from lab.synthetic.backdrops import background
from lab.synthetic.features import ON_SURFACES, Body
from lab.synthetic.layers import Layers
from lab.synthetic.outlines import box
from lab.synthetic.plane import Field, Plane, smoothstep
from lab.synthetic.rng import Rng
from lab.synthetic.strokes import draw, tangle

EDGE_SHARE, SEAM_SHARE, FEATURE_SHARE, DUST_SHARE, LINT_SHARE = 0.2, 0.1, 0.12, 0.25, 0.15
"""Shares of products whose images show each of these."""


def add_distractors(layers: Layers, is_surface: bool, design: Rng, piece: Rng, on: Plane) -> None:
    """Add to the layers what the product's images show beside it."""
    if is_surface:
        if design.chance(FEATURE_SHARE):
            _feature(layers, design, piece, on)
        if design.chance(SEAM_SHARE):
            _seam(layers, design, piece, on)
        if design.chance(EDGE_SHARE):
            _edge(layers, design, piece, on)
    elif design.chance(LINT_SHARE):
        _lint(layers, design, piece, on)
    if design.chance(DUST_SHARE):
        _dust(layers, design, piece, on)


def _sheet(u: Field, v: Field) -> tuple[Field, Field]:
    return box(u, v, 95, 95), np.zeros_like(u)


def _feature(layers: Layers, design: Rng, piece: Rng, on: Plane) -> None:
    u, v = on.posed(design.normal(0.03) + piece.normal(0.015), *piece.point(6))
    design.pick(ON_SURFACES)(Body(layers, _sheet, u, v, _sheet(u, v)[0]), design)


def _upright(design: Rng, piece: Rng) -> float:
    return design.whole(0, 3) * math.pi / 2 + design.normal(0.03) + piece.normal(0.01)


def _seam(layers: Layers, design: Rng, piece: Rng, on: Plane) -> None:
    """Two sheets that meet: a line across the image, one side a touch lighter."""
    across = on.along(_upright(design, piece)) - (design.uniform(-70, 70) + piece.normal(3))
    layers.height = layers.height - design.uniform(-1.5, 2) * smoothstep(design.uniform(1, 2.5), 0, np.abs(across))
    layers.albedo = layers.albedo * (1 + design.normal(0.06) * smoothstep(-0.6, 0.6, across))


def _edge(layers: Layers, design: Rng, piece: Rng, on: Plane) -> None:
    """The sheet ends within the image, at one side or two."""
    layers.backdrop = np.broadcast_to(background(design), layers.backdrop.shape).astype(np.float32)
    first = _upright(design, piece)
    for side in range(design.whole(1, 2)):
        outside = on.along(first + side * math.pi / 2) - (design.uniform(60, 104) + piece.normal(2))
        layers.cover = layers.cover * smoothstep(0.6, -0.6, outside)
        layers.height = layers.height - design.uniform(0.5, 3) * smoothstep(-design.uniform(2, 6), 0, outside)


def _lint(layers: Layers, design: Rng, piece: Rng, on: Plane) -> None:
    """Short fibres on the table beside the part."""
    fibres = tangle(piece, piece.whole(1, 4), piece.uniform(5, 25), 0.2)
    layers.backdrop = np.clip(layers.backdrop + design.uniform(-0.15, 0.25) * draw(fibres, 1.1, on), 0.002, 1)


def _dust(layers: Layers, design: Rng, piece: Rng, on: Plane) -> None:
    """Specks of less than a pixel, faint, anywhere."""
    specks = tangle(piece, piece.whole(2, 16), 0.6, 0.0)
    dust = design.uniform(-0.3, 0.3) * draw(specks, design.uniform(0.6, 1.1), on)
    layers.albedo = np.clip(layers.albedo * (1 + dust), 0, 1)
    layers.backdrop = np.clip(layers.backdrop * (1 + dust), 0, 1)
