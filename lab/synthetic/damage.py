"""Defects that break a part or change its form: cracks, holes, missing pieces, bends. Signature as in marks.py."""

import math

import cv2
import numpy as np

from lab.synthetic.layers import Layers, clip, mix
from lab.synthetic.marks import level, other_colour
from lab.synthetic.plane import Field, blur, fractal, noise, smoothstep
from lab.synthetic.spot import Spot
from lab.synthetic.strokes import blob, draw, fill, shard, taper, wander


def crack(layers: Layers, spot: Spot) -> Field:
    """A ragged dark line that branches."""
    rng, on = spot.rng, spot.on
    width = spot.width(0.9, 2.6)
    length = min(max(math.pi * spot.radius**2 / (width + 1.2), 18), 180)
    heading = rng.angle()
    back = 0.45 * length
    x, y = spot.x - back * math.cos(heading), spot.y - back * math.sin(heading)
    trunk = wander(rng, (x, y), heading, length, 0.12, 0.35)
    cover = taper(trunk, width, on)
    branches = []
    for _ in range(rng.whole(0, 4)):
        at_x, at_y = trunk[rng.whole(1, len(trunk) - 1)].tolist()
        side = heading + rng.pick([-1, 1]) * rng.uniform(0.4, 1.1)
        branches.append(wander(rng, (at_x, at_y), side, length * rng.uniform(0.1, 0.4), 0.15, 0.4))
    if branches:
        cover = np.maximum(cover, draw(branches, width * 0.55, on))
    layers.height = layers.height - rng.uniform(0.8, 2.5) * cover
    dark = min(0.35 + 0.65 * spot.strength, 1.0) * cover
    layers.albedo = mix(layers.albedo, layers.albedo * rng.uniform(0.03, 0.3), dark)
    layers.gloss = layers.gloss * (1 - cover)
    return blur(cover, 1.5, on)


def _open(layers: Layers, spot: Spot, gap: Field, depth: float) -> None:
    """Take the material away where `gap` is 1: the backdrop shows, or a dark bottom below a step."""
    rng, on = spot.rng, spot.on
    layers.height = layers.height - depth * gap
    u, _ = on.posed(rng.angle(), spot.x, spot.y)
    slant = 0.5 * smoothstep(-spot.radius, spot.radius, u)
    bottom = rng.uniform(0.05, 0.3) * (0.6 + slant + 0.25 * noise(rng, on, 6))
    layers.albedo = mix(layers.albedo, clip(layers.albedo * bottom), gap)
    layers.gloss = layers.gloss * (1 - gap)
    if rng.chance(0.5):
        layers.cover = layers.cover * (1 - gap)


def hole(layers: Layers, spot: Spot) -> Field:
    """Round or ragged holes with a burr or a sunk rim."""
    rng, on = spot.rng, spot.on
    count = rng.pick([1, 3], p=[0.75, 0.25])
    rough, soft = rng.pick([0.05, 0.25, 0.5]), rng.pick([0.05, 0.2])
    gap = np.zeros_like(on.x)
    for _ in range(count):
        x, y = (spot.x, spot.y) if count == 1 else spot.near(2.0)
        radius = max(spot.radius * rng.uniform(0.7, 1.0) / math.sqrt(count), 1.5)
        gap = np.maximum(gap, blob(rng, on, x, y, radius, soft, rough))
    layers.height = layers.height + rng.uniform(-2, 2) * blur(gap, 1.6, on)
    _open(layers, spot, gap, rng.uniform(1.5, 4))
    return blur(gap, 2.5, on)


def missing_part(layers: Layers, spot: Spot) -> Field:
    """A piece gone: broken off at the edge of a part, or flaked out of a surface."""
    rng, on = spot.rng, spot.on
    flake = blur(fill([shard(rng, spot.x, spot.y, spot.radius * 1.35, rng.whole(6, 11))], on), 0.6, on)
    ring = flake * (1 - flake) * 4 if rng.chance(0.5) else blur(flake, 2.0, on) * (1 - blur(flake, 2.0, on)) * 4
    gap = smoothstep(0.35, 0.65, flake + 0.25 * noise(rng, on, 5) * ring)
    if float(layers.cover.min()) < 0.5:
        _break_off(layers, spot, gap)
    else:
        under = other_colour(rng, layers.here(on, spot.x, spot.y)) * (1 + 0.12 * fractal(rng, on, 8, 3))
        layers.albedo = mix(layers.albedo, clip(under), gap * min(0.4 + 0.6 * spot.strength, 1.0))
        layers.height = level(layers.height, gap, on) - rng.uniform(1, 3) * gap
        layers.gloss = layers.gloss * (1 - gap)
    return blur(gap, 2.5, on)


def chipped_edge(layers: Layers, spot: Spot) -> Field:
    """Small bites out of the edge of a part, with a fresh face of fracture."""
    rng, on = spot.rng, spot.on
    gap = np.zeros_like(on.x)
    for _ in range(rng.whole(1, 3)):
        bite = blob(rng, on, *spot.near(1.3), max(spot.radius * rng.uniform(0.5, 1.0), 2.0), 0.1, 0.5)
        gap = np.maximum(gap, bite)
    _break_off(layers, spot, gap)
    return blur(gap, 2.5, on)


def _break_off(layers: Layers, spot: Spot, gap: Field) -> None:
    """Remove the part within `gap`, leaving a slanting face of fracture along the break."""
    rng, on = spot.rng, spot.on
    wide = rng.uniform(0.8, 3.0)
    face = np.clip(blur(gap, wide, on) * 2.2, 0, 1)
    layers.height = layers.height - rng.uniform(1, 4) * face
    fresh = layers.albedo * (rng.pick([0.45, 1.8]) * (1 + 0.2 * noise(rng, on, 5)))
    layers.albedo = mix(layers.albedo, clip(fresh), face)
    if rng.chance(0.85):  # else a chip that does not go through
        layers.cover = layers.cover * (1 - smoothstep(0.55, 0.95, blur(gap, wide * 0.5, on)))


def tear(layers: Layers, spot: Spot) -> Field:
    """The material pulled open: a long gap with lifted, ragged lips and threads across."""
    rng, on = spot.rng, spot.on
    turn = rng.angle()
    length = spot.radius * rng.uniform(1.6, 2.6)
    width = max(spot.radius**2 / length * rng.uniform(0.6, 1.0), 1.0)
    u, v = on.posed(turn, spot.x, spot.y)
    v = v + spot.radius * 0.12 * noise(rng, on, max(spot.radius, 8)) + 0.7 * noise(rng, on, 4)
    lens = width * np.sqrt(np.clip(1 - (u * (1 / length)) ** 2, 0, 1))
    gap = smoothstep(0.7, -0.7, np.abs(v) - lens) * (lens > 0.3)
    lips = blur(gap, 2.2, on)
    layers.height = layers.height + rng.uniform(1, 3.5) * min(spot.strength + 0.3, 1.0) * lips
    fray = rng.uniform(0, 0.3) * lips * np.clip(noise(rng, on, 3), -1, 1.5)
    layers.albedo = clip(layers.albedo * (1 + fray))
    threads = [
        wander(rng, spot.near(1.0), turn + math.pi / 2 + rng.normal(0.3), width * 2.5, 0.15)
        for _ in range(rng.whole(0, 4))
    ]
    bridges = 0.9 * draw(threads, 1.2, on) if threads else np.zeros_like(gap)
    _open(layers, spot, gap * (1 - bridges), rng.uniform(1, 3))
    return blur(gap, 3.0, on)


def bend(layers: Layers, spot: Spot) -> Field:
    """The form pushed out of shape: outlines and patterns displaced, the surface bulged or creased."""
    rng, on = spot.rng, spot.on
    radius = max(spot.radius * 1.5, 9.0)
    distance = spot.distance() * (spot.radius / radius)
    envelope = smoothstep(1.25, 0.0, distance)
    turn = spot.inward + rng.pick([0, math.pi]) + rng.normal(0.5)
    push = radius * rng.uniform(0.25, 0.5) * min(spot.strength + 0.3, 1.3) * on.scale
    rows, columns = (np.arange(n, dtype=np.float32) for n in on.shape)
    from_x = columns[None, :] - push * math.cos(turn) * envelope
    from_y = rows[:, None] - push * math.sin(turn) * envelope

    def moved(field: Field) -> Field:
        return np.asarray(cv2.remap(field, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32)

    layers.albedo = np.stack([moved(channel) for channel in layers.albedo])
    layers.height, layers.gloss, layers.cover = (moved(f) for f in (layers.height, layers.gloss, layers.cover))
    bulge = rng.pick([-1, 1]) * radius * rng.uniform(0.08, 0.25) * spot.strength
    layers.height = layers.height + bulge * envelope
    if rng.chance(0.6):
        u, v = on.posed(turn, spot.x, spot.y)
        crease = np.exp(np.abs(u + 0.15 * v) * (-1 / rng.uniform(1.5, 6))) * envelope
        layers.height = layers.height + rng.uniform(1.5, 4) * spot.strength * crease
    return (distance < 1.25).astype(np.float32)


def fold(layers: Layers, spot: Spot) -> Field:
    """A crease across a surface: a sharp ridge or valley, worn along its crest."""
    rng, on = spot.rng, spot.on
    u, v = on.posed(rng.angle(), spot.x, spot.y)
    length = spot.radius * rng.uniform(1.8, 3.0)
    v = v + rng.uniform(0.3, 2.5) * noise(rng, on, 40)
    across = np.abs(v) * (1 / max(spot.radius**2 / length * 0.8, 1.6))
    ridge = np.exp(-across) * smoothstep(1.0, 0.5, np.abs(u) * (1 / length)) * smoothstep(4.5, 2.5, across)
    width = max(spot.radius**2 / length * 0.8, 1.6)
    layers.height = layers.height + rng.pick([-1, 1]) * width * rng.uniform(0.5, 1.1) * spot.strength * ridge
    worn = rng.pick([-0.35, 0.3]) * min(spot.strength, 1.5) * ridge * ridge
    layers.albedo = clip(layers.albedo * (1 + worn))
    return ridge


def fray(layers: Layers, spot: Spot) -> Field:
    """Threads or slivers pulled out of the material: loose curls over a roughened ground."""
    rng, on = spot.rng, spot.on
    heading, curl = rng.angle(), rng.uniform(0.1, 0.4)
    threads = [
        wander(rng, spot.near(0.5), heading + rng.normal(0.6), spot.radius * rng.uniform(1.0, 2.6), curl)
        for _ in range(int(min(max(spot.radius * 0.7, 3), 26)))
    ]
    cover = draw(threads, spot.width(0.8, 1.9), on)
    under = blob(rng, on, spot.x, spot.y, spot.radius * 0.7, 1.0, 0.5)
    thread = np.clip(layers.here(on, spot.x, spot.y) * (1 + 1.1 * spot.strength) + 0.12 * spot.strength, 0, 1)
    layers.albedo = layers.albedo * (1 - min(0.5 * spot.strength, 0.6) * under)
    layers.albedo = mix(layers.albedo, thread, cover * 0.9)
    layers.height = level(layers.height, 0.5 * under, on) + 1.2 * cover
    return np.maximum(under, blur(cover, 1.2, on))
