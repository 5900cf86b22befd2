"""Light on layers: a lamp, the surroundings that glossy things mirror, and the shadow that a part casts."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lab.synthetic.layers import ColourField, Layers
from lab.synthetic.plane import Field, Plane, blur
from lab.synthetic.rng import Rng

ENVIRONMENT = 64
"""Side of the environment map."""


@dataclass(frozen=True)
class Light:
    """How a scene is lit.

    direction    unit vector towards the lamp (x right, y down, z to the camera)
    ambient      0..1, the share of light that comes from everywhere
    surroundings float32 [64, 64], brightness mirrored by a normal (nx, ny) in -1..1, about .5 on average
    nearness     slope a reference pixel: how fast the angle to the lamp changes across the image
    shadow       (dx, dy, softness, depth) of the shadow on the backdrop, the lengths in reference pixels
    """

    direction: tuple[float, float, float]
    ambient: float
    surroundings: Field
    nearness: float
    shadow: tuple[float, float, float, float]


def draw_light(design: Rng, piece: Rng) -> Light:
    """Light of a product's station (`design`), a touch different for each image (`piece`)."""
    azimuth = design.angle() + piece.normal(0.05)
    elevation = min(max(design.uniform(0.45, 1.35) + piece.normal(0.03), 0.35), 1.45)
    flat = math.cos(elevation)
    length = design.uniform(0, 9) * flat
    depth = 0.0 if design.chance(0.15) else design.uniform(0.15, 0.75)  # a part on a light table casts no shadow
    return Light(
        direction=(flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)),
        ambient=design.uniform(0.25, 0.6),
        surroundings=_surroundings(design),
        nearness=design.uniform(0, 0.004),
        shadow=(-length * math.cos(azimuth), -length * math.sin(azimuth), design.uniform(1.5, 8), depth),
    )


def _surroundings(design: Rng) -> Field:
    """A room with a few soft boxes or a ring light, as a mirror ball would show it."""
    axis = np.linspace(-1, 1, ENVIRONMENT, dtype=np.float32)
    nx, ny = np.meshgrid(axis, axis)
    tilt = design.angle()
    room = 0.35 + design.uniform(0, 0.3) * (nx * math.cos(tilt) + ny * math.sin(tilt))
    if design.chance(0.3):
        ring = np.sqrt(nx * nx + ny * ny) - design.uniform(0.3, 0.7)
        room = room + design.uniform(0.8, 2.0) * np.exp(-((ring / 0.12) ** 2))
    else:
        for _ in range(design.whole(1, 3)):
            turn, x, y = design.angle(), *design.point(0.7)
            c, s = math.cos(turn), math.sin(turn)
            u, v = (nx - x) * c + (ny - y) * s, (ny - y) * c - (nx - x) * s
            box = (np.abs(u) < design.uniform(0.15, 0.7)) & (np.abs(v) < design.uniform(0.06, 0.3))
            room = room + box * design.uniform(0.6, 2.2)
    soft = cv2.GaussianBlur(np.asarray(room, np.float32), (0, 0), design.uniform(1.5, 7))
    return np.clip(soft, 0.02, 3).astype(np.float32)


def shadow(cover: Field, light: Light, on: Plane) -> Field:
    """How much light reaches the backdrop beside a part, float32 [h, w], 0..1. `on` is a whole image."""
    dx, dy, softness, depth = light.shadow
    if depth == 0 or float(cover.min()) >= 1:
        return np.ones_like(cover)
    shift = np.array([[1, 0, dx * on.scale], [0, 1, dy * on.scale]], np.float64)
    cast = cv2.warpAffine(cover, shift, cover.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return 1 - depth * blur(np.asarray(cast, np.float32), softness, on)


def shade(layers: Layers, lit: Field, light: Light, on: Plane) -> ColourField:
    """The lit scene, float32 [3, h, w], linear light: a flat matt pixel shows its albedo. `lit` is the `shadow`."""
    slope = on.scale / 8
    hx = cv2.Sobel(layers.height, cv2.CV_32F, 1, 0, ksize=3) * slope
    hy = cv2.Sobel(layers.height, cv2.CV_32F, 0, 1, ksize=3) * slope
    nz = 1 / np.sqrt(1 + hx * hx + hy * hy)
    nx, ny = -hx * nz, -hy * nz
    lx, ly, lz = light.direction
    lambert = np.clip((nx * lx + ny * ly) * (1 / lz) + nz, 0, 2.2)
    hollow = np.clip(1 - 0.12 * (blur(layers.height, 3.0, on) - layers.height), 0.45, 1.15)
    matt = hollow * light.ambient + lambert * (1 - light.ambient)

    half = (ENVIRONMENT - 1) / 2
    at_x, at_y = (nx + on.x * light.nearness) * half + half, (ny + on.y * light.nearness) * half + half
    mirrored = cv2.remap(light.surroundings, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    body = matt * (1 - layers.metal) + mirrored * hollow * (2 * layers.metal)
    scene: ColourField = layers.albedo * body
    scene += layers.gloss * mirrored
    if float(layers.cover.min()) < 1:
        behind = layers.backdrop * lit
        scene -= behind
        scene *= layers.cover
        scene += behind
    return scene
