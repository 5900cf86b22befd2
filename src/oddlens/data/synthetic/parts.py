"""A part on a backdrop: an outline, given a material, a finish and features, put down in a pose."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import Colour, ColourField, Layers, clip, colour, kin, mix
from oddlens.data.synthetic.outlines import Outline, Shape, box
from oddlens.data.synthetic.plane import Field, Plane, fractal, noise, norm, smoothstep, streaks

Finish = Callable[[Dice, Dice, Plane, Field, Field, float], tuple[Field, Field]]
"""(design, piece, on, u, v, turn) -> tone (a factor about 1) and relief (reference pixels)."""


def part(shape: Shape, design: Dice, piece: Dice, on: Plane) -> Layers:
    """Layers of one part of the given shape."""
    outline = shape(design)
    turn, zoom, u, v = _pose(design, piece, on)
    distance, body = outline(u, v)
    distance = np.asarray(distance * zoom, np.float32)
    tone, relief = design.pick(_FINISHES)(design, piece, on, u, v, turn)
    bevel = design.uniform(1.0, 7.0)
    inside = np.clip(-distance / bevel, 0, 1)
    rounding = np.sqrt(1 - (1 - inside) ** 2) * (bevel * design.uniform(0.3, 0.9))
    base = colour(design, 0.05, 0.8)
    ground = _ground(design)
    if abs(float(ground.mean()) - float(base.mean())) < 0.12:  # a part must stand out from what it lies on
        base = np.asarray(base * 0.35 if base.mean() > 0.3 else np.clip(base + 0.35, 0, 1), np.float32)
    layers = Layers(
        albedo=np.asarray(base * tone, np.float32),
        height=np.asarray(body * zoom + rounding + relief, np.float32),
        gloss=np.full_like(u, design.pick([0.02, 0.12, 0.3]) * design.uniform(0, 1)),
        cover=smoothstep(0.6, -0.6, distance),
        backdrop=_backdrop(design, piece, on, ground),
        metal=float(design.pick([0.0, 0.7], p=[0.6, 0.4]) * design.uniform(0, 1)),
    )
    for _ in range(design.whole(0, 3)):
        design.pick(_FEATURES)(layers, design, outline, u, v, distance)
    layers.albedo = clip(layers.albedo)
    return layers


def _pose(design: Dice, piece: Dice, on: Plane) -> tuple[float, float, Field, Field]:
    """Where the part lies: a product is either put down anyhow or held by a fixture, nearly the same each time."""
    zoom = float(design.uniform(0.6, 1.12))
    upright = design.whole(0, 3) * np.pi / 2 + design.normal(0.02)
    home = upright if design.chance(0.55) else design.angle()
    loose = design.chance(0.3)
    turn = float(piece.angle() if loose else home + piece.normal(0.02))
    spread = 6.0 if loose else 1.5
    dx, dy = (design.normal(4) + piece.normal(spread) for _ in range(2))
    u, v = on.posed(turn, dx, dy, zoom * piece.factor(0.006))
    squash = 1 / design.pick([1.0, 0.85], p=[0.75, 0.25])
    return turn, zoom, u, v * squash


def _ground(design: Dice) -> Colour:
    """Colour of what the part lies on: bright, dark, or any."""
    chance = design.uniform(0, 1)
    if chance < 0.35:
        return np.asarray(design.uniform(0.6, 1.0) * (1 + 0.03 * design.normals(3, 1, 1)), np.float32)
    if chance < 0.65:
        return np.asarray(design.uniform(0.005, 0.06) * (1 + 0.1 * design.normals(3, 1, 1)), np.float32)
    return colour(design, 0.05, 0.6)


def _backdrop(design: Dice, piece: Dice, on: Plane, ground: Colour) -> ColourField:
    """What the part lies on: plain, shaded, rough, brushed or ribbed."""
    tone = np.ones_like(on.x)
    for texture, share in ((_shaded, 0.4), (_mottled, 0.35), (_brushed_ground, 0.12), (_ribbed, 0.08)):
        if design.chance(share):
            tone = tone * texture(design, piece, on)
    return np.asarray(clip(ground) * tone, np.float32)


def _shaded(design: Dice, piece: Dice, on: Plane) -> Field:
    slope: Field = design.uniform(0.1, 0.6) / 112 * on.along(design.angle())
    return np.exp(slope, dtype=np.float32)


def _mottled(design: Dice, piece: Dice, on: Plane) -> Field:
    return 1 + design.uniform(0.02, 0.15) * fractal(piece, on, design.uniform(4, 60), 3, 0.6)


def _brushed_ground(design: Dice, piece: Dice, on: Plane) -> Field:
    return 1 + design.uniform(0.03, 0.15) * streaks(piece, on, design.angle(), 2, 80)


def _ribbed(design: Dice, piece: Dice, on: Plane) -> Field:
    u, _ = on.posed(design.angle(), *piece.point(20))
    wave: Field = np.sin(u * (2 * np.pi / design.uniform(6, 30)))
    return 1 + design.uniform(0.05, 0.3) * wave


# Finishes -------------------------------------------------------------------------------------------------------------------


def _smooth(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    return 1 + 0.01 * noise(piece, on, 40), np.zeros_like(u)


def _brushed(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    lines = streaks(piece, on, turn + design.pick([0, np.pi / 2]), design.uniform(1.3, 3), design.uniform(40, 150))
    return 1 + design.uniform(0.03, 0.12) * lines, design.uniform(0.02, 0.15) * lines


def _turned(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    fine = norm(u, v) * design.uniform(0.4, 1.2)
    table = design.normals(256)
    low = np.floor(fine).astype(np.int32)
    part_way = fine - low
    lines = table[low % 256] * (1 - part_way) + table[(low + 1) % 256] * part_way
    return 1 + design.uniform(0.02, 0.1) * lines, design.uniform(0.05, 0.25) * lines


def _cast(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    relief = fractal(piece, on, design.uniform(5, 20), 3, 0.7)
    return 1 + design.uniform(0.01, 0.08) * relief, design.uniform(0.1, 0.5) * relief


def _moulded(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    flow = fractal(piece, on, design.uniform(40, 120), 3)
    return 1 + design.uniform(0.01, 0.06) * flow, 0.05 * fractal(piece, on, 3, 1)


def _flecked(design: Dice, piece: Dice, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    flecks = np.clip(np.abs(fractal(piece, on, design.uniform(3, 8), 2)) - 1.2, 0, 1)
    return 1 + design.uniform(-0.5, 0.8) * flecks, 0.1 * flecks


_FINISHES: tuple[Finish, ...] = (_smooth, _brushed, _turned, _cast, _moulded, _flecked)


# Features: what belongs on the part and is no defect -------------------------------------------------------------------------


def _places(design: Dice, outline: Outline, count: int, margin: float) -> list[tuple[float, float]]:
    """Up to `count` places at least `margin` inside the outline."""
    candidates = design.uniforms(-90, 90, 2, 48)
    distance, _ = outline(candidates[0], candidates[1])
    good = np.flatnonzero(distance < -margin)[:count]
    return [(float(candidates[0, i]), float(candidates[1, i])) for i in good]


def _holes(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    radius, through = design.uniform(2.5, 9), design.chance(0.6)
    count = design.whole(1, 4)
    lip = design.uniform(-0.8, 0.8)
    for x, y in _places(design, outline, count, radius + 3):
        r = norm(u - x, v - y) - radius
        layers.height = layers.height + lip * smoothstep(2.5, 0, np.abs(r)) - 3 * smoothstep(0.5, -2, r)
        if through:
            layers.cover = layers.cover * smoothstep(-0.6, 0.6, r)


def _bosses(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    radius, high = design.uniform(3, 10), design.uniform(0.5, 3)
    for x, y in _places(design, outline, design.whole(1, 6), radius + 1):
        r = norm(u - x, v - y)
        layers.height = layers.height + high * smoothstep(radius, radius * 0.4, r)


def _groove(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    at, width, depth = design.uniform(4, 22), design.uniform(0.8, 2.5), design.uniform(-2, 1.2)
    layers.height = layers.height + depth * smoothstep(width, 0, np.abs(distance + at))


def _inlay(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    at = design.uniform(3, 22)
    second = kin(design, colour(design), 0.3)
    inner = smoothstep(-at + 0.6, -at - 0.6, distance)
    grain = layers.albedo.mean(0) / max(float(layers.albedo.mean()), 0.01)
    layers.albedo = mix(layers.albedo, second * grain, inner)


def _halves(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    at, along = design.uniform(-40, 40), u if design.chance(0.5) else v
    gain = math.exp(design.pick([-1, 1]) * design.uniform(0.2, 1.0))
    second = smoothstep(-0.6, 0.6, along - at)
    layers.albedo = layers.albedo * (1 + (gain - 1) * second)
    layers.height = layers.height - smoothstep(1.5, 0, np.abs(along - at))


def _bands(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    ink, along = colour(design), u if design.chance(0.5) else v
    for at in design.many(-60, 60, design.whole(1, 3)):
        band = smoothstep(0.6, -0.6, np.abs(along - at) - design.uniform(0.8, 7))
        layers.albedo = mix(layers.albedo, ink, band * 0.9)


def _print(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    """Printed, engraved or raised characters."""
    places = _places(design, outline, 1, 8)
    word = "".join(design.pick("ABCDEFHKLMNPRSTVXZ0123456789-+.") for _ in range(design.whole(2, 6)))
    font = int(design.pick([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX]))
    (wide, high), _ = cv2.getTextSize(word, font, 1.0, 2)
    stamp = np.zeros((high + 16, wide + 16), np.uint8)
    cv2.putText(stamp, word, (8, high + 8), font, 1.0, 255, 2, cv2.LINE_AA)
    grain = high / design.uniform(7, 16)
    ink, weight, depth = colour(design, 0.02, 0.95), design.pick([0.0, 0.9]), design.uniform(-0.7, 0.5)
    for x, y in places:
        column = (u - x) * grain + (stamp.shape[1] / 2)
        row = (v - y) * grain + (stamp.shape[0] / 2)
        soft = cv2.GaussianBlur(stamp, (0, 0), float(grain) * 0.4)
        mark = np.asarray(cv2.remap(soft, column, row, cv2.INTER_LINEAR), np.float32) / 255
        layers.albedo = mix(layers.albedo, ink, mark * weight)
        layers.height = layers.height + depth * mark


def _label(layers: Layers, design: Dice, outline: Outline, u: Field, v: Field, distance: Field) -> None:
    """A printed field with bars of several widths."""
    a, b = design.uniform(8, 26), design.uniform(5, 14)
    paper, ink = colour(design, 0.4, 0.95), colour(design, 0.01, 0.2)
    table = design.uniforms(0, 1, 64) < 0.5
    for x, y in _places(design, outline, 1, 6):
        p, q = u - x, v - y
        layers.albedo = mix(layers.albedo, paper, smoothstep(0.6, -0.6, box(p, q, a, b, 1.0)))
        bars = table[np.asarray(np.floor(p / 1.6), np.int32) % 64] & (np.abs(p) < a - 2) & (np.abs(q) < b - 2)
        layers.albedo = mix(layers.albedo, ink, np.asarray(bars, np.float32) * 0.9)


_FEATURES = (_holes, _holes, _bosses, _groove, _groove, _inlay, _halves, _bands, _print, _print, _label)
