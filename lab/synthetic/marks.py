"""Defects that mark a part and leave its form: scratches, stains, pits, dents and the like.

Every function changes the layers it is given and returns its support: float32 [h, w], above 0 wherever it may have changed
something. It reassigns the layers' arrays and never writes into them, because the clean image still needs them.
"""

import math
from collections.abc import Callable

import numpy as np

from lab.synthetic.layers import Colour, Layers, clip, hue, mix
from lab.synthetic.plane import Field, Plane, blur, fractal, noise, norm, smoothstep
from lab.synthetic.rng import Rng
from lab.synthetic.spot import Spot
from lab.synthetic.strokes import Path, blob, draw, fill, shard, taper, wander

Defect = Callable[[Layers, Spot], Field]


def other_colour(rng: Rng, here: Colour) -> Colour:
    """A colour that stands out from `here`: much darker, much lighter, or of another hue."""
    bright = float(here.mean())
    way = rng.uniform(0, 1)
    if way < 0.5 and bright > 0.08:
        wanted = here * rng.uniform(0.05, 0.45)
    elif way < 0.78 and bright < 0.55:
        wanted = here + (1 - here) * rng.uniform(0.3, 0.75)
    else:
        level = bright * rng.uniform(0.4, 1.3) if bright > 0.12 else rng.uniform(0.15, 0.6)
        wanted = level * (1 + rng.uniform(0.3, 0.9) * hue(rng))
    return clip(wanted)


def level(height: Field, weight: Field, on: Plane) -> Field:
    """Wash out the fine relief where `weight` is 1; the form of the body below stays."""
    return height + weight * (blur(height, 4.0, on) - height)


def _score(layers: Layers, spot: Spot, cover: Field, depth: float, tone: float) -> Field:
    """Score the surface: a groove with thrown-up edges, lighter (`tone` > 0) or darker than the ground."""
    burr = blur(cover, 0.9, spot.on)
    layers.height = layers.height + depth * (1.1 * burr - 1.5 * cover)
    target = 0.9 if tone > 0 else 0.01
    layers.albedo = layers.albedo + (abs(tone) * cover) * (target - layers.albedo)
    layers.gloss = layers.gloss + (0.12 * max(tone, 0.0)) * cover
    return burr


def _line_through(spot: Spot, heading: float, length: float, reach: float, curl: float) -> Path:
    """A line of about `length` in the direction `heading` with its middle near the spot's."""
    x, y = spot.near(reach)
    back = 0.5 * length
    return wander(spot.rng, (x - back * math.cos(heading), y - back * math.sin(heading)), heading, length, curl)


def scratch(layers: Layers, spot: Spot) -> Field:
    """One to four long thin scores in nearly one direction."""
    rng = spot.rng
    count = rng.pick([1, 2, 4], p=[0.6, 0.25, 0.15])
    width = spot.width(0.8, 2.6)
    length = min(max(math.pi * spot.radius**2 / (count * (width + 0.8)), 14), 190)
    heading, curl = rng.angle(), rng.pick([0.005, 0.05])
    cover = np.zeros_like(spot.on.x)
    for _ in range(count):
        reach = 0.5 if count == 1 else 1.2
        path = _line_through(spot, heading + rng.normal(0.12), length * rng.uniform(0.6, 1.1), reach, curl)
        cover = np.maximum(cover, taper(path, width, spot.on) * rng.uniform(0.6, 1.0))
    if rng.chance(0.5):  # the point skipped
        cover = cover * np.clip(1.2 + 0.8 * noise(rng, spot.on, 14), 0, 1)
    tone = rng.pick([-0.8, 0.55], p=[0.4, 0.6]) * min(spot.strength, 1.2)
    return _score(layers, spot, cover, rng.uniform(0.4, 1.4) * spot.strength, tone)


def abrasion(layers: Layers, spot: Spot) -> Field:
    """A rubbed patch: many short fine scores side by side, the ground dulled."""
    rng, on = spot.rng, spot.on
    heading = rng.angle()
    lengths = rng.many(0.4, 1.8, int(min(max(spot.radius * 1.6, 8), 60)))
    paths = [_line_through(spot, heading + rng.normal(0.15), spot.radius * share, 1.1, 0.04) for share in lengths]
    patch = blob(rng, on, spot.x, spot.y, spot.radius * 1.1, 1.0)
    cover = np.maximum(draw(paths, spot.width(0.8, 1.8), on) * 0.9, patch * rng.uniform(0.0, 0.35))
    tone = rng.pick([-0.7, 0.6], p=[0.4, 0.6]) * min(spot.strength, 1.4)
    return _score(layers, spot, cover, rng.uniform(0.2, 0.7) * spot.strength, tone)


def stain(layers: Layers, spot: Spot) -> Field:
    """A dried liquid or ink: a translucent patch, often with a darker rim, sometimes with splashes."""
    rng, on = spot.rng, spot.on
    soft, rough = rng.pick([0.15, 0.5, 1.0]), rng.uniform(0.15, 0.5)
    patch = blob(rng, on, spot.x, spot.y, spot.radius, soft, rough)
    for _ in range(rng.whole(0, 3)):
        splash = blob(rng, on, *spot.near(1.8), max(spot.radius * rng.uniform(0.1, 0.45), 1.5), soft, rough)
        patch = np.maximum(patch, splash)
    rim = np.maximum(patch - blur(patch, max(spot.radius * 0.12, 1.0), on), 0) * rng.pick([0.0, 1.6])
    body = patch * np.clip(0.8 + 0.25 * fractal(rng, on, max(spot.radius, 6), 3), 0.3, 1.0) + rim
    here = layers.here(on, spot.x, spot.y)
    grain = np.clip(layers.albedo.mean(0) * (1 / max(float(here.mean()), 0.01)), 0.4, 1.7)
    ink = other_colour(rng, here) * grain  # the grain of the ground shows through
    layers.albedo = clip(mix(layers.albedo, ink, np.clip(body * (0.9 * spot.strength), 0, 1)))
    layers.gloss = layers.gloss * (1 + rng.uniform(-0.8, 0.5) * patch)
    return patch


def discoloration(layers: Layers, spot: Spot) -> Field:
    """The material itself in a wrong colour: heat tint, bleaching, oxidation; its grain is unchanged."""
    rng, on = spot.rng, spot.on
    patch = blob(rng, on, spot.x, spot.y, spot.radius * 1.25, rng.uniform(0.5, 1.4), 0.4)
    weight = patch * np.clip(1 + 0.35 * fractal(rng, on, max(spot.radius * 0.8, 8), 3), 0, 1.2)
    brightness = rng.pick([-1.0, 0.8]) * rng.uniform(0.4, 1.0)
    gain = (brightness + rng.uniform(0, 0.9) * hue(rng)) * min(spot.strength, 1.3)
    layers.albedo = clip(layers.albedo * np.exp(weight * gain))
    return patch


def uneven(layers: Layers, spot: Spot) -> Field:
    """An area of wrong shade, finish or gloss, cloudy or with one straight border."""
    rng, on = spot.rng, spot.on
    radius = spot.radius * 1.6
    patch = blob(rng, on, spot.x, spot.y, radius, rng.pick([0.15, 0.6, 1.0]), 0.5)
    if rng.chance(0.4):
        u, _ = on.posed(rng.angle(), spot.x, spot.y)
        patch = patch * smoothstep(-0.3 * radius, -0.3 * radius + rng.uniform(1.5, 8), u)
    gain = rng.pick([-0.6, 0.5]) * spot.strength
    texture = 0.05 * spot.strength * fractal(rng, on, rng.uniform(2, 12), 2)
    layers.albedo = clip(layers.albedo * np.exp(patch * (gain + texture)))
    layers.gloss = layers.gloss * (1 + rng.uniform(-0.9, 0.6) * patch)
    return patch


def pitting(layers: Layers, spot: Spot) -> Field:
    """A cluster of small pits, dense in the middle, dark inside."""
    rng, on = spot.rng, spot.on
    size, spread = rng.uniform(0.8, 2.4), rng.uniform(1.2, 2.2)
    count = int(min(max(spot.radius**2 * 0.9 / size**2, 4), 90))
    shards = [shard(rng, *spot.near(spread), size * rng.factor(0.45), 7) for _ in range(count)]
    pits = blur(fill(shards, on), 0.4, on)
    layers.height = layers.height - rng.uniform(1.0, 3.0) * pits
    bottom = np.clip(layers.albedo * rng.pick([0.12, 2.2], p=[0.75, 0.25]), 0, 1)
    layers.albedo = mix(layers.albedo, bottom, pits * min(rng.uniform(0.5, 0.9) * (0.4 + 0.6 * spot.strength), 1.0))
    layers.gloss = layers.gloss * (1 - pits)
    return blur(pits, 1.0, on)


def dent(layers: Layers, spot: Spot) -> Field:
    """The surface pressed in (or out) without losing material: only its shading and reflections change."""
    rng, on = spot.rng, spot.on
    radius = spot.radius * 1.15
    if rng.chance(0.6):
        bowl = blob(rng, on, spot.x, spot.y, radius, rng.uniform(0.7, 1.6), 0.2)
    else:  # a knock by an edge: long, with one steep side
        u, v = on.posed(rng.angle(), spot.x, spot.y)
        ridge = smoothstep(1, 0, np.abs(v) * (1 / (radius * 0.6))) * np.clip(1 + v * (1 / radius), 0.2, 1.6)
        bowl = ridge * smoothstep(1, 0.3, np.abs(u) * (1 / (radius * 1.4)))
    bowl = blur(bowl, 0.8, on)
    depth = rng.pick([1.0, -0.8], p=[0.75, 0.25]) * (1.2 + radius * rng.uniform(0.3, 0.6)) * spot.strength
    layers.height = layers.height - depth * bowl
    layers.albedo = layers.albedo * (1 - rng.uniform(0, 0.35) * min(spot.strength, 1.5) * bowl)
    return blur(bowl, 2.0, on)


def contamination(layers: Layers, spot: Spot) -> Field:
    """Foreign matter lying on the part: crumbs, a fibre, a drop, a smear."""
    kind = spot.rng.pick((_crumbs, _fibre, _drop, _smear), p=[0.4, 0.2, 0.15, 0.25])
    return kind(layers, spot, other_colour(spot.rng, layers.here(spot.on, spot.x, spot.y)))


def _lay_on(layers: Layers, spot: Spot, matter: Field, ink: Colour, high: float, gloss: float) -> Field:
    grain = np.clip(1 + 0.18 * fractal(spot.rng, spot.on, 5, 2), 0.4, 1.6)
    weight = matter * min(0.35 + 0.75 * spot.strength, 1.0)
    layers.albedo = mix(layers.albedo, clip(ink * grain), weight)
    layers.height = layers.height + high * matter
    layers.gloss = layers.gloss + (gloss - layers.gloss) * matter
    return blur(matter, 1.2, spot.on)


def _crumbs(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng = spot.rng
    count = rng.pick([1, 3, 12])
    size = spot.radius * 1.1 / math.sqrt(count)
    places = [(spot.x, spot.y)] if count == 1 else [spot.near(1.6) for _ in range(count)]
    shards = [shard(rng, x, y, size * rng.factor(0.35), rng.whole(6, 12)) for x, y in places]
    matter = blur(fill(shards, spot.on), 0.5, spot.on)
    return _lay_on(layers, spot, matter, ink, rng.uniform(1, 3.5), rng.pick([0.0, 0.3]))


def _fibre(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng = spot.rng
    width = spot.width(0.9, 2.4)
    length = min(max(math.pi * spot.radius**2 / (width + 0.6), 25), 5 * spot.radius)
    path = wander(rng, spot.near(0.8), rng.angle(), length, rng.uniform(0.1, 0.5))
    return _lay_on(layers, spot, draw([path], width, spot.on), ink, rng.uniform(0.5, 1.5), 0.0)


def _drop(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng, on = spot.rng, spot.on
    patch = blob(rng, on, spot.x, spot.y, spot.radius, 0.12, 0.12)
    dome = np.sqrt(np.clip(1 - spot.distance() ** 2, 0, 1)) * patch
    wet = layers.albedo * 0.55 + ink * 0.2
    layers.albedo = mix(layers.albedo, wet, patch * min(spot.strength, 1.0))
    layers.height = level(layers.height, 0.6 * patch, on) + spot.radius * rng.uniform(0.15, 0.45) * dome
    layers.gloss = layers.gloss + rng.uniform(0.15, 0.4) * patch
    return blur(patch, 1.2, on)


def _smear(layers: Layers, spot: Spot, ink: Colour) -> Field:
    rng, on = spot.rng, spot.on
    u, v = on.posed(rng.angle(), spot.x, spot.y)
    long = rng.uniform(1.1, 1.8)
    body = norm(u * (1 / long), v * long) * (1 / spot.radius)
    ragged = 0.15 * noise(rng, on, 3) + 0.35 * noise(rng, on, max(spot.radius * 0.6, 4))
    matter = smoothstep(1.15, 0.75, body + ragged * smoothstep(0.2, 0.9, body))
    return _lay_on(layers, spot, matter, ink, rng.uniform(0.1, 1.0), rng.pick([0.0, 0.25]))
