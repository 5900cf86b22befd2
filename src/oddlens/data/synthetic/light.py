"""Light on layers: a lamp, the surroundings that glossy things mirror, and the shadow that a part casts."""

from dataclasses import dataclass

import cv2
import numpy as np

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import ColourField, Layers
from oddlens.data.synthetic.plane import Field, Plane, blur

ENVIRONMENT = 64
"""Side of the environment map."""


@dataclass(frozen=True)
class Light:
    """How a scene is lit.

    direction    unit vector towards the lamp (x right, y down, z to the camera)
    ambient      0..1, the share of light that comes from everywhere
    surroundings float32 [64, 64], brightness mirrored by a normal (nx, ny) in -1..1, mean about .5
    nearness     slope a reference pixel: how fast the angle to the lamp changes across the picture
    shadow       (dx, dy, softness, depth) of the shadow on the backdrop, the lengths in reference pixels
    """

    direction: tuple[float, float, float]
    ambient: float
    surroundings: Field
    nearness: float
    shadow: tuple[float, float, float, float]


def draw_light(design: Dice, piece: Dice) -> Light:
    """The lighting of a product's station (`design`), a touch different for each picture (`piece`)."""
    azimuth = design.angle() + piece.normal(0.05)
    elevation = np.clip(design.uniform(0.45, 1.35) + piece.normal(0.03), 0.35, 1.45)
    direction = (
        float(np.cos(elevation) * np.cos(azimuth)),
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
    )
    length = design.uniform(0, 9) * np.cos(elevation)
    backlit = design.chance(0.15)
    shadow = (
        float(-length * np.cos(azimuth)),
        float(-length * np.sin(azimuth)),
        float(design.uniform(1.5, 8)),
        0.0 if backlit else float(design.uniform(0.15, 0.75)),
    )
    return Light(
        direction,
        float(design.uniform(0.25, 0.6)),
        _surroundings(design),
        float(design.uniform(0, 0.004)),
        shadow,
    )


def _surroundings(design: Dice) -> Field:
    """A room with a few soft boxes or a ring light, as a mirror ball would show it."""
    axis = np.linspace(-1, 1, ENVIRONMENT, dtype=np.float32)
    nx, ny = np.meshgrid(axis, axis)
    tilt = design.angle()
    room = 0.35 + design.uniform(0, 0.3) * (nx * np.float32(np.cos(tilt)) + ny * np.float32(np.sin(tilt)))
    if design.chance(0.3):
        radius = np.hypot(nx, ny)
        room = room + design.uniform(0.8, 2.0) * np.exp(-(((radius - design.uniform(0.3, 0.7)) / 0.12) ** 2))
    else:
        for _ in range(design.whole(1, 3)):
            turn, x, y = design.uniform(0, np.pi), *design.many(-0.7, 0.7, 2)
            c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            u, v = (nx - x) * c + (ny - y) * s, (ny - y) * c - (nx - x) * s
            box = (np.abs(u) < design.uniform(0.15, 0.7)) & (np.abs(v) < design.uniform(0.06, 0.3))
            room = room + box * np.float32(design.uniform(0.6, 2.2))
    soft = cv2.GaussianBlur(np.asarray(room, np.float32), (0, 0), design.uniform(1.5, 7))
    return np.asarray(np.clip(soft, 0.02, 3), np.float32)


def shade(layers: Layers, light: Light, on: Plane) -> ColourField:
    """The lit scene, float32 [s, s, 3], linear light: a flat matt pixel shows its albedo."""
    slope = np.float32(on.scale / 8)
    hx = cv2.Sobel(layers.height, cv2.CV_32F, 1, 0, ksize=3) * slope
    hy = cv2.Sobel(layers.height, cv2.CV_32F, 0, 1, ksize=3) * slope
    nz = 1 / np.sqrt(1 + hx * hx + hy * hy)
    nx, ny = -hx * nz, -hy * nz
    lx, ly, lz = light.direction
    lambert = np.maximum(nx * np.float32(lx) + ny * np.float32(ly) + nz * np.float32(lz), 0) * np.float32(1 / lz)
    hollow = np.clip(1 - 0.12 * (blur(layers.height, 3.0, on) - layers.height), 0.45, 1.15)
    matt = hollow * np.float32(light.ambient) + np.minimum(lambert, 2.2) * np.float32(1 - light.ambient)

    near, half = np.float32(light.nearness), np.float32((ENVIRONMENT - 1) / 2)
    mirrored = cv2.remap(
        light.surroundings,
        (nx + on.x * near) * half + half,
        (ny + on.y * near) * half + half,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    metal = np.float32(layers.metal)
    body = matt * (1 - metal) + mirrored * hollow * (2 * metal)
    part = layers.albedo * body[..., None] + (layers.gloss * mirrored)[..., None]
    return part if layers.cover.min() >= 1 else _before_backdrop(part, layers, light, on)


def _before_backdrop(part: ColourField, layers: Layers, light: Light, on: Plane) -> ColourField:
    dx, dy, softness, depth = light.shadow
    shift = np.array([[1, 0, dx * on.scale], [0, 1, dy * on.scale]], np.float64)
    cast = cv2.warpAffine(layers.cover, shift, (on.size, on.size), borderMode=cv2.BORDER_REPLICATE)
    lit = 1 - np.float32(depth) * blur(np.asarray(cast, np.float32), softness, on)
    behind = layers.backdrop * lit[..., None]
    return np.asarray(behind + layers.cover[..., None] * (part - behind), np.float32)
