"""What belongs on a part and is no defect: holes, bosses, grooves, inlays, prints. All of it is the product's own design."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lab.synthetic.layers import Layers, colour, mix
from lab.synthetic.outlines import Outline, box
from lab.synthetic.plane import Field, norm, smoothstep
from lab.synthetic.rng import Rng


@dataclass
class Body:
    """A part as features see it: its layers, its outline and, at every pixel, its coordinates and distance to the outline."""

    layers: Layers
    outline: Outline
    u: Field
    v: Field
    distance: Field


Feature = Callable[[Body, Rng], None]


def places(design: Rng, outline: Outline, count: int, margin: float) -> list[tuple[float, float]]:
    """Up to `count` places (u, v) at least `margin` inside the outline."""
    candidates = design.uniforms(-90, 90, 2, 48)
    distance, _ = outline(candidates[0], candidates[1])
    good = np.flatnonzero(distance < -margin)[:count]
    return [(float(candidates[0, i]), float(candidates[1, i])) for i in good]


def holes(body: Body, design: Rng) -> None:
    """One to four drilled holes of one size."""
    radius, through = design.uniform(2.5, 9), design.chance(0.6)
    lip = design.uniform(-0.8, 0.8)
    for x, y in places(design, body.outline, design.whole(1, 4), radius + 3):
        r = norm(body.u - x, body.v - y) - radius
        body.layers.height = body.layers.height + lip * smoothstep(2.5, 0, np.abs(r)) - 3 * smoothstep(0.5, -2, r)
        if through:
            body.layers.cover = body.layers.cover * smoothstep(-0.6, 0.6, r)


def bosses(body: Body, design: Rng) -> None:
    """One to six raised knobs of one size."""
    radius, high = design.uniform(3, 10), design.uniform(0.5, 3)
    for x, y in places(design, body.outline, design.whole(1, 6), radius + 1):
        r = norm(body.u - x, body.v - y)
        body.layers.height = body.layers.height + high * smoothstep(radius, radius * 0.4, r)


def groove(body: Body, design: Rng) -> None:
    """A groove or a bead along the outline."""
    at, width, depth = design.uniform(4, 22), design.uniform(0.8, 2.5), design.uniform(-2, 1.2)
    body.layers.height = body.layers.height + depth * smoothstep(width, 0, np.abs(body.distance + at))


def inlay(body: Body, design: Rng) -> None:
    """The inner field in another colour, flush or sunk."""
    at, sunk = design.uniform(3, 22), design.uniform(-2, 2) * design.pick([0.0, 1.0])
    inner = smoothstep(-at + 0.6, -at - 0.6, body.distance)
    grain = body.layers.albedo.mean(0) * (1 / max(float(body.layers.albedo.mean()), 0.01))
    body.layers.albedo = mix(body.layers.albedo, colour(design) * grain, inner)
    body.layers.height = body.layers.height - sunk * inner


def insert(body: Body, design: Rng) -> None:
    """A round or square piece of another material set into the part."""
    size, corner, aspect = design.uniform(8, 34), design.uniform(0.05, 0.5), design.uniform(0.5, 1)
    material, gloss, high = colour(design), design.uniform(0, 0.4), design.uniform(-2, 3)
    for x, y in places(design, body.outline, design.whole(1, 2), size * 0.7):
        edge = box(body.u - x, body.v - y, size, size * aspect, corner * size)
        inside = smoothstep(0.6, -0.6, edge)
        body.layers.albedo = mix(body.layers.albedo, material, inside)
        body.layers.gloss = body.layers.gloss + inside * (gloss - body.layers.gloss)
        body.layers.height = body.layers.height + high * inside - smoothstep(1.2, 0, np.abs(edge))


def halves(body: Body, design: Rng) -> None:
    """Two tones that meet at a straight joint."""
    at, along = design.uniform(-40, 40), body.u if design.chance(0.5) else body.v
    gain = math.exp(design.pick([-1, 1]) * design.uniform(0.2, 1.0))
    body.layers.albedo = body.layers.albedo * (1 + (gain - 1) * smoothstep(-0.6, 0.6, along - at))
    body.layers.height = body.layers.height - smoothstep(1.5, 0, np.abs(along - at))


def bands(body: Body, design: Rng) -> None:
    """One to three painted stripes."""
    ink, along = colour(design), body.u if design.chance(0.5) else body.v
    for at in design.many(-60, 60, design.whole(1, 3)):
        band = smoothstep(0.6, -0.6, np.abs(along - at) - design.uniform(0.8, 7))
        body.layers.albedo = mix(body.layers.albedo, ink, band * 0.9)


def ribs(body: Body, design: Rng) -> None:
    """Parallel ridges on a field of the part."""
    along, across = (body.u, body.v) if design.chance(0.5) else (body.v, body.u)
    low, high = -design.uniform(10, 60), design.uniform(10, 60)
    field = smoothstep(low, low + 2, along) * smoothstep(high, high - 2, along) * smoothstep(-4, -8, body.distance)
    wave = np.sin(across * (2 * math.pi / design.uniform(5, 14)))
    body.layers.height = body.layers.height + design.uniform(0.3, 1.2) * wave * field


def printed(body: Body, design: Rng) -> None:
    """Printed, engraved or raised characters."""
    word = "".join(design.pick("ABCDEFHKLMNPRSTVXZ0123456789-+.") for _ in range(design.whole(2, 6)))
    font = design.pick([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX])
    (wide, high), _ = cv2.getTextSize(word, font, 1.0, 2)
    stamp = np.zeros((high + 16, wide + 16), np.uint8)
    cv2.putText(stamp, word, (8, high + 8), font, 1.0, (255,), 2, cv2.LINE_AA)
    fine = high / design.uniform(7, 16)
    stamp = np.asarray(cv2.GaussianBlur(stamp, (0, 0), 0.4 * fine), np.uint8)
    ink, weight, depth = colour(design, 0.02, 0.95), design.pick([0.0, 0.9]), design.uniform(-0.7, 0.5)
    for x, y in places(design, body.outline, 1, 8):
        column, row = (body.u - x) * fine + stamp.shape[1] / 2, (body.v - y) * fine + stamp.shape[0] / 2
        mark = cv2.remap(stamp, column, row, cv2.INTER_LINEAR).astype(np.float32) * (1 / 255)
        body.layers.albedo = mix(body.layers.albedo, ink, mark * weight)
        body.layers.height = body.layers.height + depth * mark


def label(body: Body, design: Rng) -> None:
    """A printed field with bars of several widths."""
    a, b = design.uniform(8, 26), design.uniform(5, 14)
    paper, ink = colour(design, 0.4, 0.95), colour(design, 0.01, 0.2)
    table = design.uniforms(0, 1, 64) < 0.5
    for x, y in places(design, body.outline, 1, 6):
        p, q = body.u - x, body.v - y
        body.layers.albedo = mix(body.layers.albedo, paper, smoothstep(0.6, -0.6, box(p, q, a, b, 1.0)))
        inked = table[np.floor(p * (1 / 1.6)).astype(np.int32) % 64] & (np.abs(p) < a - 2) & (np.abs(q) < b - 2)
        body.layers.albedo = mix(body.layers.albedo, ink, 0.9 * inked.astype(np.float32))


ON_PARTS: tuple[Feature, ...] = (
    holes,
    holes,
    bosses,
    groove,
    groove,
    inlay,
    insert,
    halves,
    bands,
    ribs,
    printed,
    label,
)
ON_SURFACES: tuple[Feature, ...] = (bands, printed, label)
