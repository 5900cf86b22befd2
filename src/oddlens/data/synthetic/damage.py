"""Defects that break a part or change its form: cracks, holes, missing pieces, bends. Signature as in marks.py."""

import math

import cv2
import numpy as np

from oddlens.data.synthetic.layers import Layers, mix
from oddlens.data.synthetic.marks import other_colour
from oddlens.data.synthetic.plane import Field, blur, fractal, noise, smoothstep
from oddlens.data.synthetic.spot import Spot
from oddlens.data.synthetic.strokes import Path, blob, draw, fill, taper, wander


def crack(layers: Layers, spot: Spot) -> Field:
    """A ragged dark line that branches."""
    rng, on = spot.rng, spot.on
    width = rng.uniform(0.7, 2.0)
    length = float(np.clip(np.pi * spot.radius**2 / (width + 1.2), 18, 180))
    heading = rng.angle()
    start = np.array([spot.x, spot.y]) - 0.45 * length * np.array([np.cos(heading), np.sin(heading)])
    trunk = wander(rng, start, length, 0.12, heading, 0.35)
    cover = taper(trunk, width, on)
    branches: list[Path] = []
    for _ in range(rng.whole(0, 4)):
        fork = trunk[rng.whole(1, len(trunk) - 1)]
        side = heading + rng.pick([-1, 1]) * rng.uniform(0.4, 1.1)
        branches.append(wander(rng, fork, length * rng.uniform(0.1, 0.4), 0.15, side, 0.4))
    if branches:
        cover = np.maximum(cover, draw(branches, width * 0.55, on))
    layers.height = layers.height - np.float32(rng.uniform(0.8, 2.5)) * cover
    dark = np.float32(min(0.35 + 0.65 * spot.strength, 1.0)) * cover
    layers.albedo = mix(layers.albedo, layers.albedo * np.float32(rng.uniform(0.03, 0.3)), dark)
    layers.gloss = layers.gloss * (1 - cover)
    if rng.chance(0.25):  # one lip stands higher than the other
        _, v = on.posed(heading, spot.x, spot.y)
        lip = blur(np.asarray(cover * (v > 0), np.float32), 2.0, on)
        layers.height = layers.height + np.float32(1.5 * spot.strength) * lip
    return blur(cover, 1.5, on)


def _open(layers: Layers, spot: Spot, gap: Field, depth: float) -> None:
    """Take the material away where `gap` is 1: the backdrop shows, or a dark bottom with a wall about it."""
    rng, on = spot.rng, spot.on
    through = rng.chance(0.5)
    layers.height = layers.height - np.float32(depth) * gap
    bottom = np.float32(rng.uniform(0.05, 0.35)) * (1 + np.float32(0.2) * noise(rng, on, 6))
    layers.albedo = mix(layers.albedo, np.clip(layers.albedo * bottom[..., None], 0.003, 1), gap)
    layers.gloss = layers.gloss * (1 - gap)
    if through:
        layers.cover = layers.cover * (1 - gap)


def hole(layers: Layers, spot: Spot) -> Field:
    """A round or ragged hole with a burr or a sunk rim."""
    rng, on = spot.rng, spot.on
    count = int(rng.pick([1, 3], p=[0.75, 0.25]))
    gap = np.zeros_like(on.x)
    for _ in range(count):
        x, y = (spot.x, spot.y) if count == 1 else spot.near(2.0)
        radius = max(spot.radius * rng.uniform(0.7, 1.0) / math.sqrt(count), 1.5)
        gap = np.maximum(gap, blob(rng, on, x, y, radius, rng.pick([0.1, 0.4]), rng.pick([0.03, 0.35])))
    rim = blur(gap, 1.6, on)
    layers.height = layers.height + np.float32(rng.uniform(-2, 2)) * rim
    _open(layers, spot, gap, rng.uniform(1.5, 4))
    return blur(gap, 2.5, on)


def missing_part(layers: Layers, spot: Spot) -> Field:
    """A piece gone: broken off at the edge of a part, or flaked out of a surface."""
    rng, on = spot.rng, spot.on
    angle = np.sort(rng.uniforms(0, 2 * np.pi, rng.whole(5, 10)))
    reach = spot.radius * 1.35 * rng.uniforms(0.7, 1.2, len(angle))
    corners = np.stack([spot.x + reach * np.cos(angle), spot.y + reach * np.sin(angle)], -1)
    flake = fill([corners], on)
    ragged = flake + np.float32(0.25) * noise(rng, on, 5) * (blur(flake, 2.0, on) * (1 - blur(flake, 2.0, on)) * 4)
    gap = smoothstep(0.35, 0.65, blur(np.asarray(ragged, np.float32), 0.6, on))
    if float(layers.cover.min()) < 0.5:
        _break_off(layers, spot, gap)
    else:
        under = other_colour(rng, layers, spot, 0.8 * min(spot.strength + 0.3, 1.0))
        rough = 1 + np.float32(0.12) * fractal(rng, on, 8, 3)
        layers.albedo = mix(layers.albedo, np.clip(under * rough[..., None], 0.005, 1), gap)
        layers.height = layers.height * (1 - gap) - np.float32(rng.uniform(1, 3)) * gap
        layers.gloss = layers.gloss * (1 - gap)
    return blur(gap, 2.5, on)


def chipped_edge(layers: Layers, spot: Spot) -> Field:
    """Small bites out of the edge of a part, with a fresh face of fracture."""
    rng, on = spot.rng, spot.on
    gap = np.zeros_like(on.x)
    for _ in range(rng.whole(1, 3)):
        x, y = spot.near(1.3)
        gap = np.maximum(gap, blob(rng, on, x, y, max(spot.radius * rng.uniform(0.5, 1.0), 2.0), 0.1, 0.5))
    _break_off(layers, spot, gap)
    return blur(gap, 2.5, on)


def _break_off(layers: Layers, spot: Spot, gap: Field) -> None:
    """Remove the part within `gap`, leaving a slanting face of fracture along the break."""
    rng, on = spot.rng, spot.on
    wide = rng.uniform(0.8, 3.0)
    face = np.clip(blur(gap, wide, on) * 2.2, 0, 1)
    layers.height = layers.height - np.float32(rng.uniform(1, 4)) * face
    gain = rng.pick([0.45, 1.8]) * (1 + 0.2 * noise(rng, on, 5))
    layers.albedo = mix(layers.albedo, np.clip(layers.albedo * np.asarray(gain, np.float32)[..., None], 0.004, 1), face)
    core = smoothstep(0.55, 0.95, blur(gap, wide * 0.5, on)) if rng.chance(0.85) else np.float32(0.0) * gap
    layers.cover = layers.cover * (1 - core)


def tear(layers: Layers, spot: Spot) -> Field:
    """The material pulled open: a long gap with lifted, ragged lips and threads across."""
    rng, on = spot.rng, spot.on
    turn = rng.uniform(0, np.pi)
    length = spot.radius * rng.uniform(1.6, 2.6)
    u, v = on.posed(turn, spot.x, spot.y)
    v = v + np.float32(spot.radius * 0.12) * noise(rng, on, max(spot.radius, 8)) + np.float32(0.7) * noise(rng, on, 4)
    open_wide = spot.radius * spot.radius / length * rng.uniform(0.6, 1.0)
    lens = np.float32(max(open_wide, 1.0)) * np.sqrt(np.clip(1 - (u / np.float32(length)) ** 2, 0, 1))
    gap = smoothstep(0.7, -0.7, np.abs(v) - lens + np.float32(0.01)) * (lens > 0.3)
    gap = np.asarray(gap, np.float32)
    lips = blur(gap, 2.2, on)
    layers.height = layers.height + np.float32(rng.uniform(1, 3.5) * min(spot.strength + 0.3, 1)) * lips
    fray = np.float32(rng.uniform(0, 0.3)) * lips * np.clip(noise(rng, on, 3), -1, 1.5)
    layers.albedo = np.clip(layers.albedo * (1 + fray)[..., None], 0.004, 1)
    threads = [
        wander(rng, np.array(spot.near(1.0)), open_wide * 2.5, 0.15, turn + np.pi / 2 + rng.normal(0.3))
        for _ in range(rng.whole(0, 4))
    ]
    bridge = draw(threads, 0.8, on) * np.float32(0.9) if threads else np.float32(0)
    _open(layers, spot, np.asarray(gap * (1 - bridge), np.float32), rng.uniform(1, 3))
    return blur(gap, 4.0, on)


def bend(layers: Layers, spot: Spot) -> Field:
    """The form pushed out of shape: outlines and patterns displaced, the surface bulged or creased."""
    rng, on = spot.rng, spot.on
    radius = max(spot.radius * 1.5, 9.0)
    distance = spot.distance() * np.float32(spot.radius / radius)
    envelope = smoothstep(1.25, 0.0, distance)
    turn = spot.inward + rng.pick([0, np.pi]) + rng.normal(0.5)
    push = radius * rng.uniform(0.25, 0.5) * min(spot.strength + 0.3, 1.3)
    columns = (on.x - np.float32(push * np.cos(turn)) * envelope + 112) * np.float32(on.scale) - np.float32(0.5)
    rows = (on.y - np.float32(push * np.sin(turn)) * envelope + 112) * np.float32(on.scale) - np.float32(0.5)
    for name in ("albedo", "height", "gloss", "cover"):
        moved = cv2.remap(getattr(layers, name), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        setattr(layers, name, np.asarray(moved, np.float32))
    crease = np.zeros_like(envelope)
    if rng.chance(0.6):
        u, v = on.posed(turn, spot.x, spot.y)
        crease = np.exp(-np.abs(u + np.float32(0.15) * v) / np.float32(rng.uniform(1.5, 6))) * envelope
    bulge = rng.pick([-1, 1]) * radius * rng.uniform(0.08, 0.25) * spot.strength
    layers.height = (
        layers.height + np.float32(bulge) * envelope + np.float32(rng.uniform(1.5, 4) * spot.strength) * crease
    )
    return np.asarray((distance < 1.3) * np.float32(1), np.float32)


def fold(layers: Layers, spot: Spot) -> Field:
    """A crease across a surface: a sharp ridge or valley, the material creased beside it."""
    rng, on = spot.rng, spot.on
    turn = rng.uniform(0, np.pi)
    u, v = on.posed(turn, spot.x, spot.y)
    length = spot.radius * rng.uniform(1.8, 3.4)
    v = v + np.float32(rng.uniform(0.3, 2.5)) * noise(rng, on, 40)
    wide = max(spot.radius * spot.radius / length * 0.8, 1.6)
    ridge = np.exp(-np.abs(v) / np.float32(wide)) * smoothstep(1.0, 0.5, np.abs(u) / np.float32(length))
    ridge = np.asarray(ridge * smoothstep(4.5, 2.5, np.abs(v) / np.float32(wide)), np.float32)
    height = rng.pick([-1, 1]) * wide * rng.uniform(0.5, 1.1) * spot.strength
    layers.height = layers.height + np.float32(height) * ridge
    worn = np.float32(rng.pick([-0.35, 0.3]) * spot.strength) * ridge * ridge
    layers.albedo = np.clip(layers.albedo * (1 + worn)[..., None], 0.004, 1)
    return ridge


def fray(layers: Layers, spot: Spot) -> Field:
    """Threads or slivers pulled out of the material: loose curls over a roughened ground."""
    rng, on = spot.rng, spot.on
    heading, width = rng.angle(), rng.uniform(0.6, 1.4)
    threads = [
        wander(
            rng,
            np.array(spot.near(0.5)),
            spot.radius * rng.uniform(1.0, 2.6),
            rng.uniform(0.1, 0.4),
            heading + rng.normal(0.6),
        )
        for _ in range(int(np.clip(spot.radius * 0.7, 3, 26)))
    ]
    cover = draw(threads, width, on)
    under = blob(rng, on, spot.x, spot.y, spot.radius * 0.7, 1.0, 0.5)
    layers.albedo = layers.albedo * (1 - np.float32(min(0.5 * spot.strength, 0.6)) * under)[..., None]
    column, row = np.clip(on.pixels(np.array([spot.x, spot.y])).round().astype(int), 0, on.size - 1)
    here = layers.albedo[max(row - 6, 0) : row + 7, max(column - 6, 0) : column + 7].reshape(-1, 3).mean(0)
    thread = np.clip(here * (1 + 1.1 * spot.strength) + 0.12 * spot.strength, 0, 1).astype(np.float32)
    layers.albedo = mix(layers.albedo, thread, cover * np.float32(0.9))
    layers.height = layers.height * (1 - 0.5 * under) + np.float32(1.2) * cover
    return np.maximum(under, blur(cover, 1.2, on))
