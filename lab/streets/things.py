"""Things by word: the parts that each is drawn from, back to front, each part a shape in thing units and a material."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.streets.materials import Material, blotches, checks, dots, fibres, grain, grid, plain, ribs
from lab.streets.shapes import Shape, box, disc, line, polygon, rounded

UPRIGHT, LEVEL, OBLIQUE = 0.0, math.pi / 2, math.pi / 4

Part = tuple[Shape, Material]


@dataclass(frozen=True)
class Thing:
    """A thing: its width (in heights), how high it stands close to the camera (frame units) and its parts."""

    width: float
    height: tuple[float, float]
    parts: tuple[Part, ...]


_GLASS = Material((0.02, 0.03, 0.05), (0.12, 0.16, 0.2), plain)
_RUBBER = Material((0.01, 0.01, 0.01), (0.03, 0.03, 0.03), plain, 0.1)
_STEEL = Material((0.35, 0.36, 0.38), (0.5, 0.5, 0.52), plain)
_SKIN = Material((0.55, 0.3, 0.2), (0.6, 0.36, 0.25), plain, 0.8)
_BARK = Material((0.1, 0.05, 0.02), (0.2, 0.1, 0.05), fibres(2, 12, LEVEL))
_CAR = Material((0.03, 0.1, 0.5), (0.06, 0.18, 0.65), plain, 0.6)
_TAXI = Material((0.75, 0.5, 0.02), (0.03, 0.03, 0.03), checks(4))
_CANVAS = Material((0.65, 0.28, 0.08), (0.8, 0.62, 0.45), ribs(5, UPRIGHT, 0.35), 0.5)
_CABIN = Material((0.6, 0.6, 0.58), (0.5, 0.2, 0.05), plain, 0.6)
_BUS = Material((0.02, 0.3, 0.16), (0.05, 0.45, 0.25), ribs(9, LEVEL, 0.3))
_BUS_WINDOWS = Material((0.05, 0.08, 0.1), (0.05, 0.4, 0.22), grid(9, 40, 2.4))
_COAT = Material((0.5, 0.04, 0.25), (0.65, 0.1, 0.4), fibres(2, 9, UPRIGHT))
_TROUSERS = Material((0.04, 0.03, 0.12), (0.1, 0.08, 0.25), ribs(3, UPRIGHT))
_SPOKES = Material((0.5, 0.55, 0.6), (0.02, 0.1, 0.12), checks(2.5), 0.1)
_FRAME = Material((0.02, 0.5, 0.6), (0.05, 0.6, 0.65), plain)
_BLUE_PLATE = Material((0.02, 0.1, 0.75), (0.9, 0.9, 0.9), dots(9, 0.33), 0.15)
_RED_PLATE = Material((0.7, 0.02, 0.03), (0.9, 0.85, 0.85), ribs(13, LEVEL, 0.25), 0.15)
_HAZARD = Material((0.05, 0.05, 0.05), (0.6, 0.6, 0.58), ribs(8, LEVEL), 0.15)
_IRON = Material((0.03, 0.08, 0.06), (0.06, 0.14, 0.1), plain)
_LAMP = Material((0.9, 0.85, 0.6), (0.95, 0.95, 0.8), plain, 0.1)
_FACADE = Material((0.05, 0.07, 0.1), (0.42, 0.38, 0.33), grid(9, 11, 4.5), 0.5)
_BRICK = Material((0.38, 0.14, 0.08), (0.55, 0.48, 0.4), grid(6, 3, 0.8, 0.5), 0.4)
_ROOF = Material((0.2, 0.07, 0.05), (0.3, 0.12, 0.08), ribs(3, LEVEL))
_LEAVES = Material((0.03, 0.1, 0.02), (0.12, 0.28, 0.04), blotches(7, 0.5, 0.6))
_HEDGE = Material((0.06, 0.2, 0.02), (0.3, 0.4, 0.08), dots(3.2, 0.3))
_FRONDS = Material((0.2, 0.3, 0.05), (0.35, 0.4, 0.12), fibres(2, 10, OBLIQUE))
_PALM_BARK = Material((0.3, 0.22, 0.12), (0.15, 0.1, 0.05), ribs(3, LEVEL))
_CARAVAN = Material((0.72, 0.68, 0.56), (0.5, 0.3, 0.16), ribs(12, LEVEL, 0.2), 0.25)
_SLATS = Material((0.4, 0.36, 0.3), (0.2, 0.17, 0.14), ribs(5, LEVEL, 0.3), 0.4)
_CARDBOARD = Material((0.42, 0.26, 0.12), (0.48, 0.31, 0.16), fibres(2, 20, UPRIGHT), 0.2)
_TAPE = Material((0.62, 0.5, 0.3), (0.66, 0.55, 0.36), plain, 0.1)
_CONE = Material((0.85, 0.2, 0.02), (0.9, 0.88, 0.85), ribs(11, LEVEL, 0.35), 0.15)
_TREAD = Material((0.015, 0.015, 0.018), (0.07, 0.07, 0.075), checks(2.5), 0.15)
_HUB = Material((0.25, 0.25, 0.26), (0.4, 0.4, 0.41), plain)
_TENT = Material((0.3, 0.5, 0.02), (0.75, 0.7, 0.1), ribs(8, OBLIQUE), 0.2)
_HIDE = Material((0.8, 0.77, 0.72), (0.03, 0.02, 0.02), blotches(13, 0.4, 0.1), 0.15)
_HULL = Material((0.02, 0.05, 0.22), (0.75, 0.75, 0.78), ribs(9, LEVEL, 0.3), 0.2)
_SAIL = Material((0.85, 0.82, 0.78), (0.7, 0.72, 0.75), fibres(3, 20, OBLIQUE), 0.1)
_FUR = Material((0.3, 0.15, 0.05), (0.5, 0.28, 0.12), grain(3, 0.5), 0.4)
_BALL = Material((0.8, 0.1, 0.5), (0.9, 0.8, 0.1), ribs(9, OBLIQUE))
_BARREL = Material((0.02, 0.25, 0.5), (0.01, 0.1, 0.25), ribs(10, LEVEL, 0.25))
_CASE = Material((0.35, 0.05, 0.4), (0.2, 0.02, 0.25), ribs(6, UPRIGHT, 0.3))
_WOOD = Material((0.5, 0.3, 0.1), (0.35, 0.18, 0.06), fibres(2, 14, UPRIGHT))
_SILK = Material((0.05, 0.55, 0.5), (0.85, 0.3, 0.3), ribs(12, UPRIGHT))


def _wheels(radius: float, *middles: float) -> tuple[Part, ...]:
    rims = [(disc(x, 1 - radius, radius), _RUBBER) for x in middles]
    return (*rims, *((disc(x, 1 - radius, 0.45 * radius), _STEEL) for x in middles))


def _car(body: Material) -> Thing:
    outline = polygon(
        (0.02, 0.85), (0, 0.48), (0.35, 0.42), (0.65, 0.05), (1.3, 0.05), (1.6, 0.42), (1.95, 0.5), (2, 0.85)
    )
    glass = (polygon((0.47, 0.43), (0.7, 0.13), (0.95, 0.13), (0.95, 0.43)),
             polygon((1.02, 0.43), (1.02, 0.13), (1.25, 0.13), (1.47, 0.43)))  # fmt: skip
    return Thing(2.0, (26, 34), ((outline, body), *((pane, _GLASS) for pane in glass), *_wheels(0.2, 0.45, 1.55)))


def _on_stick(plate: Shape, material: Material) -> Thing:
    return Thing(0.5, (36, 48), ((box(0.21, 0.3, 0.29, 1), _STEEL), (plate, material)))


_OCTAGON = polygon(*(
    (0.25 + 0.26 * math.cos((k + 0.5) * math.pi / 4), 0.26 + 0.26 * math.sin((k + 0.5) * math.pi / 4)) for k in range(8)
))  # fmt: skip

THINGS: dict[str, Thing] = {
    "car": _car(_CAR),
    "taxi": _car(_TAXI),
    "truck": Thing(1.7, (36, 48), (
        (box(0, 0, 1.15, 0.82), _CANVAS), (rounded(1.18, 0.25, 1.7, 0.85, 0.08), _CABIN),
        (box(1.4, 0.33, 1.64, 0.53), _GLASS), *_wheels(0.15, 0.25, 0.6, 1.45),
    )),
    "bus": Thing(2.2, (36, 46), (
        (rounded(0, 0, 2.2, 0.9, 0.06), _BUS), (box(0.08, 0.14, 2.12, 0.46), _BUS_WINDOWS), *_wheels(0.14, 0.4, 1.75),
    )),
    "person": Thing(0.42, (34, 48), (
        (box(0.1, 0.5, 0.2, 1), _TROUSERS), (box(0.23, 0.5, 0.33, 1), _TROUSERS),
        (rounded(0.02, 0.18, 0.4, 0.58, 0.09), _COAT), (disc(0.21, 0.1, 0.1), _SKIN),
    )),
    "bicycle": Thing(1.6, (24, 32), (
        (disc(0.36, 0.64, 0.36), _SPOKES), (disc(1.24, 0.64, 0.36), _SPOKES),
        (line(0.1, (0.36, 0.64), (0.6, 0.2), (1.1, 0.22), (1.24, 0.64)), _FRAME),
        (line(0.1, (0.6, 0.2), (0.78, 0.64), (1.1, 0.22)), _FRAME), (line(0.1, (0.45, 0.08), (0.7, 0.08)), _RUBBER),
        (line(0.1, (1.1, 0.22), (1.05, 0.04), (1.25, 0.04)), _RUBBER),
    )),
    "traffic sign": _on_stick(rounded(0, 0, 0.5, 0.5, 0.05), _BLUE_PLATE),
    "stop sign": _on_stick(_OCTAGON, _RED_PLATE),
    "pole": Thing(0.12, (42, 56), ((box(0, 0, 0.12, 1), _HAZARD),)),
    "lamp post": Thing(0.42, (46, 60), (
        (box(0, 0.02, 0.1, 1), _IRON), (box(0, 0.02, 0.42, 0.09), _IRON), (rounded(0.24, 0.07, 0.42, 0.17, 0.03), _LAMP),
    )),
    "building": Thing(0.9, (56, 92), ((box(0, 0, 0.9, 1), _FACADE),)),
    "house": Thing(1.2, (40, 56), ((box(0.05, 0.4, 1.15, 1), _BRICK), (polygon((0, 0.42), (0.6, 0), (1.2, 0.42)), _ROOF),
        (box(0.25, 0.55, 0.45, 0.75), _GLASS), (box(0.75, 0.55, 0.95, 0.75), _GLASS))),
    "tree": Thing(0.8, (48, 70), (
        (box(0.34, 0.5, 0.46, 1), _BARK), (disc(0.26, 0.42, 0.26, 0.24), _LEAVES), (disc(0.54, 0.42, 0.26, 0.24), _LEAVES),
        (disc(0.4, 0.25, 0.3, 0.25), _LEAVES),
    )),
    "bushes": Thing(2.0, (24, 32), (
        (disc(0.45, 0.6, 0.45, 0.4), _HEDGE), (disc(1.0, 0.5, 0.5, 0.5), _HEDGE), (disc(1.55, 0.6, 0.45, 0.4), _HEDGE),
    )),
    "palm tree": Thing(0.8, (52, 74), (
        (polygon((0.36, 0.2), (0.44, 0.2), (0.47, 1), (0.35, 1)), _PALM_BARK),
        *((line(0.13, (0.4, 0.18), (0.4 + 0.2 * math.cos(a), 0.1 + 0.1 * math.sin(a)),
                (0.4 + 0.38 * math.cos(a), 0.24 + 0.2 * math.sin(a))), _FRONDS) for a in (0.3, 1.1, 2.0, 2.8, 3.9, 5.3)),
    )),
    "caravan": Thing(1.7, (36, 46), (
        (line(0.06, (1.4, 0.84), (1.7, 0.84)), _STEEL), (rounded(0, 0.02, 1.5, 0.86, 0.2), _CARAVAN),
        (rounded(0.85, 0.18, 1.3, 0.42, 0.04), _GLASS), *_wheels(0.15, 0.7),
    )),
    "trailer": Thing(1.8, (28, 38), (
        (line(0.08, (1.4, 0.72), (1.8, 0.72)), _STEEL), (box(0, 0.25, 1.5, 0.8), _SLATS),
        *((box(x, 0.02, x + 0.08, 0.8), _STEEL) for x in (0, 0.71, 1.42)), *_wheels(0.19, 0.5, 0.95),
    )),
    "cardboard box": Thing(1.2, (24, 32), (
        (polygon((0.1, 0.2), (0.3, 0), (0.6, 0.2)), _TAPE), (polygon((0.6, 0.2), (0.95, 0.02), (1.1, 0.2)), _TAPE),
        (box(0.1, 0.18, 1.1, 1), _CARDBOARD), (box(0.53, 0.18, 0.67, 0.65), _TAPE),
    )),
    "traffic cone": Thing(0.75, (26, 36), (
        (polygon((0.31, 0), (0.44, 0), (0.66, 0.9), (0.09, 0.9)), _CONE), (box(0, 0.88, 0.75, 1), _CONE),
    )),
    "tyre": Thing(1.0, (24, 30), (
        (disc(0.5, 0.5, 0.5), _TREAD), (disc(0.5, 0.5, 0.27), _RUBBER), (disc(0.5, 0.5, 0.2), _HUB),
    )),
    "tent": Thing(1.6, (28, 40), (
        (polygon((0, 1), (0.6, 0), (1.0, 0), (1.6, 1)), _TENT), (polygon((0.6, 1), (0.8, 0.35), (1.0, 1)), _RUBBER),
    )),
    "cow": Thing(1.5, (28, 38), (
        *((box(x, 0.5, x + 0.12, 1), _HIDE) for x in (0.2, 0.4, 0.85, 1.05)),
        (rounded(0.12, 0.15, 1.22, 0.68, 0.2), _HIDE), (rounded(1.1, 0, 1.5, 0.35, 0.12), _HIDE),
    )),
    "boat": Thing(1.5, (34, 46), (
        (line(0.05, (0.75, 0), (0.75, 0.8)), _BARK), (polygon((0.8, 0.02), (1.3, 0.62), (0.8, 0.62)), _SAIL),
        (polygon((0.7, 0.12), (0.7, 0.62), (0.25, 0.62)), _SAIL), (polygon((0, 0.68), (1.5, 0.68), (1.25, 1), (0.25, 1)), _HULL),
    )),
    "dog": Thing(1.4, (24, 32), (
        *((box(x, 0.55, x + 0.13, 1), _FUR) for x in (0.2, 0.38, 0.8, 0.98)), (line(0.1, (0.2, 0.4), (0.02, 0.1)), _FUR),
        (rounded(0.15, 0.3, 1.12, 0.68, 0.15), _FUR), (rounded(0.95, 0.03, 1.4, 0.38, 0.1), _FUR),
    )),
    "ball": Thing(1.0, (24, 34), ((disc(0.5, 0.5, 0.5), _BALL),)),
    "barrel": Thing(0.75, (30, 42), ((rounded(0, 0, 0.75, 1, 0.12), _BARREL),)),
    "suitcase": Thing(1.2, (24, 34), (
        (line(0.08, (0.4, 0.2), (0.4, 0.04), (0.8, 0.04), (0.8, 0.2)), _RUBBER), (rounded(0, 0.18, 1.2, 1, 0.1), _CASE),
    )),
    "chair": Thing(0.75, (32, 46), (
        (box(0, 0, 0.14, 1), _WOOD), (box(0.61, 0.5, 0.75, 1), _WOOD), (box(0, 0.48, 0.75, 0.64), _WOOD),
        (box(0, 0.05, 0.24, 0.48), _WOOD),
    )),
    "umbrella": Thing(1.3, (30, 42), (
        (box(0.61, 0.3, 0.69, 1), _WOOD),
        (polygon((0, 0.5), (0.15, 0.2), (0.45, 0.02), (0.85, 0.02), (1.15, 0.2), (1.3, 0.5)), _SILK),
    )),
}  # fmt: skip
"""Every word that is a thing."""

GROUNDS: dict[str, Material] = {
    "road": Material((0.07, 0.07, 0.075), (0.13, 0.13, 0.135), grain(3), 0.3),
    "sidewalk": Material((0.42, 0.38, 0.33), (0.25, 0.22, 0.19), grid(12, 7, 1.2), 0.25),
    "pavement": Material((0.4, 0.26, 0.24), (0.28, 0.17, 0.15), grid(5, 4, 1.1, 0.5), 0.25),
    "sky": Material((0.28, 0.5, 0.85), (0.42, 0.62, 0.9), plain, 0.2),
    "clouds": Material((0.6, 0.63, 0.68), (0.88, 0.88, 0.9), blotches(35, 0.5, 1.0), 0.15),
    "sand": Material((0.62, 0.5, 0.3), (0.7, 0.58, 0.38), fibres(3, 25, UPRIGHT), 0.2),
    "snow": Material((0.8, 0.84, 0.9), (0.92, 0.94, 0.97), blotches(12, 0.5, 1.0), 0.08),
    "water": Material((0.02, 0.2, 0.28), (0.15, 0.42, 0.5), ribs(5, LEVEL, 0.3), 0.25),
    "lawn": Material((0.12, 0.42, 0.02), (0.22, 0.58, 0.06), fibres(1.5, 5, LEVEL), 0.2),
    "carpet": Material((0.4, 0.02, 0.06), (0.2, 0.01, 0.12), dots(6, 0.35), 0.25),
    "tiles": Material((0.75, 0.8, 0.82), (0.2, 0.35, 0.4), checks(9), 0.2),
    "wooden floor": Material((0.36, 0.18, 0.06), (0.2, 0.09, 0.03), grid(40, 6, 0.9, 0.37), 0.3),
    "gravel": Material((0.2, 0.19, 0.17), (0.5, 0.48, 0.45), blotches(4, 0.5, 0.1), 0.25),
}
"""Every word that is a ground or the sky."""
