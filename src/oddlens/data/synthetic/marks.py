"""Defects that mark a part and leave its form: scratches, stains, pits, dents and the like.

Every function changes the layers it is given and returns its support: float32 [s, s], above 0 wherever it may have changed
something. It reassigns the layers' arrays, never writes into them, because the clean picture still needs them.
"""

import math
from collections.abc import Callable

import numpy as np

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import Colour, Layers, mix
from oddlens.data.synthetic.plane import Field, blur, fractal, noise, smoothstep
from oddlens.data.synthetic.spot import Spot
from oddlens.data.synthetic.strokes import Path, blob, draw, fill, shard, taper, wander

Defect = Callable[[Layers, Spot], Field]


def other_colour(rng: Dice, layers: Layers, spot: Spot, strength: float) -> Colour:
    """A colour that stands out from the part's at the spot: darker, lighter, or of another hue."""
    column, row = np.clip(spot.on.pixels(np.array([spot.x, spot.y])).round().astype(int), 0, spot.on.size - 1)
    here = layers.albedo[row, column]
    bright = float(here.mean())
    way = rng.uniform(0, 1)
    if way < 0.45 and bright > 0.08:
        wanted = here * (1 - 0.85 * strength * rng.uniform(0.7, 1.0))
    elif way < 0.75 and bright < 0.6:
        wanted = here + (1 - here) * 0.75 * strength * rng.uniform(0.6, 1.0)
    else:
        hue = np.cos(rng.angle() - np.array([0.0, 2.0944, 4.1888]))
        level = bright * rng.uniform(0.4, 1.6) if bright > 0.15 else rng.uniform(0.2, 0.6)
        wanted = here + (np.clip(level * (1 + 0.9 * hue), 0, 1) - here) * min(strength * 1.2, 1.0)
    return np.asarray(np.clip(wanted, 0.005, 1), np.float32)


def _line(layers: Layers, spot: Spot, cover: Field, depth: float, tone: float) -> Field:
    """Score the surface: a groove with thrown-up edges, lighter (`tone` > 0) or darker than the ground."""
    burr = blur(cover, 0.9, spot.on)
    layers.height = layers.height + np.float32(depth) * (burr * np.float32(1.1) - cover * np.float32(1.5))
    target = np.float32(1.0 if tone > 0 else 0.01)
    layers.albedo = layers.albedo + (np.float32(abs(tone)) * cover)[..., None] * (target - layers.albedo)
    layers.gloss = layers.gloss + np.float32(0.12 * max(tone, 0)) * cover
    return burr


def scratch(layers: Layers, spot: Spot) -> Field:
    """One to four long thin scores in nearly one direction."""
    rng = spot.rng
    count = int(rng.pick([1, 2, 4], p=[0.6, 0.25, 0.15]))
    width = rng.uniform(0.6, 2.0)
    area = np.pi * spot.radius**2
    length = float(np.clip(area / (count * (width + 0.8)), 14, 190))
    heading = rng.angle()
    cover = np.zeros_like(spot.on.x)
    for _ in range(count):
        turn = heading + rng.normal(0.12)
        middle = np.array(spot.near(0.5 if count == 1 else 1.2))
        start = middle - 0.5 * length * np.array([np.cos(turn), np.sin(turn)])
        path = wander(rng, start, length * rng.uniform(0.6, 1.1), rng.pick([0.005, 0.05]), turn)
        cover = np.maximum(cover, taper(path, width, spot.on) * np.float32(rng.uniform(0.6, 1.0)))
    skips = np.clip(1.2 + 0.8 * noise(rng, spot.on, 14), 0, 1) if rng.chance(0.5) else np.float32(1)
    tone = rng.pick([-0.8, 0.55], p=[0.4, 0.6]) * spot.strength
    return _line(layers, spot, np.asarray(cover * skips, np.float32), rng.uniform(0.4, 1.4) * spot.strength, tone)


def abrasion(layers: Layers, spot: Spot) -> Field:
    """A rubbed patch: many short fine scores side by side, the ground dulled."""
    rng = spot.rng
    heading = rng.angle()
    paths = []
    for _ in range(int(np.clip(spot.radius * 1.6, 8, 60))):
        turn = heading + rng.normal(0.15)
        length = spot.radius * rng.uniform(0.4, 1.8)
        start = np.array(spot.near(1.1)) - 0.5 * length * np.array([np.cos(turn), np.sin(turn)])
        paths.append(wander(rng, start, length, 0.04, turn))
    lines = draw(paths, rng.uniform(0.4, 1.0), spot.on)
    patch = blob(rng, spot.on, spot.x, spot.y, spot.radius * 1.1, 1.0)
    cover = np.maximum(lines * np.float32(0.9), patch * np.float32(rng.uniform(0.0, 0.35)))
    tone = rng.pick([-0.55, 0.5], p=[0.4, 0.6]) * spot.strength
    return _line(layers, spot, cover, rng.uniform(0.2, 0.7) * spot.strength, tone)


def stain(layers: Layers, spot: Spot) -> Field:
    """A dried liquid or print: a translucent patch, often with a darker rim, sometimes with splashes."""
    rng, on = spot.rng, spot.on
    soft = rng.pick([0.15, 0.5, 1.0])
    patch = blob(rng, on, spot.x, spot.y, spot.radius, soft, rng.uniform(0.15, 0.5))
    for _ in range(rng.whole(0, 3)):
        x, y = spot.near(1.8)
        patch = np.maximum(patch, blob(rng, on, x, y, max(spot.radius * rng.uniform(0.1, 0.45), 1.5), soft))
    rim = np.maximum(patch - blur(patch, max(spot.radius * 0.12, 1.0), on), 0) * np.float32(rng.pick([0.0, 1.6]))
    body = patch * np.clip(0.8 + 0.25 * fractal(rng, on, max(spot.radius, 6), 3), 0.3, 1.0) + rim
    ink = other_colour(rng, layers, spot, 1.0)
    # the grain of the ground shows through: the ink multiplies it, it does not paint it over
    ground = layers.albedo / np.maximum(layers.albedo.mean(-1), 0.02).mean()
    through = np.clip(ink * np.clip(ground, 0.5, 1.6), 0.005, 1)
    weight = np.clip(body * np.float32(min(0.9 * spot.strength, 1.0)), 0, 1)
    layers.albedo = layers.albedo + weight[..., None] * (through - layers.albedo)
    layers.gloss = layers.gloss * (1 + np.float32(rng.uniform(-0.8, 0.5)) * weight)
    return patch


def discoloration(layers: Layers, spot: Spot) -> Field:
    """The material itself in a wrong colour: heat tint, bleaching, oxidation; its grain is unchanged."""
    rng, on = spot.rng, spot.on
    patch = blob(rng, on, spot.x, spot.y, spot.radius * 1.25, rng.uniform(0.5, 1.4), 0.4)
    weight = patch * np.clip(1 + 0.35 * fractal(rng, on, max(spot.radius * 0.8, 8), 3), 0, 1.2)
    hue = np.cos(rng.angle() - np.array([0.0, 2.0944, 4.1888], np.float32))
    brightness = rng.pick([-1.0, 0.8]) * rng.uniform(0.4, 1.0)
    gain = (brightness + 0.9 * hue * rng.uniform(0, 1)) * min(spot.strength, 1.3)
    layers.albedo = np.clip(layers.albedo * np.exp(weight[..., None] * np.asarray(gain, np.float32)), 0.004, 1)
    return patch


def uneven(layers: Layers, spot: Spot) -> Field:
    """An area of wrong shade, finish or gloss, cloudy or with one straight border."""
    rng, on = spot.rng, spot.on
    radius = spot.radius * 1.6
    patch = blob(rng, on, spot.x, spot.y, radius, rng.pick([0.15, 0.6, 1.0]), 0.5)
    if rng.chance(0.4):
        turn = rng.angle()
        u, _ = on.posed(turn, spot.x, spot.y)
        patch = patch * smoothstep(-0.3 * radius, -0.3 * radius + rng.uniform(1.5, 8), u)
    gain = rng.pick([-0.6, 0.5]) * spot.strength
    texture = np.float32(0.05 * spot.strength) * fractal(rng, on, rng.uniform(2, 12), 2)
    layers.albedo = np.clip(layers.albedo * np.exp(patch * (np.float32(gain) + texture))[..., None], 0.004, 1)
    layers.gloss = layers.gloss * (1 + np.float32(rng.uniform(-0.9, 0.6)) * patch)
    return patch


def pitting(layers: Layers, spot: Spot) -> Field:
    """A cluster of small pits, dense in the middle, dark inside."""
    rng, on = spot.rng, spot.on
    size = rng.uniform(0.8, 2.4)
    count = int(np.clip(spot.radius**2 * 0.9 / size**2, 4, 90))
    pits = np.zeros_like(on.x)
    spread = rng.uniform(1.2, 2.2)
    shards = [shard(rng, *spot.near(spread), size * rng.factor(0.45), 7) for _ in range(count)]
    pits = np.maximum(blur(fill(shards, on), 0.4, on), 0)
    layers.height = layers.height - np.float32(rng.uniform(1.0, 3.0)) * pits
    fresh = rng.chance(0.25)
    weight = pits * np.float32(min(rng.uniform(0.5, 0.9) * (0.4 + 0.6 * spot.strength), 1.0))
    layers.albedo = mix(layers.albedo, np.clip(layers.albedo * (2.2 if fresh else 0.12), 0, 1), weight)
    layers.gloss = layers.gloss * (1 - pits)
    return blur(pits, 1.0, on)


def dent(layers: Layers, spot: Spot) -> Field:
    """The surface pressed in (or out) without losing material: only its shading and reflections tell."""
    rng, on = spot.rng, spot.on
    radius = spot.radius * 1.15
    form = rng.uniform(0, 1)
    if form < 0.6:
        bowl = blob(rng, on, spot.x, spot.y, radius, rng.uniform(0.7, 1.6), 0.2)
    else:  # a knock by an edge: long, with one steep side
        u, v = on.posed(rng.uniform(0, np.pi), spot.x, spot.y)
        ridge = smoothstep(1, 0, np.abs(v) / np.float32(radius * 0.6)) * np.clip(1 + v / np.float32(radius), 0.2, 1.6)
        bowl = ridge * smoothstep(1, 0.3, np.abs(u) / np.float32(radius * 1.4))
    bowl = np.maximum(blur(np.asarray(bowl, np.float32), 0.8, on), 0)
    depth = rng.pick([1.0, -0.8], p=[0.75, 0.25]) * (1.2 + radius * rng.uniform(0.25, 0.5)) * spot.strength
    layers.height = layers.height - np.float32(depth) * bowl
    bruise = np.float32(rng.uniform(0, 0.35) * spot.strength) * bowl
    layers.albedo = layers.albedo * (1 - bruise)[..., None]
    return blur(bowl, 2.0, on)


def contamination(layers: Layers, spot: Spot) -> Field:
    """Foreign matter lying on the part: crumbs, a fibre, a drop, a smear."""
    rng = spot.rng
    kind = rng.pick((_crumbs, _fibre, _drop, _smear), p=[0.4, 0.2, 0.15, 0.25])
    return kind(layers, spot, other_colour(rng, layers, spot, 1.0))


def _lay_on(layers: Layers, spot: Spot, matter: Field, ink: Colour, high: float, gloss: float) -> Field:
    grain = np.clip(1 + 0.18 * fractal(spot.rng, spot.on, 5, 2), 0.4, 1.6)
    weight = matter * np.float32(min(0.35 + 0.75 * spot.strength, 1.0))
    layers.albedo = mix(layers.albedo, np.clip(ink * grain[..., None], 0.005, 1), weight)
    layers.height = layers.height + np.float32(high) * matter
    layers.gloss = layers.gloss + (np.float32(gloss) - layers.gloss) * matter
    return blur(matter, 1.2, spot.on)


def _crumbs(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng = spot.rng
    count = int(rng.pick([1, 3, 12]))
    size = spot.radius * 1.1 / math.sqrt(count)
    pieces: list[Path] = []
    for _ in range(count):
        x, y = (spot.x, spot.y) if count == 1 else spot.near(1.6)
        pieces.append(shard(rng, x, y, size * rng.factor(0.35), rng.whole(6, 12)))
    matter = blur(fill(pieces, spot.on), 0.5, spot.on)
    return _lay_on(layers, spot, matter, ink, rng.uniform(1, 3.5), rng.pick([0.0, 0.3]))


def _fibre(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng = spot.rng
    width = rng.uniform(0.7, 1.8)
    length = float(np.clip(np.pi * spot.radius**2 / (width + 0.6), 25, 200))
    path = wander(rng, np.array(spot.near(0.8)), length, rng.uniform(0.1, 0.5))
    return _lay_on(layers, spot, draw([path], width, spot.on), ink, rng.uniform(0.5, 1.5), 0.0)


def _drop(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng, on = spot.rng, spot.on
    patch = blob(rng, on, spot.x, spot.y, spot.radius, 0.12, 0.12)
    dome = np.sqrt(np.clip(blob(rng, on, spot.x, spot.y, spot.radius, 1.6, 0.1), 0, 1)) * patch
    layers.height = layers.height * (1 - 0.6 * patch)  # a drop levels the relief below it
    layers.albedo = mix(
        layers.albedo,
        layers.albedo * np.float32(0.55) + ink * np.float32(0.2),
        patch * np.float32(min(spot.strength, 1)),
    )
    layers.height = layers.height + np.float32(spot.radius * rng.uniform(0.15, 0.45)) * dome
    layers.gloss = layers.gloss + np.float32(rng.uniform(0.15, 0.4)) * patch
    return blur(patch, 1.2, on)


def _smear(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng, on = spot.rng, spot.on
    turn = rng.uniform(0, np.pi)
    u, v = on.posed(turn, spot.x, spot.y)
    long = rng.uniform(1.2, 2.4)
    body = np.hypot(u / np.float32(long), v * np.float32(long)) / np.float32(spot.radius)
    lines = noise(rng, on, 3) * np.float32(0.15) + noise(rng, on, max(spot.radius * 0.6, 4)) * np.float32(0.35)
    matter = smoothstep(1.15, 0.75, body + lines * smoothstep(0.2, 0.9, body))
    return _lay_on(layers, spot, matter, ink, rng.uniform(0.1, 1.0), rng.pick([0.0, 0.25]))
