"""Outlines of generic parts as signed distances, with the relief of their bodies.

A shape draws its proportions once (from the product's design) and returns a function of the part's own coordinates (u, v),
reference pixels from its middle, that gives the distance to the outline (negative inside) and the height of the body. So the
same part can be drawn in any pose, and a feature can find out whether a place is on the part.
"""

import math
from collections.abc import Callable

import numpy as np

from lab.synthetic.plane import Field, norm, smoothstep, wrap
from lab.synthetic.rng import Rng

Outline = Callable[[Field, Field], tuple[Field, Field]]
Shape = Callable[[Rng], Outline]


def box(u: Field, v: Field, a: float, b: float, corner: float = 0.0) -> Field:
    """Distance to a rectangle with half sides a, b and rounded corners."""
    qu, qv = np.abs(u) - (a - corner), np.abs(v) - (b - corner)
    outside = norm(np.maximum(qu, 0), np.maximum(qv, 0))
    return outside + np.minimum(np.maximum(qu, qv), 0) - corner


def _half(u: Field, v: Field, angle: float, offset: float) -> Field:
    return u * math.cos(angle) + v * math.sin(angle) - offset


def _flat(distance: Field) -> tuple[Field, Field]:
    return distance, np.zeros_like(distance)


def disc(design: Rng) -> Outline:
    """A round plate with one or two turned steps."""
    radius = design.uniform(60, 95)
    steps = [(radius * s, design.uniform(-2.5, 2.5)) for s in design.many(0.25, 0.9, design.whole(0, 2))]

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        r = norm(u, v)
        height = sum((h * smoothstep(s + 1.5, s - 1.5, r) for s, h in steps), np.zeros_like(r))
        return r - radius, height

    return outline


def ring(design: Rng) -> Outline:
    """A round or flat band about an opening."""
    radius, width, round_body = design.uniform(55, 85), design.uniform(7, 24), design.chance(0.5)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        distance = np.abs(norm(u, v) - radius) - width
        body = np.sqrt(np.maximum(width**2 - (distance + width) ** 2, 0)) * 0.8
        return distance, body if round_body else np.zeros_like(u)

    return outline


def rounded_plate(design: Rng) -> Outline:
    """An oblong plate with rounded corners."""
    a, b = design.uniform(60, 95), design.uniform(35, 80)
    corner = design.uniform(4, 0.6 * b)
    return lambda u, v: _flat(box(u, v, a, b, corner))


def polygon_plate(design: Rng) -> Outline:
    """A plate with three to eight straight sides, not all of one length."""
    sides = design.whole(3, 8)
    angles = [(i + design.uniform(-0.15, 0.15)) * 2 * math.pi / sides for i in range(sides)]
    offsets = design.many(50, 78, sides) if design.chance(0.6) else [design.uniform(52, 78)] * sides

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        return _flat(np.maximum.reduce([_half(u, v, a, o) for a, o in zip(angles, offsets, strict=True)]))

    return outline


def star(design: Rng) -> Outline:
    """A plate with soft or sharp points."""
    points, outer = design.whole(4, 9), design.uniform(70, 95)
    depth, sharp = design.uniform(0.1, 0.38), design.uniform(0.6, 1.6)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        wave = (0.5 + 0.5 * np.cos(np.arctan2(v, u) * points)) ** sharp
        reach = outer * (1 - depth * (1 - wave))
        return _flat((norm(u, v) - reach) * 0.75)

    return outline


def angle(design: Rng) -> Outline:
    """Two legs that meet at a corner."""
    long, short = design.uniform(60, 85), design.uniform(45, 80)
    width, corner = design.uniform(12, 26), design.uniform(1, 8)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        upright = box(u + (short - width), v, width, long, corner)
        foot = box(u, v - (long - width), short, width, corner)
        return _flat(np.minimum(upright, foot))

    return outline


def cross(design: Rng) -> Outline:
    """Two bars across each other."""
    a, b, width, other = design.uniform(60, 95), design.uniform(50, 90), design.uniform(11, 28), design.uniform(11, 28)
    corner = design.uniform(0, 9)
    lift = design.pick([0.0, 3.0])

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        level, upright = box(u, v, a, width, corner), box(u, v, other, b, corner)
        return np.minimum(level, upright), lift * np.clip(0.5 - level, 0, 1)

    return outline


def frame(design: Rng) -> Outline:
    """A rectangular border about an opening, with or without a bar."""
    a, b, width = design.uniform(62, 92), design.uniform(48, 88), design.uniform(7, 20)
    corner, bar = design.uniform(1, 22), design.chance(0.35)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        rim = np.maximum(box(u, v, a, b, corner), -box(u, v, a - width, b - width, corner * 0.6))
        return _flat(np.minimum(rim, box(u, v, a - 1, width * 0.5)) if bar else rim)

    return outline


def bar(design: Rng) -> Outline:
    """A long straight bar, flat, roof-shaped or fluted."""
    length, width, form = design.uniform(80, 125), design.uniform(12, 34), design.whole(0, 2)
    corner = design.uniform(0, 4)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        distance = box(u, v, length, width, corner)
        if form == 0:
            return _flat(distance)
        t = v / width
        body = np.abs(t) * (-0.4 * width) if form == 1 else np.cos(t * 9) * (0.08 * width)
        return distance, body

    return outline


def tube(design: Rng) -> Outline:
    """A tube seen from the side, with collars."""
    length, radius = design.uniform(85, 130), design.uniform(15, 42)
    collars = [(design.uniform(-0.9, 0.9) * length, design.uniform(3, 12)) for _ in range(design.whole(0, 3))]
    lip = design.uniform(1.5, 5)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        thick = np.full_like(u, radius)
        for at, width in collars:
            thick = thick + lip * np.clip(width - np.abs(u - at) + 0.5, 0, 1)
        distance = np.maximum(np.abs(v) - thick, np.abs(u) - length)
        return distance, np.sqrt(np.maximum(thick**2 - v * v, 0)) * 0.85

    return outline


def dome(design: Rng) -> Outline:
    """A round cap, flat or steep."""
    radius, steep = design.uniform(55, 92), design.uniform(0.25, 0.95)
    rim = design.pick([0.0, 8.0])

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        r = norm(u, v)
        body = np.sqrt(np.maximum((radius * 1.02) ** 2 - r * r, 0)) * steep
        return r - (radius + rim), body

    return outline


def stacked_blocks(design: Rng) -> Outline:
    """Three to six blocks of several heights pushed together."""
    count = design.whole(3, 6)
    blocks = [(*design.point(45), *design.many(18, 48, 2), design.uniform(2, 9)) for _ in range(count)]

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        distance, height = np.full_like(u, 1e3), np.zeros_like(u)
        for x, y, a, b, high in blocks:
            edge = box(u - x, v - y, a, b, 2.0)
            distance = np.minimum(distance, edge)
            height = np.maximum(height, high * np.clip(0.5 - edge / 1.5, 0, 1))
        return distance, height

    return outline


def lattice(design: Rng) -> Outline:
    """A flat part of crossing struts with openings between."""
    a, b = design.uniform(60, 95), design.uniform(50, 90)
    pitch, strut = design.uniform(22, 40), design.uniform(3, 7)
    turned = design.chance(0.5)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        p, q = ((u + v) * 0.7071, (u - v) * 0.7071) if turned else (u, v)
        nearest = [np.abs(wrap(t + (pitch / 2), pitch) - (pitch / 2)) for t in (p, q)]
        struts = np.minimum(*nearest) - strut
        border = box(u, v, a, b, 5.0)
        return _flat(np.maximum(border, np.minimum(struts, -border - (2 * strut))))

    return outline


def slotted_plate(design: Rng) -> Outline:
    """An oblong plate with parallel slots."""
    a, b = design.uniform(62, 95), design.uniform(45, 85)
    slots, width = design.whole(2, 5), design.uniform(3, 7)
    reach = b * design.uniform(0.45, 0.75)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        pitch = 2 * a / (slots + 1)
        nearest = (
            u
            - np.clip(
                np.round(u / pitch - (slots % 2 == 0) * 0.5) + (slots % 2 == 0) * 0.5, -(slots - 1) / 2, (slots - 1) / 2
            )
            * pitch
        )
        return _flat(np.maximum(box(u, v, a, b, 8.0), -box(nearest, v, width, reach, width)))

    return outline


def comb(design: Rng) -> Outline:
    """A back with teeth on one side."""
    a, back, teeth = design.uniform(70, 98), design.uniform(12, 28), design.whole(5, 12)
    long, fill_share = design.uniform(40, 75), design.uniform(0.4, 0.65)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        pitch = 2 * a / teeth
        nearest = wrap(u + a, pitch) - pitch / 2
        spine = box(u, v + (long - back), a, back, 3.0)
        tooth = np.maximum(box(nearest, v, float(pitch) * fill_share / 2, long, 1.5), np.abs(u) - a)
        return _flat(np.minimum(spine, tooth))

    return outline


def arc(design: Rng) -> Outline:
    """A part of a round band."""
    radius, width, opening = design.uniform(50, 85), design.uniform(8, 22), design.uniform(0.5, 2.2)
    round_body = design.chance(0.4)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        band = np.abs(norm(u, v) - radius) - width
        gap = (opening - np.abs(np.arctan2(v, u))) * radius
        body = np.sqrt(np.maximum(width**2 - (band + width) ** 2, 0)) * 0.8
        return np.maximum(band, gap), body if round_body else np.zeros_like(u)

    return outline


def wedge(design: Rng) -> Outline:
    """A slanting block that runs out to an edge."""
    a, b, taper, slope = (
        design.uniform(60, 92),
        design.uniform(40, 80),
        design.uniform(0.1, 0.45),
        design.uniform(0.05, 0.4),
    )

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        sides = np.abs(v) - b + taper * (u + a)
        return np.maximum(np.abs(u) - a, sides), u * -slope

    return outline


def channel(design: Rng) -> Outline:
    """A U: two legs and the bridge between them."""
    a, b, wall, corner = design.uniform(45, 80), design.uniform(55, 85), design.uniform(10, 22), design.uniform(1, 12)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        inner = box(u, v + (2 * wall), a - wall, b, corner * 0.6)
        return _flat(np.maximum(box(u, v, a, b, corner), -inner))

    return outline


def crescent(design: Rng) -> Outline:
    """A round plate with a round bite."""
    radius, bite, offset = design.uniform(65, 90), design.uniform(40, 70), design.uniform(45, 80)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        return _flat(np.maximum(norm(u, v) - radius, bite - norm(u - offset, v)))

    return outline


def spool(design: Rng) -> Outline:
    """A turned body seen from the side: its radius changes along the axis."""
    length, radius = design.uniform(60, 95), design.uniform(25, 50)
    waves = [(design.uniform(0.02, 0.09), design.uniform(0, 6.3), design.uniform(2, 9)) for _ in range(3)]
    flange = design.uniform(0, 16)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        thick = radius + sum((h * np.sin(u * f + p) for f, p, h in waves), 0 * u)
        thick = thick + flange * np.clip(np.abs(u) - (length - 14), 0, 1)
        distance = np.maximum(np.abs(v) - thick, np.abs(u) - length)
        return distance, np.sqrt(np.maximum(thick**2 - v * v, 0)) * 0.85

    return outline


def bead_row(design: Rng) -> Outline:
    """Balls or cushions in rows on a common web."""
    across, along = design.whole(1, 3), design.whole(2, 4)
    pitch = min(170 / max(across, along), 60)
    radius, web = pitch * design.uniform(0.38, 0.5), design.uniform(2, 5)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        x, y = (
            t - np.clip(np.round(t / pitch - o) + o, -(n - 1) / 2, (n - 1) / 2) * pitch
            for t, n, o in ((u, along, 0.5 * (along % 2 == 0)), (v, across, 0.5 * (across % 2 == 0)))
        )
        r = norm(x, y)
        strip = box(u, v, along * pitch / 2 - 0.3 * pitch, across * pitch / 2 - 0.3 * pitch, web)
        body = np.sqrt(np.maximum(radius**2 - r * r, 0)) * 0.8
        return np.minimum(r - radius, strip), body

    return outline


def hook(design: Rng) -> Outline:
    """A straight shank that ends in a bow."""
    bow, width, shank = design.uniform(28, 45), design.uniform(8, 15), design.uniform(55, 90)

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        low = v - 25
        half_ring = np.maximum(np.abs(norm(u, low) - bow) - width, -low)
        stem = box(u - bow, low + (shank / 2), width, shank / 2 + 0.5, 0)
        distance = np.minimum(half_ring, stem)
        return distance, np.sqrt(np.maximum(-distance * (2 * width + distance), 0)) * 0.7

    return outline


def ridged_cap(design: Rng) -> Outline:
    """A round cap with radial ribs or a wavy top."""
    radius, ribs, depth = design.uniform(60, 92), design.whole(6, 23), design.uniform(0.5, 2.0)
    inner = design.uniform(0.2, 0.6) * radius

    def outline(u: Field, v: Field) -> tuple[Field, Field]:
        r = norm(u, v)
        rib = np.tanh(2 * np.cos(np.arctan2(v, u) * ribs))
        return r - radius, depth * rib * np.clip((r - inner) / 4, 0, 1)

    return outline
